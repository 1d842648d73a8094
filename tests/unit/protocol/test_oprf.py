"""RFC 9497 on batches beyond its vectors: wide batches, wrong calls, hostile peers, proofs, secrets."""

import hashlib
from collections.abc import Callable

import numpy as np
import pytest

from blindmatch.protocol import group, oprf
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.group import GROUP_ORDER, Bytes2D, ElementError
from blindmatch.protocol.oprf import Mode

COUNT, WIDTH = 6, 86
ONE = (1).to_bytes(32, "little")


def uniform(seed: int, count: int = COUNT, width: int = 64) -> Bytes2D:
    return np.random.default_rng(seed).integers(0, 256, (count, width), dtype=np.uint8)


def scalars(seed: int, count: int = COUNT) -> Bytes2D:
    return group.scalars_from_uniform(uniform(seed, count))


def inputs(count: int = COUNT) -> Bytes2D:
    return uniform(5, count, WIDTH)


@pytest.fixture(scope="module")
def pair() -> oprf.KeyPair:
    return oprf.derive_key_pair(bytes(range(32)), b"unit test", Mode.VOPRF)


@pytest.fixture
def blinded() -> Bytes2D:
    return group.multiply_each(oprf.hash_to_group(inputs(), Mode.VOPRF), scalars(1))


@pytest.fixture
def evaluated(pair: oprf.KeyPair, blinded: Bytes2D) -> Bytes2D:
    return oprf.evaluate(pair.secret, blinded)


@pytest.fixture
def proof(pair: oprf.KeyPair, blinded: Bytes2D, evaluated: Bytes2D) -> bytes:
    return oprf.prove(pair, blinded, evaluated, scalars(9, 1)[0])


def code_of(call: Callable[[], object]) -> tuple[PeerCode, str]:
    with pytest.raises(PeerError) as caught:
        call()
    assert caught.value.hint
    return caught.value.code, caught.value.message


def test_both_roads_give_the_same_outputs(pair: oprf.KeyPair, evaluated: Bytes2D):
    unblinded = oprf.unblind(evaluated, scalars(1))
    points = oprf.hash_to_group(inputs(), Mode.VOPRF)
    direct = oprf.finalize(inputs(), group.multiply(points, pair.secret))
    assert direct.shape == (COUNT, 64)
    np.testing.assert_array_equal(oprf.finalize(inputs(), unblinded), direct)
    assert len(np.unique(direct, axis=0)) == COUNT


@pytest.mark.parametrize("mode", Mode)
def test_the_short_roads_are_the_long_ones(pair: oprf.KeyPair, mode: Mode):
    points = oprf.hash_to_group(inputs(), mode)
    blinded = oprf.blind_inputs(inputs(), scalars(1), mode)
    np.testing.assert_array_equal(blinded, group.multiply_each(points, scalars(1)))
    outputs = oprf.evaluate_inputs(pair.secret, inputs(), mode)
    np.testing.assert_array_equal(outputs, oprf.finalize(inputs(), group.multiply(points, pair.secret)))


def test_the_short_roads_refuse_what_the_long_ones_do(pair: oprf.KeyPair):
    with pytest.raises(ValueError, match="zero"):
        oprf.blind_inputs(inputs(), np.zeros((COUNT, 32), dtype=np.uint8), Mode.OPRF)
    with pytest.raises(ValueError, match="do not go together"):
        oprf.blind_inputs(inputs(), scalars(1, COUNT - 1), Mode.OPRF)
    with pytest.raises(ValueError, match="below the group's order"):
        oprf.evaluate_inputs(np.full(32, 255, dtype=np.uint8), inputs(), Mode.OPRF)
    with pytest.raises(ValueError, match="inputs must be"):
        oprf.evaluate_inputs(pair.secret, inputs().astype(np.uint16), Mode.OPRF)


def test_finalize_is_the_rfcs_hash():
    elements = scalars(3)
    expected = [
        hashlib.sha512(
            b"\x00\x56" + row.tobytes() + b"\x00\x20" + element.tobytes() + b"Finalize"
        ).hexdigest()
        for row, element in zip(inputs(), elements, strict=True)
    ]
    assert [row.tobytes().hex() for row in oprf.finalize(inputs(), elements)] == expected


def test_batches_longer_than_one_slice_hash_row_by_row():
    # hashlib's backend lays 4,096 rows out at a time: look at both sides of the seam.
    wide = np.zeros((4_098, 2), dtype=np.uint8)
    wide[:, 0] = np.arange(4_098) % 251
    elements = np.repeat(scalars(3, 1), 4_098, axis=0)
    outputs = oprf.finalize(wide, elements)
    for index in (0, 4_095, 4_096, 4_097):
        part = slice(index, index + 1)
        np.testing.assert_array_equal(outputs[part], oprf.finalize(wide[part], elements[part]))
    points = oprf.hash_to_group(wide, Mode.OPRF)
    for index in (0, 4_095, 4_096, 4_097):
        part = slice(index, index + 1)
        np.testing.assert_array_equal(points[part], oprf.hash_to_group(wide[part], Mode.OPRF))


@pytest.mark.parametrize("width", [0, 1, 111, 112, 128, 65_535])
def test_inputs_of_any_width(width: int):
    batch = uniform(4, 2, width)
    points = oprf.hash_to_group(batch, Mode.OPRF)
    assert oprf.finalize(batch, points).shape == (2, 64)


def test_inputs_that_are_not_contiguous_are_taken():
    wide = uniform(4, COUNT, WIDTH * 2)
    view = wide[:, ::2]
    copy = np.ascontiguousarray(view)
    points = oprf.hash_to_group(copy, Mode.OPRF)
    np.testing.assert_array_equal(oprf.hash_to_group(view, Mode.OPRF), points)
    np.testing.assert_array_equal(oprf.finalize(view, points), oprf.finalize(copy, points))


def test_empty_batches(pair: oprf.KeyPair):
    none, empty = inputs(0), np.empty((0, 32), dtype=np.uint8)
    assert oprf.hash_to_group(none, Mode.OPRF).shape == (0, 32)
    assert oprf.evaluate(pair.secret, empty).shape == (0, 32)
    assert oprf.unblind(empty, empty).shape == (0, 32)
    assert oprf.finalize(none, empty).shape == (0, 64)
    assert oprf.finalize(none, group.multiply(empty, pair.secret)).shape == (0, 64)


def test_the_modes_are_separate_domains():
    points = [oprf.hash_to_group(inputs(), mode) for mode in Mode]
    assert not (points[0] == points[1]).all(axis=1).any()
    keys = [oprf.derive_key_pair(bytes(32), b"", mode).secret.tobytes() for mode in Mode]
    assert keys[0] != keys[1]


def test_keys_depend_on_seed_and_info():
    keys = {
        oprf.derive_key_pair(seed, info, Mode.OPRF).public.tobytes()
        for seed in (bytes(32), bytes([1] * 32))
        for info in (b"", b"\x00", b"a")
    }
    assert len(keys) == 6


@pytest.mark.parametrize(("seed", "info"), [(bytes(31), b""), (bytes(33), b""), (bytes(32), bytes(65_536))])
def test_a_wrong_seed_or_info_is_our_own_mistake(seed: bytes, info: bytes):
    with pytest.raises(ValueError, match="bytes"):
        oprf.derive_key_pair(seed, info, Mode.OPRF)


BAD_POINTS = {
    "identity": bytes(32),
    "bit 255": bytes(31) + b"\x80",
    "negative": ONE,
    "above p": b"\xff" * 31 + b"\x7f",
    "off the group": bytes.fromhex("26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371"),
}


@pytest.mark.parametrize("bad", BAD_POINTS)
def test_a_bad_point_from_the_receiver(pair: oprf.KeyPair, blinded: Bytes2D, bad: str):
    blinded[4] = np.frombuffer(BAD_POINTS[bad], dtype=np.uint8)
    code, message = code_of(lambda: oprf.evaluate(pair.secret, blinded))
    assert code is PeerCode.BAD_POINT
    assert "blinded element 4 " in message


@pytest.mark.parametrize("bad", BAD_POINTS)
def test_a_bad_point_from_the_sender(pair: oprf.KeyPair, blinded: Bytes2D, evaluated: Bytes2D, bad: str):
    evaluated[3] = np.frombuffer(BAD_POINTS[bad], dtype=np.uint8)
    code, message = code_of(lambda: oprf.unblind(evaluated, scalars(1)))
    assert code is PeerCode.BAD_POINT
    assert "evaluated element 3 " in message
    code, message = code_of(lambda: oprf.verify(pair.public, blinded, evaluated, bytes(64)))
    assert code is PeerCode.BAD_POINT
    assert "evaluated element 3 " in message


@pytest.mark.parametrize("bad", BAD_POINTS)
def test_a_bad_public_key(blinded: Bytes2D, evaluated: Bytes2D, proof: bytes, bad: str):
    public = np.frombuffer(BAD_POINTS[bad], dtype=np.uint8)
    code, message = code_of(lambda: oprf.verify(public, blinded, evaluated, proof))
    assert code is PeerCode.BAD_POINT
    assert "public key" in message


def test_a_bad_point_of_our_own_is_no_peers_fault(blinded: Bytes2D):
    blinded[2] = 0
    with pytest.raises(ElementError):
        group.multiply_each(blinded, scalars(1))


@pytest.mark.parametrize("bad", [bytes(32), GROUP_ORDER.to_bytes(32, "little"), b"\xff" * 32])
def test_bad_blinds_and_keys_are_our_own_mistake(blinded: Bytes2D, bad: bytes):
    blinds = scalars(1)
    blinds[1] = np.frombuffer(bad, dtype=np.uint8)
    for call in (
        lambda: group.multiply_each(blinded, blinds),
        lambda: oprf.unblind(blinded, blinds),
        lambda: oprf.evaluate(blinds[1], blinded),
    ):
        with pytest.raises(ValueError, match=r"zero|order"):
            call()


def test_a_good_proof_verifies(pair: oprf.KeyPair, blinded: Bytes2D, evaluated: Bytes2D, proof: bytes):
    assert len(proof) == 64
    oprf.verify(pair.public, blinded, evaluated, proof)


def test_the_same_nonce_gives_the_same_proof(
    pair: oprf.KeyPair, blinded: Bytes2D, evaluated: Bytes2D, proof: bytes
):
    assert oprf.prove(pair, blinded, evaluated, scalars(9, 1)[0]) == proof
    assert oprf.prove(pair, blinded, evaluated, scalars(10, 1)[0]) != proof


def test_a_proof_holds_for_its_key_batch_order_and_mode_alone(
    pair: oprf.KeyPair, blinded: Bytes2D, evaluated: Bytes2D, proof: bytes
):
    other = oprf.derive_key_pair(bytes(32), b"other", Mode.VOPRF)
    one_wrong = evaluated.copy()
    one_wrong[5] = oprf.evaluate(other.secret, blinded[5:])[0]
    swapped = np.ascontiguousarray(evaluated[[1, 0, 2, 3, 4, 5]])
    calls = {
        "other key": lambda: oprf.verify(other.public, blinded, evaluated, proof),
        "one element by another key": lambda: oprf.verify(pair.public, blinded, one_wrong, proof),
        "swapped": lambda: oprf.verify(pair.public, blinded, swapped, proof),
        "shorter": lambda: oprf.verify(pair.public, blinded[:5], evaluated[:5], proof),
        "other mode": lambda: oprf.verify(pair.public, blinded, evaluated, proof, Mode.OPRF),
    }
    assert {name: code_of(call)[0] for name, call in calls.items()} == dict.fromkeys(
        calls, PeerCode.BAD_PROOF
    )


def test_a_prover_with_the_wrong_key_is_found_out(pair: oprf.KeyPair, blinded: Bytes2D):
    other = oprf.derive_key_pair(bytes(32), b"other", Mode.VOPRF)
    evaluated = oprf.evaluate(other.secret, blinded)
    proof = oprf.prove(oprf.KeyPair(other.secret, pair.public), blinded, evaluated, scalars(9, 1)[0])
    assert code_of(lambda: oprf.verify(pair.public, blinded, evaluated, proof))[0] is PeerCode.BAD_PROOF


@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize("change", ["flipped", "zero", "plus the order", "all ones"])
def test_damaged_proofs(
    pair: oprf.KeyPair, blinded: Bytes2D, evaluated: Bytes2D, proof: bytes, half: int, change: str
):
    scalar = int.from_bytes(proof[half * 32 : half * 32 + 32], "little")
    changed = {
        "flipped": scalar ^ 4,
        "zero": 0,
        "plus the order": scalar + GROUP_ORDER,
        "all ones": 2**256 - 1,
    }
    parts = [proof[:32], proof[32:]]
    parts[half] = changed[change].to_bytes(32, "little")
    damaged = b"".join(parts)
    assert code_of(lambda: oprf.verify(pair.public, blinded, evaluated, damaged))[0] is PeerCode.BAD_PROOF


@pytest.mark.parametrize("length", [0, 32, 63, 65])
def test_proofs_of_the_wrong_length(
    pair: oprf.KeyPair, blinded: Bytes2D, evaluated: Bytes2D, proof: bytes, length: int
):
    damaged = (proof + b"\x00")[:length]
    assert code_of(lambda: oprf.verify(pair.public, blinded, evaluated, damaged))[0] is PeerCode.BAD_PROOF


def test_a_proof_that_leads_to_the_identity_is_refused(
    pair: oprf.KeyPair, blinded: Bytes2D, evaluated: Bytes2D
):
    # s = -c k makes both commitments the identity: what only the key's holder can do, and never does.
    c = scalars(12, 1)
    zero = np.zeros((1, 32), dtype=np.uint8)
    s = group.scalar_subtract(zero, group.scalar_multiply(c, pair.secret.reshape(1, 32)))
    damaged = c.tobytes() + s.tobytes()
    assert code_of(lambda: oprf.verify(pair.public, blinded, evaluated, damaged))[0] is PeerCode.BAD_PROOF


def test_proofs_need_equal_batches_of_some_length(
    pair: oprf.KeyPair, blinded: Bytes2D, evaluated: Bytes2D, proof: bytes
):
    nonce = scalars(9, 1)[0]
    for call in (
        lambda: oprf.prove(pair, blinded[:0], evaluated[:0], nonce),
        lambda: oprf.prove(pair, blinded, evaluated[:5], nonce),
        lambda: oprf.verify(pair.public, blinded[:5], evaluated, proof),
        lambda: oprf.verify(pair.public, np.zeros((65_536, 32), np.uint8), evaluated, proof),
    ):
        with pytest.raises(ValueError, match=r"a proof covers|must equal the number of blinded"):
            call()


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((2, 4), dtype=np.int64), np.zeros(4, dtype=np.uint8), np.zeros((1, 65_536), dtype=np.uint8)],
)
def test_wrong_inputs_are_our_own_mistake(wrong: Bytes2D):
    with pytest.raises(ValueError, match="inputs must be"):
        oprf.hash_to_group(wrong, Mode.OPRF)
    with pytest.raises(ValueError, match="inputs must be"):
        oprf.finalize(wrong, scalars(1, 2))


def test_finalize_needs_as_many_elements_as_inputs():
    with pytest.raises(ValueError, match="must equal the number of inputs"):
        oprf.finalize(inputs(), scalars(1, COUNT - 1))


def test_a_key_pair_hides_and_wipes_its_secret():
    pair = oprf.derive_key_pair(bytes(range(32)), b"wipe", Mode.OPRF)
    secret = pair.secret.tobytes()
    shown = repr(pair)
    assert "secret" not in shown
    assert str(pair.secret[:4])[1:-1] not in shown
    pair.wipe()
    assert pair.secret.tobytes() != secret
    assert not pair.secret.any()
    with pytest.raises(ValueError, match="zero"):
        oprf.evaluate(pair.secret, scalars(1))


def test_unblinding_leaves_the_blinds_alone(evaluated: Bytes2D):
    blinds = scalars(1)
    before = blinds.tobytes()
    oprf.unblind(evaluated, blinds)
    assert blinds.tobytes() == before
