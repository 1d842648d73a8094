"""`hits` and `hits+facts` on the receiver's side: blinded elements out, the tag table in, leads into the store."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from blindmatch.node.rounds import driver
from blindmatch.node.rounds.hits import codec as convert
from blindmatch.node.rounds.inputs import EdgeInputs
from blindmatch.node.rounds.leads import assemble
from blindmatch.node.rounds.receiver import IN_FLIGHT, ReceivingEdge, worst
from blindmatch.node.transport.client import Peer
from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.hits.receiver import Receiver
from blindmatch.protocol.hits.transitions import HitsState
from blindmatch.protocol.session.messages import Hits, TagChunk
from blindmatch.protocol.session.session import SessionTerms


class HitsReceivingEdge(ReceivingEdge[Receiver]):
    """An edge that tells which of our records match."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.hits = 0
        self._matched = False

    @property
    def progress(self) -> tuple[HitsState, int, int]:
        """See `ReceivingEdge.progress`."""
        if self._session is None:
            return HitsState.PREPARING, 0, 0
        session = self._session
        return session.state, session.next_chunk, session.next_tag_chunk

    @property
    def _found(self) -> Mapping[str, str | int]:
        return {"leads": self.leads}

    def _start(self, terms: SessionTerms) -> Receiver:
        return Receiver(self.agreed.context, computer=self._engine.computing, **terms)

    async def drive(self) -> None:
        """See `ReceivingEdge.drive`."""
        session = self.session
        async with self._one_at_a_time:
            pass  # a step that an earlier, broken attempt left behind ends first
        async with self._connected() as peer:
            if session.state in {HitsState.COMMITTED, HitsState.EXCHANGING, HitsState.COLLECTING}:
                await self._open(peer)
            if session.state is HitsState.EXCHANGING:
                await self._still()
                await self._exchange(peer)
            if session.state is HitsState.COLLECTING:
                await self._still()
                await self._tags(peer)
            if session.state is HitsState.COLLECTED:
                await self._unblind_rest()
                await self._alone(self._sign)
            signature = await self._close(peer)
        # Only now, when the channel is closed too: how long the lookup takes tells how many hits there are.
        self._silent()
        await self._alone(self._match)
        await self._alone(lambda session: self._finish(session, signature))
        self._report("close", 1, 1)

    async def salvage(self) -> None:
        """When the sender does not sign: it has all that it will get, and what we hold is ours to look at."""
        if self._session is not None and self._session.state is HitsState.SIGNED and not self._matched:
            await self._alone(self._match)

    async def _exchange(self, peer: Peer) -> None:
        """Blinded chunks out, evaluated chunks in; each is unblinded while the sender works on the next."""
        session = self.session
        call = self._service(peer).Evaluate(timeout=self._stream_seconds(peer, self.elements[0]))
        ahead, backlog = asyncio.Semaphore(IN_FLIGHT), asyncio.Semaphore(self._engine.backlog)

        async def unblind(index: int) -> None:
            try:
                await self._in_pool(session.unblind_chunk, index)
            finally:
                backlog.release()

        async def feed(first: int) -> None:
            for index in range(first, session.chunks):
                await ahead.acquire()
                chunk = await self._alone(partial(Receiver.blinded_chunk, index=index))
                await call.write(convert.blinded_chunk(chunk))
            await call.done_writing()

        async def drain(first: int, tasks: asyncio.TaskGroup) -> None:
            for index in range(first, session.chunks):
                chunk = convert.read_evaluated_chunk(await peer.next(call))
                if chunk.header.sequence != index:
                    raise PeerError(
                        PeerCode.BAD_SEQUENCE, f"chunk {chunk.header.sequence} came where {index} was due"
                    )
                # Nothing follows from it that the sender would not do again: the sender's own checkpoint came first.
                due = index in (first, session.chunks - 1) or (index + 1) % driver.CHUNKS_PER_CHECKPOINT == 0
                await self._alone(partial(Receiver.receive_evaluated, chunk=chunk), save=due)
                ahead.release()
                self._report("exchange", session.next_chunk, session.chunks)
                await backlog.acquire()
                tasks.create_task(unblind(index))
            await peer.end(call)

        start = session.next_chunk
        try:
            async with asyncio.TaskGroup() as tasks:
                for index in range(session.unblinded, start):  # received before a crash, not yet unblinded
                    await backlog.acquire()
                    tasks.create_task(unblind(index))
                tasks.create_task(feed(start))
                tasks.create_task(drain(start, tasks))
        except ExceptionGroup as group:
            raise worst(group) from None
        finally:
            call.cancel()

    async def _tags(self, peer: Peer) -> None:
        session = self.session
        call = self._released(peer)(
            convert.tags_request(self._header(session.next_tag_chunk)),
            timeout=self._stream_seconds(peer, session.peer_elements),
        )
        try:
            while session.state is HitsState.COLLECTING:
                chunk = self._read_released(await peer.next(call))
                due = (session.next_tag_chunk + 1) % driver.CHUNKS_PER_CHECKPOINT == 0
                await self._alone(partial(Receiver.receive_tags, chunk=chunk), save=due)
                self._report("tags", session.next_tag_chunk, session.tag_chunks)
            await peer.end(call)
            await self._alone(self._save)
        finally:
            call.cancel()

    def _released(self, peer: Peer) -> Any:
        """What gives the sender's table."""
        return peer.match.Tags

    def _read_released(self, message: Any) -> TagChunk:
        return convert.read_tag_chunk(message, self.agreed.context)

    async def _unblind_rest(self) -> None:
        session = self.session
        for index in range(session.unblinded, session.chunks):
            await self._in_pool(session.unblind_chunk, index)

    def _match(self, session: Receiver) -> None:
        """Find the hits, keep the leads, then remember that it was done; a repeat replaces them."""
        self._keep_leads(session.find_hits(), self.made)
        self._save(session)

    @property
    def made(self) -> EdgeInputs:
        """This side's tokens and collection, once the session is built."""
        if self._made is None:
            raise SequenceError("the edge's elements were not prepared")
        return self._made

    def _keep_leads(self, hits: Hits, made: EdgeInputs, known: frozenset[str] | None = None) -> None:
        """Leads into the store; where `known` holds the references of those told before, others are marked new."""
        node = self._node
        found = assemble(made, hits, agency=self.row.peer, edge=self.row.edge, known=known)
        expires = int(node.clock()) + self._agreement.retention_days * 86_400
        node.store.put_leads(*self.key, [lead.to_json() for lead in found], expires)
        self.hits, self.leads = len(hits), len(found)
        self._matched = True
        damaged = sum(lead.damaged for lead in found)
        if damaged:
            self._note("damaged facts", recipient=node.agency, sender=self.row.peer, count=damaged)

    def _total(self, session: Receiver) -> int:
        return session.chunks
