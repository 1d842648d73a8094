"""The import operation: from files to a collection, or to a report of all bad rows and no collection."""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from blindmatch.node.imports.blocks import PURPOSE
from blindmatch.node.imports.collection import NodeStorage
from blindmatch.node.imports.formats import ColumnMapping, Format, field_values, load_mapping
from blindmatch.node.imports.formats.blank_values import iso_day
from blindmatch.node.imports.formats.lines import Progress
from blindmatch.node.imports.reader import ImportReader, choose_format
from blindmatch.node.imports.report import ImportReport, OnBad
from blindmatch.node.imports.statistics import ImportStatistics
from blindmatch.node.imports.writer import RecordWriter
from blindmatch.node.storage import gc_pause
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.store import CollectionRow
from blindmatch.protocol.agreement import KINDS, MARKINGS
from blindmatch.protocol.errors import InputError, StoreError
from blindmatch.protocol.linkage import load_schema

DEFAULT_SCHEMA: Final = "uk-person-company-2"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ID = re.compile(r"[0-9a-f]{32}(\.partial)?")


def import_collection(
    node: NodeStorage,
    name: str,
    kind: str,
    file: Path,
    *,
    mapping: ColumnMapping | Path | None = None,
    facts: Sequence[str] = (),
    form: str = Format.AUTO,
    register: Path | Sequence[Path] | None = None,
    include_ceased: bool = False,
    marking: str = "OFFICIAL",
    schema: str = DEFAULT_SCHEMA,
    encoding: str = "utf-8",
    on_bad: OnBad = OnBad.REFUSE,
    justification: str = "",
    progress: Progress | None = None,
) -> ImportReport:
    """Import one file, and with `register` the people who serve or control its companies.

    Args:
        node: the node that stores the collection.
        name: the collection's name: letters, digits, dots, hyphens, underscores.
        kind: `subjects`, `suppliers` or `bidders`.
        file: in any of the formats.
        mapping: a table's columns to fields, or a file with it; without it the usual headings are recognised.
        facts: columns to store for release; a mapping adds those that it names.
        form: the file's format, one of `Format`; by default it is recognised by the content.
        register: registers, which add a record per person and company behind each record's companies.
        include_ceased: also read people whose appointment or control has ended.
        marking: one of the agreement's markings.
        schema: the linkage schema.
        encoding: of the table; see `tabular.ENCODINGS`.
        on_bad: the consequence of bad rows.
        justification: for the audit log; optional.
        progress: called during the import with (done, total).

    Raises:
        ImportRefusedError: there are bad rows, with `OnBad.REFUSE`.
        InputError: a file is unusable as a whole, or a name, kind or marking is invalid.
        StoreError: the name is taken, another import is running, or the disk is full.
    """
    _validate(name, kind, marking)
    if isinstance(mapping, Path):
        mapping = load_mapping(mapping, facts)
    if node.store.find_collection(name) is not None:
        raise StoreError(
            f"a collection with the name {name} already exists",
            hint="Delete it (`blindmatch collection delete`), or choose another name.",
        )
    registers = [register] if isinstance(register, Path) else list(register or ())
    linkage = load_schema(schema)
    collection = os.urandom(16).hex()
    report = ImportReport(name, kind)
    statistics = ImportStatistics(report, on_bad)
    try:
        with gc_pause.pause(), _partial_folder(node, collection) as partial:
            sealer = node.keys.sealer.derive(PURPOSE)
            try:
                with closing(RecordWriter(partial, sealer, collection, linkage, statistics)) as writer:
                    reader = ImportReader(
                        writer,
                        statistics,
                        linkage,
                        progress,
                        include_ceased=include_ceased,
                        today=iso_day(node.clock()),
                        follow_companies=bool(registers),
                    )
                    chosen = choose_format(file, form, has_mapping=mapping is not None)
                    report.format = chosen.value
                    if chosen is Format.TABLE:
                        reader.read_table(file, mapping=mapping, facts=facts, encoding=encoding)
                    else:
                        reader.read_records(file, chosen)
                    if registers:
                        reader.read_registers(registers)
                    statistics.finish()
                    report.records, report.rows_stored = writer.finish()
            except OSError as error:
                raise StoreError(
                    f"a file cannot be read, or the collection cannot be written: {error.strerror}"
                ) from None
            final = node.collections_dir / collection
            partial.rename(final)
            try:
                node.store.add_collection(
                    CollectionRow(
                        id=collection,
                        name=name,
                        kind=kind,
                        marking=marking,
                        schema=linkage.name,
                        records=report.records,
                        rows=report.rows_stored,
                        imported_at=int(node.clock()),
                        detail=_detail(report, file, registers),
                    )
                )
            except BaseException:
                shutil.rmtree(final, ignore_errors=True)
                raise
    finally:
        # The caches contain names.
        field_values.clear_caches()
    report.collection = collection
    node.audit.append(
        AuditEvent.COLLECTION,
        subject=f"collection {name}",
        justification=justification,
        detail={
            "id": collection,
            "kind": kind,
            "records": report.records,
            "bad_rows": report.bad_row_count,
            "on_bad": on_bad.value,
            "marking": marking,
        },
    )
    return report


def _detail(report: ImportReport, file: Path, registers: Sequence[Path]) -> dict[str, object]:
    """The part of the report that the store has with the collection."""
    return {
        "file": file.name,
        "format": report.format,
        "register": ", ".join(path.name for path in registers),
        "rows_read": report.rows_read,
        "bad_rows": report.bad_row_count,
        "warnings": report.warnings,
        "columns": {name: list(columns) for name, columns in report.columns.items()},
        "facts": report.facts,
    }


def _validate(name: str, kind: str, marking: str) -> None:
    if not _NAME.fullmatch(name):
        raise InputError(
            "the collection's name is invalid", hint="Use letters, digits, dots, hyphens and underscores."
        )
    if kind not in KINDS:
        raise InputError(f"unknown kind {kind}", hint=f"Use one of: {', '.join(KINDS)}.")
    if marking not in MARKINGS:
        raise InputError(f"unknown marking {marking}", hint=f"Use one of: {', '.join(MARKINGS)}.")


@contextmanager
def _partial_folder(node: NodeStorage, collection: str) -> Iterator[Path]:
    """A folder to write into, deleted at the end unless it was renamed. Folders of crashed imports are deleted first."""
    base = node.collections_dir
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(base / ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                "another import is running on this node", hint="Wait until it has finished."
            ) from None
        stored = {row.id for row in node.store.collections()}
        for folder in base.iterdir():
            if folder.is_dir() and _ID.fullmatch(folder.name) and folder.name not in stored:
                shutil.rmtree(folder, ignore_errors=True)
        partial = base / f"{collection}.partial"
        partial.mkdir(mode=0o700)
        try:
            yield partial
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    finally:
        os.close(descriptor)
