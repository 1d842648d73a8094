"""How a simulation runs its nodes: in this process, as processes, or on a Ray cluster."""
