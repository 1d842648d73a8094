"""`linkage explain` under a schema with a model: levels, bits, keys."""

import json

import pytest
from typer.testing import CliRunner

from blindmatch.node.cli import app

SEAN = "forenames=Seán; surname=O'Brien; date_of_birth=3/4/1970; postcode=B1 1AA"


def explain(*arguments):
    result = CliRunner().invoke(app, ["linkage", "explain", *arguments])
    return result.exit_code, result.stdout, result.stderr


def explained(*arguments):
    status, out, err = explain(*arguments, "--json")
    assert status == 0, err
    return json.loads(out)


def test_two_forms_of_one_person_are_a_lead_with_bits_by_field():
    data = explained(SEAN, "full_name=OBRIEN, Sean; date_of_birth=1970-04-03; postcode=b11aa")
    results = {level["level"]: level["result"] for level in data["levels"]}
    assert (results["surname"], results["full-date"], results["postcode"]) == ("same", "same", "same")
    assert data["lead"] is True
    assert data["score"] >= data["threshold"]
    assert data["score"] == pytest.approx(sum(part["bits"] for part in data["parts"]), abs=0.3)
    assert all(key["bits"] >= data["threshold"] - 0.1 for key in data["keys"])
    assert all(
        "full date of birth" in part["agree"] for part in data["parts"] if part["fields"] == ["date of birth"]
    )


def test_people_of_one_household_are_no_lead():
    data = explained(SEAN, "forenames=Margaret; surname=O'Brien; date_of_birth=17/9/1968; postcode=B1 1AA")
    assert data["lead"] is False
    assert data["keys"] == []
    assert data["score"] is None or data["score"] < data["threshold"]


def test_larger_lists_ask_for_more_bits():
    thresholds = [
        explained(SEAN, SEAN, "--sizes", sizes)["threshold"] for sizes in ("500x2000", "5000x100000")
    ]
    assert thresholds[0] < thresholds[1]


def test_names_in_the_other_order_are_read_as_such():
    other = "forenames=O'Brien; surname=Sean; date_of_birth=3/4/1970; postcode=B1 1AA"
    data = explained(SEAN, other)
    assert data["swapped"] is True
    assert data["score"] > explained(SEAN, other.replace("Sean", "Adam"))["score"] + 6


def test_one_side_shows_what_its_values_are_taken_for():
    status, out, err = explain(SEAN)
    assert status == 0, err
    assert "obrien" in out
    assert "1970-04-03" in out
    assert "lead" not in out


def test_the_report_for_people_gives_the_verdict():
    status, out, _ = explain(SEAN, "forenames=Ann; surname=Smith")
    assert status == 0
    assert "No lead" in out
    status, out, _ = explain(SEAN, SEAN)
    assert "A lead." in out
    assert "posterior" in out


def test_an_empty_side_is_refused():
    status, _, err = explain("")
    assert status == 1
    assert "no values are given" in err
    assert "defect" not in err
