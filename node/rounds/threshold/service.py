"""A member's side of a threshold over gRPC: messages in, `Membership` asked, messages out. No state of its own."""

from collections.abc import AsyncIterator
from typing import Any

from blindmatch.node.rounds.edge_codec import Progress
from blindmatch.node.rounds.hits.codec import blinded_chunk as blinded_out
from blindmatch.node.rounds.hits.codec import evaluated_chunk
from blindmatch.node.rounds.threshold import codec as convert
from blindmatch.node.rounds.threshold.membership import Membership
from blindmatch.proto.v1 import match_pb2, threshold_pb2
from blindmatch.protocol.session.messages import Header
from blindmatch.protocol.transcript import Signed


class ThresholdsService:
    """Servicer of `blindmatch.v1.Thresholds`; behind the gate, so `context.caller` is verified and messages are parsed."""

    def __init__(self, membership: Membership) -> None:
        self._members = membership

    async def Rates(  # noqa: N802 - gRPC's name
        self, request: threshold_pb2.RatesRequest, context: Any
    ) -> threshold_pb2.RatesReply:
        """Our rates: what everybody compiles the match keys from."""
        header, agreement = convert.read_rates_request(request)
        return convert.rates_reply(
            _answer(header), await self._members.rates(context.caller, header, agreement)
        )

    async def Join(  # noqa: N802
        self, request: threshold_pb2.JoinRequest, context: Any
    ) -> AsyncIterator[threshold_pb2.JoinReply]:
        """Progress while our elements are blinded, then our commitment."""
        header, rates = convert.read_join_request(request)
        work = await self._members.join(context.caller, header, rates)
        async for done, total in work.progress():
            yield convert.join_reply(_answer(header), Progress(done, total))
        yield convert.join_reply(_answer(header), await work.committed())

    async def Meet(  # noqa: N802
        self, request: threshold_pb2.MeetRequest, context: Any
    ) -> threshold_pb2.MeetReply:
        """Everybody's commitments."""
        header, everybody = convert.read_meet_request(request)
        work = await self._members.work(context.caller, header)
        return convert.meet_reply(_answer(header), await work.meet(everybody))

    async def Blind(  # noqa: N802
        self, request: threshold_pb2.BlindRequest, context: Any
    ) -> match_pb2.BlindedChunk:
        """A chunk of our blinded elements."""
        header = convert.read_blind_request(request)
        work = await self._members.work(context.caller, header)
        return blinded_out(await work.blinded(header.sequence))

    async def Evaluate(  # noqa: N802
        self, request: threshold_pb2.MemberPoints, context: Any
    ) -> match_pb2.EvaluatedChunk:
        """Another member's chunk, evaluated: only what that member has signed for."""
        member, chunk = convert.read_member_points(request)
        work = await self._members.work(context.caller, chunk.header)
        return evaluated_chunk(await work.evaluate(member, chunk))

    async def Attest(  # noqa: N802
        self, request: threshold_pb2.AttestRequest, context: Any
    ) -> threshold_pb2.AttestReply:
        """Our signature for what we evaluated."""
        header, member = convert.read_attest_request(request)
        work = await self._members.work(context.caller, header)
        return convert.attest_reply(_answer(header), await work.attest(member))

    async def Deliver(  # noqa: N802
        self, request: threshold_pb2.DeliverRequest, context: Any
    ) -> threshold_pb2.DeliverReply:
        """What another member evaluated for us."""
        header, member, body = convert.read_deliver_request(request)
        work = await self._members.work(context.caller, header)
        await work.deliver(member, body)
        return convert.deliver_reply(_answer(header))

    async def Build(  # noqa: N802
        self, request: threshold_pb2.BuildRequest, context: Any
    ) -> AsyncIterator[threshold_pb2.BuildReply]:
        """Progress while our tables are built, then our commitment to them."""
        header = convert.read_build_request(request)
        work = await self._members.work(context.caller, header)
        async for each in work.build():
            yield convert.build_reply(_answer(header), each if isinstance(each, Signed) else Progress(*each))

    async def Collect(  # noqa: N802
        self, request: threshold_pb2.CellsRequest, context: Any
    ) -> threshold_pb2.Cells:
        """A chunk of our tables."""
        header = convert.read_cells_request(request)
        work = await self._members.work(context.caller, header)
        return convert.cells(await work.cells(header.sequence))

    async def Tell(  # noqa: N802
        self, request: threshold_pb2.TellRequest, context: Any
    ) -> threshold_pb2.TellReply:
        """Which of our cells are shared."""
        header, body = convert.read_tell_request(request)
        work = await self._members.work(context.caller, header)
        await work.tell(header, body)
        return convert.tell_reply(_answer(header))

    async def Sign(  # noqa: N802
        self, request: threshold_pb2.SignRequest, context: Any
    ) -> threshold_pb2.SignReply:
        """Our signature over the collector's receipt."""
        header, receipt, tables = convert.read_sign_request(request)
        signature = await self._members.sign(context.caller, header, receipt, tables)
        return convert.sign_reply(_answer(header), signature)


def _answer(header: Header) -> Header:
    return Header(header.round_id, header.edge, 0)
