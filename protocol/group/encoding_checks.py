"""Checks of whole batches without curve arithmetic: shapes, canonical encodings, zero.

The libsodium in rbcl ignores bit 255 of an encoded point, so encodings are
checked here, by RFC 9496 4.3.1, before a backend decodes them.
"""

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.group.backend import FIELD_PRIME, GROUP_ORDER, Bytes2D, ElementError
from blindmatch.protocol.limits import POINT_BYTES, UNIFORM_BYTES

_WORD = np.dtype("<u8")


def _words(number: int) -> npt.NDArray[np.uint64]:
    """Split a 256-bit number into four little-endian words."""
    return np.frombuffer(number.to_bytes(POINT_BYTES, "little"), dtype=_WORD)


_PRIME_WORDS = _words(FIELD_PRIME)
_ORDER_WORDS = _words(GROUP_ORDER)


def require_batch(name: str, array: Bytes2D, width: int) -> None:
    """Raise ValueError unless `array` is a C-contiguous uint8 array of shape (n, width)."""
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
        raise ValueError(f"{name} must be a numpy array of uint8")
    if array.ndim != 2 or array.shape[1] != width:
        raise ValueError(f"{name} must have the shape (n, {width}), not {array.shape}")
    if not array.flags.c_contiguous:
        raise ValueError(f"{name} must be C-contiguous")


def require_row(name: str, array: Bytes2D, width: int) -> None:
    """Raise ValueError unless `array` is a C-contiguous uint8 array of shape (width,)."""
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.shape != (width,):
        raise ValueError(f"{name} must be a numpy array of uint8 of the shape ({width},)")
    if not array.flags.c_contiguous:
        raise ValueError(f"{name} must be C-contiguous")


def require_uniform(array: Bytes2D) -> None:
    """Raise ValueError unless the rows are 64 uniform bytes."""
    require_batch("uniform", array, UNIFORM_BYTES)


def require_same_length(left: Bytes2D, right: Bytes2D) -> None:
    """Raise ValueError unless both batches have the same number of rows."""
    if len(left) != len(right):
        raise ValueError(f"batches of {len(left)} and {len(right)} rows do not go together")


def below_order(scalars: Bytes2D) -> npt.NDArray[np.bool_]:
    """Whether each row (n, 32) is a canonical scalar, that is below the group's order: (n,)."""
    return _below(scalars, _ORDER_WORDS)


def is_zero(rows: Bytes2D) -> npt.NDArray[np.bool_]:
    """Whether each row (n, 32) is all zeros, which is the zero scalar or the identity element: (n,)."""
    zero: npt.NDArray[np.bool_] = np.logical_not(rows.view(_WORD).any(axis=1))
    return zero


def require_scalars(name: str, scalars: Bytes2D, *, zero_allowed: bool = False) -> None:
    """Raise ValueError, without showing a value, unless all scalars are canonical and (by default) not zero.

    Scalars are our own or have been checked already: an invalid one is a defect of this program, never a peer's fault.
    """
    require_batch(name, scalars, POINT_BYTES)
    if not below_order(scalars).all():
        raise ValueError(f"{name} must be below the group's order")
    if not zero_allowed and is_zero(scalars).any():
        raise ValueError(f"{name} must not be zero")


def first_bad_encoding(points: Bytes2D) -> int:
    """The first row that is not a canonical encoding, or is the identity; the number of rows if there is none.

    RFC 9496 4.3.1 steps 1 and 2: s < p (which covers bit 255) and s not negative (even). RFC 9497 2.1: refuse the
    identity, whose only encoding is zero.
    """
    words = points.view(_WORD)
    odd = (words[:, 0] & np.uint64(1)).astype(np.bool_)
    bad = odd | ~_below(points, _PRIME_WORDS) | is_zero(points)
    where = np.flatnonzero(bad)
    return int(where[0]) if len(where) else len(points)


def refuse_identity(points: Bytes2D) -> Bytes2D:
    """Raise ElementError for the first result that is the identity; otherwise return the results."""
    identities = np.flatnonzero(is_zero(points))
    if len(identities):
        raise ElementError(int(identities[0]))
    return points


def _below(rows: Bytes2D, bound: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Compare little-endian rows with a bound, from the lowest word up, in constant time."""
    words = rows.view(_WORD)
    below = np.zeros(len(rows), dtype=np.bool_)
    for place in range(4):
        word = words[:, place]
        below = (word < bound[place]) | ((word == bound[place]) & below)
    return below
