"""The sender's side of a round over gRPC: messages in, `Sending` asked, messages out. No state of its own.

`Prepare`, `Open` and `Close` serve every disclosure of an edge, `Evaluate` and `Tags` those that list hits.
"""

from collections.abc import AsyncIterator
from typing import Any

from blindmatch.node.rounds import edge_codec
from blindmatch.node.rounds.hits import codec as convert
from blindmatch.node.rounds.hits.sender import HitsSendingEdge
from blindmatch.node.rounds.inbound import InboundEdges
from blindmatch.node.rounds.sender import SendingEdge
from blindmatch.node.rounds.streams import batches
from blindmatch.node.transport.identity import Caller
from blindmatch.proto.v1 import match_pb2
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.session.messages import Header
from blindmatch.protocol.transcript import Signed

_BATCH = 8
"""Blinded chunks that are taken together when so many wait: 1 MiB."""


async def evaluating(
    sending: InboundEdges,
    caller: Caller,
    requests: AsyncIterator[match_pb2.BlindedChunk],
    kind: type[HitsSendingEdge],
) -> AsyncIterator[match_pb2.EvaluatedChunk]:
    """Evaluated chunks of one edge of one round, in the order of the blinded ones."""
    edge = None
    async for waiting in batches(requests, _BATCH):
        chunks = [convert.read_blinded_chunk(request) for request in waiting]
        for chunk in chunks:
            if edge is None:
                edge = await sending.edge(caller, chunk.header, kind)
            elif (chunk.header.round_id, chunk.header.edge) != edge.key:
                raise PeerError(PeerCode.UNKNOWN_ROUND, "one stream carries one edge of one round")
        while edge is not None and chunks:
            answers = await edge.evaluate(chunks)
            chunks = chunks[len(answers) :]
            for answer in answers:
                yield convert.evaluated_chunk(answer)


async def opened(
    edge: SendingEdge[Any], header: Header, commitment: Signed
) -> AsyncIterator[match_pb2.OpenReply]:
    """Progress while an edge is being prepared, then our commitment for the receiver's."""
    header = Header(header.round_id, header.edge, 0)
    async for done, total in edge.progress():
        yield edge_codec.open_reply(header, edge_codec.Progress(done, total))
    yield edge_codec.open_reply(header, await edge.commitment(commitment))


async def closed(
    sending: InboundEdges, caller: Caller, request: match_pb2.CloseRequest
) -> match_pb2.CloseReply:
    """Our signature over the receiver's receipt."""
    header, receipt = edge_codec.read_close_request(request)
    signature = await sending.close_edge(caller, header, receipt)
    return edge_codec.close_reply(Header(header.round_id, header.edge, 0), signature)


class MatchService:
    """Servicer of `blindmatch.v1.Match`; behind the gate, so `context.caller` is verified and messages are parsed."""

    def __init__(self, sending: InboundEdges) -> None:
        self._sending = sending

    async def Prepare(  # noqa: N802 - gRPC's name
        self, request: match_pb2.PrepareRequest, context: Any
    ) -> match_pb2.PrepareReply:
        """Our rates for the receiver's: what both compile the match keys from."""
        preparing = edge_codec.read_prepare_request(request)
        rates = await self._sending.exchange_rates(context.caller, preparing)
        return edge_codec.prepare_reply(Header(preparing.header.round_id, preparing.header.edge, 0), rates)

    async def Open(  # noqa: N802
        self, request: match_pb2.OpenRequest, context: Any
    ) -> AsyncIterator[match_pb2.OpenReply]:
        """Progress while the tag table is being made, then our commitment."""
        opening = edge_codec.read_open_request(request)
        edge = await self._sending.open(context.caller, opening)
        async for reply in opened(edge, opening.header, opening.commitment):
            yield reply

    async def Evaluate(  # noqa: N802
        self, requests: AsyncIterator[match_pb2.BlindedChunk], context: Any
    ) -> AsyncIterator[match_pb2.EvaluatedChunk]:
        """Evaluated chunks, in the order of the blinded ones, which is the receiver's strict order."""
        async for answer in evaluating(self._sending, context.caller, requests, HitsSendingEdge):
            yield answer

    async def Tags(  # noqa: N802
        self, request: match_pb2.TagsRequest, context: Any
    ) -> AsyncIterator[match_pb2.TagChunk]:
        """The tag table from the wanted chunk on, once every blinded chunk has come."""
        header = convert.read_tags_request(request)
        edge = await self._sending.edge(context.caller, header, HitsSendingEdge)
        async for chunk in edge.tags(header.sequence):
            yield convert.tag_chunk(chunk)

    async def Close(  # noqa: N802
        self, request: match_pb2.CloseRequest, context: Any
    ) -> match_pb2.CloseReply:
        """Our signature over the receiver's receipt."""
        return await closed(self._sending, context.caller, request)
