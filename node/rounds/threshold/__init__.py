"""Rounds that disclose what at least t of n agencies hold."""
