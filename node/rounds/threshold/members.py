"""A member's node as its collector calls it: one method per call, each of which can be repeated."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from blindmatch.node.rounds.edge_codec import Progress as Done
from blindmatch.node.rounds.hits import codec as match_convert
from blindmatch.node.rounds.threshold import codec as convert
from blindmatch.node.storage.store import EdgeRow
from blindmatch.node.transport.client import Peer
from blindmatch.node.transport.error_status import RefusalError
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.session.messages import BlindedChunk, EvaluatedChunk, Header
from blindmatch.protocol.threshold import Committed, Rows
from blindmatch.protocol.transcript import Signed

_CALLS = 3
"""Calls to one member at once, beside a stream: a node answers at least four of one agency."""

_SECONDS_PER_ELEMENT = 0.005
"""Of a long call's deadline: far slower than any backend, so that only a stuck member meets it."""

Body = TypeVar("Body")


class MemberNode(Protocol):
    """A member's node, near or far: one method per call, each of which can be repeated."""

    @property
    def agency(self) -> str:
        """Whose node."""

    async def rates(self) -> Signed:
        """Its statement of rates."""

    def join(self, rates: Sequence[Signed]) -> AsyncIterator[tuple[int, int] | Committed]:
        """Everybody's rates; (done, in all), then its commitment."""

    async def meet(self, everybody: Sequence[Committed]) -> list[tuple[int, bool]]:
        """Everybody's commitments; what it has of each other member's evaluations."""

    async def blinded(self, index: int) -> BlindedChunk:
        """A chunk of its blinded elements."""

    async def evaluate(self, member: str, chunk: BlindedChunk) -> EvaluatedChunk:
        """Another member's chunk, evaluated."""

    async def attest(self, member: str) -> Signed:
        """Its signature for what it evaluated."""

    async def deliver(self, member: str, body: EvaluatedChunk | Signed) -> None:
        """What another member evaluated for it."""

    def build(self) -> AsyncIterator[tuple[int, int] | Signed]:
        """(done, in all), then its commitment to its tables."""

    async def cells(self, index: int) -> Rows:
        """A chunk of its tables."""

    async def tell(self, body: Rows | Signed) -> None:
        """Its outcome."""

    async def sign(self, receipt: Signed, tables: Sequence[Signed]) -> bytes:
        """Its signature over the receipt."""


class RemoteMember:
    """A member's node over mutual TLS. See `Door`.

    Args:
        peer: the open channel.
        row: the collector's row.
        elements: the most that the member may bring.
    """

    def __init__(self, peer: Peer, row: EdgeRow, elements: int) -> None:
        self._peer = peer
        self._row = row
        self._room = asyncio.Semaphore(_CALLS)
        self._long = peer.call_seconds + elements * _SECONDS_PER_ELEMENT

    @property
    def agency(self) -> str:
        """Whose node."""
        return self._peer.agency

    async def rates(self) -> Signed:
        """See `Door`; likewise below."""
        request = convert.rates_request(self._header(), self._row.agreement_id)
        reply = await self._call(self._peer.thresholds.Rates, request, seconds=self._long)
        return self._body(*convert.read_rates_reply(reply))

    async def join(self, rates: Sequence[Signed]) -> AsyncIterator[tuple[int, int] | Committed]:
        request = convert.join_request(self._header(), rates)
        async for message in self._stream(self._peer.thresholds.Join(request, timeout=self._long)):
            body = self._body(*convert.read_join_reply(message))
            yield (body.done, body.total) if isinstance(body, Done) else body

    async def meet(self, everybody: Sequence[Committed]) -> list[tuple[int, bool]]:
        request = convert.meet_request(self._header(), everybody)
        reply = await self._call(self._peer.thresholds.Meet, request)
        return self._body(*convert.read_meet_reply(reply, len(everybody) - 1))

    async def blinded(self, index: int) -> BlindedChunk:
        request = convert.blind_request(self._header(index))
        reply = await self._call(self._peer.thresholds.Blind, request)
        chunk = match_convert.read_blinded_chunk(reply)
        self._check(chunk.header, index)
        return chunk

    async def evaluate(self, member: str, chunk: BlindedChunk) -> EvaluatedChunk:
        request = convert.member_points(member, chunk)
        reply = await self._call(self._peer.thresholds.Evaluate, request)
        answer = match_convert.read_evaluated_chunk(reply)
        self._check(answer.header, chunk.header.sequence)
        return answer

    async def attest(self, member: str) -> Signed:
        request = convert.attest_request(self._header(), member)
        reply = await self._call(self._peer.thresholds.Attest, request)
        return self._body(*convert.read_attest_reply(reply))

    async def deliver(self, member: str, body: EvaluatedChunk | Signed) -> None:
        header = self._header() if isinstance(body, Signed) else body.header
        request = convert.deliver_request(header, member, body)
        reply = await self._call(self._peer.thresholds.Deliver, request)
        self._check(convert.read_reply(reply), 0)

    async def build(self) -> AsyncIterator[tuple[int, int] | Signed]:
        request = convert.build_request(self._header())
        async for message in self._stream(self._peer.thresholds.Build(request, timeout=self._long)):
            body = self._body(*convert.read_build_reply(message))
            yield (body.done, body.total) if isinstance(body, Done) else body

    async def cells(self, index: int) -> Rows:
        request = convert.cells_request(self._header(index))
        rows = convert.read_cells(await self._call(self._peer.thresholds.Collect, request))
        self._check(rows.header, index)
        return rows

    async def tell(self, body: Rows | Signed) -> None:
        header = self._header() if isinstance(body, Signed) else body.header
        request = convert.tell_request(header, body)
        reply = await self._call(self._peer.thresholds.Tell, request, seconds=self._long)
        self._check(convert.read_reply(reply), 0)

    async def sign(self, receipt: Signed, tables: Sequence[Signed]) -> bytes:
        request = convert.sign_request(self._header(), receipt, tables)
        reply = await self._call(self._peer.thresholds.Sign, request)
        return self._body(*convert.read_sign_reply(reply))

    async def _call(self, method: Any, request: Any, *, seconds: float | None = None) -> Any:
        async with self._room:
            return await self._peer.call(method, request, seconds=seconds)

    async def _stream(self, call: Any) -> AsyncIterator[Any]:
        """Messages up to one that is no progress, which must be the last."""
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
    """A peer's failure says whose it is: of several members around a step, the innermost."""
    try:
        yield
    except PeerError as error:
        if not getattr(error, "__notes__", ()):
            error.add_note(f"while {member} was asked")
            if member not in error.message and not isinstance(error, RefusalError):
                error.message = f"{member}: {error.message}"
        raise
