"""The bytes of an agreement: what its parties sign. Their fields are those of the classes in `protocol.agreement`."""

from typing import Any, TypeVar

from google.protobuf.message import DecodeError

from blindmatch.node.agreements.fields import plain_data
from blindmatch.proto.v1 import agreement_pb2 as pb
from blindmatch.protocol.agreement import FORMAT, TERM_FIELDS, Agreement, Edge, validation
from blindmatch.protocol.agreement.disclosures import edge_terms
from blindmatch.protocol.agreement.field_types import (
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
    payload = pb.Agreement(**plain_data(agreement, Share.millionths)).SerializeToString(deterministic=True)
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


def from_message(kind: type[Kind], message: Any) -> Kind:
    """A value of `kind` from its message.

    Raises:
        AgreementError: a field's value is wrong; names the field.
    """
    values = {}
    for field in declared_fields(kind):
        absent = isinstance(field.type, Nested) and not message.HasField(field.name)
        values[field.name] = None if absent else _read(field.type, getattr(message, field.name), field.name)
    if kind is Edge:
        stated = {name: type(empty)(getattr(message, name)) for name, empty in TERM_FIELDS.items()}
        values["terms"] = edge_terms(message.disclosure, stated)
    return kind(**values)


def _read(kind: FieldType, value: Any, path: str) -> Any:
    """A field's value from what its message holds."""
    if isinstance(kind, Several):
        kind.check_length(path, value)  # before any entry is read
        return tuple(_read(kind.item, each, f"{path}[{index}]") for index, each in enumerate(value))
    if isinstance(kind, Nested):
        with validation.at(path):
            return from_message(kind.kind, value)
    return value / 1_000_000 if isinstance(kind, Share) else value
