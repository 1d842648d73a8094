"""Rows of bytes, and the chunks in which they travel: how many, which rows, their digests, and the order in which they may come."""

import hashlib
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.poly1305 import Poly1305

from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.expand import Expander
from blindmatch.protocol.limits import Limits

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


class Section(NamedTuple):
    """Rows of one kind among those that the sender releases: sorted, and cut into chunks of their own."""

    name: str
    """Of the array that holds them."""
    rows: int
    width: int

    def chunk_rows(self, limits: Limits) -> int:
        """Rows of a full chunk: bounded in elements and in bytes."""
        return max(1, min(limits.chunk_elements, limits.chunk_tag_bytes // self.width))

    def chunks(self, limits: Limits) -> int:
        """How many chunks."""
        return chunks_of(self.rows, self.chunk_rows(limits))


Sections = tuple[Section, ...]


def locate(sections: Sections, index: int, limits: Limits) -> tuple[Section, int, int]:
    """Where chunk `index` of all sections lies: its section, and its first and last (excluded) row there."""
    for section in sections:
        chunks = section.chunks(limits)
        if index < chunks:
            start = index * section.chunk_rows(limits)
            return section, start, min(start + section.chunk_rows(limits), section.rows)
        index -= chunks
    raise SequenceError("no section has such a chunk")


def chunk_digest(label: str, index: int, *parts: bytes | Bytes2D) -> bytes:
    """32 bytes over one chunk, its kind and its number: SHA-256, each part after its 8-byte length.

    Not SHA-512/256 as elsewhere: every byte of a round is hashed here several times, and processors have instructions for
    this one.
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
