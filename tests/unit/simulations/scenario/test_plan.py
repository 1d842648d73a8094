"""Exchanges become comparisons between named lists, and drafts that the node itself reads."""

import tomllib

import pytest

from blindmatch.node.agreements.draft import parse_draft
from blindmatch.protocol.errors import ConfigError
from blindmatch.simulations.scenario.agreement_drafts import draft_text
from blindmatch.simulations.scenario.plan import plan_area, plan_steps
from blindmatch.simulations.scenario.scenario import Area, load_scenario, scenario_names


def area(*exchanges, steps=()):
    people = [{"kind": "subjects", "records": 10}]
    return Area.model_validate(
        {
            "id": "here",
            "name": "Here",
            "postcodes": "AE",
            "agencies": [
                {
                    "id": "force",
                    "name": "Force",
                    "role": "police",
                    "collections": [
                        {"name": "all", "kind": "subjects", "records": 10},
                        {"name": "asked", "kind": "subjects", "records": 4, "of": "all"},
                    ],
                },
                {"id": "tax", "name": "Tax", "role": "tax", "collections": people},
                {
                    "id": "east",
                    "name": "East",
                    "role": "council",
                    "collections": [{"kind": "suppliers", "records": 9}],
                },
                {
                    "id": "west",
                    "name": "West",
                    "role": "council",
                    "collections": [{"kind": "suppliers", "records": 9}],
                },
                {"id": "board", "name": "Board", "role": "board"},
            ],
            "exchanges": list(exchanges),
            "steps": list(steps),
        }
    )


ASK = {"receivers": ["police"], "senders": ["council", "tax"], "asking": "asked"}


def test_roles_and_ids_become_edges_and_nobody_is_compared_with_itself():
    (plan,) = plan_area(area({"groups": [{"receivers": ["police", "tax"], "senders": ["tax", "east"]}]}))
    assert [(e.receiver.agency, e.sender.agency) for e in plan.edges] == [
        ("force", "tax"),
        ("force", "east"),
        ("tax", "east"),
    ]
    assert plan.parties == ("force", "tax", "east")


def test_lists_are_named_or_the_first():
    (plan,) = plan_area(area({"groups": [ASK]}))
    assert {edge.receiver.list for edge in plan.edges} == {"force/asked"}
    assert {edge.receiver.collection for edge in plan.edges} == {"force-asked"}
    assert [edge.sender.list for edge in plan.edges] == ["east", "west", "tax"]
    assert plan.bindings("force") == {edge.id: "force-asked" for edge in plan.edges}
    assert plan.bindings("west") == {"force-from-west": "west-suppliers"}
    assert plan.bindings("board") == {}


def test_a_board_is_a_party_without_a_side():
    group = {
        "receivers": ["east"],
        "senders": ["tax"],
        "disclosure": "count",
        "minimum": 5,
        "report_to": ["board"],
    }
    (plan,) = plan_area(area({"groups": [group]}))
    assert plan.parties == ("east", "tax", "board")
    assert [edge.id for edge in plan.edges] == ["east-from-tax-count"]


@pytest.mark.parametrize(
    ("exchanges", "words"),
    [
        ([{"groups": [ASK, ASK]}], "compared twice: force-from-east"),
        ([{"groups": [{"receivers": ["nobody"], "senders": ["tax"]}]}], "nobody is neither"),
        ([{"groups": [{**ASK, "asking": "other"}]}], "force has no list other"),
        ([{"groups": [{"receivers": ["board"], "senders": ["tax"]}]}], "board has no list"),
        ([{"groups": [ASK]}, {"groups": [ASK]}], "the same id"),
    ],
)
def test_what_makes_no_sense_is_refused(exchanges, words):
    with pytest.raises(ConfigError, match=words):
        plan_area(area(*exchanges))


def test_without_steps_every_receiver_asks_once():
    here = area({"groups": [{"receivers": ["police", "tax"], "senders": ["east", "west"]}]})
    assert [(step.do, step.agency) for step, _ in plan_steps(here, plan_area(here))] == [
        ("run", "force"),
        ("run", "tax"),
    ]


def test_a_step_names_its_agreement_where_there_are_several():
    two = [{"id": "one", "groups": [ASK]}, {"id": "two", "groups": [ASK]}]
    here = area(*two, steps=[{"do": "run", "agency": "force", "exchange": "two"}])
    assert [plan.exchange.id for _, plan in plan_steps(here, plan_area(here))] == ["two"]
    here = area(*two, steps=[{"do": "run", "agency": "force"}])
    with pytest.raises(ConfigError, match="name its exchange"):
        plan_steps(here, plan_area(here))


@pytest.mark.parametrize("name", scenario_names())
def test_every_agreement_of_every_scenario_is_a_draft_that_a_node_reads(name):
    scenario = load_scenario(name)
    for here in scenario.areas:
        lists = {a.key(each): each.records for a in here.agencies for each in a.collections}
        for plan in plan_area(here):
            text = draft_text(scenario.terms, here, plan, lists, 1_780_000_000)
            draft = parse_draft(tomllib.loads(text))
            assert tuple(party["agency"] for party in draft.parties) == plan.parties
            assert [edge["id"] for edge in draft.values.get("edges", [])] == [edge.id for edge in plan.edges]


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_says_that_its_people_are_invented(name):
    scenario = load_scenario(name)
    assert "invented" in scenario.notice
    prefixes = [
        each.prefix or area.postcodes
        for area in scenario.areas
        for agency in area.agencies
        for each in agency.collections
        if each.kind == "subjects" and not each.of
    ]
    assert len(set(prefixes)) == len(prefixes), "two agencies' references could be mistaken for each other"
