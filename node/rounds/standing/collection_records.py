"""A collection as a standing agreement's lists are made from it: digests of its records, elements of some of them, their facts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from itertools import count

import numpy as np
import numpy.typing as npt

from blindmatch.node.imports import Collection
from blindmatch.node.rounds.inputs import CompiledEdge
from blindmatch.protocol.agreement import Edge
from blindmatch.protocol.expand import Expander
from blindmatch.protocol.hits.facts import pack
from blindmatch.protocol.limits import LEVEL_BYTES
from blindmatch.protocol.linkage import DUMMY, Elements, TokenBuilder
from blindmatch.protocol.linkage.tokens import Tokens
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.standing import Epoch
from blindmatch.protocol.standing.epoch import RECORD_DIGEST_BYTES

Bytes1D = npt.NDArray[np.uint8]
Bytes2D = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]

_FACTS_DIGEST = 16


@dataclass
class CollectionRecords:
    """The selected records of a collection; see `protocol.standing.Records`.

    Args:
        collection: opened.
        selected: the records that the agreement lets in.
        agreed: the epoch's keys.
        edge: of the agreement.
        role: whose side it is.
        epoch: keys the digests.
        seed: 32 secret bytes: fills empty slots up; the same calls give the same bytes.
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
        """Tokens per record."""
        return self.agreed.tokens_of(self.role)

    @cached_property
    def entities(self) -> Indices:
        """Equal for records of one person or company."""
        return self.collection.entities(self.selected)

    @cached_property
    def guarded(self) -> npt.NDArray[np.bool_]:
        """By the key's number."""
        made = np.zeros(DUMMY + 1, dtype=np.bool_)
        made[: len(self.agreed.compiled.keys)] = [key.guarded for key in self.agreed.compiled.keys]
        return made

    @cached_property
    def digests(self) -> Bytes2D:
        """Of all that a record brings to the edge: its level digests, and on the sender's side the facts that it releases."""
        made = np.empty((len(self), RECORD_DIGEST_BYTES), dtype=np.uint8)
        done = 0
        for block in self.collection.blocks(self.selected):
            rows = np.bincount(block.row_record, minlength=block.records)
            starts = np.cumsum(rows) - rows
            for size in np.unique(rows).tolist():
                some = np.flatnonzero(rows == size)
                places = (starts[some][:, None] + np.arange(size)).reshape(-1)
                levels = block.columns[places].reshape(len(some), size * block.columns.shape[1] * LEVEL_BYTES)
                parts = [np.full((len(some), 1), size, dtype=np.uint8), np.ascontiguousarray(levels)]
                if self._releases:
                    parts.append(self._facts_digests(some + done))
                made[some + done] = self.epoch.digests(*parts)
            done += block.records
        return made

    def inputs(self, records: Indices) -> tuple[Bytes2D, Bytes1D]:
        """See `protocol.standing.Records.inputs`; records ascend."""
        made = self._tokens(records)
        elements = Elements(self.agreed.compiled, made).take(np.arange(len(made.key_index)))
        return elements, made.key_index

    def padding(self) -> tuple[Bytes2D, Bytes1D]:
        """One record's worth of fillers, for a list of which nothing has changed."""
        builder = self._builder(1)
        levels = len(self.collection.schema.levels)
        builder.add(np.zeros((0, levels, LEVEL_BYTES), dtype=np.uint8), np.zeros(0, dtype=np.int64), 1)
        made = builder.finish()
        return Elements(self.agreed.compiled, made).take(np.arange(self.slots)), made.key_index

    def facts(self, holders: Sequence[Indices]) -> Bytes2D:
        """See `protocol.standing.Records.facts`."""
        out = np.zeros((len(holders), self.edge.terms.fact_bytes), dtype=np.uint8)
        for row, records in enumerate(holders):
            released = (self._released(int(record)) for record in records)
            out[row] = np.frombuffer(
                pack(released, self.edge.terms.facts, self.edge.terms.fact_bytes), dtype=np.uint8
            )
        return out

    def in_order(self, records: Indices) -> Indices:
        """Records in the order of their digests: that in which facts of a shared element stand."""
        return records[np.lexsort(self.digests[records].T[::-1])]

    @property
    def _releases(self) -> bool:
        return self.role is Role.SENDER and self.edge.terms.fact_bytes > 0

    def _released(self, record: int) -> dict[str, str]:
        facts = self.collection.record(int(self.selected[record])).facts
        return {name: facts[name] for name in self.edge.terms.facts if facts.get(name)}

    def _facts_digests(self, records: Indices) -> Bytes2D:
        """16 bytes for each record's facts; keyed once more by whoever takes them."""
        said = (
            blake2b(repr(self._released(record)).encode(), digest_size=_FACTS_DIGEST).digest()
            for record in records.tolist()
        )
        return np.frombuffer(b"".join(said), dtype=np.uint8).reshape(-1, _FACTS_DIGEST)

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

    def _tokens(self, records: Indices) -> Tokens:
        builder = self._builder(len(records))
        for block in self.collection.blocks(self.selected[records]):
            builder.add(*block)
        return builder.finish()
