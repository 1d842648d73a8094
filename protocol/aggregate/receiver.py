"""The receiver's side of a number: it masks what the sender sends, and is told what the sender's gate lets through."""

from abc import abstractmethod
from typing import Unpack

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.aggregate.disclosure_control import AggregateTerms
from blindmatch.protocol.aggregate.messages import AggregateInputs, Layout, RowsChunk
from blindmatch.protocol.aggregate.session import MASKED, POINTS, RETURNED, AggregateSession, most_digests
from blindmatch.protocol.aggregate.statements import AggregateOutcome
from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.limits import DIGEST_BYTES
from blindmatch.protocol.session.computing import chunk_digest
from blindmatch.protocol.session.messages import Bytes2D, EdgeContext, Receipt
from blindmatch.protocol.session.session import NONE, SessionTerms, check_repeat, leading, workspace_damaged
from blindmatch.protocol.session.statements import RECEIPT_TYPE
from blindmatch.protocol.session.states import Event, Role, State
from blindmatch.protocol.transcript import Signed, digest, sign, verify


class AggregateReceiver(AggregateSession):
    """Blinds its elements, masks and shuffles the sender's, and learns the outcome.

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
        super().__init__(Role.RECEIVER, context, number, brought, **terms)
        places = most_digests(self._at.elements, self._chunk_rows())
        self._shapes["points_digests"] = (places, DIGEST_BYTES)
        self._masked: npt.NDArray[np.bool_] = np.zeros(0, dtype=np.bool_)

    @property
    def next_points(self) -> int:
        """The next chunk of the sender's points to ask for."""
        return self._at.collected

    @property
    def masked(self) -> int:
        """Leading chunks of the sender's points that are masked."""
        return leading(self._masked) if len(self._masked) else 0

    def snapshot(self) -> bytes:
        """See `Session.snapshot`."""
        self._at.masked = self.masked
        return super().snapshot()

    def points_chunk(self, index: int) -> RowsChunk:
        """Chunk `index` of our points.

        Raises:
            SequenceError: no such chunk, or not now.
            StoreError: the workspace no longer holds what was committed to.
        """
        with self._step(Event.SEND_POINTS):
            if not 0 <= index < self.points_chunks:
                raise SequenceError(f"chunk {index} of {self.points_chunks}")
            rows = self._points_rows(index)
            if index >= self._chunks and not self._array("points_digests")[index].any():
                self._keep_digest(POINTS, index, chunk_digest(POINTS, index, rows))
            return self._chunk(POINTS, index, rows)

    def points_taken(self, index: int) -> None:
        """The sender has taken chunk `index`, the next one. PeerError: BAD_SEQUENCE."""
        with self._step(Event.POINTS_TAKEN):
            if index < self._at.exchanged:
                return
            self._check_taken(index, self._at.exchanged)
            self._exchange.add(POINTS, self._array("points_digests")[index].tobytes())
            self._at.exchanged += 1
            if self._at.exchanged == self.points_chunks:
                self._machine.fire(Event.ALL_POINTS_TAKEN)

    def receive_points(self, chunk: RowsChunk) -> None:
        """Store the next chunk of the sender's points; an earlier one with the same bytes is accepted.

        Raises:
            PeerError: UNKNOWN_ROUND, BAD_SEQUENCE, BAD_COUNT, BAD_MESSAGE, ALTERED_CHUNK, BAD_COMMITMENT when all of
                them are not what the sender committed to.
        """
        with self._step(Event.RECEIVE_POINTS):
            index = chunk.header.sequence
            seen = self._checked(RETURNED, chunk, self.next_points)
            if index < self.next_points:
                check_repeat(self._array("returned_digests")[index], seen)
                return
            self._array(RETURNED)[self._layout(RETURNED).place(index)[1]] = chunk.rows
            self._keep_digest(RETURNED, index, seen)
            self._exchange.add(RETURNED, seen)
            self._at.collected += 1
            if self._at.collected == self.returned_chunks:
                if self._contents("returned_digests") != self._at.peer_contents:
                    raise PeerError(PeerCode.BAD_COMMITMENT, "the sender's points are not those committed to")
                self._machine.fire(Event.POINTS_COMPLETE)

    def mask_chunk(self, index: int) -> None:
        """Mask one chunk of the sender's points. Heavy; may run in a worker thread.

        Raises:
            PeerError: BAD_POINT.
            SequenceError: it has not been received.
        """
        with self._step(Event.MASK):
            if not 0 <= index < self.next_points:
                raise SequenceError(f"chunk {index} has not been received; {self.next_points} is next")
            rows = self._array(RETURNED)[self._layout(RETURNED).place(index)[1]].copy()
            if chunk_digest(RETURNED, index, rows) != self._array("returned_digests")[index].tobytes():
                raise workspace_damaged()
            self._mask(index, rows)
            self._masked[index] = True

    def answer(self) -> None:
        """Put the masked tags in the order in which they go out. Heavy.

        Raises:
            PeerError: BAD_TAGS when the sender's points were not all different.
            SequenceError: a chunk is not masked.
        """
        with self._step(Event.ANSWER):
            if not self._masked.all():
                raise SequenceError(f"chunk {self.masked} of {self.returned_chunks} is not masked")
            self._arrange()
            for index in range(self.masked_chunks):
                self._keep_digest(MASKED, index, chunk_digest(MASKED, index, self._masked_rows(index)))

    def masked_chunk(self, index: int) -> RowsChunk:
        """Chunk `index` of the masked tags.

        Raises:
            SequenceError: no such chunk, or not now.
            StoreError: the workspace no longer holds it.
        """
        with self._step(Event.SEND_MASKED):
            if not 0 <= index < self.masked_chunks:
                raise SequenceError(f"chunk {index} of {self.masked_chunks}")
            return self._chunk(MASKED, index, self._masked_rows(index))

    def masked_taken(self, index: int) -> None:
        """The sender has taken chunk `index`, the next one. PeerError: BAD_SEQUENCE."""
        with self._step(Event.MASKED_TAKEN):
            if index < self._at.answered:
                return
            self._check_taken(index, self._at.answered)
            self._exchange.add(MASKED, self._array("masked_digests")[index].tobytes())
            self._at.answered += 1
            if self._at.answered == self.masked_chunks:
                self._machine.fire(Event.ALL_MASKED_TAKEN)

    def receive_outcome(self, signed: Signed) -> None:
        """Take the sender's outcome; the same one again is accepted.

        Raises:
            PeerError: see `Outcome.check`; BAD_OUTCOME when it is about another exchange, or another than before.
        """
        with self._step(Event.RECEIVE_OUTCOME):
            said = self._read_outcome(signed)
            if said.transcript != self._transcript() or said.share != self._share()[0]:
                raise PeerError(PeerCode.BAD_OUTCOME, "the outcome is about another exchange")
            if self._at.outcome not in (NONE, digest(signed.signature, signed.payload)):
                raise PeerError(PeerCode.BAD_OUTCOME, "another outcome came before")
            self._keep_outcome(signed)

    def outcome(self) -> Signed:
        """The sender's signed outcome, once it came.

        Raises:
            SequenceError: it has not come.
            StoreError: the workspace no longer holds it.
        """
        if self._at.outcome == NONE:
            raise SequenceError("no outcome has come")
        return self._kept_outcome()

    def receipt(self, opened_at: int, closed_at: int) -> Signed:
        """See `match.Receiver.receipt`; nothing in it depends on the outcome."""
        with self._step(Event.SIGN_RECEIPT):
            if self.state is State.INFORMED:
                self._at.opened_at, self._at.closed_at = opened_at, closed_at
            payload = self._receipt_payload()
            self._at.receipt = digest(payload)
            return sign(self._signer, RECEIPT_TYPE, payload)

    def receive_receipt_signature(self, signature: bytes) -> Receipt:
        """See `match.Receiver.receive_receipt_signature`."""
        with self._step(Event.RECEIVE_SIGNATURE):
            payload = self._receipt_payload()
            verify(self._peer_key, RECEIPT_TYPE, payload, signature)
            receipt = Receipt(payload, sign(self._signer, RECEIPT_TYPE, payload).signature, signature)
            self._wipe()
            return receipt

    def _receipt_payload(self) -> bytes:
        payload = self._receipt_terms(self._at.opened_at, self._at.closed_at).payload(self._context)
        if self._at.receipt not in (NONE, digest(payload)):
            raise workspace_damaged()
        return payload

    def _read_outcome(self, signed: Signed) -> AggregateOutcome:
        return AggregateOutcome.check(
            signed, self._peer_key, self._context, self._number, most=self._at.elements // self._brought.group
        )

    def _check_taken(self, index: int, following: int) -> None:
        if index != following:
            raise PeerError(PeerCode.BAD_SEQUENCE, f"chunk {index} was taken where {following} was due")

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
        """What is left to do once everything is masked."""

    @abstractmethod
    def _masked_rows(self, index: int) -> Bytes2D:
        """Chunk `index` of the masked tags, out of the workspace."""
