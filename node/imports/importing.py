"""Import: files in, a collection or a report of every bad row out, never half of it."""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from blindmatch.node.imports.blocks import BlockWriter
from blindmatch.node.imports.formats import ColumnMapping, Format, field_values
from blindmatch.node.imports.formats.lines import Progress
from blindmatch.node.imports.host import NodeStorage
from blindmatch.node.imports.job import Job
from blindmatch.node.imports.report import ImportReport, OnBad
from blindmatch.node.storage import gc_pause
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.protocol.agreement import KINDS, MARKINGS
from blindmatch.protocol.errors import InputError, StoreError

DEFAULT_SCHEMA: Final = "uk-person-company-2"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ID = re.compile(r"[0-9a-f]{32}(\.partial)?")


def import_collection(
    node: NodeStorage,
    name: str,
    kind: str,
    file: Path,
    *,
    mapping: ColumnMapping | None = None,
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
        node: where to.
        name: the collection's name: letters, digits, dots, hyphens, underscores.
        kind: `subjects`, `suppliers` or `bidders`.
        file: in any of the formats.
        mapping: of a table's columns to fields; without it the usual headings are recognised.
        facts: columns to keep for release, when there is no mapping.
        form: the file's format, one of `Format`; by default it is told by the content.
        register: PSC snapshots and officers bulk files, which add a record per person of each record's companies.
        include_ceased: also people whose appointment or control has ended.
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
    registers = [register] if isinstance(register, Path) else list(register or ())
    report = ImportReport(name, kind)
    job = Job(node, report, schema, on_bad, progress, include_ceased=include_ceased, follow=bool(registers))
    try:
        with gc_pause.pause(), _folder(node, job.id) as partial:
            try:
                with closing(BlockWriter(partial, job.sealer, job.id, len(job.schema.levels))) as writer:
                    chosen = job.recognise(file, form, mapping is not None)
                    if chosen is Format.TABLE:
                        wanted = job.read_table(writer, file, mapping=mapping, facts=facts, encoding=encoding)
                    else:
                        wanted = job.read_records(writer, file, chosen)
                    if registers:
                        job.read_registers(writer, registers, wanted)
                    job.finish(writer)
            except OSError as error:
                raise StoreError(
                    f"the file cannot be read or the collection not written: {error.strerror}"
                ) from None
            final = node.collections_dir / job.id
            partial.rename(final)
            try:
                node.store.add_collection(job.row(marking, file, registers))
            except BaseException:
                shutil.rmtree(final, ignore_errors=True)
                raise
    finally:
        # The caches hold names.
        field_values.clear_caches()
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
def _folder(node: NodeStorage, collection: str) -> Iterator[Path]:
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
