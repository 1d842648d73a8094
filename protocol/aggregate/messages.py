"""The messages of an edge that discloses a count or a sum: three transfers of rows in chunks; and the layout of each transfer."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.limits import LIMITS
from blindmatch.protocol.session.chunks import Bytes2D, ElementSource, chunks_of
from blindmatch.protocol.session.messages import Header

COPIES = 16
"""How often one token may occur on the side whose elements come in groups: each occurrence has a blind of its own, so that
equal tokens never look equal. Further occurrences are omitted, and their number is reported to that side."""

ROW_BYTES = 1 << 20
"""The most bytes of rows in one chunk; half of the largest message."""


@dataclass(frozen=True)
class AggregateInputs:
    """One side's input to a count or a sum.

    Args:
        elements: group by group; `group` each.
        group: elements that belong together: those of a record (count, receiver) or of an entry (sum, sender); else 1.
        copies: how many blinds are needed so that equal tokens differ: a power of two up to `COPIES`.
        copy_of: count, receiver: which blind each element takes (n,); equal tokens take different ones.
        values: sum, sender: the value of each group, in units of the band (groups,), none negative.

    Raises:
        SequenceError: numbers that do not fit each other.
    """

    elements: ElementSource
    group: int = 1
    copies: int = 1
    copy_of: npt.NDArray[np.uint8] | None = field(default=None, repr=False)
    values: npt.NDArray[np.int64] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        count = len(self.elements)
        good = 1 <= self.copies <= COPIES and self.group >= 1 and count % self.group == 0
        good &= self.copy_of is None or (
            len(self.copy_of) == count and int(self.copy_of.max(initial=0)) < self.copies
        )
        good &= self.values is None or (
            len(self.values) == count // self.group and int(self.values.min(initial=0)) >= 0
        )
        if not good:
            raise SequenceError("elements, groups, copies and values do not fit each other")


@dataclass(frozen=True)
class AggregateShape:
    """The sizes that both commitments state."""

    receiver_elements: int
    receiver_group: int
    receiver_copies: int
    sender_elements: int
    sender_group: int
    sender_copies: int


@dataclass(frozen=True)
class Layout:
    """One transfer: `rows` rows of `width` bytes, `per_chunk` in a chunk, all of it `copies` times over."""

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
        """Which copy chunk `index` belongs to, and which of its rows it holds."""
        copy, within = divmod(index, self.chunks_of_copy)
        start = within * self.per_chunk
        return copy, slice(start, min(start + self.per_chunk, self.rows))

    def size(self, index: int) -> int:
        """Rows of chunk `index`."""
        span = self.place(index)[1]
        return int(span.stop) - int(span.start)


@dataclass(frozen=True, eq=False)
class RowsChunk:
    """Some rows of one transfer (n, width), in either direction."""

    header: Header
    rows: Bytes2D

    @classmethod
    def parse(cls, header: Header, rows: bytes, width: int) -> "RowsChunk":
        """From the wire's bytes; the edge gives the width of rows. PeerError: BAD_MESSAGE, OVERSIZE."""
        if len(rows) > ROW_BYTES:
            raise PeerError(PeerCode.OVERSIZE, f"a chunk of {len(rows)} bytes; the limit is {ROW_BYTES}")
        if not rows or len(rows) % width:
            raise PeerError(PeerCode.BAD_MESSAGE, f"{len(rows)} bytes are not rows of {width}")
        return cls(header, np.frombuffer(rows, dtype=np.uint8).reshape(-1, width))

    def __post_init__(self) -> None:
        rows = self.rows
        if rows.dtype != np.uint8 or rows.ndim != 2 or not len(rows):
            raise PeerError(PeerCode.BAD_MESSAGE, "a chunk is not rows of bytes")
        if len(rows) > LIMITS.chunk_elements or rows.nbytes > ROW_BYTES:
            raise PeerError(PeerCode.OVERSIZE, f"{len(rows)} rows of {rows.shape[1]} bytes in one chunk")
        view = np.ascontiguousarray(rows).view()
        view.flags.writeable = False
        object.__setattr__(self, "rows", view)
