"""ristretto255 (RFC 9496) on batches: one contiguous buffer of n x 32 bytes in, one out.

Everything else calls these functions and never names a backend. The backend is chosen at the first call: the fastest
that loads, of `native`, `native-portable`, `libsodium` and `reference`. Results are the same bytes with each.

No function takes or returns the identity: RFC 9497 2.1 refuses it, and an honest run never meets it. Points are decoded
strictly; `ElementError.index` names the first bad row. Wrong shapes and scalars out of range are our own
mistakes and raise `ValueError`.
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
    from blindmatch.protocol.group._reference import ReferenceBackend  # noqa: PLC0415 - only when it is wanted

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
    """Name the backend in use."""
    return _backend().name


def backend_description() -> str:
    """Name the backend in use and, where it has several, its way of computing on this machine."""
    return _backend().description


def use_threads(count: int | None) -> None:
    """Split batch calls over at most `count` threads from now on; None, as at the start: every core this process may use.

    The native backends split batches of 512 rows and more; the others compute in the calling thread.
    """
    if count is not None and count < 1:
        raise ValueError("a batch needs at least one thread")
    global _threads  # noqa: PLW0603 - goes with the dispatch point
    _threads = count
    for backend in _choice.loaded.values():
        backend.use_threads(count)


def from_uniform(uniform: Bytes2D) -> Bytes2D:
    """Derive one element from each row of 64 uniform bytes, RFC 9496 4.3.4: (n, 64) to (n, 32).

    Raises:
        ElementError: a row derives the identity, which no uniform input ever does in practice.
    """
    encoding_checks.require_uniform(uniform)
    return _refuse_identity(_backend().from_uniform(uniform))


def multiply_uniform(uniform: Bytes2D, scalar: Bytes1D) -> Bytes2D:
    """Multiply by one secret scalar (32,) what `from_uniform` derives from each row: (n, 64) to (n, 32).

    The same bytes as `multiply(from_uniform(uniform), scalar)`, without an encoding in between where the backend can.

    Raises:
        ElementError: a row derives the identity, which no uniform input ever does in practice.
        ValueError: wrong shapes, or a scalar that is zero or not below the order.
    """
    encoding_checks.require_row("scalar", scalar, SCALAR_BYTES)
    _check_scalars("scalar", scalar.reshape(1, SCALAR_BYTES))
    encoding_checks.require_uniform(uniform)
    return _backend().multiply_uniform(uniform, scalar)


def multiply_uniform_each(uniform: Bytes2D, scalars: Bytes2D) -> Bytes2D:
    """Multiply what each row (n, 64) derives by the secret scalar of its row (n, 32). Raises as `multiply_uniform`."""
    encoding_checks.require_uniform(uniform)
    _check_scalars("scalars", scalars)
    encoding_checks.require_same_length(uniform, scalars)
    return _backend().multiply_uniform_each(uniform, scalars)


def check(points: Bytes2D) -> None:
    """Decode every point (n, 32) strictly; ElementError on the first bad one."""
    _check_encodings(points)
    _backend().check(points)


def multiply(points: Bytes2D, scalar: Bytes1D) -> Bytes2D:
    """Multiply every point (n, 32) by one secret scalar (32,).

    Raises:
        ElementError: on the first bad point.
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
    """Add two batches of points row by row; ElementError where a row is bad or the sum is the identity."""
    encoding_checks.require_batch("left", left, POINT_BYTES)
    encoding_checks.require_batch("right", right, POINT_BYTES)
    encoding_checks.require_same_length(left, right)
    _check_encodings(left, right)
    return _refuse_identity(_backend().add(left, right))


def combine(scalars: Bytes2D, points: Bytes2D) -> Bytes1D:
    """Sum the products of scalars (n, 32) and points (n, 32), n > 0, to one point (32,).

    Raises:
        ElementError: on the first bad point; with index n when the sum is the identity.
        ValueError: wrong shapes, no rows, or a scalar that is zero or not below the order.
    """
    _check_scalars("scalars", scalars)
    encoding_checks.require_batch("points", points, POINT_BYTES)
    encoding_checks.require_same_length(scalars, points)
    _check_encodings(points)
    if not len(points):
        raise ValueError("a combination of no points is the identity")
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
    """Invert canonical scalars (n, 32) modulo the order; ValueError when one is zero."""
    _check_scalars("scalars", scalars)
    return _backend().scalar_invert(scalars)


def scalar_is_canonical(scalars: Bytes2D) -> npt.NDArray[np.bool_]:
    """Tell for each row (n, 32) whether it is below the group's order."""
    encoding_checks.require_batch("scalars", scalars, SCALAR_BYTES)
    return encoding_checks.below_order(scalars)


def wipe(*secrets: npt.NDArray[np.uint8] | bytearray) -> None:
    """Overwrite secrets in place with zeros. Copies that Python has made elsewhere are out of reach."""
    for secret in secrets:
        if isinstance(secret, bytearray):
            secret[:] = bytes(len(secret))
        else:
            secret.fill(0)


def _check_encodings(*batches: Bytes2D) -> None:
    """Check shapes; raise ElementError on the first row with a bad encoding in any of the batches.

    A strict backend finds bad encodings on its way.
    """
    for points in batches:
        encoding_checks.require_batch("points", points, POINT_BYTES)
    if _backend().strict:
        return
    first = min(encoding_checks.first_bad_encoding(points) for points in batches)
    if first < len(batches[0]):
        # A row above may be well encoded and yet off the group: it comes first.
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
    """Check the shape, and the range unless the backend does; no value is shown."""
    encoding_checks.require_batch(name, scalars, SCALAR_BYTES)
    if not _backend().strict:
        encoding_checks.require_scalars(name, scalars, zero_allowed=zero_allowed)


def _check_scalar_pairs(left: Bytes2D, right: Bytes2D) -> None:
    _check_scalars("left", left, zero_allowed=True)
    _check_scalars("right", right, zero_allowed=True)
    encoding_checks.require_same_length(left, right)


def _refuse_identity(points: Bytes2D) -> Bytes2D:
    return points if _backend().strict else encoding_checks.refuse_identity(points)
