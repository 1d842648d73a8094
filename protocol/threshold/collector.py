"""The collector's session: it stores all members' tables, finds the shared elements, and discloses to each member its own cells only."""

from typing import Unpack

import numpy as np

from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.limits import DIGEST_BYTES, SIGNATURE_BYTES
from blindmatch.protocol.session.base import workspace_damaged
from blindmatch.protocol.session.checkpoint import NONE
from blindmatch.protocol.session.chunks import Bytes2D, chunk_digest
from blindmatch.protocol.session.messages import BlindedChunk, EvaluatedChunk, RowsChunk
from blindmatch.protocol.session.states import Event
from blindmatch.protocol.threshold import reconstruct
from blindmatch.protocol.threshold.messages import CommittedChunks, ThresholdContext
from blindmatch.protocol.threshold.reconstruct import Reconstructions, SharedElements
from blindmatch.protocol.threshold.session import ThresholdSession, ThresholdSessionTerms
from blindmatch.protocol.threshold.share_tables import CELL_BYTES, TABLES
from blindmatch.protocol.threshold.statements import (
    OUTCOME_TYPE,
    RECEIPT_TYPE,
    Attestation,
    TablesStatement,
    ThresholdOutcome,
    ThresholdReceiptTerms,
    joint_digest,
)
from blindmatch.protocol.threshold.transitions import ThresholdEvent, ThresholdRole, ThresholdState
from blindmatch.protocol.transcript import Signed, digest, sign, verify

_STATEMENT_BYTES = 4 << 10
_LENGTH_BYTES = 4


class Collector(ThresholdSession):
    """The collector of one threshold.

    Args:
        context: the threshold, with keys and all members' numbers of elements.
        terms: see `ThresholdSessionTerms`.

    Raises:
        StoreError: the snapshot belongs to another session, or the workspace was altered.
    """

    def __init__(self, context: ThresholdContext, **terms: Unpack[ThresholdSessionTerms]) -> None:
        super().__init__(ThresholdRole.COLLECTOR, context, terms)
        if self._signer.agency != context.collector:
            raise SequenceError(f"{self._signer.agency} is not the collector of this threshold")
        members = len(context.members)
        # Statements are stored as they came: the other members receive them, and the receipt covers them.
        self._shapes |= {
            "commitments": (members, _STATEMENT_BYTES),
            "tables": (members, _STATEMENT_BYTES),
        }
        for place in range(members):
            self._shapes |= {
                f"cells-{place}": (context.shape.cells, CELL_BYTES),
                f"cells_digests-{place}": (self._tables.chunks, DIGEST_BYTES),
                f"outcome-{place}": (TABLES, context.outcome_bytes),
                f"outcome_digests-{place}": (self._outcomes.chunks, DIGEST_BYTES),
            }
        self._combinations = reconstruct.combinations(members, context.at_least)
        self._searched: dict[int, Reconstructions] = {}
        self._signatures: dict[str, bytes] = {}
        self._check_restored()

    @property
    def table_chunks(self) -> int:
        """Chunks of one member's tables."""
        return self._tables.chunks

    @property
    def outcome_chunks(self) -> int:
        """Chunks of one member's outcome."""
        return self._outcomes.chunks

    def received(self, member: str) -> int:
        """The number of chunks of a member's tables that have come."""
        return self._at.received[self._context.place(member)]

    @property
    def progress(self) -> int:
        """The progress of the exchange: 0 until elements are relayed, then 1 and the number of chunks of tables that have come."""
        return self._at.prepared + sum(self._at.received)

    def begin_relay(self) -> None:
        """Elements are evaluated from now on: the round counts towards the budget."""
        with self._step(ThresholdEvent.RELAY):
            self._at.prepared = 1

    def receive_commitment(self, member: str, committed: CommittedChunks) -> None:
        """Accept one member's commitment; a retransmission must be the same.

        Raises:
            PeerError: see `ThresholdCommitment.check`; BAD_COMMITMENT when another one came before.
        """
        with self._step(ThresholdEvent.RECEIVE_COMMITMENT):
            place = self._context.place(member)
            before = self._statement("commitments", place)
            if before is not None and before.payload != committed.statement.payload:
                raise PeerError(PeerCode.BAD_COMMITMENT, f"{member} committed to something else before")
            self._check_committed(member, committed)
            self._put("commitments", place, committed.statement)
            stored = [self._statement("commitments", each) for each in range(len(self._context.members))]
            payloads = [each.payload for each in stored if each is not None]
            if self.state is ThresholdState.PREPARING and len(payloads) == len(stored):
                self._at.commitments = joint_digest("commitments", payloads)
                self._machine.fire(ThresholdEvent.COMMITMENTS_COMPLETE)

    def commitments(self) -> list[CommittedChunks]:
        """All members' commitments, for every member. SequenceError: not all have come."""
        return [
            CommittedChunks(statement, self._array(f"committed-{place}").tobytes())
            for place, statement in enumerate(self._every("commitments"))
        ]

    def check_blinded(self, member: str, chunk: BlindedChunk) -> None:
        """Check that a chunk to be relayed is what its member committed to; the member is at fault otherwise.

        Raises:
            PeerError: UNKNOWN_ROUND, BAD_SEQUENCE, BAD_COUNT, BAD_COMMITMENT.
        """
        with self._step(ThresholdEvent.RELAY):
            self._check_blinded(member, chunk)

    def check_evaluated(self, evaluator: str, member: str, chunk: EvaluatedChunk) -> None:
        """Check the form of an evaluated chunk to be relayed; the evaluator is at fault if it is wrong.

        Raises:
            PeerError: UNKNOWN_ROUND, BAD_SEQUENCE, BAD_COUNT, BAD_PROOF when there is a proof.
        """
        with self._step(ThresholdEvent.RELAY):
            self._check_relayed(member, chunk)
            if chunk.proof:
                raise PeerError(PeerCode.BAD_PROOF, "an unrequested proof")
            index = chunk.header.sequence
            seen = chunk_digest("evaluated", index, chunk.points)
            self._answers(evaluator, member)[index] = np.frombuffer(seen, dtype=np.uint8)

    def check_attestation(self, evaluator: str, member: str, signed: Signed) -> None:
        """Check an evaluator's signature over the chunks that were relayed; the member checks it as well.

        Raises:
            PeerError: see `Attestation.check`.
        """
        with self._step(ThresholdEvent.RELAY):
            answers, place = self._answers(evaluator, member), self._context.place(member)
            if not answers.any(axis=1).all():  # lost in a crash; the member has them
                return
            commitment = digest(self._every("commitments")[place].payload)
            contents = digest(f"answers-{place}".encode(), answers.tobytes())
            expected = Attestation(evaluator, member, commitment, contents)
            Attestation.check(signed, self._key(evaluator), expected, self._context)

    def receive_tables(self, member: str, signed: Signed) -> None:
        """Accept a member's commitment to its tables; a retransmission must be the same.

        Raises:
            PeerError: see `TablesStatement.check`; BAD_COMMITMENT when another one came before.
        """
        with self._step(ThresholdEvent.RECEIVE_TABLES):
            place = self._context.place(member)
            TablesStatement.check(signed, self._key(member), member, self._at.commitments, self._context)
            before = self._statement("tables", place)
            if before is not None and before.payload != signed.payload:
                raise PeerError(PeerCode.BAD_COMMITMENT, f"{member} committed to other tables before")
            self._put("tables", place, signed)

    def receive_table_chunk(self, member: str, chunk: RowsChunk) -> None:
        """Store the next chunk of a member's tables; an earlier one with the same bytes is accepted.

        Raises:
            PeerError: UNKNOWN_ROUND, WRONG_STATE before the commitment, BAD_SEQUENCE, BAD_COUNT, BAD_MESSAGE,
                ALTERED_CHUNK, BAD_COMMITMENT when the whole tables are not what the member committed to.
        """
        with self._step(ThresholdEvent.RECEIVE_TABLES):
            place = self._context.place(member)
            self._check_header(chunk.header)
            statement = self._statement("tables", place)
            if statement is None:
                raise PeerError(PeerCode.WRONG_STATE, f"{member} has not committed to its tables")
            following, digests = self._at.received[place], f"cells_digests-{place}"
            seen = self._check_chunk("tables", chunk, self._tables, following, digests)
            if seen is None:
                return
            self._put_digest(digests, following, seen)
            self._array(f"cells-{place}")[self._tables.span(following)] = chunk.rows
            self._at.received[place] += 1
            if self._at.received[place] < self.table_chunks:
                return
            committed = TablesStatement.check(
                statement, self._key(member), member, self._at.commitments, self._context
            )
            if digest(b"table_digests", self._array(digests).tobytes()) != committed.contents:
                raise PeerError(PeerCode.BAD_COMMITMENT, f"{member}'s tables are not those committed to")
            members = range(len(self._context.members))
            if all(self._at.received[each] == self.table_chunks for each in members):
                self._at.tables = joint_digest("tables", [each.payload for each in self._every("tables")])
                self._machine.fire(ThresholdEvent.TABLES_COMPLETE)

    def search_chunk(self, index: int) -> None:
        """Try every combination of members on one chunk of all tables. Heavy; may run in a worker thread.

        Raises:
            StoreError: the workspace no longer holds what came.
            SequenceError: no such chunk.
        """
        with self._step(ThresholdEvent.SEARCH):
            if not 0 <= index < self.table_chunks:
                raise SequenceError(f"chunk {index} of {self.table_chunks}")
            span, cells = self._tables.span(index), []
            for place in range(len(self._context.members)):
                rows = self._array(f"cells-{place}")[span].copy()
                cells.append(self._intact("tables", index, rows, digests=f"cells_digests-{place}"))
            self._searched[index] = reconstruct.search(np.stack(cells), span.start, self._combinations)

    def find(self) -> SharedElements:
        """The shared elements, once every chunk is searched; the outcomes are built from them.

        Below the minimum nothing is disclosed, not even here: the result is empty, and in the outcomes no bin is shared, as in the
        outcome of a member that holds no shared element.

        Raises:
            SequenceError: a chunk is not searched.
        """
        with self._step(ThresholdEvent.FIND):
            if len(self._searched) != self.table_chunks:
                raise SequenceError(f"{len(self._searched)} of {self.table_chunks} chunks were searched")
            results = Reconstructions.concatenate(
                [self._searched[index] for index in range(self.table_chunks)]
            )
            bins = self._context.shape.bins
            draw = np.frombuffer(self._expander.stream("told", 0, TABLES * 8), dtype="<u8")
            shared = reconstruct.shared_elements(results, self._combinations, bins, draw)
            if len(shared) < self._context.minimum_count:
                shared = SharedElements(shared.held[:0], shared.cells[:0])
            for place in range(len(self._context.members)):
                self._write_outcome(place, shared, bins)
            self._searched.clear()
            return shared

    def outcome(self, member: str) -> Signed:
        """The signed statement of one member's outcome; the same bytes in every call."""
        with self._step(ThresholdEvent.SEND_OUTCOME):
            contents = self._outcome_contents(self._context.place(member))
            payload = ThresholdOutcome(member, self._at.tables, contents).payload(self._context)
            return sign(self._signer, OUTCOME_TYPE, payload)

    def outcome_chunk(self, member: str, index: int) -> RowsChunk:
        """One chunk of a member's outcome.

        Raises:
            SequenceError: no such chunk.
            StoreError: the workspace no longer holds it.
        """
        with self._step(ThresholdEvent.SEND_OUTCOME):
            if not 0 <= index < self.outcome_chunks:
                raise SequenceError(f"chunk {index} of {self.outcome_chunks}")
            place = self._context.place(member)
            rows = self._array(f"outcome-{place}")[self._outcomes.span(index)].copy()
            return RowsChunk(
                self._header(index), self._intact("outcome", index, rows, digests=f"outcome_digests-{place}")
            )

    def receipt(self, opened_at: int, closed_at: int) -> Signed:
        """The receipt with the collector's signature. Once signed, it stays as it is: other times are ignored."""
        with self._step(Event.SIGN_RECEIPT):
            if self.state is ThresholdState.MATCHED:
                self._at.opened_at, self._at.closed_at = opened_at, closed_at
            payload = self.receipt_payload
            self._at.receipt = digest(payload)
            return sign(self._signer, RECEIPT_TYPE, payload)

    def table_statements(self) -> list[Signed]:
        """All members' commitments to their tables, which the receipt covers."""
        return self._every("tables")

    def receive_signature(self, member: str, signature: bytes) -> None:
        """Verify a member's signature of the receipt; after the last one everything secret is wiped.

        After a restart every member signs again, with the same bytes.

        Raises:
            PeerError: BAD_SIGNATURE.
        """
        with self._step(ThresholdEvent.RECEIVE_SIGNATURE):
            self._context.place(member)
            payload = self.receipt_payload
            verify(self._key(member), RECEIPT_TYPE, payload, signature)
            self._signatures[member] = signature
            if set(self._signatures) >= set(self._context.members):
                own = sign(self._signer, RECEIPT_TYPE, payload).signature
                self._signatures.setdefault(self._context.collector, own)
                self._machine.fire(ThresholdEvent.SIGNATURES_COMPLETE)
                self._wipe()

    @property
    def signatures(self) -> dict[str, bytes]:
        """Signatures of the receipt by agency: the members', and after the last of them the collector's."""
        return dict(self._signatures)

    @property
    def receipt_payload(self) -> bytes:
        """The receipt's exact bytes. StoreError: they are not those that were signed before."""
        payload = ThresholdReceiptTerms(
            elements=self._context.elements,
            transcript=self._transcript(self._every("tables")),
            opened_at=self._at.opened_at,
            closed_at=self._at.closed_at,
        ).payload(self._context)
        if self._at.receipt not in (NONE, digest(payload)):
            raise workspace_damaged()
        return payload

    def _write_outcome(self, place: int, shared: SharedElements, bins: int) -> None:
        """Store one member's outcome, one bit per bin, the same size for every result; and the digests of its chunks."""
        bits = np.zeros(TABLES * bins, dtype=np.uint8)
        cells = shared.cells[:, place]
        bits[cells[cells >= 0]] = 1
        self._array(f"outcome-{place}")[:] = np.packbits(bits.reshape(TABLES, bins), axis=1)
        for index in range(self.outcome_chunks):
            rows = self._array(f"outcome-{place}")[self._outcomes.span(index)]
            self._put_digest(f"outcome_digests-{place}", index, chunk_digest("outcome", index, rows))

    def _answers(self, evaluator: str, member: str) -> Bytes2D:
        """The digests of an evaluator's chunks for a member, (chunks, 32)."""
        name = f"answers-{self._context.place(evaluator)}-{self._context.place(member)}"
        self._shapes[name] = (self._elements_of(member).chunks, DIGEST_BYTES)
        return self._array(name)

    def _outcome_contents(self, place: int) -> bytes:
        return digest(b"outcome_digests", self._array(f"outcome_digests-{place}").tobytes())

    def _put(self, name: str, place: int, signed: Signed) -> None:
        """Store a statement in its row: length, signature, payload. PeerError: OVERSIZE."""
        data = signed.signature + signed.payload
        row = np.zeros(_STATEMENT_BYTES, dtype=np.uint8)
        if len(data) + _LENGTH_BYTES > _STATEMENT_BYTES:
            raise PeerError(PeerCode.OVERSIZE, f"a statement of {len(signed.payload)} bytes")
        framed = len(data).to_bytes(_LENGTH_BYTES, "big") + data
        row[: len(framed)] = np.frombuffer(framed, dtype=np.uint8)
        self._array(name)[place] = row

    def _statement(self, name: str, place: int) -> Signed | None:
        row = self._array(name)[place].tobytes()
        size = int.from_bytes(row[:_LENGTH_BYTES], "big")
        if not size:
            return None
        data = row[_LENGTH_BYTES : _LENGTH_BYTES + size]
        if len(data) != size or size <= SIGNATURE_BYTES:
            raise workspace_damaged()
        return Signed(data[SIGNATURE_BYTES:], data[:SIGNATURE_BYTES])

    def _every(self, name: str) -> list[Signed]:
        stored = [self._statement(name, place) for place in range(len(self._context.members))]
        statements = [each for each in stored if each is not None]
        if len(statements) != len(stored):
            raise SequenceError(f"not every member's statement has come: {name}")
        return statements

    def _check_restored(self) -> None:
        """After a restart, compare the workspace with the checkpoint. StoreError: they differ."""
        if not self._restored():
            return
        for stored, name in ((self._at.commitments, "commitments"), (self._at.tables, "tables")):
            if stored != NONE and joint_digest(name, [each.payload for each in self._every(name)]) != stored:
                raise workspace_damaged()
        if self._at.receipt != NONE:
            self.receipt_payload  # noqa: B018 - compares
