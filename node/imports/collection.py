"""An imported collection, open for a round or for a look at one record."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Collection as AnyCollection
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from blindmatch.node.imports.blocks import BLOCK_RECORDS, PURPOSE, BlockReader, Bytes3D
from blindmatch.node.imports.host import NodeStorage
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.store import CollectionRow
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


@dataclass(frozen=True)
class RecordInfo:
    """What the node knows of one record: no name, no date, no address."""

    reference: str
    handling: str
    facts: Mapping[str, str] = field(repr=False)
    """Columns that may be released with a hit, by name."""
    provenance: Mapping[str, str] = field(repr=False)
    """Where it came from: row, group, grading; company, role and dates for a person out of a register."""


class ColumnBlock(NamedTuple):
    """Level digests of consecutive records: (rows, levels, 16), each row's record counted from 0, how many records."""

    columns: Bytes3D
    row_record: Indices
    records: int


class Collection:
    """One collection of this node.

    Raises:
        StoreError: its files are missing or damaged, or its schema has changed since the import.
        KeysError: its files were altered.
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
                f"collection {row.name}: its files and the database do not agree", hint="Import it again."
            )
        if index.schema_digest != self.schema.digest.hex():
            raise StoreError(
                f"collection {row.name} was imported under another version of the schema {row.schema}",
                hint="Import it again: the node keeps no names from which it could do that itself.",
            )
        self._details = lru_cache(maxsize=4)(self._reader.details)

    def __len__(self) -> int:
        return self.records

    def __repr__(self) -> str:
        return f"Collection({self.name}, {self.records} records)"

    def select(self, handling_codes: AnyCollection[str]) -> Indices:
        """The records, in order, whose handling code an agreement admits."""
        codes = np.array([ord(code) for code in handling_codes], dtype=np.uint8)
        return np.flatnonzero(np.isin(self._reader.handling, codes))

    def entities(self, selected: Indices) -> Indices:
        """(len(selected),) int64: equal for records of one person or company, different for all others.

        A supplier with several contracts, and a director of several suppliers, have several records: what counts
        people must count these once.
        """
        found = self._reader.entities[selected].astype(np.int64)
        # A record that stands alone is its own: its place with the sign bit, which no digest keeps.
        return np.where(found == 0, ~np.asarray(selected, dtype=np.int64), found & np.iinfo(np.int64).max)

    def blocks(self, selected: Indices | None = None) -> Iterator[ColumnBlock]:
        """All records, or the selected ones (ascending), block by block.

        Numbering the records of all blocks through gives places in `selected`, not in the collection.
        """
        for number in range(len(self._reader)):
            first = number * BLOCK_RECORDS
            last = min(first + BLOCK_RECORDS, self.records)
            wanted = None
            if selected is not None:
                low, high = np.searchsorted(selected, (first, last))
                wanted = selected[low:high] - first
                if not len(wanted):
                    continue
            columns, counts = self._reader.columns(number)
            if wanted is None or len(wanted) == len(counts):
                owners = np.repeat(np.arange(len(counts)), counts)
                yield ColumnBlock(columns, owners, len(counts))
            else:
                kept = np.zeros(len(counts), dtype=np.bool_)
                kept[wanted] = True
                owners = np.repeat(np.arange(len(wanted)), counts[wanted])
                yield ColumnBlock(columns[np.repeat(kept, counts)], owners, len(wanted))

    def columns(self, start: int, stop: int) -> ColumnBlock:
        """The records `start` to `stop` (excluded) as one block."""
        parts = list(self.blocks(np.arange(max(start, 0), min(stop, self.records))))
        offsets = np.cumsum([0, *(part.records for part in parts)])
        levels = len(self.schema.levels)
        empty = ColumnBlock(np.zeros((0, levels, 16), dtype=np.uint8), np.zeros(0, dtype=np.int64), 0)
        every = [empty, *parts]
        return ColumnBlock(
            np.concatenate([part.columns for part in every]),
            np.concatenate(
                [empty.row_record, *(p.row_record + o for p, o in zip(parts, offsets, strict=False))]
            ),
            int(offsets[-1]),
        )

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
        """The places of every record with this reference: a supplier and its people share one."""
        return [
            block * BLOCK_RECORDS + place
            for block in range(len(self._reader))
            for place, stored in enumerate(self._details(block))
            if stored.reference == reference
        ]


def open_collection(node: NodeStorage, id_or_name: str) -> Collection:
    """Open a collection by id or name.

    Raises:
        StoreError: there is none, or its files are missing, damaged, or of another version of the schema.
    """
    return Collection(node, node.store.collection(id_or_name))


def delete_collection(node: NodeStorage, id_or_name: str, *, justification: str = "") -> CollectionRow:
    """Erase a collection: its row, its bindings to agreements, its files; an audit entry says so.

    Raises:
        StoreError: there is none, or a running round uses it.
    """
    row = node.store.delete_collection(id_or_name)
    # Past this point a crash leaves a folder without a row, which the next import clears away.
    shutil.rmtree(node.collections_dir / row.id, ignore_errors=True)
    node.audit.append(
        AuditEvent.ERASURE,
        subject=f"collection {row.name}",
        justification=justification,
        detail={"id": row.id, "kind": row.kind, "records": row.records},
    )
    return row
