"""`count` and `sum` on the receiver's side: our points out, the sender's in, these masked out again, one number in."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from blindmatch.node.rounds import driver
from blindmatch.node.rounds.aggregate import codec as convert
from blindmatch.node.rounds.aggregate import results as aggregate_results
from blindmatch.node.rounds.aggregate.inputs import prepare_inputs
from blindmatch.node.rounds.receiver import IN_FLIGHT, ReceivingEdge, worst
from blindmatch.node.transport.client import Peer
from blindmatch.protocol.aggregate import AggregateReceiver, AggregateTerms, RowsChunk
from blindmatch.protocol.aggregate.count import CountReceiver
from blindmatch.protocol.aggregate.sum import SumReceiver
from blindmatch.protocol.aggregate.transitions import AggregateState
from blindmatch.protocol.agreement import Disclosure
from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.session.session import SessionTerms

_BEFORE_ANSWERING = frozenset(
    {AggregateState.COMMITTED, AggregateState.EXCHANGING, AggregateState.COLLECTING, AggregateState.COLLECTED}
)


class _Transfer(NamedTuple):
    """One of the two transfers from us to the sender."""

    step: str
    send: Callable[..., RowsChunk]
    taken: Callable[..., None]
    span: Callable[[AggregateReceiver], tuple[int, int]]
    """The first chunk that is not taken yet, and how many there are."""


_POINTS = _Transfer(
    "exchange",
    AggregateReceiver.points_chunk,
    AggregateReceiver.points_taken,
    lambda session: (session.next_chunk, session.points_chunks),
)
_MASKED = _Transfer(
    "tags",
    AggregateReceiver.masked_chunk,
    AggregateReceiver.masked_taken,
    lambda session: (session.next_masked, session.masked_chunks),
)


class AggregateReceivingEdge(ReceivingEdge[AggregateReceiver]):
    """An edge that tells us one number."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._kept = False

    @property
    def progress(self) -> tuple[AggregateState, int, int, int]:
        """See `ReceivingEdge.progress`."""
        if self._session is None:
            return AggregateState.PREPARING, 0, 0, 0
        session = self._session
        return session.state, session.next_chunk, session.next_points, session.next_masked

    async def drive(self) -> None:
        """See `ReceivingEdge.drive`."""
        session = self.session
        async with self._one_at_a_time:
            pass  # a step that an earlier, broken attempt left behind ends first
        async with self._connected() as peer:
            if session.state in _BEFORE_ANSWERING:
                await self._open(peer)
            if session.state is AggregateState.EXCHANGING:
                await self._still()
                await self._give(peer.number.GivePoints, peer, _POINTS)
            if session.state is AggregateState.COLLECTING:
                await self._still()
                await self._collect(peer)
            if session.state is AggregateState.COLLECTED:
                for index in range(session.masked, session.returned_chunks):
                    await self._in_pool(session.mask_chunk, index)
                await self._alone(AggregateReceiver.answer, save=True)
            if session.state is AggregateState.ANSWERING:
                await self._still()
                await self._give(peer.number.GiveMasked, peer, _MASKED)
            if session.state is AggregateState.ASKING:
                await self._still()
                await self._ask(peer)
            if session.state is AggregateState.INFORMED:
                await self._alone(self._sign)
            signature = await self._close(peer)
        # Only now, when the channel is closed too: how long it takes to find a sum tells how large it is.
        self._silent()
        await self._alone(self._keep_result)
        await self._alone(lambda session: self._finish(session, signature))
        self._report("close", 1, 1)

    async def salvage(self) -> None:
        """When the sender does not sign: what it told is ours to look at."""
        known = self._session is not None and self._session.state in {
            AggregateState.INFORMED,
            AggregateState.SIGNED,
        }
        if known and not self._kept:
            await self._alone(self._keep_result)

    async def _give(self, method: Callable[..., Any], peer: Peer, what: _Transfer) -> None:
        """Chunks out, acknowledgements in."""
        first, total = what.span(self.session)
        call = method(timeout=self._stream_seconds(peer, sum(self.elements)))
        ahead = asyncio.Semaphore(IN_FLIGHT)

        async def feed() -> None:
            for index in range(first, total):
                await ahead.acquire()
                await call.write(convert.rows(await self._alone(partial(what.send, index=index))))
            await call.done_writing()

        async def drain() -> None:
            for index in range(first, total):
                header = convert.read_taken(await peer.next(call))
                self._check(header)
                if header.sequence != index:
                    raise PeerError(
                        PeerCode.BAD_SEQUENCE, f"chunk {header.sequence} was taken where {index} was due"
                    )
                # The sender's own checkpoint came first: what we do not remember is sent again.
                due = index == total - 1 or (index + 1) % driver.CHUNKS_PER_CHECKPOINT == 0
                await self._alone(partial(what.taken, index=index), save=due)
                ahead.release()
                self._report(what.step, index + 1, total)
            await peer.end(call)

        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(feed())
                tasks.create_task(drain())
        except ExceptionGroup as group:
            raise worst(group) from None
        finally:
            call.cancel()

    async def _collect(self, peer: Peer) -> None:
        """The sender's points in; each chunk is masked while the next is on its way."""
        session = self.session
        backlog = asyncio.Semaphore(self._engine.backlog)
        start = session.next_points
        call = peer.number.FetchPoints(
            convert.rows_request(self._header(start)),
            timeout=self._stream_seconds(peer, session.peer_elements),
        )

        async def mask(index: int) -> None:
            try:
                await self._in_pool(session.mask_chunk, index)
            finally:
                backlog.release()

        async def drain(tasks: asyncio.TaskGroup) -> None:
            width, total = session.width("returned"), session.returned_chunks
            for index in range(start, total):
                chunk = convert.read_rows(await peer.next(call), width)
                due = index == total - 1 or (index + 1) % driver.CHUNKS_PER_CHECKPOINT == 0
                await self._alone(partial(AggregateReceiver.receive_points, chunk=chunk), save=due)
                self._report("tags", session.next_points, total)
                await backlog.acquire()
                tasks.create_task(mask(index))
            await peer.end(call)

        try:
            async with asyncio.TaskGroup() as tasks:
                for index in range(session.masked, start):  # received before a crash, not yet masked
                    await backlog.acquire()
                    tasks.create_task(mask(index))
                tasks.create_task(drain(tasks))
        except ExceptionGroup as group:
            raise worst(group) from None
        finally:
            call.cancel()

    async def _ask(self, peer: Peer) -> None:
        reply = await peer.call(
            peer.number.Outcome,
            convert.outcome_request(self._header(0)),
            seconds=self._stream_seconds(peer, sum(self.elements)),
        )
        header, signed = convert.read_outcome_reply(reply)
        self._check(header)
        await self._alone(partial(AggregateReceiver.receive_outcome, signed=signed), save=True)

    def _keep_result(self, session: AggregateReceiver) -> None:
        """Find the number and keep it with the sender's outcome; a repeat replaces it."""
        told = session.reveal()  # type: ignore[attr-defined] # of a count, or of a sum
        aggregate_results.keep(self._node, self.row, self._agreement, told, session.outcome())
        self._kept = True
        self._save(session)

    def _start(self, terms: SessionTerms) -> AggregateReceiver:
        made = self._made
        if made is None:
            raise SequenceError("the edge's elements were not prepared")
        brought, report = prepare_inputs(
            made, self.agreed, self._edge, self.row, limits=self._limits, allocate=self._files.scratch
        )
        if report.get("left_out") and not self.row.snapshot:
            self._note(
                "left out", recipient=self._node.agency, sender=self.row.peer, tokens=report["left_out"]
            )
        terms["elements"] = brought.elements
        made_of = CountReceiver if self._edge.disclosure is Disclosure.COUNT else SumReceiver
        return made_of(
            self.agreed.context, AggregateTerms.of(self._edge, self.agreed.receiver_tokens), brought, **terms
        )

    @property
    def _found(self) -> Mapping[str, str | int]:
        return {"disclosure": self._edge.disclosure.value}

    def _total(self, session: AggregateReceiver) -> int:
        return session.points_chunks
