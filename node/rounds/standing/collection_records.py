"""A collection as the source of a standing agreement's lists: digests of its records, their elements and their facts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from blindmatch.node import imports
from blindmatch.node.imports import Collection
from blindmatch.node.node import Node
from blindmatch.node.rounds.inputs import CompiledEdge, PreparedInputs
from blindmatch.node.storage.store import EdgeRow
from blindmatch.protocol.agreement import Agreement, Edge
from blindmatch.protocol.expand import Expander
from blindmatch.protocol.hits.facts import pack
from blindmatch.protocol.limits import LEVEL_BYTES, TOKEN_BYTES
from blindmatch.protocol.linkage import DUMMY, Elements, TokenBuilder, Tokens
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.standing.epoch import RECORD_DIGEST_BYTES, Epoch, no_rows
from blindmatch.protocol.standing.single_check import SingleRecord

Bytes1D = npt.NDArray[np.uint8]
Bytes2D = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]

_FACTS_DIGEST = 16


@dataclass
class CollectionRecords:
    """The selected records of a collection: n records of t slots. Implements `list_updates.RecordSource`.

    Args:
        collection: opened.
        selected: (n,) the records that the agreement admits.
        agreed: the epoch's keys.
        edge: of the agreement.
        role: of this node on the edge.
        epoch: its secret keys the digests.
        seed: 32 secret bytes for dummy elements; the same calls in the same order give the same bytes.
    """

    collection: Collection
    selected: Indices
    agreed: CompiledEdge
    edge: Edge
    role: Role
    epoch: Epoch
    seed: bytes = field(repr=False)

    def __post_init__(self) -> None:
        self._calls = count()
        self._expander = Expander(self.seed)

    def __len__(self) -> int:
        return len(self.selected)

    @property
    def slots(self) -> int:
        """T, the tokens per record."""
        return self.agreed.tokens_of(self.role)

    @cached_property
    def entities(self) -> Indices:
        """(n,) equal for records of one person or company."""
        return self.collection.entities(self.selected)

    @cached_property
    def guarded(self) -> npt.NDArray[np.bool_]:
        """By the key's number, whether the own-list guard holds for it."""
        keys = self.agreed.compiled.keys
        flags = np.zeros(DUMMY + 1, dtype=np.bool_)
        flags[: len(keys)] = [key.guarded for key in keys]
        return flags

    @cached_property
    def digests(self) -> Bytes2D:
        """Digests (n, 16) of each record's contribution to the edge: its level digests and, on the sender's side, its released facts."""
        digests = np.empty((len(self), RECORD_DIGEST_BYTES), dtype=np.uint8)
        start = 0
        for block in self.collection.blocks(self.selected):
            rows = np.bincount(block.row_record, minlength=block.records)
            starts = np.cumsum(rows) - rows
            for size in np.unique(rows).tolist():
                records = np.flatnonzero(rows == size)
                places = (starts[records][:, None] + np.arange(size)).reshape(-1)
                width = size * block.columns.shape[1] * LEVEL_BYTES
                levels = np.ascontiguousarray(block.columns[places].reshape(len(records), width))
                parts = [np.full((len(records), 1), size, dtype=np.uint8), levels]
                if self._releases_facts:
                    parts.append(self._facts_digests(records + start))
                digests[records + start] = self.epoch.digests(*parts)
            start += block.records
        return digests

    def inputs(self, records: Indices) -> tuple[Bytes2D, Bytes1D]:
        """See `list_updates.RecordSource.inputs`; `records` must ascend."""
        builder = self._builder(len(records))
        for block in self.collection.blocks(self.selected[records]):
            builder.add(*block)
        return self._elements(builder)

    def padding(self) -> tuple[Bytes2D, Bytes1D]:
        """Dummy elements of one record, for a list without changes; see `inputs`."""
        builder = self._builder(1)
        levels = len(self.collection.schema.levels)
        builder.add(np.zeros((0, levels, LEVEL_BYTES), dtype=np.uint8), np.zeros(0, dtype=np.int64), 1)
        return self._elements(builder)

    def single(self, record: int) -> SingleRecord:
        """One record by itself, for a check."""
        records = np.array([record])
        inputs, keys = self.inputs(records)
        facts = self.facts([records]) if self._releases_facts else no_rows(0)
        return SingleRecord(inputs, keys, facts)

    def prepared(self, key_index: Bytes1D, elements: Any = None) -> PreparedInputs:
        """The inputs for building leads.

        Args:
            key_index: (n * t,) the key of every slot.
            elements: the elements of a session; None where only leads are built.
        """
        compiled = self.agreed.compiled
        tokens = Tokens(no_rows(TOKEN_BYTES), key_index, len(key_index) // self.slots, self.slots, 0, {})
        elements = Elements(compiled, tokens) if elements is None else elements
        return PreparedInputs(compiled, tokens, elements, self.collection, self.selected)

    def facts(self, holders: Sequence[Indices]) -> Bytes2D:
        """See `list_updates.RecordSource.facts`."""
        terms = self.edge.terms
        packed = np.zeros((len(holders), terms.fact_bytes), dtype=np.uint8)
        for row, records in enumerate(holders):
            released = (self._released(int(record)) for record in records)
            packed[row] = np.frombuffer(pack(released, terms.facts, terms.fact_bytes), dtype=np.uint8)
        return packed

    def in_order(self, records: Indices) -> Indices:
        """Records in the order of their digests, which is the order of facts in a shared element's payload."""
        return records[np.lexsort(self.digests[records].T[::-1])]

    @property
    def _releases_facts(self) -> bool:
        return self.role is Role.SENDER and self.edge.terms.fact_bytes > 0

    def _released(self, record: int) -> dict[str, str]:
        facts = self.collection.record(int(self.selected[record])).facts
        return {name: facts[name] for name in self.edge.terms.facts if facts.get(name)}

    def _facts_digests(self, records: Indices) -> Bytes2D:
        """Digests (k, 16) of each record's facts. They are not keyed: `digests` hashes them again with the key."""
        digests = (
            blake2b(repr(self._released(record)).encode(), digest_size=_FACTS_DIGEST).digest()
            for record in records.tolist()
        )
        return np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, _FACTS_DIGEST)

    def _builder(self, records: int) -> TokenBuilder:
        return TokenBuilder(
            self.agreed.compiled,
            records,
            self.slots,
            lambda size: self._expander.stream("fillers", next(self._calls), size),
            distinct=False,
            raw=True,
            role="sender" if self.role is Role.SENDER else "receiver",
        )

    def _elements(self, builder: TokenBuilder) -> tuple[Bytes2D, Bytes1D]:
        tokens = builder.finish()
        elements = Elements(self.agreed.compiled, tokens)
        return elements.take(np.arange(len(tokens.key_index))), tokens.key_index


def open_records(
    node: Node, agreement: Agreement, row: EdgeRow, agreed: CompiledEdge, epoch: Epoch
) -> CollectionRecords:
    """The records of this node's collection that enter a round.

    Args:
        node: this node.
        agreement: checked.
        row: the edge, with its seed.
        agreed: the keys that both sides compiled.
        epoch: the open epoch, or the one that the round opens.

    Raises:
        LocalError: the collection is gone, unreadable, or has no records that may enter.
    """
    collection = imports.open_collection(node, row.collection_id)
    return CollectionRecords(
        collection=collection,
        selected=collection.select(agreement.handling_codes),
        agreed=agreed,
        edge=agreement.edge(row.edge),
        role=Role(row.role),
        epoch=epoch,
        seed=row.seed,
    )
