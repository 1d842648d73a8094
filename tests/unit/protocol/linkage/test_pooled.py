"""Many lists as two: the sizes and rates that a threshold's keys are compiled for."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.agencies import SCHEMA, Agency, agreement_between, edge_between, threshold_between

from blindmatch.node.agreements.match_keys import compile_round, compile_threshold
from blindmatch.protocol.agreement import Linkage
from blindmatch.protocol.errors import AgreementError, SequenceError
from blindmatch.protocol.linkage import Rates, default_rates, load_schema, pooled_rates, pooled_sizes
from blindmatch.protocol.linkage.rates import RAREST, probability

USUAL = default_rates(load_schema(SCHEMA))
AGENCIES = ("east-force", "north-force", "south-force", "west-force")


def flat(rates):
    return [*itertools.chain(*rates.alone), *rates.household]


def commoner(rates, by):
    """Every value so many eighths of a bit more often."""
    return Rates(
        rates.presence,
        tuple(tuple(max(0, code - by) for code in codes) for codes in rates.alone),
        tuple(max(0, code - by) for code in rates.household),
    )


@given(st.lists(st.integers(1, 10**7), min_size=2, max_size=10))
def test_two_lists_stand_for_all_pairs(records):
    longer, shorter = pooled_sizes(records)
    pairs = list(itertools.combinations(records, 2))
    every = sum(a * b for a, b in pairs)
    assert 1 <= shorter <= longer
    # Never fewer pairs of records than there are, hardly more; never more true leads than the pairs of lists have.
    assert every <= longer * shorter < every + longer + shorter
    assert shorter <= sum(min(pair) for pair in pairs)


@given(st.integers(1, 10**7), st.integers(1, 10**7))
def test_two_lists_are_themselves(one, other):
    assert pooled_sizes([one, other]) == (max(one, other), min(one, other))


@pytest.mark.parametrize("records", [[], [5], [5, 0]])
def test_pooling_takes_lists(records):
    with pytest.raises(SequenceError):
        pooled_sizes(records)


codes = st.integers(0, RAREST)


@given(st.lists(st.tuples(codes, st.integers(1, 1_000_000)), min_size=2, max_size=10))
def test_pooled_rates_are_the_weighted_mean_rounded_to_what_is_more_common(stated):
    lists = [(Rates((32, 64), ((code,),), (code, RAREST)), records) for code, records in stated]
    made = pooled_rates(lists)
    total = sum(records for _, records in stated)
    mean = sum(probability(code) * records for code, records in stated)
    for code in (made.alone[0][0], made.household[0]):
        assert probability(code) * total >= mean
        assert code == RAREST or probability(code + 1) * total < mean
    assert made.presence == (32, 64)
    assert made.household[1] == RAREST


def test_lists_that_are_alike_pool_to_themselves():
    assert pooled_rates([(USUAL, 10), (USUAL, 99)]) == USUAL
    mixed = pooled_rates([(USUAL, 100), (commoner(USUAL, 16), 100)])
    between = zip(flat(mixed), flat(USUAL), flat(commoner(USUAL, 16)), strict=True)
    assert all(high <= code <= low for code, low, high in between)


def agreement(**linkage):
    parties = [Agency(name, "police").party() for name in AGENCIES]
    many = threshold_between(AGENCIES, 3, AGENCIES[0])
    two = replace(threshold_between(AGENCIES[:2], 2, AGENCIES[0]), id="two")
    chosen = Linkage(**linkage)
    edge = replace(edge_between(*AGENCIES[:2]), linkage=replace(chosen, missing=False))
    return agreement_between(
        parties,
        [edge],
        start=0,
        thresholds=[replace(each, linkage=chosen) for each in (many, two)],
        collector=AGENCIES[0],
    )


def test_a_threshold_of_two_has_the_keys_of_an_edge():
    made = agreement(budget=10)
    stated = ((USUAL, 1_000), (USUAL, 400))
    both = compile_threshold(made, made.threshold("two"), stated)
    assert both.keys == compile_round(made, made.edges[0], *stated).keys


@pytest.mark.parametrize("share", [0.01, 0.2])
def test_false_leads_over_all_pairs_of_members_stay_within_the_agreed_share(share):
    made = agreement(budget=12, false_leads=share)
    stated = tuple((commoner(USUAL, 2 * i), 500 + 300 * i) for i in range(4))
    compiled = compile_threshold(made, made.threshold("shared"), stated)
    assert compiled.expected_false <= share / (1 - share) * compiled.expected_true
    pairs = list(itertools.combinations((records for _, records in stated), 2))
    assert compiled.expected_true <= 0.05 * sum(min(pair) for pair in pairs)
    assert not any(key.absent_receiver or key.absent_sender for key in compiled.keys)
    again = compile_threshold(agreement(budget=12, false_leads=share), made.threshold("shared"), stated)
    assert again.digest == compiled.digest


def test_more_members_make_keys_no_looser():
    made = agreement(budget=12)
    two = compile_threshold(made, made.threshold("two"), ((USUAL, 800),) * 2)
    four = compile_threshold(made, made.threshold("shared"), ((USUAL, 800),) * 4)
    assert four.threshold >= two.threshold


def test_lists_too_large_for_the_terms_name_the_threshold():
    made = agreement(budget=1, false_leads=1e-6, overlap=1e-6)
    with pytest.raises(AgreementError, match=r"thresholds\[0\]\.linkage"):
        compile_threshold(made, made.threshold("shared"), ((commoner(USUAL, 80), 20_000_000),) * 4)
