"""The bytes of an agreement: what its parties sign. Their fields are those of the classes in `protocol.agreement`."""

from typing import Any, TypeVar

from google.protobuf.message import DecodeError

from blindmatch.proto.v1 import agreement_pb2 as pb
from blindmatch.protocol.agreement import FORMAT, TERM_FIELDS, Agreement, Edge, validation
from blindmatch.protocol.agreement.disclosures import edge_terms
from blindmatch.protocol.agreement.field_types import (
    DeclaredField,
    FieldType,
    Nested,
    Several,
    Share,
    declared_fields,
)
from blindmatch.protocol.errors import AgreementError, PeerCode, PeerError
from blindmatch.protocol.limits import LIMITS

Kind = TypeVar("Kind")


def encode_agreement(agreement: Agreement) -> bytes:
    """The payload of a new agreement. Every party stores, signs and sends exactly these bytes.

    Raises:
        AgreementError: the agreement is too long.
    """
    payload = pb.Agreement(**message_fields(agreement)).SerializeToString(deterministic=True)
    if len(payload) > LIMITS.agreement_bytes:
        raise AgreementError(
            "agreement",
            f"has {len(payload)} bytes; at most {LIMITS.agreement_bytes} are allowed",
            hint="Shorten the texts, or draft two agreements.",
        )
    return payload


def parse_agreement(payload: bytes) -> Agreement:
    """Read an agreement's payload.

    Raises:
        PeerError: OVERSIZE; WRONG_VERSION for another format; BAD_MESSAGE for bytes that are no agreement, or
            that hold anything a reader of the parsed agreement would not see (unknown or repeated fields).
        AgreementError: a field's value is wrong; names the field.
    """
    if len(payload) > LIMITS.agreement_bytes:
        raise PeerError(PeerCode.OVERSIZE, f"the agreement has more than {LIMITS.agreement_bytes} bytes")
    message = pb.Agreement()
    try:
        message.ParseFromString(payload)
    except DecodeError:
        raise PeerError(PeerCode.BAD_MESSAGE, "the agreement is not readable: truncated or damaged") from None
    if message.format != FORMAT:
        raise PeerError(
            PeerCode.WRONG_VERSION,
            f"the agreement has format {message.format}; this version of blindmatch reads format {FORMAT}",
        )
    message.DiscardUnknownFields()
    if message.ByteSize() != len(payload):
        raise PeerError(
            PeerCode.BAD_MESSAGE, "the agreement holds fields that this version of blindmatch does not show"
        )
    return from_message(Agreement, message)


def message_fields(value: Any) -> dict[str, Any]:
    """The fields of a value, as the constructor of its message takes them."""
    values = {
        field.name: _out(field.type, getattr(value, field.name)) for field in declared_fields(type(value))
    }
    if isinstance(value, Edge):
        values |= {"disclosure": value.disclosure.value, **message_fields(value.terms)}
    return values


def from_message(kind: type[Kind], message: Any) -> Kind:
    """A value of `kind` from its message.

    Raises:
        AgreementError: a field's value is wrong; names the field.
    """
    declared = declared_fields(kind)
    for field in declared:  # bounds on repeated fields before any of their entries is read
        if isinstance(field.type, Several) and len(getattr(message, field.name)) > field.type.highest:
            raise AgreementError(
                field.name,
                f"has {len(getattr(message, field.name))} entries; at most {field.type.highest} are allowed",
            )
    values = {field.name: _field_in(field, message) for field in declared}
    if kind is Edge:
        values["terms"] = edge_terms(
            message.disclosure, {name: _plain(message, name) for name in TERM_FIELDS}
        )
    return kind(**values)


def _out(kind: FieldType, value: Any) -> Any:
    if isinstance(kind, Nested):
        return None if value is None else message_fields(value)
    if isinstance(kind, Several):
        return [_out(kind.item, each) for each in value]
    return Share.millionths(value) if isinstance(kind, Share) else value


def _field_in(field: DeclaredField, message: Any) -> Any:
    kind = field.type
    if isinstance(kind, Nested):
        if not message.HasField(field.name):
            return None
        with validation.at(field.name):
            return from_message(kind.kind, getattr(message, field.name))
    if isinstance(kind, Several) and isinstance(kind.item, Nested):
        items: list[Any] = []
        for index, each in enumerate(getattr(message, field.name)):
            with validation.at(f"{field.name}[{index}]"):
                items.append(from_message(kind.item.kind, each))
        return tuple(items)
    value = _plain(message, field.name)
    return value / 1_000_000 if isinstance(kind, Share) else value


def _plain(message: Any, name: str) -> Any:
    value = getattr(message, name)
    return value if isinstance(value, str | bytes | int) else tuple(value)
