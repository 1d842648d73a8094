"""The messages of one threshold of one round: the Thresholds service."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from blindmatch.node.rounds.edge_codec import NEITHER, PROGRESS, Progress
from blindmatch.node.transport.codec import (
    AGREEMENT,
    SIGNATURE,
    ChunkShape,
    Part,
    either,
    field,
    read_signed,
    shape,
    signed,
    signed_out,
)
from blindmatch.proto.v1 import threshold_pb2
from blindmatch.protocol.agreement import MEMBERS
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import LIMITS
from blindmatch.protocol.session.messages import BlindedChunk, EvaluatedChunk, Header, RowsChunk
from blindmatch.protocol.threshold.messages import CommittedChunks, ThresholdContext
from blindmatch.protocol.threshold.share_tables import CELL_BYTES
from blindmatch.protocol.transcript import Signed

Value = TypeVar("Value")


def _of_members(name: str, out: Callable[[Value], Any], read: Callable[[Any], Value]) -> Part[list[Value]]:
    """One value of each member, in the threshold's order. OVERSIZE for more than a threshold can have."""

    def read_all(values: Sequence[Any]) -> list[Value]:
        if len(values) > MEMBERS:
            raise PeerError(
                PeerCode.OVERSIZE, f"{len(values)} {name}; a threshold has at most {MEMBERS} members"
            )
        return [read(value) for value in values]

    return field(name, lambda values: [out(value) for value in values], read_all)


def _statements(name: str, what: str) -> Part[list[Signed]]:
    return _of_members(name, signed_out, lambda message: read_signed(message, what))


def _committed_out(committed: CommittedChunks) -> threshold_pb2.MemberCommitment:
    return threshold_pb2.MemberCommitment(
        statement=signed_out(committed.statement), digests=committed.digests
    )


def _read_committed(message: threshold_pb2.MemberCommitment) -> CommittedChunks:
    return CommittedChunks(read_signed(message.statement, "commitment"), message.digests)


_MEMBER: Part[str] = field("member")
_POINTS: Part[bytes] = field("points")
_TABLES: Part[bytes] = field("tables")
_RECEIVED: Part[list[tuple[int, bool]]] = field(
    "received",
    lambda received: [threshold_pb2.Received(chunks=each[0], attested=each[1]) for each in received],
    lambda received: [(each.chunks, each.attested) for each in received],
)

rates_request = shape(threshold_pb2.RatesRequest, "the request for rates", AGREEMENT)
"""The collector starts a threshold of a round."""

rates_reply = shape(threshold_pb2.RatesReply, "the answer", signed("rates", "statement of rates"))
"""The member's rates."""

join_request = shape(
    threshold_pb2.JoinRequest, "the members' rates", _statements("rates", "statement of rates")
)
"""The rates of all members, for one of them."""

join_reply = shape(
    threshold_pb2.JoinReply,
    "the answer",
    either(Progress, PROGRESS, field("commitment", _committed_out, _read_committed), NEITHER),
)
"""The member's progress, or finally its commitment."""

meet_request = shape(
    threshold_pb2.MeetRequest,
    "the members' commitments",
    _of_members("commitments", _committed_out, _read_committed),
)
"""The commitments of all members, for one of them."""

meet_reply = shape(threshold_pb2.MeetReply, "the answer", _RECEIVED)
"""For each other member, the leading chunks that a member has received, and whether they are signed; see `read_meet_reply`."""


def read_meet_reply(message: threshold_pb2.MeetReply, others: int) -> tuple[Header, list[tuple[int, bool]]]:
    """What a member has received from each of the `others`.

    Raises:
        PeerError: as from every `read` here; BAD_MESSAGE for another number of members, or too many chunks.
    """
    header, received = meet_reply.read(message)
    if len(received) != others or any(chunks > LIMITS.elements for chunks, _ in received):
        raise PeerError(PeerCode.BAD_MESSAGE, "the answer does not state the progress of each member")
    return header, received


blind_request = shape(threshold_pb2.BlindRequest, "the request for blinded elements")
"""Ask for blinded chunk `header.sequence`."""

member_points = shape(threshold_pb2.MemberPoints, "the blinded chunk", _MEMBER, _POINTS)
"""A member's name, and the points of a chunk of its blinded elements, for another member."""


def read_member_points(message: threshold_pb2.MemberPoints) -> tuple[str, BlindedChunk]:
    """A member's name and a chunk of its blinded elements, whose points are not decoded yet."""
    header, member, points = member_points.read(message)
    return member, BlindedChunk.parse(header, points)


attest_request = shape(threshold_pb2.AttestRequest, "the request for a signature", _MEMBER)
"""Ask for the signature over the evaluation of a member's elements."""

attest_reply = shape(threshold_pb2.AttestReply, "the answer", signed("attestation", "attestation"))
"""The signature over the evaluation of a member's elements."""

deliver_request = shape(
    threshold_pb2.DeliverRequest,
    "the evaluated chunk",
    _MEMBER,
    either(
        Signed,
        signed("attestation", "attestation"),
        _POINTS,
        "the delivery holds neither points nor a signature",
    ),
)
"""The points of a chunk that a member evaluated, or finally its signature, for the member with these elements."""


def read_deliver_request(
    message: threshold_pb2.DeliverRequest,
) -> tuple[Header, str, EvaluatedChunk | Signed]:
    """The header, a member's name, and a chunk that it evaluated or its signature; neither is checked yet."""
    header, member, body = deliver_request.read(message)
    return header, member, body if isinstance(body, Signed) else EvaluatedChunk.parse(header, body, b"")


deliver_reply = shape(threshold_pb2.DeliverReply, "the answer")
"""The delivery is stored."""

build_request = shape(threshold_pb2.BuildRequest, "the request for tables")
"""Ask for the tables to be built."""

build_reply = shape(
    threshold_pb2.BuildReply,
    "the answer",
    either(Progress, PROGRESS, signed("tables", "commitment to tables"), NEITHER),
)
"""The progress of the tables, or finally the commitment to them."""

cells_request = shape(threshold_pb2.CellsRequest, "the request for cells")
"""Ask for chunk `header.sequence` of the tables."""

cells = ChunkShape(
    threshold_pb2.Cells, "the cells", partial(RowsChunk.parse, width=CELL_BYTES), {"cells": "rows"}
)
"""A chunk of a member's tables."""

tell_request = shape(
    threshold_pb2.TellRequest,
    "the outcome",
    either(
        Signed,
        signed("outcome", "outcome"),
        _TABLES,
        "the outcome holds neither a statement nor tables",
    ),
)
"""The collector's signed statement, then the outcome chunk by chunk; `outcome_rows` gives its rows."""


def outcome_rows(header: Header, data: bytes, context: ThresholdContext) -> RowsChunk:
    """A part of the outcome as rows of one table each; their width follows from the threshold."""
    return RowsChunk.parse(header, data, context.outcome_bytes)


tell_reply = shape(threshold_pb2.TellReply, "the answer")
"""The part of the outcome is stored."""

sign_request = shape(
    threshold_pb2.SignRequest,
    "the closing",
    signed("receipt", "receipt"),
    _statements("tables", "commitment to tables"),
)
"""The collector's signed receipt, and the commitments to tables that it covers."""

sign_reply = shape(threshold_pb2.SignReply, "the answer to the receipt", SIGNATURE)
"""The member's signature over the receipt."""
