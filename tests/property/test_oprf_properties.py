"""Properties of the OPRF, on small batches so that the reference backend stays affordable."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blindmatch.protocol import group, oprf
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.group import GROUP_ORDER, Bytes2D, ElementError, _reference
from blindmatch.protocol.oprf import Mode

BACKENDS = group.available()
SMALL = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

seeds = st.binary(min_size=32, max_size=32)
numbers = st.one_of(
    st.integers(1, GROUP_ORDER - 1), st.sampled_from([1, 2, GROUP_ORDER - 1, GROUP_ORDER - 2])
)
modes = st.sampled_from(Mode)


def encode(values: list[int]) -> Bytes2D:
    data = b"".join(value.to_bytes(32, "little") for value in values)
    return np.frombuffer(bytearray(data), dtype=np.uint8).reshape(len(values), 32)


def decode(rows: Bytes2D) -> list[int]:
    return [int.from_bytes(row.tobytes(), "little") for row in rows]


def batches(width: int) -> st.SearchStrategy[Bytes2D]:
    def build(rows: list[bytes]) -> Bytes2D:
        return np.frombuffer(bytearray(b"".join(rows)), dtype=np.uint8).reshape(len(rows), width)

    return st.lists(st.binary(min_size=width, max_size=width), min_size=1, max_size=3).map(build)


inputs_of_any_width = st.integers(1, 40).flatmap(batches)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    with group.using(request.param):
        yield request.param


@SMALL
@given(inputs=inputs_of_any_width, seed=seeds, mode=modes, data=st.data())
def test_the_blinds_never_change_the_output(
    backend: str, inputs: Bytes2D, seed: bytes, mode: Mode, data: st.DataObject
):
    blinds = encode(data.draw(st.lists(numbers, min_size=len(inputs), max_size=len(inputs))))
    pair = oprf.derive_key_pair(seed, b"property", mode)
    points = oprf.hash_to_group(inputs, mode)
    evaluated = oprf.evaluate(pair.secret, group.multiply_each(points, blinds))
    outputs = oprf.finalize(inputs, oprf.unblind(evaluated, blinds))
    np.testing.assert_array_equal(outputs, oprf.finalize(inputs, group.multiply(points, pair.secret)))
    # Equal inputs, and only those, have equal outputs.
    for first in range(len(inputs)):
        for second in range(first):
            same = inputs[first].tobytes() == inputs[second].tobytes()
            assert (outputs[first].tobytes() == outputs[second].tobytes()) == same


@SMALL
@given(inputs=inputs_of_any_width, seed=seeds, cut=st.integers(0, 3))
def test_chunking_never_changes_a_result(backend: str, inputs: Bytes2D, seed: bytes, cut: int):
    pair = oprf.derive_key_pair(seed, b"property", Mode.OPRF)

    def outputs(part: Bytes2D) -> Bytes2D:
        return oprf.finalize(part, group.multiply(oprf.hash_to_group(part, Mode.OPRF), pair.secret))

    parts = np.concatenate([outputs(inputs[:cut]), outputs(inputs[cut:])])
    np.testing.assert_array_equal(outputs(inputs), parts)


@SMALL
@given(inputs=inputs_of_any_width, seed=seeds, nonce=numbers, position=st.integers(0, 511))
def test_proofs_verify_and_one_changed_bit_is_found(
    backend: str, inputs: Bytes2D, seed: bytes, nonce: int, position: int
):
    pair = oprf.derive_key_pair(seed, b"property", Mode.VOPRF)
    blinded = oprf.hash_to_group(inputs, Mode.VOPRF)
    evaluated = oprf.evaluate(pair.secret, blinded)
    proof = oprf.prove(pair, blinded, evaluated, encode([nonce])[0])
    oprf.verify(pair.public, blinded, evaluated, proof)
    changed = bytearray(proof)
    changed[position // 8] ^= 1 << position % 8
    with pytest.raises(PeerError) as caught:
        oprf.verify(pair.public, blinded, evaluated, bytes(changed))
    assert caught.value.code is PeerCode.BAD_PROOF


@SMALL
@given(garbage=batches(32))
def test_garbage_from_a_peer_raises_only_peer_errors(backend: str, garbage: Bytes2D):
    secret = encode([7])[0]
    valid = [_reference.decode(row.tobytes()) is not None and bool(row.any()) for row in garbage]
    if all(valid):
        assert oprf.evaluate(secret, garbage).shape == garbage.shape
        return
    with pytest.raises(PeerError) as caught:
        oprf.evaluate(secret, garbage)
    assert caught.value.code is PeerCode.BAD_POINT
    assert f"element {valid.index(False)} " in caught.value.message


@SMALL
@given(proof=st.binary(max_size=80), public=st.binary(min_size=32, max_size=32))
def test_garbage_proofs_and_keys_raise_only_peer_errors(backend: str, proof: bytes, public: bytes):
    points = group.multiply_base(encode([3, 5]))
    key = np.frombuffer(public, dtype=np.uint8)
    with pytest.raises(PeerError):
        oprf.verify(key, points, points, proof)
    with pytest.raises(PeerError) as caught:
        oprf.verify(points[0], points, points, proof)
    assert caught.value.code is PeerCode.BAD_PROOF


@SMALL
@given(left=st.lists(numbers, min_size=1, max_size=4), data=st.data())
def test_scalars_agree_with_integers(backend: str, left: list[int], data: st.DataObject):
    count = len(left)
    right = data.draw(st.lists(st.integers(0, GROUP_ORDER - 1), min_size=count, max_size=count))
    first, second = encode(left), encode(right)
    pairs = list(zip(left, right, strict=True))
    assert decode(group.scalar_subtract(first, second)) == [(a - b) % GROUP_ORDER for a, b in pairs]
    assert decode(group.scalar_multiply(first, second)) == [a * b % GROUP_ORDER for a, b in pairs]
    assert decode(group.scalar_invert(first)) == [pow(a, -1, GROUP_ORDER) for a in left]


@SMALL
@given(uniform=batches(64))
def test_wide_reduction_agrees_with_integers(backend: str, uniform: Bytes2D):
    expected = [int.from_bytes(row.tobytes(), "little") % GROUP_ORDER for row in uniform]
    assert decode(group.scalars_from_uniform(uniform)) == expected


@SMALL
@given(logarithms=st.lists(numbers, min_size=1, max_size=3), a=numbers, b=numbers)
def test_multiplication_distributes_over_scalars_and_points(
    backend: str, logarithms: list[int], a: int, b: int
):
    points = group.multiply_base(encode(logarithms))
    assert group.multiply(group.multiply(points, encode([a])[0]), encode([b])[0]).tobytes() == (
        group.multiply(points, encode([a * b % GROUP_ORDER])[0]).tobytes()
    )
    if (a + b) % GROUP_ORDER:
        total = group.add(group.multiply(points, encode([a])[0]), group.multiply(points, encode([b])[0]))
        assert total.tobytes() == group.multiply(points, encode([(a + b) % GROUP_ORDER])[0]).tobytes()


@SMALL
@given(pairs=st.lists(st.tuples(numbers, numbers), min_size=1, max_size=4))
def test_combine_is_the_sum_of_products(backend: str, pairs: list[tuple[int, int]]):
    # Points with known logarithms: the sum is the generator times the sum of products.
    weights, points = encode([w for w, _ in pairs]), group.multiply_base(encode([p for _, p in pairs]))
    total = sum(w * p for w, p in pairs) % GROUP_ORDER
    if total:
        np.testing.assert_array_equal(group.combine(weights, points), group.multiply_base(encode([total]))[0])
    else:
        with pytest.raises(ElementError):
            group.combine(weights, points)


@settings(max_examples=200, deadline=None)
@given(rows=batches(32))
def test_every_backend_accepts_the_same_encodings(rows: Bytes2D):
    def first_bad(name: str) -> int | None:
        with group.using(name):
            try:
                group.check(rows)
            except ElementError as error:
                return error.index
        return None

    assert len({first_bad(name) for name in BACKENDS}) == 1


@settings(max_examples=200, deadline=None)
@given(
    value=st.one_of(st.integers(0, 2**256 - 1), st.integers(-40, 40).map(lambda offset: 2**255 - 19 + offset))
)
def test_the_encoding_check_is_the_rfcs(value: int):
    # Compare the whole-batch check with the RFC's words, off-group points aside.
    row = encode([value])
    canonical = 0 < value < 2**255 - 19 and value % 2 == 0
    accepted = True
    with group.using("reference"):
        try:
            group.check(row)
        except ElementError:
            accepted = False
    assert accepted == (canonical and _reference.decode(row.tobytes()) is not None)
