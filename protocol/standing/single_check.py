"""Single checks: one record compared under an epoch's key, between rounds, submitted by the sender or queried by the receiver.

    submission   sender: the record's tags (and facts) -----------------> receiver: looks them up in its own list
    query        receiver: blinded elements --> sender: evaluates --> receiver: looks the tags up in its copy of the table

The size of every message is the same whether or not the record hits: every record has as many slots as the agreement's padding gives. A
check is one message and its answer, so after a crash a party starts another check, with other blinds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Self

import numpy as np

from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.expand import Expander
from blindmatch.protocol.hits import lookup, tags
from blindmatch.protocol.hits.messages import Hits
from blindmatch.protocol.limits import POINT_BYTES, PROOF_BYTES, TAG_BYTES
from blindmatch.protocol.linkage.compiled_keys import DUMMY
from blindmatch.protocol.session.base import bound_seed
from blindmatch.protocol.session.chunks import Bytes2D, Indices
from blindmatch.protocol.session.messages import EdgeContext, Header
from blindmatch.protocol.standing.epoch import (
    CHECK,
    RECORD_DIGEST_BYTES,
    Epoch,
    EpochComputing,
    facts_binding,
    no_rows,
)
from blindmatch.protocol.standing.list_updates import ReceiverList
from blindmatch.protocol.standing.record_list import (
    LIVE,
    Bytes1D,
    Flags,
    RecordList,
    distinct_tags,
    places_of,
)
from blindmatch.protocol.standing.release_plan import sorted_by_tag
from blindmatch.protocol.standing.tag_table import hit_facts

CHECK_BYTES = 16


@dataclass(frozen=True)
class CheckHeader:
    """Identifies a check; every message of the check has it.

    Args:
        header: names the epoch as its round.
        check: 16 random bytes, chosen by the side that starts the check.

    Raises:
        PeerError: BAD_MESSAGE, BAD_SEQUENCE.
    """

    header: Header
    check: bytes

    def __post_init__(self) -> None:
        if len(self.check) != CHECK_BYTES:
            raise PeerError(PeerCode.BAD_MESSAGE, f"a check's id has {CHECK_BYTES} bytes")
        if self.header.sequence:
            raise PeerError(PeerCode.BAD_SEQUENCE, "a check has one message each way")

    @classmethod
    def of(cls, epoch: Epoch, check: bytes) -> Self:
        """A check of this epoch."""
        return cls(Header(epoch.id, epoch.context.edge, 0), check)

    def context(self, epoch: Epoch) -> EdgeContext:
        """The context to which this check's seed is bound. PeerError: UNKNOWN_ROUND, when it names another epoch or edge."""
        if (self.header.round_id, self.header.edge) != (epoch.id, epoch.context.edge):
            raise PeerError(PeerCode.UNKNOWN_ROUND, "the check belongs to another epoch or edge")
        return epoch.round_context(self.check)


class QueryState(StrEnum):
    """The state of a query."""

    READY = "ready"
    ASKED = "asked"
    ANSWERED = "answered"
    FAILED = "failed"


def rows_of(data: bytes, count: int, width: int) -> Bytes2D:
    """The bytes of a message as rows (count, width). PeerError: BAD_COUNT."""
    if len(data) != count * width:
        raise PeerError(PeerCode.BAD_COUNT, f"a check of {len(data)} bytes where {count * width} were due")
    return np.frombuffer(data, dtype=np.uint8).reshape(count, width)


@dataclass(frozen=True, eq=False)
class SingleRecord:
    """One record's elements (t, L), and each one's key; see `RecordSource.inputs`.

    `facts`: where facts travel, the facts that its submission releases, (1, fact_bytes).
    """

    inputs: Bytes2D
    key_index: Bytes1D
    facts: Bytes2D = field(default_factory=lambda: no_rows(0), repr=False)


class Withholding(NamedTuple):
    """The sender's own-list guard: its list, and by the key's number whether the guard applies."""

    own: RecordList
    guarded: Flags


def submission(
    epoch: Epoch, name: CheckHeader, record: SingleRecord, withholding: Withholding, seed: bytes
) -> Bytes2D:
    """The rows (t, row_bytes) of a sender's submission, in the order of their tags.

    Args:
        epoch: with the key.
        name: of the check, for which facts are sealed.
        record: the submitted record.
        withholding: a token that the guard withholds from rounds is not submitted either.
        seed: 32 secret random bytes, for this check only: gives the padding.
    """
    context = epoch.context
    expander = Expander(bound_seed(seed, name.context(epoch)))
    rows = (
        np.frombuffer(
            expander.stream("filler-rows", 0, len(record.inputs) * context.row_bytes), dtype=np.uint8
        )
        .reshape(-1, context.row_bytes)
        .copy()
    )
    expander.wipe()
    real = np.flatnonzero(record.key_index != DUMMY)
    if len(real):
        outputs = epoch.evaluate(np.ascontiguousarray(record.inputs[real]))
        record_tags = epoch.tags(outputs)
        released = ~(_withheld(withholding.own, record_tags) & withholding.guarded[record.key_index[real]])
        rows[real[released], :TAG_BYTES] = record_tags[released]
        if context.with_facts:
            payload = np.ascontiguousarray(np.repeat(record.facts, len(real), axis=0))
            rows[real[released], TAG_BYTES:] = tags.seal_facts(
                outputs, payload, context, *facts_binding(CHECK, name.check)
            )[released]
        outputs.fill(0)
    return sorted_by_tag(rows)


def _withheld(own: RecordList, record_tags: Bytes2D) -> Flags:
    """Whether each tag (n, 16) is in the list, but in no live slot."""
    held = places_of(own.tags, distinct_tags(record_tags))
    withheld = np.zeros(len(record_tags), dtype=np.bool_)
    if not len(held):
        return withheld
    present = distinct_tags(np.ascontiguousarray(own.tags[held]))
    live = held[(own.flags[held] & LIVE) != 0]
    withheld[lookup.find(record_tags, present)[0]] = True
    if len(live):
        withheld[lookup.find(record_tags, distinct_tags(np.ascontiguousarray(own.tags[live])))[0]] = False
    return withheld


def submission_hits(own: RecordList, rows: Bytes2D) -> Indices:
    """The receiver's slots that a submission (t, row_bytes) hits, ascending. PeerError: BAD_TAGS."""
    if not lookup.strictly_increasing(rows):
        raise PeerError(PeerCode.BAD_TAGS, "the tags do not strictly increase")
    slots = places_of(own.tags, np.ascontiguousarray(rows[:, :TAG_BYTES]))
    live: Indices = slots[(own.flags[slots] & LIVE) != 0]
    return live


def submitted_facts(
    epoch: Epoch, name: CheckHeader, own: RecordList, slots: Indices, rows: Bytes2D
) -> tuple[Bytes2D, Flags]:
    """The facts (h, fact_bytes) that a submission releases to the slots that it hits, and whether each opened (h,)."""
    positions, at = lookup.find(own.tags[slots], rows)
    order = np.argsort(positions)
    return tags.open_facts(
        np.ascontiguousarray(own.outputs[slots]),
        np.ascontiguousarray(rows[at[order], TAG_BYTES:]),
        epoch.context,
        *facts_binding(CHECK, name.check),
    )


class Query:
    """The receiver's side of a query. Any failure is final; a new check has another seed.

    Args:
        epoch: the epoch.
        name: of the check.
        record: the queried record.
        public: the sender's public key, 32 bytes, where evaluation is verified; otherwise zeros.
        seed: 32 secret random bytes, for this check only.
    """

    def __init__(
        self, epoch: Epoch, name: CheckHeader, record: SingleRecord, public: bytes, seed: bytes
    ) -> None:
        self._epoch = epoch
        self._record = record
        self._public = public
        self._computing = EpochComputing(bound_seed(seed, name.context(epoch)), epoch)
        self._blinded = no_rows(POINT_BYTES)
        self.name = name
        self.state = QueryState.READY

    def blind(self) -> Bytes2D:
        """The blinded elements (t, 32). SequenceError: a second call."""
        if self.state is not QueryState.READY:
            raise SequenceError(f"a query that is {self.state} cannot be sent")
        self._blinded = self._computing.blind(0, self._record.inputs)
        self.state = QueryState.ASKED
        return self._blinded

    def receive_answer(self, points: Bytes2D, proof: bytes) -> Bytes2D:
        """The OPRF outputs (t, 64) of the record; those of empty slots have no meaning.

        Raises:
            PeerError: BAD_COUNT, BAD_POINT, BAD_PROOF.
        """
        if self.state is not QueryState.ASKED:
            raise SequenceError(f"a query that is {self.state} takes no answer")
        self.state = QueryState.FAILED
        if points.shape != self._blinded.shape:
            raise PeerError(PeerCode.BAD_COUNT, "the answer has another number of elements than the query")
        if bool(proof) != self._epoch.context.verified:
            raise PeerError(PeerCode.BAD_PROOF, "a proof is missing, or none was requested")
        if proof:
            self._computing.verify(self._public, self._blinded, points, proof)
        outputs = self._computing.outputs(0, self._record.inputs, points)
        self._computing.wipe()
        self.state = QueryState.ANSWERED
        return outputs


def answer_query(epoch: Epoch, name: CheckHeader, points: Bytes2D, seed: bytes) -> tuple[Bytes2D, bytes]:
    """The sender's side of a query: the elements evaluated (t, 32), and the proof, 64 bytes or b"".

    Args:
        epoch: with the key.
        name: of the check.
        points: the blinded elements (t, 32).
        seed: 32 secret random bytes, for this check only.

    Raises:
        PeerError: BAD_POINT, or UNKNOWN_ROUND for another epoch's check.
    """
    computing = EpochComputing(bound_seed(seed, name.context(epoch)), epoch)
    try:
        return computing.evaluate(0, points)
    finally:
        computing.wipe()


def query_hits(
    epoch: Epoch,
    held: ReceiverList,
    guarded: Flags,
    record: SingleRecord,
    outputs: Bytes2D,
    *,
    rounds: Sequence[bytes],
) -> Hits:
    """The hits of an answered query: slots of the record, with their facts where they travel.

    Args:
        epoch: the epoch.
        held: the receiver's list and table.
        guarded: by the key's number, whether the receiver's own-list guard applies.
        record: the queried record.
        outputs: of its slots, (t, 64).
        rounds: the ids of the epoch's rounds by number.
    """
    record_tags = epoch.tags(outputs)
    elements, _ = held.table.find(record_tags)
    common = _withheld(held.own, record_tags) & guarded[record.key_index]
    elements = elements[(record.key_index[elements] != DUMMY) & ~common[elements]]
    if not epoch.context.with_facts:
        return Hits(elements)
    count, blank = len(record_tags), np.zeros((1, RECORD_DIGEST_BYTES), dtype=np.uint8)
    flags = np.zeros(count, dtype=np.uint8)
    single = RecordList(count, blank, record_tags, record.key_index, flags, outputs)
    facts, opened = hit_facts(epoch, held.table, single, elements, rounds)
    return Hits(elements, facts, ~opened)


def message_sizes(epoch: Epoch, slots: int) -> tuple[int, int]:
    """The bytes of a submission, and of an answer to a query, of a record of so many slots: the same for every result."""
    return slots * epoch.context.row_bytes, slots * POINT_BYTES + (
        PROOF_BYTES if epoch.context.verified else 0
    )
