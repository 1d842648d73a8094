"""The message of an edge that discloses hits, besides those in `session.messages`; the sender's facts, and the receiver's hits."""

from dataclasses import dataclass, field
from typing import ClassVar, Protocol

from blindmatch.protocol.limits import TAG_BYTES
from blindmatch.protocol.session.chunks import Bytes2D, Flags, Indices
from blindmatch.protocol.session.messages import RowsChunk


class FactSource(Protocol):
    """The padded facts that a sender releases with a hit on an element."""

    def take(self, indices: Indices) -> Bytes2D:
        """The facts at these element indices (m, fact_bytes)."""


class TagChunk(RowsChunk):
    """S -> R: rows of the tag table, each a tag and, where facts travel, sealed facts: (n, row_bytes)."""

    least_width: ClassVar[int] = TAG_BYTES


@dataclass(frozen=True, eq=False)
class Hits:
    """The receiver's result.

    Args:
        elements: indices of its own elements that the sender also holds (h,), increasing.
        facts: the facts that the sender released with each, (h, fact_bytes), or None.
        unopened: where facts travel, whether each did not open (h,); such facts are zeros.
    """

    elements: Indices
    facts: Bytes2D | None = field(default=None, repr=False)
    unopened: Flags | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.elements)
