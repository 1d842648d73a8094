"""ristretto255 (RFC 9496) on batches: one contiguous buffer of n x 32 bytes in, one out.

Other code calls these functions and never names a backend. The first call selects the backend: the fastest
that loads, of `native`, `native-portable`, `libsodium` and `reference`. All return the same bytes.

No function accepts or returns the identity: RFC 9497 2.1 refuses it, and it never occurs in an honest run. Points are decoded
strictly; `ElementError.index` is the first invalid row. Wrong shapes and scalars out of range are defects of this program
and raise `ValueError`.
"""

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.backends import BackendRegistry
from blindmatch.protocol.group import encoding_checks
from blindmatch.protocol.group.backend import (
    FIELD_PRIME,
    GROUP_ORDER,
    Backend,
    Bytes1D,
    Bytes2D,
    ElementError,
)
from blindmatch.protocol.limits import POINT_BYTES, SCALAR_BYTES

__all__ = [
    "FIELD_PRIME",
    "GROUP_ORDER",
    "Bytes1D",
    "Bytes2D",
    "ElementError",
    "add",
    "available",
    "backend_description",
    "backend_name",
    "check",
    "combine",
    "from_uniform",
    "multiply",
    "multiply_base",
    "multiply_each",
    "multiply_uniform",
    "multiply_uniform_each",
    "scalar_invert",
    "scalar_is_canonical",
    "scalar_multiply",
    "scalar_subtract",
    "scalars_from_uniform",
    "use",
    "use_threads",
    "using",
    "wipe",
]


def _native_backend() -> Backend:
    from blindmatch.protocol.group._native_backend import NativeBackend  # noqa: PLC0415 - may not be built

    return NativeBackend()


def _portable_backend() -> Backend:
    from blindmatch.protocol.group._native_backend import PORTABLE, NativeBackend  # noqa: PLC0415 - may not be built

    return NativeBackend(PORTABLE)


def _libsodium_backend() -> Backend:
    from blindmatch.protocol.group._libsodium import LibsodiumBackend  # noqa: PLC0415 - loads a shared library

    return LibsodiumBackend()


def _reference_backend() -> Backend:
    from blindmatch.protocol.group._reference import ReferenceBackend  # noqa: PLC0415 - loaded on demand

    return ReferenceBackend()


_threads: int | None = None
_choice: BackendRegistry[Backend] = BackendRegistry(
    "group",
    {
        "native": _native_backend,
        "native-portable": _portable_backend,
        "libsodium": _libsodium_backend,
        "reference": _reference_backend,
    },
    prepare=lambda backend: backend.use_threads(_threads),
)
_backend = _choice.current
available = _choice.available
use = _choice.use
using = _choice.using


def backend_name() -> str:
    """The name of the backend in use."""
    return _backend().name


def backend_description() -> str:
    """The name of the backend in use and, if it has several, its path on this machine."""
    return _backend().description


def use_threads(count: int | None) -> None:
    """Split batches over at most `count` threads from now on. None, the initial setting, means every available core.

    The native backends split batches of 512 rows and more; the others compute in the calling thread.
    """
    if count is not None and count < 1:
        raise ValueError("the number of threads must be at least 1")
    global _threads  # noqa: PLW0603 - goes with the dispatch point
    _threads = count
    for backend in _choice.loaded.values():
        backend.use_threads(count)


def from_uniform(uniform: Bytes2D) -> Bytes2D:
    """Derive one element from each row of 64 uniform bytes, RFC 9496 4.3.4: (n, 64) to (n, 32).

    Raises:
        ElementError: a row derives the identity, which does not occur in practice for uniform input.
    """
    encoding_checks.require_uniform(uniform)
    return _refuse_identity(_backend().from_uniform(uniform))


def multiply_uniform(uniform: Bytes2D, scalar: Bytes1D) -> Bytes2D:
    """Derive an element from each row (n, 64) as `from_uniform` does, and multiply it by one secret scalar (32,): (n, 32).

    The result equals `multiply(from_uniform(uniform), scalar)`; a backend may omit the encoding in between.

    Raises:
        ElementError: a row derives the identity, which does not occur in practice for uniform input.
        ValueError: wrong shapes, or a scalar that is zero or not below the order.
    """
    encoding_checks.require_row("scalar", scalar, SCALAR_BYTES)
    _check_scalars("scalar", scalar.reshape(1, SCALAR_BYTES))
    encoding_checks.require_uniform(uniform)
    return _backend().multiply_uniform(uniform, scalar)


def multiply_uniform_each(uniform: Bytes2D, scalars: Bytes2D) -> Bytes2D:
    """Derive an element from each row (n, 64), and multiply it by the secret scalar of its row (n, 32). Raises as `multiply_uniform`."""
    encoding_checks.require_uniform(uniform)
    _check_scalars("scalars", scalars)
    encoding_checks.require_same_length(uniform, scalars)
    return _backend().multiply_uniform_each(uniform, scalars)


def check(points: Bytes2D) -> None:
    """Decode every point (n, 32) strictly; ElementError for the first invalid one."""
    _check_encodings(points)
    _backend().check(points)


def multiply(points: Bytes2D, scalar: Bytes1D) -> Bytes2D:
    """Multiply every point (n, 32) by one secret scalar (32,).

    Raises:
        ElementError: the first invalid point.
        ValueError: wrong shapes, or a scalar that is zero or not below the order.
    """
    encoding_checks.require_row("scalar", scalar, SCALAR_BYTES)
    _check_scalars("scalar", scalar.reshape(1, SCALAR_BYTES))
    _check_encodings(points)
    return _backend().multiply(points, scalar)


def multiply_each(points: Bytes2D, scalars: Bytes2D) -> Bytes2D:
    """Multiply each point (n, 32) by the secret scalar of its row (n, 32). Raises as `multiply`."""
    _check_scalars("scalars", scalars)
    encoding_checks.require_batch("points", points, POINT_BYTES)
    encoding_checks.require_same_length(points, scalars)
    _check_encodings(points)
    return _backend().multiply_each(points, scalars)


def multiply_base(scalars: Bytes2D) -> Bytes2D:
    """Multiply the generator by each secret scalar (n, 32). Raises ValueError as `multiply`."""
    _check_scalars("scalars", scalars)
    return _backend().multiply_base(scalars)


def add(left: Bytes2D, right: Bytes2D) -> Bytes2D:
    """Add two batches of points row by row; ElementError where a row is invalid or the sum is the identity."""
    encoding_checks.require_batch("left", left, POINT_BYTES)
    encoding_checks.require_batch("right", right, POINT_BYTES)
    encoding_checks.require_same_length(left, right)
    _check_encodings(left, right)
    return _refuse_identity(_backend().add(left, right))


def combine(scalars: Bytes2D, points: Bytes2D) -> Bytes1D:
    """Sum the products of scalars (n, 32) and points (n, 32), n > 0, to one point (32,).

    Raises:
        ElementError: the first invalid point; with index n if the sum is the identity.
        ValueError: wrong shapes, no rows, or a scalar that is zero or not below the order.
    """
    _check_scalars("scalars", scalars)
    encoding_checks.require_batch("points", points, POINT_BYTES)
    encoding_checks.require_same_length(scalars, points)
    _check_encodings(points)
    if not len(points):
        raise ValueError("a combination needs at least one point")
    total = _backend().combine(scalars, points)
    if not total.any():
        raise ElementError(len(points))
    return total


def scalars_from_uniform(uniform: Bytes2D) -> Bytes2D:
    """Reduce each row of 64 uniform bytes, little-endian, modulo the order: (n, 64) to (n, 32)."""
    encoding_checks.require_uniform(uniform)
    return _backend().scalars_from_uniform(uniform)


def scalar_multiply(left: Bytes2D, right: Bytes2D) -> Bytes2D:
    """Multiply canonical scalars (n, 32) row by row modulo the order."""
    _check_scalar_pairs(left, right)
    return _backend().scalar_multiply(left, right)


def scalar_subtract(left: Bytes2D, right: Bytes2D) -> Bytes2D:
    """Subtract canonical scalars (n, 32) row by row modulo the order."""
    _check_scalar_pairs(left, right)
    return _backend().scalar_subtract(left, right)


def scalar_invert(scalars: Bytes2D) -> Bytes2D:
    """Invert canonical scalars (n, 32) modulo the order; ValueError if one is zero."""
    _check_scalars("scalars", scalars)
    return _backend().scalar_invert(scalars)


def scalar_is_canonical(scalars: Bytes2D) -> npt.NDArray[np.bool_]:
    """Whether each row (n, 32) is below the order of the group: (n,)."""
    encoding_checks.require_batch("scalars", scalars, SCALAR_BYTES)
    return encoding_checks.below_order(scalars)


def wipe(*secrets: npt.NDArray[np.uint8] | bytearray) -> None:
    """Overwrite secrets in place with zeros. Copies that Python made elsewhere cannot be overwritten."""
    for secret in secrets:
        if isinstance(secret, bytearray):
            secret[:] = bytes(len(secret))
        else:
            secret.fill(0)


def _check_encodings(*batches: Bytes2D) -> None:
    """Check shapes; raise ElementError for the first row with an invalid encoding in any batch.

    A strict backend checks the encodings itself.
    """
    for points in batches:
        encoding_checks.require_batch("points", points, POINT_BYTES)
    if _backend().strict:
        return
    first = min(encoding_checks.first_bad_encoding(points) for points in batches)
    if first < len(batches[0]):
        # An earlier row can have a canonical encoding and still not be on the group: it is the first invalid row.
        for row in range(first):
            for points in batches:
                _check_row(points, row)
        raise ElementError(first)


def _check_row(points: Bytes2D, row: int) -> None:
    try:
        _backend().check(points[row : row + 1])
    except ElementError:
        raise ElementError(row) from None


def _check_scalars(name: str, scalars: Bytes2D, *, zero_allowed: bool = False) -> None:
    """Check the shape, and the range unless the backend checks it; messages show no value."""
    encoding_checks.require_batch(name, scalars, SCALAR_BYTES)
    if not _backend().strict:
        encoding_checks.require_scalars(name, scalars, zero_allowed=zero_allowed)


def _check_scalar_pairs(left: Bytes2D, right: Bytes2D) -> None:
    _check_scalars("left", left, zero_allowed=True)
    _check_scalars("right", right, zero_allowed=True)
    encoding_checks.require_same_length(left, right)


def _refuse_identity(points: Bytes2D) -> Bytes2D:
    return points if _backend().strict else encoding_checks.refuse_identity(points)
