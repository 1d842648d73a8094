"""RFC 9497 OPRF and VOPRF, suite ristretto255-SHA512, on whole batches.

```
receiver                                                     sender
blinded = blind_inputs(inputs, blinds)   -- blinded -->      evaluated = evaluate(secret, blinded)
                                         <- evaluated --     proof     = prove(key pair, blinded, evaluated, r)
verify(public, blinded, evaluated, proof)
outputs = finalize(inputs, unblind(evaluated, blinds))       outputs   = evaluate_inputs(secret, inputs)
```

Every element of a batch has its own blind. All inputs of one batch have the same width. All elements from the
peer are decoded strictly, and the identity is refused (RFC 9497 2.1). A peer's fault raises `PeerError`, our own `ValueError`.
Modes 0 (OPRF) and 1 (VOPRF) are complete; mode 2 is not used.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from blindmatch.protocol import group, hashing
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.group import Bytes1D, Bytes2D, ElementError, wipe
from blindmatch.protocol.limits import (
    POINT_BYTES,
    PROOF_BYTES,
    SCALAR_BYTES,
    SEED_BYTES,
)

__all__ = [
    "KeyPair",
    "Mode",
    "blind_inputs",
    "derive_key_pair",
    "evaluate",
    "evaluate_elements",
    "evaluate_inputs",
    "finalize",
    "hash_to_group",
    "prove",
    "unblind",
    "verify",
    "wipe",
]

_MAX_LENGTH = 2**16 - 1
"""RFC 9497 1.2: lengths and indices are two bytes."""


class Mode(IntEnum):
    """RFC 9497 3.1: the protocol variant, which separates the domains of keys, elements and proofs."""

    OPRF = 0
    VOPRF = 1


@dataclass(frozen=True, eq=False)
class KeyPair:
    """A sender's key: secret scalar (32,) and public point (32,). Call `wipe` at the end of the round or epoch."""

    secret: Bytes1D = field(repr=False)
    public: Bytes1D

    def wipe(self) -> None:
        """Overwrite the secret scalar with zeros; the key pair is unusable afterwards."""
        wipe(self.secret)


def derive_key_pair(seed: bytes, info: bytes, mode: Mode) -> KeyPair:
    """RFC 9497 3.2.1 DeriveKeyPair: a key from a secret seed of 32 bytes and a public info.

    Raises:
        ValueError: the seed is not 32 bytes, or the info is longer than 65,535 bytes.
    """
    if len(seed) != SEED_BYTES:
        raise ValueError(f"a seed has {SEED_BYTES} bytes")
    derive_input = _row(bytes(seed) + _prefixed(info))
    label = b"DeriveKeyPair" + _context_string(mode)
    for counter in range(256):
        secret = _hash_to_scalars(derive_input, bytes([counter]), tag=label)
        if secret.any():
            wipe(derive_input)
            return KeyPair(secret[0], group.multiply_base(secret)[0])
    raise ValueError("no key derives from this seed")  # pragma: no cover - probability 2^-64000


def hash_to_group(inputs: Bytes2D, mode: Mode) -> Bytes2D:
    """RFC 9497 4.1 HashToGroup: hash_to_ristretto255 of RFC 9380 with expand_message_xmd over SHA-512.

    Args:
        inputs: (n, width) uint8, width up to 65,535.
        mode: the protocol variant; points of one mode are useless in the other.

    Returns:
        Points (n, 32), never the identity.

    Raises:
        ElementError: an input hashes to the identity (RFC 9497 3.3.1 InvalidInputError); finding one is infeasible.
    """
    uniform = _expand_inputs(inputs, mode)
    try:
        return group.from_uniform(uniform)
    finally:
        wipe(uniform)


def blind_inputs(inputs: Bytes2D, blinds: Bytes2D, mode: Mode) -> Bytes2D:
    """RFC 9497 3.3.1 Blind: inputs (n, width) hashed to the group and blinded by secret scalars (n, 32), in one call: (n, 32).

    Raises:
        ValueError: a blind is zero or not below the order, or shapes differ; and as `hash_to_group`.
    """
    uniform = _expand_inputs(inputs, mode)
    try:
        return group.multiply_uniform_each(uniform, blinds)
    finally:
        wipe(uniform)


def evaluate(secret: Bytes1D, blinded: Bytes2D) -> Bytes2D:
    """RFC 9497 3.3.1 BlindEvaluate, without the proof: a peer's blinded elements (n, 32) by the secret key (32,): (n, 32).

    Raises:
        PeerError: BAD_POINT, with the index of the first invalid element.
    """
    try:
        return group.multiply(blinded, secret)
    except ElementError as error:
        raise _bad_point("blinded", error.index) from None


def unblind(evaluated: Bytes2D, blinds: Bytes2D) -> Bytes2D:
    """RFC 9497 3.3.1 Finalize, first half: a peer's evaluated elements (n, 32) by the inverse blinds (n, 32): (n, 32).

    Raises:
        PeerError: BAD_POINT, with the index of the first invalid element.
    """
    inverses = group.scalar_invert(blinds)
    try:
        return group.multiply_each(evaluated, inverses)
    except ElementError as error:
        raise _bad_point("evaluated", error.index) from None
    finally:
        wipe(inverses)


def finalize(inputs: Bytes2D, unblinded: Bytes2D) -> Bytes2D:
    """RFC 9497 3.3.1 Finalize, second half: hash inputs (n, width) with unblinded elements (n, 32) to (n, 64)."""
    _require_inputs(inputs)
    if unblinded.shape != (len(inputs), POINT_BYTES):
        raise ValueError("the number of unblinded elements must equal the number of inputs")
    return hashing.sha512(_length(inputs.shape[1]), inputs, _length(POINT_BYTES), unblinded, b"Finalize")


def evaluate_inputs(secret: Bytes1D, inputs: Bytes2D, mode: Mode) -> Bytes2D:
    """RFC 9497 3.3.1 Evaluate: the sender's own outputs (n, 64) of inputs (n, width).

    Raises:
        ValueError: as `hash_to_group`.
    """
    elements = evaluate_elements(secret, inputs, mode)
    try:
        return finalize(inputs, elements)
    finally:
        wipe(elements)


def evaluate_elements(secret: Bytes1D, inputs: Bytes2D, mode: Mode) -> Bytes2D:
    """The first half of `evaluate_inputs`: inputs (n, width) hashed to the group, times the secret key: points (n, 32).

    Raises:
        ValueError: as `hash_to_group`.
    """
    uniform = _expand_inputs(inputs, mode)
    try:
        return group.multiply_uniform(uniform, secret)
    finally:
        wipe(uniform)


def prove(
    key_pair: KeyPair, blinded: Bytes2D, evaluated: Bytes2D, r: Bytes1D, mode: Mode = Mode.VOPRF
) -> bytes:
    """RFC 9497 2.2.1 GenerateProof: a proof (64 bytes) that all rows were multiplied by this key.

    Args:
        key_pair: the key whose public half the peer holds.
        blinded: the receiver's elements (n, 32), n from 1 to 65,535.
        evaluated: the same elements times the key (n, 32).
        r: a secret uniform scalar (32,). Never use it for two different batches: two proofs with the same r disclose the key.
        mode: the protocol variant; VOPRF outside tests.
    """
    secret = key_pair.secret.reshape(1, SCALAR_BYTES)
    nonce = r.reshape(1, SCALAR_BYTES)
    weights = _composite_weights(key_pair.public, blinded, evaluated, mode)
    # RFC 9497 2.2.1 ComputeCompositesFast: Z = k M.
    m = group.combine(weights, blinded).reshape(1, POINT_BYTES)
    z = group.multiply(m, key_pair.secret)
    t2 = group.multiply_base(nonce)
    t3 = group.multiply(m, r)
    c = _challenge(key_pair.public, (m, z, t2, t3), mode)
    product = group.scalar_multiply(c, secret)
    s = group.scalar_subtract(nonce, product)
    wipe(product)
    return c.tobytes() + s.tobytes()


def verify(
    public: Bytes1D, blinded: Bytes2D, evaluated: Bytes2D, proof: bytes, mode: Mode = Mode.VOPRF
) -> None:
    """RFC 9497 2.2.2 VerifyProof: return only if the key of `public` (32,) evaluated all elements (n, 32).

    Raises:
        PeerError: BAD_POINT for the public key or an evaluated element; BAD_PROOF otherwise.
        ValueError: no rows, too many rows, or batches of different lengths.
    """
    try:
        group.check(public.reshape(1, POINT_BYTES))
    except ElementError:
        raise PeerError(
            PeerCode.BAD_POINT, "the peer's public key is not a valid group element", hint=_PEER_HINT
        ) from None
    try:
        weights = _composite_weights(public, blinded, evaluated, mode)
        z = group.combine(weights, evaluated).reshape(1, POINT_BYTES)
    except ElementError as error:
        if error.index < len(evaluated):
            raise _bad_point("evaluated", error.index) from None
        raise _bad_proof() from None  # the sum is the identity
    m = group.combine(weights, blinded).reshape(1, POINT_BYTES)
    c, s = _proof_scalars(proof)
    try:
        # t2 = s A + c B with A the generator and B the public key; t3 = s M + c Z.
        t2 = group.add(group.multiply_base(s), group.multiply(public.reshape(1, POINT_BYTES), c[0]))
        t3 = group.add(group.multiply(m, s[0]), group.multiply(z, c[0]))
    except ElementError:
        raise _bad_proof() from None  # a sum is the identity: impossible in an honest proof
    expected = _challenge(public, (m, z, t2, t3), mode)
    if not hmac.compare_digest(expected.tobytes(), c.tobytes()):
        raise _bad_proof()


_PEER_HINT = "The peer's node is faulty or hostile: end the round and contact the agency."


def _bad_point(which: str, index: int) -> PeerError:
    return PeerError(
        PeerCode.BAD_POINT, f"{which} element {index} is not a valid group element", hint=_PEER_HINT
    )


def _bad_proof() -> PeerError:
    return PeerError(
        PeerCode.BAD_PROOF, "the proof of the evaluated elements does not verify", hint=_PEER_HINT
    )


def _proof_scalars(proof: bytes) -> tuple[Bytes2D, Bytes2D]:
    """Decode a proof strictly: two canonical scalars, not zero, which no honest proof contains."""
    if len(proof) != PROOF_BYTES:
        raise _bad_proof()
    scalars = np.frombuffer(proof, dtype=np.uint8).reshape(2, SCALAR_BYTES)
    if not group.scalar_is_canonical(scalars).all() or not scalars.any(axis=1).all():
        raise _bad_proof()
    return scalars[:1], scalars[1:]


def _composite_weights(public: Bytes1D, blinded: Bytes2D, evaluated: Bytes2D, mode: Mode) -> Bytes2D:
    """RFC 9497 2.2.1 ComputeComposites: the weights d_i (n, 32), from the seed and each pair of elements."""
    count = len(blinded)
    if not 0 < count <= _MAX_LENGTH:
        raise ValueError(f"a proof covers 1 to {_MAX_LENGTH} elements, not {count}")
    if blinded.shape != (count, POINT_BYTES) or evaluated.shape != blinded.shape:
        raise ValueError("the number of evaluated elements must equal the number of blinded elements")
    context = _context_string(mode)
    seed = hashlib.sha512(_prefixed(public.tobytes()) + _prefixed(b"Seed-" + context)).digest()
    indices = np.arange(count, dtype=">u2").view(np.uint8).reshape(count, 2)
    point = _length(POINT_BYTES)
    pieces = (_prefixed(seed), indices, point, blinded, point, evaluated, b"Composite")
    return _hash_to_scalars(*pieces, tag=b"HashToScalar-" + context)


def _challenge(public: Bytes1D, points: tuple[Bytes2D, ...], mode: Mode) -> Bytes2D:
    """RFC 9497 2.2.1: the challenge scalar c (1, 32) over B, M, Z, t2, t3."""
    parts = b"".join(_prefixed(part.tobytes()) for part in (public, *points))
    return _hash_to_scalars(_row(parts + b"Challenge"), tag=b"HashToScalar-" + _context_string(mode))


def _hash_to_scalars(*pieces: bytes | Bytes2D, tag: bytes) -> Bytes2D:
    """RFC 9497 4.1 HashToScalar: expand to 64 bytes, read little-endian, reduce modulo the order."""
    uniform = hashing.expand_xmd(*pieces, tag=tag)
    scalars = group.scalars_from_uniform(uniform)
    wipe(uniform)
    return scalars


def _expand_inputs(inputs: Bytes2D, mode: Mode) -> Bytes2D:
    """RFC 9497 4.1 HashToGroup, the hash: 64 uniform bytes for each input."""
    _require_inputs(inputs)
    return hashing.expand_xmd(inputs, tag=b"HashToGroup-" + _context_string(mode))


def _require_inputs(inputs: Bytes2D) -> None:
    if inputs.dtype != np.uint8 or inputs.ndim != 2 or inputs.shape[1] > _MAX_LENGTH:
        raise ValueError(
            f"inputs must be uint8 of the shape (n, width), width up to {_MAX_LENGTH}, not {inputs.shape}"
        )


def _context_string(mode: Mode) -> bytes:
    """RFC 9497 3.1 CreateContextString."""
    return b"OPRFV1-" + bytes([mode]) + b"-ristretto255-SHA512"


def _length(length: int) -> bytes:
    return length.to_bytes(2, "big")


def _prefixed(part: bytes) -> bytes:
    """I2OSP(len(part), 2) || part; ValueError if the part is longer than 65,535 bytes."""
    if len(part) > _MAX_LENGTH:
        raise ValueError(f"at most {_MAX_LENGTH} bytes can be length-prefixed")
    return _length(len(part)) + part


def _row(message: bytes) -> Bytes2D:
    """Copy a message into a batch of one row, which can be wiped."""
    return np.frombuffer(bytearray(message), dtype=np.uint8).reshape(1, len(message))
