"""Operations on linkage schemas: sides from values and from records, and their audit entries."""

import json

import pytest

from blindmatch.node.operations import linkage
from blindmatch.protocol.errors import ConfigError, InputError, StoreError

WEST = "west-force"
SEAN = "forenames=Seán; surname=O'Brien; date_of_birth=3/4/1970; postcode=B1 1AA"


def test_values_need_no_node():
    one = linkage.explain(None, [SEAN])
    assert one.comparison is None
    assert list(one.data()) == ["schema", "sizes", "threshold", "levels"]
    two = linkage.explain(None, [SEAN, "full_name=OBRIEN, Sean; date_of_birth=1970-04-03; postcode=b11aa"])
    assert two.comparison.lead
    assert list(two.data())[4:] == ["keys", "lead", "score", "parts", "swapped", "missing"]
    json.dumps(two.data())
    larger = linkage.explain(None, [SEAN, SEAN], sizes=(5_000, 100_000))
    assert larger.threshold > two.threshold


def test_a_record_is_read_by_its_node_and_each_is_a_consultation(town, entries):
    west, sides = town.nodes[WEST], ["groups:P-00003", "groups:P-00003"]
    explanation = linkage.explain(west, sides, justification="case 7")
    assert explanation.comparison.lead
    assert {value for level in explanation.levels for value in level.values} == {"", "(stored as a digest)"}
    assert [(event, why, detail["action"]) for event, _, _, why, detail in entries(WEST)] == [
        ("consultation", "case 7", "explain")
    ] * 2
    with pytest.raises(ConfigError, match="by its node only"):
        linkage.explain(None, sides)


@pytest.mark.parametrize(
    ("side", "error", "reason"),
    [
        ("groups", InputError, "collection:reference"),
        ("groups:P-99999", InputError, "no record"),
        ("none:P-00003", StoreError, "none"),
        ("colour=red", InputError, "no field 'colour'"),
        ("date_of_birth=yesterday", InputError, "date_of_birth"),
        ("", InputError, "no values"),
        ("  ", InputError, "no values"),
    ],
)
def test_a_side_that_cannot_be_read(town, entries, side, error, reason):
    with pytest.raises(error, match=reason):
        linkage.explain(town.nodes[WEST], [side])
    assert entries(WEST) == []


def test_an_evaluation_draws_a_picture(town, tmp_path):
    truth = tmp_path / "truth.csv"
    lines = [f"P-{number:05d},P-{number:05d}" for number in range(12)]
    truth.write_text("left_reference,right_reference\n" + "\n".join(lines) + "\n", encoding="utf-8")
    people = town.folder / f"{WEST}-groups.csv"
    shares = []
    evaluation = linkage.evaluate(
        people,
        people,
        truth,
        overlap=0.5,
        false_leads=0.01,
        budget=20,
        picture=tmp_path / "picture.svg",
        progress=lambda done, _total: shares.append(done),
    )
    data = evaluation.data()
    assert (data["view"], data["pairs"]["recall"], data["budget"]) == ("full", 1.0, 20)
    assert shares
    assert (tmp_path / "picture.svg").read_text(encoding="utf-8").startswith("<svg")
