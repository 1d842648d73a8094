"""The sender's side of a count or a sum over gRPC: messages in, `Sending` asked, messages out. No state of its own."""

from collections.abc import AsyncIterator
from typing import Any

from blindmatch.node.rounds.aggregate import codec as convert
from blindmatch.node.rounds.aggregate.sender import AggregateSendingEdge, Transfer
from blindmatch.node.rounds.inbound import InboundEdges
from blindmatch.node.rounds.streams import batches
from blindmatch.proto.v1 import number_pb2
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.session.messages import Header

_BATCH = 8
"""Chunks that are taken together when so many wait."""


class AggregateService:
    """Servicer of `blindmatch.v1.Number`; behind the gate, so `context.caller` is verified and messages are parsed."""

    def __init__(self, sending: InboundEdges) -> None:
        self._sending = sending

    async def GivePoints(  # noqa: N802 - gRPC's name
        self, requests: AsyncIterator[number_pb2.Rows], context: Any
    ) -> AsyncIterator[number_pb2.Taken]:
        """The receiver's points, each chunk acknowledged once it is kept."""
        async for taken in self._take("points", requests, context):
            yield taken

    async def FetchPoints(  # noqa: N802
        self, request: number_pb2.RowsRequest, context: Any
    ) -> AsyncIterator[number_pb2.Rows]:
        """Our points from the wanted chunk on, once every point of the receiver has come."""
        header = convert.read_rows_request(request)
        edge = await self._sending.edge(context.caller, header, AggregateSendingEdge)
        async for chunk in edge.points(header.sequence):
            yield convert.rows(chunk)

    async def GiveMasked(  # noqa: N802
        self, requests: AsyncIterator[number_pb2.Rows], context: Any
    ) -> AsyncIterator[number_pb2.Taken]:
        """The masked tags, each chunk acknowledged once it is kept."""
        async for taken in self._take("masked", requests, context):
            yield taken

    async def Outcome(  # noqa: N802
        self, request: number_pb2.OutcomeRequest, context: Any
    ) -> number_pb2.OutcomeReply:
        """What the agreement lets us tell."""
        header = convert.read_outcome_request(request)
        edge = await self._sending.edge(context.caller, header, AggregateSendingEdge)
        return convert.outcome_reply(Header(header.round_id, header.edge, 0), await edge.outcome())

    async def _take(
        self, transfer: Transfer, requests: AsyncIterator[number_pb2.Rows], context: Any
    ) -> AsyncIterator[number_pb2.Taken]:
        edge: AggregateSendingEdge | None = None
        width = 0
        async for waiting in batches(requests, _BATCH):
            for request in waiting:
                header = convert.read_header_of_rows(request)
                if edge is None:
                    edge = await self._sending.edge(context.caller, header, AggregateSendingEdge)
                    width = await edge.width(transfer)
                elif (header.round_id, header.edge) != edge.key:
                    raise PeerError(PeerCode.UNKNOWN_ROUND, "one stream carries one edge of one round")
            chunks = [convert.read_rows(request, width) for request in waiting]
            while edge is not None and chunks:
                done = await edge.take(transfer, chunks)
                for chunk in chunks[:done]:
                    yield convert.taken(chunk.header)
                chunks = chunks[done:]
