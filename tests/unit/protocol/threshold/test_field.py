"""Arithmetic modulo 2^61 - 1 against Python's own numbers; the collector's weights against Lagrange's formula."""

import itertools
from fractions import Fraction
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindmatch.protocol.agreement import MEMBERS
from blindmatch.protocol.threshold import field
from blindmatch.protocol.threshold.field import PRIME
from blindmatch.protocol.threshold.reconstruct import combinations

residues = st.one_of(
    st.integers(0, PRIME - 1),
    st.sampled_from([0, 1, 2, PRIME - 1, PRIME - 2, (1 << 32) - 1, 1 << 32, (1 << 60), (1 << 61) - 2]),
)
words = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([PRIME, PRIME + 1, 2**64 - 1, 7 * PRIME]))


def array(*values):
    return np.array(values, dtype=np.uint64)


@given(words)
def test_reducing(word):
    assert field.reduce(array(word)).tolist() == [word % PRIME]


@given(residues, residues)
def test_adding_and_multiplying(left, right):
    assert field.add(array(left), array(right)).tolist() == [(left + right) % PRIME]
    assert field.multiply(array(left), array(right)).tolist() == [left * right % PRIME]


@given(st.integers(-(2**51), 2**51), st.integers(-(2**51), 2**51))
def test_putting_halves_together(high, low):
    joined = field.join_halves(np.array([high], dtype=np.int64), np.array([low], dtype=np.int64))
    assert joined.tolist() == [((high << 32) + low) % PRIME]


@pytest.mark.parametrize(
    ("members", "at_least"), [(n, t) for n in range(2, MEMBERS + 1) for t in range(2, n + 1)]
)
def test_weights_are_lagrange_s_and_small_enough_to_be_exact(members, at_least):
    made = combinations(members, at_least)
    every = list(itertools.combinations(range(members), at_least))
    assert made.members.tolist() == [list(chosen) for chosen in every]
    for row, chosen in enumerate(every):
        scale = pow(int(made.scales[row]), -1, PRIME)
        for i in range(members):
            weight = Fraction(0)
            if i in chosen:
                weight = prod((Fraction(j + 1, j - i) for j in chosen if j != i), start=Fraction(1))
            assert made.factors[row, i] == weight * scale
    # Half-words have 32 bits, and whole numbers up to 2^53 are exact in double precision.
    assert np.abs(made.factors).sum(axis=1).max() * 2**32 < 2**51
