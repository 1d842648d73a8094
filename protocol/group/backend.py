"""The interface of ristretto255 backends, and the error that all of them raise.

`blindmatch.protocol.group` checks shapes, scalars and canonical encodings before it calls a backend, so that all backends
accept the same input. A backend still refuses all points that its own decoding refuses. A backend that makes all checks
itself sets `strict`.
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt

Bytes1D = npt.NDArray[np.uint8]
"""C-contiguous `uint8`, one row: a point or scalar of 32 bytes."""

Bytes2D = npt.NDArray[np.uint8]
"""C-contiguous `uint8`, shape (n, width): one batch."""

FIELD_PRIME = 2**255 - 19
"""RFC 9496 4: p, the field's characteristic."""

GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
"""RFC 9496 4: l, the prime order of the group."""


class ElementError(ValueError):
    """A row of a batch is no valid element: not canonical, not on the group, or the identity.

    Attributes:
        index: the first invalid row.
    """

    def __init__(self, index: int) -> None:
        super().__init__(f"row {index} is not the canonical encoding of an element other than the identity")
        self.index = index


class Backend(Protocol):
    """Batch operations of one implementation. Shapes as in `blindmatch.protocol.group`.

    Unless `strict` is set, the caller has checked that points are canonical and not the identity, and that scalars for points are
    below the order and not zero; the backend checks that points are on the group. Results are new arrays. Sums may be the
    identity (32 zero bytes), which the caller refuses.
    """

    name: str
    description: str
    """The name and the path used on this machine, for operators."""
    strict: bool
    """Whether the backend checks encodings and the range of scalars and refuses the identity as a result, with the errors of
    `blindmatch.protocol.group`; that module then checks shapes and lengths only."""

    def use_threads(self, count: int | None) -> None:
        """Split batches over at most `count` threads, or over all cores for None; a backend without threads ignores it."""
        ...

    def from_uniform(self, uniform: Bytes2D) -> Bytes2D:
        """Derive one element from each row of 64 bytes, RFC 9496 4.3.4."""
        ...

    def check(self, points: Bytes2D) -> None:
        """Raise ElementError for the first row that is not on the group."""
        ...

    def multiply(self, points: Bytes2D, scalar: Bytes1D) -> Bytes2D:
        """Multiply every point by one scalar."""
        ...

    def multiply_each(self, points: Bytes2D, scalars: Bytes2D) -> Bytes2D:
        """Multiply each point by the scalar of its row."""
        ...

    def multiply_uniform(self, uniform: Bytes2D, scalar: Bytes1D) -> Bytes2D:
        """Multiply the elements of `from_uniform` by one scalar; ElementError for the identity."""
        ...

    def multiply_uniform_each(self, uniform: Bytes2D, scalars: Bytes2D) -> Bytes2D:
        """Multiply each element of `from_uniform` by the scalar of its row; ElementError for the identity."""
        ...

    def multiply_base(self, scalars: Bytes2D) -> Bytes2D:
        """Multiply the generator by each scalar."""
        ...

    def add(self, left: Bytes2D, right: Bytes2D) -> Bytes2D:
        """Add row by row."""
        ...

    def combine(self, scalars: Bytes2D, points: Bytes2D) -> Bytes1D:
        """Sum the products of the rows; at least one row."""
        ...

    def scalars_from_uniform(self, uniform: Bytes2D) -> Bytes2D:
        """Reduce 64 little-endian bytes modulo the order, row by row."""
        ...

    def scalar_multiply(self, left: Bytes2D, right: Bytes2D) -> Bytes2D:
        """Multiply modulo the order, row by row."""
        ...

    def scalar_subtract(self, left: Bytes2D, right: Bytes2D) -> Bytes2D:
        """Subtract modulo the order, row by row."""
        ...

    def scalar_invert(self, scalars: Bytes2D) -> Bytes2D:
        """Invert modulo the order, row by row; no row is zero."""
        ...
