"""The calls that every kind of edge answers alike, for the services of the disclosures."""

from collections.abc import AsyncIterator
from typing import Any

from blindmatch.node.rounds import edge_codec
from blindmatch.node.rounds.inbound_edges import InboundEdges
from blindmatch.node.rounds.sender import SendingEdge
from blindmatch.node.transport.identity import Caller
from blindmatch.proto.v1 import match_pb2
from blindmatch.protocol.session.messages import Header
from blindmatch.protocol.transcript import Signed


def answer_header(header: Header) -> Header:
    """The header of an answer that is no chunk."""
    return Header(header.round_id, header.edge, 0)


async def open_replies(
    edge: SendingEdge[Any], header: Header, commitment: Signed
) -> AsyncIterator[match_pb2.OpenReply]:
    """Progress while an edge is being prepared, then our commitment in answer to the receiver's."""
    header = answer_header(header)
    async for done, total in edge.progress():
        yield edge_codec.open_reply(header, edge_codec.Progress(done, total))
    yield edge_codec.open_reply(header, await edge.commitment(commitment))


async def close_reply(
    edges: InboundEdges, caller: Caller, request: match_pb2.CloseRequest
) -> match_pb2.CloseReply:
    """Our signature over the receiver's receipt."""
    header, receipt = edge_codec.read_close_request(request)
    signature = await edges.close_edge(caller, header, receipt)
    return edge_codec.close_reply(answer_header(header), signature)
