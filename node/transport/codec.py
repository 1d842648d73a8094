"""The shapes of messages: the parts that follow a message's header, how they are written, and how they are read strictly.

A service's codec has one `Shape` for each message. A shape writes its message when it is called, and `read` reads it:

    close_request = shape(match_pb2.CloseRequest, "the closing", signed("receipt", "receipt"))
    message = close_request(header, receipt)
    header, receipt = close_request.read(message)

No signature is verified here.
"""

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, TypeVarTuple, overload

from google.protobuf.message import Message

from blindmatch.node.transport import strict_reading
from blindmatch.proto.v1 import common_pb2
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import DIGEST_BYTES, PROTOCOL_VERSION, SIGNATURE_BYTES
from blindmatch.protocol.session.messages import Header
from blindmatch.protocol.transcript import Signed

STATEMENT_BYTES = 16 << 10
"""The longest statement; real ones have a few hundred bytes."""


class Headed(Protocol):
    """A chunk of a stream."""

    @property
    def header(self) -> Header:
        """Its round, its edge and its place in the stream."""


AnyMessage = TypeVar("AnyMessage", bound=Message)
Chunk = TypeVar("Chunk", bound=Headed)
Value = TypeVar("Value")
Other = TypeVar("Other")
Values = TypeVarTuple("Values")


def header_out(header: Header) -> common_pb2.Header:
    """A header for the wire."""
    return common_pb2.Header(
        version=header.version, round=header.round_id, edge=header.edge, sequence=header.sequence
    )


def read_header(message: Any, what: str) -> Header:
    """The header of a message of our version without unknown fields.

    Raises:
        PeerError: WRONG_VERSION, OVERSIZE or BAD_MESSAGE.
    """
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
    """A signed statement.

    Raises:
        PeerError: OVERSIZE or BAD_SIGNATURE.
    """
    if len(message.payload) > STATEMENT_BYTES:
        raise PeerError(PeerCode.OVERSIZE, f"the {what} has more than {STATEMENT_BYTES} bytes")
    return Signed(message.payload, message.signature)


@dataclass(frozen=True)
class Part(Generic[Value]):
    """A value beside the header: one field of a message, or one of two."""

    field: str
    pack: Callable[..., dict[str, Any]]
    """A value as fields for the wire."""
    read: Callable[[Any, str], Value]
    """The value in a message, with the message's name for errors."""


def field(
    name: str,
    out: Callable[[Value], Any] = lambda value: value,
    read: Callable[[Any], Value] = lambda value: value,
    *,
    required: bool = False,
) -> Part[Value]:
    """One field, which `out` and `read` convert; BAD_MESSAGE without it if it is required."""

    def read_field(message: Any, what: str) -> Value:
        if required:
            strict_reading.present(message, name, what)
        return read(getattr(message, name))

    return Part(name, lambda value: {name: out(value)}, read_field)


def signed(name: str, what: str) -> Part[Signed]:
    """A signed statement, 16 KiB at most. OVERSIZE, BAD_SIGNATURE."""
    return field(name, signed_out, lambda message: read_signed(message, what), required=True)


def sized(name: str, size: int) -> Part[bytes]:
    """Exactly `size` bytes. BAD_MESSAGE."""
    return field(name, read=lambda value: strict_reading.sized(value, size, name))


def either(kind: type[Value], one: Part[Value], other: Part[Other], absent: str) -> Part[Value | Other]:
    """`one` for a value of this kind, else `other`: the two choices of a message's `body`. BAD_MESSAGE without both."""

    def pack(value: Any) -> dict[str, Any]:
        return one.pack(value) if isinstance(value, kind) else other.pack(value)

    def read(message: Any, what: str) -> Value | Other:
        chosen = message.WhichOneof("body")
        if chosen is None:
            raise PeerError(PeerCode.BAD_MESSAGE, absent)
        return one.read(message, what) if chosen == one.field else other.read(message, what)

    return Part("body", pack, read)


def _read_signature(signature: bytes) -> bytes:
    if len(signature) != SIGNATURE_BYTES:
        raise PeerError(PeerCode.BAD_SIGNATURE, f"a signature of {len(signature)} bytes, not 64")
    return signature


NOTHING: Part[None] = Part("", dict, lambda _message, _what: None)
"""No content."""

AGREEMENT = sized("agreement", DIGEST_BYTES)
"""An agreement's id, 32 bytes."""

SIGNATURE: Part[bytes] = field("signature", read=_read_signature)
"""A signature, 64 bytes. BAD_SIGNATURE."""


@dataclass(frozen=True)
class Shape(Generic[AnyMessage, *Values]):
    """One kind of message: a header and these parts. Built by `shape`; called with their values, it gives the message."""

    kind: Callable[..., AnyMessage]
    what: str
    """The message's name in errors."""
    parts: Sequence[Part[Any]]

    def __call__(self, header: Header, *values: *Values) -> AnyMessage:
        """The message."""
        content: Any = values
        fields = ChainMap(*(part.pack(value) for part, value in zip(self.parts, content, strict=True)))
        return self.kind(header=header_out(header), **fields)

    def answer(self, header: Header, *values: *Values) -> AnyMessage:
        """The message in answer to one with this header: an answer that is not a chunk has the sequence number 0."""
        return self(Header(header.round_id, header.edge, 0), *values)

    def header(self, message: AnyMessage) -> Header:
        """See `read_header`; the other parts are not read."""
        return read_header(message, self.what)

    def read(self, message: AnyMessage) -> tuple[Header, *Values]:
        """A message's header, and the values of its parts.

        Raises:
            PeerError: as from `read_header`, and those of the parts.
        """
        header = self.header(message)
        values: Any = (part.read(message, self.what) for part in self.parts)
        return (header, *values)


@overload
def shape(kind: Callable[..., AnyMessage], what: str, /) -> Shape[AnyMessage]: ...
@overload
def shape(kind: Callable[..., AnyMessage], what: str, one: Part[Value], /) -> Shape[AnyMessage, Value]: ...
@overload
def shape(
    kind: Callable[..., AnyMessage], what: str, one: Part[Value], other: Part[Other], /
) -> Shape[AnyMessage, Value, Other]: ...
@overload
def shape(kind: Callable[..., Any], what: str, /, *parts: Part[Any]) -> Any: ...
def shape(kind: Callable[..., Any], what: str, /, *parts: Part[Any]) -> Any:
    """A kind of message, which errors call `what`."""
    return Shape(kind, what, parts)


@dataclass(frozen=True)
class PlainShape(Generic[AnyMessage, Value]):
    """A kind of message without a header, with one part. A request has the protocol's version."""

    kind: type[AnyMessage]
    what: str
    """The message's name in errors."""
    part: Part[Value]

    def __call__(self, *values: Any) -> AnyMessage:
        """The message; the values are those that the part packs."""
        fields = self.part.pack(*values)
        if self._versioned:
            fields["version"] = PROTOCOL_VERSION
        return self.kind(**fields)

    def read(self, message: Any) -> Value:
        """The value of a message's part.

        Raises:
            PeerError: WRONG_VERSION of a request, OVERSIZE or BAD_MESSAGE, and those of the part.
        """
        if self._versioned:
            strict_reading.version(message.version, self.what)
        strict_reading.known(message, self.what)
        return self.part.read(message, self.what)

    @property
    def _versioned(self) -> bool:
        return "version" in self.kind.DESCRIPTOR.fields_by_name


@dataclass(frozen=True)
class ChunkShape(Generic[AnyMessage, Chunk]):
    """A kind of message that holds a chunk. Called with the chunk, it gives the message."""

    kind: Callable[..., AnyMessage]
    what: str
    """The message's name in errors."""
    parse: Callable[..., Chunk]
    """Builds a chunk from a header and the bytes of the message's fields; checks sizes only."""
    attributes: Mapping[str, str]
    """The chunk's attributes, by the fields that hold their bytes."""

    def __call__(self, chunk: Chunk) -> AnyMessage:
        """The message."""
        fields = {name: bytes(getattr(chunk, attribute)) for name, attribute in self.attributes.items()}
        return self.kind(header=header_out(chunk.header), **fields)

    def header(self, message: AnyMessage) -> Header:
        """See `read_header`; the chunk is not read."""
        return read_header(message, self.what)

    def read(self, message: AnyMessage, *context: Any) -> Chunk:
        """A message's chunk; `context` are further arguments of `parse`, such as the width of a row.

        Raises:
            PeerError: as from `read_header` and `parse`.
        """
        header = self.header(message)
        return self.parse(header, *(getattr(message, name) for name in self.attributes), *context)
