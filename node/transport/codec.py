"""Parts of the messages of every service: headers and signed statements."""

from typing import Protocol

from google.protobuf.message import Message

from blindmatch.node.transport import strict_reading
from blindmatch.proto.v1 import common_pb2
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.session.messages import Header
from blindmatch.protocol.transcript import Signed

STATEMENT_BYTES = 16 << 10
"""The longest statement; real ones have a few hundred bytes."""


class Headed(Protocol):
    """A protobuf message with a header."""

    @property
    def header(self) -> common_pb2.Header:
        """Its header."""


def header_out(header: Header) -> common_pb2.Header:
    """A header for the wire."""
    return common_pb2.Header(
        version=header.version, round=header.round_id, edge=header.edge, sequence=header.sequence
    )


def read_header(message: Headed, what: str) -> Header:
    """The header of a message of our version without unknown fields.

    Raises:
        PeerError: WRONG_VERSION, OVERSIZE or BAD_MESSAGE.
    """
    if not isinstance(message, Message):
        raise TypeError("only protobuf messages have headers")
    # The version is checked first: fields that another version added must not look like damage.
    strict_reading.present(message, "header", what)
    strict_reading.version(message.header.version, what)
    strict_reading.known(message, what)
    header = message.header
    return Header(header.round, header.edge, header.sequence, header.version)


def signed_out(signed: Signed) -> common_pb2.SignedStatement:
    """A signed statement for the wire."""
    return common_pb2.SignedStatement(payload=signed.payload, signature=signed.signature)


def read_signed(message: common_pb2.SignedStatement, what: str) -> Signed:
    """A signed statement; the signature is not verified yet.

    Raises:
        PeerError: OVERSIZE or BAD_SIGNATURE.
    """
    if len(message.payload) > STATEMENT_BYTES:
        raise PeerError(PeerCode.OVERSIZE, f"the {what} has more than {STATEMENT_BYTES} bytes")
    return Signed(message.payload, message.signature)
