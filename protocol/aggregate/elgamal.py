"""ElGamal in the exponent over ristretto255, under a key shared by two sides, on batches.

With B the generator, a and b the two secret halves and P = (a + b) B:

    encrypt      v -> (U, V) = (u B, u P + v B)
    add          (U, V) + (U', V') encrypts v + v'
    half-open    (U, V) -> (U, W = V - b U)                 by one side
    open         W - a U = v B; a small v can be computed  by the other

Each side proves with its share that it knows the secret half (Schnorr, CRYPTO 1989), so that neither can choose a share that cancels
the other's. ElGamal (1985); Cramer, Gennaro, Schoenmakers (EUROCRYPT 1997).
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from blindmatch.protocol import group, hashing, oprf
from blindmatch.protocol.aggregate.masks import bad_point
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.group import Bytes1D, Bytes2D, ElementError
from blindmatch.protocol.limits import POINT_BYTES, PROOF_BYTES, SCALAR_BYTES
from blindmatch.protocol.oprf import KeyPair
from blindmatch.protocol.session.messages import EdgeContext
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.transcript import encode

CIPHERTEXT_BYTES = 2 * POINT_BYTES

_ONE = np.frombuffer((1).to_bytes(SCALAR_BYTES, "little"), dtype=np.uint8)
_ZERO = np.zeros((1, SCALAR_BYTES), dtype=np.uint8)
_AT_ONCE = 1 << 14


@dataclass(frozen=True)
class Opening:
    """A sum, and the proof that it is what the sender's outcome holds: every holder of both statements can check it."""

    total: int
    """In units of the band."""
    proof: bytes = field(repr=False)
    """DLEQ, 64 bytes: the receiver used the half of its share."""


def public_share(secret: Bytes1D) -> Bytes1D:
    """The public share (32,) of a secret half (32,)."""
    share: Bytes1D = group.multiply_base(secret.reshape(1, SCALAR_BYTES))[0]
    return share


def prove_share(secret: Bytes1D, share: Bytes1D, nonce: Bytes1D, role: Role, context: EdgeContext) -> bytes:
    """Prove knowledge of the secret half: c and s, 64 bytes.

    Args:
        secret: (32,).
        share: (32,).
        nonce: secret, uniform, for this one proof (32,).
        role: the side that owns the share.
        context: the edge.
    """
    first = group.multiply_base(nonce.reshape(1, SCALAR_BYTES))[0]
    c = _challenge(share.tobytes(), first.tobytes(), role, context)
    product = group.scalar_multiply(c, secret.reshape(1, SCALAR_BYTES))
    s = group.scalar_subtract(nonce.reshape(1, SCALAR_BYTES), product)
    product.fill(0)
    return c.tobytes() + s.tobytes()


def check_share(share: bytes, proof: bytes, role: Role, context: EdgeContext) -> None:
    """Verify `prove_share`. PeerError: BAD_POINT, BAD_PROOF."""
    point, scalars = _point(share), np.frombuffer(proof, dtype=np.uint8).reshape(2, SCALAR_BYTES)
    try:
        group.check(point)
    except ElementError as error:
        raise bad_point(error.index) from None
    good = len(proof) == PROOF_BYTES and bool(group.scalar_is_canonical(scalars).all())
    good = good and bool(scalars.any(axis=1).all())
    if good:
        c, s = scalars[:1].copy(), scalars[1:].copy()
        try:
            first = group.add(group.multiply_base(s), group.multiply(point, c[0]))[0]
        except ElementError:
            good = False
        else:
            good = _challenge(share, first.tobytes(), role, context).tobytes() == c.tobytes()
    if not good:
        raise PeerError(PeerCode.BAD_PROOF, "the proof of the share of the sum's key does not verify")


def joint_key(one: bytes, other: bytes) -> Bytes1D:
    """P of both sides' shares (32,). PeerError: BAD_POINT, when they cancel each other."""
    try:
        joint: Bytes1D = group.add(_point(one), _point(other))[0]
    except ElementError as error:
        raise bad_point(error.index) from None
    return joint


def encrypt(values: npt.NDArray[np.int64], key: Bytes1D, scalars: Bytes2D) -> Bytes2D:
    """Values (n,), none negative, under the joint key, with a secret uniform scalar each (n, 32): (n, 64)."""
    ciphertexts = _blank(key, scalars)
    some = np.flatnonzero(values)
    if len(some):  # zero times the generator is the identity, which is no point here
        numbers = np.zeros((len(some), SCALAR_BYTES), dtype=np.uint8)
        numbers[:, :8] = np.ascontiguousarray(values[some], dtype="<i8").view(np.uint8).reshape(-1, 8)
        second = np.ascontiguousarray(ciphertexts[some, POINT_BYTES:])
        ciphertexts[some, POINT_BYTES:] = group.add(second, group.multiply_base(numbers))
    return ciphertexts


def rerandomise(ciphertexts: Bytes2D, key: Bytes1D, scalars: Bytes2D) -> Bytes2D:
    """Other ciphertexts of the same values (n, 64), with a secret uniform scalar each. PeerError: BAD_POINT."""
    return _add(ciphertexts, _blank(key, scalars))


def check_ciphertexts(ciphertexts: Bytes2D) -> None:
    """Both halves of each (n, 64) must be points. PeerError: BAD_POINT."""
    try:
        group.check(np.ascontiguousarray(ciphertexts).reshape(-1, POINT_BYTES))
    except ElementError as error:
        raise bad_point(error.index // 2) from None


def add_all(ciphertexts: Bytes2D) -> Bytes2D:
    """The sum of ciphertexts (n, 64), n > 0: (1, 64). PeerError: BAD_POINT when a half of it is the identity."""
    terms = np.ascontiguousarray(ciphertexts)
    while len(terms) > 1:
        odd = terms[len(terms) - 1 :] if len(terms) % 2 else terms[:0]
        half = len(terms) // 2
        terms = np.concatenate([_add(terms[:half], terms[half : 2 * half]), odd])
    return terms


def half_open(ciphertext: Bytes2D, secret: Bytes1D) -> tuple[bytes, bytes]:
    """U and W of one ciphertext (1, 64). PeerError: BAD_POINT."""
    left, right = (np.ascontiguousarray(ciphertext[:, at : at + POINT_BYTES]) for at in (0, POINT_BYTES))
    try:
        return left.tobytes(), group.add(right, group.multiply(left, negated(secret))).tobytes()
    except ElementError as error:
        raise bad_point(error.index) from None


def finish_opening(left: bytes, right: bytes, secret: Bytes1D) -> Bytes2D | None:
    """The total times the generator (1, 32), or None when the total is zero. PeerError: BAD_POINT."""
    try:
        taken = group.multiply(_point(left), secret)
        group.check(_point(right))
    except ElementError as error:
        raise bad_point(error.index) from None
    if taken.tobytes() == right:
        return None
    return group.add(_point(right), group.multiply(taken, negated(_ONE)))


def prove_opening(key: KeyPair, left: bytes, nonce: Bytes1D) -> bytes:
    """Prove that `a U` was subtracted: RFC 9497 2.2.1 GenerateProof over this one pair, 64 bytes."""
    point = _point(left)
    return oprf.prove(key, point, group.multiply(point, key.secret), nonce)


def check_opening(opening: Opening, left: bytes, right: bytes, share: bytes) -> None:
    """Whether a sum is what a half-opened ciphertext holds, by the holder of the other half.

    Raises:
        PeerError: BAD_POINT, BAD_PROOF.
    """
    taken = _point(right)
    if opening.total:
        number = _scalar(opening.total)
        minus = group.scalar_subtract(_ZERO, number)
        try:
            taken = group.add(taken, group.multiply_base(minus))
        except ElementError as error:
            raise bad_point(error.index) from None
    oprf.verify(_point(share)[0], _point(left), taken, opening.proof)


def negated(scalar: Bytes1D) -> Bytes1D:
    """Minus a scalar (32,)."""
    minus: Bytes1D = group.scalar_subtract(_ZERO, scalar.reshape(1, SCALAR_BYTES))[0]
    return minus


def _scalar(number: int) -> Bytes2D:
    return np.frombuffer(number.to_bytes(SCALAR_BYTES, "little"), dtype=np.uint8).reshape(1, SCALAR_BYTES)


def _point(data: bytes) -> Bytes2D:
    return np.frombuffer(data, dtype=np.uint8).reshape(1, POINT_BYTES)


def _blank(key: Bytes1D, scalars: Bytes2D) -> Bytes2D:
    """Encryptions of zero (n, 64)."""
    zeros = np.empty((len(scalars), CIPHERTEXT_BYTES), dtype=np.uint8)
    for start in range(0, len(scalars), _AT_ONCE):
        some = np.ascontiguousarray(scalars[start : start + _AT_ONCE])
        zeros[start : start + _AT_ONCE, :POINT_BYTES] = group.multiply_base(some)
        zeros[start : start + _AT_ONCE, POINT_BYTES:] = group.multiply_each(
            np.tile(key, (len(some), 1)), some
        )
    return zeros


def _add(one: Bytes2D, other: Bytes2D) -> Bytes2D:
    halves = (np.ascontiguousarray(each).reshape(-1, POINT_BYTES) for each in (one, other))
    try:
        return group.add(*halves).reshape(-1, CIPHERTEXT_BYTES)
    except ElementError as error:
        raise bad_point(error.index // 2) from None


def _challenge(share: bytes, first: bytes, role: Role, context: EdgeContext) -> Bytes2D:
    bound = encode(
        "blindmatch/share/v1", context.agreement, context.round_id, context.edge, role.value, share, first
    )
    row = np.frombuffer(bound, dtype=np.uint8).reshape(1, -1)
    return group.scalars_from_uniform(hashing.sha512(row))
