import random

import numpy as np
import pytest
from tests.support.exact_keys import exact_keys
from tests.support.token_lists import tokens

from blindmatch.protocol.linkage import expected_chance_matches, leads, level_digests

KEYS = exact_keys()
SCHEMA = KEYS.schema
ROWS = [
    {"forenames": "John", "surname": "Smith", "date_of_birth": "1970-02-03"},
    {"company_number": "123"},
    {"forenames": "Ann", "surname": "Jones", "date_of_birth": "1980-01"},
]
MADE = tokens(
    KEYS,
    level_digests(SCHEMA, ROWS),
    np.arange(3, dtype=np.int64),
    3,
    4,
    random.Random(1).randbytes,
    distinct=False,
)


def test_hits_become_leads_with_reasons_and_the_best_comes_first():
    found = leads(KEYS, MADE, np.array([0, 1, 4, 8]))
    assert [lead.record for lead in found] == [1, 0, 2]
    assert found[0].words == ("same company number",)
    assert found[1].words == (
        "same forename, surname and full date of birth",
        "same forename, surname and year and month of birth",
    )
    assert found[1].score == found[1].keys[0].weight
    assert found[1].elements == (0, 1)


def test_fillers_and_repeats_mean_nothing():
    assert leads(KEYS, MADE, [3, 2, 5, 11]) == []
    assert leads(KEYS, MADE, []) == []
    assert [lead.elements for lead in leads(KEYS, MADE, [0, 0])] == [(0,)]


def test_expected_chance_matches_grow_with_both_lists():
    key = next(key for key in KEYS.keys if key.name == "name+month")
    assert expected_chance_matches(key, 2_000, 40_000) == pytest.approx(0.998, rel=1e-3)
    assert expected_chance_matches(key, 0, 40_000) == 0
