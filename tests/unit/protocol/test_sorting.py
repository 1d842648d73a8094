"""Sorting by words: every order is the stable one, whatever the words have in common."""

import numpy as np
import pytest

from blindmatch.protocol.sorting import next_to_equal, sort_order


def stable(words):
    order = np.argsort(words, kind="stable")
    return order, np.concatenate(([False], words[order][1:] == words[order][:-1])) if len(words) else []


CASES = {
    "none": [],
    "one": [7],
    "equal": [5] * 9,
    "differ in the last bits": [3, 1, 2, 0, 1, 3, 2**63, 2**63 + 1, 2**63],
    "extremes": [2**64 - 1, 0, 2**64 - 1, 2**63, 0],
}


@pytest.mark.parametrize("words", CASES.values(), ids=CASES)
def test_awkward_words(words):
    words = np.array(words, dtype=np.uint64)
    order, same = sort_order(words)
    expected, repeats = stable(words)
    assert np.array_equal(order, expected)
    assert np.array_equal(same, repeats)


@pytest.mark.parametrize("bits", [1, 6, 20, 64])
@pytest.mark.parametrize("count", [2, 100, 5_000])
def test_random_words(bits, count):
    words = np.random.default_rng(bits).integers(0, 2**64, count, dtype=np.uint64) >> np.uint64(64 - bits)
    for shifted in (words, words << np.uint64(64 - bits)):
        order, same = sort_order(shifted)
        expected, repeats = stable(shifted)
        assert np.array_equal(order, expected)
        assert np.array_equal(same, repeats)


def test_either_side():
    assert next_to_equal(np.array([True, False, False, True])).tolist() == [True, True, False, True, True]
    assert next_to_equal(np.zeros(0, dtype=np.bool_)).tolist() == [False]
