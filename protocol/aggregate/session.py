"""What both roles of a count or a sum share besides `protocol.session`: shapes, groups, three transfers, the stored outcome."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from blindmatch.protocol.aggregate.disclosure_control import AggregateTerms
from blindmatch.protocol.aggregate.messages import COPIES, AggregateChunk, AggregateInputs, AggregateShape
from blindmatch.protocol.aggregate.statements import (
    NO_POINT,
    NO_PROOF,
    AggregateCommitment,
    AggregateOutcome,
    OutcomeContext,
)
from blindmatch.protocol.aggregate.transitions import RULES, AggregateEvent, AggregateState
from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.limits import DIGEST_BYTES, SIGNATURE_BYTES, Limits
from blindmatch.protocol.session.base import workspace_damaged
from blindmatch.protocol.session.checkpoint import NONE, EdgeCheckpoint
from blindmatch.protocol.session.chunks import (
    Bytes2D,
    Indices,
    Layout,
    chunk_digest,
    chunks_of,
)
from blindmatch.protocol.session.messages import EdgeContext
from blindmatch.protocol.session.session import Session, SessionTerms
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.transcript import Signed, digest

POINTS, RETURNED, MASKED = "points", "returned", "masked"
"""The three transfers: the receiver's points, the sender's points, and these masked, shuffled, back again."""

_COUNTERS = {POINTS: "exchanged", RETURNED: "collected", MASKED: "answered"}
"""The checkpoint's counter of each transfer's chunks."""


@dataclass
class AggregateCheckpoint(EdgeCheckpoint):
    """See `EdgeCheckpoint`; `exchanged` counts chunks of the receiver's points that the sender has taken.

    Args:
        masked: receiver: leading chunks that are masked.
        collected: receiver: chunks of the sender's points that came.
        answered: chunks of masked tags that the sender has taken.
        peer_group, peer_copies: out of the peer's commitment.
        outcome: digest of the signed outcome.
    """

    state: AggregateState = AggregateState.PREPARING
    masked: int = 0
    collected: int = 0
    answered: int = 0
    peer_group: int = 0
    peer_copies: int = 0
    outcome: bytes = NONE

    label: ClassVar[str] = "blindmatch/checkpoint/number/v1"


Layouts = tuple[Layout, Layout, Layout]


class AggregateSession(Session[AggregateState]):
    """One side of an edge that discloses a count or a sum. Use the receivers and senders of `count` and `sum`."""

    rules = RULES
    checkpoint = AggregateCheckpoint
    _at: AggregateCheckpoint
    _layouts: Callable[[AggregateShape, Limits], Layouts]
    """The construction's layouts of the three transfers."""

    def __init__(
        self,
        role: Role,
        context: EdgeContext,
        agreed: AggregateTerms,
        inputs: AggregateInputs,
        terms: SessionTerms,
    ) -> None:
        if terms["elements"] is not inputs.elements:
            raise SequenceError("the elements of the terms and of the inputs differ")
        self._agreed = agreed
        self._inputs = inputs
        self._check_inputs()
        super().__init__(role, context, terms)
        self._outcome_context = OutcomeContext(context, agreed)
        blank = AggregateOutcome(disclosed=False).payload(self._outcome_context)
        self._shapes["outcome"] = (1, SIGNATURE_BYTES + len(blank))
        self._laid: Layouts | None = None

    @abstractmethod
    def _check_inputs(self) -> None:
        """SequenceError: the inputs are not those of this role and disclosure. LocalError: the agreed terms do not allow them."""

    @abstractmethod
    def _derive(self) -> None:
        """Derive the secrets from the seed, and define the arrays of the own elements."""

    @property
    def points_chunks(self) -> int:
        """Chunks of the receiver's points; 0 before both commitments are there."""
        return self._layout(POINTS).chunks if self._at.peer != NONE else 0

    @property
    def returned_chunks(self) -> int:
        """Chunks of the sender's points."""
        return self._layout(RETURNED).chunks if self._at.peer != NONE else 0

    @property
    def masked_chunks(self) -> int:
        """Chunks of masked tags."""
        return self._layout(MASKED).chunks if self._at.peer != NONE else 0

    @property
    def next_masked(self) -> int:
        """The next chunk of masked tags that the sender has not taken."""
        return self._at.answered

    def width(self, transfer: str) -> int:
        """Bytes of a row of `points`, `returned` or `masked`, once both commitments are there."""
        return self._layout(transfer).width

    def _layout(self, transfer: str) -> Layout:
        if self._laid is None:
            ours = (self._at.elements, self._inputs.group, self._inputs.copies)
            theirs = (self._at.peer_elements, self._at.peer_group, self._at.peer_copies)
            first, second = (ours, theirs) if self._role is Role.RECEIVER else (theirs, ours)
            self._laid = self._layouts(AggregateShape(*first, *second), self._limits)
        return self._laid[(POINTS, RETURNED, MASKED).index(transfer)]

    def _share(self) -> tuple[bytes, bytes]:
        """This side's share of the sum's key and the proof that it knows the secret half; nothing for a count."""
        return NO_POINT, NO_PROOF

    def _commitment(self) -> AggregateCommitment:
        share, proof = self._share()
        return AggregateCommitment(
            role=self._role,
            elements=self._at.elements,
            contents=self._own_contents(),
            public_key=share,
            group=self._inputs.group,
            copies=self._inputs.copies,
            proof=proof,
        )

    @abstractmethod
    def _own_contents(self) -> bytes:
        """32 bytes over what this side commits to."""

    def _read_commitment(self, signed: Signed) -> AggregateCommitment:
        theirs = self._role.other
        commitment = AggregateCommitment.check(signed, self._peer_key, theirs, self._context)
        if theirs is Role.RECEIVER and self._agreed.record not in (0, commitment.group):
            # Records cut into smaller pieces would each count, and reach the minimum sooner.
            raise PeerError(
                PeerCode.BAD_COMMITMENT, f"records of {commitment.group} elements, not {self._agreed.record}"
            )
        self._check_share(commitment)
        self._at.peer_group, self._at.peer_copies = commitment.group, commitment.copies
        return commitment

    def _check_share(self, commitment: AggregateCommitment) -> None:
        """Whether the peer knows the secret half of its share. PeerError: BAD_PROOF, BAD_POINT."""

    def _gather(self, indices: Indices) -> tuple[Bytes2D, ...]:
        copies = self._inputs.copy_of
        if copies is None:
            return super()._gather(indices)
        return *super()._gather(indices), np.ascontiguousarray(copies[indices]).reshape(-1, 1)

    def _open_peer(self) -> None:
        points, masked = self._layout(POINTS), self._layout(MASKED)
        self._shapes |= {
            "points_digests": (self._digests_of_points(points), DIGEST_BYTES),
            "masked_digests": (masked.chunks, DIGEST_BYTES),
        }

    def _digests_of_points(self, points: Layout) -> int:
        return points.chunks

    def _first_copy(self, count: int) -> bytes:
        """One digest over the digests of the first `count` chunks of points."""
        return digest(b"points", self._array("points_digests")[:count].tobytes())

    def _transcript(self) -> bytes:
        """32 bytes over both commitments and every chunk that was sent."""
        points = self._array("points_digests")[: self.points_chunks].tobytes()
        returned = self._array("returned_digests").tobytes()
        return digest(
            *self._commitments(),
            points,
            returned,
            self._array("masked_digests").tobytes(),
        )

    def _retrace(self) -> None:
        exchanged, self._at.exchanged = self._at.exchanged, 0
        if exchanged:
            self._open_exchange()
            self._at.exchanged = exchanged
            for transfer, counter in _COUNTERS.items():
                for index in range(getattr(self._at, counter)):
                    self._exchange.add(transfer, self._array(f"{transfer}_digests")[index].tobytes())

    def _chunk(self, transfer: str, index: int, rows: Bytes2D) -> AggregateChunk:
        """A chunk to send, if it still matches its digest. StoreError: it does not."""
        return AggregateChunk(self._header(index), self._intact(transfer, index, rows))

    def _digest_rows(self, transfer: str, index: int, rows: Bytes2D) -> None:
        """Store the digest of a chunk."""
        self._put_digest(f"{transfer}_digests", index, chunk_digest(transfer, index, rows))

    def _received(self, transfer: str, chunk: AggregateChunk) -> bytes | None:
        """The digest of a chunk that came, or None for a retransmission. PeerError: see `_check_chunk`."""
        following = getattr(self._at, _COUNTERS[transfer])
        return self._check_chunk(transfer, chunk, self._layout(transfer), following, f"{transfer}_digests")

    def _count(self, transfer: str, complete: AggregateEvent) -> None:
        """Add the next chunk's digest to the transcript, count the chunk, and fire `complete` after the last one."""
        count: int = getattr(self._at, _COUNTERS[transfer])
        self._exchange.add(transfer, self._array(f"{transfer}_digests")[count].tobytes())
        setattr(self._at, _COUNTERS[transfer], count + 1)
        if count + 1 == self._layout(transfer).chunks:
            self._machine.fire(complete)

    def _put_outcome(self, signed: Signed) -> None:
        self._array("outcome")[0] = np.frombuffer(signed.signature + signed.payload, dtype=np.uint8)
        self._at.outcome = digest(signed.signature, signed.payload)

    def _stored_outcome(self) -> Signed:
        stored = self._array("outcome")[0].tobytes()
        signed = Signed(stored[SIGNATURE_BYTES:], stored[:SIGNATURE_BYTES])
        if digest(signed.signature, signed.payload) != self._at.outcome:
            raise workspace_damaged()
        return signed

    def _wipe(self) -> None:
        super()._wipe()
        for secret in getattr(self, "_secrets", ()):
            secret.fill(0)


def most_digests(rows: int, per_chunk: int) -> int:
    """Places for the digests of a receiver's points, before it knows how many copies the sender needs."""
    return chunks_of(rows, per_chunk) * COPIES
