"""The report of an import, and the consequence of bad rows."""

import csv
import io
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from blindmatch.node.imports.formats import RowFault
from blindmatch.node.storage.files import write_output
from blindmatch.protocol.errors import InputError


class OnBad(StrEnum):
    """The consequence of a bad row."""

    REFUSE = "refuse"  # nothing is stored
    SKIP_ROW = "skip-row"  # the other rows are stored
    BLANK_FIELD = "blank-field"  # the row is stored without the bad field, if possible


@dataclass
class ImportReport:
    """The rows that an import read, the records that it stored, and all faults."""

    name: str
    kind: str
    collection: str = ""
    """The new collection's id, or empty when nothing was stored."""
    rows_read: int = 0
    good_rows: int = 0
    """Rows of the file without a fault."""
    records: int = 0
    rows_stored: int = 0
    """Rows of level digests: a record with aliases has several."""
    bad_rows: list[RowFault] = field(default_factory=list, repr=False)
    bad_row_count: int = 0
    warnings: list[str] = field(default_factory=list)
    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The columns of each field."""
    unused: tuple[str, ...] = ()
    """Columns that are not read."""
    format: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    """Names of the facts that an agreement may release, and the column of each, or blank."""
    register: dict[str, int] = field(default_factory=dict)

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        bad_rows = [fault._asdict() for fault in self.bad_rows]
        return {"imported": bool(self.collection), **asdict(self), "bad_rows": bad_rows}

    def write_bad_rows(self, path: Path) -> None:
        """Write every bad row to a CSV file.

        Raises:
            InputError: the file cannot be written.
        """
        table = io.StringIO()
        csv.writer(table).writerows([RowFault._fields, *self.bad_rows])
        write_output(path, table.getvalue())


class ImportRefusedError(InputError):
    """The files have bad rows, so nothing was stored. `report` lists the rows."""

    def __init__(self, report: ImportReport) -> None:
        super().__init__(
            f"{report.bad_row_count} bad rows and {report.good_rows} good rows: nothing was imported",
            hint="Correct the rows, or import the file without them (--skip-bad-rows) or without their bad fields "
            "(--blank-bad-fields).",
        )
        self.report = report
