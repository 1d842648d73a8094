"""Enumerations that a caller chooses from. Light to import, so that help texts can list them."""

from enum import StrEnum
from pathlib import Path
from typing import Self


class ExportFormat(StrEnum):
    """How a round's results are written to a file."""

    CSV = "csv"
    JSON = "json"
    FTM = "ftm"

    @classmethod
    def of_suffix(cls, path: Path) -> Self | None:
        """The format that a file's name ends in; None when it ends in none."""
        suffix = path.suffix.lower().removeprefix(".")
        return cls(suffix) if suffix in {each.value for each in cls} else None
