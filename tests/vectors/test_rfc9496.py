"""RFC 9496 appendix A, against every backend; and the reference's own constants against their definitions."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from blindmatch.protocol import group
from blindmatch.protocol.group import FIELD_PRIME, GROUP_ORDER, ElementError, _reference

FOLDER = Path(__file__).parent / "rfc9496"
P = FIELD_PRIME
BAD_FILES = sorted(path.stem for path in FOLDER.glob("bad_*.toml"))


def load(name: str) -> dict:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text())


def rows(encodings: list[str]) -> group.Bytes2D:
    return np.array([list(bytes.fromhex(text)) for text in encodings], dtype=np.uint8)


def little(text: str) -> int:
    return int.from_bytes(bytes.fromhex(text), "little")


def scalars(values: list[int]) -> group.Bytes2D:
    return rows([value.to_bytes(32, "little").hex() for value in values])


@pytest.fixture(params=group.available())
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    with group.using(request.param):
        yield request.param


def bad_encodings() -> list[tuple[str, str]]:
    return [(name, text) for name in BAD_FILES for text in load(name)["encodings"]]


def test_all_five_classes_of_bad_encodings_are_here():
    assert BAD_FILES == [
        "bad_negative",
        "bad_negative_xy",
        "bad_non_canonical",
        "bad_non_square",
        "bad_zero_y",
    ]
    assert len(bad_encodings()) == 29


def test_multiples_of_the_generator(backend: str):
    multiples = rows(load("multiples")["encodings"])
    assert len(multiples) == 16
    np.testing.assert_array_equal(group.multiply_base(scalars(list(range(1, 16)))), multiples[1:])
    generator = multiples[1:2]
    for factor in range(1, 16):
        assert group.multiply(generator, scalars([factor])[0]).tobytes() == multiples[factor].tobytes()
    # Each is the one before plus the generator.
    steps = group.add(multiples[1:15], np.repeat(generator, 14, axis=0))
    np.testing.assert_array_equal(steps, multiples[2:])
    group.check(multiples[1:])


def test_the_identity_encodes_to_zero_and_is_refused(backend: str):
    identity = rows(load("multiples")["encodings"])[:1]
    assert _reference.encode(_reference.IDENTITY) == identity.tobytes()
    with pytest.raises(ElementError) as caught:
        group.check(identity)
    assert caught.value.index == 0


@pytest.mark.parametrize(("name", "text"), bad_encodings())
def test_bad_encodings_are_refused(backend: str, name: str, text: str):
    with pytest.raises(ElementError):
        group.check(rows([text]))
    with pytest.raises(ElementError):
        group.multiply(rows([text]), scalars([5])[0])


@pytest.mark.parametrize(("name", "text"), bad_encodings())
def test_each_bad_encoding_breaks_the_condition_of_its_class_alone(name: str, text: str):
    s = little(text)
    if name == "bad_non_canonical":
        assert s >= P
        return
    assert s < P
    assert (s % 2 == 1) == (name == "bad_negative")
    if name == "bad_negative":
        return
    # RFC 9496 4.3.1 step 3, with Euler's criterion for the square.
    u1, u2 = (1 - s * s) % P, (1 + s * s) % P
    v = (-_reference.D * u1 * u1 - u2 * u2) % P
    square = pow(v * u2 * u2, (P - 1) // 2, P)
    if name == "bad_zero_y":
        assert u1 == 0
        return
    assert u1 != 0
    assert (square != 1) == (name == "bad_non_square")
    if name == "bad_negative_xy":
        # x is the non-negative root of 4 s^2 / v, and y = u1 / u2.
        root = _reference.sqrt_ratio_m1(4 * s * s, v)
        y = u1 * pow(u2, -1, P) % P
        assert root[0]
        assert root[1] * y % P % 2 == 1


@pytest.mark.parametrize("name", ["from_uniform", "from_uniform_masked"])
def test_elements_from_uniform_bytes(backend: str, name: str):
    vector = load(name)
    np.testing.assert_array_equal(group.from_uniform(rows(vector["uniform"])), rows(vector["encodings"]))


def test_uniform_bytes_that_derive_the_identity_are_refused(backend: str):
    # Both halves zero map to the identity; RFC 9497 never lets it through.
    good = rows(load("from_uniform")["uniform"])
    batch = np.concatenate([good, np.zeros((2, 64), dtype=np.uint8)])
    with pytest.raises(ElementError) as caught:
        group.from_uniform(batch)
    assert caught.value.index == len(good)


@pytest.mark.parametrize("case", load("sqrt_ratio")["cases"], ids=lambda case: case["u"][:2] + case["v"][:2])
def test_square_root_of_a_ratio(case: dict):
    assert _reference.sqrt_ratio_m1(little(case["u"]), little(case["v"])) == (
        case["was_square"],
        little(case["r"]),
    )


def test_constants_follow_from_their_definitions():
    # RFC 9496 4.1; the signs of the two roots are pinned by the vectors above.
    assert -121665 * pow(121666, -1, P) % P == _reference.D
    assert pow(_reference.SQRT_M1, 2, P) == P - 1
    assert pow(_reference.SQRT_AD_MINUS_ONE, 2, P) == (-_reference.D - 1) % P
    assert pow(_reference.INVSQRT_A_MINUS_D, 2, P) * (-1 - _reference.D) % P == 1
    assert (1 - _reference.D**2) % P == _reference.ONE_MINUS_D_SQ
    assert (_reference.D - 1) ** 2 % P == _reference.D_MINUS_ONE_SQ


def test_the_order_of_the_group():
    generator = _reference.decode(_reference.GENERATOR)
    assert generator is not None
    assert _reference.encode(_reference.multiply_point(GROUP_ORDER, generator)) == bytes(32)
