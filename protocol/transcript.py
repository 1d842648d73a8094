"""Exact bytes: canonical encoding, digests, a running transcript, and signatures over a type and a payload.

Three rules hold everywhere: what is signed is bytes, never a re-encoding; verify, then parse; and no two
different lists of fields share an encoding.
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
    """SHA-512/256 (FIPS 180-4) over a domain label and the parts, each after its 8-byte length. 32 bytes."""
    running = Hash(SHA512_256())
    for part in (_DIGEST_DOMAIN, *parts):
        size = part.nbytes if isinstance(part, memoryview) else len(part)
        running.update(size.to_bytes(8, "big"))
        running.update(part)
    return running.finalize()


def encode(label: str, *fields: bytes | str | int) -> bytes:
    """One canonical encoding: the label, then per field its kind (1 byte), length (4 bytes) and content.

    Integers are unsigned and take 8 bytes, big-endian, so that equal kinds and lengths give equal sizes.

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

    Every method raises `PeerError(BAD_MESSAGE)` when the bytes do not hold what is asked for.
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
        """The next field: bytes of exactly this size."""
        content = self._next(_BYTES)
        if len(content) != size:
            raise PeerError(PeerCode.BAD_MESSAGE, f"a field of {len(content)} bytes, not {size}")
        return content

    def block(self, longest: int) -> bytes:
        """The next field: at most so many bytes."""
        content = self._next(_BYTES)
        if len(content) > longest:
            raise PeerError(
                PeerCode.OVERSIZE, f"a field of {len(content)} bytes; at most {longest} are allowed"
            )
        return content

    def text(self) -> str:
        """The next field: UTF-8 text."""
        try:
            return self._next(_TEXT).decode()
        except UnicodeDecodeError:
            raise PeerError(PeerCode.BAD_MESSAGE, "a text field is not UTF-8") from None

    def integer(self) -> int:
        """The next field: an unsigned 64-bit integer."""
        content = self._next(_INTEGER)
        if len(content) != _INTEGER_BYTES:
            raise PeerError(PeerCode.BAD_MESSAGE, "an integer field of the wrong size")
        return int.from_bytes(content, "big")

    def end(self) -> None:
        """Nothing may follow."""
        if self._offset != len(self._data):
            raise PeerError(PeerCode.BAD_MESSAGE, "bytes follow the last field")


def decode(label: str, data: bytes) -> Fields:
    """The fields of `encode(label, ...)`, to be read strictly.

    Raises:
        PeerError: BAD_MESSAGE when the label is another.
    """
    start = encode(label)
    if data[: len(start)] != start:
        raise PeerError(PeerCode.BAD_MESSAGE, f"not a statement of the kind {label}")
    return Fields(data, len(start))


class Transcript:
    """A running hash of labelled steps. Its whole state is 32 bytes, so a checkpoint can carry it."""

    def __init__(self, value: bytes = bytes(DIGEST_BYTES)) -> None:
        if len(value) != DIGEST_BYTES:
            raise ValueError("a transcript's state has 32 bytes")
        self._value = value

    @property
    def value(self) -> bytes:
        """The hash of everything so far, 32 bytes."""
        return self._value

    def add(self, label: str, *parts: bytes | memoryview) -> None:
        """Take in one step."""
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
    """Whoever holds an agency's identity key."""

    @property
    def agency(self) -> str:
        """The agency's id."""

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature (RFC 8032) over the message, 64 bytes."""


class Ed25519Signer:
    """A `Signer` over a key in memory; its repr names the agency only."""

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
    """DSSE's pre-authentication encoding, version 1: what is signed for a type and a payload."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(signer: Signer, payload_type: str, payload: bytes) -> Signed:
    """Sign the payload's exact bytes together with its type."""
    return Signed(payload, signer.sign(pre_authentication(payload_type, payload)))


def verify(public_key: bytes, payload_type: str, payload: bytes, signature: bytes) -> None:
    """Check one Ed25519 signature over a type and a payload.

    Raises:
        PeerError: BAD_SIGNATURE, also for a key or signature that is none.
    """
    try:
        key = Ed25519PublicKey.from_public_bytes(public_key)
        key.verify(signature, pre_authentication(payload_type, payload))
    except (InvalidSignature, ValueError):
        raise PeerError(
            PeerCode.BAD_SIGNATURE,
            "the signature does not verify",
            hint="Compare the identity key in the agreement with the one that the other agency holds.",
        ) from None
