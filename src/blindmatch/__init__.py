"""blindmatch: find what stands in two agencies' files, without either showing the other its file."""

__version__ = "0.1.0"
