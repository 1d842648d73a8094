"""Programs that run one side of a comparison with another package; each runs in that package's own Python."""
