"""A member's node as the collector calls it."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from blindmatch.node.rounds.edge_codec import Progress as Done
from blindmatch.node.rounds.hits import codec as hits_codec
from blindmatch.node.rounds.outbound import stream_seconds
from blindmatch.node.rounds.threshold import codec
from blindmatch.node.storage.store import EdgeRow
from blindmatch.node.transport.client import Peer
from blindmatch.node.transport.error_status import RefusalError
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.session.messages import BlindedChunk, EvaluatedChunk, Header, RowsChunk
from blindmatch.protocol.threshold.messages import CommittedChunks
from blindmatch.protocol.transcript import Signed

_CALLS = 3
"""Calls to one member at the same time, beside a stream: a node answers at least four of one agency."""

Body = TypeVar("Body")


class RemoteMember:
    """A member's node over mutual TLS: one method per call; every call can be repeated.

    Args:
        peer: the open channel.
        row: the collector's row.
        elements: the most that the member may contribute.
    """

    def __init__(self, peer: Peer, row: EdgeRow, elements: int) -> None:
        self._peer = peer
        self._row = row
        self._calls = asyncio.Semaphore(_CALLS)
        self._long = stream_seconds(peer, elements)

    @property
    def agency(self) -> str:
        """The member."""
        return self._peer.agency

    async def rates(self) -> Signed:
        """Its statement of rates."""
        request = codec.rates_request(self._header(), self._row.agreement_id)
        reply = await self._call(self._peer.thresholds.Rates, request, seconds=self._long)
        return self._body(*codec.rates_reply.read(reply))

    async def join(self, rates: Sequence[Signed]) -> AsyncIterator[tuple[int, int] | CommittedChunks]:
        """Send the rates of all members; receive (done, in total), then its commitment."""
        call = self._peer.thresholds.Join(codec.join_request(self._header(), [*rates]), timeout=self._long)
        async for message in self._stream(call):
            body = self._body(*codec.join_reply.read(message))
            yield (body.done, body.total) if isinstance(body, Done) else body

    async def meet(self, commitments: Sequence[CommittedChunks]) -> list[tuple[int, bool]]:
        """Send the commitments of all members; receive how far the other members' evaluations are."""
        request = codec.meet_request(self._header(), [*commitments])
        reply = await self._call(self._peer.thresholds.Meet, request)
        return self._body(*codec.read_meet_reply(reply, len(commitments) - 1))

    async def blinded(self, index: int) -> BlindedChunk:
        """A chunk of its blinded elements."""
        request = codec.blind_request(self._header(index))
        chunk = hits_codec.blinded_chunk.read(await self._call(self._peer.thresholds.Blind, request))
        self._check(chunk.header, index)
        return chunk

    async def evaluate(self, member: str, chunk: BlindedChunk) -> EvaluatedChunk:
        """Another member's chunk, evaluated."""
        request = codec.member_points(chunk.header, member, chunk.points.tobytes())
        answer = hits_codec.evaluated_chunk.read(await self._call(self._peer.thresholds.Evaluate, request))
        self._check(answer.header, chunk.header.sequence)
        return answer

    async def attest(self, member: str) -> Signed:
        """Its signature for what it evaluated."""
        request = codec.attest_request(self._header(), member)
        return self._body(*codec.attest_reply.read(await self._call(self._peer.thresholds.Attest, request)))

    async def deliver(self, member: str, body: EvaluatedChunk | Signed) -> None:
        """Another member's evaluation of its elements, or the signature over it."""
        if isinstance(body, Signed):
            request = codec.deliver_request(self._header(), member, body)
        else:
            request = codec.deliver_request(body.header, member, body.points.tobytes())
        self._check(codec.deliver_reply.header(await self._call(self._peer.thresholds.Deliver, request)), 0)

    async def build(self) -> AsyncIterator[tuple[int, int] | Signed]:
        """(done, in total), then its commitment to its tables."""
        call = self._peer.thresholds.Build(codec.build_request(self._header()), timeout=self._long)
        async for message in self._stream(call):
            body = self._body(*codec.build_reply.read(message))
            yield (body.done, body.total) if isinstance(body, Done) else body

    async def cells(self, index: int) -> RowsChunk:
        """A chunk of its tables."""
        request = codec.cells_request(self._header(index))
        rows = codec.cells.read(await self._call(self._peer.thresholds.Collect, request))
        self._check(rows.header, index)
        return rows

    async def tell(self, body: RowsChunk | Signed) -> None:
        """Its outcome."""
        if isinstance(body, Signed):
            request = codec.tell_request(self._header(), body)
        else:
            request = codec.tell_request(body.header, body.rows.tobytes())
        reply = await self._call(self._peer.thresholds.Tell, request, seconds=self._long)
        self._check(codec.tell_reply.header(reply), 0)

    async def sign(self, receipt: Signed, tables: Sequence[Signed]) -> bytes:
        """Its signature over the receipt."""
        request = codec.sign_request(self._header(), receipt, [*tables])
        return self._body(*codec.sign_reply.read(await self._call(self._peer.thresholds.Sign, request)))

    async def _call(self, method: Any, request: Any, *, seconds: float | None = None) -> Any:
        async with self._calls:
            return await self._peer.call(method, request, seconds=seconds)

    async def _stream(self, call: Any) -> AsyncIterator[Any]:
        """Messages up to the first that is not progress, which must be the last."""
        try:
            with self._peer.errors():
                while True:
                    message = await self._peer.next(call)
                    yield message
                    if message.WhichOneof("body") != "progress":
                        break
                await self._peer.end(call)
        finally:
            call.cancel()

    def _header(self, sequence: int = 0) -> Header:
        return Header(self._row.round_id, self._row.edge, sequence)

    def _check(self, header: Header, sequence: int) -> None:
        if (header.round_id, header.edge) != (self._row.round_id, self._row.edge):
            raise PeerError(PeerCode.UNKNOWN_ROUND, "the answer belongs to another round or threshold")
        if header.sequence != sequence:
            raise PeerError(PeerCode.BAD_SEQUENCE, f"chunk {header.sequence} came where {sequence} was due")

    def _body(self, header: Header, body: Body) -> Body:
        self._check(header, 0)
        return body


@contextmanager
def naming(member: str) -> Iterator[None]:
    """Name the member in a peer's failure: of several members around a step, the innermost."""
    try:
        yield
    except PeerError as error:
        if not getattr(error, "__notes__", ()):
            error.add_note(f"in a call to {member}")
            if member not in error.message and not isinstance(error, RefusalError):
                error.message = f"{member}: {error.message}"
        raise
