"""The collector's part of one threshold: calls every member, carries what they send each other, finds what is shared.

Checkpoint, then send, as on an edge. `drive` can be called again after any failure of the network, and by a new process after
a crash: every call to a member can be repeated, and what is carried is not kept here.
"""

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any, Unpack

from blindmatch.node.node import Node
from blindmatch.node.rounds.driver import CHUNKS_PER_CHECKPOINT, SessionDriver, WorkerContext
from blindmatch.node.rounds.leads import Tally
from blindmatch.node.rounds.receiver import Progress, worst
from blindmatch.node.rounds.threshold import inputs as threshold_inputs
from blindmatch.node.rounds.threshold.inputs import CompiledThreshold
from blindmatch.node.rounds.threshold.members import MemberNode, RemoteMember, naming
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.store import EdgeRow
from blindmatch.node.transport.client import Peer, connect
from blindmatch.protocol.agreement import Agreement
from blindmatch.protocol.errors import AgreementError, LocalError, PeerError, SequenceError
from blindmatch.protocol.session.messages import BlindedChunk, EvaluatedChunk
from blindmatch.protocol.session.workspace import Workspace
from blindmatch.protocol.threshold import Collector, Committed, Rows, Shared, ThresholdState
from blindmatch.protocol.transcript import Signed

Doors = Callable[[EdgeRow, str], AbstractAsyncContextManager[MemberNode] | None]
"""Gives the door of a member that is this very node, for the collector's row; None for every other member."""


class CollectorDriver(SessionDriver[Collector]):
    """One threshold on which this node is the collector. It has what the runner asks of a receiving edge.

    Args:
        node: this node.
        row: the threshold as stored, with seed and snapshot.
        agreement: checked.
        progress: told about every step.
        own: how to reach this node's own membership.
        means: see `Means`.
    """

    event = AuditEvent.COMBINATION

    def __init__(
        self,
        node: Node,
        row: EdgeRow,
        agreement: Agreement,
        *,
        progress: Progress,
        own: Doors,
        **means: Unpack[WorkerContext],
    ) -> None:
        super().__init__(node, row, agreement, **means)
        self.sent = 0
        self.received = 0
        self.leads = 0
        self._terms = threshold_inputs.terms_of(agreement, row)
        self._progress = progress
        self._own = own
        self._agreed: CompiledThreshold | None = None
        self._carried = 0

    @property
    def built(self) -> bool:
        """Whether there is a session."""
        return self._session is not None

    @property
    def elements(self) -> tuple[int, int]:
        """None of our own, and all that the members bring; zeros before they are known."""
        return 0, sum(self._agreed.context.elements) if self._agreed else 0

    @property
    def progress(self) -> object:
        """Another value whenever the threshold gets further."""
        if self._session is None:
            return len(self._node.store.statements(*self.key))
        session = self._session
        return session.state, session.done, self._carried

    @property
    def expected(self) -> dict[str, float]:
        """Keys, and true and false leads to expect over all pairs of members; empty before the keys are compiled."""
        if self._agreed is None:
            return {}
        compiled = self._agreed.compiled
        return {
            "keys": len(compiled.keys),
            "sender_records": sum(self._agreed.records),
            "expected_true": round(compiled.expected_true, 2),
            "expected_false": round(compiled.expected_false, 2),
        }

    async def introduce(self) -> None:
        """Everybody's rates, unless they came before, and the round's keys.

        Raises:
            PeerError: UNAVAILABLE, after which this may be called again; or the threshold has failed.
            AgreementError: no key is specific enough for these lists.
        """
        kept = await self._in_pool(self._node.store.statements, *self.key)
        missing = [member for member in self._terms.agencies if member not in kept]
        if missing:
            async with self._doors(missing) as doors:
                await self._each(doors, self._ask_rates)
            kept = await self._in_pool(self._node.store.statements, *self.key)
        rates = tuple(kept[member] for member in self._terms.agencies)
        self._agreed = await self._in_pool(threshold_inputs.compile_agreed, self._agreement, self.row, rates)

    async def build(self) -> None:
        """The session from seed, statements and snapshot.

        Raises:
            LocalError: the files are not what they were; or another process is at work on it, or has ended it.
        """

        def make() -> None:
            self._files.hold()
            # Read again now that nobody else can write: another process may have got further since.
            row = self.row = self._node.store.edge(*self.key)
            if not row.running:
                raise LocalError(
                    f"this edge of the round is {row.state}", hint="See `blindmatch round status`."
                )
            context = self._known.context
            self._session = Collector(
                context,
                seed=row.seed,
                signer=self._node.keys.identity,
                keys=threshold_inputs.keys_of(self._agreement, context),
                workspace=Workspace(self._files.allocate),
                limits=self._limits,
                snapshot=row.snapshot or None,
            )

        await self._in_pool(make)

    async def drive(self) -> None:
        """Everything that is left to do, from the state that the session is in.

        Raises:
            PeerError: UNAVAILABLE, after which this may be called again; or the threshold has failed.
        """
        session = self.session
        async with self._one_at_a_time:
            pass  # a step that an earlier, broken attempt left behind ends first
        async with self._doors(self._terms.agencies) as doors:
            if session.state in {ThresholdState.PREPARING, ThresholdState.EXCHANGING}:
                # Members that were restarted build themselves up again from the same statements.
                await self._each(doors, self._commit)
                await self._still()
                await self._exchange(doors)
                await self._still()
                await self._each(doors, self._collect)
            if session.state is ThresholdState.COLLECTED:
                await self._search()
                await self._still()
            if session.state is ThresholdState.MATCHED:  # the receipt is signed when everybody was told
                await self._each(doors, self._tell)
            times = self.row.started_at, int(self._node.clock())
            receipt = await self._alone(lambda live: live.receipt(*times), save=True)
            await self._each(doors, partial(self._close, receipt=receipt))
        await self._alone(self._finish)
        self._report("close", 1, 1)

    async def salvage(self) -> None:
        """Nothing is left to be found when a member does not sign."""

    def give_up(self, error: PeerError | AgreementError) -> None:
        """The threshold has failed: remember why, wipe its secrets, erase its files."""
        self._fail(error)

    @property
    def _known(self) -> CompiledThreshold:
        if self._agreed is None:
            raise SequenceError("the members' rates were not exchanged")
        return self._agreed

    async def _ask_rates(self, door: MemberNode) -> None:
        signed = await door.rates()
        place = self._terms.agencies.index(door.agency)
        context = threshold_inputs.context_of(self._agreement, self.row)
        await self._in_pool(threshold_inputs.read_rates, self._agreement, self._terms, context, place, signed)
        await self._in_pool(self._node.store.put_statement, *self.key, door.agency, signed)

    async def _commit(self, door: MemberNode) -> None:
        kept = await self._in_pool(self._node.store.statements, *self.key)
        async for each in door.join([kept[member] for member in self._terms.agencies]):
            if isinstance(each, Committed):
                await self._alone(partial(_take_commitment, member=door.agency, committed=each), save=True)
            else:
                self._report("wait", *each)

    async def _exchange(self, doors: Mapping[str, MemberNode]) -> None:
        """Each member's blinded chunks to all others, what they make of them back, and their signatures for it."""
        everybody = await self._alone(lambda live: live.commitments())
        there: dict[str, dict[str, tuple[int, bool]]] = {}

        async def meet(door: MemberNode) -> None:
            others = [member for member in self._terms.agencies if member != door.agency]
            there[door.agency] = dict(zip(others, await door.meet(everybody), strict=True))

        await self._each(doors, meet)
        context = self.session.context
        total = sum(context.chunks(member, self._limits) for member in context.members)
        await self._alone(lambda live: live.carrying(), save=True)

        async def carry(door: MemberNode) -> None:
            has = there[door.agency]
            for index in range(context.chunks(door.agency, self._limits)):
                waiting = [doors[other] for other, (chunks, _) in has.items() if chunks <= index]
                if waiting:
                    await self._still()
                    chunk = await door.blinded(index)
                    await self._alone(partial(_check, member=door.agency, chunk=chunk))
                    await _together(self._carry(door, other, chunk) for other in waiting)
                self._carried += 1
                self._report("exchange", min(self._carried, total), total)
            for other, (_, attested) in has.items():
                if not attested:
                    with naming(other):
                        signed = await doors[other].attest(door.agency)
                        await self._alone(
                            partial(_check_attestation, evaluator=other, member=door.agency, signed=signed)
                        )
                    await door.deliver(other, signed)

        self._carried = 0
        await self._each(doors, carry)

    async def _carry(self, mine: MemberNode, other: MemberNode, chunk: BlindedChunk) -> None:
        """One chunk to a member that evaluates it, and back; what is wrong with it is the evaluator's fault."""
        with naming(other.agency):
            answer = await other.evaluate(mine.agency, chunk)
            await self._alone(
                partial(_check_evaluated, evaluator=other.agency, member=mine.agency, chunk=answer)
            )
        await mine.deliver(other.agency, answer)

    async def _collect(self, door: MemberNode) -> None:
        """One member's tables, from where they stand."""
        session, member = self.session, door.agency
        total = session.table_chunks * len(self._terms.members)
        async for each in door.build():
            if isinstance(each, Signed):
                await self._alone(partial(_take_tables, member=member, signed=each), save=True)
            else:
                self._report("wait", *each)
        for index in range(session.received(member), session.table_chunks):
            rows = await door.cells(index)
            due = index + 1 == session.table_chunks or (index + 1) % CHUNKS_PER_CHECKPOINT == 0
            await self._alone(partial(_take_cells, member=member, rows=rows), save=due)
            self._report("tags", min(session.done, total), total)

    async def _search(self) -> None:
        session = self.session
        left, found = iter(range(session.table_chunks)), 0

        async def lane() -> None:
            nonlocal found
            for index in left:
                await self._in_pool(session.search_chunk, index)
                found += 1
                self._report("search", found, session.table_chunks)

        await _together(lane() for _ in range(self._engine.lanes))
        await self._alone(self._find)

    def _find(self, session: Collector) -> None:
        """Find, keep what officers are told, then remember that it was done."""
        shared: Shared = session.find()
        terms, node = self._terms, self._node
        count = len(shared) // terms.band * terms.band if len(shared) else None
        tally = Tally(count, terms.minimum_count, terms.band, terms.at_least, len(terms.members))
        expires = int(node.clock()) + self._agreement.retention_days * 86_400
        node.store.put_tally(*self.key, tally.to_json(), expires)
        self._save(session)

    async def _tell(self, door: MemberNode) -> None:
        """One member its own outcome: always all of it, so that nothing tells whether it is empty."""
        member = door.agency
        # The log first, and the same whatever was found.
        await self._in_pool(self._disclosed, member)
        signed = await self._alone(lambda live: live.outcome(member))
        await door.tell(signed)
        for index in range(self.session.outcome_chunks):
            rows = await self._alone(partial(_outcome_chunk, member=member, index=index))
            await door.tell(rows)

    def _disclosed(self, member: str) -> None:
        self._node.audit.round_event(AuditEvent.DISCLOSURE, "told", self.key, recipient=member)

    async def _close(self, door: MemberNode, receipt: Signed) -> None:
        tables = await self._alone(lambda live: live.table_statements())
        signature = await door.sign(receipt, tables)
        await self._alone(lambda live: live.receive_signature(door.agency, signature))

    def _finish(self, session: Collector) -> None:
        # The log first: a crash in between makes it say something twice, never leave something out.
        self._note("closed", recipient=self._node.agency, members=len(self._terms.members))
        self._node.store.finish(*self.key, receipt=session.receipt_payload, signatures=session.signatures)
        self._files.erase()

    def _save(self, session: Collector) -> None:
        snapshot = session.snapshot()
        self._files.flush()
        total = session.table_chunks * len(self._terms.members)
        self._node.store.checkpoint(
            *self.key,
            state=session.state.value,
            snapshot=snapshot,
            done=min(session.done, total),
            total=total,
        )

    @asynccontextmanager
    async def _doors(self, members: Sequence[str]) -> AsyncIterator[dict[str, MemberNode]]:
        """A door to each of these members; what passes them is counted."""
        async with AsyncExitStack() as stack:
            doors: dict[str, MemberNode] = {}
            peers: list[Peer] = []
            try:
                for member in members:
                    own = self._own(self.row, member)
                    if own is not None:
                        doors[member] = await stack.enter_async_context(own)
                        continue
                    key = self._agreement.party(member).certificate_key
                    with naming(member):
                        peer = await stack.enter_async_context(
                            connect(self._node, member, certificate_key=key, limits=self._limits)
                        )
                    peers.append(peer)
                    doors[member] = RemoteMember(peer, self.row, self._terms.side(member).max_elements)
                yield doors
            finally:
                self.sent += sum(peer.traffic.sent for peer in peers)
                self.received += sum(peer.traffic.received for peer in peers)

    async def _each(
        self, doors: Mapping[str, MemberNode], work: Callable[[MemberNode], Awaitable[None]]
    ) -> None:
        """The same with every member at once; a failure names the member, and the gravest is raised."""

        async def one(door: MemberNode) -> None:
            with naming(door.agency):
                await work(door)

        await _together(one(door) for door in doors.values())

    def _report(self, step: str, done: int, total: int) -> None:
        self._progress(self.row.edge, step, done, total)


def _take_commitment(session: Collector, member: str, committed: Committed) -> None:
    session.receive_commitment(member, committed)


def _take_tables(session: Collector, member: str, signed: Signed) -> None:
    session.receive_tables(member, signed)


def _check(session: Collector, member: str, chunk: BlindedChunk) -> None:
    session.check_blinded(member, chunk)


def _check_evaluated(session: Collector, evaluator: str, member: str, chunk: EvaluatedChunk) -> None:
    session.check_evaluated(evaluator, member, chunk)


def _check_attestation(session: Collector, evaluator: str, member: str, signed: Signed) -> None:
    session.check_attestation(evaluator, member, signed)


def _take_cells(session: Collector, member: str, rows: Rows) -> None:
    session.receive_table_chunk(member, rows)


def _outcome_chunk(session: Collector, member: str, index: int) -> Rows:
    return session.outcome_chunk(member, index)


async def _together(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All at once; when one fails, the others are stopped, and the gravest failure is raised."""
    try:
        async with asyncio.TaskGroup() as tasks:
            for work in works:
                tasks.create_task(work)
    except ExceptionGroup as group:
        raise worst(group) from None
