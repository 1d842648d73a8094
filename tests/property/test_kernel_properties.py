"""The native kernel against libsodium: any batch size, any bytes, any number of threads; the same bytes and the same refusals."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindmatch.protocol import group
from blindmatch.protocol.group import FIELD_PRIME, Bytes2D, ElementError

NATIVE = [name for name in group.available() if name.startswith("native")]
pytestmark = pytest.mark.skipif(not NATIVE, reason="the native kernel is not built here")

# Around the lanes (8), the chunk of the portable path (32), that of the other (256), and where threads start (512).
SIZES = st.sampled_from([1, 2, 7, 8, 9, 31, 32, 33, 40, 63, 65])
LARGE = [255, 256, 257, 511, 512, 513, 770]


@pytest.fixture(params=NATIVE, scope="module")
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    group.use_threads(request.param)
    yield request.param
    group.use_threads(None)


def uniform(seed: int, count: int) -> Bytes2D:
    return np.random.default_rng(seed).integers(0, 256, (count, 64), dtype=np.uint8)


def both(backend: str, operation) -> None:
    outcomes = []
    for name in ("libsodium", backend):
        with group.using(name):
            try:
                outcomes.append(operation().tobytes())
            except ElementError as error:
                outcomes.append(error.index)
    assert outcomes[0] == outcomes[1]


def rows(*numbers: int) -> Bytes2D:
    data = b"".join(number.to_bytes(32, "little") for number in numbers)
    return np.frombuffer(bytearray(data), dtype=np.uint8).reshape(len(numbers), 32)


@given(seed=st.integers(0, 2**32), count=SIZES)
def test_the_same_bytes_as_libsodium(backend: str, seed: int, count: int):
    batch = uniform(seed, count)
    with group.using("libsodium"):
        points, scalars = group.from_uniform(batch), group.scalars_from_uniform(batch)
    for operation in (
        lambda: group.from_uniform(batch),
        lambda: group.scalars_from_uniform(batch),
        lambda: group.multiply(points, scalars[0]),
        lambda: group.multiply_each(points, scalars),
        lambda: group.multiply_uniform(batch, scalars[0]),
        lambda: group.multiply_uniform_each(batch, scalars),
        lambda: group.multiply_base(scalars),
        lambda: group.add(points, points[::-1].copy()),
        lambda: group.combine(scalars, points),
        lambda: group.scalar_multiply(scalars, scalars[::-1].copy()),
        lambda: group.scalar_subtract(scalars, scalars[::-1].copy()),
        lambda: group.scalar_invert(scalars),
    ):
        both(backend, operation)


NEAR = st.sampled_from([0, FIELD_PRIME, 2 * FIELD_PRIME, 2**255, 2**256 - 1, FIELD_PRIME // 2])
ENCODINGS = st.one_of(
    st.integers(0, 2**256 - 1),
    st.integers(0, FIELD_PRIME // 2).map(lambda half: 2 * half),
    st.builds(lambda near, step: (near + step) % 2**256, NEAR, st.integers(-40, 40)),
)


@given(numbers=st.lists(ENCODINGS, min_size=1, max_size=20))
def test_the_same_verdict_on_any_bytes(backend: str, numbers: list[int]):
    batch = rows(*numbers)
    scalar = rows(3)[0]
    both(backend, lambda: group.multiply(batch, scalar))
    both(backend, lambda: group.add(batch, batch))
    for row in batch:
        both(backend, lambda row=row: group.multiply(row.reshape(1, 32), scalar))


@given(flips=st.lists(st.tuples(st.integers(0, 39), st.integers(0, 255)), min_size=1, max_size=3))
def test_the_same_verdict_on_good_encodings_with_flipped_bits(backend: str, flips: list[tuple[int, int]]):
    with group.using("libsodium"):
        batch = group.from_uniform(uniform(9, 40))
    for row, bit in flips:
        batch[row, bit // 8] ^= 1 << bit % 8
    both(backend, lambda: group.multiply(batch, rows(3)[0]))


@given(halves=st.lists(st.tuples(ENCODINGS, ENCODINGS), min_size=1, max_size=9))
def test_derivation_from_any_bytes(backend: str, halves: list[tuple[int, int]]):
    batch = np.concatenate([rows(*(a for a, _ in halves)), rows(*(b for _, b in halves))], axis=1)
    both(backend, lambda: group.from_uniform(np.ascontiguousarray(batch)))


@pytest.mark.parametrize("count", LARGE)
def test_chunks_and_threads_change_nothing(backend: str, threads: int, count: int):
    batch = uniform(count, count)
    scalars = group.scalars_from_uniform(batch)
    with group.using("libsodium"):
        points = group.from_uniform(batch)
        products = group.multiply_each(points, scalars)
    with group.using(backend):
        np.testing.assert_array_equal(group.from_uniform(batch), points)
        np.testing.assert_array_equal(group.multiply_each(points, scalars), products)
        np.testing.assert_array_equal(group.multiply_uniform_each(batch, scalars), products)
        total = group.combine(scalars, points)
        with group.using("libsodium"):
            expected = products[0].copy().reshape(1, 32)
            for row in products[1:]:
                expected = group.add(expected, row.reshape(1, 32))
        np.testing.assert_array_equal(total, expected[0])


@pytest.mark.parametrize("bad", [(700,), (0, 769), (300, 299), (511, 512), (769,)])
def test_the_first_bad_row_of_all_threads_is_named(backend: str, threads: int, bad: tuple[int, ...]):
    with group.using("libsodium"):
        points = group.from_uniform(uniform(5, 770))
    for row in bad:
        points[row] = rows(1)[0]
    with group.using(backend):
        for operation in (
            lambda: group.check(points),
            lambda: group.multiply(points, rows(5)[0]),
            lambda: group.add(points, points),
            lambda: group.combine(np.tile(rows(5), (770, 1)), points),
        ):
            with pytest.raises(ElementError) as caught:
                operation()
            assert caught.value.index == min(bad)


def test_a_batch_needs_a_thread():
    with pytest.raises(ValueError, match="number of threads"):
        group.use_threads(0)
