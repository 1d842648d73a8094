"""The channel between a node and one worker: batches of rows, sealed under keys that exist only in their memories.

Node and worker each generate an X25519 key pair (RFC 7748) for this one connection and derive two keys, one for each direction:

    key = HKDF(SHA-256, shared secret, info = "blindmatch/worker/v1" | direction | node's public | worker's public)

A message is a 12-byte random nonce and ChaCha20-Poly1305 (RFC 8439) over the rows, bound to the plaintext data
beside it. So the cluster's object store, spill files and network reveal sizes, but no key, token or tag. It does not
protect against a party that can run code on the cluster: see docs/adr/0016.
"""

import os
from collections.abc import Sequence
from typing import Final

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from blindmatch.protocol.errors import LocalError
from blindmatch.protocol.group import Bytes2D

_LABEL: Final = b"blindmatch/worker/v1"
_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32

Shapes = tuple[tuple[int, int], ...]


class Handshake:
    """One side's key pair, for one connection."""

    def __init__(self) -> None:
        self._private = X25519PrivateKey.generate()
        self.public = self._private.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        return "Handshake(<key>)"

    def node_side(self, workers: bytes) -> "Channel":
        """The node's end, given the worker's public key (32 bytes)."""
        to, back = self._keys(workers, self.public + workers)
        return Channel(sends=to, receives=back)

    def worker_side(self, nodes: bytes) -> "Channel":
        """The worker's end, given the node's public key (32 bytes)."""
        to, back = self._keys(nodes, nodes + self.public)
        return Channel(sends=back, receives=to)

    def _keys(self, other: bytes, publics: bytes) -> tuple[bytes, bytes]:
        shared = self._private.exchange(X25519PublicKey.from_public_bytes(other))

        def key(direction: bytes) -> bytes:
            return HKDF(SHA256(), _KEY_BYTES, salt=None, info=_LABEL + direction + publics).derive(shared)

        return key(b">"), key(b"<")


class Channel:
    """One end of a connection."""

    def __init__(self, *, sends: bytes, receives: bytes) -> None:
        self._out = ChaCha20Poly1305(sends)
        self._in = ChaCha20Poly1305(receives)

    def __repr__(self) -> str:
        return "Channel(<keys>)"

    def seal(self, secret: bytes | bytearray, parts: Sequence[Bytes2D], bound: bytes) -> bytes:
        """Seal secret bytes and batches, bound to the plaintext beside them."""
        nonce = os.urandom(_NONCE_BYTES)
        plain = bytearray(secret)
        for part in parts:
            plain += np.ascontiguousarray(part).reshape(-1).data
        sealed = nonce + self._out.encrypt(nonce, plain, bound + shapes_bytes(shapes_of(parts)))
        plain[:] = bytes(len(plain))
        return sealed

    def open(
        self, sealed: bytes, shapes: Shapes, bound: bytes, *, secret_bytes: int = 0
    ) -> tuple[bytes, list[Bytes2D]]:
        """The bytes and batches that the other end sealed; the batches are read-only views of one buffer.

        Raises:
            LocalError: the message was altered, or the other end did not seal it.
        """
        nonce, body = sealed[:_NONCE_BYTES], memoryview(sealed)[_NONCE_BYTES:]
        try:
            plain = self._in.decrypt(nonce, body, bound + shapes_bytes(shapes))
        except (InvalidTag, ValueError):
            raise LocalError("a message between node and worker does not open") from None
        at, parts = secret_bytes, []
        for rows, width in shapes:
            part = np.frombuffer(plain, dtype=np.uint8, count=rows * width, offset=at)
            parts.append(part.reshape(rows, width))
            at += rows * width
        return plain[:secret_bytes], parts


def shapes_of(parts: Sequence[Bytes2D]) -> Shapes:
    """The shape of each batch."""
    return tuple((int(part.shape[0]), int(part.shape[1])) for part in parts)


def shapes_bytes(shapes: Shapes) -> bytes:
    """Shapes as bytes that say the same only for the same shapes."""
    return b"".join(size.to_bytes(8, "big") for shape in shapes for size in shape)
