"""Pairs of lists: the same seed gives the same bytes, and they are as hard as they say."""

import csv
import tomllib
from collections import Counter

import pytest
from tests.support.list_pairs import CLEAN, Dirt, build_lists


@pytest.fixture(scope="module")
def pair():
    return build_lists(1, left=1_000, right=2_000)


def test_a_seed_gives_the_same_lists_and_another_seed_gives_others(pair):
    assert build_lists(1, left=1_000, right=2_000) == pair
    assert build_lists(2, left=1_000, right=2_000).left != pair.left


def test_lists_have_the_rows_asked_for_under_references_of_their_own(pair):
    assert (len(pair.left), len(pair.right)) == (1_000, 2_000)
    references = [entry.reference for entry in (*pair.left, *pair.right)]
    assert len(set(references)) == 3_000


def test_truth_names_rows_of_either_list_once_per_pair(pair):
    assert len(set(pair.truth)) == len(pair.truth)
    assert {left for left, _ in pair.truth} <= {entry.reference for entry in pair.left}
    assert {right for _, right in pair.truth} <= {entry.reference for entry in pair.right}


def test_five_in_a_hundred_of_the_shorter_list_are_on_both():
    pair = build_lists(3, left=1_000, right=2_000, duplicates=0, dirt=CLEAN)
    assert len(pair.truth) == 50
    left = {(entry.forenames, entry.surname, entry.date_of_birth): entry.reference for entry in pair.left}
    right = {entry.reference: entry for entry in pair.right}
    for ours, theirs in pair.truth:
        entry = right[theirs]
        assert left[entry.forenames, entry.surname, entry.date_of_birth] == ours


def test_only_people_of_the_truth_are_the_same_in_clean_lists():
    pair = build_lists(4, left=600, right=600, dirt=CLEAN)
    same = {
        (ours.reference, theirs.reference)
        for ours in pair.left
        for theirs in pair.right
        if (ours.forenames, ours.surname, ours.date_of_birth, ours.address)
        == (theirs.forenames, theirs.surname, theirs.date_of_birth, theirs.address)
    }
    assert same == set(pair.truth)


def test_households_stand_on_both_lists_beyond_the_people_in_both():
    pair = build_lists(5, left=800, right=800, relatives=0.3, dirt=CLEAN)
    truth = set(pair.truth)
    homes = {}
    for entry in pair.right:
        homes.setdefault((entry.surname, entry.address, entry.postcode), []).append(entry.reference)
    relatives = {
        ours.reference
        for ours in pair.left
        for other in homes.get((ours.surname, ours.address, ours.postcode), ())
        if (ours.reference, other) not in truth
    }
    assert len(relatives) > 150


def test_a_list_repeats_people():
    pair = build_lists(6, left=1_000, right=1_000, duplicates=0.03, dirt=CLEAN)
    people = Counter((entry.forenames, entry.surname, entry.date_of_birth) for entry in pair.left)
    assert sum(count - 1 for count in people.values()) == 30


@pytest.mark.parametrize(
    ("field", "dirt"),
    [
        ("date_of_birth", Dirt().missing_birth),
        ("address", Dirt().missing_address),
        ("town", Dirt().missing_town),
    ],
)
def test_fields_are_missing_at_their_rate(pair, field, dirt):
    empty = sum(not getattr(entry, field) for entry in pair.right) / len(pair.right)
    assert abs(empty - dirt) < 0.02


def test_the_same_person_is_written_differently(pair):
    left = {entry.reference: entry for entry in pair.left}
    right = {entry.reference: entry for entry in pair.right}
    same = sum(
        (left[a].forenames, left[a].surname, left[a].date_of_birth)
        == (right[b].forenames, right[b].surname, right[b].date_of_birth)
        for a, b in pair.truth
    )
    assert 0 < same < 0.7 * len(pair.truth)


def test_two_towns_share_households_of_the_people_in_both_only():
    pair = build_lists(7, left=500, right=500, relatives=0, duplicates=0, dirt=CLEAN, one_town=False)
    known = {theirs for _, theirs in pair.truth}
    assert {entry.town for entry in pair.right if entry.reference not in known} == {"Fernleigh"}
    assert {entry.town for entry in pair.right if entry.reference in known} == {"Ashmoor"}


def test_the_files_read_back_as_the_lists(pair, tmp_path):
    left, right, truth, mapping = pair.write(tmp_path)
    for path, entries in ((left, pair.left), (right, pair.right)):
        with path.open(encoding="utf-8", newline="") as file:
            assert [row["date_of_birth"] for row in csv.DictReader(file)] == [
                e.date_of_birth for e in entries
            ]
    with truth.open(encoding="utf-8", newline="") as file:
        assert [tuple(row.values()) for row in csv.DictReader(file)] == list(pair.truth)
    assert set(tomllib.loads(mapping.read_text())["columns"]) == set(pair.left[0].__dataclass_fields__)
