"""ristretto255 in Python integers, following RFC 9496 step by step.

It exists to be read beside the RFC, to check the other backends, and to run where no other backend loads.
It is about a thousand times slower than libsodium, and NOT constant-time: operations on larger Python integers take longer.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from blindmatch.protocol.group._composed import Composed
from blindmatch.protocol.group.backend import (
    FIELD_PRIME,
    GROUP_ORDER,
    Bytes1D,
    Bytes2D,
    ElementError,
)
from blindmatch.protocol.limits import POINT_BYTES, SCALAR_BYTES

# RFC 9496 4.1, implementation constants. The tests derive each from its definition.
D = 37095705934669439343138083508754565189542113879843219016388785533085940283555
SQRT_M1 = 19681161376707505956807079304988542015446066515923890162744021073123829784752
SQRT_AD_MINUS_ONE = 25063068953384623474111414158702152701244531502492656460079210482610430750235
INVSQRT_A_MINUS_D = 54469307008909316920995813868745141605393597292927456921205312896311721017578
ONE_MINUS_D_SQ = 1159843021668779879193775521855586647937357759715417654439879720876111806838
D_MINUS_ONE_SQ = 40440834346308536858101042469323190826248399146238708352240133220865137265952


class Point(NamedTuple):
    """Extended coordinates on edwards25519: x = x0/z0, y = y0/z0, x y = t0/z0 (RFC 9496 4.3.1)."""

    x0: int
    y0: int
    z0: int
    t0: int


IDENTITY = Point(0, 1, 1, 0)


def is_negative(element: int) -> bool:
    """RFC 9496 3.1: the least non-negative representative is odd."""
    return element % FIELD_PRIME % 2 == 1


def absolute(element: int) -> int:
    """RFC 9496 3.1: CT_ABS."""
    return (-element if is_negative(element) else element) % FIELD_PRIME


def sqrt_ratio_m1(u: int, v: int) -> tuple[bool, int]:
    """RFC 9496 4.2: (True, the non-negative square root of u/v), or (False, that of SQRT_M1 u/v)."""
    p = FIELD_PRIME
    r = (u * v**3) * pow(u * v**7, (p - 5) // 8, p) % p
    check = v * r**2 % p
    correct_sign_sqrt = check == u % p
    flipped_sign_sqrt = check == -u % p
    flipped_sign_sqrt_i = check == -u * SQRT_M1 % p
    if flipped_sign_sqrt or flipped_sign_sqrt_i:
        r = SQRT_M1 * r % p
    return correct_sign_sqrt or flipped_sign_sqrt, absolute(r)


def decode(data: bytes) -> Point | None:
    """RFC 9496 4.3.1: the point of a canonical encoding, or None. The identity decodes."""
    p = FIELD_PRIME
    # 1 and 2. Canonical field element, not negative.
    s = int.from_bytes(data, "little")
    if len(data) != POINT_BYTES or s >= p or is_negative(s):
        return None
    # 3.
    ss = s**2 % p
    u1 = (1 - ss) % p
    u2 = (1 + ss) % p
    u2_sqr = u2**2 % p
    v = (-D * u1**2 - u2_sqr) % p
    was_square, invsqrt = sqrt_ratio_m1(1, v * u2_sqr)
    den_x = invsqrt * u2 % p
    den_y = invsqrt * den_x * v % p
    x = absolute(2 * s * den_x)
    y = u1 * den_y % p
    t = x * y % p
    # 4.
    if not was_square or is_negative(t) or y == 0:
        return None
    return Point(x, y, 1, t)


def encode(point: Point) -> bytes:
    """RFC 9496 4.3.2."""
    p = FIELD_PRIME
    x0, y0, z0, t0 = point
    u1 = (z0 + y0) * (z0 - y0) % p
    u2 = x0 * y0 % p
    _, invsqrt = sqrt_ratio_m1(1, u1 * u2**2)
    den1 = invsqrt * u1 % p
    den2 = invsqrt * u2 % p
    z_inv = den1 * den2 * t0 % p
    ix0 = x0 * SQRT_M1 % p
    iy0 = y0 * SQRT_M1 % p
    enchanted_denominator = den1 * INVSQRT_A_MINUS_D % p
    rotate = is_negative(t0 * z_inv)
    x, y, den_inv = (iy0, ix0, enchanted_denominator) if rotate else (x0, y0, den2)
    if is_negative(x * z_inv):
        y = -y
    s = absolute(den_inv * (z0 - y))
    return s.to_bytes(POINT_BYTES, "little")


def map_to_point(t: int) -> Point:
    """RFC 9496 4.3.4: MAP, from a field element."""
    p = FIELD_PRIME
    r = SQRT_M1 * t**2 % p
    u = (r + 1) * ONE_MINUS_D_SQ % p
    v = (-1 - r * D) * (r + D) % p
    was_square, s = sqrt_ratio_m1(u, v)
    s_prime = -absolute(s * t)
    s = s if was_square else s_prime
    c = -1 if was_square else r
    n = (c * (r - 1) * D_MINUS_ONE_SQ - v) % p
    w0 = 2 * s * v % p
    w1 = n * SQRT_AD_MINUS_ONE % p
    w2 = (1 - s**2) % p
    w3 = (1 + s**2) % p
    return Point(w0 * w3 % p, w2 * w1 % p, w1 * w3 % p, w0 * w2 % p)


def derive(uniform: bytes) -> Point:
    """RFC 9496 4.3.4: element derivation from 64 bytes; bit 255 of each half is cleared, the rest reduced."""
    low, high = (
        int.from_bytes(uniform[start : start + 32], "little") % 2**255 % FIELD_PRIME for start in (0, 32)
    )
    return add_points(map_to_point(low), map_to_point(high))


def add_points(left: Point, right: Point) -> Point:
    """RFC 8032 5.1.4: complete addition on edwards25519, which RFC 9496 4.3.5 refers to."""
    p = FIELD_PRIME
    a = (left.y0 - left.x0) * (right.y0 - right.x0) % p
    b = (left.y0 + left.x0) * (right.y0 + right.x0) % p
    c = 2 * D * left.t0 * right.t0 % p
    d = 2 * left.z0 * right.z0 % p
    e, f, g, h = b - a, d - c, d + c, b + a
    return Point(e * f % p, g * h % p, f * g % p, e * h % p)


def multiply_point(scalar: int, point: Point) -> Point:
    """Double and add, from the scalar's highest bit."""
    total = IDENTITY
    for bit in f"{scalar:b}":
        total = add_points(total, total)
        if bit == "1":
            total = add_points(total, point)
    return total


# RFC 9496 A.1: the generator is the canonical one of edwards25519 (y = 4/5); its encoding.
GENERATOR = bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76")


class ReferenceBackend(Composed):
    """Backend over Python integers, element by element."""

    name = "reference"
    description = "reference"

    def from_uniform(self, uniform: Bytes2D) -> Bytes2D:
        return _rows([encode(derive(row.tobytes())) for row in uniform])

    def check(self, points: Bytes2D) -> None:
        _decode_all(points)

    def multiply(self, points: Bytes2D, scalar: Bytes1D) -> Bytes2D:
        factor = _integer(scalar)
        return _rows([encode(multiply_point(factor, point)) for point in _decode_all(points)])

    def multiply_each(self, points: Bytes2D, scalars: Bytes2D) -> Bytes2D:
        pairs = zip(_decode_all(points), scalars, strict=True)
        return _rows([encode(multiply_point(_integer(scalar), point)) for point, scalar in pairs])

    def multiply_base(self, scalars: Bytes2D) -> Bytes2D:
        base = np.tile(np.frombuffer(GENERATOR, dtype=np.uint8), (len(scalars), 1))
        return self.multiply_each(base, scalars)

    def add(self, left: Bytes2D, right: Bytes2D) -> Bytes2D:
        sums = []
        for index in range(len(left)):
            pair = (decode(left[index].tobytes()), decode(right[index].tobytes()))
            if pair[0] is None or pair[1] is None:
                raise ElementError(index)
            sums.append(encode(add_points(pair[0], pair[1])))
        return _rows(sums)

    def combine(self, scalars: Bytes2D, points: Bytes2D) -> Bytes1D:
        total = IDENTITY
        for point, scalar in zip(_decode_all(points), scalars, strict=True):
            total = add_points(total, multiply_point(_integer(scalar), point))
        return np.frombuffer(bytearray(encode(total)), dtype=np.uint8)

    def scalars_from_uniform(self, uniform: Bytes2D) -> Bytes2D:
        return _scalars([_integer(row) for row in uniform])

    def scalar_multiply(self, left: Bytes2D, right: Bytes2D) -> Bytes2D:
        return _scalars([_integer(a) * _integer(b) for a, b in zip(left, right, strict=True)])

    def scalar_subtract(self, left: Bytes2D, right: Bytes2D) -> Bytes2D:
        return _scalars([_integer(a) - _integer(b) for a, b in zip(left, right, strict=True)])

    def scalar_invert(self, scalars: Bytes2D) -> Bytes2D:
        # Fermat: a different method from the other backends, so that they check each other.
        return _scalars([pow(_integer(row), GROUP_ORDER - 2, GROUP_ORDER) for row in scalars])


def _decode_all(points: Bytes2D) -> list[Point]:
    decoded = []
    for index, row in enumerate(points):
        point = decode(row.tobytes())
        if point is None:
            raise ElementError(index)
        decoded.append(point)
    return decoded


def _integer(row: Bytes1D) -> int:
    return int.from_bytes(row.tobytes(), "little")


def _scalars(values: list[int]) -> Bytes2D:
    return _rows([(value % GROUP_ORDER).to_bytes(SCALAR_BYTES, "little") for value in values])


def _rows(encodings: list[bytes]) -> Bytes2D:
    # A bytearray, because an array over bytes would be read-only.
    return np.frombuffer(bytearray(b"".join(encodings)), dtype=np.uint8).reshape(len(encodings), POINT_BYTES)
