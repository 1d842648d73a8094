"""One record compared under an epoch's key, between rounds: submitted by the sender, or asked about by the receiver.

    submit   sender:   its record's tags (and facts) ------------------>  receiver: looks them up among its own, alone
    ask      receiver: blinded elements --> sender: evaluates --> receiver: looks the tags up in the table it holds

What travels is as long whether or not anything matches: every record has as many slots as the agreement's padding says. A check is
one message and its answer, so a party that falls starts another check, with other blinds.
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
from blindmatch.protocol.limits import AEAD_OVERHEAD_BYTES, POINT_BYTES, PROOF_BYTES, TAG_BYTES
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
    """Which check of which epoch: stands in every message of it.

    Args:
        header: its round is the epoch's id.
        check: 16 random bytes of the side that begins.
    """

    header: Header
    check: bytes

    def __post_init__(self) -> None:
        if len(self.check) != CHECK_BYTES:
            raise PeerError(PeerCode.BAD_MESSAGE, f"a check's id has {CHECK_BYTES} bytes")
        if self.header.sequence:
            raise PeerError(PeerCode.BAD_SEQUENCE, "a check is one message")

    @classmethod
    def of(cls, epoch: Epoch, check: bytes) -> Self:
        """A check of this epoch."""
        return cls(Header(epoch.id, epoch.context.edge, 0), check)

    def context(self, epoch: Epoch) -> EdgeContext:
        """Binds seeds to this check.

        Raises:
            PeerError: UNKNOWN_ROUND, when it names another epoch or edge.
        """
        if (self.header.round_id, self.header.edge) != (epoch.id, epoch.context.edge):
            raise PeerError(PeerCode.UNKNOWN_ROUND, "the check belongs to another epoch or edge")
        return epoch.round_context(self.check)


class QueryState(StrEnum):
    """Where the side that asks stands."""

    READY = "ready"
    ASKED = "asked"
    ANSWERED = "answered"
    FAILED = "failed"


def rows_of(data: bytes, count: int, width: int) -> Bytes2D:
    """Bytes of a message as exactly so many rows. PeerError: BAD_COUNT."""
    if len(data) != count * width:
        raise PeerError(PeerCode.BAD_COUNT, f"a check of {len(data)} bytes where {count * width} were due")
    return np.frombuffer(data, dtype=np.uint8).reshape(count, width)


@dataclass(frozen=True, eq=False)
class SingleRecord:
    """One record's elements: (t, L), and each one's key; see `lists.Records.inputs`.

    `facts`: what a submission of it releases, (1, fact_bytes), where facts travel.
    """

    inputs: Bytes2D
    key_index: Bytes1D
    facts: Bytes2D = field(default_factory=lambda: no_rows(0), repr=False)


class Withholding(NamedTuple):
    """What a sender withholds: tokens that are too common in its list; `guarded` says for which keys, by number."""

    own: RecordList
    guarded: Flags


def submission(
    epoch: Epoch, name: CheckHeader, record: SingleRecord, withholding: Withholding, seed: bytes
) -> Bytes2D:
    """The rows (t, row_bytes) that the sender's side sends, in order of their tags.

    Args:
        epoch: with the key.
        name: of the check; its facts are sealed for it.
        record: what is submitted.
        withholding: a token that is too common in the sender's list is withheld here too.
        seed: 32 secret random bytes, for this check alone: what fills it up.
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
        made = epoch.tags(outputs)
        keep = ~(_withheld(withholding.own, made) & withholding.guarded[record.key_index[real]])
        rows[real[keep], :TAG_BYTES] = made[keep]
        if context.with_facts:
            payload = np.ascontiguousarray(np.repeat(record.facts, len(real), axis=0))
            rows[real[keep], TAG_BYTES:] = tags.seal_facts(
                outputs, payload, context, *facts_binding(CHECK, name.check)
            )[keep]
        outputs.fill(0)
    return sorted_by_tag(rows)


def _withheld(own: RecordList, made: Bytes2D) -> Flags:
    """Which tags the list has without one of them taking part."""
    held = places_of(own.tags, distinct_tags(made))
    out = np.zeros(len(made), dtype=np.bool_)
    if not len(held):
        return out
    there = distinct_tags(np.ascontiguousarray(own.tags[held]))
    live = held[(own.flags[held] & LIVE) != 0]
    out[lookup.find(made, there)[0]] = True
    if len(live):
        out[lookup.find(made, distinct_tags(np.ascontiguousarray(own.tags[live])))[0]] = False
    return out


def submission_hits(own: RecordList, rows: Bytes2D) -> Indices:
    """The receiver's slots that a submission hits, ascending."""
    if not lookup.strictly_increasing(rows):
        raise PeerError(PeerCode.BAD_TAGS, "the tags do not strictly increase")
    found = places_of(own.tags, np.ascontiguousarray(rows[:, :TAG_BYTES]))
    live: Indices = found[(own.flags[found] & LIVE) != 0]
    return live


def submitted_facts(
    epoch: Epoch, name: CheckHeader, own: RecordList, slots: Indices, rows: Bytes2D
) -> tuple[Bytes2D, Flags]:
    """The facts (h, fact_bytes) that a submission releases to the slots that it hits, and which opened."""
    positions, at = lookup.find(own.tags[slots], rows)
    order = np.argsort(positions)
    return tags.open_facts(
        np.ascontiguousarray(own.outputs[slots]),
        np.ascontiguousarray(rows[at[order], TAG_BYTES:]),
        epoch.context,
        *facts_binding(CHECK, name.check),
    )


class Query:
    """The receiver's side of a question. Any failure is final; a new check begins with another seed.

    Args:
        epoch: the epoch.
        name: of the check.
        record: what is asked about.
        public: the sender's key where evaluation is verified, else zeros.
        seed: 32 secret random bytes, for this check alone.
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
        self.step = QueryState.READY

    def blind(self) -> Bytes2D:
        """The blinded elements (t, 32)."""
        if self.step is not QueryState.READY:
            raise SequenceError(f"a check that is {self.step} cannot be asked")
        self._blinded = self._computing.blind(0, self._record.inputs)
        self.step = QueryState.ASKED
        return self._blinded

    def receive_answer(self, points: Bytes2D, proof: bytes) -> Bytes2D:
        """The OPRF outputs (t, 64) of the record; meaningless ones in empty slots.

        Raises:
            PeerError: BAD_COUNT, BAD_POINT, BAD_PROOF.
        """
        if self.step is not QueryState.ASKED:
            raise SequenceError(f"a check that is {self.step} takes no answer")
        self.step = QueryState.FAILED
        if points.shape != self._blinded.shape:
            raise PeerError(PeerCode.BAD_COUNT, "the answer has another number of elements than the question")
        if bool(proof) != self._epoch.context.verified:
            raise PeerError(PeerCode.BAD_PROOF, "a proof is missing, or nobody asked for one")
        if proof:
            self._computing.verify(self._public, self._blinded, points, proof)
        made = self._computing.outputs(0, self._record.inputs, points)
        self._computing.wipe()
        self.step = QueryState.ANSWERED
        return made


def answer_query(epoch: Epoch, name: CheckHeader, points: Bytes2D, seed: bytes) -> tuple[Bytes2D, bytes]:
    """The sender's side of a question: the elements evaluated (t, 32), and the proof, or b"".

    Args:
        epoch: with the key.
        name: of the check.
        points: what came, (t, 32).
        seed: 32 secret random bytes, for this check alone.

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
    """What an answered question tells: slots of the record that hit, with their facts where they travel.

    Args:
        epoch: the epoch.
        held: the receiver's list and the table.
        guarded: by the key's number, whether a token that is too common in the receiver's own list counts for nothing.
        record: what was asked about.
        outputs: of its slots, (t, 64).
        rounds: the ids of the epoch's rounds by number.
    """
    made = epoch.tags(outputs)
    elements, _ = held.table.find(made)
    common = _withheld(held.own, made) & guarded[record.key_index]
    elements = elements[(record.key_index[elements] != DUMMY) & ~common[elements]]
    if not epoch.context.with_facts:
        return Hits(elements)
    flags = np.zeros(len(made), dtype=np.uint8)
    single = RecordList(
        len(made), np.zeros((1, RECORD_DIGEST_BYTES), dtype=np.uint8), made, record.key_index, flags, outputs
    )
    facts, opened = hit_facts(epoch, held.table, single, elements, rounds)
    return Hits(elements, facts, ~opened)


def message_sizes(epoch: Epoch, slots: int) -> tuple[int, int]:
    """Bytes of a submission, and of an answer to a question of so many slots: the same whatever matches."""
    row = TAG_BYTES + (epoch.context.fact_bytes + AEAD_OVERHEAD_BYTES if epoch.context.with_facts else 0)
    return slots * row, slots * POINT_BYTES + (PROOF_BYTES if epoch.context.verified else 0)
