"""The receiver's side of a count or a sum: it masks the sender's points, and learns what disclosure control permits."""

from abc import abstractmethod
from typing import Unpack

import numpy as np

from blindmatch.protocol.aggregate.disclosure_control import AggregateTerms
from blindmatch.protocol.aggregate.messages import AggregateChunk, AggregateInputs
from blindmatch.protocol.aggregate.session import MASKED, POINTS, RETURNED, AggregateSession, most_digests
from blindmatch.protocol.aggregate.statements import AggregateOutcome
from blindmatch.protocol.aggregate.transitions import AggregateEvent, AggregateState
from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.limits import DIGEST_BYTES
from blindmatch.protocol.session.checkpoint import NONE
from blindmatch.protocol.session.chunks import Bytes2D, Flags, Layout, leading
from blindmatch.protocol.session.messages import EdgeContext
from blindmatch.protocol.session.session import ReceiverSession, SessionTerms
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.transcript import Signed, digest


class AggregateReceiver(AggregateSession, ReceiverSession[AggregateState]):
    """Blinds its elements, masks and shuffles the sender's, and learns the outcome.

    Args:
        context: the edge.
        agreed: the agreement's minimum and band.
        inputs: our elements.
        terms: see `SessionTerms`.

    Raises:
        LocalError: no elements or too many; the collection or the workspace changed since the snapshot.
    """

    def __init__(
        self,
        context: EdgeContext,
        agreed: AggregateTerms,
        inputs: AggregateInputs,
        **terms: Unpack[SessionTerms],
    ) -> None:
        super().__init__(Role.RECEIVER, context, agreed, inputs, terms)
        places = most_digests(self._at.elements, self._chunk_rows())
        self._shapes["points_digests"] = (places, DIGEST_BYTES)
        self._masked: Flags = np.zeros(0, dtype=np.bool_)
        self._derive()
        self._check_restored()

    @property
    def next_points(self) -> int:
        """The next chunk of the sender's points to ask for."""
        return self._at.collected

    @property
    def masked(self) -> int:
        """Leading chunks of the sender's points that are masked."""
        return leading(self._masked) if len(self._masked) else 0

    def snapshot(self) -> bytes:
        """See `BaseSession.snapshot`."""
        self._at.masked = self.masked
        return super().snapshot()

    def points_chunk(self, index: int) -> AggregateChunk:
        """Chunk `index` of our points.

        Raises:
            SequenceError: no such chunk, or not now.
            StoreError: the workspace no longer holds what was committed to.
        """
        with self._step(AggregateEvent.SEND_POINTS):
            if not 0 <= index < self.points_chunks:
                raise SequenceError(f"chunk {index} of {self.points_chunks}")
            rows = self._points_rows(index)
            if index >= self._chunks and not self._array("points_digests")[index].any():
                self._digest_rows(POINTS, index, rows)
            return self._chunk(POINTS, index, rows)

    def acknowledge_points(self, index: int) -> None:
        """The sender has taken chunk `index`, the next one. PeerError: BAD_SEQUENCE."""
        with self._step(AggregateEvent.POINTS_ACKNOWLEDGED):
            if self._is_next(index, self._at.exchanged):
                self._count(POINTS, AggregateEvent.ALL_POINTS_ACKNOWLEDGED)

    def receive_points(self, chunk: AggregateChunk) -> None:
        """Store the next chunk of the sender's points; an earlier one with the same bytes is accepted.

        Raises:
            PeerError: UNKNOWN_ROUND, BAD_SEQUENCE, BAD_COUNT, BAD_MESSAGE, ALTERED_CHUNK, BAD_COMMITMENT when all of
                them are not what the sender committed to.
        """
        with self._step(AggregateEvent.RECEIVE_POINTS):
            index, seen = chunk.header.sequence, self._received(RETURNED, chunk)
            if seen is None:
                return
            self._array(RETURNED)[self._layout(RETURNED).span(index)] = chunk.rows
            self._put_digest("returned_digests", index, seen)
            last = index + 1 == self.returned_chunks
            if last and self._contents("returned_digests") != self._at.peer_contents:
                raise PeerError(PeerCode.BAD_COMMITMENT, "the sender's points are not those committed to")
            self._count(RETURNED, AggregateEvent.POINTS_COMPLETE)

    def mask_chunk(self, index: int) -> None:
        """Mask one chunk of the sender's points. Heavy; may run in a worker thread.

        Raises:
            PeerError: BAD_POINT.
            SequenceError: it has not been received.
        """
        with self._step(AggregateEvent.MASK):
            if not 0 <= index < self.next_points:
                raise SequenceError(f"chunk {index} has not been received; {self.next_points} is next")
            rows = self._array(RETURNED)[self._layout(RETURNED).span(index)].copy()
            self._mask(index, self._intact(RETURNED, index, rows))
            self._masked[index] = True

    def arrange_masked(self) -> None:
        """Put the masked tags in the order in which they are sent. Heavy.

        Raises:
            PeerError: BAD_TAGS when the sender's points were not all different.
            SequenceError: a chunk is not masked.
        """
        with self._step(AggregateEvent.ARRANGE_MASKED):
            self._require(self._masked, "masked")
            self._arrange()
            for index in range(self.masked_chunks):
                self._digest_rows(MASKED, index, self._masked_rows(index))

    def masked_chunk(self, index: int) -> AggregateChunk:
        """Chunk `index` of the masked tags.

        Raises:
            SequenceError: no such chunk, or not now.
            StoreError: the workspace no longer holds it.
        """
        with self._step(AggregateEvent.SEND_MASKED):
            if not 0 <= index < self.masked_chunks:
                raise SequenceError(f"chunk {index} of {self.masked_chunks}")
            return self._chunk(MASKED, index, self._masked_rows(index))

    def acknowledge_masked(self, index: int) -> None:
        """The sender has taken chunk `index`, the next one. PeerError: BAD_SEQUENCE."""
        with self._step(AggregateEvent.MASKED_ACKNOWLEDGED):
            if self._is_next(index, self._at.answered):
                self._count(MASKED, AggregateEvent.ALL_MASKED_ACKNOWLEDGED)

    def receive_outcome(self, signed: Signed) -> None:
        """Accept the sender's outcome; a retransmission must be the same.

        Raises:
            PeerError: see `AggregateOutcome.check`; BAD_OUTCOME when it is about another exchange, or another than before.
        """
        with self._step(AggregateEvent.RECEIVE_OUTCOME):
            outcome = self._read_outcome(signed)
            if outcome.transcript != self._transcript() or outcome.share != self._share()[0]:
                raise PeerError(PeerCode.BAD_OUTCOME, "the outcome is about another exchange")
            if self._at.outcome not in (NONE, digest(signed.signature, signed.payload)):
                raise PeerError(PeerCode.BAD_OUTCOME, "another outcome came before")
            self._put_outcome(signed)

    def outcome(self) -> Signed:
        """The sender's signed outcome, once it came.

        Raises:
            SequenceError: it has not come.
            StoreError: the workspace no longer holds it.
        """
        if self._at.outcome == NONE:
            raise SequenceError("no outcome has come")
        return self._stored_outcome()

    def _read_outcome(self, signed: Signed) -> AggregateOutcome:
        return AggregateOutcome.check(
            signed, self._peer_key, self._context, self._agreed, most=self._at.elements // self._inputs.group
        )

    def _is_next(self, index: int, following: int) -> bool:
        """Whether an acknowledgement is of the chunk that is due, not of an earlier one. PeerError: BAD_SEQUENCE."""
        if index > following:
            raise PeerError(
                PeerCode.BAD_SEQUENCE, f"chunk {index} was acknowledged where {following} was due"
            )
        return index == following

    def _own_contents(self) -> bytes:
        return self._first_copy(self._chunks)

    def _digests_of_points(self, points: Layout) -> int:
        return most_digests(points.rows, points.per_chunk)

    def _open_peer(self) -> None:
        super()._open_peer()
        returned = self._layout(RETURNED)
        self._shapes |= {
            RETURNED: (returned.rows, returned.width),
            "returned_digests": (returned.chunks, DIGEST_BYTES),
        }
        if len(self._masked) != returned.chunks:
            self._masked = np.arange(returned.chunks) < self._at.masked

    @abstractmethod
    def _points_rows(self, index: int) -> Bytes2D:
        """Chunk `index` of our points; those of the first copy lie in the workspace."""

    @abstractmethod
    def _mask(self, index: int, rows: Bytes2D) -> None:
        """Mask a chunk of the sender's points into the workspace."""

    @abstractmethod
    def _arrange(self) -> None:
        """Arrange the masked tags once every chunk is masked."""

    @abstractmethod
    def _masked_rows(self, index: int) -> Bytes2D:
        """Chunk `index` of the masked tags, out of the workspace."""
