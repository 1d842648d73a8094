"""Names that are common in a list are pointed out, without saying which."""

import random

import numpy as np

from blindmatch.node.agreements.common_names import common_names
from blindmatch.protocol.linkage import default_rates, level_digests, load_schema, measure
from blindmatch.simulations.world.names import load_names
from blindmatch.simulations.world.rng import SeededRandom

SCHEMA = load_schema("uk-person-company-2")
COMMUNITY = load_names().communities["british"]


def said(count, **always):
    """What is said of a list of so many people; `always` are values that four in ten of them share."""
    rng, draw = SeededRandom("commonness", count), random.Random(count)
    rows = []
    for _ in range(count):
        row = {
            "forenames": COMMUNITY.forename(rng, "male", 1970),
            "surname": COMMUNITY.surname(rng),
            "date_of_birth": f"{draw.randint(1950, 2000)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}",
        }
        rows.append(row | (always if draw.random() < 0.4 else {}))
    blocks = [(level_digests(SCHEMA, rows), np.arange(count), count)]
    return common_names(SCHEMA, measure(SCHEMA, blocks, seed=b"seed"))


def test_the_schema_s_own_rates_are_usual():
    assert common_names(SCHEMA, default_rates(SCHEMA)) == []


def test_an_ordinary_list_is_not_warned_of():
    assert said(2_500) == []


def test_a_common_surname_and_a_common_forename_are_each_pointed_out():
    (warning,) = said(2_500, surname="Jones")
    assert "one surname is common" in warning
    assert "Jones" not in warning
    (warning,) = said(2_500, forenames="Mohammed")
    assert "one forename is common" in warning
    assert len(said(2_500, forenames="Mohammed", surname="Khan")) == 2


def test_a_list_too_short_to_tell_is_not_judged():
    assert said(20, surname="Jones") == []
