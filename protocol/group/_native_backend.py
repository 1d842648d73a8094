"""ristretto255 in C (native/): batches are split over the cores, eight elements at a time where the processor supports it.

The extension checks encodings and scalars itself while decoding, so the numpy checks of the other backends are
not needed. `native` is the fastest path of this machine, `native-portable` the one that runs on every machine.
"""

import numpy as np

from blindmatch.protocol.group import _native
from blindmatch.protocol.group.backend import Bytes1D, Bytes2D, ElementError
from blindmatch.protocol.limits import POINT_BYTES

PORTABLE = "portable"
_WORDS = {PORTABLE: "portable C", "ifma": "AVX-512 IFMA, eight lanes"}


class NativeBackend:
    """Backend that passes whole batches to the extension, which releases the interpreter lock."""

    strict = True

    def __init__(self, path: str | None = None) -> None:
        paths = _native.paths()
        self.path = path if path is not None else paths[-1]
        self.name = "native" if path is None else f"native-{path}"
        self.description = f"native ({_WORDS[self.path]})"
        self._path = paths.index(self.path)
        self._threads = _native.cores()

    def use_threads(self, count: int | None) -> None:
        self._threads = _native.cores() if count is None else count

    def from_uniform(self, uniform: Bytes2D) -> Bytes2D:
        result = _rows(len(uniform))
        _refuse(_native.derive(self._path, self._threads, result, uniform), uniform)
        return result

    def check(self, points: Bytes2D) -> None:
        _refuse(_native.check(self._path, self._threads, points), points)

    def multiply(self, points: Bytes2D, scalar: Bytes1D) -> Bytes2D:
        return self.multiply_each(points, scalar)

    def multiply_each(self, points: Bytes2D, scalars: Bytes2D) -> Bytes2D:
        result = _rows(len(points))
        _refuse(_native.multiply(self._path, self._threads, result, points, scalars), points)
        return result

    def multiply_uniform(self, uniform: Bytes2D, scalar: Bytes1D) -> Bytes2D:
        return self.multiply_uniform_each(uniform, scalar)

    def multiply_uniform_each(self, uniform: Bytes2D, scalars: Bytes2D) -> Bytes2D:
        result = _rows(len(uniform))
        _refuse(_native.multiply_uniform(self._path, self._threads, result, uniform, scalars), uniform)
        return result

    def multiply_base(self, scalars: Bytes2D) -> Bytes2D:
        return self.multiply_each(np.tile(GENERATOR, (len(scalars), 1)), scalars)

    def add(self, left: Bytes2D, right: Bytes2D) -> Bytes2D:
        result = _rows(len(left))
        _refuse(_native.add(self._path, self._threads, result, left, right), left)
        return result

    def combine(self, scalars: Bytes2D, points: Bytes2D) -> Bytes1D:
        result = np.empty(POINT_BYTES, dtype=np.uint8)
        _refuse(_native.combine(self._path, self._threads, result, points, scalars), points)
        return result

    def scalars_from_uniform(self, uniform: Bytes2D) -> Bytes2D:
        result = _rows(len(uniform))
        _native.scalar_reduce(result, uniform)
        return result

    def scalar_multiply(self, left: Bytes2D, right: Bytes2D) -> Bytes2D:
        result = _rows(len(left))
        _native.scalar_multiply(result, left, right)
        return result

    def scalar_subtract(self, left: Bytes2D, right: Bytes2D) -> Bytes2D:
        result = _rows(len(left))
        _native.scalar_subtract(result, left, right)
        return result

    def scalar_invert(self, scalars: Bytes2D) -> Bytes2D:
        result = _rows(len(scalars))
        _native.scalar_invert(result, scalars)
        return result


# RFC 9496 A.1.
GENERATOR = np.frombuffer(
    bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"), dtype=np.uint8
)


def _rows(count: int) -> Bytes2D:
    return np.empty((count, POINT_BYTES), dtype=np.uint8)


def _refuse(first_bad: int, batch: Bytes2D) -> None:
    if first_bad < len(batch):
        raise ElementError(first_bad)
