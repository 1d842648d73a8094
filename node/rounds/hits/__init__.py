"""Rounds that disclose hits, with or without facts."""
