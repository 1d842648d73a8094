"""Leads as FollowTheMoney entities: references and released facts, links that resolve, and never a name."""

import json

from blindmatch.node.rounds.exports import EdgeResults, RoundResults, to_ftm
from blindmatch.node.rounds.leads import ResultLead

EDGE = EdgeResults("e", "north-council", "closed", "receiver")
DIRECTOR = {
    "company_number": "01234567",
    "role": "director",
    "appointed_on": "2019-04-01",
    "contract_reference": "C10",
    "contract_value": "12000",
    "contract_start": "2020-01-01",
}
REFERENCES = {"subject", "object", "supplier", "contract", "director", "organization"}
SCHEMAS = {"LegalEntity", "UnknownLink", "Company", "Contract", "ContractAward", "Directorship"}


def lead(reference, *facts):
    return ResultLead(
        reference=reference,
        agency="north-council",
        edge="e",
        keys=("same name and date of birth",),
        key_names=("name+dob",),
        score=28.5,
        handling="P",
        facts=facts,
    )


def entities(*leads):
    text = to_ftm(RoundResults(bytes(16), (EDGE,), leads, ()))
    assert text.endswith("\n") or not leads
    return [json.loads(line) for line in text.splitlines()]


def by_schema(found, schema):
    return [entity["properties"] for entity in found if entity["schema"] == schema]


def test_every_line_is_an_entity_and_every_link_leads_to_one():
    found = entities(
        lead("P-1", DIRECTOR), lead("P-2"), lead("P-1", {"company_number": "01234567", "role": "company"})
    )
    ids = [entity["id"] for entity in found]
    assert len(set(ids)) == len(ids)
    for entity in found:
        assert set(entity) == {"id", "schema", "properties"}
        assert entity["schema"] in SCHEMAS
        for name, values in entity["properties"].items():
            assert all(isinstance(value, str) and value for value in values)
            if name in REFERENCES:
                assert set(values) <= set(ids)


def test_a_lead_is_a_link_between_two_references_and_says_that_it_is_no_identification():
    found = entities(lead("P-1"))
    ours, theirs = by_schema(found, "LegalEntity")
    assert ours["idNumber"] == ["P-1"]
    assert "idNumber" not in theirs
    (link,) = by_schema(found, "UnknownLink")
    assert link["role"] == ["lead, not an identification"]
    assert link["summary"] == ["same name and date of birth"]
    assert not any("name" in entity["properties"] for entity in found)


def test_released_facts_become_company_contract_and_appointment():
    found = entities(lead("P-1", DIRECTOR))
    (company,) = by_schema(found, "Company")
    assert company == {"registrationNumber": ["01234567"]}
    (award,) = by_schema(found, "ContractAward")
    assert (award["amount"], award["startDate"]) == (["12000"], ["2020-01-01"])
    (appointment,) = by_schema(found, "Directorship")
    assert (appointment["role"], appointment["startDate"]) == (["director"], ["2019-04-01"])


def test_one_company_in_several_leads_is_one_entity():
    found = entities(lead("P-1", DIRECTOR), lead("P-2", DIRECTOR))
    assert [len(by_schema(found, schema)) for schema in ("Company", "Contract", "ContractAward")] == [1, 1, 1]
    assert len(by_schema(found, "Directorship")) == 2
    assert len(by_schema(found, "UnknownLink")) == 2


def test_no_leads_give_an_empty_file():
    assert to_ftm(RoundResults(bytes(16), (), (), ())) == ""
