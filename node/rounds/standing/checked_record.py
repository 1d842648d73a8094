"""One record, read for a check as an import reads it, and in no collection of the node.

A company that is read with a register gives several records, itself and its people. Each of them is a check of its own.
"""

import csv
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.imports import Collection, NodeStorage, import_collection
from blindmatch.node.imports.formats import ColumnMapping
from blindmatch.node.node import Node
from blindmatch.node.rounds.standing.collection_records import CollectionRecords
from blindmatch.node.rounds.standing.stored_epoch import StoredEpoch
from blindmatch.node.storage.store import CollectionRow
from blindmatch.protocol.errors import InputError, LocalError
from blindmatch.protocol.limits import SEED_BYTES
from blindmatch.protocol.session.states import Role

_PREFIX = ".check-"
"""The start of the names of the temporary folders in which records are imported, sealed."""

_LEFTOVER_SECONDS = 3_600


def read_record(path: Path) -> dict[str, str]:
    """The only record of a CSV file with headings, or of a JSON file with one object, by field.

    Raises:
        InputError: the file cannot be read, or has no record or several.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise InputError(
            f"{path}: cannot be read as text", hint="Give a UTF-8 file with one record."
        ) from None
    if text.lstrip().startswith(("{", "[")):
        try:
            content = json.loads(text)
        except ValueError:
            raise InputError(f"{path}: not JSON") from None
        rows = content if isinstance(content, list) else [content]
        if not all(isinstance(row, dict) for row in rows):
            raise InputError(f"{path}: not an object of fields")
    else:
        rows = list(csv.DictReader(text.splitlines()))
    if len(rows) != 1:
        raise InputError(f"{path}: {len(rows)} records", hint="Check one record at a time.")
    return {str(name): str(value) for name, value in rows[0].items() if name and value is not None}


@contextmanager
def imported_record(
    node: Node,
    stored: StoredAgreement,
    epoch: StoredEpoch,
    fields: Mapping[str, str],
    *,
    register: Sequence[Path] = (),
    mapping: ColumnMapping | None = None,
) -> Iterator[CollectionRecords]:
    """The record as the node's importer reads it, and with a register its company's people; erased when the context ends.

    Args:
        node: this node.
        stored: a standing agreement.
        epoch: the open epoch of the edge.
        fields: the record, value by field.
        register: files of a register.
        mapping: maps columns to fields; without one the edge's facts are read from the columns with their names.

    Raises:
        InputError: the record has too few fields, or a value cannot be used.
        LocalError: the agreement does not admit the record.
    """
    edge = epoch.edge
    side = edge.side(node.agency)
    row = {"reference": "check", **fields}
    with tempfile.TemporaryDirectory(dir=node.home, prefix=_PREFIX) as folder:
        rows: list[CollectionRow] = []
        storage = cast(NodeStorage, _temporary_storage(node, Path(folder), rows))
        with _in_memory(row) as path:
            import_collection(
                storage,
                "check",
                side.collection_kind,
                path,
                mapping=mapping,
                facts=() if mapping else [name for name in edge.terms.facts if name in row],
                register=list(register) or None,
                schema=stored.agreement.schema,
            )
        collection = Collection(storage, rows[0])
        selected = collection.select(stored.agreement.handling_codes)
        if not len(selected):
            raise LocalError("the agreement does not admit records with this handling code")
        yield CollectionRecords(
            collection=collection,
            selected=selected,
            agreed=epoch.agreed,
            edge=edge,
            role=Role.RECEIVER if side is edge.receiver else Role.SENDER,
            epoch=epoch.secrets,
            seed=os.urandom(SEED_BYTES),
        )


def erase_leftovers(node: Node) -> None:
    """Erase the temporary folders that a crash has left, after an hour."""
    for path in node.home.glob(f"{_PREFIX}*"):
        if path.stat().st_mtime < node.clock() - _LEFTOVER_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


def _temporary_storage(node: Node, folder: Path, rows: list[CollectionRow]) -> SimpleNamespace:
    """The parts of a `NodeStorage` that an import uses, apart from the node's collections: sealed files in a folder, rows in a list."""
    return SimpleNamespace(
        keys=node.keys,
        clock=node.clock,
        collections_dir=folder,
        store=SimpleNamespace(
            find_collection=lambda _name: None, collections=lambda: rows, add_collection=rows.append
        ),
        # The check has its own audit entry, so the import writes none.
        audit=SimpleNamespace(append=lambda *_, **__: None),
    )


@contextmanager
def _in_memory(row: Mapping[str, str]) -> Iterator[Path]:
    """One row as a CSV file in memory: in plaintext it never reaches the disk."""
    descriptor = os.memfd_create("check")
    try:
        with os.fdopen(os.dup(descriptor), "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(row.keys())
            writer.writerow(row.values())
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
