"""What a node keeps on its own disk: settings, keys, the store, the audit log and the files of rounds."""
