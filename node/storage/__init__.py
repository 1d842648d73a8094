"""What a node stores on its own disk: settings, keys, the database, the audit log and the files of rounds."""
