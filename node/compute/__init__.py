"""The heavy steps of a node's edges: on this machine, or on the workers of a Ray cluster."""
