"""Exact bytes: canonical encoding, digests, a running transcript, and signatures over a type and a payload.

Three rules hold everywhere: signatures are over the received bytes, never over a re-encoding; verify, then parse; and
different lists of fields have different encodings.
"""

from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA512_256, Hash

from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import DIGEST_BYTES, SIGNATURE_BYTES

_DIGEST_DOMAIN = b"blindmatch/digest/v1"
_BYTES, _TEXT, _INTEGER = b"b", b"t", b"i"
_LABEL_PREFIX, _FIELD_PREFIX, _INTEGER_BYTES = 2, 4, 8


def digest(*parts: bytes | memoryview) -> bytes:
    """SHA-512/256 (FIPS 180-4) over a domain label and the parts, each after its length in 8 bytes, big-endian: 32 bytes."""
    running = Hash(SHA512_256())
    for part in (_DIGEST_DOMAIN, *parts):
        size = part.nbytes if isinstance(part, memoryview) else len(part)
        running.update(size.to_bytes(8, "big"))
        running.update(part)
    return running.finalize()


def encode(label: str, *fields: bytes | str | int) -> bytes:
    """The canonical encoding: the label, then for each field its kind (1 byte), its length (4 bytes) and its content.

    Integers are unsigned and have 8 bytes, big-endian, so fields of equal kinds and lengths have encodings of equal size.

    Raises:
        OverflowError: an integer below 0 or beyond 64 bits.
    """
    out = bytearray(len(name := label.encode()).to_bytes(_LABEL_PREFIX, "big") + name)
    for field in fields:
        if isinstance(field, bytes):
            kind, content = _BYTES, field
        elif isinstance(field, str):
            kind, content = _TEXT, field.encode()
        else:
            kind, content = _INTEGER, int(field).to_bytes(_INTEGER_BYTES, "big")
        out += kind + len(content).to_bytes(_FIELD_PREFIX, "big") + content
    return bytes(out)


class Fields:
    """Reads the fields of one encoding in order; `end` must be the last call.

    Every method raises `PeerError(BAD_MESSAGE)` if the next field is not of the expected kind and size.
    """

    def __init__(self, data: bytes, offset: int) -> None:
        self._data = data
        self._offset = offset

    def _next(self, kind: bytes) -> bytes:
        start = self._offset + 1 + _FIELD_PREFIX
        size = int.from_bytes(self._data[self._offset + 1 : start], "big")
        if self._data[self._offset : self._offset + 1] != kind or start + size > len(self._data):
            raise PeerError(PeerCode.BAD_MESSAGE, "a statement is truncated or has another field here")
        self._offset = start + size
        return self._data[start : self._offset]

    def data(self, size: int) -> bytes:
        """Read the next field: exactly `size` bytes."""
        content = self._next(_BYTES)
        if len(content) != size:
            raise PeerError(PeerCode.BAD_MESSAGE, f"a field of {len(content)} bytes, not {size}")
        return content

    def block(self, longest: int) -> bytes:
        """Read the next field: at most `longest` bytes; PeerError(OVERSIZE) if it is longer."""
        content = self._next(_BYTES)
        if len(content) > longest:
            raise PeerError(
                PeerCode.OVERSIZE, f"a field of {len(content)} bytes; at most {longest} are allowed"
            )
        return content

    def text(self) -> str:
        """Read the next field: UTF-8 text."""
        try:
            return self._next(_TEXT).decode()
        except UnicodeDecodeError:
            raise PeerError(PeerCode.BAD_MESSAGE, "a text field is not UTF-8") from None

    def integer(self) -> int:
        """Read the next field: an unsigned 64-bit integer."""
        content = self._next(_INTEGER)
        if len(content) != _INTEGER_BYTES:
            raise PeerError(PeerCode.BAD_MESSAGE, "an integer field of the wrong size")
        return int.from_bytes(content, "big")

    def end(self) -> None:
        """Check that no bytes follow the last field."""
        if self._offset != len(self._data):
            raise PeerError(PeerCode.BAD_MESSAGE, "bytes follow the last field")


def decode(label: str, data: bytes) -> Fields:
    """A strict reader of the fields of `encode(label, ...)`.

    Raises:
        PeerError: BAD_MESSAGE: the label is different.
    """
    start = encode(label)
    if data[: len(start)] != start:
        raise PeerError(PeerCode.BAD_MESSAGE, f"not a statement of the kind {label}")
    return Fields(data, len(start))


class Transcript:
    """A running hash of labelled steps. Its state is 32 bytes, which a checkpoint stores."""

    def __init__(self, value: bytes = bytes(DIGEST_BYTES)) -> None:
        if len(value) != DIGEST_BYTES:
            raise ValueError("the state of a transcript has 32 bytes")
        self._value = value

    @property
    def value(self) -> bytes:
        """The hash of all steps, 32 bytes."""
        return self._value

    def add(self, label: str, *parts: bytes | memoryview) -> None:
        """Add one step."""
        self._value = digest(self._value, label.encode(), *parts)


@dataclass(frozen=True)
class Signed:
    """Exact bytes and one Ed25519 signature over them and their type (64 bytes)."""

    payload: bytes
    signature: bytes

    def __post_init__(self) -> None:
        if len(self.signature) != SIGNATURE_BYTES:
            raise PeerError(PeerCode.BAD_SIGNATURE, f"a signature of {len(self.signature)} bytes, not 64")


class Signer(Protocol):
    """The holder of an agency's identity key."""

    @property
    def agency(self) -> str:
        """The agency's id."""

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature (RFC 8032) over the message, 64 bytes."""


class Ed25519Signer:
    """A `Signer` with a key in memory; its repr shows the agency only."""

    def __init__(self, agency: str, private_key: Ed25519PrivateKey) -> None:
        self._agency = agency
        self._key = private_key

    def __repr__(self) -> str:
        return f"Ed25519Signer({self._agency!r}, <key>)"

    @property
    def agency(self) -> str:
        """The agency's id."""
        return self._agency

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature over the message, 64 bytes."""
        return self._key.sign(message)


def pre_authentication(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding, version 1: the bytes that are signed for a type and a payload."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(signer: Signer, payload_type: str, payload: bytes) -> Signed:
    """Sign the payload's exact bytes together with its type."""
    return Signed(payload, signer.sign(pre_authentication(payload_type, payload)))


def verify(public_key: bytes, payload_type: str, payload: bytes, signature: bytes) -> None:
    """Check one Ed25519 signature over a type and a payload.

    Raises:
        PeerError: BAD_SIGNATURE: the signature does not verify, or the key or the signature is malformed.
    """
    try:
        key = Ed25519PublicKey.from_public_bytes(public_key)
        key.verify(signature, pre_authentication(payload_type, payload))
    except (InvalidSignature, ValueError):
        raise PeerError(
            PeerCode.BAD_SIGNATURE,
            "the signature does not verify",
            hint="Ask the other agency for its identity key, and compare it with the key in the agreement.",
        ) from None
