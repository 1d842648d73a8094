"""The input of a hash: one message per row, all of the same length, with most bytes the same in every row."""

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
"""RFC 8439 2.8: bytes of a ChaCha20-Poly1305 key, and of the tag that it adds to a row."""

MAX_PARTS = 4
"""The largest number of batches in one message."""


@dataclass(frozen=True, eq=False)
class Part:
    """Bytes that differ between rows: rows (n, width), each byte XOR `mask`, at `offset` in the message."""

    offset: int
    rows: Bytes2D
    mask: int = 0


@dataclass(frozen=True, eq=False)
class Frame:
    """A message: the text of every row, the parts that replace some of it, and in a second frame the offset of the first digest."""

    text: bytes
    parts: tuple[Part, ...] = ()
    digest_at: int = 0

    @classmethod
    def of(cls, pieces: Sequence[bytes | Bytes2D]) -> "Frame":
        """A frame of adjacent pieces: bytes are the same in every row; batches (n, width) give each row its own bytes.

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
                raise ValueError("a batch to hash must be uint8 of the shape (n, width)")
            parts.append(Part(len(text), np.ascontiguousarray(piece)))
            text += bytes(piece.shape[1])
        if len({len(part.rows) for part in parts}) > 1:
            raise ValueError("all batches of a message must have the same number of rows")
        if len(parts) > MAX_PARTS:
            raise ValueError(f"a message has at most {MAX_PARTS} batches")
        return cls(bytes(text), tuple(parts))


class Backend(Protocol):
    """One implementation of the hashes. Frames are consistent: `blindmatch.protocol.hashing` builds them."""

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
            frames: one message, or two; the second contains the SHA-512 digest of the first, and the result is its hash.
            out: the result is written here, (n, size): the first `size` bytes of the SHA-512 digest, or a BLAKE2b digest of `size` bytes.
            person: BLAKE2b's personalisation, up to 16 bytes; ignored for SHA-512.
            threads: the largest number of threads; 0 for one per processor.
            key: BLAKE2b's key, up to 64 bytes; empty for none.
        """
        ...

    def seal(self, keys: Bytes2D, rows: Bytes2D, out: Bytes2D) -> None:
        """ChaCha20-Poly1305 (RFC 8439 2.8) of rows (n, width), each under its key (n, 32), to out (n, width + 16).

        The nonce is zero, and there is no associated data.
        """
        ...
