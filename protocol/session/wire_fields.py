"""A signed statement declares its fields once; packing, parsing and comparison derive from the class body.

A statement is a frozen dataclass. Its bytes are the label of its type, the preamble of its context, and then every field in the
order of the class body, those of the base class first. The annotation of a field gives its encoding:

    int                                 unsigned integer, 8 bytes
    bool                                integer, 0 or 1
    str, StrEnum                        UTF-8 text
    Annotated[bytes, size(n)]           exactly n bytes
    Annotated[bytes, longest(n)]        at most n bytes
    Annotated[tuple[int, ...], integers(of)]   as many integers as the context gives
    another dataclass                   its fields, in order

An `Expect` in the annotation gives the error for a value other than the expected one. A class variable that holds a `FromContext`
is a field that both sides derive from the context: it is packed and compared, and is no attribute of the statement.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, is_dataclass
from functools import cache
from typing import (
    Annotated,
    Any,
    ClassVar,
    Generic,
    NamedTuple,
    Protocol,
    Self,
    TypeVar,
    get_origin,
    get_type_hints,
)

from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import DIGEST_BYTES, POINT_BYTES, PROOF_BYTES, PROTOCOL_VERSION
from blindmatch.protocol.transcript import Fields, Signed, Signer, decode, encode, sign, verify

Value = bytes | str | int


@dataclass(frozen=True)
class Expect:
    """How a reader that knows the right value refuses another one.

    Args:
        code: the error's code.
        message: the error's message. `{value}` and `{expected}` stand for both values, `{name}` for a field that precedes this one.
        hint: what to do next.
    """

    code: PeerCode
    message: str
    hint: str = ""

    def refusal(self, value: object, expected: object, **earlier: object) -> PeerError:
        """The error."""
        message = self.message.format_map({**earlier, "value": value, "expected": expected})
        return PeerError(self.code, message, hint=self.hint)

    def check(self, value: object, expected: object, **earlier: object) -> None:
        """Refuse a value that is not the expected one. PeerError: `code`."""
        if value != expected:
            raise self.refusal(value, expected, **earlier)


def about(code: PeerCode, what: str) -> Expect:
    """Refuses a statement about another `what`."""
    return Expect(code, f"the statement is about another {what}")


VERSION = Expect(PeerCode.WRONG_VERSION, "protocol version {value}; this node speaks {expected}")


@dataclass(frozen=True)
class Encoding:
    """How a field is read where its type does not give it: the next field, with the context. PeerError: BAD_MESSAGE, OVERSIZE."""

    read: Callable[[Fields, Any], Any]


def size(count: int) -> Encoding:
    """Bytes of exactly this size."""
    return Encoding(lambda fields, _: fields.data(count))


def longest(count: int) -> Encoding:
    """Bytes of at most this size."""
    return Encoding(lambda fields, _: fields.block(count))


def integers(count: Callable[[Any], int]) -> Encoding:
    """Integers, as many as the context gives."""
    return Encoding(lambda fields, context: tuple(fields.integer() for _ in range(count(context))))


@dataclass(frozen=True)
class FromContext:
    """A field that both sides derive from the context, and its error."""

    value: Callable[[Any], Value]
    expect: Expect


Digest = Annotated[bytes, size(DIGEST_BYTES)]
Point = Annotated[bytes, size(POINT_BYTES)]
Proof = Annotated[bytes, size(PROOF_BYTES)]


class Known(NamedTuple):
    """One value of a preamble, which the reader knows, and its error."""

    value: Value
    expect: Expect


Preamble = tuple[Known, ...]
SPEAKS = Known(PROTOCOL_VERSION, VERSION)
"""The first value of every preamble."""


class Context(Protocol):
    """What a statement is about."""

    @property
    def preamble(self) -> Preamble:
        """The values that every statement about it begins with."""


AnyContext = TypeVar("AnyContext", bound=Context)


class _Field(NamedTuple):
    name: str
    kind: Any
    marks: tuple[object, ...]
    derived: FromContext | None

    def marked(self, mark: type) -> Any:
        """The annotation's mark of this type, or None."""
        return next((each for each in self.marks if isinstance(each, mark)), None)

    def read(self, fields: Fields, context: object) -> Any:
        """The field's value out of a statement's bytes. PeerError: BAD_MESSAGE, OVERSIZE."""
        encoding = self.marked(Encoding)
        if encoding is not None:
            return encoding.read(fields, context)
        kind: Any = self.kind
        if is_dataclass(kind):
            return self.kind(*(each.read(fields, context) for each in _layout(self.kind)))
        if issubclass(kind, str):
            return fields.text()
        number = fields.integer()
        if self.kind is not bool:
            return number
        if number not in (0, 1):
            raise self.marked(Expect).refusal(number, "0 or 1")
        return bool(number)


def _layout_of(kind: Any) -> tuple[_Field, ...]:
    layout = []
    for name, hint in get_type_hints(kind, include_extras=True).items():
        derived = getattr(kind, name, None)
        if isinstance(derived, FromContext):
            layout.append(_Field(name, None, (), derived))
        elif get_origin(hint) is not ClassVar:
            annotated = get_origin(hint) is Annotated
            layout.append(
                _Field(name, hint.__origin__, hint.__metadata__, None)
                if annotated
                else _Field(name, hint, (), None)
            )
    return tuple(layout)


_layout: Callable[[type], tuple[_Field, ...]] = cache(_layout_of)
"""The fields of a dataclass in wire order."""


def _flat(value: Any) -> Iterator[Value]:
    if is_dataclass(value):
        for field in _layout(type(value)):
            yield from _flat(getattr(value, field.name))
    elif isinstance(value, tuple):
        yield from value
    else:
        yield value


class Statement(Generic[AnyContext]):
    """Base of the signed statements. Exact bytes; verify, then parse, then compare."""

    TYPE: ClassVar[str]
    """What is signed with the bytes, so that no statement serves as one of another type."""

    def payload(self, context: AnyContext) -> bytes:
        """The bytes to sign, with type `TYPE`."""
        values: list[Value] = [known.value for known in context.preamble]
        for field in _layout(type(self)):
            if field.derived is None:
                values += _flat(getattr(self, field.name))
            else:
                values.append(field.derived.value(context))
        return encode(self.TYPE, *values)

    def sign(self, signer: Signer, context: AnyContext) -> Signed:
        """The statement's bytes and the signature over them; the same for the same values."""
        return sign(signer, self.TYPE, self.payload(context))

    @classmethod
    def parse(cls, payload: bytes, context: AnyContext, **expected: object) -> Self:
        """Read a statement and compare what this side knows: the preamble, derived fields, and `expected` values by field name.

        Raises:
            PeerError: BAD_MESSAGE, OVERSIZE, and the code of the first field that differs.
        """
        fields = decode(cls.TYPE, payload)
        for known in context.preamble:
            known.expect.check(_like(known.value, fields), known.value)
        values: dict[str, Any] = {}
        for field in _layout(cls):
            if field.derived is not None:
                right = field.derived.value(context)
                field.derived.expect.check(_like(right, fields), right, **values)
                continue
            values[field.name] = field.read(fields, context)
            if field.name in expected:
                field.marked(Expect).check(values[field.name], expected[field.name], **values)
                values[field.name] = expected[field.name]
        fields.end()
        return cls(**values)

    @classmethod
    def read(cls, signed: Signed, key: bytes, context: AnyContext, **expected: object) -> Self:
        """Verify the signature, then `parse`.

        Args:
            signed: the statement.
            key: the identity key that must have signed it, 32 bytes.
            context: what it must be about.
            expected: values that this side knows, by field name.

        Raises:
            PeerError: BAD_SIGNATURE, and those of `parse`.
        """
        verify(key, cls.TYPE, signed.payload, signed.signature)
        return cls.parse(signed.payload, context, **expected)


def _like(value: Value, fields: Fields) -> Value:
    """The next field, of the kind and size of a value."""
    if isinstance(value, bytes):
        return fields.data(len(value))
    return fields.text() if isinstance(value, str) else fields.integer()
