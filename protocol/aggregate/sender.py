"""The sender's side of a count or a sum: it matches blinded elements, and discloses what the agreement permits."""

from abc import abstractmethod
from typing import Unpack

from blindmatch.protocol.aggregate.disclosure_control import AggregateTerms
from blindmatch.protocol.aggregate.messages import AggregateChunk, AggregateInputs
from blindmatch.protocol.aggregate.session import MASKED, POINTS, RETURNED, AggregateSession
from blindmatch.protocol.aggregate.statements import AggregateOutcome
from blindmatch.protocol.aggregate.transitions import AggregateEvent, AggregateState
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import DIGEST_BYTES
from blindmatch.protocol.session.checkpoint import NONE
from blindmatch.protocol.session.chunks import Bytes2D, check_order
from blindmatch.protocol.session.messages import EdgeContext
from blindmatch.protocol.session.session import SenderSession, SessionTerms
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.transcript import Signed


class AggregateSender(AggregateSession, SenderSession[AggregateState]):
    """Blinds its elements, counts what matches among the masked ones, and releases the outcome.

    Args:
        context: the edge.
        agreed: the agreement's minimum and band.
        inputs: this side's elements.
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
        super().__init__(Role.SENDER, context, agreed, inputs, terms)
        self._shapes["returned_digests"] = (self._chunks, DIGEST_BYTES)
        self._derive()
        self._check_restored()

    def receive_points(self, chunk: AggregateChunk) -> None:
        """Take the next chunk of the receiver's points; an earlier one with the same bytes is accepted. Heavy.

        Raises:
            PeerError: UNKNOWN_ROUND, BAD_SEQUENCE, BAD_COUNT, BAD_MESSAGE, ALTERED_CHUNK, BAD_POINT, BAD_COMMITMENT when
                they are not what the receiver committed to.
        """
        with self._step(AggregateEvent.RECEIVE_POINTS):
            index, seen = chunk.header.sequence, self._received(POINTS, chunk)
            if seen is None:
                return
            self._put_digest("points_digests", index, seen)
            committed = self._layout(POINTS).chunks_of_copy
            if index + 1 == committed and self._first_copy(committed) != self._at.peer_contents:
                raise PeerError(PeerCode.BAD_COMMITMENT, "the receiver's points are not those committed to")
            self._take_points(index, chunk.rows)
            self._count(POINTS, AggregateEvent.POINTS_COMPLETE)

    def points_chunk(self, index: int) -> AggregateChunk:
        """Chunk `index` of this side's points, once every point of the receiver came as committed to.

        Raises:
            PeerError: WRONG_STATE before that; BAD_SEQUENCE when there is no such chunk.
            StoreError: the workspace no longer holds what was committed to.
        """
        with self._step(AggregateEvent.RELEASE_POINTS):
            check_order(index, index, self.returned_chunks)
            rows = self._array(RETURNED)[self._layout(RETURNED).span(index)].copy()
            return self._chunk(RETURNED, index, rows)

    def receive_masked(self, chunk: AggregateChunk) -> None:
        """Take the next chunk of masked tags; an earlier one with the same bytes is accepted.

        Raises:
            PeerError: as `receive_points`, but for BAD_COMMITMENT; BAD_TAGS for tags that are out of order.
        """
        with self._step(AggregateEvent.RECEIVE_MASKED):
            index, seen = chunk.header.sequence, self._received(MASKED, chunk)
            if seen is not None:
                self._take_masked(index, chunk.rows)
                self._put_digest("masked_digests", index, seen)
                self._count(MASKED, AggregateEvent.MASKED_COMPLETE)

    def outcome(self) -> Signed:
        """Count, compare with the minimum, and sign what may be disclosed; the same bytes in every call.

        Raises:
            PeerError: WRONG_STATE before every masked tag came.
            StoreError: the workspace no longer holds what came.
        """
        with self._step(AggregateEvent.SEND_OUTCOME):
            if self._at.outcome == NONE:
                self._put_outcome(self._tally().sign(self._signer, self._outcome_context))
            return self._stored_outcome()

    def _own_contents(self) -> bytes:
        return self._contents("returned_digests")

    def _build(self) -> None:
        """Digest what was prepared."""
        layout = self._layout(RETURNED)
        for index in range(layout.chunks):
            rows = self._array(RETURNED)[layout.span(index)]
            self._digest_rows(RETURNED, index, rows)

    @abstractmethod
    def _take_points(self, index: int, rows: Bytes2D) -> None:
        """Blind a chunk of the receiver's points further, and store its tags."""

    @abstractmethod
    def _take_masked(self, index: int, rows: Bytes2D) -> None:
        """Check and store a chunk of masked tags."""

    @abstractmethod
    def _tally(self) -> AggregateOutcome:
        """What may be disclosed."""
