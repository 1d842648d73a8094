"""Delta rounds and checks over gRPC: messages in, `Sending` and `Checking` asked, messages out. No state of its own."""

from collections.abc import AsyncIterator
from typing import Any

from blindmatch.node.rounds.hits import codec as convert
from blindmatch.node.rounds.hits.service import closed, evaluating, opened
from blindmatch.node.rounds.inbound import InboundEdges
from blindmatch.node.rounds.standing import codec as changes
from blindmatch.node.rounds.standing.check_answers import CheckAnswers
from blindmatch.node.rounds.standing.sender import DeltaSendingEdge
from blindmatch.proto.v1 import match_pb2, standing_pb2


class StandingRoundsService:
    """Servicer of `blindmatch.v1.StandingRounds`; behind the gate, as `MatchService`."""

    def __init__(self, sending: InboundEdges, checking: CheckAnswers) -> None:
        self._sending = sending
        self._checking = checking

    async def Open(  # noqa: N802 - gRPC's name
        self, request: standing_pb2.DeltaOpenRequest, context: Any
    ) -> AsyncIterator[match_pb2.OpenReply]:
        """Progress while what changed is being prepared, then our commitment."""
        opening = changes.read_delta_open_request(request)
        edge = await self._sending.open_delta(context.caller, opening)
        async for reply in opened(edge, opening.header, opening.commitment):
            yield reply

    async def Evaluate(  # noqa: N802
        self, requests: AsyncIterator[match_pb2.BlindedChunk], context: Any
    ) -> AsyncIterator[match_pb2.EvaluatedChunk]:
        """Evaluated chunks of the receiver's new and changed records."""
        async for answer in evaluating(self._sending, context.caller, requests, DeltaSendingEdge):
            yield answer

    async def Changes(  # noqa: N802
        self, request: match_pb2.TagsRequest, context: Any
    ) -> AsyncIterator[standing_pb2.ChangesChunk]:
        """What goes and what comes, from the wanted chunk on, once every blinded chunk has come."""
        header = convert.read_tags_request(request)
        edge = await self._sending.edge(context.caller, header, DeltaSendingEdge)
        going = await edge.going()
        async for chunk in edge.tags(header.sequence):
            yield changes.changes_chunk(chunk, removed=chunk.header.sequence < going)

    async def Close(  # noqa: N802
        self, request: match_pb2.CloseRequest, context: Any
    ) -> match_pb2.CloseReply:
        """Our signature over the receiver's receipt."""
        return await closed(self._sending, context.caller, request)

    async def Submit(  # noqa: N802
        self, request: standing_pb2.SubmitRequest, context: Any
    ) -> standing_pb2.SubmitReply:
        """Take one record's tags; what comes of them stays here."""
        check = changes.read_submit_request(request)
        await self._checking.submitted(context.caller, check)
        return changes.submit_reply(check.name)

    async def Ask(  # noqa: N802
        self, request: standing_pb2.AskRequest, context: Any
    ) -> standing_pb2.AskReply:
        """One record's elements evaluated."""
        check = changes.read_ask_request(request)
        points, proof = await self._checking.asked(context.caller, check)
        return changes.ask_reply(check.name, points, proof)
