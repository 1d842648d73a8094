"""Amounts as they stand in files, and what an entry counts."""

from types import SimpleNamespace

import numpy as np
import pytest

from blindmatch.node.rounds.aggregate.sum_values import parse_amount, read_values
from blindmatch.protocol.agreement import Edge, Side, Sum
from blindmatch.protocol.errors import LocalError


@pytest.mark.parametrize(
    ("text", "decimals", "units"),
    [
        ("125000", 0, 125_000),
        ("£1,234.50", 2, 123_450),
        ("1,234,567", 0, 1_234_567),
        ("1 234,50", 2, None),  # a decimal comma is not read as something else
        ("12,34", 0, None),
        ("0.005", 2, 1),
        ("-5", 0, -5),
        ("1e6", 0, 1_000_000),
        ("", 0, None),
        ("about 5", 0, None),
        ("NaN", 0, None),
        ("Infinity", 0, None),
        ("1e999999999", 2, None),
    ],
)
def test_amounts(text, decimals, units):
    assert parse_amount(text, decimals) == units


class Held:
    """Records as a collection gives them."""

    name = "suppliers"

    def __init__(self, *records):
        self._records = records

    def record(self, number):
        reference, facts = self._records[number]
        return SimpleNamespace(reference=reference, facts=facts)


def edge(decimals=0, band=1):
    return Edge(
        "edge",
        Side("west-force", "subjects", 10, 1),
        Side("north-council", "suppliers", 10, 1),
        Sum(value="spend", decimals=decimals, band=band),
        leakage="as agreed",
    )


def test_an_entry_counts_once_however_many_records_it_became():
    held = Held(
        ("A", {"spend": "100"}),
        ("B", {"spend": "7.50"}),
        ("A", {"spend": "100"}),
        ("C", {}),
        ("D", {"spend": "unknown"}),
        ("E", {"spend": "-3"}),
        ("A", {}),
    )
    found = read_values(held, np.arange(7), edge(decimals=1))
    assert found.entry_of.tolist() == [0, 1, 0, 2, 3, 4, 0]
    assert found.units.tolist() == [1_000, 75, 0, 0, 0]
    assert found.counts == {"entries": 5, "missing": 1, "unreadable": 1, "negative": 1}


@pytest.mark.parametrize(("amount", "units"), [("49", 0), ("50", 1), ("149", 1), ("150", 2)])
def test_values_are_rounded_to_the_band(amount, units):
    assert read_values(Held(("A", {"spend": amount})), np.arange(1), edge(band=100)).units.tolist() == [units]


def test_what_cannot_be_added_up_is_refused():
    with pytest.raises(LocalError, match="no record"):
        read_values(Held(("A", {"other": "1"})), np.arange(1), edge())
    with pytest.raises(LocalError, match="too large"):
        read_values(
            Held(("A", {"spend": str(1 << 39)}), ("B", {"spend": str(1 << 39)})), np.arange(2), edge()
        )
