"""The messages that every edge of a round shares: rates, commitments with progress, and the receipt."""

from typing import NamedTuple

from blindmatch.node.transport import strict_reading
from blindmatch.node.transport.codec import header_out, read_header, read_signed, signed_out
from blindmatch.proto.v1 import match_pb2
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import DIGEST_BYTES, LIMITS, SIGNATURE_BYTES
from blindmatch.protocol.session.messages import Header
from blindmatch.protocol.transcript import Signed


class OpenRequest(NamedTuple):
    """The receiver opens, or opens again, an edge of a round."""

    header: Header
    agreement: bytes
    """32 bytes."""
    commitment: Signed


class PrepareRequest(NamedTuple):
    """The receiver begins an edge of a round with its rates."""

    header: Header
    agreement: bytes
    """32 bytes."""
    rates: Signed


class Progress(NamedTuple):
    """How far the sender is in preparing its own elements."""

    done: int
    total: int


def prepare_request(request: PrepareRequest) -> match_pb2.PrepareRequest:
    """The receiver's rates."""
    return match_pb2.PrepareRequest(
        header=header_out(request.header), agreement=request.agreement, rates=signed_out(request.rates)
    )


def read_prepare_request(message: match_pb2.PrepareRequest) -> PrepareRequest:
    """Read the receiver's rates; the signature is not verified yet.

    Raises:
        PeerError: WRONG_VERSION, OVERSIZE, BAD_MESSAGE or BAD_SIGNATURE, as from every `read_` function here.
    """
    header = read_header(message, "the preparation")
    strict_reading.present(message, "rates", "the preparation")
    agreement = strict_reading.sized(message.agreement, DIGEST_BYTES, "agreement")
    return PrepareRequest(header, agreement, read_signed(message.rates, "statement of rates"))


def prepare_reply(header: Header, rates: Signed) -> match_pb2.PrepareReply:
    """The sender's rates."""
    return match_pb2.PrepareReply(header=header_out(header), rates=signed_out(rates))


def read_prepare_reply(message: match_pb2.PrepareReply) -> tuple[Header, Signed]:
    """Read the sender's rates; the signature is not verified yet."""
    header = read_header(message, "the answer to the preparation")
    strict_reading.present(message, "rates", "the answer to the preparation")
    return header, read_signed(message.rates, "statement of rates")


def open_request(request: OpenRequest) -> match_pb2.OpenRequest:
    """The receiver's opening message."""
    return match_pb2.OpenRequest(
        header=header_out(request.header),
        agreement=request.agreement,
        commitment=signed_out(request.commitment),
    )


def read_open_request(message: match_pb2.OpenRequest) -> OpenRequest:
    """Read the receiver's opening message; its signature is not verified yet.

    Raises:
        PeerError: WRONG_VERSION, OVERSIZE, BAD_MESSAGE or BAD_SIGNATURE, as from every `read_` function here.
    """
    header = read_header(message, "the opening")
    strict_reading.present(message, "commitment", "the opening")
    agreement = strict_reading.sized(message.agreement, DIGEST_BYTES, "agreement")
    return OpenRequest(header, agreement, read_signed(message.commitment, "commitment"))


def open_reply(header: Header, body: Progress | Signed) -> match_pb2.OpenReply:
    """The sender's answer: how far it is, or at last its commitment."""
    if isinstance(body, Progress):
        progress = match_pb2.Progress(done=body.done, total=body.total)
        return match_pb2.OpenReply(header=header_out(header), progress=progress)
    return match_pb2.OpenReply(header=header_out(header), commitment=signed_out(body))


def read_open_reply(message: match_pb2.OpenReply) -> tuple[Header, Progress | Signed]:
    """Read the sender's answer to the opening."""
    header = read_header(message, "the answer")
    match message.WhichOneof("body"):
        case "progress":
            progress = Progress(message.progress.done, message.progress.total)
            if not progress.done <= progress.total <= LIMITS.elements:
                raise PeerError(PeerCode.BAD_MESSAGE, "the answer's progress is not possible")
            return header, progress
        case "commitment":
            return header, read_signed(message.commitment, "commitment")
        case _:
            raise PeerError(PeerCode.BAD_MESSAGE, "the answer holds neither progress nor a commitment")


def close_request(header: Header, receipt: Signed) -> match_pb2.CloseRequest:
    """The receiver's signed receipt."""
    return match_pb2.CloseRequest(header=header_out(header), receipt=signed_out(receipt))


def read_close_request(message: match_pb2.CloseRequest) -> tuple[Header, Signed]:
    """Read the receiver's receipt; its signature is not verified yet."""
    header = read_header(message, "the closing")
    strict_reading.present(message, "receipt", "the closing")
    return header, read_signed(message.receipt, "receipt")


def close_reply(header: Header, signature: bytes) -> match_pb2.CloseReply:
    """The sender's signature over the same receipt, 64 bytes."""
    return match_pb2.CloseReply(header=header_out(header), signature=signature)


def read_close_reply(message: match_pb2.CloseReply) -> tuple[Header, bytes]:
    """Read the sender's signature over the receipt, 64 bytes; not verified yet."""
    header = read_header(message, "the answer to the closing")
    if len(message.signature) != SIGNATURE_BYTES:
        raise PeerError(PeerCode.BAD_SIGNATURE, f"a signature of {len(message.signature)} bytes, not 64")
    return header, message.signature
