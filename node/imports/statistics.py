"""What an import counts: rows, faults and warnings, and which faulty rows are stored."""

from collections import Counter
from typing import Final

from blindmatch.node.imports.batch import Batch
from blindmatch.node.imports.formats import Draft
from blindmatch.node.imports.report import ImportRefusedError, ImportReport, OnBad

MAX_FAULTS: Final = 100_000
"""The most faults that a report lists; further ones are only counted."""

TOO_FEW_FIELDS: Final = "rows with too few fields for any match key, which were left out"
BLANK_ROWS: Final = "rows without any value, which were skipped"
ENDED: Final = "appointments and interests that have ended, which were left out"
UNNUMBERED: Final = "suppliers without a company number"


class ImportStatistics:
    """Fills an import's report.

    Args:
        report: filled during the import.
        on_bad: the consequence of bad rows.
    """

    def __init__(self, report: ImportReport, on_bad: OnBad) -> None:
        self.report = report
        self.warnings: Counter[str] = Counter()
        """Observations that are not faults, and how often each occurred; 0 for one without a number."""
        self._on_bad = on_bad

    def count_rows(self, rows: int, good: int) -> None:
        """Count rows of the imported file, and those among them without a fault."""
        self.report.rows_read += rows
        self.report.good_rows += good

    def count_batch(self, batch: Batch) -> None:
        """Count the rows of a batch."""
        rows = len(batch.places) - 1
        self.count_rows(rows, rows)
        for text, count in ((UNNUMBERED, batch.unnumbered), (TOO_FEW_FIELDS, rows - len(batch.lines))):
            if count:
                self.warnings[text] += count

    def accepts(self, draft: Draft) -> bool:
        """Count a draft's faults. Whether the draft is to be stored."""
        if not draft.faults:
            return True
        report = self.report
        report.bad_row_count += 1
        stored = self._on_bad is OnBad.BLANK_FIELD and not draft.unusable
        faults = draft.faults[: max(MAX_FAULTS - len(report.bad_rows), 0)]
        report.bad_rows.extend(faults if stored else [fault._replace(kept="") for fault in faults])
        return stored

    def finish(self) -> None:
        """Complete the report's warnings.

        Raises:
            ImportRefusedError: there are bad rows, and they refuse the import.
        """
        self.report.warnings = [
            f"{text}: {count}" if count else text for text, count in self.warnings.items()
        ]
        if self.report.bad_row_count and self._on_bad is OnBad.REFUSE:
            raise ImportRefusedError(self.report)
