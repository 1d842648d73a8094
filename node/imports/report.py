"""What an import says of itself, and what bad rows mean for it."""

from dataclasses import dataclass, field
from enum import StrEnum

from blindmatch.node.imports.formats import RowFault
from blindmatch.protocol.errors import InputError


class OnBad(StrEnum):
    """What a bad row means for an import."""

    REFUSE = "refuse"  # nothing is stored
    SKIP_ROW = "skip-row"  # the other rows are stored
    BLANK_FIELD = "blank-field"  # the row is stored without the bad field, if it can be


@dataclass
class ImportReport:
    """What an import read, and what was wrong."""

    name: str
    kind: str
    collection: str = ""
    """The new collection's id, or empty when nothing was stored."""
    rows_read: int = 0
    good_rows: int = 0
    """Rows of the table without any fault."""
    records: int = 0
    rows_stored: int = 0
    """Rows of level digests: a record with aliases has several."""
    bad_rows: list[RowFault] = field(default_factory=list, repr=False)
    bad_row_count: int = 0
    warnings: list[str] = field(default_factory=list)
    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Which columns were read as which field."""
    unused: tuple[str, ...] = ()
    format: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    """Names under which an agreement can release something, and the column each comes from, or blank."""
    register: dict[str, int] = field(default_factory=dict)


class ImportRefusedError(InputError):
    """The files have bad rows, and nothing was stored; `report` lists them."""

    def __init__(self, report: ImportReport) -> None:
        super().__init__(
            f"{report.bad_row_count} bad rows, {report.good_rows} good ones: nothing was imported",
            hint="Correct the rows, or import without them (--skip-bad-rows) or without their bad fields "
            "(--blank-bad-fields).",
        )
        self.report = report
