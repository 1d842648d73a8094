"""ElGamal in the exponent under a shared key, its proofs, and the small logarithm at the end."""

from dataclasses import replace

import numpy as np
import pytest
from tests.support.aggregate_sessions import AggregateEdge

from blindmatch.protocol import group
from blindmatch.protocol.aggregate import elgamal
from blindmatch.protocol.aggregate.discrete_log import _BABY, logarithm
from blindmatch.protocol.aggregate.elgamal import Opening, check_opening
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.expand import Expander
from blindmatch.protocol.oprf import KeyPair
from blindmatch.protocol.session.states import Role

CONTEXT = AggregateEdge.sum([1], [[1]], [1]).context
SECRETS = Expander(b"e" * 32)
HALVES = [SECRETS.scalars("half", index, 1)[0] for index in range(2)]
SHARES = [elgamal.public_share(half).tobytes() for half in HALVES]
KEY = elgamal.joint_key(*SHARES)


def _times(number):
    return group.multiply_base(np.frombuffer(number.to_bytes(32, "little"), dtype=np.uint8).reshape(1, 32))


def _encrypted(values, label="u"):
    return elgamal.encrypt(np.array(values, dtype=np.int64), KEY, SECRETS.scalars(label, 0, len(values)))


def _opened(ciphertext):
    left, right = elgamal.half_open(ciphertext, HALVES[1])
    point = elgamal.finish_opening(left, right, HALVES[0])
    return (left, right, 0 if point is None else logarithm(point, 1 << 40))


@pytest.mark.parametrize("values", [[0], [1], [0, 0, 0], [5, 7, 0, 11], [2**33, 2**34, 1], list(range(37))])
def test_a_total_is_what_was_encrypted(values):
    assert _opened(elgamal.add_all(_encrypted(values)))[2] == sum(values)


def test_another_ciphertext_of_the_same_value_is_another_and_the_same_value():
    first = _encrypted([3, 0, 9])
    again = elgamal.rerandomise(first, KEY, SECRETS.scalars("t", 0, 3))
    assert not (first == again).all(axis=1).any()
    assert [_opened(again[row : row + 1])[2] for row in range(3)] == [3, 0, 9]


def test_half_a_key_opens_nothing():
    """With the wrong half, what is left is no small multiple."""
    left, right = elgamal.half_open(_encrypted([5]), HALVES[1])
    assert logarithm(elgamal.finish_opening(left, right, HALVES[1]), 1 << 20) is None


@pytest.mark.parametrize("total", [0, 1, 12_345])
def test_an_opening_is_proven(total):
    left, right, found = _opened(elgamal.add_all(_encrypted([total, 0])))
    pair = KeyPair(HALVES[0], np.frombuffer(SHARES[0], dtype=np.uint8))
    proof = elgamal.prove_opening(pair, left, SECRETS.scalars("nonce", 0, 1)[0])
    check_opening(Opening(found, proof), left, right, SHARES[0])
    for wrong in (Opening(found + 1, proof), Opening(found, bytes(64)), Opening(found, proof[::-1])):
        with pytest.raises(PeerError) as caught:
            check_opening(wrong, left, right, SHARES[0])
        assert caught.value.code is PeerCode.BAD_PROOF
    with pytest.raises(PeerError):
        check_opening(Opening(found, proof), left, right, SHARES[1])


def _proof(half=0, role=Role.RECEIVER, context=CONTEXT):
    share = np.frombuffer(SHARES[half], dtype=np.uint8)
    return elgamal.prove_share(HALVES[half], share, SECRETS.scalars("n", half, 1)[0], role, context)


def test_a_share_is_proven_for_its_role_and_edge_only():
    elgamal.check_share(SHARES[0], _proof(), Role.RECEIVER, CONTEXT)
    elsewhere = replace(CONTEXT, round_id=b"another round 00")
    for share, proof, role, context in (
        (SHARES[0], _proof(), Role.SENDER, CONTEXT),
        (SHARES[0], _proof(), Role.RECEIVER, elsewhere),
        (SHARES[1], _proof(), Role.RECEIVER, CONTEXT),
        (SHARES[0], bytes(64), Role.RECEIVER, CONTEXT),
        (SHARES[0], b"\xff" * 64, Role.RECEIVER, CONTEXT),
        (b"\xff" * 32, _proof(), Role.RECEIVER, CONTEXT),
    ):
        with pytest.raises(PeerError) as caught:
            elgamal.check_share(share, proof, role, context)
        assert caught.value.code in {PeerCode.BAD_PROOF, PeerCode.BAD_POINT}


def test_a_share_that_cancels_the_other_gives_no_key():
    minus = elgamal.public_share(elgamal.negated(HALVES[0])).tobytes()
    with pytest.raises(PeerError):
        elgamal.joint_key(SHARES[0], minus)


def test_what_is_no_ciphertext_is_refused_wherever_it_stands():
    good = _encrypted([1, 2, 3])
    for row, half in ((0, 0), (1, 1), (2, 0)):
        bad = good.copy()
        bad[row, half * 32 + 31] |= 0x80
        with pytest.raises(PeerError) as caught:
            elgamal.check_ciphertexts(bad)
        assert caught.value.code is PeerCode.BAD_POINT
        assert str(row) in caught.value.message


SMALL, NEXT = _BABY[0], _BABY[1]


@pytest.mark.parametrize(
    "number",
    [
        1,
        2,
        SMALL - 1,
        SMALL,
        SMALL + 1,
        2 * SMALL,
        3 * SMALL + 5,
        SMALL**2 - 1,
        SMALL**2,
        SMALL**2 + 1,
        2**24 + 3,
    ],
)
def test_a_logarithm_is_found(number):
    assert logarithm(_times(number), 1 << 40) == number
    assert logarithm(_times(number), number) == number
    if number > 1:
        assert logarithm(_times(number), number - 1) is None
