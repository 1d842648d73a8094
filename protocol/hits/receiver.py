"""The receiver's side of `hits` and `hits+facts`: it learns which of its elements the sender also holds."""

from typing import Unpack

import numpy as np

from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.hits import lookup, tags
from blindmatch.protocol.hits.computing import outputs
from blindmatch.protocol.hits.messages import Hits, TagChunk
from blindmatch.protocol.hits.session import HitsSession, HitsTerms
from blindmatch.protocol.hits.shapes import locate, receiver_shapes, section_shapes
from blindmatch.protocol.hits.transitions import HitsEvent, HitsState
from blindmatch.protocol.limits import OUTPUT_BYTES, TAG_BYTES
from blindmatch.protocol.session.chunks import (
    Bytes2D,
    Flags,
    Indices,
    check_order,
    check_rows,
    check_size,
    chunk_digest,
    leading,
)
from blindmatch.protocol.session.messages import BlindedChunk, EdgeContext, EvaluatedChunk
from blindmatch.protocol.session.session import ReceiverSession
from blindmatch.protocol.session.statements import Commitment
from blindmatch.protocol.session.states import Role


class Receiver(HitsSession, ReceiverSession[HitsState]):
    """Blinds its elements, has them evaluated, and finds which of them the sender's tag table holds.

    Args:
        context: the edge.
        terms: see `HitsTerms`.

    Raises:
        LocalError: no elements or too many; the collection or the workspace changed since the snapshot.
    """

    def __init__(self, context: EdgeContext, **terms: Unpack[HitsTerms]) -> None:
        super().__init__(Role.RECEIVER, context, terms)
        self._shapes |= receiver_shapes(context, self._at.elements, self._limits)
        self._unblinded: Flags = np.arange(self._chunks) < self._at.unblinded
        self._order = self._expander.permutation("order", self._at.elements)
        self._check_restored()

    @property
    def unblinded(self) -> int:
        """Leading chunks that are unblinded."""
        return leading(self._unblinded)

    @property
    def next_tag_chunk(self) -> int:
        """The next tag chunk to ask for."""
        return self._at.tag_chunks

    def snapshot(self) -> bytes:
        """See `BaseSession.snapshot`."""
        self._at.unblinded = self.unblinded
        return super().snapshot()

    def blinded_chunk(self, index: int) -> BlindedChunk:
        """Chunk `index` as it was committed to.

        Raises:
            SequenceError: no such chunk, or not now.
            StoreError: the workspace no longer holds what was committed to.
        """
        with self._step(HitsEvent.SEND_BLINDED):
            points = self._array("blinded")[self._span(index)].copy()
            return BlindedChunk(self._header(index), self._intact("blinded", index, points))

    def receive_evaluated(self, chunk: EvaluatedChunk) -> None:
        """Store the next evaluated chunk; an earlier one with the same bytes is accepted. Points are checked later.

        Raises:
            PeerError: UNKNOWN_ROUND, BAD_SEQUENCE, BAD_COUNT, ALTERED_CHUNK, BAD_PROOF when one is missing or unasked.
        """
        with self._step(HitsEvent.RECEIVE_EVALUATED):
            index = chunk.header.sequence
            self._check_header(chunk.header)
            check_order(index, self.next_chunk, self._chunks)
            span = self._span(index)
            check_size(chunk.points, span.stop - span.start)
            if bool(chunk.proof) != self._context.verified:
                raise PeerError(PeerCode.BAD_PROOF, "a proof is missing, or none was requested")
            seen = chunk_digest("evaluated", index, chunk.points, chunk.proof)
            if self._is_repeat("evaluated_digests", index, self.next_chunk, seen):
                return
            self._array("evaluated")[span] = chunk.points
            if self._context.verified:
                self._put_digest("proofs", index, chunk.proof)
            self._put_digest("evaluated_digests", index, seen)
            self._add_exchanged(self._array("blinded_digests")[index].tobytes(), seen)
            if self.next_chunk == self._chunks:
                self._machine.fire(HitsEvent.EVALUATED_COMPLETE)

    def unblind_chunk(self, index: int) -> None:
        """Check one evaluated chunk, take the blinds off and derive the tags. Heavy; may run in a worker thread.

        Raises:
            PeerError: BAD_POINT, BAD_PROOF.
            LocalError: the collection changed since the round began.
            SequenceError: the chunk has not been received.
        """
        with self._step(HitsEvent.UNBLIND):
            if not 0 <= index < self.next_chunk:
                raise SequenceError(f"chunk {index} has not been received; {self.next_chunk} is next")
            span = self._span(index)
            (inputs,) = self._take(index)
            evaluated = self._array("evaluated")[span].copy()
            proof = self._array("proofs")[index].tobytes() if self._context.verified else b""
            self._intact("evaluated", index, evaluated, proof)
            if self._context.verified:
                blinded = self._array("blinded")[span].copy()
                self._computing.verify(self._at.peer_key, blinded, evaluated, proof)
            self._array("tags")[span] = self._computing.tags(index, inputs, evaluated)
            self._unblinded[index] = True

    def receive_tags(self, chunk: TagChunk) -> None:
        """Store the next tag chunk; an earlier one with the same bytes is accepted.

        Raises:
            PeerError: UNKNOWN_ROUND, BAD_SEQUENCE, BAD_COUNT, ALTERED_CHUNK, BAD_TAGS when tags do not strictly
                increase, BAD_COMMITMENT when the whole table is not the one that the sender committed to.
        """
        with self._step(HitsEvent.RECEIVE_TAGS):
            index = chunk.header.sequence
            self._check_header(chunk.header)
            check_order(index, self.next_tag_chunk, self.tag_chunks)
            section, span = locate(self._sections(), index)
            check_rows(chunk.rows, span.stop - span.start, section.layout.width)
            seen = chunk_digest("tags", index, chunk.rows)
            if self._is_repeat("table_digests", index, self.next_tag_chunk, seen):
                return
            table = self._array(section.name)
            if not lookup.continues(table, span.start, chunk.rows):
                raise PeerError(PeerCode.BAD_TAGS, "the tags do not strictly increase")
            table[span] = chunk.rows
            self._put_digest("table_digests", index, seen)
            self._at.tag_chunks += 1
            if self._at.tag_chunks == self.tag_chunks:
                if self._contents("table_digests") != self._at.peer_contents:
                    raise PeerError(PeerCode.BAD_COMMITMENT, "the tag table is not the one committed to")
                self._check_released()
                self._machine.fire(HitsEvent.TAGS_COMPLETE)

    def _check_released(self) -> None:
        """Refuse a released table that is as committed to, and impossible. PeerError."""

    def _check_table(self) -> None:
        """StoreError: the workspace no longer holds the tags that came."""
        for index in range(self.tag_chunks):
            section, span = locate(self._sections(), index)
            self._intact("tags", index, self._array(section.name)[span], digests="table_digests")

    def released(self, name: str = "table") -> Bytes2D:
        """A section of what the sender released, whole and as committed to, (m, width).

        Raises:
            StoreError: the workspace no longer holds what came.
            SequenceError: it has not all come.
        """
        if self.state not in {HitsState.COLLECTED, HitsState.MATCHED, HitsState.SIGNED}:
            raise SequenceError("the sender's table has not come")
        self._check_table()
        return self._array(name)

    def own_tags(self) -> Bytes2D:
        """The tag of each own element, (n, 16), once every chunk is unblinded.

        Raises:
            SequenceError: a chunk is not.
        """
        self._require(self._unblinded, "unblinded")
        own = np.empty((self._at.elements, TAG_BYTES), dtype=np.uint8)
        own[self._order] = self._array("tags")
        return own

    def own_outputs(self) -> Bytes2D:
        """The OPRF output of each own element, (n, 64): what opens facts. Unblinds everything once more."""
        own = np.empty((self._at.elements, OUTPUT_BYTES), dtype=np.uint8)
        for index in range(self._chunks):
            (inputs,) = self._take(index)
            evaluated = self._array("evaluated")[self._span(index)].copy()
            own[self._indices(index)] = outputs(self._expander, index, inputs, evaluated, slice(None))
        return own

    def find_hits(self) -> Hits:
        """Look every tag up, and open the facts of hits where they travel. Returns the same hits after a restart.

        Facts that do not open fail nothing: a sender that spoils the facts of one element must not learn from an
        interrupted round whether the receiver holds it. The hit stays, and `Hits.unopened` marks it.

        Raises:
            StoreError: the workspace no longer holds what came.
            SequenceError: a chunk is not unblinded.
        """
        with self._step(HitsEvent.FIND_HITS):
            self._require(self._unblinded, "unblinded")
            self._check_table()
            table = self._array("table")
            positions, rows = lookup.find(self._array("tags"), table)
            elements = self._order[positions].astype(np.int64)
            sequence = np.argsort(elements, kind="stable")
            if not self._context.with_facts:
                return Hits(elements[sequence])
            facts, opened = self._open(positions, rows)
            return Hits(elements[sequence], facts[sequence], ~opened[sequence])

    def _check_finished(self) -> None:
        self._require(self._unblinded, "unblinded")

    def _prepare(self, index: int, *parts: Bytes2D) -> None:
        (inputs,) = parts
        blinded = self._computing.blind(index, inputs)
        self._array("blinded")[self._span(index)] = blinded
        self._put_digest("blinded_digests", index, chunk_digest("blinded", index, blinded))

    def _commitment(self) -> Commitment:
        return Commitment(Role.RECEIVER, self._at.elements, self._contents("blinded_digests"))

    def _open_peer(self) -> None:
        self._shapes |= section_shapes(self._sections())

    def _indices(self, index: int) -> Indices:
        return self._order[self._span(index)].astype(np.int64)

    def _open(self, positions: Indices, table_rows: Indices) -> tuple[Bytes2D, Flags]:
        """The facts of the hits at these wire positions, and which of them opened; a chunk of the exchange at a time."""
        facts = np.empty((len(positions), self._context.fact_bytes), dtype=np.uint8)
        opened = np.empty(len(positions), dtype=np.bool_)
        chunk_of = positions // self._limits.chunk_elements
        for index in np.unique(chunk_of):
            mine = np.flatnonzero(chunk_of == index)
            span = self._span(int(index))
            (inputs,) = self._take(int(index))
            inside = positions[mine] - span.start
            evaluated = self._array("evaluated")[span].copy()
            keys = outputs(self._expander, int(index), inputs, evaluated, inside)
            facts[mine], opened[mine] = tags.open_facts(
                keys, self._array("table")[table_rows[mine], TAG_BYTES:], self._context
            )
        return facts, opened

    def _wipe(self) -> None:
        super()._wipe()
        if hasattr(self, "_order"):
            self._order.fill(0)
