"""What a round's keys are expected to find by chance, reckoned again state by state, and what relatives do to it."""

import dataclasses
import itertools
from fractions import Fraction

import numpy as np
import pytest

from blindmatch.protocol.linkage import CompileTerms, compile_keys, default_rates, load_schema
from blindmatch.protocol.linkage.comparison_states import BIT, ONE, fixed_point, space
from blindmatch.protocol.linkage.compile import _Search
from blindmatch.protocol.linkage.rates import PRESENT
from blindmatch.protocol.linkage.schema import parse_schema
from blindmatch.protocol.linkage.weights import Weights

SMALL = parse_schema("""
format = 2
name = "small"
title = "Four fields"
[model]
compared = ["forenames", "date_of_birth", "surname", "postcode"]
household = ["surname", "postcode"]
home = ["surname"]
person = ["forenames", "date_of_birth"]
missing = ["date_of_birth", "postcode"]
names = ["forenames", "surname"]
swapped = ""
swapped_m = 0.02
along = 0.5
relatives = 0.0
""" + "".join(f'[[fields]]\nname = "{name}"\nkind = "{kind}"\ntitle = "{name}"\n' for name, kind in (
    ("forenames", "forenames"), ("date_of_birth", "date"), ("surname", "surname"), ("postcode", "postcode"),
    ("company_number", "company-number"),
)) + "".join(
    f'[[levels]]\nname = "{name}"\nfield = "{field}"\ntest = "{test}"\nwords = "{name}"\nm = {m}\nu = {u}\nkin = {kin}\n{more}\n'
    for name, field, test, m, u, kin, more in (
        ("given", "forenames", "first-word", 0.7, 0.01, 0.03, 'implies = ["given-initial"]'),
        ("given-initial", "forenames", "initial", 0.1, 0.05, 0.1, ""),
        ("full-date", "date_of_birth", "full-date", 0.8, 0.0001, 0.002, 'implies = ["year"]'),
        ("year", "date_of_birth", "year", 0.1, 0.02, 0.1, ""),
        ("surname", "surname", "exact", 0.9, 0.002, 0, ""),
        ("postcode", "postcode", "full", 0.7, 0.0005, 0, 'implies = ["district"]'),
        ("district", "postcode", "district", 0.2, 0.05, 0, ""),
        ("company-number", "company_number", "exact", 0.98, 0.0000000001, 0, ""),
    )
) + '[[keys]]\nname = "company"\nlevels = ["company-number"]\n')  # fmt: skip
RELATIVES = fixed_point(0.0001)


def with_presence(share, *fields):
    rates = default_rates(SMALL)
    return dataclasses.replace(
        rates, presence=tuple(share if level.field in fields else PRESENT for level in SMALL.levels)
    )


def by_hand(weights, chosen):
    """Every state of every field, with what is missing, one by one: the chance that some pattern finds such a pair."""
    dimensions = weights.space.dimensions
    sides = [(False, False), (True, False), (False, True), (True, True)]
    total = Fraction(0)
    for states in itertools.product(*(range(len(d.states)) for d in dimensions)):
        alone = len(weights.space.alone)
        here = sum(
            Fraction(int(kind.household[states[alone:]]), ONE)
            * np.prod([Fraction(int(kind.alone[i][states[i]]), ONE) for i in range(alone)])
            for kind in weights.kinds
        )
        for gone in itertools.product(sides, repeat=len(dimensions)):
            share = Fraction(1)
            for i, lacks in enumerate(gone):
                for side in (0, 1):
                    said = Fraction(weights.presence[side][i], PRESENT)
                    share *= 1 - said if lacks[side] else said
            if share and any(_finds(pattern, dimensions, states, gone) for pattern in chosen):
                total += here * share
    return total


def _finds(pattern, dimensions, states, gone):
    for i, (d, demand) in enumerate(zip(dimensions, pattern.demands, strict=True)):
        if i in pattern.missing.receiver and not gone[i][0]:
            return False
        if i in pattern.missing.sender and not gone[i][1]:
            return False
        if demand < len(d.levels) and (any(gone[i]) or demand not in d.states[states[i]]):
            return False
    return True


@pytest.mark.parametrize("bits", [8, 14])
def test_expected_false_leads_are_those_of_every_state_with_every_field_missing_or_not(bits):
    receiver, sender = with_presence(48, "date_of_birth"), with_presence(40, "postcode")
    weights = Weights(space(SMALL), receiver, sender, relatives=RELATIVES)
    search = _Search(weights, (1, 1), CompileTerms(), budget=40, seed=b"s")
    chosen = list(search.patterns.at(bits * BIT))
    assert len(chosen) > 3
    assert any(pattern.missing.fields for pattern in chosen)
    expected = by_hand(weights, chosen)
    assert search.false_leads(chosen) / ONE == pytest.approx(float(expected), rel=1e-4)


def test_relatives_make_agreement_at_home_worth_less():
    rates = default_rates(SMALL)
    apart, related = (Weights(space(SMALL), rates, rates, relatives=n) for n in (0, RELATIVES))
    scores = []
    for weights in (apart, related):
        grid = _Search(weights, (1, 1), CompileTerms(), budget=1, seed=b"").patterns._scores[frozenset()]
        # Year of birth, surname and postcode agree; then full names and date without a home.
        scores.append((int(grid[2, 1, 0, 0]), int(grid[0, 0, 1, 2])))
    assert scores[1][0] < scores[0][0] - 2 * BIT
    assert abs(scores[1][1] - scores[0][1]) <= BIT // 8


def test_a_list_that_shows_its_families_needs_no_assumption():
    rates = default_rates(SMALL)
    codes = list(rates.household)
    codes[0] = (
        8 * 12
    )  # surname and postcode agree in one pair of 4,096: far more than names and codes by themselves
    seen = dataclasses.replace(rates, household=tuple(codes))
    alone, assumed = (Weights(space(SMALL), seen, seen, relatives=n) for n in (0, RELATIVES))
    assert int(alone.kinds[1].household.sum()) > RELATIVES
    assert all(
        np.array_equal(a.household, b.household) for a, b in zip(alone.kinds, assumed.kinds, strict=True)
    )


def test_assuming_more_in_common_assumes_more_relatives_too():
    schema = load_schema("uk-person-company-2")
    listed = {"company_number", "vat_number", "company_name", "phone", "email", "bank_account", "vehicle"}
    rates = default_rates(schema)
    people = dataclasses.replace(
        rates, presence=tuple(0 if level.field in listed else PRESENT for level in schema.levels)
    )
    no_family = dataclasses.replace(schema, model=dataclasses.replace(schema.model, relatives=0.0))
    large = dataclasses.replace(schema, model=dataclasses.replace(schema.model, relatives=20.0))
    made = [compile_keys(s, people, people, 2_000, 2_000, CompileTerms()) for s in (no_family, schema, large)]
    assert made[0].expected_true > made[1].expected_true > made[2].expected_true
