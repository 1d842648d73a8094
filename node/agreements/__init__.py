"""Agreements on this node: drafted, exchanged, signed, stored, and checked before every round."""
