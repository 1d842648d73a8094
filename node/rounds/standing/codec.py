"""The messages of delta rounds and single checks, to and from protobuf."""

from typing import NamedTuple

from blindmatch.node.transport import strict_reading
from blindmatch.node.transport.codec import header_out, read_header, read_signed, signed_out
from blindmatch.proto.v1 import standing_pb2
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.hits.messages import TagChunk
from blindmatch.protocol.limits import DIGEST_BYTES, LIMITS, PROOF_BYTES, TAG_BYTES
from blindmatch.protocol.session.messages import ROUND_BYTES, EdgeContext, Header
from blindmatch.protocol.standing.single_check import CheckName
from blindmatch.protocol.transcript import Signed


class DeltaOpening(NamedTuple):
    """The receiver starts, or resumes, an edge of a delta round."""

    header: Header
    agreement: bytes
    """32 bytes."""
    epoch: bytes
    """16 bytes."""
    number: int
    commitment: Signed


class CheckRequest(NamedTuple):
    """One record, submitted or queried."""

    name: CheckName
    agreement: bytes
    """32 bytes."""
    content: bytes
    """Rows of a submission or points of a query, not parsed."""


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
    """One chunk of removed or of added rows."""
    rows = chunk.rows.tobytes()
    return standing_pb2.ChangesChunk(
        header=header_out(chunk.header), **({"removed": rows} if removed else {"added": rows})
    )


def read_changes_chunk(message: standing_pb2.ChangesChunk, context: EdgeContext) -> TagChunk:
    """Read one chunk of changes; the session checks whether removed or added rows are due."""
    header = read_header(message, "the chunk of changes")
    if bool(message.removed) == bool(message.added):
        raise PeerError(PeerCode.BAD_MESSAGE, "a chunk of changes has either removed or added rows")
    if message.added:
        return TagChunk.parse(header, message.added, context.row_bytes)
    return TagChunk.parse(header, message.removed, TAG_BYTES)


def submit_request(request: CheckRequest) -> standing_pb2.SubmitRequest:
    """A submission: one record's rows."""
    return standing_pb2.SubmitRequest(
        header=header_out(request.name.header),
        agreement=request.agreement,
        check=request.name.check,
        rows=request.content,
    )


def read_submit_request(message: standing_pb2.SubmitRequest) -> CheckRequest:
    """Read a submission; the number of its rows is not checked yet."""
    header = read_header(message, "the submission")
    agreement = strict_reading.sized(message.agreement, DIGEST_BYTES, "agreement")
    return CheckRequest(CheckName(header, message.check), agreement, _bounded(message.rows))


def submit_reply(name: CheckName) -> standing_pb2.SubmitReply:
    """The acknowledgement of a submission."""
    return standing_pb2.SubmitReply(header=header_out(name.header), check=name.check)


def read_submit_reply(message: standing_pb2.SubmitReply) -> CheckName:
    """Read the acknowledgement of a submission."""
    return CheckName(read_header(message, "the answer"), message.check)


def ask_request(request: CheckRequest) -> standing_pb2.AskRequest:
    """A query: one record's blinded elements."""
    return standing_pb2.AskRequest(
        header=header_out(request.name.header),
        agreement=request.agreement,
        check=request.name.check,
        points=request.content,
    )


def read_ask_request(message: standing_pb2.AskRequest) -> CheckRequest:
    """Read a query; its elements are not decoded yet."""
    header = read_header(message, "the query")
    agreement = strict_reading.sized(message.agreement, DIGEST_BYTES, "agreement")
    return CheckRequest(CheckName(header, message.check), agreement, _bounded(message.points))


def ask_reply(name: CheckName, points: bytes, proof: bytes) -> standing_pb2.AskReply:
    """The answer to a query: the evaluated elements, and the proof where evaluation is verified."""
    return standing_pb2.AskReply(header=header_out(name.header), check=name.check, points=points, proof=proof)


def read_ask_reply(message: standing_pb2.AskReply) -> tuple[CheckName, bytes, bytes]:
    """Read the answer to a query: check, evaluated elements and proof, not checked yet."""
    header = read_header(message, "the answer")
    if len(message.proof) not in {0, PROOF_BYTES}:
        raise PeerError(PeerCode.BAD_MESSAGE, "a proof has 64 bytes")
    return CheckName(header, message.check), _bounded(message.points), message.proof


def _bounded(content: bytes) -> bytes:
    """The content of a check, within the largest number and width of rows that a record can have."""
    most = LIMITS.tokens_per_record * (TAG_BYTES + LIMITS.fact_bytes + TAG_BYTES)
    if not 0 < len(content) <= most:
        raise PeerError(
            PeerCode.OVERSIZE if content else PeerCode.BAD_MESSAGE,
            "the content of a check is empty or too large",
        )
    return content
