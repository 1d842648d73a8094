"""Import: files in, a collection or a report of every bad row out, never half of it."""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from blindmatch.node.audit import AuditEvent
from blindmatch.node.collections.blocks import BLOCK_RECORDS, PURPOSE, BlockWriter, StoredRecord
from blindmatch.node.collections.host import Host
from blindmatch.node.importers import (
    ColumnMapping,
    Draft,
    Drafter,
    Holding,
    RowFault,
    companies_house,
    open_table,
    records,
)
from blindmatch.node.importers import (
    mapping as mappings,
)
from blindmatch.node.importers.lines import Progress
from blindmatch.node.store import CollectionRow
from blindmatch.protocol.agreement import KINDS, MARKINGS
from blindmatch.protocol.errors import InputError, StoreError
from blindmatch.protocol.limits import LIMITS
from blindmatch.protocol.linkage import RecordBuilder, load_schema

DEFAULT_SCHEMA: Final = "uk-person-company-1"
MAX_FAULTS: Final = 100_000
"""Faults that a report lists; beyond it they are only counted."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ID = re.compile(r"[0-9a-f]{32}(\.partial)?")


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
    facts: dict[str, str] = field(default_factory=dict)
    """Each fact's name, as an agreement writes it, and its column."""
    unused: tuple[str, ...] = ()
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


def import_collection(
    node: Host,
    name: str,
    kind: str,
    file: Path,
    *,
    mapping: ColumnMapping | None = None,
    facts: Sequence[str] = (),
    register: Path | None = None,
    include_ceased: bool = False,
    marking: str = "OFFICIAL",
    schema: str = DEFAULT_SCHEMA,
    encoding: str = "utf-8",
    on_bad: OnBad = OnBad.REFUSE,
    justification: str = "",
    progress: Progress | None = None,
) -> ImportReport:
    """Import one table, and with `register` the people who control its companies.

    Args:
        node: where to.
        name: the collection's name: letters, digits, dots, hyphens, underscores.
        kind: `subjects`, `suppliers` or `bidders`.
        file: CSV or Parquet.
        mapping: fields to columns; without it the usual headings are recognised.
        facts: columns to keep for release, when there is no mapping.
        register: a PSC snapshot (JSON lines) that adds a record per person of each row's companies.
        include_ceased: also people whose control has ended.
        marking: one of the agreement's markings.
        schema: the linkage schema.
        encoding: of the table; see `ENCODINGS`.
        on_bad: what bad rows mean.
        justification: for the audit log; optional.
        progress: called now and then with (done, total).

    Raises:
        ImportRefusedError: bad rows, with `OnBad.REFUSE`.
        InputError: a file that cannot be used at all, or a wrong name, kind or marking.
        StoreError: the name is taken, another import is running, or the disk is full.
    """
    _check_words(name, kind, marking)
    if node.store.find_collection(name) is not None:
        raise StoreError(
            f"there is a collection {name} already",
            hint="Delete it first (`blindmatch collection delete`), or choose another name.",
        )
    report = ImportReport(name, kind)
    job = _Job(node, report, schema, on_bad)
    try:
        with _folder(node, job.id) as partial:
            try:
                with closing(BlockWriter(partial, job.sealer, job.id, len(job.schema.levels))) as writer:
                    wanted = job.read_table(
                        writer, file, mapping=mapping, facts=facts, encoding=encoding, progress=progress
                    )
                    if register is not None:
                        job.read_register(
                            writer, register, wanted, include_ceased=include_ceased, progress=progress
                        )
                    job.finish(writer)
            except OSError as error:
                raise StoreError(
                    f"the file cannot be read or the collection not written: {error.strerror}"
                ) from None
            final = node.collections_dir / job.id
            partial.rename(final)
            try:
                node.store.add_collection(job.row(marking, file, register))
            except BaseException:
                shutil.rmtree(final, ignore_errors=True)
                raise
    finally:
        # The caches hold names.
        records.forget()
    report.collection = job.id
    node.audit.append(
        AuditEvent.COLLECTION,
        subject=f"collection {name}",
        justification=justification,
        detail={
            "id": job.id,
            "kind": kind,
            "records": report.records,
            "bad_rows": report.bad_row_count,
            "on_bad": on_bad.value,
            "marking": marking,
        },
    )
    return report


def _check_words(name: str, kind: str, marking: str) -> None:
    if not _NAME.fullmatch(name):
        raise InputError(
            "the collection's name is not usable", hint="Letters, digits, dots, hyphens, underscores."
        )
    if kind not in KINDS:
        raise InputError(f"unknown kind {kind}", hint=f"One of: {', '.join(KINDS)}.")
    if marking not in MARKINGS:
        raise InputError(f"unknown marking {marking}", hint=f"One of: {', '.join(MARKINGS)}.")


@contextmanager
def _folder(node: Host, collection: str) -> Iterator[Path]:
    """A folder to write into, gone again unless it was renamed; what a crashed import left is cleared first."""
    base = node.collections_dir
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(base / ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                "another import is running on this node", hint="Wait until it is done."
            ) from None
        kept = {row.id for row in node.store.collections()}
        for left in base.iterdir():
            if left.is_dir() and _ID.fullmatch(left.name) and left.name not in kept:
                shutil.rmtree(left, ignore_errors=True)
        partial = base / f"{collection}.partial"
        partial.mkdir(mode=0o700)
        try:
            yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    finally:
        os.close(descriptor)


class _Job:
    """One import under way."""

    def __init__(self, node: Host, report: ImportReport, schema: str, on_bad: OnBad) -> None:
        self.id = os.urandom(16).hex()
        self.schema = load_schema(schema)
        self.sealer = node.keys.sealer.derive(PURPOSE)
        self._node = node
        self._report = report
        self._on_bad = on_bad
        self._builder = RecordBuilder(self.schema)
        self._rows = bytearray()
        self._warnings: dict[str, int] = {}
        field_of = {level.name: level.field for level in self.schema.levels}
        self._keys = [frozenset(field_of[level] for level in key.levels) for key in self.schema.keys]

    def read_table(
        self,
        writer: BlockWriter,
        file: Path,
        *,
        mapping: ColumnMapping | None,
        facts: Sequence[str],
        encoding: str,
        progress: Progress | None,
    ) -> dict[str, list[Holding]]:
        """The table's records; the companies that they name, and who named them."""
        wanted: dict[str, list[Holding]] = {}
        separator = mapping.separator if mapping else ";"
        with open_table(file, encoding=encoding, separator=separator, progress=progress) as table:
            used = mapping or mappings.recognise(table.header, self._report.kind, facts)
            self._report.columns = dict(records.summary(used))
            self._report.unused = used.unused
            drafter = Drafter(table, used)
            self._report.facts = drafter.facts
            if self._report.kind == "subjects" and not {"handling_code", "grading"} & set(used.columns):
                self._warn(f"no column of handling codes: every record was taken as {used.handling_code}", 0)
            for row in table:
                draft = drafter.draft(row)
                self._report.rows_read += 1
                self._report.good_rows += not draft.faults
                if not self._accepts(draft):
                    continue
                if self._report.kind == "suppliers":
                    if draft.companies:
                        # What the agency itself may tell about the record, if an agreement asks for it.
                        draft.facts = {"company_number": draft.companies[0], "role": "company", **draft.facts}
                    else:
                        self._warn("suppliers without a company number")
                self._store(writer, draft)
                for company in draft.companies:
                    facts_kept = {k: v for k, v in draft.facts.items() if k not in {"company_number", "role"}}
                    wanted.setdefault(company, []).append(
                        Holding(draft.reference, draft.handling, facts_kept, draft.row)
                    )
            for text, count in drafter.warnings.items():
                self._warn(text, count)
        if not self._report.rows_read:
            raise InputError(
                f"{file}: the file has a header but no rows", hint="Check the export that made it."
            )
        return wanted

    def read_register(
        self,
        writer: BlockWriter,
        path: Path,
        wanted: dict[str, list[Holding]],
        *,
        include_ceased: bool,
        progress: Progress | None,
    ) -> None:
        """The people of the companies that the table named."""
        seen = companies_house.Seen()
        people = companies_house.expand(path, wanted, seen, include_ceased=include_ceased, progress=progress)
        for draft in people:
            if self._accepts(draft):
                self._store(writer, draft)
        if not seen.lines:
            raise InputError(f"{path}: the register has no lines", hint="Unpack the snapshot again.")
        for text, count in seen.warnings.items():
            self._warn(text, count)
        missing = len(wanted.keys() - seen.companies)
        if missing:
            self._warn("companies of which the register names no person", missing)
        self._report.register = {
            "lines": seen.lines,
            "companies": len(seen.companies),
            "people": seen.people,
            "ceased": seen.ceased,
        }

    def _accepts(self, draft: Draft) -> bool:
        """Count the draft's faults; whether it is to be kept."""
        if not draft.faults:
            return True
        self._report.bad_row_count += 1
        room = MAX_FAULTS - len(self._report.bad_rows)
        self._report.bad_rows.extend(draft.faults[: max(room, 0)])
        return self._on_bad is OnBad.BLANK_FIELD and not draft.unusable

    def _store(self, writer: BlockWriter, draft: Draft) -> None:
        if not records.says_enough(draft.parts, self._keys):
            self._warn("rows that say too little for any match key, and were left out")
            return
        combined, dropped = self._builder.combine(draft.parts)
        if dropped:
            self._warn("combinations of names, dates and addresses beyond what one record may have", dropped)
        # With a bad row the import may be refused, but the rest is still read, for the report.
        self._rows += self._builder.rows(combined)
        writer.add(
            StoredRecord(draft.reference, draft.facts, draft.provenance), draft.handling, len(combined)
        )
        if writer.pending >= BLOCK_RECORDS:
            self._flush(writer)
        if writer.records + writer.pending > LIMITS.records:
            raise InputError(f"more than {LIMITS.records} records", hint="Split the collection.")

    def _flush(self, writer: BlockWriter) -> None:
        writer.flush(self._builder.array(bytes(self._rows)))
        self._rows.clear()

    def finish(self, writer: BlockWriter) -> None:
        """Close the files, or refuse."""
        self._report.warnings = [
            f"{text}: {count}" if count else text for text, count in self._warnings.items()
        ]
        if self._report.bad_row_count and self._on_bad is OnBad.REFUSE:
            raise ImportRefusedError(self._report)
        self._flush(writer)
        if not writer.records:
            raise InputError(
                "no row can be matched on: nothing was imported",
                hint="A record needs a forename, surname and date of birth, or a company number.",
            )
        writer.finish(self.schema.name, self.schema.digest)
        self._report.records, self._report.rows_stored = writer.records, writer.rows

    def row(self, marking: str, file: Path, register: Path | None) -> CollectionRow:
        """The collection's row in the store."""
        report = self._report
        return CollectionRow(
            id=self.id,
            name=report.name,
            kind=report.kind,
            marking=marking,
            schema=self.schema.name,
            records=report.records,
            rows=report.rows_stored,
            imported_at=int(self._node.clock()),
            detail={
                "file": file.name,
                "register": register.name if register else "",
                "rows_read": report.rows_read,
                "bad_rows": report.bad_row_count,
                "warnings": report.warnings,
                "facts": self._fact_names(register),
                "columns": {name: list(columns) for name, columns in report.columns.items()},
            },
        )

    def _fact_names(self, register: Path | None) -> list[str]:
        """Every fact that some record may have: the file's, and those that suppliers have of themselves."""
        report = self._report
        own = ["company_number", "role"] if report.kind == "suppliers" else []
        people = ["company_number", "role", "notified_on", "ceased_on"] if register else []
        return list(dict.fromkeys([*report.facts, *own, *people]))

    def _warn(self, text: str, count: int = 1) -> None:
        self._warnings[text] = self._warnings.get(text, 0) + count
