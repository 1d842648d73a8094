"""Rows of bytes, and the chunks in which they travel: their number, rows, digests and order."""

import hashlib
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.poly1305 import Poly1305

from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.expand import Expander

Bytes2D = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MAC_BYTES = 16
_CHUNK_DOMAIN = b"blindmatch/chunk/v1"
_MAC_KEY_BYTES = 32


class ElementSource(Protocol):
    """A collection's elements: the OPRF's inputs, all of one width L."""

    def __len__(self) -> int:
        """How many elements."""

    def take(self, indices: Indices) -> Bytes2D:
        """The elements at these indices (m, L)."""


def chunks_of(count: int, size: int) -> int:
    """How many chunks of at most `size` rows hold `count` rows."""
    return -(-count // size)


@dataclass(frozen=True)
class Layout:
    """Rows of one kind, and the chunks in which they travel.

    Args:
        rows: their number.
        width: bytes of a row.
        per_chunk: rows of a full chunk.
        copies: how often the rows travel, each time in chunks of their own.
    """

    rows: int
    width: int
    per_chunk: int
    copies: int = 1

    @property
    def chunks_of_copy(self) -> int:
        """Chunks of one copy."""
        return chunks_of(self.rows, self.per_chunk)

    @property
    def chunks(self) -> int:
        """Chunks in all."""
        return self.chunks_of_copy * self.copies

    def place(self, index: int) -> tuple[int, slice]:
        """The copy that chunk `index` belongs to, and the rows of it that the chunk holds."""
        copy, within = divmod(index, self.chunks_of_copy)
        start = within * self.per_chunk
        return copy, slice(start, min(start + self.per_chunk, self.rows))

    def span(self, index: int) -> slice:
        """The rows that chunk `index` holds."""
        return self.place(index)[1]

    def size(self, index: int) -> int:
        """Rows of chunk `index`."""
        span = self.span(index)
        return int(span.stop) - int(span.start)


def chunk_digest(label: str, index: int, *parts: bytes | Bytes2D) -> bytes:
    """32 bytes over one chunk, its kind and its number: SHA-256, each part after its 8-byte length.

    Not SHA-512/256 as elsewhere: every byte of a round is hashed here several times, and processors have instructions for SHA-256.
    """
    running = hashlib.sha256()
    for part in (_CHUNK_DOMAIN, label.encode(), index.to_bytes(8, "big"), *parts):
        flat = part if isinstance(part, bytes) else np.ascontiguousarray(part).reshape(-1).data
        running.update(len(flat).to_bytes(8, "big"))
        running.update(flat)
    return running.digest()


def input_mac(expander: Expander, index: int, *parts: Bytes2D) -> bytes:
    """Poly1305 (RFC 8439 2.5) of chunk `index` under a key for it only: 16 bytes that reveal nothing without the seed.

    Parts have the sizes that the edge gives them, so that no two lists of parts are one message.
    """
    authenticator = Poly1305(expander.stream("inputs", index, _MAC_KEY_BYTES))
    for part in parts:
        authenticator.update(np.ascontiguousarray(part).reshape(-1).data)
    return authenticator.finalize()


def check_size(rows: Bytes2D, expected: int) -> None:
    """A chunk must hold exactly as many rows as the commitments require. PeerError: BAD_COUNT."""
    if len(rows) != expected:
        raise PeerError(PeerCode.BAD_COUNT, f"a chunk of {len(rows)} rows where {expected} were due")


def check_rows(rows: Bytes2D, expected: int, width: int) -> None:
    """Also compare the bytes of a row. PeerError: BAD_COUNT, BAD_MESSAGE."""
    check_size(rows, expected)
    if rows.shape[1] != width:
        raise PeerError(PeerCode.BAD_MESSAGE, f"rows of {rows.shape[1]} bytes where {width} were due")


def check_order(index: int, following: int, total: int) -> None:
    """The next chunk or an earlier one, no other. PeerError: BAD_SEQUENCE."""
    if not 0 <= index <= following or index >= total:
        raise PeerError(PeerCode.BAD_SEQUENCE, f"chunk {index} came where {following} of {total} was due")


def check_repeat(stored: Bytes2D, now: bytes) -> None:
    """A retransmitted chunk must have the same digest. PeerError: ALTERED_CHUNK."""
    if stored.tobytes() != now:
        raise PeerError(PeerCode.ALTERED_CHUNK, "a chunk came again with other bytes")


def leading(flags: Flags) -> int:
    """How many flags are set before the first that is not."""
    return len(flags) if flags.all() else int(np.argmin(flags))
