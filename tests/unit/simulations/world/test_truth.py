"""The truth between lists: pairs, counts, sums and thresholds, reckoned another way."""

from itertools import product

import pytest

from blindmatch.simulations.scenario.noise_kinds import NoiseKind
from blindmatch.simulations.scenario.scenario import load_scenario
from blindmatch.simulations.world.area import build_area
from blindmatch.simulations.world.truth import (
    RecordLinks,
    admissible_pairs,
    matching_pairs,
    threshold_pairs,
    true_count,
    true_sum,
)

NONE = frozenset()
TYPO, DATE, SHUT = (
    frozenset({NoiseKind.SURNAME_TYPO}),
    frozenset({NoiseKind.MISSING_BIRTH}),
    frozenset({NoiseKind.WITHHELD}),
)


@pytest.fixture(scope="module")
def area_data():
    scenario = load_scenario("gain")
    return build_area(scenario, scenario.areas[0], seed=4, scale=0.5)


def test_every_pair_has_something_in_common_and_no_other_has(area_data):
    for ours, theirs in product(("hmrc/cases", "west-mercia-police/request"), area_data.links):
        left, right = area_data.links[ours], area_data.links[theirs]
        wanted = {
            (a, b)
            for a, mine in left.records.items()
            for b, its in right.records.items()
            if set(mine) & set(its)
        }
        assert {(pair.receiver, pair.sender) for pair in matching_pairs(left, right)} == wanted


def test_agencies_know_some_people_in_common_each_with_its_own_mistakes(area_data):
    police, hmrc = area_data.subjects["west-mercia-police/nominals"], area_data.subjects["hmrc/cases"]
    both = {s.person: s for s in police if s.person in {other.person for other in hmrc}}
    assert len(both) >= 0.1 * len(hmrc)
    others = {s.person: s for s in hmrc if s.person in both}
    assert any(both[person].noise != others[person].noise for person in both)
    assert len({person for person in both if both[person].reference == others[person].reference}) == 0


def test_a_request_is_taken_out_of_the_agencys_own_list(area_data):
    rows = {row.reference: row for row in area_data.subjects["hmrc/cases"]}
    asked = area_data.subjects["hmrc/request"]
    assert 4 <= len(asked) < len(rows)
    assert all(rows[row.reference] == row for row in asked)
    known = [
        row
        for row in asked
        if any(
            area_data.links["hmrc/request"].records[row.reference].keys() & entities.keys()
            for key, links in area_data.links.items()
            if not key.startswith("hmrc/")
            for entities in links.records.values()
        )
    ]
    assert 0 < len(asked) // 2 <= len(known) < len(asked)


def test_a_number_that_both_name_is_in_nobodys_way():
    ours = RecordLinks({"A": {("person", 1): TYPO, ("company", "1"): NONE}}, NONE)
    theirs = RecordLinks({"B": {("person", 1): DATE, ("company", "1"): NONE}}, NONE)
    (pair,) = matching_pairs(ours, theirs)
    assert (pair.via, pair.kind) == ("person+company", "clean")
    theirs = RecordLinks({"B": {("person", 1): DATE}}, NONE)
    (pair,) = matching_pairs(ours, theirs)
    assert (pair.via, pair.noise, pair.kind) == ("person", TYPO | DATE, "missing-birth")


def test_counts_and_sums_leave_out_what_is_withheld():
    ours = RecordLinks(
        {"A": {("person", 1): NONE}, "B": {("person", 2): SHUT}, "C": {("person", 3): NONE}}, frozenset({"B"})
    )
    theirs = RecordLinks(
        {"V": {("person", 1): NONE}, "W": {("person", 1): NONE}, "X": {("person", 2): NONE}},
        NONE,
        {"V": 10, "W": 5, "X": 900},
    )
    assert len(admissible_pairs(ours, theirs)) == 2
    assert true_count(ours, theirs) == 1
    assert true_sum(ours, theirs) == 15


def test_a_threshold_counts_agencies_not_records():
    lists = {
        "a": RecordLinks({"A1": {("person", 1): TYPO}, "A2": {("person", 2): NONE}}, NONE),
        "b": RecordLinks({"B1": {("person", 1): NONE}, "B2": {("person", 1): DATE}}, NONE),
        "c": RecordLinks({"C1": {("person", 1): DATE}, "C2": {("person", 3): NONE}}, NONE),
    }
    two = {
        agency: {pair.receiver: pair for pair in found} for agency, found in threshold_pairs(lists, 2).items()
    }
    assert {agency: set(found) for agency, found in two.items()} == {
        "a": {"A1"},
        "b": {"B1", "B2"},
        "c": {"C1"},
    }
    # The easiest of the others stands for them: C1's own missing date and B1's clean record.
    assert two["c"]["C1"].noise == DATE
    assert two["a"]["A1"].noise == TYPO
    assert two["a"]["A1"].via == "person"
    assert threshold_pairs(lists, 3)["a"][0].noise == TYPO | DATE
    assert not any(threshold_pairs({"a": lists["a"], "c": lists["c"]}, 3).values())
