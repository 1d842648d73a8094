"""`hits` and `hits+facts` on the receiver's side: blinded elements out, the tag table in, leads into the store."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from blindmatch.node.rounds.driver import checkpoint_due
from blindmatch.node.rounds.hits import codec
from blindmatch.node.rounds.inputs import PreparedInputs
from blindmatch.node.rounds.leads import build_leads
from blindmatch.node.rounds.outbound import stream_seconds
from blindmatch.node.rounds.receiver import ReceivingEdge
from blindmatch.node.rounds.rows import retained_until
from blindmatch.node.storage.store import EdgeRow
from blindmatch.node.transport.client import Peer
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.hits.messages import Hits, TagChunk
from blindmatch.protocol.hits.receiver import Receiver
from blindmatch.protocol.hits.transitions import HitsState


class HitsReceivingEdge(ReceivingEdge[Receiver]):
    """An edge that discloses which of our records match."""

    @property
    def progress(self) -> tuple[HitsState, int, int]:
        if self._session is None:
            return HitsState.PREPARING, 0, 0
        session = self._session
        return session.state, session.next_chunk, session.next_tag_chunk

    @property
    def _audit_detail(self) -> Mapping[str, str | int]:
        return {"leads": self.leads}

    def _start(self, row: EdgeRow) -> Receiver:
        return Receiver(self.agreed.context, computer=self._engine.computing, **self._terms(row))

    async def _exchange(self, peer: Peer) -> None:
        session = self.session
        if session.state in {HitsState.COMMITTED, HitsState.EXCHANGING, HitsState.COLLECTING}:
            await self._open(peer)
        if session.state is HitsState.EXCHANGING:
            await self._check_in_force()
            await self._evaluate(peer)
        if session.state is HitsState.COLLECTING:
            await self._check_in_force()
            await self._collect_tags(peer)
        if session.state is HitsState.COLLECTED:
            for index in range(session.unblinded, session.chunks):
                await self._in_thread(session.unblind_chunk, index)
            await self._step(self._sign)

    async def _evaluate(self, peer: Peer) -> None:
        """Blinded chunks out, evaluated chunks in; each is unblinded while the sender works on the next."""
        session = self.session
        first, last = session.next_chunk, session.chunks - 1

        async def send(index: int) -> Any:
            return codec.blinded_chunk(await self._step(partial(Receiver.blinded_chunk, index=index)))

        async with self._background(session.unblind_chunk, range(session.unblinded, first)) as unblind:

            async def receive(index: int, message: Any) -> None:
                chunk = codec.evaluated_chunk.read(message)
                if chunk.header.sequence != index:
                    raise PeerError(
                        PeerCode.BAD_SEQUENCE, f"chunk {chunk.header.sequence} came where {index} was due"
                    )
                # The sender stored its own checkpoint first, and repeats its answer to a chunk that comes again.
                save = index in (first, last) or checkpoint_due(index, session.chunks)
                await self._step(partial(Receiver.receive_evaluated, chunk=chunk), save=save)
                self._report("exchange", session.next_chunk, session.chunks)
                await unblind(index)

            call = self._service(peer).Evaluate(timeout=stream_seconds(peer, self.elements[0]))
            await self._send_chunks(peer, call, range(first, session.chunks), send, receive)

    async def _collect_tags(self, peer: Peer) -> None:
        session = self.session
        call = self._tags_method(peer)(
            codec.tags_request(self._header(session.next_tag_chunk)),
            timeout=stream_seconds(peer, session.peer_elements),
        )
        try:
            while session.state is HitsState.COLLECTING:
                chunk = self._read_tags(await peer.next(call))
                save = checkpoint_due(session.next_tag_chunk, session.tag_chunks)
                await self._step(partial(Receiver.receive_tags, chunk=chunk), save=save)
                self._report("tags", session.next_tag_chunk, session.tag_chunks)
            await peer.end(call)
        finally:
            call.cancel()

    def _tags_method(self, peer: Peer) -> Any:
        """The call that releases the sender's table."""
        return peer.match.Tags

    def _read_tags(self, message: Any) -> TagChunk:
        return codec.tag_chunk.read(message, self.agreed.context.row_bytes)

    def _store_result(self, session: Receiver) -> None:
        self._store_leads(session.find_hits(), self.inputs)
        self._save(session)

    def _store_leads(self, hits: Hits, inputs: PreparedInputs, known: frozenset[str] | None = None) -> None:
        """Store the leads; where `known` has the references of earlier leads, all others are marked as new."""
        node = self._node
        leads = build_leads(inputs, hits, agency=self.row.peer, edge=self.row.edge, known=known)
        expires = retained_until(node, self._agreement)
        node.store.put_leads(*self.key, [lead.to_json() for lead in leads], expires)
        self.leads = len(leads)
        self._result_stored = True
        damaged = sum(lead.damaged for lead in leads)
        if damaged:
            self._note("damaged facts", recipient=node.agency, sender=self.row.peer, count=damaged)

    def _exchange_chunks(self, session: Receiver) -> int:
        return session.chunks
