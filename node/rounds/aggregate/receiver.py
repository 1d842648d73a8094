"""`count` and `sum` on the receiver's side: our points out, the sender's points in, these out again masked, one number in."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from blindmatch.node.node import Node
from blindmatch.node.rounds.aggregate import codec
from blindmatch.node.rounds.aggregate import results as aggregate_results
from blindmatch.node.rounds.aggregate.inputs import prepare_inputs
from blindmatch.node.rounds.driver import checkpoint_due
from blindmatch.node.rounds.outbound import stream_seconds
from blindmatch.node.rounds.receiver import ReceivingEdge
from blindmatch.node.storage.store import EdgeRow
from blindmatch.node.transport.client import Peer
from blindmatch.protocol.aggregate.count import CountReceiver
from blindmatch.protocol.aggregate.disclosure_control import AggregateTerms
from blindmatch.protocol.aggregate.messages import AggregateChunk
from blindmatch.protocol.aggregate.receiver import AggregateReceiver
from blindmatch.protocol.aggregate.sum import SumReceiver
from blindmatch.protocol.aggregate.transitions import AggregateState
from blindmatch.protocol.agreement import Disclosure
from blindmatch.protocol.errors import PeerCode, PeerError

_BEFORE_ANSWERING = frozenset(
    {AggregateState.COMMITTED, AggregateState.EXCHANGING, AggregateState.COLLECTING, AggregateState.COLLECTED}
)


class AggregateReceivingEdge(ReceivingEdge[AggregateReceiver]):
    """An edge that discloses one number to us."""

    @property
    def progress(self) -> tuple[AggregateState, int, int, int]:
        """See `OutboundDriver.progress`."""
        if self._session is None:
            return AggregateState.PREPARING, 0, 0, 0
        session = self._session
        return session.state, session.next_chunk, session.next_points, session.next_masked

    @property
    def _audit_detail(self) -> Mapping[str, str | int]:
        return {"disclosure": self._edge.disclosure.value}

    @property
    def _result_states(self) -> frozenset[AggregateState]:
        return frozenset({AggregateState.INFORMED, AggregateState.SIGNED})

    @classmethod
    def result_text(cls, node: Node, row: EdgeRow) -> str:
        """See `OutboundDriver.result_text`."""
        return aggregate_results.text_of(node, row.round_id, row.edge)

    async def _exchange(self, peer: Peer) -> None:
        session = self.session
        if session.state in _BEFORE_ANSWERING:
            await self._open(peer)
        if session.state is AggregateState.EXCHANGING:
            await self._check_in_force()
            await self._transfer(
                peer,
                peer.number.GivePoints,
                range(session.next_chunk, session.points_chunks),
                step="exchange",
                chunk_of=AggregateReceiver.points_chunk,
                taken=AggregateReceiver.acknowledge_points,
            )
        if session.state is AggregateState.COLLECTING:
            await self._check_in_force()
            await self._collect_points(peer)
        if session.state is AggregateState.COLLECTED:
            for index in range(session.masked, session.returned_chunks):
                await self._in_thread(session.mask_chunk, index)
            await self._step(AggregateReceiver.arrange_masked, save=True)
        if session.state is AggregateState.ANSWERING:
            await self._check_in_force()
            await self._transfer(
                peer,
                peer.number.GiveMasked,
                range(session.next_masked, session.masked_chunks),
                step="tags",
                chunk_of=AggregateReceiver.masked_chunk,
                taken=AggregateReceiver.acknowledge_masked,
            )
        if session.state is AggregateState.ASKING:
            await self._check_in_force()
            await self._fetch_outcome(peer)
        if session.state is AggregateState.INFORMED:
            await self._step(self._sign)

    async def _transfer(
        self,
        peer: Peer,
        method: Callable[..., Any],
        chunks: range,
        *,
        step: str,
        chunk_of: Callable[..., AggregateChunk],
        taken: Callable[..., None],
    ) -> None:
        """Chunks out as `chunk_of` gives them, acknowledgements in, each of which `taken` notes."""

        async def send(index: int) -> Any:
            return codec.rows(await self._step(partial(chunk_of, index=index)))

        async def receive(index: int, message: Any) -> None:
            header = codec.taken.header(message)
            self._check(header)
            if header.sequence != index:
                raise PeerError(
                    PeerCode.BAD_SEQUENCE, f"chunk {header.sequence} was acknowledged where {index} was due"
                )
            # The sender stored its own checkpoint first: a chunk whose acknowledgement we lose is sent again.
            await self._step(partial(taken, index=index), save=checkpoint_due(index, chunks.stop))
            self._report(step, index + 1, chunks.stop)

        call = method(timeout=stream_seconds(peer, sum(self.elements)))
        await self._send_chunks(peer, call, chunks, send, receive)

    async def _collect_points(self, peer: Peer) -> None:
        """The sender's points in; each chunk is masked while the next is on its way."""
        session = self.session
        first, total = session.next_points, session.returned_chunks
        width = session.width("returned")
        call = peer.number.FetchPoints(
            codec.rows_request(self._header(first)), timeout=stream_seconds(peer, session.peer_elements)
        )
        try:
            async with self._background(session.mask_chunk, range(session.masked, first)) as mask:
                for index in range(first, total):
                    chunk = codec.rows.read(await peer.next(call), width)
                    receive = partial(AggregateReceiver.receive_points, chunk=chunk)
                    await self._step(receive, save=checkpoint_due(index, total))
                    self._report("tags", session.next_points, total)
                    await mask(index)
                await peer.end(call)
        finally:
            call.cancel()

    async def _fetch_outcome(self, peer: Peer) -> None:
        reply = await peer.call(
            peer.number.Outcome,
            codec.outcome_request(self._header(0)),
            seconds=stream_seconds(peer, sum(self.elements)),
        )
        header, signed = codec.outcome_reply.read(reply)
        self._check(header)
        await self._step(partial(AggregateReceiver.receive_outcome, signed=signed), save=True)

    def _store_result(self, session: AggregateReceiver) -> None:
        """Compute the number and store it with the sender's outcome; a repetition replaces it."""
        number = session.reveal()  # type: ignore[attr-defined] # of a count, or of a sum
        aggregate_results.store(self._node, self.row, self._agreement, number, session.outcome())
        self._result_stored = True
        self._save(session)

    def _start(self, row: EdgeRow) -> AggregateReceiver:
        terms = self._terms(row)
        grouped, report = prepare_inputs(
            self.inputs, self.agreed, self._edge, row, limits=self._limits, allocate=self._files.scratch
        )
        if report.get("left_out") and not row.snapshot:
            self._note("left out", recipient=self._node.agency, sender=row.peer, tokens=report["left_out"])
        terms["elements"] = grouped.elements
        kind = CountReceiver if self._edge.disclosure is Disclosure.COUNT else SumReceiver
        number = AggregateTerms.of(self._edge, self.agreed.receiver_tokens)
        return kind(self.agreed.context, number, grouped, **terms)

    def _exchange_chunks(self, session: AggregateReceiver) -> int:
        return session.points_chunks
