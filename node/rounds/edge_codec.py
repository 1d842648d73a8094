"""The messages that every edge of a round shares: rates, commitments with progress, and the receipt."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from google.protobuf.message import Message

from blindmatch.node.transport import strict_reading
from blindmatch.node.transport.codec import header_out, read_header, read_signed, signed_out
from blindmatch.proto.v1 import match_pb2
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import DIGEST_BYTES, LIMITS, SIGNATURE_BYTES
from blindmatch.protocol.session.messages import Header
from blindmatch.protocol.transcript import Signed

AnyMessage = TypeVar("AnyMessage", bound=Message)


def header_message(kind: Callable[..., AnyMessage]) -> Callable[[Header], AnyMessage]:
    """The writer of a message that holds no more than a header."""
    return lambda header: kind(header=header_out(header))


def header_reader(what: str) -> Callable[[Any], Header]:
    """The reader of a message's header, where nothing else is read.

    Raises:
        PeerError: WRONG_VERSION, OVERSIZE or BAD_MESSAGE, as from every reader here.
    """
    return lambda message: read_header(message, what)


def signed_message(kind: Callable[..., AnyMessage], field: str) -> Callable[[Header, Signed], AnyMessage]:
    """The writer of a message that holds a header and a signed statement in `field`."""
    return lambda header, signed: kind(header=header_out(header), **{field: signed_out(signed)})


def signed_reader(field: str, what: str, statement: str) -> Callable[[Any], tuple[Header, Signed]]:
    """The reader of such a message; the signature is not verified.

    Raises:
        PeerError: BAD_SIGNATURE too, for a signature that has not 64 bytes.
    """

    def read(message: Any) -> tuple[Header, Signed]:
        header = read_header(message, what)
        strict_reading.present(message, field, what)
        return header, read_signed(getattr(message, field), statement)

    return read


def signature_reader(what: str) -> Callable[[Any], tuple[Header, bytes]]:
    """The reader of a message that holds a header and a signature of 64 bytes, which is not verified.

    Raises:
        PeerError: BAD_SIGNATURE too, for another size.
    """

    def read(message: Any) -> tuple[Header, bytes]:
        header = read_header(message, what)
        if len(message.signature) != SIGNATURE_BYTES:
            raise PeerError(PeerCode.BAD_SIGNATURE, f"a signature of {len(message.signature)} bytes, not 64")
        return header, message.signature

    return read


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
    """How far the other side is in preparing its own elements."""

    done: int
    total: int


def answer_header(header: Header) -> Header:
    """The header of an answer that is not a chunk."""
    return Header(header.round_id, header.edge, 0)


def progress_out(progress: Progress) -> match_pb2.Progress:
    """Progress for the wire."""
    return match_pb2.Progress(done=progress.done, total=progress.total)


def read_progress(message: match_pb2.Progress) -> Progress:
    """Read progress."""
    progress = Progress(message.done, message.total)
    if not progress.done <= progress.total <= LIMITS.elements:
        raise PeerError(PeerCode.BAD_MESSAGE, "the answer's progress is not possible")
    return progress


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


prepare_reply = signed_message(match_pb2.PrepareReply, "rates")
"""The sender's rates."""

read_prepare_reply = signed_reader("rates", "the answer to the preparation", "statement of rates")
"""Read the sender's rates; the signature is not verified yet."""


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
    """The sender's answer: its progress, or finally its commitment."""
    if isinstance(body, Progress):
        return match_pb2.OpenReply(header=header_out(header), progress=progress_out(body))
    return match_pb2.OpenReply(header=header_out(header), commitment=signed_out(body))


def read_open_reply(message: match_pb2.OpenReply) -> tuple[Header, Progress | Signed]:
    """Read the sender's answer to the opening."""
    header = read_header(message, "the answer")
    match message.WhichOneof("body"):
        case "progress":
            return header, read_progress(message.progress)
        case "commitment":
            return header, read_signed(message.commitment, "commitment")
        case _:
            raise PeerError(PeerCode.BAD_MESSAGE, "the answer holds neither progress nor a commitment")


close_request = signed_message(match_pb2.CloseRequest, "receipt")
"""The receiver's signed receipt."""

read_close_request = signed_reader("receipt", "the closing", "receipt")
"""Read the receiver's receipt; its signature is not verified yet."""


def close_reply(header: Header, signature: bytes) -> match_pb2.CloseReply:
    """The sender's signature over the same receipt, 64 bytes."""
    return match_pb2.CloseReply(header=header_out(header), signature=signature)


read_close_reply = signature_reader("the answer to the closing")
"""Read the sender's signature over the receipt, 64 bytes; not verified yet."""
