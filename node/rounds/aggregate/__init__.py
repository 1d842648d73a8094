"""Rounds that disclose a count or a sum."""
