"""Leads, counts and sums keep their stored form and their exports: JSON, CSV, FollowTheMoney."""

import dataclasses
import json

from blindmatch.node.rounds.aggregate import results as aggregate_results
from blindmatch.node.rounds.aggregate.results import AggregateResult
from blindmatch.node.rounds.exports import EdgeResults, RoundResults, leads_csv, to_ftm, to_json
from blindmatch.node.rounds.leads import ResultLead
from blindmatch.node.rounds.threshold.tally import Tally

EDGES = (
    EdgeResults("facts", "north-council", "closed", "receiver"),
    EdgeResults("many", "national", "failed", "member"),
)
LEADS = [
    ResultLead(
        reference="P-1",
        agency="north-council",
        edge="facts",
        keys=("same first name and date of birth", "same postcode"),
        key_names=("given+dob", "postcode"),
        score=28.5,
        handling="P",
        facts=(
            {
                "company_number": "01234567",
                "role": "director",
                "appointed_on": "2019-04-01",
                "resigned_on": "2021-04-01",
                "contract_reference": "C10",
                "contract_value": "12000",
                "contract_currency": "GBP",
                "contract_start": "2020-01-01",
                "contract_end": "2020-12-31",
            },
            {"company_number": "01234567", "role": "company", "odd": "=1+1"},
        ),
        posterior=0.9754321,
        more=2,
        lacking=True,
        damaged=1,
    ),
    ResultLead("P-2 é", "at least 2 of 3 agencies", "many", ("same é",), ("exact",), 7.0, posterior=0.5),
]
NEW = [dataclasses.replace(LEADS[0], new=True), dataclasses.replace(LEADS[1], new=False)]


def number(**changes):
    return AggregateResult(**{
        "round": "01" * 16,
        "edge": "count",
        "receiver": "west-force",
        "sender": "north-council",
        "disclosure": "count",
        "kind": "subjects",
        "told": True,
        "low": 20,
        "high": 29,
        "total": 0,
        "proof": "00" * 64,
        "closed_at": 1_767_225_600,
        "minimum_count": 5,
        "band": 10,
        "value": "",
        "decimals": 0,
        "outcome": ("aa" * 40, "bb" * 64),
        **changes,
    })  # fmt: skip


SUM = {"disclosure": "sum", "kind": "suppliers", "value": "contract_value", "low": 0, "high": 0}
NUMBERS = {
    "count": number(),
    "exact": number(low=20, high=20, band=1),
    "withheld": number(told=False, low=0, high=0),
    "sum": number(**SUM, edge="sum", total=1_234_567, band=100, decimals=2, proof="cc" * 64),
    "sum, whole": number(**SUM, edge="sum", total=1_234_567, band=1),
}


def test_leads(golden):
    golden("leads: stored", {lead.reference: json.loads(lead.to_json()) for lead in NEW})
    assert [ResultLead.from_json(lead.to_json()) for lead in NEW] == NEW
    results = RoundResults(b"\x01" * 16, EDGES, tuple(LEADS), ())
    golden("leads: exported", {
        "json": {key: value for key, value in json.loads(to_json(results)).items() if key != "numbers"},
        "csv": leads_csv(LEADS),
        "csv, standing": leads_csv(NEW),
        "ftm": [json.loads(line) for line in to_ftm(results).splitlines()],
    })  # fmt: skip


def test_numbers(golden):
    golden("numbers: stored", {label: json.loads(each.to_json()) for label, each in NUMBERS.items()})
    assert [AggregateResult.from_json(each.to_json()) for each in NUMBERS.values()] == [*NUMBERS.values()]
    golden("numbers: exported", {
        **{label: each.data() for label, each in NUMBERS.items()},
        "csv": aggregate_results.to_csv([*NUMBERS.values()]),
    })  # fmt: skip


def test_a_collectors_number(golden):
    tally = Tally(count=15, minimum=3, band=5, at_least=2, members=3)
    withheld = dataclasses.replace(tally, count=None)
    golden("tally", {
        "stored": json.loads(tally.to_json()),
        "withheld": json.loads(withheld.to_json()),
        "words": [tally.text, withheld.text],
    })  # fmt: skip
    assert Tally.from_json(withheld.to_json()) == withheld
