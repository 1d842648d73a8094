"""Dates live in `normalise.dates`; this name stays for those who import it from here."""

from blindmatch.protocol.linkage.normalise.dates import date

__all__ = ["date"]
