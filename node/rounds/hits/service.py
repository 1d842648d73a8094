"""The Match service: `Prepare`, `Open` and `Close` for edges of every disclosure, `Evaluate` and `Tags` for those that disclose hits.

Behind the gate: `context.caller` is verified and messages are parsed. No state of its own.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from blindmatch.node.rounds import edge_codec
from blindmatch.node.rounds.hits import codec
from blindmatch.node.rounds.hits.sender import HitsSendingEdge
from blindmatch.node.rounds.inbound_edges import InboundEdges
from blindmatch.node.rounds.sender import SendingEdge
from blindmatch.node.rounds.streams import answers
from blindmatch.node.transport.identity import Caller
from blindmatch.proto.v1 import match_pb2
from blindmatch.protocol.session.messages import Header
from blindmatch.protocol.transcript import Signed


async def open_replies(
    edge: SendingEdge[Any], header: Header, commitment: Signed
) -> AsyncIterator[match_pb2.OpenReply]:
    """Progress while an edge is being prepared, then our commitment in answer to the receiver's."""
    async for done, total in edge.progress():
        yield edge_codec.open_reply.answer(header, edge_codec.Progress(done, total))
    yield edge_codec.open_reply.answer(header, await edge.commitment(commitment))


async def close_reply(
    edges: InboundEdges, caller: Caller, request: match_pb2.CloseRequest
) -> match_pb2.CloseReply:
    """Our signature over the receiver's receipt."""
    header, receipt = edge_codec.close_request.read(request)
    return edge_codec.close_reply.answer(header, await edges.close_edge(caller, header, receipt))


async def evaluated_chunks(
    edges: InboundEdges,
    caller: Caller,
    requests: AsyncIterator[match_pb2.BlindedChunk],
    kind: type[HitsSendingEdge],
) -> AsyncIterator[match_pb2.EvaluatedChunk]:
    """Evaluated chunks of one edge of one round, in the order of the blinded ones."""

    async def find(header: Header) -> HitsSendingEdge:
        return await edges.edge(caller, header, kind)

    async def process(
        edge: HitsSendingEdge, waiting: Sequence[match_pb2.BlindedChunk]
    ) -> list[match_pb2.EvaluatedChunk]:
        evaluated = await edge.evaluate([codec.blinded_chunk.read(request) for request in waiting])
        return [codec.evaluated_chunk(chunk) for chunk in evaluated]

    async for answer in answers(requests, codec.blinded_chunk.header, find, process):
        yield answer


class MatchService:
    """Servicer of `blindmatch.v1.Match`."""

    def __init__(self, edges: InboundEdges) -> None:
        self._edges = edges

    async def Prepare(self, request: match_pb2.PrepareRequest, context: Any) -> match_pb2.PrepareReply:
        """Our rates for the receiver's: both sides compile the match keys from them."""
        header, agreement_id, rates = edge_codec.prepare_request.read(request)
        ours = await self._edges.exchange_rates(context.caller, header, agreement_id, rates)
        return edge_codec.prepare_reply.answer(header, ours)

    async def Open(self, request: match_pb2.OpenRequest, context: Any) -> AsyncIterator[match_pb2.OpenReply]:
        """Progress while the tag table is being built, then our commitment."""
        header, agreement_id, commitment = edge_codec.open_request.read(request)
        edge = await self._edges.open(context.caller, header, agreement_id, commitment)
        async for reply in open_replies(edge, header, commitment):
            yield reply

    async def Evaluate(
        self, requests: AsyncIterator[match_pb2.BlindedChunk], context: Any
    ) -> AsyncIterator[match_pb2.EvaluatedChunk]:
        """Evaluated chunks, in the order of the blinded ones, which is the receiver's strict order."""
        async for answer in evaluated_chunks(self._edges, context.caller, requests, HitsSendingEdge):
            yield answer

    async def Tags(self, request: match_pb2.TagsRequest, context: Any) -> AsyncIterator[match_pb2.TagChunk]:
        """The tag table from the requested chunk on, once every blinded chunk has come."""
        header = codec.tags_request.header(request)
        edge = await self._edges.edge(context.caller, header, HitsSendingEdge)
        async for chunk in edge.tags(header.sequence):
            yield codec.tag_chunk(chunk)

    async def Close(self, request: match_pb2.CloseRequest, context: Any) -> match_pb2.CloseReply:
        """Our signature over the receiver's receipt."""
        return await close_reply(self._edges, context.caller, request)
