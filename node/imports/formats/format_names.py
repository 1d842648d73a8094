"""The names of the formats, in a module of their own because the command line needs only these at start."""

from enum import StrEnum


class Format(StrEnum):
    """A file's format."""

    AUTO = "auto"  # recognised by the file's content
    TABLE = "table"  # CSV or Parquet
    OFFICERS = "officers"  # Companies House officers bulk, 195 and 216
    PSC = "psc"  # Companies House people with significant control, JSON lines
    OCDS = "ocds"  # Open Contracting Data Standard 1.1
    BODS = "bods"  # Beneficial Ownership Data Standard 0.4
    FTM = "ftm"  # FollowTheMoney entities, JSON lines
