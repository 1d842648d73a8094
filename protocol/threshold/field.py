"""Arithmetic modulo 2^61 - 1 on arrays of unsigned 64-bit words.

A product of two residues has 122 bits, more than a machine word: factors are split at 32 bits, and the overflow is added at the low
end, because 2^61 = 1 in this field. Every function takes and returns residues in [0, PRIME).
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]

PRIME: Final = (1 << 61) - 1
"""A Mersenne prime."""

_BITS: Final = np.uint64(61)
_PRIME: Final = np.uint64(PRIME)
_HALF: Final = np.uint64(32)
_LOW: Final = np.uint64((1 << 32) - 1)
_MIDDLE_BITS: Final = np.uint64(29)
_MIDDLE: Final = np.uint64((1 << 29) - 1)
_EIGHT: Final = np.uint64(8)


def reduce(words: Words) -> Words:
    """Any 64-bit words to residues.

    Uniform words give uniform residues except for eight values out of 2^61, which occur nine times instead of eight in 2^64: the
    statistical distance from uniform residues is below 2^-61.
    """
    folded = (words & _PRIME) + (words >> _BITS)
    return np.where(folded >= _PRIME, folded - _PRIME, folded)


def add(left: Words, right: Words) -> Words:
    """Sums, element by element."""
    return reduce(left + right)


def multiply(left: Words, right: Words) -> Words:
    """Products, element by element; either may be one number for all."""
    left_high, left_low = left >> _HALF, left & _LOW
    right_high, right_low = right >> _HALF, right & _LOW
    middle = left_high * right_low + left_low * right_high  # below 2^62
    low = left_low * right_low
    # high 2^64 + middle 2^32 + low, with 2^64 = 8 and 2^61 = 1.
    total = left_high * right_high * _EIGHT
    total += (middle & _MIDDLE) << _HALF
    total += middle >> _MIDDLE_BITS
    total += (low & _PRIME) + (low >> _BITS)
    return reduce(total)


def join_halves(high: npt.NDArray[np.int64], low: npt.NDArray[np.int64]) -> Words:
    """High * 2^32 + low, for signed integers of absolute value below 2^52."""
    # Signed shifts and masks round down: high = (high >> 29) 2^29 + rest with 0 <= rest < 2^29, also below zero.
    rest = (high & np.int64((1 << 29) - 1)) << np.int64(32)
    total = rest + (high >> np.int64(29)) + (low % np.int64(PRIME))
    return np.asarray(total % np.int64(PRIME)).astype(np.uint64)
