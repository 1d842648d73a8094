"""A round's results as files: CSV that a spreadsheet can open safely, and JSON."""

import csv
import io

import pytest

from blindmatch.node.rounds.exports import EdgeResults, RoundResults, fact_names, leads_csv
from blindmatch.node.rounds.leads import ResultLead


def lead(**changes):
    values = {
        "reference": "P-1",
        "agency": "north-council",
        "edge": "e",
        "keys": ("same name and date of birth",),
        "key_names": ("name+dob",),
        "score": 28.5,
        "posterior": 0.975,
        "handling": "P",
        "facts": ({"value": "10"}, {"value": "20", "role": "director"}),
        "more": 1,
        **changes,
    }
    return ResultLead(**values)


def test_a_fact_s_name_is_no_formula_either():
    header, _ = list(csv.reader(io.StringIO(leads_csv([lead(facts=({"=1+1": "x"},))]))))
    assert "'=1+1" in header


def test_csv_has_a_column_per_fact():
    assert fact_names([lead()]) == ["value", "role"]
    header, row = list(csv.reader(io.StringIO(leads_csv([lead()]))))
    assert header == [
        "reference",
        "agency",
        "edge",
        "posterior",
        "score",
        "keys",
        "handling",
        "value",
        "role",
        "more",
    ]
    assert row == [
        "P-1",
        "north-council",
        "e",
        "0.9750",
        "28.5",
        "same name and date of birth",
        "P",
        "10 | 20",
        " | director",
        "1",
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_never_becomes_a_formula(start):
    made = lead(facts=({"value": start + "cmd|'/c calc'!A0"},))
    _, row = list(csv.reader(io.StringIO(leads_csv([made]), newline="")))
    assert row[7].startswith("'" + start)


def test_json_names_every_edge_and_its_state():
    edge = EdgeResults("e", "north-council", "closed", "receiver")
    data = RoundResults(bytes(16), (edge,), (lead(),), ()).data()
    assert data["round"] == "00" * 16
    assert data["edges"] == [{"edge": "e", "agency": "north-council", "state": "closed"}]
    assert data["leads"][0]["reference"] == "P-1"
    assert RoundResults(bytes(16), (), (), ()).data() == {
        "round": "",
        "edges": [],
        "leads": [],
        "numbers": [],
    }


def test_a_file_of_a_standing_agreements_leads_says_which_are_new():
    rows = list(csv.reader(io.StringIO(leads_csv([lead(new=True), lead(new=False)]))))
    assert [row[-1] for row in rows] == ["new", "yes", "no"]
    assert next(csv.reader(io.StringIO(leads_csv([lead()]))))[-1] == "more"
