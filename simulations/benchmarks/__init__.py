"""Measurements of this machine: how much a round costs beside the bare curve arithmetic that it cannot do without."""
