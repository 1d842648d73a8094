"""A member's session: it blinds its elements, has them evaluated, puts its shares into tables, and learns which elements are shared."""

from collections.abc import Sequence
from typing import Unpack

import numpy as np

from blindmatch.protocol import group, oprf
from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.group import ElementError, wipe
from blindmatch.protocol.limits import DIGEST_BYTES, OUTPUT_BYTES, POINT_BYTES
from blindmatch.protocol.oprf import Mode
from blindmatch.protocol.session.base import PreparingSession, collection_changed, workspace_damaged
from blindmatch.protocol.session.checkpoint import NONE
from blindmatch.protocol.session.chunks import (
    Bytes2D,
    ElementSource,
    Flags,
    Indices,
    check_order,
    check_size,
    chunk_digest,
    leading,
)
from blindmatch.protocol.session.messages import BlindedChunk, EvaluatedChunk, RowsChunk
from blindmatch.protocol.session.states import Event
from blindmatch.protocol.threshold.evaluation import EvaluatingSession
from blindmatch.protocol.threshold.messages import CommittedChunks, ThresholdContext
from blindmatch.protocol.threshold.session import ThresholdSessionTerms
from blindmatch.protocol.threshold.share_tables import (
    CELL_BYTES,
    PAIRS,
    TABLES,
    BinAssignment,
    ShareDerivation,
    fill_table,
)
from blindmatch.protocol.threshold.statements import (
    COMMITMENT_TYPE,
    RECEIPT_TYPE,
    TABLES_TYPE,
    Attestation,
    TablesStatement,
    ThresholdCommitment,
    ThresholdOutcome,
    ThresholdReceiptTerms,
    joint_digest,
)
from blindmatch.protocol.threshold.transitions import ThresholdEvent, ThresholdState
from blindmatch.protocol.transcript import Signed, digest, sign


class Member(EvaluatingSession, PreparingSession[ThresholdState]):
    """One member of one threshold.

    Args:
        context: the threshold, with keys and all members' numbers of elements.
        elements: this member's elements, each once.
        terms: see `ThresholdSessionTerms`.

    Raises:
        LocalError: the collection changed since the statement of rates.
        StoreError: the snapshot belongs to another session, or the workspace was altered.
    """

    def __init__(
        self, context: ThresholdContext, *, elements: ElementSource, **terms: Unpack[ThresholdSessionTerms]
    ) -> None:
        super().__init__(context, terms)
        count = len(elements)
        if count != context.elements[self._place]:
            raise collection_changed()
        self._set_elements(elements)
        self._shapes |= {
            "blinded": (count, POINT_BYTES),
            "blinded_digests": (self._chunks, DIGEST_BYTES),
            "outputs": (count, OUTPUT_BYTES),
            "table": (context.shape.cells, CELL_BYTES),
            "table_digests": (self._tables.chunks, DIGEST_BYTES),
            "outcome_said": (2, DIGEST_BYTES),
            "outcome": (TABLES, context.outcome_bytes),
            "outcome_digests": (self._outcomes.chunks, DIGEST_BYTES),
        }
        for place in range(len(context.members)):
            if place != self._place:
                self._shapes |= {
                    f"evaluated-{place}": (count, POINT_BYTES),
                    f"evaluated_digests-{place}": (self._chunks, DIGEST_BYTES),
                }
        self._unblinded: Flags = np.arange(self._chunks) < self._at.unblinded
        self._check_restored()

    @property
    def unblinded(self) -> int:
        """Leading chunks that are unblinded."""
        return leading(self._unblinded)

    @property
    def built(self) -> int:
        """The number of pairs of tables that are built."""
        return self._at.built

    def received(self, member: str) -> tuple[int, bool]:
        """The number of chunks that a member has evaluated for this one, and whether its signature over all of them was verified."""
        place = self._context.place(member)
        return self._at.received[place], bool(self._at.attested[place])

    @property
    def outcome_chunks(self) -> int:
        """The number of chunks of the outcome that have come."""
        return self._at.outcome_chunks

    def snapshot(self) -> bytes:
        """See `BaseSession.snapshot`."""
        self._at.unblinded = self.unblinded
        return super().snapshot()

    def _prepare(self, index: int, *parts: Bytes2D) -> None:
        (inputs,) = parts
        blinds = self._expander.scalars("blind", index, len(inputs))
        blinded = oprf.blind_inputs(inputs, blinds, Mode.OPRF)
        wipe(blinds)
        self._array("blinded")[self._span(index)] = blinded
        self._put_digest("blinded_digests", index, chunk_digest("blinded", index, blinded))

    def commit(self) -> CommittedChunks:
        """This member's signed commitment and its chunks' digests; the same bytes in every call.

        Raises:
            SequenceError: a chunk is not prepared.
            LocalError: what was prepared is not what was committed to before.
        """
        with self._step(Event.COMMIT):
            self._require(self._prepared, "prepared")
            payload = self._fix_own(self._commitment())
            digests = self._array("blinded_digests").tobytes()
            return CommittedChunks(sign(self._signer, COMMITMENT_TYPE, payload), digests)

    def receive_commitments(self, commitments: Sequence[CommittedChunks]) -> None:
        """Accept every member's commitment, this member's included; a retransmission must be the same.

        Raises:
            PeerError: see `ThresholdCommitment.check`; BAD_COUNT; BAD_COMMITMENT when this member's is not included, or other
                commitments came before.
        """
        with self._step(ThresholdEvent.RECEIVE_COMMITMENTS):
            members = self._context.members
            if len(commitments) != len(members):
                raise PeerError(
                    PeerCode.BAD_COUNT, f"{len(commitments)} commitments of {len(members)} members"
                )
            seen = joint_digest("commitments", [each.statement.payload for each in commitments])
            if self._at.commitments not in (NONE, seen):
                raise PeerError(PeerCode.BAD_COMMITMENT, "the members committed to something else before")
            if digest(commitments[self._place].statement.payload) != self._at.own:
                raise PeerError(PeerCode.BAD_COMMITMENT, "our own commitment is not among the members'")
            for member, committed in zip(members, commitments, strict=True):
                self._check_committed(member, committed)
            self._at.commitments = seen

    def blinded_chunk(self, index: int) -> BlindedChunk:
        """Chunk `index` as it was committed to.

        Raises:
            PeerError: BAD_SEQUENCE when there is no such chunk.
            StoreError: the workspace no longer holds what was committed to.
        """
        with self._step(ThresholdEvent.SEND_BLINDED):
            check_order(index, index, self._chunks)
            points = self._array("blinded")[self._span(index)].copy()
            return BlindedChunk(self._header(index), self._intact("blinded", index, points))

    def receive_evaluated(self, member: str, chunk: EvaluatedChunk) -> None:
        """Store the next chunk that a member has evaluated for this one; an earlier one with the same bytes is accepted.

        Raises:
            PeerError: UNKNOWN_ROUND, WRONG_AGENCY, BAD_SEQUENCE, BAD_COUNT, ALTERED_CHUNK, BAD_PROOF when there is a proof.
        """
        with self._step(ThresholdEvent.RECEIVE_EVALUATED):
            place, index = self._other(member), chunk.header.sequence
            self._check_header(chunk.header)
            following = self._at.received[place]
            check_order(index, following, self._chunks)
            span = self._span(index)
            check_size(chunk.points, span.stop - span.start)
            if chunk.proof:
                raise PeerError(PeerCode.BAD_PROOF, "an unrequested proof")
            seen = chunk_digest("evaluated", index, chunk.points)
            digests = f"evaluated_digests-{place}"
            if self._is_repeat(digests, index, following, seen):
                return
            self._array(f"evaluated-{place}")[span] = chunk.points
            self._put_digest(digests, index, seen)
            self._at.received[place] += 1

    def receive_attestation(self, member: str, signed: Signed) -> None:
        """Verify the evaluator's signature over the chunks that came; no chunk is used before.

        Raises:
            PeerError: WRONG_AGENCY, WRONG_STATE before all chunks came, and those of `Attestation.check`.
        """
        with self._step(ThresholdEvent.RECEIVE_ATTESTATION):
            place = self._other(member)
            if self._at.received[place] < self._chunks:
                raise PeerError(PeerCode.WRONG_STATE, f"not every chunk evaluated by {member} has come")
            contents = digest(
                f"answers-{self._place}".encode(), self._array(f"evaluated_digests-{place}").tobytes()
            )
            expected = Attestation(member, self._agency, self._at.own, contents)
            Attestation.check(signed, self._key(member), expected, self._context)
            self._at.attested[place] = 1
            others = [self._context.place(other) for other in self.others]
            if self.state is ThresholdState.EXCHANGING and all(self._at.attested[other] for other in others):
                self._machine.fire(ThresholdEvent.EVALUATED_COMPLETE)

    def unblind_chunk(self, index: int) -> None:
        """Add all members' evaluations of one own chunk, unblind, finalise. Heavy; may run in a worker thread.

        Raises:
            PeerError: BAD_POINT.
            LocalError: the collection changed since the round began.
            StoreError: the workspace no longer holds what came.
        """
        with self._step(ThresholdEvent.UNBLIND):
            (inputs,), span = self._take(index), self._span(index)
            total = group.multiply(self._array("blinded")[span].copy(), self._secret)
            for member in self.others:
                place = self._context.place(member)
                evaluated = self._array(f"evaluated-{place}")[span].copy()
                self._intact("evaluated", index, evaluated, digests=f"evaluated_digests-{place}")
                try:
                    total = group.add(total, evaluated)
                except ElementError as error:
                    raise PeerError(
                        PeerCode.BAD_POINT,
                        f"element {error.index} evaluated by {member} is not a valid group element",
                    ) from None
            blinds = self._expander.scalars("blind", index, len(inputs))
            outputs = oprf.finalize(inputs, oprf.unblind(total, blinds))
            wipe(blinds)
            self._array("outputs")[span] = outputs
            self._unblinded[index] = True

    def build_pair(self, pair: int) -> None:
        """Build pair `pair` of the tables. Heavy; pairs are built in order.

        Raises:
            SequenceError: a chunk is not unblinded, or another pair is due.
        """
        with self._step(ThresholdEvent.BUILD):
            if not self._unblinded.all() or pair > self._at.built or not 0 <= pair < PAIRS:
                raise SequenceError(f"pair {pair} of tables cannot be built now")
            shape, outputs = self._context.shape, self._array("outputs")
            derivation = self._derivation()
            for side, winners in enumerate(BinAssignment(derivation, outputs, shape.bins).pair(pair)):
                number = 2 * pair + side
                table = self._array("table")[number * shape.bins : (number + 1) * shape.bins]
                fill_table(
                    table,
                    number,
                    winners,
                    outputs,
                    derivation=derivation,
                    expander=self._expander,
                    point=self._place + 1,
                )
            self._at.built = max(self._at.built, pair + 1)

    def commit_tables(self) -> Signed:
        """The signed commitment to the tables; the same bytes in every call.

        Raises:
            SequenceError: a pair is not built.
            StoreError: the tables are not what was committed to before.
        """
        with self._step(ThresholdEvent.COMMIT_TABLES):
            if self._at.built < PAIRS:
                raise SequenceError(f"{self._at.built} of {PAIRS} pairs of tables are built")
            if self._at.tables == NONE:
                for index in range(self._tables.chunks):
                    rows = self._table_rows(index)
                    self._put_digest("table_digests", index, chunk_digest("tables", index, rows))
            payload = self._tables_statement()
            if self._at.tables not in (NONE, digest(payload)):
                raise workspace_damaged()
            self._at.tables = digest(payload)
            return sign(self._signer, TABLES_TYPE, payload)

    def table_chunk(self, index: int) -> RowsChunk:
        """One chunk of the tables.

        Raises:
            PeerError: WRONG_STATE before they are committed to; BAD_SEQUENCE when there is no such chunk.
            StoreError: the workspace no longer holds what was committed to.
        """
        with self._step(ThresholdEvent.SEND_TABLES):
            check_order(index, index, self._tables.chunks)
            rows = self._table_rows(index).copy()
            return RowsChunk(
                self._header(index), self._intact("tables", index, rows, digests="table_digests")
            )

    def receive_outcome(self, signed: Signed) -> None:
        """Accept the collector's statement of the outcome; a retransmission must be the same.

        Raises:
            PeerError: see `ThresholdOutcome.check`; BAD_COMMITMENT when another one came before.
        """
        with self._step(ThresholdEvent.RECEIVE_OUTCOME):
            outcome = ThresholdOutcome.check(
                signed, self._key(self._context.collector), self._agency, self._context
            )
            seen = digest(outcome.tables, outcome.contents)
            if self._at.outcome not in (NONE, seen):
                raise PeerError(PeerCode.BAD_COMMITMENT, "the collector stated another outcome before")
            self._at.outcome = seen
            self._put_digest("outcome_said", 0, outcome.tables)
            self._put_digest("outcome_said", 1, outcome.contents)

    def receive_outcome_chunk(self, chunk: RowsChunk) -> None:
        """Store the next chunk of the outcome; an earlier one with the same bytes is accepted.

        Raises:
            PeerError: UNKNOWN_ROUND, WRONG_STATE before the outcome's statement, BAD_SEQUENCE, BAD_COUNT, BAD_MESSAGE,
                ALTERED_CHUNK, BAD_COMMITMENT when the whole outcome is not what the collector signed.
        """
        with self._step(ThresholdEvent.RECEIVE_OUTCOME):
            self._check_header(chunk.header)
            if self._at.outcome == NONE:
                raise PeerError(
                    PeerCode.WRONG_STATE, "the collector's statement must come before the outcome"
                )
            layout, following = self._outcomes, self._at.outcome_chunks
            seen = self._check_chunk("outcome", chunk, layout, following, "outcome_digests")
            if seen is None:
                return
            self._put_digest("outcome_digests", following, seen)
            self._array("outcome")[layout.span(following)] = chunk.rows
            self._at.outcome_chunks += 1
            if self._at.outcome_chunks == layout.chunks:
                tables, contents = (row.tobytes() for row in self._array("outcome_said"))
                if self._at.outcome != digest(tables, contents):
                    raise workspace_damaged()
                if self._contents("outcome_digests") != contents:
                    raise PeerError(PeerCode.BAD_COMMITMENT, "the outcome is not the one that was signed")
                self._machine.fire(ThresholdEvent.OUTCOME_COMPLETE)

    def find(self) -> Indices:
        """The indices of own elements that at least t members hold, increasing; the same after a restart. Heavy.

        A bit for an empty bin is ignored: an error would disclose to the collector which bins are empty.

        Raises:
            StoreError: the workspace no longer holds what came.
        """
        with self._step(ThresholdEvent.FIND):
            outcome = self._array("outcome")
            for index in range(self._outcomes.chunks):
                self._intact("outcome", index, outcome[self._outcomes.span(index)])
            bins = self._context.shape.bins
            assignment = BinAssignment(self._derivation(), self._array("outputs"), bins)
            shared = [np.empty(0, dtype=np.int64)]
            # Every pair is processed, so the duration does not depend on the outcome.
            for pair in range(PAIRS):
                for side, winners in enumerate(assignment.pair(pair)):
                    bits = np.unpackbits(outcome[2 * pair + side], count=bins).view(np.bool_)
                    shared.append(winners[bits])
            elements = np.unique(np.concatenate(shared))
            return elements[elements >= 0]

    def countersign(self, receipt: Signed, tables: Sequence[Signed], now: int) -> bytes:
        """Check the collector's receipt, sign it and close; everything secret is wiped. 64 bytes, the same in every call.

        Args:
            receipt: with the collector's signature.
            tables: all members' commitments to their tables, which the receipt's transcript covers.
            now: seconds since 1970, UTC.

        Raises:
            PeerError: BAD_SIGNATURE, BAD_RECEIPT, BAD_MESSAGE, BAD_COUNT, BAD_COMMITMENT, those of another threshold.
        """
        with self._step(Event.COUNTERSIGN):
            payloads = self._check_tables(tables)
            if digest(payloads[self._place]) != self._at.tables:
                raise PeerError(PeerCode.BAD_RECEIPT, "the receipt covers other tables of this member")
            key = self._key(self._context.collector)
            ThresholdReceiptTerms.check(receipt, key, self._transcript(tables), self._context, now=now)
            seen = digest(receipt.payload)
            if self.state is ThresholdState.CLOSED and seen != self._at.receipt:
                raise PeerError(PeerCode.BAD_RECEIPT, "another receipt was signed for this threshold")
            self._at.receipt = seen
            own = sign(self._signer, RECEIPT_TYPE, receipt.payload).signature
            self._wipe()
            return own

    def _derivation(self) -> ShareDerivation:
        return ShareDerivation(self._context.digest, self._context.shape)

    def _commitment(self) -> bytes:
        contents = digest(b"blinded", self._array("blinded_digests").tobytes())
        count = self._context.elements[self._place]
        return ThresholdCommitment(self._agency, count, contents).payload(self._context)

    def _tables_statement(self) -> bytes:
        contents = self._contents("table_digests")
        return TablesStatement(self._agency, self._at.commitments, contents).payload(self._context)

    def _table_rows(self, index: int) -> Bytes2D:
        return self._array("table")[self._tables.span(index)]

    def _check_restored(self) -> None:
        """After a restart, compare the workspace with the checkpoint. StoreError: they differ."""
        if not self._restored():
            return
        if self._at.own != NONE and digest(self._commitment()) != self._at.own:
            raise workspace_damaged()
        if self._at.commitments != NONE:
            # Each member's commitment follows from its chunks' digests: nothing else is stored.
            payloads = [self._commitment_of(place) for place in range(len(self._context.members))]
            if joint_digest("commitments", payloads) != self._at.commitments:
                raise workspace_damaged()
        if self._at.tables != NONE and digest(self._tables_statement()) != self._at.tables:
            raise workspace_damaged()
