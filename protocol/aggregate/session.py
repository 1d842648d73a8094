"""What both roles of a number share besides `protocol.match.session`: shapes, groups, three transfers, the outcome's place."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Unpack

import numpy as np

from blindmatch.protocol.aggregate.disclosure_control import AggregateTerms
from blindmatch.protocol.aggregate.messages import COPIES, AggregateInputs, AggregateShape, Layout, RowsChunk
from blindmatch.protocol.aggregate.statements import (
    NO_POINT,
    NO_PROOF,
    AggregateCommitment,
    AggregateOutcome,
    OutcomeContext,
)
from blindmatch.protocol.aggregate.transitions import TRANSITIONS
from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.limits import DIGEST_BYTES, SIGNATURE_BYTES
from blindmatch.protocol.session.checkpoint import Checkpoint
from blindmatch.protocol.session.computing import chunk_digest
from blindmatch.protocol.session.messages import Bytes2D, EdgeContext, Header, Indices, chunks_of
from blindmatch.protocol.session.session import (
    NONE,
    Session,
    SessionTerms,
    check_order,
    check_size,
    workspace_damaged,
)
from blindmatch.protocol.session.statements import ReceiptTerms
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.session.workspace import MAC_BYTES
from blindmatch.protocol.transcript import Signed, digest

POINTS, RETURNED, MASKED = "points", "returned", "masked"
"""The three transfers: the receiver's points, the sender's points, and these masked, shuffled, back again."""


@dataclass
class AggregateCheckpoint(Checkpoint):
    """See `Checkpoint`; `exchanged` counts chunks of the receiver's points that the sender has taken.

    Args:
        masked: receiver: leading chunks that are masked.
        collected: receiver: chunks of the sender's points that came.
        answered: chunks of masked tags that the sender has taken.
        peer_group, peer_copies: what the peer's commitment says.
        outcome: digest of the signed outcome.
    """

    masked: int = 0
    collected: int = 0
    answered: int = 0
    peer_group: int = 0
    peer_copies: int = 0
    outcome: bytes = NONE

    label: ClassVar[str] = "blindmatch/checkpoint/number/v1"


class AggregateSession(Session):
    """One side of an edge that discloses a number. Use the receivers and senders of `protocol.count` and `protocol.sum`."""

    transitions = TRANSITIONS
    checkpoint = AggregateCheckpoint
    _at: AggregateCheckpoint

    def __init__(
        self,
        role: Role,
        context: EdgeContext,
        number: AggregateTerms,
        brought: AggregateInputs,
        **terms: Unpack[SessionTerms],
    ) -> None:
        if terms["elements"] is not brought.elements:
            raise SequenceError("the elements of the terms and of what is brought differ")
        self._number = number
        self._brought = brought
        # The heavy steps of a number are this machine's own: no cluster is asked for them.
        terms.pop("computer", None)
        super().__init__(role, context, **terms)
        self._shapes["inputs"] = (self._chunks, MAC_BYTES)
        self._outcome_context = OutcomeContext(context, number)
        blank = AggregateOutcome(disclosed=False).payload(self._outcome_context)
        self._shapes["outcome"] = (1, SIGNATURE_BYTES + len(blank))
        self._laid: tuple[Layout, Layout, Layout] | None = None

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

    @abstractmethod
    def _lay(self, shape: AggregateShape) -> tuple[Layout, Layout, Layout]:
        """The three transfers' layouts."""

    def _layout(self, transfer: str) -> Layout:
        if self._laid is None:
            ours = (self._at.elements, self._brought.group, self._brought.copies)
            theirs = (self._at.peer_elements, self._at.peer_group, self._at.peer_copies)
            first, second = (ours, theirs) if self._role is Role.RECEIVER else (theirs, ours)
            self._laid = self._lay(AggregateShape(*first, *second))
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
            group=self._brought.group,
            copies=self._brought.copies,
            proof=proof,
        )

    @abstractmethod
    def _own_contents(self) -> bytes:
        """32 bytes over what this side commits to."""

    def _read_commitment(self, signed: Signed) -> AggregateCommitment:
        theirs = self._role.other
        said = AggregateCommitment.check(signed, self._peer_key, theirs, self._context)
        if theirs is Role.RECEIVER and self._number.record not in (0, said.group):
            # Records cut into smaller pieces would each count, and reach the minimum sooner.
            raise PeerError(
                PeerCode.BAD_COMMITMENT, f"records of {said.group} elements, not {self._number.record}"
            )
        self._check_share(said)
        self._at.peer_group, self._at.peer_copies = said.group, said.copies
        return said

    def _check_share(self, said: AggregateCommitment) -> None:
        """Whether the peer knows the secret half of its share. PeerError: BAD_PROOF, BAD_POINT."""

    def _gather(self, indices: Indices) -> tuple[Bytes2D, ...]:
        copies = self._brought.copy_of
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
        """32 bytes over both commitments and every chunk that travelled."""
        pair = (self._at.own, self._at.peer)
        points = self._array("points_digests")[: self.points_chunks].tobytes()
        returned = self._array("returned_digests").tobytes()
        return digest(
            *(pair if self._role is Role.RECEIVER else reversed(pair)),
            points,
            returned,
            self._array("masked_digests").tobytes(),
        )

    def _retrace(self) -> None:
        at = self._at
        taken = ((POINTS, at.exchanged), (RETURNED, at.collected), (MASKED, at.answered))
        if at.exchanged:
            at.exchanged = 0
            self._open_exchange()
            at.exchanged = taken[0][1]
            for transfer, count in taken:
                for index in range(count):
                    self._exchange.add(transfer, self._array(f"{transfer}_digests")[index].tobytes())

    def _chunk(self, transfer: str, index: int, rows: Bytes2D) -> RowsChunk:
        """A chunk to send, after a look at whether it is what its digest says."""
        if chunk_digest(transfer, index, rows) != self._array(f"{transfer}_digests")[index].tobytes():
            raise workspace_damaged()
        return RowsChunk(Header(self._context.round_id, self._context.edge, index), rows)

    def _keep_digest(self, transfer: str, index: int, seen: bytes) -> None:
        self._array(f"{transfer}_digests")[index] = np.frombuffer(seen, dtype=np.uint8)

    def _checked(self, transfer: str, chunk: RowsChunk, following: int) -> bytes:
        """A chunk that came is of this edge, due or a repeat, and of the right size: its digest."""
        index, layout = chunk.header.sequence, self._layout(transfer)
        self._check_header(chunk.header)
        check_order(index, following, layout.chunks)
        check_size(chunk.rows, layout.size(index))
        if chunk.rows.shape[1] != layout.width:
            raise PeerError(
                PeerCode.BAD_MESSAGE, f"rows of {transfer} have {layout.width} bytes in this edge"
            )
        return chunk_digest(transfer, index, chunk.rows)

    def _receipt_terms(self, opened_at: int, closed_at: int) -> ReceiptTerms:
        ours, theirs = self._at.elements, self._at.peer_elements
        if self._role is Role.SENDER:
            ours, theirs = theirs, ours
        return ReceiptTerms(ours, theirs, self._transcript(), opened_at, closed_at)

    def _keep_outcome(self, signed: Signed) -> None:
        self._array("outcome")[0] = np.frombuffer(signed.signature + signed.payload, dtype=np.uint8)
        self._at.outcome = digest(signed.signature, signed.payload)

    def _kept_outcome(self) -> Signed:
        kept = self._array("outcome")[0].tobytes()
        signed = Signed(kept[SIGNATURE_BYTES:], kept[:SIGNATURE_BYTES])
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
