"""The collector's side of one threshold: calls every member, forwards their messages to each other, finds the shared keys.

Checkpoint, then send, as on an edge. Every call to a member can be repeated, and forwarded messages are not stored here.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

from blindmatch.node.node import Node
from blindmatch.node.rounds.driver import SetLater, checkpoint_due
from blindmatch.node.rounds.outbound import OutboundDriver
from blindmatch.node.rounds.rows import retained_until
from blindmatch.node.rounds.tasks import together
from blindmatch.node.rounds.threshold import inputs as threshold_inputs
from blindmatch.node.rounds.threshold import tally
from blindmatch.node.rounds.threshold.inputs import CompiledThreshold
from blindmatch.node.rounds.threshold.member import LocalMember
from blindmatch.node.rounds.threshold.members import RemoteMember, naming
from blindmatch.node.rounds.threshold.tally import Tally
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.store import EdgeRow
from blindmatch.protocol.agreement import Agreement
from blindmatch.protocol.session.messages import BlindedChunk
from blindmatch.protocol.threshold.collector import Collector
from blindmatch.protocol.threshold.messages import CommittedChunks
from blindmatch.protocol.threshold.reconstruct import SharedElements
from blindmatch.protocol.threshold.statements import ThresholdReceiptTerms
from blindmatch.protocol.threshold.transitions import ThresholdState
from blindmatch.protocol.transcript import Signed

MemberNode = RemoteMember | LocalMember
"""A member's node."""


class CollectorDriver(OutboundDriver[Collector]):
    """One threshold on which this node is the collector. See `OutboundDriver`."""

    agreed = SetLater[CompiledThreshold]("the members' rates were not exchanged")
    """What all parties compiled."""

    def __init__(self, node: Node, row: EdgeRow, agreement: Agreement, **arguments: Any) -> None:
        super().__init__(node, row, agreement, **arguments)
        self._terms = threshold_inputs.terms_of(agreement, row)
        self._forwarded = 0

    @property
    def elements(self) -> tuple[int, int]:
        """No elements of our own, and the members' in total; zeros before they are known."""
        return 0, sum(self.agreed.context.elements) if "agreed" in vars(self) else 0

    @property
    def progress(self) -> object:
        """See `OutboundDriver.progress`."""
        if self._session is None:
            return len(self._node.store.statements(*self.key))
        session = self._session
        return session.state, session.progress, self._forwarded

    @property
    def expected(self) -> Mapping[str, float]:
        """See `OutboundDriver.expected`; leads over all pairs of members."""
        return self.agreed.expected if "agreed" in vars(self) else {}

    @classmethod
    def result_text(cls, node: Node, row: EdgeRow) -> str:
        """See `OutboundDriver.result_text`."""
        stored = tally.load(node, row.round_id, row.edge)
        return stored.text if stored else ""

    @classmethod
    def receipt_elements(cls, agreement: Agreement, row: EdgeRow) -> tuple[int, int]:
        """See `OutboundDriver.receipt_elements`."""
        context = threshold_inputs.context_of(agreement, row)
        return 0, sum(ThresholdReceiptTerms.parse(row.receipt, context).elements)

    async def agree_keys(self) -> None:
        """See `OutboundDriver.agree_keys`; the statements of all members."""
        stored = await self._in_thread(self._node.store.statements, *self.key)
        missing = [member for member in self._terms.agencies if member not in stored]
        if missing:
            async with self._members(missing) as members:
                await self._each(members, self._fetch_rates)
            stored = await self._in_thread(self._node.store.statements, *self.key)
        rates = tuple(stored[member] for member in self._terms.agencies)
        self.agreed = await self._in_thread(
            threshold_inputs.compile_threshold_keys, self._agreement, self.row, rates
        )

    def _start(self, row: EdgeRow) -> Collector:
        context = self.agreed.context
        keys = threshold_inputs.keys_of(self._agreement, context)
        return Collector(context, keys=keys, **self._base_terms(row))

    async def _drive(self) -> None:
        session = self.session
        async with self._members(self._terms.agencies) as members:
            if session.state in {ThresholdState.PREPARING, ThresholdState.EXCHANGING}:
                # Members that were restarted build their sessions again from the same statements.
                await self._each(members, self._commit)
                await self._check_in_force()
                await self._exchange(members)
                await self._check_in_force()
                await self._each(members, self._collect)
            if session.state is ThresholdState.COLLECTED:
                await self._search()
                await self._check_in_force()
            if (
                session.state is ThresholdState.MATCHED
            ):  # the receipt is signed when every member has its outcome
                await self._each(members, self._disclose)
            times = self.row.started_at, int(self._node.clock())
            receipt = await self._step(lambda live: live.receipt(*times), save=True)
            await self._each(members, partial(self._close, receipt=receipt))
        await self._step(self._finish)
        self._report("close", 1, 1)

    async def _fetch_rates(self, member: MemberNode) -> None:
        signed = await member.rates()
        place = self._terms.agencies.index(member.agency)
        context = threshold_inputs.context_of(self._agreement, self.row)
        await self._in_thread(
            threshold_inputs.read_rates, self._agreement, self._terms, context, place, signed
        )
        await self._in_thread(self._node.store.put_statement, *self.key, member.agency, signed)

    async def _commit(self, member: MemberNode) -> None:
        name = member.agency
        stored = await self._in_thread(self._node.store.statements, *self.key)
        async for each in member.join([stored[agency] for agency in self._terms.agencies]):
            if isinstance(each, CommittedChunks):
                await self._step(
                    partial(Collector.receive_commitment, member=name, committed=each), save=True
                )
            else:
                self._report("wait", *each)

    async def _exchange(self, members: Mapping[str, MemberNode]) -> None:
        """Forward each member's blinded chunks to all others, the evaluated chunks back, and the signatures for them."""
        commitments = await self._step(lambda live: live.commitments())
        progress: dict[str, dict[str, tuple[int, bool]]] = {}

        async def meet(member: MemberNode) -> None:
            others = [name for name in self._terms.agencies if name != member.agency]
            progress[member.agency] = dict(zip(others, await member.meet(commitments), strict=True))

        await self._each(members, meet)
        context = self.session.context
        total = sum(context.blinded(name, self._limits).chunks for name in context.members)
        await self._step(lambda live: live.begin_relay(), save=True)

        async def forward(member: MemberNode) -> None:
            name, received = member.agency, progress[member.agency]
            for index in range(context.blinded(name, self._limits).chunks):
                waiting = [members[other] for other, (chunks, _) in received.items() if chunks <= index]
                if waiting:
                    await self._check_in_force()
                    chunk = await member.blinded(index)
                    await self._step(partial(Collector.check_blinded, member=name, chunk=chunk))
                    await together(self._forward(member, other, chunk) for other in waiting)
                self._forwarded += 1
                self._report("exchange", min(self._forwarded, total), total)
            for other, (_, attested) in received.items():
                if not attested:
                    with naming(other):
                        signed = await members[other].attest(name)
                        check = partial(
                            Collector.check_attestation, evaluator=other, member=name, signed=signed
                        )
                        await self._step(check)
                    await member.deliver(other, signed)

        self._forwarded = 0
        await self._each(members, forward)

    async def _forward(self, owner: MemberNode, evaluator: MemberNode, chunk: BlindedChunk) -> None:
        """One chunk to a member that evaluates it, and back; a wrong answer is the evaluator's fault."""
        with naming(evaluator.agency):
            answer = await evaluator.evaluate(owner.agency, chunk)
            check = partial(
                Collector.check_evaluated, evaluator=evaluator.agency, member=owner.agency, chunk=answer
            )
            await self._step(check)
        await owner.deliver(evaluator.agency, answer)

    async def _collect(self, member: MemberNode) -> None:
        """One member's tables, from the first missing chunk on."""
        session, name = self.session, member.agency
        total = session.table_chunks * len(self._terms.members)
        async for each in member.build():
            if isinstance(each, Signed):
                await self._step(partial(Collector.receive_tables, member=name, signed=each), save=True)
            else:
                self._report("wait", *each)
        for index in range(session.received(name), session.table_chunks):
            rows = await member.cells(index)
            receive = partial(Collector.receive_table_chunk, member=name, chunk=rows)
            await self._step(receive, save=checkpoint_due(index, session.table_chunks))
            self._report("tags", min(session.progress, total), total)

    async def _search(self) -> None:
        session = self.session
        remaining, done = iter(range(session.table_chunks)), 0

        async def lane() -> None:
            nonlocal done
            for index in remaining:
                await self._in_thread(session.search_chunk, index)
                done += 1
                self._report("search", done, session.table_chunks)

        await together(lane() for _ in range(self._engine.lanes))
        await self._step(self._store_tally)

    def _store_tally(self, session: Collector) -> None:
        """Find the shared keys, store the number for our officers, then the checkpoint."""
        shared: SharedElements = session.find()
        terms, node = self._terms, self._node
        count = len(shared) // terms.band * terms.band if len(shared) else None
        number = Tally(count, terms.minimum_count, terms.band, terms.at_least, len(terms.members))
        expires = retained_until(node, self._agreement)
        node.store.put_tally(*self.key, number.to_json(), expires)
        self._save(session)

    async def _disclose(self, member: MemberNode) -> None:
        """Send a member its own outcome: always all of it, so that nothing shows whether it is empty."""
        name = member.agency
        # Write the audit entry first; it is the same for every outcome.
        record = partial(self._node.audit.round_event, AuditEvent.DISCLOSURE, "told", recipient=name)
        await self._in_thread(record, self.key)
        await member.tell(await self._step(lambda live: live.outcome(name)))
        for index in range(self.session.outcome_chunks):
            await member.tell(await self._step(partial(Collector.outcome_chunk, member=name, index=index)))

    async def _close(self, member: MemberNode, receipt: Signed) -> None:
        tables = await self._step(lambda live: live.table_statements())
        signature = await member.sign(receipt, tables)
        await self._step(lambda live: live.receive_signature(member.agency, signature))

    def _finish(self, session: Collector) -> None:
        self._record_close(
            session.receipt_payload,
            session.signatures,
            recipient=self._node.agency,
            members=len(self._terms.members),
        )

    def _done_of_total(self, session: Collector) -> tuple[int, int]:
        total = session.table_chunks * len(self._terms.members)
        return min(session.progress, total), total

    @asynccontextmanager
    async def _members(self, names: Sequence[str]) -> AsyncIterator[dict[str, MemberNode]]:
        """These members' nodes, this node among them where it is a member too."""
        async with AsyncExitStack() as stack:
            members: dict[str, MemberNode] = {}
            for name in names:
                if name == self._node.agency:
                    local = LocalMember.opened(
                        self._node,
                        self._agreement,
                        self.row,
                        pool=self._pool,
                        engine=self._engine,
                        limits=self._limits,
                    )
                    members[name] = await stack.enter_async_context(local)
                    continue
                with naming(name):
                    peer = await stack.enter_async_context(self._connect(name))
                members[name] = RemoteMember(peer, self.row, self._terms.side(name).max_elements)
            yield members

    async def _each(
        self, members: Mapping[str, MemberNode], work: Callable[[MemberNode], Awaitable[None]]
    ) -> None:
        """The same with every member at the same time; a failure names the member, and the gravest is raised."""

        async def one(member: MemberNode) -> None:
            with naming(member.agency):
                await work(member)

        await together(one(member) for member in members.values())
