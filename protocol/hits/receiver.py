"""The receiver's side of `hits` and `hits+facts`: the side that learns."""

from typing import Unpack

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.hits import lookup
from blindmatch.protocol.limits import OUTPUT_BYTES, TAG_BYTES
from blindmatch.protocol.session import tags
from blindmatch.protocol.session.computing import chunk_digest, outputs
from blindmatch.protocol.session.messages import (
    BlindedChunk,
    Bytes2D,
    EdgeContext,
    EvaluatedChunk,
    Header,
    Hits,
    Indices,
    Receipt,
    TagChunk,
    locate,
)
from blindmatch.protocol.session.session import (
    NONE,
    Session,
    SessionTerms,
    check_order,
    check_repeat,
    check_size,
    leading,
    workspace_damaged,
)
from blindmatch.protocol.session.statements import Commitment
from blindmatch.protocol.session.states import Event, Role, State
from blindmatch.protocol.session.workspace import receiver_shapes, table_shapes
from blindmatch.protocol.transcript import Signed, digest, sign, verify


class Receiver(Session):
    """Blinds its elements, has them evaluated, and finds which of them the sender's tag table holds.

    Args:
        context: the edge.
        terms: see `Terms`.

    Raises:
        LocalError: no elements or too many; the collection or the workspace changed since the snapshot.
    """

    def __init__(self, context: EdgeContext, **terms: Unpack[SessionTerms]) -> None:
        super().__init__(Role.RECEIVER, context, **terms)
        self._shapes |= receiver_shapes(context, self._at.elements, self._limits)
        self._unblinded: npt.NDArray[np.bool_] = np.arange(self._chunks) < self._at.unblinded
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
        """A checkpoint: constant size, nothing secret. Take it, flush the workspace, store it, then send: in this order."""
        self._at.unblinded = self.unblinded
        return super().snapshot()

    def blinded_chunk(self, index: int) -> BlindedChunk:
        """Chunk `index` as it was committed to.

        Raises:
            SequenceError: no such chunk, or not now.
            StoreError: the workspace no longer holds what was committed to.
        """
        with self._step(Event.SEND_BLINDED):
            points = self._array("blinded")[self._span(index)].copy()
            if chunk_digest("blinded", index, points) != self._array("blinded_digests")[index].tobytes():
                raise workspace_damaged()
            return BlindedChunk(self._header(index), points)

    def receive_evaluated(self, chunk: EvaluatedChunk) -> None:
        """Store the next evaluated chunk; an earlier one with the same bytes is accepted. Points are checked later.

        Raises:
            PeerError: UNKNOWN_ROUND, BAD_SEQUENCE, BAD_COUNT, ALTERED_CHUNK, BAD_PROOF when one is missing or unasked.
        """
        with self._step(Event.RECEIVE_EVALUATED):
            index = chunk.header.sequence
            self._check_header(chunk.header)
            check_order(index, self.next_chunk, self._chunks)
            span = self._span(index)
            check_size(chunk.points, span.stop - span.start)
            if bool(chunk.proof) != self._context.verified:
                raise PeerError(PeerCode.BAD_PROOF, "a proof is missing, or nobody asked for one")
            seen = chunk_digest("evaluated", index, chunk.points, chunk.proof)
            kept = self._array("evaluated_digests")[index]
            if index < self.next_chunk:
                check_repeat(kept, seen)
                return
            self._array("evaluated")[span] = chunk.points
            if self._context.verified:
                self._array("proofs")[index] = np.frombuffer(chunk.proof, dtype=np.uint8)
            kept[:] = np.frombuffer(seen, dtype=np.uint8)
            self._add_exchanged(self._array("blinded_digests")[index].tobytes(), seen)
            if self.next_chunk == self._chunks:
                self._machine.fire(Event.EVALUATED_COMPLETE)

    def unblind_chunk(self, index: int) -> None:
        """Check one evaluated chunk, take the blinds off and derive the tags. Heavy; may run in a worker thread.

        Raises:
            PeerError: BAD_POINT, BAD_PROOF.
            LocalError: the collection changed since the round began.
            SequenceError: the chunk has not been received.
        """
        with self._step(Event.UNBLIND):
            if not 0 <= index < self.next_chunk:
                raise SequenceError(f"chunk {index} has not been received; {self.next_chunk} is next")
            span = self._span(index)
            (inputs,) = self._take(index)
            evaluated = self._array("evaluated")[span].copy()
            proof = self._array("proofs")[index].tobytes() if self._context.verified else b""
            if (
                chunk_digest("evaluated", index, evaluated, proof)
                != self._array("evaluated_digests")[index].tobytes()
            ):
                raise workspace_damaged()
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
        with self._step(Event.RECEIVE_TAGS):
            index = chunk.header.sequence
            self._check_header(chunk.header)
            check_order(index, self.next_tag_chunk, self.tag_chunks)
            section, start, stop = locate(self._sections(), index, self._limits)
            check_size(chunk.rows, stop - start)
            if chunk.rows.shape[1] != section.width:
                raise PeerError(PeerCode.BAD_MESSAGE, f"these rows have {section.width} bytes in this edge")
            seen = chunk_digest("tags", index, chunk.rows)
            kept, table = self._array("table_digests")[index], self._array(section.name)
            if index < self.next_tag_chunk:
                check_repeat(kept, seen)
                return
            if not lookup.strictly_increasing(chunk.rows, table[start - 1 : start] if start else None):
                raise PeerError(PeerCode.BAD_TAGS, "the tags do not strictly increase")
            table[start : start + len(chunk.rows)] = chunk.rows
            kept[:] = np.frombuffer(seen, dtype=np.uint8)
            self._at.tag_chunks += 1
            if self._at.tag_chunks == self.tag_chunks:
                if self._contents("table_digests") != self._at.peer_contents:
                    raise PeerError(PeerCode.BAD_COMMITMENT, "the tag table is not the one committed to")
                self._check_released()
                self._machine.fire(Event.TAGS_COMPLETE)

    def _check_released(self) -> None:
        """Whether what came as committed to can be: a tag table always can. PeerError otherwise."""

    def _check_kept(self) -> None:
        """What came is still what the workspace holds.

        Raises:
            StoreError: it is not.
        """
        for index, kept in enumerate(self._array("table_digests")):
            section, start, stop = locate(self._sections(), index, self._limits)
            if chunk_digest("tags", index, self._array(section.name)[start:stop]) != kept.tobytes():
                raise workspace_damaged()

    def released(self, name: str = "table") -> Bytes2D:
        """A section of what the sender released, whole and as committed to, (m, width).

        Raises:
            StoreError: the workspace no longer holds what came.
            SequenceError: it has not all come.
        """
        if self.state not in {State.COLLECTED, State.MATCHED, State.SIGNED}:
            raise SequenceError("the sender's table has not come")
        self._check_kept()
        return self._array(name)

    def own_tags(self) -> Bytes2D:
        """The tag of each own element, (n, 16), once every chunk is unblinded.

        Raises:
            SequenceError: a chunk is not.
        """
        if not self._unblinded.all():
            raise SequenceError(f"chunk {self.unblinded} of {self._chunks} is not unblinded")
        made = np.empty((self._at.elements, TAG_BYTES), dtype=np.uint8)
        made[self._order] = self._array("tags")
        return made

    def own_outputs(self) -> Bytes2D:
        """The OPRF output of each own element, (n, 64): what opens facts. Unblinds everything once more."""
        made = np.empty((self._at.elements, OUTPUT_BYTES), dtype=np.uint8)
        for index in range(self._chunks):
            (inputs,) = self._take(index)
            evaluated = self._array("evaluated")[self._span(index)].copy()
            made[self._indices(index)] = outputs(self._expander, index, inputs, evaluated, slice(None))
        return made

    def find_hits(self) -> Hits:
        """Look every tag up; open the facts of hits where they travel. Gives the same hits after a restart.

        Facts that do not open fail nothing: a sender that spoils the facts of one element must not be able to tell
        from a round that breaks off whether the receiver holds it. The hit stands, `Hits.unopened` says so.

        Raises:
            StoreError: the workspace no longer holds what came.
            SequenceError: a chunk is not unblinded.
        """
        with self._step(Event.FIND_HITS):
            if not self._unblinded.all():
                raise SequenceError(f"chunk {self.unblinded} of {self._chunks} is not unblinded")
            self._check_kept()
            table = self._array("table")
            positions, rows = lookup.find(self._array("tags"), table)
            elements = self._order[positions].astype(np.int64)
            sequence = np.argsort(elements, kind="stable")
            if not self._context.with_facts:
                return Hits(elements[sequence])
            facts, opened = self._open(positions, rows)
            return Hits(elements[sequence], facts[sequence], ~opened[sequence])

    def receipt(self, opened_at: int, closed_at: int) -> Signed:
        """The receipt with this side's signature. Once signed, it stays as it is: other times are ignored.

        It says nothing of hits, so it can be signed and exchanged before they are looked for.

        Args:
            opened_at: when the round began, seconds since 1970, UTC.
            closed_at: now, the same.

        Raises:
            SequenceError: a chunk is not unblinded.
        """
        with self._step(Event.SIGN_RECEIPT):
            if not self._unblinded.all():
                raise SequenceError(f"chunk {self.unblinded} of {self._chunks} is not unblinded")
            if self.state in {State.COLLECTED, State.MATCHED}:
                self._at.opened_at, self._at.closed_at = opened_at, closed_at
            payload = self._receipt_payload()
            self._at.receipt = digest(payload)
            return sign(self._signer, self._receipt(0, 0).TYPE, payload)

    def receive_receipt_signature(self, signature: bytes) -> Receipt:
        """Check the sender's signature and close; everything secret is wiped.

        Raises:
            PeerError: BAD_SIGNATURE.
        """
        with self._step(Event.RECEIVE_SIGNATURE):
            payload, kind = self._receipt_payload(), self._receipt(0, 0).TYPE
            verify(self._peer_key, kind, payload, signature)
            receipt = Receipt(payload, sign(self._signer, kind, payload).signature, signature)
            self._wipe()
            return receipt

    def _prepare(self, index: int, *parts: Bytes2D) -> None:
        (inputs,) = parts
        blinded = self._computing.blind(index, inputs)
        self._array("blinded")[self._span(index)] = blinded
        kept = chunk_digest("blinded", index, blinded)
        self._array("blinded_digests")[index] = np.frombuffer(kept, dtype=np.uint8)

    def _commitment(self) -> Commitment:
        return Commitment(Role.RECEIVER, self._at.elements, self._contents("blinded_digests"))

    def _open_peer(self) -> None:
        self._shapes |= table_shapes(self._context, self._at.peer_elements, self._limits)

    def _indices(self, index: int) -> Indices:
        return self._order[self._span(index)].astype(np.int64)

    def _header(self, index: int) -> Header:
        return Header(self._context.round_id, self._context.edge, index)

    def _open(self, positions: Indices, table_rows: Indices) -> tuple[Bytes2D, npt.NDArray[np.bool_]]:
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
            made = outputs(self._expander, int(index), inputs, evaluated, inside)
            facts[mine], opened[mine] = tags.open_facts(
                made, self._array("table")[table_rows[mine], TAG_BYTES:], self._context
            )
        return facts, opened

    def _receipt_payload(self) -> bytes:
        payload = self._receipt(self._at.opened_at, self._at.closed_at).payload(self._context)
        if self._at.receipt not in (NONE, digest(payload)):
            raise workspace_damaged()
        return payload

    def _wipe(self) -> None:
        super()._wipe()
        if hasattr(self, "_order"):
            self._order.fill(0)
