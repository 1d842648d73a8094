"""Strict reading of messages: no unknown field, no other version, exact sizes."""

from google.protobuf.message import Message

from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import LIMITS, PROTOCOL_VERSION


def known(message: Message, what: str) -> None:
    """Refuse a message that is oversize or has fields that this version does not know.

    Raises:
        PeerError: OVERSIZE or BAD_MESSAGE.
    """
    size = message.ByteSize()
    if size > LIMITS.message_bytes:
        raise PeerError(
            PeerCode.OVERSIZE, f"{what} has {size} bytes; at most {LIMITS.message_bytes} are allowed"
        )
    message.DiscardUnknownFields()
    if message.ByteSize() != size:
        raise PeerError(
            PeerCode.BAD_MESSAGE, f"{what} has fields that this version of blindmatch does not know"
        )


def version(number: int, what: str) -> None:
    """Refuse another version of the protocol.

    Raises:
        PeerError: WRONG_VERSION.
    """
    if number != PROTOCOL_VERSION:
        raise PeerError(
            PeerCode.WRONG_VERSION,
            f"{what} speaks protocol version {number}; this node speaks {PROTOCOL_VERSION}",
            hint="Both agencies need versions of blindmatch that speak the same protocol.",
        )


def present(message: Message, field: str, what: str) -> None:
    """Refuse a message without the part `field`.

    Raises:
        PeerError: BAD_MESSAGE.
    """
    if not message.HasField(field):
        raise PeerError(PeerCode.BAD_MESSAGE, f"{what} has no {field}")


def sized(value: bytes, size: int, what: str) -> bytes:
    """Exactly `size` bytes.

    Raises:
        PeerError: BAD_MESSAGE.
    """
    if len(value) != size:
        raise PeerError(PeerCode.BAD_MESSAGE, f"{what} has {len(value)} bytes instead of {size}")
    return value
