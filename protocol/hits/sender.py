"""The sender's side of `hits` and `hits+facts`: it learns sizes only."""

import hmac
from abc import abstractmethod
from collections.abc import Sequence
from typing import Unpack

import numpy as np

from blindmatch.protocol.errors import LocalError, PeerCode, PeerError, SequenceError
from blindmatch.protocol.hits import lookup
from blindmatch.protocol.hits.computing import key_seed, sender_key
from blindmatch.protocol.hits.messages import FactSource, TagChunk
from blindmatch.protocol.hits.session import HitsSession, HitsTerms
from blindmatch.protocol.hits.shapes import exchange_shapes, locate, section_shapes
from blindmatch.protocol.hits.transitions import HitsEvent, HitsState
from blindmatch.protocol.limits import POINT_BYTES, TAG_BYTES
from blindmatch.protocol.oprf import KeyPair
from blindmatch.protocol.session.base import workspace_damaged
from blindmatch.protocol.session.chunks import (
    Bytes2D,
    Indices,
    check_order,
    check_size,
    chunk_digest,
    chunks_of,
)
from blindmatch.protocol.session.messages import BlindedChunk, EdgeContext, EvaluatedChunk
from blindmatch.protocol.session.session import SenderSession
from blindmatch.protocol.session.statements import Commitment
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.session.workspace import Shapes


class ReleasingSession(HitsSession, SenderSession[HitsState]):
    """The sender of a full round or a delta round: evaluates blinded elements as committed to, then releases its own tags.

    Args:
        context: the edge.
        terms: see `HitsTerms`.

    Raises:
        LocalError: no elements or too many; the collection or the workspace changed since the snapshot.
    """

    def __init__(self, context: EdgeContext, **terms: Unpack[HitsTerms]) -> None:
        super().__init__(Role.SENDER, context, terms)
        self._shapes |= self._own_shapes()
        key = self._key_pair()
        self._public = key.public.tobytes()
        key.wipe()
        self._check_restored()

    @abstractmethod
    def _own_shapes(self) -> Shapes:
        """Arrays that exist before the receiver's commitment."""

    def _key_pair(self) -> KeyPair:
        """The OPRF key; the caller wipes it."""
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
        with self._step(HitsEvent.EVALUATE):
            index = chunk.header.sequence
            self._check_header(chunk.header)
            check_order(index, self.next_chunk, self.blinded_chunks)
            size = self._limits.chunk_elements
            check_size(chunk.points, min(size, self._at.peer_elements - index * size))
            blinded = chunk_digest("blinded", index, chunk.points)
            repeated = self._is_repeat("blinded_digests", index, self.next_chunk, blinded)
            if not repeated:
                self._put_digest("blinded_digests", index, blinded)
                last = index + 1 == self.blinded_chunks
                if last and self._contents("blinded_digests") != self._at.peer_contents:
                    raise PeerError(
                        PeerCode.BAD_COMMITMENT, "the blinded elements are not those committed to"
                    )
            answer = self._answer(chunk)
            evaluated = chunk_digest("evaluated", index, answer.points, answer.proof)
            if repeated:
                if not hmac.compare_digest(self._array("evaluated_digests")[index].tobytes(), evaluated):
                    raise workspace_damaged()
                return answer
            self._put_digest("evaluated_digests", index, evaluated)
            self._add_exchanged(blinded, evaluated)
            if self.next_chunk == self.blinded_chunks:
                self._machine.fire(HitsEvent.BLINDED_COMPLETE)
            return answer

    def announce(self, chunks: Sequence[BlindedChunk]) -> None:
        """Announce the next arguments of `evaluate`, so that several can be computed at once.

        It checks, changes and releases nothing.
        """
        for chunk in chunks:
            self._computing.evaluate_ahead(chunk.header.sequence, chunk.points)

    def tag_chunk(self, index: int) -> TagChunk:
        """One chunk of the tag table, once every blinded chunk came as committed to.

        Raises:
            PeerError: WRONG_STATE before that; BAD_SEQUENCE when there is no such chunk.
            StoreError: the workspace no longer holds what was committed to.
        """
        with self._step(HitsEvent.SEND_TAGS):
            check_order(index, index, self.tag_chunks)
            section, span = locate(self._sections(), index)
            rows = self._array(section.name)[span].copy()
            return TagChunk(self._header(index), self._intact("tags", index, rows, digests="table_digests"))

    def _answer(self, chunk: BlindedChunk) -> EvaluatedChunk:
        return EvaluatedChunk(chunk.header, *self._computing.evaluate(chunk.header.sequence, chunk.points))

    def _digest_sections(self) -> None:
        """Digest each chunk of what is released; it must be in order."""
        for index in range(self.tag_chunks):
            section, span = locate(self._sections(), index)
            table = self._array(section.name)
            if not lookup.continues(table, span.start, table[span]):
                raise LocalError(
                    "two elements of the collection are equal", hint="Import the collection again."
                )
            self._put_digest("table_digests", index, chunk_digest("tags", index, table[span]))

    @property
    def committed_key(self) -> bytes:
        """The public key as the commitment shows it: zeros where evaluation is not verified."""
        return self._public if self._context.verified else bytes(POINT_BYTES)

    def _open_peer(self) -> None:
        self._shapes |= exchange_shapes(self._at.peer_elements, self._limits)


class Sender(ReleasingSession):
    """Evaluates the receiver's blinded elements and releases its own tag table.

    Args:
        context: the edge.
        facts: what to release with a hit, exactly when the edge discloses facts.
        terms: see `HitsTerms`; the elements are distinct.

    Raises:
        LocalError: no elements or too many; the collection or the workspace changed since the snapshot.
    """

    def __init__(
        self, context: EdgeContext, *, facts: FactSource | None = None, **terms: Unpack[HitsTerms]
    ) -> None:
        if (facts is not None) != context.with_facts:
            raise SequenceError("facts are given exactly when the edge discloses them")
        self._facts = facts
        super().__init__(context, **terms)

    def key_seed(self) -> bytes:
        """32 secret bytes that give the OPRF key again, with the edge's context: to be stored sealed for an epoch."""
        return key_seed(self._expander)

    def own_tags(self) -> Bytes2D:
        """The tag of each own element, (n, 16), once every chunk is prepared."""
        self._require(self._prepared, "prepared")
        return np.ascontiguousarray(self._array("rows")[:, :TAG_BYTES])

    def _own_shapes(self) -> Shapes:
        rows = (self._at.elements, self._context.row_bytes)
        return {"rows": rows, **section_shapes(self._sections())}  # `rows` are unsorted

    def _prepare(self, index: int, *parts: Bytes2D) -> None:
        inputs, *facts = parts
        self._array("rows")[self._span(index)] = self._computing.rows(inputs, *facts)

    def _build(self) -> None:
        """Sort the rows by tag into the table, a bucket at a time, and digest each chunk."""
        lookup.sort_into(self._array("table"), self._array("rows"))
        self._digest_sections()

    def _commitment(self) -> Commitment:
        return Commitment(Role.SENDER, self._at.elements, self._contents("table_digests"), self.committed_key)

    def _gather(self, indices: Indices) -> tuple[Bytes2D, ...]:
        if self._facts is None:
            return super()._gather(indices)
        facts = self._facts.take(indices)
        if facts.shape != (len(indices), self._context.fact_bytes):
            raise SequenceError(f"facts of shape {facts.shape} for {len(indices)} elements")
        return *super()._gather(indices), facts
