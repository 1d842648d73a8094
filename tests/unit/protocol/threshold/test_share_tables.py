"""Tables: how seldom an element is missed, that too few shares say nothing, and where elements go."""

import itertools
import math

import numpy as np
import pytest

from blindmatch.protocol.expand import Expander
from blindmatch.protocol.limits import LIMITS
from blindmatch.protocol.threshold import field, reconstruct, share_tables
from blindmatch.protocol.threshold.field import PRIME
from blindmatch.protocol.threshold.share_tables import (
    PAIRS,
    TABLES,
    BinAssignment,
    ShareDerivation,
    TableShape,
)


def outputs(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 64), dtype=np.uint8)


@pytest.mark.parametrize("at_least", range(2, 11))
@pytest.mark.parametrize("elements", [1, 2, 3, 10, 1_000, 10_000, 1_000_000])
def test_an_element_over_the_threshold_is_missed_once_in_2_to_the_44(at_least, elements):
    shape = TableShape.of(at_least, (elements,) * 10)
    missed = share_tables.miss_probability(shape.bins, at_least * (elements - 1)) if elements > 1 else 0.0
    assert missed < 2**-44
    assert 10 * missed < 2**-40  # by any of ten holders


@pytest.mark.parametrize(
    ("members", "at_least", "elements"),
    [(5, 3, 10_000), (10, 5, 200_000), (10, 2, 4_000_000), (10, 10, 800_000)],
)
def test_chance_makes_no_result(members, at_least, elements):
    shape = TableShape.of(at_least, (elements,) * members)
    assert share_tables.false_mark_probability(shape, members, elements) < 2**-60


@pytest.mark.parametrize(("members", "at_least"), [(n, t) for n in range(2, 11) for t in range(2, n + 1)])
def test_chance_makes_no_result_at_the_largest_sizes_that_are_allowed(members, at_least):
    elements = 2 * LIMITS.threshold_bins // at_least
    shape = TableShape.of(at_least, (elements,) * members)
    assert LIMITS.threshold_bins - 5 <= shape.bins <= LIMITS.threshold_bins
    # At most so many different elements can be in so many lists.
    shared = members * elements // at_least
    assert share_tables.false_mark_probability(shape, members, shared) < 2**-60


def test_lists_of_different_lengths_share_tables_for_the_largest():
    assert TableShape.of(2, (1, 9, 5)).bins == 7
    assert TableShape.of(3, (1, 1, 1)).bins == 2


def enumerated(bins, others):
    """One pair of tables, every order and every bin of every rival: (found in none, in one, in both)."""
    counts = [0, 0, 0]
    for before in range(others + 1):
        for places in itertools.product(range(bins), repeat=2 * others):
            first = all(place != 0 for place in places[:before])
            second = all(place != 0 for place in places[others + before : 2 * others])
            counts[first + second] += 1
    return [count / sum(counts) for count in counts]


@pytest.mark.parametrize(("bins", "others"), [(2, 1), (2, 3), (3, 2), (3, 3), (4, 2)])
def test_the_formula_is_what_counting_every_case_gives(bins, others):
    none, one, _ = enumerated(bins, others)
    assert share_tables.miss_probability(bins, others) == pytest.approx(
        none**PAIRS + PAIRS * one * none ** (PAIRS - 1), rel=1e-9
    )


def test_elements_are_found_as_often_as_the_formula_says():
    """Real placings of three lists without anything in common but one element."""
    count, at_least = 40, 3
    shape = TableShape.of(at_least, (count,) * 3)
    derivation = ShareDerivation(b"b" * 32, shape)
    trials, seen, lost = 60, 0, 0
    for trial in range(trials):
        common = outputs(1, 1_000 + trial)
        lists = [np.concatenate((common, outputs(count - 1, 10 * trial + i))) for i in range(3)]
        placings = [BinAssignment(derivation, held, shape.bins) for held in lists]
        for pair in range(PAIRS):
            found = []
            for winners in zip(*(placing.pair(pair) for placing in placings), strict=True):
                where = [np.flatnonzero(each == 0).tolist() for each in winners]
                found.append(where[0] == where[1] == where[2] != [])
            seen += sum(found)
            lost += not any(found)
    q, others = 1 - 1 / shape.bins, 3 * (count - 1)
    single = (1 - q ** (others + 1)) / ((others + 1) * (1 - q))
    drawn = trials * TABLES
    assert abs(seen - drawn * single) < 6 * math.sqrt(drawn * single * (1 - single))
    # One order for both tables of a pair would lose a third more in both.
    neither, drawn = 1 - 2 * single + q**others, trials * PAIRS
    assert abs(lost - drawn * neither) < 6 * math.sqrt(drawn * neither * (1 - neither))


def test_who_holds_the_same_puts_the_same_into_the_same_bins():
    shape = TableShape(2, 7)
    derivation = ShareDerivation(b"b" * 32, shape)
    held = outputs(9)
    turned = held[::-1].copy()
    for pair in range(PAIRS):
        one, other = (list(BinAssignment(derivation, each, 7).pair(pair)) for each in (held, turned))
        for mine, theirs in zip(one, other, strict=True):
            taken = mine >= 0
            assert (taken == (theirs >= 0)).all()
            assert (mine[taken] == 8 - theirs[taken]).all()


def test_another_round_puts_them_elsewhere():
    shape = TableShape(2, 1_000)
    held = outputs(9)
    one, other = (
        list(BinAssignment(ShareDerivation(binding * 32, shape), held, 1_000).pair(0))
        for binding in (b"a", b"b")
    )
    assert not np.array_equal(one[0], other[0])


@pytest.mark.parametrize("at_least", range(2, 11))
def test_t_shares_give_nothing_and_the_mark(at_least):
    derivation = ShareDerivation(b"b" * 32, TableShape(at_least, 5))
    held = outputs(20)
    cells = np.stack([derivation.shares(held, 3, point) for point in range(1, at_least + 1)])
    made = reconstruct.combinations(at_least, at_least)
    found = reconstruct.search(cells, 0, made)
    assert found.cells.tolist() == list(range(20))
    assert found.marks.tolist() == derivation.marks(held).tolist()
    # One share of another table, and nothing is found.
    cells[0] = derivation.shares(held, 4, 1)
    assert len(reconstruct.search(cells, 0, made).cells) == 0


@pytest.mark.parametrize("at_least", range(2, 11))
def test_fewer_shares_than_t_are_any_numbers_alike(at_least):
    """For any t - 1 values there is exactly one polynomial of the kind that has them: each is as likely as another.

    The matrix from coefficients to t - 1 shares has no constant term; it is regular for every choice of points.
    """
    for points in itertools.combinations(range(1, 11), at_least - 1):
        rows = [[pow(point, power, PRIME) for power in range(1, at_least)] for point in points]
        assert determinant(rows) != 0


def determinant(rows):
    rows, result = [row[:] for row in rows], 1
    for column in range(len(rows)):
        pivot = next((i for i in range(column, len(rows)) if rows[i][column]), None)
        if pivot is None:
            return 0
        rows[column], rows[pivot] = rows[pivot], rows[column]
        result = result * rows[column][column] % PRIME
        inverse = pow(rows[column][column], -1, PRIME)
        for i in range(column + 1, len(rows)):
            factor = rows[i][column] * inverse % PRIME
            rows[i] = [(a - factor * b) % PRIME for a, b in zip(rows[i], rows[column], strict=True)]
    return result


def test_shares_are_the_polynomials_that_the_derivation_gives():
    """Both polynomials at every point, from the same words by Python's own numbers."""
    at_least = 6  # more than one block of words
    derivation = ShareDerivation(b"b" * 32, TableShape(at_least, 5))
    held = outputs(4)
    words = np.concatenate(
        [derivation._words(held, share_tables._SHARES_LABEL, 2, block) for block in range(2)], axis=1
    )
    marks = derivation.marks(held).tolist()
    for point in range(1, 11):
        cells = derivation.shares(held, 2, point).view(">u8").astype(object)
        for row in range(4):
            for which, constant in ((0, 0), (1, marks[row])):
                coefficients = [int(word) for word in words[row, which : 2 * (at_least - 1) : 2]]
                value = 0
                for coefficient in coefficients:
                    value = (value + coefficient) * point
                assert cells[row, which] == (value + constant) % PRIME


def test_empty_bins_hold_uniform_residues_and_full_ones_shares():
    shape = TableShape(2, 50_000)
    derivation, held = ShareDerivation(b"b" * 32, shape), outputs(3)
    (winners, _), table = (
        list(BinAssignment(derivation, held, shape.bins).pair(0)),
        np.zeros((50_000, 16), np.uint8),
    )
    share_tables.fill_table(
        table, 0, winners, held, derivation=derivation, expander=Expander(b"e" * 32), point=2
    )
    cells = table.view(">u8").astype(np.uint64)
    assert (cells < PRIME).all()
    for element in range(3):
        (at,) = np.flatnonzero(winners == element)
        assert table[at].tobytes() == derivation.shares(held, 0, 2)[element].tobytes()
    # Every bit of what is drawn is one half of the time.
    ones = [(int((cells >> np.uint64(bit) & np.uint64(1)).sum()), 100_000) for bit in range(61)]
    assert all(abs(count - total / 2) < 6 * math.sqrt(total) / 2 for count, total in ones)
    again = np.zeros_like(table)
    share_tables.fill_table(
        again, 0, winners, held, derivation=derivation, expander=Expander(b"e" * 32), point=2
    )
    assert np.array_equal(table, again)
    assert field.reduce(cells).tolist() == cells.tolist()


def test_a_mark_that_was_seen_once_only_is_no_result():
    made = reconstruct.combinations(3, 2)
    found = reconstruct.Reconstructions(
        np.array([0, 5, 9], dtype=np.int64),
        np.array([0, 0, 1], dtype=np.int64),
        np.array([77, 88, 88], dtype=np.uint64),
    )
    draw = np.arange(TABLES, dtype=np.uint64)
    shared = reconstruct.shared_elements(found, made, 4, draw)
    assert shared.held.tolist() == [[True, True, True]]
    assert set(shared.cells[0].tolist()) <= {5, 9}
    # Twice in one table is once.
    once = reconstruct.Reconstructions(
        np.array([4, 5]), np.array([0, 1]), np.array([88, 88], dtype=np.uint64)
    )
    assert len(reconstruct.shared_elements(once, made, 4, draw)) == 0
