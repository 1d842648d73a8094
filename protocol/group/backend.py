"""What a ristretto255 backend is, and the one error that all of them raise.

A backend computes; `blindmatch.protocol.group` has already checked shapes, scalars and canonical encodings before it
calls one, so that no backend can be lax. A backend still refuses whatever its own decoding refuses; one that does all of it
says so with `strict`.
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
    """A batch holds bytes that are no usable element: not canonical, not on the group, or the identity.

    Attributes:
        index: the row of the first bad one.
    """

    def __init__(self, index: int) -> None:
        super().__init__(f"row {index} is not the canonical encoding of an element other than the identity")
        self.index = index


class Backend(Protocol):
    """Batch operations of one implementation. Shapes as in `blindmatch.protocol.group`.

    Points are canonical by their bytes and not the identity, scalars that multiply points are below the order and not zero;
    whether the bytes are on the group is the backend's to find out. Results are fresh arrays. Sums may be the
    identity (32 zero bytes): the caller refuses it.
    """

    name: str
    description: str
    """The name, and for an operator which of its ways of computing it takes here."""
    strict: bool
    """Whether it judges encodings and the range of scalars itself and refuses the identity as a result, with the errors of
    `blindmatch.protocol.group`; that module then leaves its own checks of all but shapes out."""

    def use_threads(self, count: int | None) -> None:
        """Split batches over at most `count` threads, or over all cores; a backend without threads does nothing."""
        ...

    def from_uniform(self, uniform: Bytes2D) -> Bytes2D:
        """Derive one element from each row of 64 bytes, RFC 9496 4.3.4."""
        ...

    def check(self, points: Bytes2D) -> None:
        """Raise ElementError on the first row that is not on the group."""
        ...

    def multiply(self, points: Bytes2D, scalar: Bytes1D) -> Bytes2D:
        """Multiply every point by one scalar."""
        ...

    def multiply_each(self, points: Bytes2D, scalars: Bytes2D) -> Bytes2D:
        """Multiply each point by the scalar of its row."""
        ...

    def multiply_uniform(self, uniform: Bytes2D, scalar: Bytes1D) -> Bytes2D:
        """Multiply by one scalar what `from_uniform` derives; ElementError on the identity."""
        ...

    def multiply_uniform_each(self, uniform: Bytes2D, scalars: Bytes2D) -> Bytes2D:
        """Multiply what `from_uniform` derives by the scalar of its row; ElementError on the identity."""
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
