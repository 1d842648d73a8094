"""The StandingRounds service: delta rounds and single checks.

Behind the gate: `context.caller` is verified and messages are parsed. No state of its own.
"""

from collections.abc import AsyncIterator
from typing import Any

from blindmatch.node.node import Node
from blindmatch.node.rounds.hits import codec as hits_codec
from blindmatch.node.rounds.hits.service import close_reply, evaluated_chunks, open_replies
from blindmatch.node.rounds.inbound_edges import InboundEdges
from blindmatch.node.rounds.standing import codec
from blindmatch.node.rounds.standing.inbound import open_delta
from blindmatch.node.rounds.standing.inbound_checks import InboundChecks
from blindmatch.node.rounds.standing.sender import DeltaSendingEdge
from blindmatch.proto.v1 import match_pb2, standing_pb2


class StandingRoundsService:
    """Servicer of `blindmatch.v1.StandingRounds`."""

    def __init__(self, node: Node, edges: InboundEdges, checks: InboundChecks) -> None:
        self._node = node
        self._edges = edges
        self._checks = checks

    async def Open(
        self, request: standing_pb2.DeltaOpenRequest, context: Any
    ) -> AsyncIterator[match_pb2.OpenReply]:
        """Progress while the changes are being prepared, then our commitment."""
        opening = codec.DeltaOpening(*codec.delta_open_request.read(request))
        edge = await open_delta(self._node, self._edges, context.caller, opening)
        async for reply in open_replies(edge, opening.header, opening.commitment):
            yield reply

    async def Evaluate(
        self, requests: AsyncIterator[match_pb2.BlindedChunk], context: Any
    ) -> AsyncIterator[match_pb2.EvaluatedChunk]:
        """Evaluated chunks of the receiver's new and changed records."""
        async for answer in evaluated_chunks(self._edges, context.caller, requests, DeltaSendingEdge):
            yield answer

    async def Changes(
        self, request: match_pb2.TagsRequest, context: Any
    ) -> AsyncIterator[standing_pb2.ChangesChunk]:
        """Removed and added rows, from the requested chunk on, once every blinded chunk has come."""
        header = hits_codec.tags_request.header(request)
        edge = await self._edges.edge(context.caller, header, DeltaSendingEdge)
        removed = await edge.removed_chunks()
        async for chunk in edge.tags(header.sequence):
            yield codec.changes_chunk(chunk, removed=chunk.header.sequence < removed)

    async def Close(self, request: match_pb2.CloseRequest, context: Any) -> match_pb2.CloseReply:
        """Our signature over the receiver's receipt."""
        return await close_reply(self._edges, context.caller, request)

    async def Submit(self, request: standing_pb2.SubmitRequest, context: Any) -> standing_pb2.SubmitReply:
        """Store one record's tags for a lookup; the caller gets no result."""
        check = codec.CheckRequest.of(*codec.submit_request.read(request))
        await self._checks.submit(context.caller, check)
        return codec.submit_reply(check.name.header, check.name.check)

    async def Ask(self, request: standing_pb2.AskRequest, context: Any) -> standing_pb2.AskReply:
        """One record's elements, evaluated."""
        check = codec.CheckRequest.of(*codec.ask_request.read(request))
        points, proof = await self._checks.query(context.caller, check)
        reply: standing_pb2.AskReply = codec.ask_reply(check.name.header, check.name.check, points, proof)
        return reply
