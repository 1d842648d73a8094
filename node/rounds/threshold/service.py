"""The Thresholds service: a member's side of thresholds.

Behind the gate: `context.caller` is verified and messages are parsed. No state of its own.
"""

from collections.abc import AsyncIterator
from typing import Any

from blindmatch.node.rounds.edge_codec import Progress
from blindmatch.node.rounds.hits import codec as hits_codec
from blindmatch.node.rounds.threshold import codec
from blindmatch.node.rounds.threshold.membership import Membership
from blindmatch.proto.v1 import match_pb2, threshold_pb2
from blindmatch.protocol.transcript import Signed


class ThresholdsService:
    """Servicer of `blindmatch.v1.Thresholds`."""

    def __init__(self, membership: Membership) -> None:
        self._members = membership

    async def Rates(self, request: threshold_pb2.RatesRequest, context: Any) -> threshold_pb2.RatesReply:
        """Our rates: all members compile the match keys from the rates of all."""
        header, agreement = codec.rates_request.read(request)
        rates = await self._members.rates(context.caller, header, agreement)
        return codec.rates_reply.answer(header, rates)

    async def Join(
        self, request: threshold_pb2.JoinRequest, context: Any
    ) -> AsyncIterator[threshold_pb2.JoinReply]:
        """Progress while our elements are blinded, then our commitment."""
        header, rates = codec.join_request.read(request)
        session = await self._members.join(context.caller, header, rates)
        async for done, total in session.progress():
            yield codec.join_reply.answer(header, Progress(done, total))
        yield codec.join_reply.answer(header, await session.commitment())

    async def Meet(self, request: threshold_pb2.MeetRequest, context: Any) -> threshold_pb2.MeetReply:
        """The commitments of all members."""
        header, commitments = codec.meet_request.read(request)
        session = await self._members.session(context.caller, header)
        return codec.meet_reply.answer(header, await session.meet(commitments))

    async def Blind(self, request: threshold_pb2.BlindRequest, context: Any) -> match_pb2.BlindedChunk:
        """A chunk of our blinded elements."""
        header = codec.blind_request.header(request)
        session = await self._members.session(context.caller, header)
        return hits_codec.blinded_chunk(await session.blinded(header.sequence))

    async def Evaluate(self, request: threshold_pb2.MemberPoints, context: Any) -> match_pb2.EvaluatedChunk:
        """Another member's chunk, evaluated: only elements that the member has committed to."""
        member, chunk = codec.read_member_points(request)
        session = await self._members.session(context.caller, chunk.header)
        return hits_codec.evaluated_chunk(await session.evaluate(member, chunk))

    async def Attest(self, request: threshold_pb2.AttestRequest, context: Any) -> threshold_pb2.AttestReply:
        """Our signature for our evaluation."""
        header, member = codec.attest_request.read(request)
        session = await self._members.session(context.caller, header)
        return codec.attest_reply.answer(header, await session.attest(member))

    async def Deliver(
        self, request: threshold_pb2.DeliverRequest, context: Any
    ) -> threshold_pb2.DeliverReply:
        """Another member's evaluation of our elements, or its signature."""
        header, member, body = codec.read_deliver_request(request)
        session = await self._members.session(context.caller, header)
        await session.deliver(member, body)
        return codec.deliver_reply.answer(header)

    async def Build(
        self, request: threshold_pb2.BuildRequest, context: Any
    ) -> AsyncIterator[threshold_pb2.BuildReply]:
        """Progress while our tables are built, then our commitment to them."""
        header = codec.build_request.header(request)
        session = await self._members.session(context.caller, header)
        async for each in session.build():
            yield codec.build_reply.answer(header, each if isinstance(each, Signed) else Progress(*each))

    async def Collect(self, request: threshold_pb2.CellsRequest, context: Any) -> threshold_pb2.Cells:
        """A chunk of our tables."""
        header = codec.cells_request.header(request)
        session = await self._members.session(context.caller, header)
        return codec.cells(await session.cells(header.sequence))

    async def Tell(self, request: threshold_pb2.TellRequest, context: Any) -> threshold_pb2.TellReply:
        """Which of our cells enough members hold."""
        header, body = codec.tell_request.read(request)
        session = await self._members.session(context.caller, header)
        await session.receive_outcome(header, body)
        return codec.tell_reply.answer(header)

    async def Sign(self, request: threshold_pb2.SignRequest, context: Any) -> threshold_pb2.SignReply:
        """Our signature over the collector's receipt."""
        header, receipt, tables = codec.sign_request.read(request)
        signature = await self._members.sign(context.caller, header, receipt, tables)
        return codec.sign_reply.answer(header, signature)
