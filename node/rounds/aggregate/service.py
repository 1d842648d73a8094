"""The Number service: counts and sums. Behind the gate: `context.caller` is verified and messages are parsed. No state of its own."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from blindmatch.node.rounds.aggregate import codec
from blindmatch.node.rounds.aggregate.sender import AggregateSendingEdge, Transfer
from blindmatch.node.rounds.inbound_edges import InboundEdges
from blindmatch.node.rounds.streams import answers
from blindmatch.proto.v1 import number_pb2
from blindmatch.protocol.session.messages import Header


class AggregateService:
    """Servicer of `blindmatch.v1.Number`."""

    def __init__(self, edges: InboundEdges) -> None:
        self._edges = edges

    async def GivePoints(
        self, requests: AsyncIterator[number_pb2.Rows], context: Any
    ) -> AsyncIterator[number_pb2.Taken]:
        """The receiver's points; each chunk is acknowledged once it is stored."""
        async for acknowledgement in self._receive("points", requests, context):
            yield acknowledgement

    async def FetchPoints(
        self, request: number_pb2.RowsRequest, context: Any
    ) -> AsyncIterator[number_pb2.Rows]:
        """Our points from the requested chunk on, once every point of the receiver has come."""
        header = codec.rows_request.header(request)
        edge = await self._edges.edge(context.caller, header, AggregateSendingEdge)
        async for chunk in edge.points(header.sequence):
            yield codec.rows(chunk)

    async def GiveMasked(
        self, requests: AsyncIterator[number_pb2.Rows], context: Any
    ) -> AsyncIterator[number_pb2.Taken]:
        """The masked tags; each chunk is acknowledged once it is stored."""
        async for acknowledgement in self._receive("masked", requests, context):
            yield acknowledgement

    async def Outcome(self, request: number_pb2.OutcomeRequest, context: Any) -> number_pb2.OutcomeReply:
        """What the agreement allows us to disclose."""
        header = codec.outcome_request.header(request)
        edge = await self._edges.edge(context.caller, header, AggregateSendingEdge)
        return codec.outcome_reply.answer(header, await edge.outcome())

    async def _receive(
        self, transfer: Transfer, requests: AsyncIterator[number_pb2.Rows], context: Any
    ) -> AsyncIterator[number_pb2.Taken]:
        width = 0

        async def find(header: Header) -> AggregateSendingEdge:
            nonlocal width
            edge = await self._edges.edge(context.caller, header, AggregateSendingEdge)
            width = await edge.width(transfer)
            return edge

        async def process(
            edge: AggregateSendingEdge, waiting: Sequence[number_pb2.Rows]
        ) -> list[number_pb2.Taken]:
            chunks = [codec.rows.read(request, width) for request in waiting]
            done = await edge.receive(transfer, chunks)
            return [codec.taken(chunk.header) for chunk in chunks[:done]]

        async for acknowledgement in answers(requests, codec.rows.header, find, process):
            yield acknowledgement
