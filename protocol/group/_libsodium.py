"""ristretto255 through libsodium, for machines without the native extension.

Each call passes integer addresses into the batch's own buffer to C, without a Python object per element except the loop's
numbers. ctypes releases the interpreter lock during each call, so several threads use several cores; but while another thread
runs pure Python, this one waits for the lock after every element (sys.setswitchinterval, 5 ms by default).
All operations of libsodium that are used here run in constant time for secret scalars.
"""

import ctypes
from collections.abc import Callable

import numpy as np

from blindmatch.protocol.group._composed import Composed
from blindmatch.protocol.group._load_libsodium import load
from blindmatch.protocol.group.backend import Bytes1D, Bytes2D, ElementError
from blindmatch.protocol.limits import POINT_BYTES, SCALAR_BYTES, UNIFORM_BYTES

_Function = Callable[..., int]


class LibsodiumBackend(Composed):
    """Backend that loops over a batch in Python and computes in libsodium."""

    name = "libsodium"
    description = "libsodium"

    def __init__(self) -> None:
        library = load()

        def function(
            name: str, arguments: int, result: type[ctypes.c_int] | None = ctypes.c_int
        ) -> _Function:
            # Without argtypes, ctypes truncates a plain int to 32 bits.
            native = library[name]
            native.argtypes = (ctypes.c_void_p,) * arguments
            native.restype = result
            return native

        core = "crypto_core_ristretto255_"
        self._is_valid = function(core + "is_valid_point", 1)
        self._add = function(core + "add", 3)
        self._from_hash = function(core + "from_hash", 2)
        self._multiply = function("crypto_scalarmult_ristretto255", 3)
        self._multiply_base = function("crypto_scalarmult_ristretto255_base", 2)
        self._scalar_reduce = function(core + "scalar_reduce", 2, None)
        self._scalar_multiply = function(core + "scalar_mul", 3, None)
        self._scalar_subtract = function(core + "scalar_sub", 3, None)
        self._scalar_invert = function(core + "scalar_invert", 2)

    def from_uniform(self, uniform: Bytes2D) -> Bytes2D:
        return _each(self._from_hash, uniform, UNIFORM_BYTES)

    def check(self, points: Bytes2D) -> None:
        is_valid, start = self._is_valid, _address(points)
        for index in range(len(points)):
            if is_valid(start + index * POINT_BYTES) != 1:
                raise ElementError(index)

    def multiply(self, points: Bytes2D, scalar: Bytes1D) -> Bytes2D:
        result = np.empty((len(points), POINT_BYTES), dtype=np.uint8)
        multiply, target, factor, source = (
            self._multiply,
            _address(result),
            _address(scalar),
            _address(points),
        )
        for offset in range(0, points.size, POINT_BYTES):
            if multiply(target + offset, factor, source + offset):
                raise ElementError(offset // POINT_BYTES)
        return result

    def multiply_each(self, points: Bytes2D, scalars: Bytes2D) -> Bytes2D:
        return _pairs(self._multiply, scalars, points)

    def multiply_base(self, scalars: Bytes2D) -> Bytes2D:
        return _each(self._multiply_base, scalars, SCALAR_BYTES)

    def add(self, left: Bytes2D, right: Bytes2D) -> Bytes2D:
        return _pairs(self._add, left, right)

    def combine(self, scalars: Bytes2D, points: Bytes2D) -> Bytes1D:
        products = self.multiply_each(points, scalars)
        total: Bytes1D = products[0].copy()
        add, target, source = self._add, _address(total), _address(products)
        for offset in range(POINT_BYTES, products.size, POINT_BYTES):
            # libsodium decodes before it writes: result and operand may be the same buffer.
            if add(target, target, source + offset):
                raise ElementError(offset // POINT_BYTES)
        return total

    def scalars_from_uniform(self, uniform: Bytes2D) -> Bytes2D:
        return _each(self._scalar_reduce, uniform, UNIFORM_BYTES)

    def scalar_multiply(self, left: Bytes2D, right: Bytes2D) -> Bytes2D:
        return _pairs(self._scalar_multiply, left, right)

    def scalar_subtract(self, left: Bytes2D, right: Bytes2D) -> Bytes2D:
        return _pairs(self._scalar_subtract, left, right)

    def scalar_invert(self, scalars: Bytes2D) -> Bytes2D:
        """Invert all with one inversion and three multiplications each (Montgomery's trick)."""
        result = np.empty((len(scalars), SCALAR_BYTES), dtype=np.uint8)
        if not len(scalars):
            return result
        running = np.empty((1, SCALAR_BYTES), dtype=np.uint8)
        multiply, source, target, product = (
            self._scalar_multiply,
            _address(scalars),
            _address(result),
            _address(running),
        )
        last = scalars.size - SCALAR_BYTES
        # Row i of the result first holds the product of the scalars 0 to i.
        result[0] = scalars[0]
        for offset in range(SCALAR_BYTES, scalars.size, SCALAR_BYTES):
            multiply(target + offset, target + offset - SCALAR_BYTES, source + offset)
        self._scalar_invert(product, target + last)
        # Then, from the end: inverse of i = (product of 0 to i-1) x (inverse of the product of 0 to i).
        for offset in range(last, 0, -SCALAR_BYTES):
            multiply(target + offset, target + offset - SCALAR_BYTES, product)
            multiply(product, product, source + offset)
        result[0] = running[0]
        running.fill(0)
        return result


def _address(array: Bytes2D) -> int:
    return int(array.ctypes.data)


def _each(function: _Function, rows: Bytes2D, width: int) -> Bytes2D:
    """Call function(result, row) for each row; a result other than zero (or None) means an invalid row."""
    result = np.empty((len(rows), POINT_BYTES), dtype=np.uint8)
    target, source = _address(result), _address(rows)
    for index in range(len(rows)):
        if function(target + index * POINT_BYTES, source + index * width):
            raise ElementError(index)
    return result


def _pairs(function: _Function, left: Bytes2D, right: Bytes2D) -> Bytes2D:
    """Call function(result, left row, right row) for each row, all 32 bytes wide."""
    result = np.empty((len(left), POINT_BYTES), dtype=np.uint8)
    target, first, second = _address(result), _address(left), _address(right)
    for offset in range(0, left.size, POINT_BYTES):
        if function(target + offset, first + offset, second + offset):
            raise ElementError(offset // POINT_BYTES)
    return result
