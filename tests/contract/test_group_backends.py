"""One suite over every group backend: the same bytes, the same refusals, the same index of the first bad row."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from blindmatch.protocol import group
from blindmatch.protocol.group import FIELD_PRIME, GROUP_ORDER, Bytes1D, Bytes2D, ElementError

COUNT = 5


def encode(*numbers: int) -> Bytes2D:
    data = b"".join(number.to_bytes(32, "little") for number in numbers)
    return np.frombuffer(bytearray(data), dtype=np.uint8).reshape(len(numbers), 32)


def bits_255_set(points: Bytes2D) -> Bytes2D:
    return points | encode(1 << 255)


GENERATOR = int.from_bytes(
    bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"), "little"
)
BAD = {
    "identity": 0,
    "identity, bit 255 set": 1 << 255,
    "identity as p": FIELD_PRIME,
    "negative": FIELD_PRIME - GENERATOR,
    "one": 1,
    "s = -1": FIELD_PRIME - 1,
    "first even above p": FIELD_PRIME + 1,
    "2^255 - 2": 2**255 - 2,
    "good, bit 255 set": GENERATOR | 1 << 255,
    "all ones": 2**256 - 1,
    "off the group": int.from_bytes(
        bytes.fromhex("26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371"), "little"
    ),
    "negative x y": int.from_bytes(
        bytes.fromhex("3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e"), "little"
    ),
}


def uniform(seed: int, count: int = COUNT) -> Bytes2D:
    return np.random.default_rng(seed).integers(0, 256, (count, 64), dtype=np.uint8)


def points(seed: int = 1) -> Bytes2D:
    with group.using("reference"):
        return group.from_uniform(uniform(seed))


def scalars(seed: int = 2) -> Bytes2D:
    with group.using("reference"):
        return group.scalars_from_uniform(uniform(seed))


# Every operation that decodes points, as a function of one batch of COUNT points.
DECODING: dict[str, Callable[[Bytes2D], object]] = {
    "check": group.check,
    "multiply": lambda batch: group.multiply(batch, scalars()[0]),
    "multiply_each": lambda batch: group.multiply_each(batch, scalars()),
    "add left": lambda batch: group.add(batch, points(3)),
    "add right": lambda batch: group.add(points(3), batch),
    "combine": lambda batch: group.combine(scalars(), batch),
}

# Every operation, on fixed inputs; results of the backends are compared with the reference's.
OPERATIONS: dict[str, Callable[[], Bytes2D | Bytes1D]] = {
    "from_uniform": lambda: group.from_uniform(uniform(7)),
    "multiply": lambda: group.multiply(points(), scalars()[0]),
    "multiply_uniform": lambda: group.multiply_uniform(uniform(7), scalars()[0]),
    "multiply_uniform_each": lambda: group.multiply_uniform_each(uniform(7), scalars()),
    "multiply_each": lambda: group.multiply_each(points(), scalars()),
    "multiply_base": lambda: group.multiply_base(scalars()),
    "add": lambda: group.add(points(), points(3)),
    "add to itself": lambda: group.add(points(), points()),
    "combine": lambda: group.combine(scalars(), points()),
    "combine one": lambda: group.combine(scalars()[:1], points()[:1]),
    "combine through the identity": lambda: group.combine(encode(1, GROUP_ORDER - 1, 3), points()[[0, 0, 1]]),
    "multiply by the largest": lambda: group.multiply(points(), encode(GROUP_ORDER - 1)[0]),
    "multiply by one": lambda: group.multiply(points(), encode(1)[0]),
    "scalars_from_uniform": lambda: group.scalars_from_uniform(uniform(8)),
    "scalars_from_uniform, extremes": lambda: group.scalars_from_uniform(
        np.array([[255] * 64, [0] * 64, list(encode(GROUP_ORDER)[0]) + [0] * 32], dtype=np.uint8)
    ),
    "scalar_multiply": lambda: group.scalar_multiply(scalars(), scalars(4)),
    "scalar_multiply, extremes": lambda: group.scalar_multiply(
        encode(0, 1, GROUP_ORDER - 1, GROUP_ORDER - 1), encode(5, 5, GROUP_ORDER - 1, 0)
    ),
    "scalar_subtract": lambda: group.scalar_subtract(scalars(), scalars(4)),
    "scalar_subtract, extremes": lambda: group.scalar_subtract(encode(0, 0), encode(1, GROUP_ORDER - 1)),
    "scalar_invert": lambda: group.scalar_invert(scalars()),
    "scalar_invert one": lambda: group.scalar_invert(scalars()[:1]),
    "scalar_invert, extremes": lambda: group.scalar_invert(encode(1, GROUP_ORDER - 1, 2)),
}


@pytest.fixture(params=group.available())
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    with group.using(request.param):
        yield request.param


def test_both_backends_are_here():
    # rbcl is a dependency: were libsodium to stop loading, this suite would quietly compare nothing.
    assert {"libsodium", "reference"} <= set(group.available())


@pytest.mark.parametrize("operation", OPERATIONS)
def test_results_are_the_references_bytes(backend: str, operation: str):
    result = OPERATIONS[operation]()
    with group.using("reference"):
        expected = OPERATIONS[operation]()
    assert result.dtype == np.uint8
    assert result.flags.c_contiguous
    assert result.flags.writeable
    assert result.shape == expected.shape
    assert result.tobytes() == expected.tobytes()


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("operation", DECODING)
def test_a_bad_encoding_is_refused_with_its_index(backend: str, operation: str, bad: str):
    for index in (0, 2, COUNT - 1):
        batch = points()
        batch[index] = encode(BAD[bad])[0]
        with pytest.raises(ElementError) as caught:
            DECODING[operation](batch)
        assert caught.value.index == index


@pytest.mark.parametrize("operation", DECODING)
@pytest.mark.parametrize(
    ("first", "second"), [("off the group", "one"), ("one", "off the group"), ("negative x y", "identity")]
)
def test_the_first_of_two_bad_ones_is_named(backend: str, operation: str, first: str, second: str):
    batch = points()
    batch[1], batch[3] = encode(BAD[first])[0], encode(BAD[second])[0]
    with pytest.raises(ElementError) as caught:
        DECODING[operation](batch)
    assert caught.value.index == 1


def test_add_names_the_first_bad_row_of_either_side(backend: str):
    left, right = points(), points(3)
    left[3], right[1] = encode(BAD["one"])[0], encode(BAD["off the group"])[0]
    with pytest.raises(ElementError) as caught:
        group.add(left, right)
    assert caught.value.index == 1


@pytest.mark.parametrize("index", range(COUNT))
def test_bit_255_is_never_ignored(backend: str, index: int):
    batch = points()
    batch[index] = bits_255_set(batch[index : index + 1])[0]
    with pytest.raises(ElementError) as caught:
        group.multiply(batch, scalars()[0])
    assert caught.value.index == index


def test_a_sum_that_is_the_identity_is_refused(backend: str):
    negated = group.multiply(points(), encode(GROUP_ORDER - 1)[0])
    mixed = points(3)
    mixed[2] = negated[2]
    with pytest.raises(ElementError) as caught:
        group.add(points(), mixed)
    assert caught.value.index == 2
    with pytest.raises(ElementError) as caught:
        group.combine(encode(1, 1), np.stack([points()[0], negated[0]]))
    assert caught.value.index == 2


SCALAR_OPERATIONS: dict[str, Callable[[Bytes2D], object]] = {
    "multiply": lambda batch: group.multiply(points(), batch[0]),
    "multiply_each": lambda batch: group.multiply_each(points()[:1], batch),
    "multiply_base": group.multiply_base,
    "combine": lambda batch: group.combine(batch, points()[:1]),
    "scalar_invert": group.scalar_invert,
}


@pytest.mark.parametrize("value", [0, GROUP_ORDER, GROUP_ORDER + 1, 2**255, 2**256 - 1])
@pytest.mark.parametrize("operation", SCALAR_OPERATIONS)
def test_scalars_out_of_range_are_refused(backend: str, operation: str, value: int):
    with pytest.raises(ValueError, match="zero" if value == 0 else "order") as caught:
        SCALAR_OPERATIONS[operation](encode(value))
    assert not isinstance(caught.value, ElementError)


@pytest.mark.parametrize("operation", [group.scalar_subtract, group.scalar_multiply])
def test_scalar_arithmetic_refuses_what_is_not_canonical(backend: str, operation: Callable[..., Bytes2D]):
    for pair in ((encode(GROUP_ORDER), encode(1)), (encode(1), encode(2**256 - 1))):
        with pytest.raises(ValueError, match="order"):
            operation(*pair)
    with pytest.raises(ValueError, match="do not go together"):
        operation(encode(1, 2), encode(1))


def test_scalar_is_canonical(backend: str):
    batch = encode(0, 1, GROUP_ORDER - 1, GROUP_ORDER, GROUP_ORDER + 1, 2**252, 2**256 - 1)
    # One below the order in the low word, above it in a higher one, and the other way round.
    crossed = encode((GROUP_ORDER & ~(2**64 - 1)) + 2**64, (GROUP_ORDER & ~(2**128 - 1)) - 1)
    found = group.scalar_is_canonical(np.concatenate([batch, crossed]))
    assert found.tolist() == [True, True, True, False, False, True, False, False, True]


EMPTY = np.empty((0, 32), dtype=np.uint8)


def test_empty_batches(backend: str):
    assert group.from_uniform(np.empty((0, 64), dtype=np.uint8)).shape == (0, 32)
    assert group.scalars_from_uniform(np.empty((0, 64), dtype=np.uint8)).shape == (0, 32)
    assert group.multiply(EMPTY, scalars()[0]).shape == (0, 32)
    assert group.multiply_each(EMPTY, EMPTY).shape == (0, 32)
    assert group.multiply_base(EMPTY).shape == (0, 32)
    assert group.add(EMPTY, EMPTY).shape == (0, 32)
    assert group.scalar_invert(EMPTY).shape == (0, 32)
    group.check(EMPTY)
    with pytest.raises(ValueError, match="at least one point"):
        group.combine(EMPTY, EMPTY)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 31), dtype=np.uint8),
        np.zeros((2, 32), dtype=np.int8),
        np.zeros(32, dtype=np.uint8),
        np.zeros((2, 64), dtype=np.uint8)[:, ::2],
        np.zeros((4, 32), dtype=np.uint8)[::2],
        bytes(32),
    ],
    ids=["width", "type", "one row", "columns", "rows", "bytes"],
)
def test_wrong_shapes_are_our_own_mistake(backend: str, wrong: Bytes2D):
    for operation in (
        lambda: group.check(wrong),
        lambda: group.multiply(wrong, scalars()[0]),
        lambda: group.multiply_each(wrong, scalars()[:2]),
        lambda: group.multiply_each(points()[:2], wrong),
        lambda: group.multiply_base(wrong),
        lambda: group.add(points()[:2], wrong),
        lambda: group.scalar_invert(wrong),
        lambda: group.scalar_is_canonical(wrong),
    ):
        with pytest.raises(ValueError, match=r"must be|must have") as caught:
            operation()
        assert not isinstance(caught.value, ElementError)


def test_lengths_must_agree(backend: str):
    for operation in (
        lambda: group.multiply_each(points(), scalars()[:2]),
        lambda: group.add(points(), points()[:2]),
        lambda: group.combine(scalars()[:2], points()),
    ):
        with pytest.raises(ValueError, match="do not go together"):
            operation()


def test_inputs_are_read_only_to_the_backends(backend: str):
    batch, factors = points(), scalars()
    before = batch.tobytes(), factors.tobytes()
    batch.flags.writeable = factors.flags.writeable = False
    group.multiply_each(batch, factors)
    group.combine(factors, batch)
    group.scalar_invert(factors)
    group.add(batch, batch)
    assert (batch.tobytes(), factors.tobytes()) == before


def test_memory_mapped_rows_at_an_odd_offset(backend: str, tmp_path):
    path = tmp_path / "points"
    path.write_bytes(b"x" * 3 + points().tobytes())
    mapped = np.memmap(path, dtype=np.uint8, mode="r", offset=3, shape=(COUNT, 32))
    result = group.multiply(mapped, scalars()[0])
    assert type(result) is np.ndarray
    np.testing.assert_array_equal(result, group.multiply(points(), scalars()[0]))


def test_using_goes_back_even_after_an_error():
    before = group.backend_name()
    with group.using("reference"):
        assert group.backend_name() == "reference"
    assert group.backend_name() == before
    with pytest.raises(ElementError), group.using("reference"):
        group.check(encode(0))
    assert group.backend_name() == before


def test_the_description_begins_with_the_name(backend: str):
    assert group.backend_name() == backend
    assert group.backend_description().startswith(backend.split("-", maxsplit=1)[0])


def test_an_unknown_backend_is_refused():
    with pytest.raises(ValueError, match="libsodium, reference"):
        group.use("abacus")


def test_wipe():
    array, buffer = np.full((3, 32), 7, dtype=np.uint8), bytearray(b"secret")
    group.wipe(array, buffer)
    assert not array.any()
    assert buffer == bytearray(6)
