"""The messages of standing agreements: delta rounds and checks of single records."""

from typing import NamedTuple

from blindmatch.node.transport import strict_reading
from blindmatch.node.transport.codec import header_out, read_header, read_signed, signed_out
from blindmatch.proto.v1 import standing_pb2
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import DIGEST_BYTES, LIMITS, PROOF_BYTES, TAG_BYTES
from blindmatch.protocol.session.messages import ROUND_BYTES, EdgeContext, Header, TagChunk
from blindmatch.protocol.standing.single_check import CheckName
from blindmatch.protocol.transcript import Signed


class DeltaOpening(NamedTuple):
    """The receiver opens, or opens again, an edge of a delta round."""

    header: Header
    agreement: bytes
    """32 bytes."""
    epoch: bytes
    """16 bytes."""
    number: int
    commitment: Signed


class Check(NamedTuple):
    """One record submitted (rows) or asked about (points), not looked into yet."""

    name: CheckName
    agreement: bytes
    """32 bytes."""
    content: bytes


def delta_open_request(opening: DeltaOpening) -> standing_pb2.DeltaOpenRequest:
    """The receiver's opening message."""
    return standing_pb2.DeltaOpenRequest(
        header=header_out(opening.header),
        agreement=opening.agreement,
        epoch=opening.epoch,
        number=opening.number,
        commitment=signed_out(opening.commitment),
    )


def read_delta_open_request(message: standing_pb2.DeltaOpenRequest) -> DeltaOpening:
    """Read the receiver's opening message; its signature is not verified yet.

    Raises:
        PeerError: WRONG_VERSION, OVERSIZE, BAD_MESSAGE or BAD_SIGNATURE, as from every `read_` function here.
    """
    header = read_header(message, "the opening")
    strict_reading.present(message, "commitment", "the opening")
    return DeltaOpening(
        header,
        strict_reading.sized(message.agreement, DIGEST_BYTES, "agreement"),
        strict_reading.sized(message.epoch, ROUND_BYTES, "epoch"),
        message.number,
        read_signed(message.commitment, "commitment"),
    )


def changes_chunk(chunk: TagChunk, *, removed: bool) -> standing_pb2.ChangesChunk:
    """One chunk of what goes or of what comes."""
    rows = chunk.rows.tobytes()
    return standing_pb2.ChangesChunk(
        header=header_out(chunk.header), **({"removed": rows} if removed else {"added": rows})
    )


def read_changes_chunk(message: standing_pb2.ChangesChunk, context: EdgeContext) -> TagChunk:
    """Read one chunk of changes; whether its kind is the one that is due shows in the session."""
    header = read_header(message, "the chunk of changes")
    if bool(message.removed) == bool(message.added):
        raise PeerError(PeerCode.BAD_MESSAGE, "a chunk of changes holds what goes or what comes")
    if message.added:
        return TagChunk.parse(header, message.added, context)
    return TagChunk.parse_tags(header, message.removed)


def submit_request(check: Check) -> standing_pb2.SubmitRequest:
    """One record's rows."""
    return standing_pb2.SubmitRequest(
        header=header_out(check.name.header),
        agreement=check.agreement,
        check=check.name.check,
        rows=check.content,
    )


def read_submit_request(message: standing_pb2.SubmitRequest) -> Check:
    """Read a submission; its rows are not counted yet."""
    header = read_header(message, "the submission")
    agreement = strict_reading.sized(message.agreement, DIGEST_BYTES, "agreement")
    return Check(CheckName(header, message.check), agreement, _bounded(message.rows))


def submit_reply(name: CheckName) -> standing_pb2.SubmitReply:
    """It came."""
    return standing_pb2.SubmitReply(header=header_out(name.header), check=name.check)


def read_submit_reply(message: standing_pb2.SubmitReply) -> CheckName:
    """Read that it came."""
    return CheckName(read_header(message, "the answer"), message.check)


def ask_request(check: Check) -> standing_pb2.AskRequest:
    """One record's blinded elements."""
    return standing_pb2.AskRequest(
        header=header_out(check.name.header),
        agreement=check.agreement,
        check=check.name.check,
        points=check.content,
    )


def read_ask_request(message: standing_pb2.AskRequest) -> Check:
    """Read a question; its elements are not decoded yet."""
    header = read_header(message, "the question")
    agreement = strict_reading.sized(message.agreement, DIGEST_BYTES, "agreement")
    return Check(CheckName(header, message.check), agreement, _bounded(message.points))


def ask_reply(name: CheckName, points: bytes, proof: bytes) -> standing_pb2.AskReply:
    """The elements evaluated."""
    return standing_pb2.AskReply(header=header_out(name.header), check=name.check, points=points, proof=proof)


def read_ask_reply(message: standing_pb2.AskReply) -> tuple[CheckName, bytes, bytes]:
    """Read the evaluated elements and the proof, neither checked yet."""
    header = read_header(message, "the answer")
    if len(message.proof) not in {0, PROOF_BYTES}:
        raise PeerError(PeerCode.BAD_MESSAGE, "a proof has 64 bytes")
    return CheckName(header, message.check), _bounded(message.points), message.proof


def _bounded(content: bytes) -> bytes:
    """No record has more slots than this, nor wider rows."""
    most = LIMITS.tokens_per_record * (TAG_BYTES + LIMITS.fact_bytes + TAG_BYTES)
    if not 0 < len(content) <= most:
        raise PeerError(PeerCode.OVERSIZE if content else PeerCode.BAD_MESSAGE, "a check has no such size")
    return content
