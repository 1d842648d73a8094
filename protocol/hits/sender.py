"""The sender's side of `hits` and `hits+facts`: the side that learns nothing but sizes."""

import hmac
from abc import abstractmethod
from collections.abc import Sequence
from typing import Unpack

import numpy as np

from blindmatch.protocol.errors import LocalError, PeerCode, PeerError, SequenceError
from blindmatch.protocol.hits import lookup
from blindmatch.protocol.limits import POINT_BYTES, TAG_BYTES
from blindmatch.protocol.oprf import KeyPair
from blindmatch.protocol.session.computing import chunk_digest, key_seed, sender_key
from blindmatch.protocol.session.messages import (
    BlindedChunk,
    Bytes2D,
    EdgeContext,
    EvaluatedChunk,
    FactSource,
    Header,
    Indices,
    Receipt,
    TagChunk,
    chunks_of,
    locate,
)
from blindmatch.protocol.session.session import (
    Session,
    SessionTerms,
    check_order,
    check_repeat,
    check_size,
    workspace_damaged,
)
from blindmatch.protocol.session.statements import Commitment
from blindmatch.protocol.session.states import Event, Role, State
from blindmatch.protocol.session.workspace import Shapes, exchange_shapes, sender_shapes
from blindmatch.protocol.transcript import Signed, digest, sign


class Releasing(Session):
    """A sender of any kind of round: evaluates blinded elements as committed to, then releases what it committed to itself.

    Args:
        context: the edge.
        terms: see `Terms`.

    Raises:
        LocalError: no elements or too many; the collection or the workspace changed since the snapshot.
    """

    def __init__(self, context: EdgeContext, **terms: Unpack[SessionTerms]) -> None:
        super().__init__(Role.SENDER, context, **terms)
        self._shapes |= self._own_shapes()
        key = self._key_pair()
        self._public = key.public.tobytes()
        key.wipe()
        self._check_restored()

    @abstractmethod
    def _own_shapes(self) -> Shapes:
        """Arrays that are there before the receiver's commitment."""

    def _key_pair(self) -> KeyPair:
        """The OPRF key; to be wiped by who asks."""
        return sender_key(self._expander, self._context)

    @property
    def blinded_chunks(self) -> int:
        """Chunks that the receiver will send; 0 before its commitment."""
        return chunks_of(self._at.peer_elements, self._limits.chunk_elements)

    def evaluate(self, chunk: BlindedChunk) -> EvaluatedChunk:
        """Evaluate the next blinded chunk; an earlier one with the same bytes gets the same answer again. Heavy.

        Raises:
            PeerError: UNKNOWN_ROUND, BAD_SEQUENCE, BAD_COUNT, ALTERED_CHUNK, BAD_POINT, BAD_COMMITMENT when the
                chunks together are not what the receiver committed to.
        """
        with self._step(Event.EVALUATE):
            index = chunk.header.sequence
            self._check_header(chunk.header)
            check_order(index, self.next_chunk, self.blinded_chunks)
            size = self._limits.chunk_elements
            check_size(chunk.points, min(size, self._at.peer_elements - index * size))
            blinded = chunk_digest("blinded", index, chunk.points)
            repeated = index < self.next_chunk
            kept = self._array("blinded_digests")[index]
            if repeated:
                check_repeat(kept, blinded)
            else:
                kept[:] = np.frombuffer(blinded, dtype=np.uint8)
                last = index + 1 == self.blinded_chunks
                if last and self._contents("blinded_digests") != self._at.peer_contents:
                    raise PeerError(
                        PeerCode.BAD_COMMITMENT, "the blinded elements are not those committed to"
                    )
            answer = self._answer(chunk)
            evaluated = chunk_digest("evaluated", index, answer.points, answer.proof)
            kept = self._array("evaluated_digests")[index]
            if repeated:
                if not hmac.compare_digest(kept.tobytes(), evaluated):
                    raise workspace_damaged()
                return answer
            kept[:] = np.frombuffer(evaluated, dtype=np.uint8)
            self._add_exchanged(blinded, evaluated)
            if self.next_chunk == self.blinded_chunks:
                self._machine.fire(Event.BLINDED_COMPLETE)
            return answer

    def foresee(self, chunks: Sequence[BlindedChunk]) -> None:
        """Say which chunks will be given to `evaluate` next, so that several can be computed at once.

        Nothing is checked, changed or released by it.
        """
        for chunk in chunks:
            self._computing.evaluate_ahead(chunk.header.sequence, chunk.points)

    def tag_chunk(self, index: int) -> TagChunk:
        """One chunk of the tag table, once every blinded chunk came as committed to.

        Raises:
            PeerError: WRONG_STATE before that; BAD_SEQUENCE when there is no such chunk.
            StoreError: the workspace no longer holds what was committed to.
        """
        with self._step(Event.SEND_TAGS):
            check_order(index, index, self.tag_chunks)
            section, start, stop = locate(self._sections(), index, self._limits)
            rows = self._array(section.name)[start:stop].copy()
            if chunk_digest("tags", index, rows) != self._array("table_digests")[index].tobytes():
                raise workspace_damaged()
            return TagChunk(Header(self._context.round_id, self._context.edge, index), rows)

    def countersign(self, receipt: Signed, now: int) -> Receipt:
        """Check the receipt against what this side saw, sign it and close; everything secret is wiped.

        The same receipt again, after the answer was lost, gets the same signature.

        Args:
            receipt: with the receiver's signature.
            now: seconds since 1970, UTC.

        Raises:
            PeerError: BAD_SIGNATURE, BAD_RECEIPT, BAD_MESSAGE, and those of another edge.
        """
        with self._step(Event.COUNTERSIGN):
            expected = self._receipt(0, 0)
            expected.check(receipt, self._peer_key, expected, self._context, now=now)
            seen = digest(receipt.payload)
            if self.state is State.CLOSED and seen != self._at.receipt:
                raise PeerError(PeerCode.BAD_RECEIPT, "another receipt was signed for this edge")
            self._at.receipt = seen
            own = sign(self._signer, expected.TYPE, receipt.payload).signature
            self._wipe()
            return Receipt(receipt.payload, receipt.signature, own)

    def _answer(self, chunk: BlindedChunk) -> EvaluatedChunk:
        return EvaluatedChunk(chunk.header, *self._computing.evaluate(chunk.header.sequence, chunk.points))

    def _digest_sections(self) -> None:
        """Digest each chunk of what is released; it must be in order."""
        for index in range(self.tag_chunks):
            section, start, stop = locate(self._sections(), index, self._limits)
            table = self._array(section.name)
            block = table[start:stop]
            if not lookup.strictly_increasing(block, table[start - 1 : start] if start else None):
                raise LocalError(
                    "two elements of the collection are equal", hint="Import the collection again."
                )
            kept = chunk_digest("tags", index, block)
            self._array("table_digests")[index] = np.frombuffer(kept, dtype=np.uint8)

    @property
    def shown_key(self) -> bytes:
        """The public key as the commitment shows it: zeros where nobody verifies."""
        return self._public if self._context.verified else bytes(POINT_BYTES)

    def _open_peer(self) -> None:
        self._shapes |= exchange_shapes(self._at.peer_elements, self._limits)

    def _indices(self, index: int) -> Indices:
        span = self._span(index)
        return np.arange(span.start, span.stop, dtype=np.int64)


class Sender(Releasing):
    """Evaluates the receiver's blinded elements and releases its own tag table.

    Args:
        context: the edge.
        facts: what to release with a hit, exactly when the edge discloses facts.
        terms: see `Terms`; each element stands there once.

    Raises:
        LocalError: no elements or too many; the collection or the workspace changed since the snapshot.
    """

    def __init__(
        self, context: EdgeContext, *, facts: FactSource | None = None, **terms: Unpack[SessionTerms]
    ) -> None:
        if (facts is not None) != context.with_facts:
            raise SequenceError("facts are given exactly when the edge discloses them")
        self._facts = facts
        super().__init__(context, **terms)

    def key_seed(self) -> bytes:
        """32 secret bytes that give the OPRF key again, with the edge's context: to be kept sealed for an epoch."""
        return key_seed(self._expander)

    def own_tags(self) -> Bytes2D:
        """The tag of each own element, (n, 16), once every chunk is prepared."""
        if not self._prepared.all():
            raise SequenceError(f"chunk {self.prepared} of {self._chunks} is not prepared")
        return np.ascontiguousarray(self._array("rows")[:, :TAG_BYTES])

    def _own_shapes(self) -> Shapes:
        return sender_shapes(self._context, self._at.elements, self._limits)

    def _prepare(self, index: int, *parts: Bytes2D) -> None:
        inputs, *facts = parts
        self._array("rows")[self._span(index)] = self._computing.rows(inputs, *facts)

    def _build(self) -> None:
        """Sort the rows by tag into the table, a bucket at a time, and digest each chunk."""
        rows, table, placed = self._array("rows"), self._array("table"), 0
        size = self._context.tag_rows(self._limits)
        for order in lookup.in_order(rows):
            for start in range(0, len(order), size):
                block = np.take(rows, order[start : start + size], axis=0)
                table[placed : placed + len(block)] = block
                placed += len(block)
        self._digest_sections()

    def _commitment(self) -> Commitment:
        return Commitment(Role.SENDER, self._at.elements, self._contents("table_digests"), self.shown_key)

    def _gather(self, indices: Indices) -> tuple[Bytes2D, ...]:
        if self._facts is None:
            return super()._gather(indices)
        facts = self._facts.take(indices)
        if facts.shape != (len(indices), self._context.fact_bytes):
            raise SequenceError(f"facts of shape {facts.shape} for {len(indices)} elements")
        return *super()._gather(indices), facts
