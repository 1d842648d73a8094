"""The messages of an edge that discloses a count or a sum: three transfers of rows in chunks; and the layout of each transfer."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.errors import SequenceError
from blindmatch.protocol.limits import LIMITS
from blindmatch.protocol.session.chunks import ElementSource
from blindmatch.protocol.session.messages import RowsChunk

COPIES = 16
"""How often one token may occur on the side whose elements come in groups: each occurrence has a blind of its own, so that
equal tokens never look equal. Further occurrences are omitted, and their number is reported to that side."""


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


class AggregateChunk(RowsChunk):
    """Rows of one transfer (n, width), in either direction."""

    most_rows: ClassVar[int] = LIMITS.chunk_elements
