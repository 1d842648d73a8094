"""The Thresholds service: a member's side of thresholds.

Behind the gate: `context.caller` is verified and messages are parsed. No state of its own.
"""

from collections.abc import AsyncIterator
from typing import Any

from blindmatch.node.rounds.edge_codec import Progress, answer_header
from blindmatch.node.rounds.hits.codec import blinded_chunk as blinded_out
from blindmatch.node.rounds.hits.codec import evaluated_chunk
from blindmatch.node.rounds.threshold import codec
from blindmatch.node.rounds.threshold.membership import Membership
from blindmatch.proto.v1 import match_pb2, threshold_pb2
from blindmatch.protocol.transcript import Signed


class ThresholdsService:
    """Servicer of `blindmatch.v1.Thresholds`."""

    def __init__(self, membership: Membership) -> None:
        self._members = membership

    async def Rates(  # noqa: N802 - gRPC's name
        self, request: threshold_pb2.RatesRequest, context: Any
    ) -> threshold_pb2.RatesReply:
        """Our rates: all members compile the match keys from the rates of all."""
        header, agreement = codec.read_rates_request(request)
        return codec.rates_reply(
            answer_header(header), await self._members.rates(context.caller, header, agreement)
        )

    async def Join(  # noqa: N802
        self, request: threshold_pb2.JoinRequest, context: Any
    ) -> AsyncIterator[threshold_pb2.JoinReply]:
        """Progress while our elements are blinded, then our commitment."""
        header, rates = codec.read_join_request(request)
        session = await self._members.join(context.caller, header, rates)
        async for done, total in session.progress():
            yield codec.join_reply(answer_header(header), Progress(done, total))
        yield codec.join_reply(answer_header(header), await session.commitment())

    async def Meet(  # noqa: N802
        self, request: threshold_pb2.MeetRequest, context: Any
    ) -> threshold_pb2.MeetReply:
        """The commitments of all members."""
        header, commitments = codec.read_meet_request(request)
        session = await self._members.session(context.caller, header)
        return codec.meet_reply(answer_header(header), await session.meet(commitments))

    async def Blind(  # noqa: N802
        self, request: threshold_pb2.BlindRequest, context: Any
    ) -> match_pb2.BlindedChunk:
        """A chunk of our blinded elements."""
        header = codec.read_blind_request(request)
        session = await self._members.session(context.caller, header)
        return blinded_out(await session.blinded(header.sequence))

    async def Evaluate(  # noqa: N802
        self, request: threshold_pb2.MemberPoints, context: Any
    ) -> match_pb2.EvaluatedChunk:
        """Another member's chunk, evaluated: only elements that the member has committed to."""
        member, chunk = codec.read_member_points(request)
        session = await self._members.session(context.caller, chunk.header)
        return evaluated_chunk(await session.evaluate(member, chunk))

    async def Attest(  # noqa: N802
        self, request: threshold_pb2.AttestRequest, context: Any
    ) -> threshold_pb2.AttestReply:
        """Our signature for our evaluation."""
        header, member = codec.read_attest_request(request)
        session = await self._members.session(context.caller, header)
        return codec.attest_reply(answer_header(header), await session.attest(member))

    async def Deliver(  # noqa: N802
        self, request: threshold_pb2.DeliverRequest, context: Any
    ) -> threshold_pb2.DeliverReply:
        """Another member's evaluation of our elements, or its signature."""
        header, member, body = codec.read_deliver_request(request)
        session = await self._members.session(context.caller, header)
        await session.deliver(member, body)
        return codec.deliver_reply(answer_header(header))

    async def Build(  # noqa: N802
        self, request: threshold_pb2.BuildRequest, context: Any
    ) -> AsyncIterator[threshold_pb2.BuildReply]:
        """Progress while our tables are built, then our commitment to them."""
        header = codec.read_build_request(request)
        session = await self._members.session(context.caller, header)
        async for each in session.build():
            yield codec.build_reply(
                answer_header(header), each if isinstance(each, Signed) else Progress(*each)
            )

    async def Collect(  # noqa: N802
        self, request: threshold_pb2.CellsRequest, context: Any
    ) -> threshold_pb2.Cells:
        """A chunk of our tables."""
        header = codec.read_cells_request(request)
        session = await self._members.session(context.caller, header)
        return codec.cells(await session.cells(header.sequence))

    async def Tell(  # noqa: N802
        self, request: threshold_pb2.TellRequest, context: Any
    ) -> threshold_pb2.TellReply:
        """Which of our cells enough members hold."""
        header, body = codec.read_tell_request(request)
        session = await self._members.session(context.caller, header)
        await session.receive_outcome(header, body)
        return codec.tell_reply(answer_header(header))

    async def Sign(  # noqa: N802
        self, request: threshold_pb2.SignRequest, context: Any
    ) -> threshold_pb2.SignReply:
        """Our signature over the collector's receipt."""
        header, receipt, tables = codec.read_sign_request(request)
        signature = await self._members.sign(context.caller, header, receipt, tables)
        return codec.sign_reply(answer_header(header), signature)
