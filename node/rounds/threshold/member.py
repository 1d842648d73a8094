"""A member's part of one threshold of one round: the session, its files and its row in the store, one step at a time."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Unpack

from blindmatch.node.agreements import bindings, registry
from blindmatch.node.node import Node
from blindmatch.node.rounds.driver import WorkerContext, retrieve
from blindmatch.node.rounds.inbound_session import InboundSession
from blindmatch.node.rounds.leads import assemble_shared
from blindmatch.node.rounds.threshold import codec as convert
from blindmatch.node.rounds.threshold import inputs as threshold_inputs
from blindmatch.node.rounds.threshold.inputs import CompiledThreshold, ThresholdInputs
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.store import CLOSED, EdgeRow
from blindmatch.node.transport.metrics import Metrics
from blindmatch.protocol.agreement import Agreement
from blindmatch.protocol.errors import AgreementError, PeerCode, PeerError, SequenceError
from blindmatch.protocol.limits import SEED_BYTES
from blindmatch.protocol.session.messages import BlindedChunk, EvaluatedChunk, Header
from blindmatch.protocol.session.workspace import Workspace
from blindmatch.protocol.threshold import Committed, Member, Rows, ThresholdRole, ThresholdState
from blindmatch.protocol.threshold.share_tables import PAIRS
from blindmatch.protocol.transcript import Signed

PAIRS_PER_CHECKPOINT = 9
"""Pairs of tables, a third of them: a crash costs so much work."""


def begin(node: Node, agreement: Agreement, agreement_id: bytes, round_id: bytes, threshold: str) -> EdgeRow:
    """Store a new threshold with its seed, before anything of it is sent.

    Raises:
        PeerError: BUDGET_SPENT.
        LocalError, AgreementError: no collection fits.
    """
    collection = bindings.collection_for(node, registry.find(node, agreement_id), threshold)
    row = EdgeRow(
        round_id=round_id,
        edge=threshold_inputs.row_name(agreement, threshold, ThresholdRole.MEMBER, node.agency),
        agreement_id=agreement_id,
        role=ThresholdRole.MEMBER.value,
        peer=agreement.collector,
        collection_id=collection.id,
        state=ThresholdState.PREPARING.value,
        started_at=int(node.clock()),
    )
    # The log first: were it written second and could not be, the collector would only have to ask again.
    node.audit.round_event(
        AuditEvent.DISCLOSURE,
        "opened",
        (row.round_id, row.edge),
        recipient=row.peer,
        agreement=agreement_id.hex(),
        collection=row.collection_id,
        disclosure="threshold",
    )
    node.store.start_edge(row, os.urandom(SEED_BYTES), rounds_budget=agreement.rounds_budget)
    return node.store.edge(row.round_id, row.edge)


def state(node: Node, agreement: Agreement, row: EdgeRow) -> Signed:
    """Our statement of rates, kept before it is sent; the same whenever it is asked for."""
    key = (row.round_id, row.edge)
    kept = node.store.statements(*key).get(node.agency)
    if kept is not None:
        return kept
    signed = threshold_inputs.state_rates(node, agreement, row)
    node.store.put_statement(*key, node.agency, signed)
    return signed


def accept(node: Node, agreement: Agreement, row: EdgeRow, rates: Sequence[Signed]) -> CompiledThreshold:
    """Check everybody's statements and keep them: only one set of them is ever accepted in a round.

    Raises:
        PeerError: see `circle.agreed`; BAD_COMMITMENT when ours is another, or others were accepted before.
        AgreementError: no key is specific enough for these lists; the threshold has failed.
    """
    key = (row.round_id, row.edge)
    terms = threshold_inputs.terms_of(agreement, row)
    kept = node.store.statements(*key)
    if node.agency not in kept:
        raise PeerError(PeerCode.WRONG_STATE, "our own rates were not asked for yet")
    try:
        made = threshold_inputs.compile_agreed(agreement, row, tuple(rates))
    except AgreementError as error:
        # The collector finds the same from the same statements, and so ends the round.
        node.store.fail(*key, code="agreement", reason=error.message)
        raise
    for agency, signed in zip(terms.agencies, rates, strict=True):
        if kept.get(agency, signed) != signed:
            raise PeerError(PeerCode.BAD_COMMITMENT, f"this round began with other rates of {agency}")
    for agency, signed in zip(terms.agencies, rates, strict=True):
        node.store.put_statement(*key, agency, signed)
    return made


class MemberDriver(InboundSession[Member]):
    """One threshold of one round, held while a collector works on it. See `Served` for what it is made of."""

    _brought: ThresholdInputs | None = None
    _building: "asyncio.Task[None] | None" = None

    @property
    def agency(self) -> str:
        """This node's."""
        return self._node.agency

    @property
    def names(self) -> tuple[bytes, str]:
        """Round and threshold, as messages say them."""
        return self.row.round_id, threshold_inputs.terms_of(self._agreement, self.row).id

    def stored(self) -> EdgeRow:
        """The row as it stands now."""
        return self._node.store.edge(*self.key)

    async def state(self) -> Signed:
        """Our rates; see `state`."""
        return await self._in_pool(state, self._node, self._agreement, self.row)

    async def accept(self, rates: Sequence[Signed]) -> None:
        """Everybody's rates; see `accept`."""
        await self._in_pool(accept, self._node, self._agreement, self.row, rates)

    def prepare(self) -> None:
        """Begin to blind our elements in the background, once; everybody's rates are in the store."""
        self._begin(self._prepare)

    async def progress(self) -> AsyncIterator[tuple[int, int]]:
        """(chunks done, chunks in all) until every own chunk is blinded, whichever way that ends."""

        def count() -> tuple[int, int]:
            session = self._session
            return (session.prepared, session.chunks) if session else (0, 0)

        async for each in self._until(self._task(), count):
            yield each

    async def committed(self) -> Committed:
        """Our commitment, once the preparation has ended."""
        return await self._asked(lambda session: session.commit())

    async def meet(self, everybody: Sequence[Committed]) -> list[tuple[int, bool]]:
        """Take everybody's commitments; how much of what each other member evaluates for us is here already.

        After the evaluations are complete the commitments are not looked at any more.
        """

        def work(session: Member) -> list[tuple[int, bool]]:
            if session.state in {
                ThresholdState.COMMITTED,
                ThresholdState.EXCHANGING,
                ThresholdState.EVALUATED,
            }:
                session.receive_commitments(everybody)
            return [session.received(other) for other in session.others]

        return await self._asked(work)

    async def blinded(self, index: int) -> BlindedChunk:
        """One chunk of our blinded elements."""
        return await self._asked(lambda session: session.blinded_chunk(index), save=False)

    async def evaluate(self, member: str, chunk: BlindedChunk) -> EvaluatedChunk:
        """Evaluate another member's committed chunk; the checkpoint is stored on return."""
        answer = await self._asked(lambda session: session.evaluate(member, chunk))
        self._metrics.elements.labels("evaluated").inc(len(answer.points))
        return answer

    async def attest(self, member: str) -> Signed:
        """Our signature for what we made of a member's elements."""
        return await self._asked(lambda session: session.attest(member))

    async def deliver(self, member: str, body: EvaluatedChunk | Signed) -> None:
        """A chunk that another member evaluated for us, or at last its signature."""

        def work(session: Member) -> None:
            if isinstance(body, Signed):
                session.receive_attestation(member, body)
            else:
                session.receive_evaluated(member, body)

        await self._asked(work)

    async def build(self) -> AsyncIterator[tuple[int, int] | Signed]:
        """(pairs of tables done, in all) while they are built in the background, then our commitment to them.

        Raises:
            PeerError: WRONG_STATE before everybody evaluated our elements.
        """
        await asyncio.shield(self._task())
        if self.session.state is ThresholdState.EXCHANGING:
            raise PeerError(PeerCode.WRONG_STATE, "not every member has evaluated our elements")
        if self._building is None:
            self._building = asyncio.create_task(self._prepared(self._build_tables()))
            self._building.add_done_callback(retrieve)

        def count() -> tuple[int, int]:
            session = self._session
            return (session.built, PAIRS) if session else (0, PAIRS)

        async for each in self._until(self._building, count):
            yield each
        await asyncio.shield(self._building)
        yield await self._asked(lambda session: session.commit_tables())

    async def cells(self, index: int) -> Rows:
        """One chunk of our tables."""
        return await self._asked(lambda session: session.table_chunk(index), save=False)

    async def tell(self, header: Header, body: bytes | Signed) -> None:
        """The collector's word for the outcome, or a part of it; with the last part our leads are found and kept."""

        def work(session: Member) -> None:
            if isinstance(body, Signed):
                session.receive_outcome(body)
                return
            before = session.state
            session.receive_outcome_chunk(convert.outcome_rows(header, body, session.context))
            if before is ThresholdState.COLLECTING and session.state is ThresholdState.MATCHED:
                self._find(session)

        await self._asked(work)

    async def countersign(self, receipt: Signed, tables: Sequence[Signed]) -> bytes:
        """Sign the collector's receipt, store it and wipe what is secret. 64 bytes.

        Raises:
            PeerError: BAD_RECEIPT, BAD_SIGNATURE or WRONG_STATE.
        """

        def work(session: Member) -> bytes:
            signature = session.countersign(receipt, tables, int(self._node.clock()))
            node, row = self._node, self.row
            signatures = {row.peer: receipt.signature, node.agency: signature}
            # The log first: a crash in between makes it say something twice, never leave something out.
            self._note("closed", recipient=row.peer)
            node.store.finish(*self.key, receipt=receipt.payload, signatures=signatures)
            self._files.erase()
            return signature

        return await self._asked(work, save=False)

    async def stop(self) -> None:
        """Stop what goes on in the background, and wait for the step under way."""
        if self._building is not None:
            self._building.cancel()
            await asyncio.wait({self._building})
        await super().stop()

    @property
    def idle_seconds(self) -> float:
        """Seconds since somebody last asked, 0 while something is being prepared."""
        return 0.0 if self._building is not None and not self._building.done() else super().idle_seconds

    async def _prepare(self) -> None:
        await self._built()
        session = self.session
        if session.state in {ThresholdState.PREPARING, ThresholdState.COMMITTED, ThresholdState.EXCHANGING}:
            await self._lanes(session, self._move)
            self._metrics.elements.labels("prepared").inc(session.chunks)
            await self._alone(lambda live: live.commit(), save=True)

    async def _build_tables(self) -> None:
        session = self.session
        if session.state is not ThresholdState.EVALUATED:
            return
        for index in range(session.finished, session.chunks):
            await self._in_pool(session.finish_chunk, index)
            self._move()
        await self._alone(self._save)
        for pair in range(session.built, PAIRS):
            due = (pair + 1) % PAIRS_PER_CHECKPOINT == 0
            await self._alone(_pair(pair), save=due)
            self._move()

    def _made(self, row: EdgeRow) -> Member:
        node, key = self._node, self.key
        kept = node.store.statements(*key)
        terms = threshold_inputs.terms_of(self._agreement, row)
        if any(agency not in kept for agency in terms.agencies):
            raise SequenceError("the members' rates were not exchanged")
        made = threshold_inputs.compile_agreed(
            self._agreement, row, tuple(kept[agency] for agency in terms.agencies)
        )
        self._brought = threshold_inputs.prepare_inputs(node, self._agreement, row, made, self._files.scratch)
        return Member(
            made.context,
            elements=self._brought.elements,
            seed=row.seed,
            signer=node.keys.identity,
            keys=threshold_inputs.keys_of(self._agreement, made.context),
            workspace=Workspace(self._files.allocate),
            limits=self._limits,
            snapshot=row.snapshot or None,
        )

    def _find(self, session: Member) -> None:
        """Find our leads and keep them, before the checkpoint that says so."""
        node, brought = self._node, self._brought
        if brought is None:
            raise SequenceError("our elements were not prepared")
        terms = threshold_inputs.terms_of(self._agreement, self.row)
        held_by = f"at least {terms.at_least} of {len(terms.members)} agencies"
        leads = assemble_shared(brought, session.find().tolist(), held_by=held_by, edge=self.row.edge)
        expires = int(node.clock()) + self._agreement.retention_days * 86_400
        node.store.put_leads(*self.key, [lead.to_json() for lead in leads], expires)
        node.audit.round_event(
            AuditEvent.COMBINATION,
            "told",
            self.key,
            recipient=node.agency,
            collector=self.row.peer,
            leads=len(leads),
        )

    def _save(self, session: Member) -> None:
        snapshot = session.snapshot()
        self._files.flush()
        done, total = session.answered
        self._node.store.checkpoint(
            *self.key, state=session.state.value, snapshot=snapshot, done=done, total=total
        )


def _pair(number: int) -> Callable[[Member], None]:
    return lambda session: session.build_pair(number)


class LocalMember:
    """This node's own membership, for a collector that is a member too; what `collecting.Door` asks for.

    Args:
        work: our membership in the round.
        agreement: checked.
    """

    def __init__(self, work: MemberDriver, agreement: Agreement) -> None:
        self._work = work
        self._agreement = agreement

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, node: Node, agreement: Agreement, row: EdgeRow, **means: Unpack[WorkerContext]
    ) -> AsyncIterator["LocalMember"]:
        """The door of this node for a threshold that it collects; begins the membership when that is new.

        Args:
            node: this node.
            agreement: checked.
            row: the collector's.
            means: see `Means`.
        """
        name = threshold_inputs.row_name(agreement, row.edge, ThresholdRole.MEMBER, node.agency)
        mine = await asyncio.to_thread(node.store.find_edge, row.round_id, name)
        if mine is None:
            mine = await asyncio.to_thread(begin, node, agreement, row.agreement_id, row.round_id, row.edge)
        work = MemberDriver(node, mine, agreement, metrics=Metrics(), gone=lambda _work: None, **means)
        try:
            yield cls(work, agreement)
        finally:
            await work.stop()

    @property
    def agency(self) -> str:
        """This node's."""
        return self._work.agency

    async def rates(self) -> Signed:
        """See `collecting.Door`; likewise below."""
        return await self._work.state()

    async def join(self, rates: Sequence[Signed]) -> AsyncIterator[tuple[int, int] | Committed]:
        await self._work.accept(rates)
        self._work.prepare()
        async for each in self._work.progress():
            yield each
        yield await self._work.committed()

    async def meet(self, everybody: Sequence[Committed]) -> list[tuple[int, bool]]:
        return await self._work.meet(everybody)

    async def blinded(self, index: int) -> BlindedChunk:
        return await self._work.blinded(index)

    async def evaluate(self, member: str, chunk: BlindedChunk) -> EvaluatedChunk:
        return await self._work.evaluate(member, chunk)

    async def attest(self, member: str) -> Signed:
        return await self._work.attest(member)

    async def deliver(self, member: str, body: EvaluatedChunk | Signed) -> None:
        await self._work.deliver(member, body)

    async def build(self) -> AsyncIterator[tuple[int, int] | Signed]:
        async for each in self._work.build():
            yield each

    async def cells(self, index: int) -> Rows:
        return await self._work.cells(index)

    async def tell(self, body: Rows | Signed) -> None:
        self._work.prepare()
        if isinstance(body, Signed):
            await self._work.tell(Header(*self._work.names, 0), body)
        else:
            await self._work.tell(body.header, body.rows.tobytes())

    async def sign(self, receipt: Signed, tables: Sequence[Signed]) -> bytes:
        """The signature; the one that was given before, where our side has closed already."""
        row = await asyncio.to_thread(self._work.stored)
        if row.state == CLOSED:
            return row.signatures[self.agency]
        self._work.prepare()
        return await self._work.countersign(receipt, tables)
