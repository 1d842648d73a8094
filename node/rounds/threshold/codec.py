"""The messages of one threshold of one round: the Thresholds service."""

from collections.abc import Iterable, Sequence

from blindmatch.node.rounds.edge_codec import (
    Progress,
    header_message,
    header_reader,
    progress_out,
    read_progress,
    signature_reader,
    signed_message,
    signed_reader,
)
from blindmatch.node.transport import strict_reading
from blindmatch.node.transport.codec import header_out, read_header, read_signed, signed_out
from blindmatch.proto.v1 import threshold_pb2
from blindmatch.protocol.agreement import MEMBERS
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import DIGEST_BYTES, LIMITS
from blindmatch.protocol.session.messages import BlindedChunk, EvaluatedChunk, Header, RowsChunk
from blindmatch.protocol.threshold import Committed, ThresholdContext
from blindmatch.protocol.threshold.share_tables import CELL_BYTES
from blindmatch.protocol.transcript import Signed


def rates_request(header: Header, agreement: bytes) -> threshold_pb2.RatesRequest:
    """The collector starts a threshold of a round."""
    return threshold_pb2.RatesRequest(header=header_out(header), agreement=agreement)


def read_rates_request(message: threshold_pb2.RatesRequest) -> tuple[Header, bytes]:
    """Header and agreement id, 32 bytes.

    Raises:
        PeerError: WRONG_VERSION, OVERSIZE, BAD_MESSAGE or BAD_SIGNATURE, as from every `read_` function here.
    """
    header = read_header(message, "the request for rates")
    return header, strict_reading.sized(message.agreement, DIGEST_BYTES, "agreement")


rates_reply = signed_message(threshold_pb2.RatesReply, "rates")
"""The member's rates."""

read_rates_reply = signed_reader("rates", "the answer", "statement of rates")
"""Read the member's rates; the signature is not verified yet."""


def join_request(header: Header, rates: Sequence[Signed]) -> threshold_pb2.JoinRequest:
    """The rates of all members, for one of them."""
    return threshold_pb2.JoinRequest(header=header_out(header), rates=[signed_out(each) for each in rates])


def read_join_request(message: threshold_pb2.JoinRequest) -> tuple[Header, list[Signed]]:
    """Read the rates of all members; the signatures are not verified yet."""
    header = read_header(message, "the members' rates")
    _few(message.rates, "rates")
    return header, [read_signed(each, "statement of rates") for each in message.rates]


def join_reply(header: Header, body: Progress | Committed) -> threshold_pb2.JoinReply:
    """The member's progress, or finally its commitment."""
    if isinstance(body, Progress):
        return threshold_pb2.JoinReply(header=header_out(header), progress=progress_out(body))
    return threshold_pb2.JoinReply(header=header_out(header), commitment=_committed_out(body))


def read_join_reply(message: threshold_pb2.JoinReply) -> tuple[Header, Progress | Committed]:
    """Read the member's answer."""
    header = read_header(message, "the answer")
    match message.WhichOneof("body"):
        case "progress":
            return header, read_progress(message.progress)
        case "commitment":
            return header, _read_committed(message.commitment)
        case _:
            raise PeerError(PeerCode.BAD_MESSAGE, "the answer holds neither progress nor a commitment")


def meet_request(header: Header, commitments: Sequence[Committed]) -> threshold_pb2.MeetRequest:
    """The commitments of all members, for one of them."""
    return threshold_pb2.MeetRequest(
        header=header_out(header), commitments=[_committed_out(each) for each in commitments]
    )


def read_meet_request(message: threshold_pb2.MeetRequest) -> tuple[Header, list[Committed]]:
    """Read the commitments of all members; the signatures are not verified yet."""
    header = read_header(message, "the members' commitments")
    _few(message.commitments, "commitments")
    return header, [_read_committed(each) for each in message.commitments]


def meet_reply(header: Header, received: Iterable[tuple[int, bool]]) -> threshold_pb2.MeetReply:
    """For each other member, the leading chunks that a member has received, and whether they are signed."""
    progress = [threshold_pb2.Received(chunks=chunks, attested=attested) for chunks, attested in received]
    return threshold_pb2.MeetReply(header=header_out(header), received=progress)


def read_meet_reply(message: threshold_pb2.MeetReply, others: int) -> tuple[Header, list[tuple[int, bool]]]:
    """Read what a member has received from each of the `others`."""
    header = read_header(message, "the answer")
    if len(message.received) != others or any(each.chunks > LIMITS.elements for each in message.received):
        raise PeerError(PeerCode.BAD_MESSAGE, "the answer does not state the progress of each member")
    return header, [(each.chunks, each.attested) for each in message.received]


blind_request = header_message(threshold_pb2.BlindRequest)
"""Ask for blinded chunk `header.sequence`."""

read_blind_request = header_reader("the request for blinded elements")
"""Read a request for a blinded chunk."""


def member_points(member: str, chunk: BlindedChunk) -> threshold_pb2.MemberPoints:
    """A chunk of a member's blinded elements, for another member."""
    return threshold_pb2.MemberPoints(
        header=header_out(chunk.header), member=member, points=chunk.points.tobytes()
    )


def read_member_points(message: threshold_pb2.MemberPoints) -> tuple[str, BlindedChunk]:
    """Read a member's name and a chunk of its blinded elements; the points are not decoded yet."""
    header = read_header(message, "the blinded chunk")
    return message.member, BlindedChunk.parse(header, message.points)


def attest_request(header: Header, member: str) -> threshold_pb2.AttestRequest:
    """Ask for the signature over the evaluation of a member's elements."""
    return threshold_pb2.AttestRequest(header=header_out(header), member=member)


def read_attest_request(message: threshold_pb2.AttestRequest) -> tuple[Header, str]:
    """Read whose elements the signature is for."""
    return read_header(message, "the request for a signature"), message.member


attest_reply = signed_message(threshold_pb2.AttestReply, "attestation")
"""The signature over the evaluation of a member's elements."""

read_attest_reply = signed_reader("attestation", "the answer", "attestation")
"""Read that signature; it is not verified yet."""


def deliver_request(
    header: Header, member: str, body: EvaluatedChunk | Signed
) -> threshold_pb2.DeliverRequest:
    """A chunk that a member evaluated, or finally its signature, for the member with these elements."""
    request = threshold_pb2.DeliverRequest(header=header_out(header), member=member)
    if isinstance(body, Signed):
        request.attestation.CopyFrom(signed_out(body))
    else:
        request.points = body.points.tobytes()
    return request


def read_deliver_request(
    message: threshold_pb2.DeliverRequest,
) -> tuple[Header, str, EvaluatedChunk | Signed]:
    """Read an evaluated chunk, or a signature; nothing is checked yet."""
    header = read_header(message, "the evaluated chunk")
    match message.WhichOneof("body"):
        case "points":
            return header, message.member, EvaluatedChunk.parse(header, message.points, b"")
        case "attestation":
            return header, message.member, read_signed(message.attestation, "attestation")
        case _:
            raise PeerError(PeerCode.BAD_MESSAGE, "the delivery holds neither points nor a signature")


deliver_reply = header_message(threshold_pb2.DeliverReply)
"""The delivery is stored."""

build_request = header_message(threshold_pb2.BuildRequest)
"""Ask for the tables to be built."""

read_build_request = header_reader("the request for tables")
"""Read a request for tables."""


def build_reply(header: Header, body: Progress | Signed) -> threshold_pb2.BuildReply:
    """The progress of the tables, or finally the commitment to them."""
    if isinstance(body, Progress):
        return threshold_pb2.BuildReply(header=header_out(header), progress=progress_out(body))
    return threshold_pb2.BuildReply(header=header_out(header), tables=signed_out(body))


def read_build_reply(message: threshold_pb2.BuildReply) -> tuple[Header, Progress | Signed]:
    """Read the member's answer."""
    header = read_header(message, "the answer")
    match message.WhichOneof("body"):
        case "progress":
            return header, read_progress(message.progress)
        case "tables":
            return header, read_signed(message.tables, "commitment to tables")
        case _:
            raise PeerError(PeerCode.BAD_MESSAGE, "the answer holds neither progress nor a commitment")


cells_request = header_message(threshold_pb2.CellsRequest)
"""Ask for chunk `header.sequence` of the tables."""

read_cells_request = header_reader("the request for cells")
"""Read a request for a chunk of the tables."""


def cells(chunk: RowsChunk) -> threshold_pb2.Cells:
    """A chunk of a member's tables."""
    return threshold_pb2.Cells(header=header_out(chunk.header), cells=chunk.rows.tobytes())


def read_cells(message: threshold_pb2.Cells) -> RowsChunk:
    """Read a chunk of a member's tables."""
    return RowsChunk.parse(read_header(message, "the cells"), message.cells, CELL_BYTES)


def tell_request(header: Header, body: RowsChunk | Signed) -> threshold_pb2.TellRequest:
    """The collector's signed statement, then the outcome chunk by chunk."""
    if isinstance(body, Signed):
        return threshold_pb2.TellRequest(header=header_out(header), outcome=signed_out(body))
    return threshold_pb2.TellRequest(header=header_out(header), tables=body.rows.tobytes())


def read_tell_request(message: threshold_pb2.TellRequest) -> tuple[Header, bytes | Signed]:
    """Read a part of the outcome; the width of its rows follows from the threshold."""
    header = read_header(message, "the outcome")
    match message.WhichOneof("body"):
        case "outcome":
            return header, read_signed(message.outcome, "outcome")
        case "tables":
            return header, message.tables
        case _:
            raise PeerError(PeerCode.BAD_MESSAGE, "the outcome holds neither a statement nor tables")


def outcome_rows(header: Header, data: bytes, context: ThresholdContext) -> RowsChunk:
    """A part of the outcome as rows of one table each."""
    return RowsChunk.parse(header, data, context.outcome_bytes)


tell_reply = header_message(threshold_pb2.TellReply)
"""The part of the outcome is stored."""


def sign_request(header: Header, receipt: Signed, tables: Sequence[Signed]) -> threshold_pb2.SignRequest:
    """The collector's signed receipt, and the commitments to tables that it covers."""
    return threshold_pb2.SignRequest(
        header=header_out(header), receipt=signed_out(receipt), tables=[signed_out(each) for each in tables]
    )


def read_sign_request(message: threshold_pb2.SignRequest) -> tuple[Header, Signed, list[Signed]]:
    """Read the receipt and the commitments to tables; no signature is verified yet."""
    header = read_header(message, "the receipt")
    strict_reading.present(message, "receipt", "the closing")
    _few(message.tables, "tables")
    tables = [read_signed(each, "commitment to tables") for each in message.tables]
    return header, read_signed(message.receipt, "receipt"), tables


def sign_reply(header: Header, signature: bytes) -> threshold_pb2.SignReply:
    """The member's signature, 64 bytes."""
    return threshold_pb2.SignReply(header=header_out(header), signature=signature)


read_sign_reply = signature_reader("the answer to the receipt")
"""Read the member's signature over the receipt, 64 bytes; not verified yet."""


read_reply = header_reader("the answer")
"""Read an answer that only acknowledges that a message is stored."""


def _few(values: Sequence[object], what: str) -> None:
    if len(values) > MEMBERS:
        raise PeerError(PeerCode.OVERSIZE, f"{len(values)} {what}; a threshold has at most {MEMBERS} members")


def _committed_out(committed: Committed) -> threshold_pb2.MemberCommitment:
    return threshold_pb2.MemberCommitment(
        statement=signed_out(committed.statement), digests=committed.digests
    )


def _read_committed(message: threshold_pb2.MemberCommitment) -> Committed:
    return Committed(read_signed(message.statement, "commitment"), message.digests)
