"""An imported collection, open for a round or for the inspection of one record."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Collection as AnyCollection
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from blindmatch.node.imports.blocks import BLOCK_RECORDS, PURPOSE, BlockReader, Bytes3D
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.audit_log import AuditLog
from blindmatch.node.storage.keyring import KeyRing
from blindmatch.node.storage.store import CollectionRow, Store
from blindmatch.protocol.errors import StoreError
from blindmatch.protocol.linkage import (
    AllocateRows,
    CompiledKeys,
    Schema,
    TokenBuilder,
    Tokens,
    in_memory,
    load_schema,
)

Indices = npt.NDArray[np.int64]


class NodeStorage(Protocol):
    """The parts of `blindmatch.node.node.Node` that collections use."""

    keys: KeyRing
    store: Store
    audit: AuditLog
    clock: Callable[[], float]

    @property
    def collections_dir(self) -> Path:
        """The folder of the sealed files."""


@dataclass(frozen=True)
class RecordInfo:
    """The stored attributes of one record, without name, date or address."""

    reference: str
    handling: str
    facts: Mapping[str, str] = field(repr=False)
    """Values that an agreement may release with a hit, by name."""
    provenance: Mapping[str, str] = field(repr=False)
    """The record's origin: row, group and grading; company, role and dates for a person from a register."""


class ColumnBlock(NamedTuple):
    """Level digests of consecutive records: (rows, levels, 16), (rows,) each row's record from 0, the number of records."""

    columns: Bytes3D
    row_record: Indices
    records: int


class Collection:
    """One collection of this node.

    Raises:
        StoreError: the files are missing or damaged, or the schema has changed since the import.
        KeysError: the files were altered.
    """

    def __init__(self, node: NodeStorage, row: CollectionRow) -> None:
        self.row = row
        self.id = row.id
        self.name = row.name
        self.kind = row.kind
        self.marking = row.marking
        self.records = row.records
        self.rows = row.rows
        self.schema: Schema = load_schema(row.schema)
        self._reader = BlockReader(node.collections_dir / row.id, node.keys.sealer.derive(PURPOSE), row.id)
        index = self._reader.index
        if (index.records, index.rows, len(self._reader.handling)) != (row.records, row.rows, row.records):
            raise StoreError(
                f"collection {row.name}: its files do not match the database", hint="Import it again."
            )
        if index.schema_digest != self.schema.digest.hex():
            raise StoreError(
                f"collection {row.name} was imported under another version of the schema {row.schema}",
                hint="Import the file again. The node has no names, so it cannot convert the collection.",
            )
        self._details = lru_cache(maxsize=4)(self._reader.details)

    def __len__(self) -> int:
        return self.records

    def select(self, handling_codes: AnyCollection[str]) -> Indices:
        """(n,) the records whose handling code is one of these, ascending."""
        codes = np.array([ord(code) for code in handling_codes], dtype=np.uint8)
        return np.flatnonzero(np.isin(self._reader.handling, codes))

    def entities(self, selected: Indices) -> Indices:
        """(len(selected),) int64: equal for records of one person or company, different for all others.

        A supplier with several contracts and a director of several suppliers have several records, and count once.
        """
        entities = self._reader.entities[selected].astype(np.int64)
        # A record without an entity gets its own place with the sign bit, which is cleared in all other entities.
        return np.where(
            entities == 0, ~np.asarray(selected, dtype=np.int64), entities & np.iinfo(np.int64).max
        )

    def blocks(self, selected: Indices | None = None) -> Iterator[ColumnBlock]:
        """All records, or the selected ones (ascending), block by block.

        The records of all blocks, numbered consecutively, are places in `selected`, not in the collection.
        """
        for number in range(len(self._reader)):
            first = number * BLOCK_RECORDS
            last = min(first + BLOCK_RECORDS, self.records)
            chosen = None
            if selected is not None:
                low, high = np.searchsorted(selected, (first, last))
                chosen = selected[low:high] - first
                if not len(chosen):
                    continue
            columns, counts = self._reader.columns(number)
            if chosen is None or len(chosen) == len(counts):
                owners = np.repeat(np.arange(len(counts)), counts)
                yield ColumnBlock(columns, owners, len(counts))
            else:
                mask = np.zeros(len(counts), dtype=np.bool_)
                mask[chosen] = True
                owners = np.repeat(np.arange(len(chosen)), counts[chosen])
                yield ColumnBlock(columns[np.repeat(mask, counts)], owners, len(chosen))

    def columns(self, start: int, stop: int) -> ColumnBlock:
        """The records `start` to `stop` (excluded) as one block."""
        columns = [np.zeros((0, len(self.schema.levels), 16), dtype=np.uint8)]
        row_record = [np.zeros(0, dtype=np.int64)]
        records = 0
        for block in self.blocks(np.arange(max(start, 0), min(stop, self.records))):
            columns.append(block.columns)
            row_record.append(block.row_record + records)
            records += block.records
        return ColumnBlock(np.concatenate(columns), np.concatenate(row_record), records)

    def tokens(
        self,
        compiled: CompiledKeys,
        selected: Indices,
        tokens_per_record: int,
        filler: Callable[[int], bytes],
        *,
        distinct: bool,
        raw: bool = False,
        role: Literal["receiver", "sender"] | None = None,
        allocate: AllocateRows = in_memory,
    ) -> Tokens:
        """The tokens of the selected records; record `i` of the result is `selected[i]`. See `TokenBuilder`."""
        builder = TokenBuilder(
            compiled,
            len(selected),
            tokens_per_record,
            filler,
            distinct=distinct,
            raw=raw,
            role=role,
            entities=self.entities(selected),
            allocate=allocate,
        )
        for block in self.blocks(selected):
            builder.add(*block)
        return builder.finish()

    def record(self, number: int) -> RecordInfo:
        """One record by its place.

        Raises:
            IndexError: no such place.
        """
        if not 0 <= number < self.records:
            raise IndexError(number)
        stored = self._details(number // BLOCK_RECORDS)[number % BLOCK_RECORDS]
        code = chr(self._reader.handling[number])
        return RecordInfo(stored.reference, code, stored.facts, stored.provenance)

    def find(self, reference: str) -> list[int]:
        """The places of all records with this reference: a supplier and its people have the same."""
        return [
            block * BLOCK_RECORDS + place
            for block in range(len(self._reader))
            for place, stored in enumerate(self._details(block))
            if stored.reference == reference
        ]


def open_collection(node: NodeStorage, id_or_name: str) -> Collection:
    """Open a collection by id or name.

    Raises:
        StoreError: there is no such collection, or its files are missing, damaged, or of another version of the schema.
    """
    return Collection(node, node.store.collection(id_or_name))


def delete_collection(node: NodeStorage, id_or_name: str, *, justification: str = "") -> CollectionRow:
    """Erase a collection: its row, its bindings to agreements and its files. Writes an audit entry.

    Raises:
        StoreError: there is no such collection, or a running round uses it.
    """
    row = node.store.delete_collection(id_or_name)
    # A crash after this point leaves a folder without a row, which the next import deletes.
    shutil.rmtree(node.collections_dir / row.id, ignore_errors=True)
    node.audit.append(
        AuditEvent.ERASURE,
        subject=f"collection {row.name}",
        justification=justification,
        detail={"id": row.id, "kind": row.kind, "records": row.records},
    )
    return row
