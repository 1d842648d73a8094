"""What is hashed: one message per row, all of one length, most of whose bytes are the same in every row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

Bytes2D = npt.NDArray[np.uint8]
"""C-contiguous `uint8`, shape (n, width): one batch."""

Algorithm = Literal["sha512", "blake2b"]

BLOCK_BYTES = 128
"""FIPS 180-4 and RFC 7693: bytes that either hash absorbs at a time."""

DIGEST_BYTES = 64
"""The longest digest of either hash."""

SEAL_KEY_BYTES = 32
SEAL_TAG_BYTES = 16
"""RFC 8439 2.8: ChaCha20-Poly1305's key, and what it adds to a row."""

MAX_PARTS = 4
"""Batches that one message may draw from."""


@dataclass(frozen=True, eq=False)
class Part:
    """Bytes that differ from row to row: rows (n, width), exclusive-or `mask`, at `offset` in the message."""

    offset: int
    rows: Bytes2D
    mask: int = 0


@dataclass(frozen=True, eq=False)
class Frame:
    """A message: text that every row shares, parts laid over it, and for the second of two the first one's digest."""

    text: bytes
    parts: tuple[Part, ...] = ()
    digest_at: int = 0

    @classmethod
    def of(cls, pieces: Sequence[bytes | Bytes2D]) -> "Frame":
        """Pieces side by side: bytes are the same in every row, batches (n, width) give each row its own.

        Raises:
            ValueError: a batch is not uint8 of two dimensions, batches differ in length, or there are too many.
        """
        text = bytearray()
        parts: list[Part] = []
        for piece in pieces:
            if isinstance(piece, bytes):
                text += piece
                continue
            if piece.dtype != np.uint8 or piece.ndim != 2:
                raise ValueError("what is hashed must be uint8 of the shape (n, width)")
            parts.append(Part(len(text), np.ascontiguousarray(piece)))
            text += bytes(piece.shape[1])
        if len({len(part.rows) for part in parts}) > 1:
            raise ValueError("batches of different lengths are no rows of one message")
        if len(parts) > MAX_PARTS:
            raise ValueError(f"a message draws from at most {MAX_PARTS} batches")
        return cls(bytes(text), tuple(parts))


class Backend(Protocol):
    """Hashes batches. Frames are consistent: `blindmatch.protocol.hashing` has made them."""

    name: str

    def run(
        self,
        algorithm: Algorithm,
        frames: Sequence[Frame],
        out: Bytes2D,
        *,
        person: bytes,
        threads: int,
        key: bytes = b"",
    ) -> None:
        """Hash one message per row.

        Args:
            algorithm: which hash.
            frames: the message, or two: then the second holds the first one's SHA-512 digest and is what counts.
            out: written, (n, size). The first `size` bytes of SHA-512's digest; for BLAKE2b the digest's own size.
            person: BLAKE2b's personalisation, up to 16 bytes; of no use to SHA-512.
            threads: how many to use at most, 0 for one per processor.
            key: BLAKE2b's, up to 64 bytes; empty for none.
        """
        ...

    def seal(self, keys: Bytes2D, rows: Bytes2D, out: Bytes2D) -> None:
        """ChaCha20-Poly1305 (RFC 8439 2.8) of rows (n, width), each under its key (n, 32), to out (n, width + 16).

        The nonce is zero, and there is no associated data.
        """
        ...
