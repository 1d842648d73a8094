"""Enumerations that a caller chooses from. Light to import, so that help texts can list them.

Those of the rooms below are slow to import, so their values are repeated here; a test compares them.
"""

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


class CollectionKind(StrEnum):
    """The kind of a collection's records: `protocol.agreement.KINDS`."""

    SUBJECTS = "subjects"
    SUPPLIERS = "suppliers"
    BIDDERS = "bidders"


class FileFormat(StrEnum):
    """The format of a file to import: `imports.formats.Format`."""

    AUTO = "auto"
    TABLE = "table"
    OFFICERS = "officers"
    PSC = "psc"
    OCDS = "ocds"
    BODS = "bods"
    FTM = "ftm"


class EdgePattern(StrEnum):
    """Which agencies compare with which: `agreements.patterns.Pattern`."""

    BIPARTITE = "bipartite"
    STAR = "star"
    ALL_PAIRS = "all-pairs"
    REQUEST = "request"


class EdgeDisclosure(StrEnum):
    """What every edge discloses: `protocol.agreement.Disclosure`."""

    HITS = "hits"
    HITS_FACTS = "hits+facts"
    COUNT = "count"
    SUM = "sum"
    THRESHOLD = "threshold"


class RightView(StrEnum):
    """What an evaluation retains of the right side's records: `evaluation.View`."""

    FULL = "full"
    COMPANIES_HOUSE = "companies-house"
