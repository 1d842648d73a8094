"""Rounds: what this node runs, answers, stores and reports. One folder per disclosure, and what they share."""
