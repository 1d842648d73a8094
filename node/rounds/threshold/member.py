"""A member's side of one threshold of one round: the session, its files and its row in the store, one step at a time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Unpack

from blindmatch.node.agreements import bindings, registry
from blindmatch.node.node import Node
from blindmatch.node.rounds.driver import SetLater, WorkerContext
from blindmatch.node.rounds.inbound import store_new
from blindmatch.node.rounds.inbound_session import InboundSession
from blindmatch.node.rounds.inputs import PreparedInputs
from blindmatch.node.rounds.leads import build_shared_leads
from blindmatch.node.rounds.rows import retained_until
from blindmatch.node.rounds.threshold import codec
from blindmatch.node.rounds.threshold import inputs as threshold_inputs
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.store import CLOSED, EdgeRow
from blindmatch.node.transport.metrics import Metrics
from blindmatch.protocol.agreement import Agreement
from blindmatch.protocol.errors import AgreementError, PeerCode, PeerError, SequenceError
from blindmatch.protocol.session.messages import BlindedChunk, EvaluatedChunk, Header, RowsChunk
from blindmatch.protocol.threshold.member import Member
from blindmatch.protocol.threshold.messages import CommittedChunks
from blindmatch.protocol.threshold.share_tables import PAIRS
from blindmatch.protocol.threshold.transitions import ThresholdRole, ThresholdState
from blindmatch.protocol.transcript import Signed

PAIRS_PER_CHECKPOINT = 9
"""Pairs of tables, a third of them: a crash costs at most this much work."""


def new_row(node: Node, agreement: Agreement, agreement_id: bytes, header: Header) -> EdgeRow:
    """The row of a threshold that a collector starts, not stored yet.

    Raises:
        LocalError, AgreementError: no collection fits.
    """
    collection = bindings.collection_for(node, registry.find(node, agreement_id), header.edge)
    return EdgeRow(
        round_id=header.round_id,
        edge=threshold_inputs.row_name(agreement, header.edge, ThresholdRole.MEMBER, node.agency),
        agreement_id=agreement_id,
        role=ThresholdRole.MEMBER.value,
        peer=agreement.collector,
        collection_id=collection.id,
        state=ThresholdState.PREPARING.value,
        started_at=int(node.clock()),
    )


def stated_rates(node: Node, agreement: Agreement, row: EdgeRow) -> Signed:
    """Our statement of rates, stored before it is sent; the same for every call."""
    key = (row.round_id, row.edge)
    stored = node.store.statements(*key).get(node.agency)
    if stored is not None:
        return stored
    signed = threshold_inputs.state_rates(node, agreement, row)
    node.store.put_statement(*key, node.agency, signed)
    return signed


def accept_rates(node: Node, agreement: Agreement, row: EdgeRow, rates: Sequence[Signed]) -> None:
    """Check the statements of all members and store them: a round accepts only one set of statements.

    Raises:
        PeerError: see `compile_threshold_keys`; BAD_COMMITMENT when our statement differs, or others were accepted before.
        AgreementError: no key is specific enough for these lists; the threshold has failed.
    """
    key = (row.round_id, row.edge)
    members = threshold_inputs.terms_of(agreement, row).agencies
    stored = node.store.statements(*key)
    if node.agency not in stored:
        raise PeerError(PeerCode.WRONG_STATE, "our own rates were not requested yet")
    try:
        threshold_inputs.compile_threshold_keys(agreement, row, tuple(rates))
    except AgreementError as error:
        # The collector computes the same from the same statements, and ends the round.
        node.store.fail(*key, code="agreement", reason=error.message)
        raise
    for agency, signed in zip(members, rates, strict=True):
        if stored.get(agency, signed) != signed:
            raise PeerError(PeerCode.BAD_COMMITMENT, f"this round began with other rates of {agency}")
    for agency, signed in zip(members, rates, strict=True):
        node.store.put_statement(*key, agency, signed)


def stored_rates(node: Node, agreement: Agreement, row: EdgeRow) -> tuple[Signed, ...] | None:
    """The statements of all members, in the threshold's order; None before all are stored."""
    stored = node.store.statements(row.round_id, row.edge)
    members = threshold_inputs.terms_of(agreement, row).agencies
    return None if any(agency not in stored for agency in members) else tuple(stored[a] for a in members)


class MemberDriver(InboundSession[Member]):
    """One threshold of one round, held while a collector runs it. See `InboundSession`."""

    _inputs = SetLater[PreparedInputs]("our elements were not prepared")
    _table_task: "asyncio.Task[None] | None" = None

    def prepare(self) -> None:
        """Start to blind our elements in the background, once; the rates of all members are in the store."""
        self._prepare_once(self._prepare)

    async def commitment(self) -> CommittedChunks:
        """Our commitment, after the preparation has ended."""
        return await self._answer(lambda session: session.commit())

    async def meet(self, commitments: Sequence[CommittedChunks]) -> list[tuple[int, bool]]:
        """Receive the commitments of all members; when the evaluations are complete they are no longer checked.

        Returns:
            For each other member, how many leading chunks of our elements it has evaluated, and whether it has signed.
        """

        def work(session: Member) -> list[tuple[int, bool]]:
            if session.state in {
                ThresholdState.COMMITTED,
                ThresholdState.EXCHANGING,
                ThresholdState.EVALUATED,
            }:
                session.receive_commitments(commitments)
            return [session.received(other) for other in session.others]

        return await self._answer(work)

    async def blinded(self, index: int) -> BlindedChunk:
        """One chunk of our blinded elements."""
        return await self._answer(lambda session: session.blinded_chunk(index), save=False)

    async def evaluate(self, member: str, chunk: BlindedChunk) -> EvaluatedChunk:
        """Evaluate another member's committed chunk; the checkpoint is stored on return."""
        answer = await self._answer(lambda session: session.evaluate(member, chunk))
        self._metrics.elements.labels("evaluated").inc(len(answer.points))
        return answer

    async def attest(self, member: str) -> Signed:
        """Our signature for our evaluation of a member's elements."""
        return await self._answer(lambda session: session.attest(member))

    async def deliver(self, member: str, body: EvaluatedChunk | Signed) -> None:
        """A chunk that another member evaluated for us, or finally its signature."""

        def work(session: Member) -> None:
            if isinstance(body, Signed):
                session.receive_attestation(member, body)
            else:
                session.receive_evaluated(member, body)

        await self._answer(work)

    async def build(self) -> AsyncIterator[tuple[int, int] | Signed]:
        """(pairs of tables done, in total) while they are built in the background, then our commitment to them.

        Raises:
            PeerError: WRONG_STATE before all members have evaluated our elements.
        """
        await asyncio.shield(self._preparing())
        if self.session.state is ThresholdState.EXCHANGING:
            raise PeerError(PeerCode.WRONG_STATE, "not every member has evaluated our elements")
        if self._table_task is None:
            self._table_task = self._in_background(self._build_tables())

        def count() -> tuple[int, int]:
            session = self._session
            return (session.built, PAIRS) if session else (0, PAIRS)

        async for each in self._progress_of(self._table_task, count):
            yield each
        await asyncio.shield(self._table_task)
        yield await self._answer(lambda session: session.commit_tables())

    async def cells(self, index: int) -> RowsChunk:
        """One chunk of our tables."""
        return await self._answer(lambda session: session.table_chunk(index), save=False)

    async def receive_outcome(self, header: Header, body: bytes | Signed) -> None:
        """The collector's statement of the outcome, or a part of it; with the last part our leads are computed and stored."""

        def work(session: Member) -> None:
            if isinstance(body, Signed):
                session.receive_outcome(body)
                return
            before = session.state
            session.receive_outcome_chunk(codec.outcome_rows(header, body, session.context))
            if before is ThresholdState.COLLECTING and session.state is ThresholdState.MATCHED:
                self._store_leads(session)

        await self._answer(work)

    async def countersign(self, receipt: Signed, tables: Sequence[Signed]) -> bytes:
        """Sign the collector's receipt, store it, and wipe all secrets. 64 bytes.

        Raises:
            PeerError: BAD_RECEIPT, BAD_SIGNATURE or WRONG_STATE.
        """

        def work(session: Member) -> bytes:
            signature = session.countersign(receipt, tables, int(self._node.clock()))
            signatures = {self.row.peer: receipt.signature, self._node.agency: signature}
            self._record_close(receipt.payload, signatures, recipient=self.row.peer)
            return signature

        return await self._answer(work, save=False)

    async def _prepare(self) -> None:
        await self._build_session()
        session = self.session
        if session.state in {ThresholdState.PREPARING, ThresholdState.COMMITTED, ThresholdState.EXCHANGING}:
            await self._prepare_elements(session)
            await self._step(lambda live: live.commit(), save=True)

    async def _build_tables(self) -> None:
        session = self.session
        if session.state is not ThresholdState.EVALUATED:
            return
        for index in range(session.unblinded, session.chunks):
            await self._in_thread(session.unblind_chunk, index)
            self._advance()
        await self._step(self._save)
        for pair in range(session.built, PAIRS):
            due = (pair + 1) % PAIRS_PER_CHECKPOINT == 0
            await self._step(partial(Member.build_pair, pair=pair), save=due)
            self._advance()

    def _start(self, row: EdgeRow) -> Member:
        node = self._node
        rates = stored_rates(node, self._agreement, row)
        if rates is None:
            raise SequenceError("the members' rates were not exchanged")
        agreed = threshold_inputs.compile_threshold_keys(self._agreement, row, rates)
        self._inputs = threshold_inputs.prepare_inputs(
            node, self._agreement, row, agreed, self._files.scratch
        )
        keys = threshold_inputs.keys_of(self._agreement, agreed.context)
        return Member(agreed.context, elements=self._inputs.elements, keys=keys, **self._base_terms(row))

    def _store_leads(self, session: Member) -> None:
        """Compute our leads and store them, before the checkpoint that depends on them."""
        node, inputs = self._node, self._inputs
        terms = threshold_inputs.terms_of(self._agreement, self.row)
        held_by = f"at least {terms.at_least} of {len(terms.members)} agencies"
        leads = build_shared_leads(inputs, session.find().tolist(), held_by=held_by, edge=self.row.edge)
        expires = retained_until(node, self._agreement)
        node.store.put_leads(*self.key, [lead.to_json() for lead in leads], expires)
        node.audit.round_event(
            AuditEvent.COMBINATION,
            "told",
            self.key,
            recipient=node.agency,
            collector=self.row.peer,
            leads=len(leads),
        )

    def _done_of_total(self, session: Member) -> tuple[int, int]:
        return session.answered


class LocalMember(MemberDriver):
    """This node's own membership, for a collector that is also a member: the methods of `RemoteMember`."""

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, node: Node, agreement: Agreement, row: EdgeRow, **context: Unpack[WorkerContext]
    ) -> AsyncIterator["LocalMember"]:
        """This node's membership in a threshold that it collects; started unless it is stored.

        Args:
            node: this node.
            agreement: checked.
            row: the collector's.
            context: see `WorkerContext`.
        """
        name = threshold_inputs.row_name(agreement, row.edge, ThresholdRole.MEMBER, node.agency)
        own = await asyncio.to_thread(node.store.find_edge, row.round_id, name)
        if own is None:
            own = await asyncio.to_thread(_start_own, node, agreement, row)
        member = cls(node, own, agreement, metrics=Metrics(), on_retire=lambda _member: None, **context)
        try:
            yield member
        finally:
            await member.stop()

    @property
    def agency(self) -> str:
        """This node's."""
        return self._node.agency

    async def rates(self) -> Signed:
        """See `RemoteMember`; likewise below."""
        return await self._in_thread(stated_rates, self._node, self._agreement, self.row)

    async def join(self, rates: Sequence[Signed]) -> AsyncIterator[tuple[int, int] | CommittedChunks]:
        await self._in_thread(accept_rates, self._node, self._agreement, self.row, rates)
        self.prepare()
        async for each in self.progress():
            yield each
        yield await self.commitment()

    async def tell(self, body: RowsChunk | Signed) -> None:
        self.prepare()
        if isinstance(body, Signed):
            name = threshold_inputs.terms_of(self._agreement, self.row).id
            await self.receive_outcome(Header(self.row.round_id, name, 0), body)
        else:
            await self.receive_outcome(body.header, body.rows.tobytes())

    async def sign(self, receipt: Signed, tables: Sequence[Signed]) -> bytes:
        """Our signature; the stored one, if our side has closed already."""
        row = await self._in_thread(self._node.store.edge, *self.key)
        if row.state == CLOSED:
            return row.signatures[self.agency]
        self.prepare()
        return await self.countersign(receipt, tables)


def _start_own(node: Node, agreement: Agreement, row: EdgeRow) -> EdgeRow:
    """Store our membership in the threshold of a collector's row."""
    own = new_row(node, agreement, row.agreement_id, Header(row.round_id, row.edge, 0))
    return store_new(node, own, agreement, disclosure="threshold")
