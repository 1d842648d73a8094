"""Registers of statements behind suppliers: BODS and FollowTheMoney, direct interests and chains; all people invented."""

import json

import pytest

from blindmatch.node.imports import import_collection, open_collection
from blindmatch.node.imports.formats import Period, ReadContext, SourceRecord, read_register
from blindmatch.node.imports.formats.chains import MAX_HOLDERS, MAX_LINKS, Graph, Link, common_period
from blindmatch.node.node import Node
from blindmatch.node.storage.config import Settings
from blindmatch.protocol.errors import InputError

PAVING = "01234567"


def statement(kind, record, **details):
    return {"statementId": f"s-{record}", "recordId": record, "recordType": kind, "recordStatus": "new",
            "recordDetails": details}  # fmt: skip


def entity(record, name, number=""):
    return statement(
        "entity", record, name=name, identifiers=[{"scheme": "GB-COH", "id": number}] if number else []
    )


def person(record, name, born="1970-02"):
    return statement(
        "person",
        record,
        personType="knownPerson",
        names=[{"type": "legal", "fullName": name}],
        birthDate=born,
    )


def holds(party, subject, *interests, record="", **details):
    stated = [{"type": "shareholding", "startDate": "2019-04-01"}] if not interests else list(interests)
    record = record or f"r-{party}-{subject}"
    return statement(
        "relationship", record, subject=subject, interestedParty=party, interests=stated, **details
    )


def lines(path, content):
    path.write_text("".join(json.dumps(each) + "\n" for each in content), encoding="utf-8")
    return path


def behind(path, *companies, contract=None, **options):
    context = ReadContext(**options)
    held = SourceRecord("K1", "P", {}, 2, contract) if contract else SourceRecord("K1", "P", {}, 2)
    drafts = list(read_register(path, {number: [held] for number in companies}, context))
    return drafts, context


def provenance(draft, *names):
    return tuple(draft.provenance.get(name, "") for name in names)


CHAIN = [
    holds("ada", "top", {"type": "shareholding", "startDate": "2018-01-01"}),
    person("ada", "Ada Rose Quillfeather"),
    entity("top", "Top Ltd", "7654321"),
    entity("mid", "Mid GmbH"),
    entity("paving", "Paving Ltd", "1234567"),
    holds("top", "mid", {"type": "votingRights", "startDate": "2020-05-01", "endDate": "2022-01-31"}),
    holds("mid", "paving"),
    person("far", "Esme Elsewhere"),
    entity("other", "Elsewhere Ltd", "9999999"),
    holds("far", "other"),
]


def test_a_direct_interest_leads_to_the_person(tmp_path):
    path = lines(
        tmp_path / "r.jsonl",
        [
            person("ada", "Ada Quill"),
            entity("paving", "Paving Ltd", "1234567"),
            holds(
                "ada", "paving", {"type": "shareholding", "startDate": "2019-04-01"}, {"type": "boardMember"}
            ),
        ],
    )
    (draft,), context = behind(path, PAVING, contract=Period("2020-01-01", "2021-01-01"))
    assert draft.reference == "K1"
    assert draft.facts == {
        "company_number": PAVING,
        "role": "shareholding; boardMember",
        "appointed_on": "2019-04-01",
        "active": "throughout",
    }
    assert provenance(draft, "register", "record", "chain", "via_company") == ("bods", "ada", "", "")
    assert [{"forenames": "ada", "surname": "quill"}] in draft.parts
    assert (context.people, context.companies, context.lines) == (1, {PAVING}, 3)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("array", [False, True])
def test_a_chain_leads_to_the_person_and_is_told_in_words(tmp_path, order, array):
    content = CHAIN[::order]
    path = tmp_path / "r.json"
    if array:
        path.write_text(json.dumps(content), encoding="utf-8")
    else:
        lines(path, content)
    drafts, context = behind(path, PAVING, include_ceased=True)
    found = {draft.provenance["record"]: draft for draft in drafts}
    assert found.keys() == {"ada", "top", "mid"}
    ada = found["ada"]
    assert provenance(ada, "company_number", "via_company", "role") == (
        "07654321",
        PAVING,
        "shareholding (indirect)",
    )
    assert ada.provenance["chain"] == (
        "has shareholding in Top Ltd (07654321) since 2018-01-01, "
        "which has votingRights in Mid GmbH 2020-05-01 to 2022-01-31, "
        "which has shareholding in Paving Ltd (01234567) since 2019-04-01"
    )
    # From when the last link held until the first one ended.
    assert ada.provenance["appointment"] == "2020-05-01 to 2022-01-31"
    assert found["top"].provenance["role"] == "corporate votingRights (indirect)"
    assert [{"company_number": "07654321"}] in found["top"].parts
    assert provenance(found["mid"], "company_number", "chain") == (PAVING, "")
    assert (context.people, context.corporate, context.companies) == (1, 2, {PAVING})
    # Everybody behind Mid and Top is in this file already.
    assert not context.follow


def test_an_ended_link_ends_the_chain(tmp_path):
    drafts, context = behind(lines(tmp_path / "r.jsonl", CHAIN), PAVING)
    assert [draft.provenance["record"] for draft in drafts] == ["mid"]
    assert context.ceased == 1


def test_an_indirect_interest_is_told_by_its_components(tmp_path):
    indirect = {"type": "shareholding", "directOrIndirect": "indirect", "startDate": "2021"}
    parts = ["r-ada-top", "top", "r-top-paving"]
    content = [
        person("ada", "Ada Quill"),
        entity("paving", "Paving Ltd", "1234567"),
        entity("top", "Top Ltd", "7654321"),
        holds("ada", "paving", indirect, record="whole", isComponent=False, componentRecords=parts),
        holds("ada", "top", isComponent=True),
        holds("top", "paving", isComponent=True),
        person("bo", "Bo Tarrow"),
        holds("bo", "paving", indirect),
    ]
    drafts, _ = behind(lines(tmp_path / "r.jsonl", content), PAVING)
    chains = {
        draft.provenance["record"]: provenance(draft, "role", "chain", "via_company") for draft in drafts
    }
    assert chains["ada"] == (
        "shareholding (indirect)",
        (
            "has shareholding in Top Ltd (07654321) since 2019-04-01, "
            "which has shareholding in Paving Ltd (01234567) since 2019-04-01"
        ),
        "",
    )
    assert chains["bo"] == ("shareholding (indirect)", "indirect, through companies that are not stated", "")
    assert len(drafts) == 3


def test_circles_end_and_are_counted(tmp_path):
    content = [
        entity("a", "A Ltd", "1234567"),
        entity("b", "B Ltd", "7654321"),
        entity("c", "C Ltd"),
        person("ada", "Ada Quill"),
        holds("b", "a"),
        holds("c", "b"),
        holds("a", "c"),
        holds("b", "b"),
        holds("ada", "c"),
    ]
    drafts, context = behind(lines(tmp_path / "r.jsonl", content), PAVING)
    assert {draft.provenance["record"] for draft in drafts} == {"b", "c", "ada"}
    assert [count for text, count in context.warnings.items() if "form a circle" in text] == [2]


def test_a_person_is_reached_once_by_the_shortest_way(tmp_path):
    content = [
        entity("a", "A Ltd", "1234567"),
        *(entity(name, name) for name in ("left", "right", "high")),
        person("ada", "Ada Quill"),
        holds("left", "a"),
        holds("right", "a"),
        holds("ada", "left"),
        holds("ada", "right"),
        holds("high", "right"),
        holds("ada", "high"),
    ]
    drafts, context = behind(lines(tmp_path / "r.jsonl", content), PAVING)
    assert [draft.provenance["record"] for draft in drafts].count("ada") == 1
    assert not context.warnings


def test_several_direct_interests_are_several_leads(tmp_path):
    content = [
        entity("a", "A Ltd", "1234567"),
        person("ada", "Ada Quill"),
        holds("ada", "a", {"type": "boardMember"}, record="one"),
        holds("ada", "a", {"type": "shareholding"}, record="two"),
    ]
    drafts, _ = behind(lines(tmp_path / "r.jsonl", content), PAVING)
    assert {draft.facts["role"] for draft in drafts} == {"boardMember", "shareholding"}
    assert len({draft.entity for draft in drafts}) == 1


def link(holder, held, start="", end="", *, ended=False, **more):
    return Link(f"{holder}-{held}", holder, held, ("owner",), Period(start, end), ended, **more)


def test_long_chains_and_crowds_are_cut():
    graph, context = Graph(), ReadContext()
    for number in range(MAX_LINKS + 3):
        graph.add(link(f"c{number + 1}", f"c{number}"))
    assert len(list(graph.chains_above("c0", context))) == MAX_LINKS
    assert [count for text, count in context.warnings.items() if f"more than {MAX_LINKS} links" in text] == [
        1
    ]
    crowd, context = Graph(), ReadContext()
    for number in range(MAX_HOLDERS + 10):
        crowd.add(link(f"h{number}", "c"))
    assert len(list(crowd.chains_above("c", context))) == MAX_HOLDERS
    assert [count for text, count in context.warnings.items() if "holders" in text] == [1]


def test_links_that_never_held_together_are_no_chain():
    graph, context = Graph(), ReadContext(include_ceased=True)
    graph.add(link("mid", "paving", "2020-01-01"))
    graph.add(link("ada", "mid", "2015", "2019-12", ended=True))
    assert [chain[0].holder for chain in graph.chains_above("paving", context)] == ["mid"]
    assert any("never valid at the same time" in text for text in context.warnings)
    assert common_period((link("a", "b", "", "2020-01"), link("b", "c", "2019"))) == Period("", "2020-01")
    assert common_period((link("a", "b", "2020-01", "2021"), link("b", "c", "2020-01-15"))) == Period(
        "2020-01-15", "2021"
    )


FTM = [
    {"id": "p1", "schema": "Person", "properties": {"name": ["Ada Rose Quillfeather"], "birthDate": ["1970-02"]}},
    {"id": "p2", "schema": "Person", "properties": {"name": ["Bram O'Tarrow"], "birthDate": ["1981"]}},
    {"id": "p3", "schema": "Person", "properties": {"name": ["Esme Elsewhere"], "birthDate": ["1955"]}},
    {"id": "d1", "schema": "Directorship",
     "properties": {"director": ["p1"], "organization": ["c1"], "role": ["Director"], "startDate": ["2019-04-01"]}},
    {"id": "o1", "schema": "Ownership", "properties": {"owner": ["c2"], "asset": ["c1"], "startDate": ["2018"]}},
    {"id": "o2", "schema": "Ownership", "properties": {"owner": ["p2"], "asset": ["c2"], "startDate": ["2017"]}},
    {"id": "a1", "schema": "Representation", "properties": {"agent": ["c3"], "client": ["c1"]}},
    {"id": "o3", "schema": "Ownership", "properties": {"owner": ["p3"], "asset": ["c3"]}},
    {"id": "c1", "schema": "Company",
     "properties": {"name": ["Paving Ltd"], "registrationNumber": ["01234567"], "jurisdiction": ["gb"]}},
    {"id": "c2", "schema": "Company",
     "properties": {"name": ["Top GmbH"], "registrationNumber": ["HRB 1"], "jurisdiction": ["de"]}},
    {"id": "c3", "schema": "Company", "properties": {"name": ["Agents LLP"], "registrationNumber": ["OC301234"]}},
]  # fmt: skip


def test_follow_the_money_as_a_register(tmp_path):
    drafts, context = behind(lines(tmp_path / "r.jsonl", FTM), PAVING)
    found = {draft.provenance["entity"]: provenance(draft, "company_number", "role", "via_company", "appointed_on")
             for draft in drafts}  # fmt: skip
    assert found == {
        "p1": (PAVING, "Director", "", "2019-04-01"),
        "c2": (PAVING, "corporate owner", "", "2018"),
        "c3": (PAVING, "corporate representative", "", ""),
        # Who owns an agent does not stand behind its client; who owns the owner does.
        "p2": ("", "owner (indirect)", PAVING, "2018"),
    }
    (bram,) = (draft for draft in drafts if draft.provenance["entity"] == "p2")
    assert bram.provenance["chain"] == (
        "is owner of Top GmbH since 2017, which is owner of Paving Ltd (01234567) since 2018"
    )
    assert (context.people, context.corporate) == (2, 2)


@pytest.fixture
def node(tmp_path):
    settings = Settings(agency="west-council", name="West Council", role="council")
    with Node.create(tmp_path / "node", settings, "correct horse", scrypt_n=2**10, user="ann") as made:
        yield made


@pytest.mark.parametrize(("content", "people"), [(CHAIN, {"far"}), (FTM, {"p1", "p2"})])
def test_suppliers_with_such_a_register(node, tmp_path, content, people):
    suppliers = tmp_path / "s.csv"
    number = "9999999" if content is CHAIN else "1234567"
    suppliers.write_text(f"reference,company_number\nV1,{number}\n", encoding="utf-8")
    register = lines(tmp_path / "r.jsonl", content)
    report = import_collection(
        node, "s", "suppliers", suppliers, register=register, schema="uk-person-company-2"
    )
    assert report.register["people"] == len(people)
    found = open_collection(node, "s")
    records = [found.record(place) for place in found.find("V1")]
    assert records[0].facts["role"] == "company"
    who = {record.provenance.get("record") or record.provenance.get("entity") for record in records[1:]}
    assert people <= who


def test_a_register_that_breaks_off_is_refused_or_reported(node, tmp_path):
    cut = tmp_path / "cut.json"
    cut.write_text(json.dumps(CHAIN)[:-40], encoding="utf-8")
    with pytest.raises(InputError, match="cut off"):
        behind(cut, PAVING)
    bad = lines(tmp_path / "bad.jsonl", [*CHAIN, {"recordType": "person"}, {"statementId": "x"}])
    drafts, _ = behind(bad, "09999999")
    assert [fault.reason for draft in drafts for fault in draft.faults] == [
        "the statement has no recordId",
        "is not a statement of BODS 0.4: its recordType is missing or unknown",
    ]
