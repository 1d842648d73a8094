"""The sender's side of a number: it matches what neither side can read, and tells what the agreement lets it tell."""

from abc import abstractmethod
from typing import Unpack

import numpy as np

from blindmatch.protocol.aggregate.disclosure_control import AggregateTerms
from blindmatch.protocol.aggregate.messages import AggregateInputs, RowsChunk
from blindmatch.protocol.aggregate.session import MASKED, POINTS, RETURNED, AggregateSession
from blindmatch.protocol.aggregate.statements import AggregateOutcome
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import DIGEST_BYTES
from blindmatch.protocol.session.computing import chunk_digest
from blindmatch.protocol.session.messages import Bytes2D, EdgeContext, Indices, Receipt
from blindmatch.protocol.session.session import NONE, SessionTerms, check_order, check_repeat
from blindmatch.protocol.session.statements import RECEIPT_TYPE, ReceiptTerms
from blindmatch.protocol.session.states import Event, Role, State
from blindmatch.protocol.transcript import Signed, digest, sign, verify


class AggregateSender(AggregateSession):
    """Blinds its elements, counts what matches among the masked ones, and releases the outcome.

    Args:
        context: the edge.
        number: the agreement's minimum and band.
        brought: our elements.
        terms: see `Terms`.

    Raises:
        LocalError: no elements or too many; the collection or the workspace changed since the snapshot.
    """

    def __init__(
        self,
        context: EdgeContext,
        number: AggregateTerms,
        brought: AggregateInputs,
        **terms: Unpack[SessionTerms],
    ) -> None:
        super().__init__(Role.SENDER, context, number, brought, **terms)
        self._shapes["returned_digests"] = (self._chunks, DIGEST_BYTES)

    def receive_points(self, chunk: RowsChunk) -> None:
        """Take the next chunk of the receiver's points; an earlier one with the same bytes is accepted. Heavy.

        Raises:
            PeerError: UNKNOWN_ROUND, BAD_SEQUENCE, BAD_COUNT, BAD_MESSAGE, ALTERED_CHUNK, BAD_POINT, BAD_COMMITMENT when
                they are not what the receiver committed to.
        """
        with self._step(Event.RECEIVE_POINTS):
            index = chunk.header.sequence
            seen = self._checked(POINTS, chunk, self._at.exchanged)
            if index < self._at.exchanged:
                check_repeat(self._array("points_digests")[index], seen)
                return
            self._keep_digest(POINTS, index, seen)
            committed = self._layout(POINTS).chunks_of_copy
            if index + 1 == committed and self._first_copy(committed) != self._at.peer_contents:
                raise PeerError(PeerCode.BAD_COMMITMENT, "the receiver's points are not those committed to")
            self._take_points(index, chunk.rows)
            self._exchange.add(POINTS, seen)
            self._at.exchanged += 1
            if self._at.exchanged == self.points_chunks:
                self._machine.fire(Event.POINTS_COMPLETE)

    def points_chunk(self, index: int) -> RowsChunk:
        """Chunk `index` of our points, once every point of the receiver came as committed to.

        Raises:
            PeerError: WRONG_STATE before that; BAD_SEQUENCE when there is no such chunk.
            StoreError: the workspace no longer holds what was committed to.
        """
        with self._step(Event.RELEASE_POINTS):
            check_order(index, index, self.returned_chunks)
            rows = self._array(RETURNED)[self._layout(RETURNED).place(index)[1]].copy()
            return self._chunk(RETURNED, index, rows)

    def receive_masked(self, chunk: RowsChunk) -> None:
        """Take the next chunk of masked tags; an earlier one with the same bytes is accepted.

        Raises:
            PeerError: as `receive_points`, but for BAD_COMMITMENT; BAD_TAGS for tags that are out of order.
        """
        with self._step(Event.RECEIVE_MASKED):
            index = chunk.header.sequence
            seen = self._checked(MASKED, chunk, self._at.answered)
            if index < self._at.answered:
                check_repeat(self._array("masked_digests")[index], seen)
                return
            self._take_masked(index, chunk.rows)
            self._keep_digest(MASKED, index, seen)
            self._exchange.add(MASKED, seen)
            self._at.answered += 1
            if self._at.answered == self.masked_chunks:
                self._machine.fire(Event.MASKED_COMPLETE)

    def outcome(self) -> Signed:
        """Count, hold against the minimum, and sign what may be told; the same bytes however often it is asked for.

        Raises:
            PeerError: WRONG_STATE before every masked tag came.
            StoreError: the workspace no longer holds what came.
        """
        with self._step(Event.SEND_OUTCOME):
            if self._at.outcome == NONE:
                self._keep_outcome(self._tally().sign(self._signer, self._outcome_context))
            return self._kept_outcome()

    def countersign(self, receipt: Signed, now: int) -> Receipt:
        """See `match.Sender.countersign`."""
        with self._step(Event.COUNTERSIGN):
            if self.state is State.CLOSED:  # its working files may be gone
                verify(self._peer_key, RECEIPT_TYPE, receipt.payload, receipt.signature)
                if digest(receipt.payload) != self._at.receipt:
                    raise PeerError(PeerCode.BAD_RECEIPT, "another receipt was signed for this edge")
            else:
                ReceiptTerms.check(receipt, self._peer_key, self._receipt_terms(0, 0), self._context, now=now)
            self._at.receipt = digest(receipt.payload)
            own = sign(self._signer, RECEIPT_TYPE, receipt.payload).signature
            self._wipe()
            return Receipt(receipt.payload, receipt.signature, own)

    def _own_contents(self) -> bytes:
        return self._contents("returned_digests")

    def _build(self) -> None:
        """Digest what was prepared."""
        layout = self._layout(RETURNED)
        for index in range(layout.chunks):
            rows = self._array(RETURNED)[layout.place(index)[1]]
            self._keep_digest(RETURNED, index, chunk_digest(RETURNED, index, rows))

    def _indices(self, index: int) -> Indices:
        span = self._span(index)
        return np.arange(span.start, span.stop, dtype=np.int64)

    @abstractmethod
    def _take_points(self, index: int, rows: Bytes2D) -> None:
        """Blind a chunk of the receiver's points further, and keep its tags."""

    @abstractmethod
    def _take_masked(self, index: int, rows: Bytes2D) -> None:
        """Check and keep a chunk of masked tags."""

    @abstractmethod
    def _tally(self) -> AggregateOutcome:
        """What may be told."""
