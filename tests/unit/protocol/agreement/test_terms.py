"""Every field of an agreement: what is right stays, what is wrong is named."""

from dataclasses import fields, replace

import pytest
from tests.support.agencies import SCHEMA, agreement_between, edge_between, threshold_between
from tests.support.sample_agreement import EAST, EVERYONE, FORCE, SOUTH, START, sample_agreement

from blindmatch.protocol import agreement as terms
from blindmatch.protocol.agreement import (
    Agreement,
    Count,
    Disclosure,
    Edge,
    Hits,
    Linkage,
    Party,
    Side,
    Standing,
    Threshold,
    validation,
)
from blindmatch.protocol.errors import AgreementError
from blindmatch.protocol.limits import LIMITS

LONG = "x" * (LIMITS.text_characters + 1)


def with_facts() -> Edge:
    return edge_between(
        "west-force", "east-council", disclosure=Disclosure.HITS_FACTS, facts=["contract_value"]
    )


def refused(field: str, make, **changes) -> AgreementError:
    with pytest.raises(AgreementError) as caught:
        replace(make, **changes)
    assert caught.value.field == field
    assert caught.value.message.startswith(f"{field}: ")
    return caught.value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("agency", ""),
        ("agency", "West-Force"),
        ("agency", "-west"),
        ("agency", "west_force"),
        ("agency", "w" * 64),
        ("agency", None),
        ("name", ""),
        ("name", "  "),
        ("name", "x" * 201),
        ("name", "West\x1b[31mForce"),
        ("name", "West\u202eecroF"),
        ("role", "Police"),
        ("role", ""),
        ("identity_key", b"\x01" * 31),
        ("identity_key", b"\x01" * 33),
        ("identity_key", bytes(32)),
        ("identity_key", "00"),
        ("certificate_key", b""),
        ("certificate_key", bytes(32)),
        ("legal_basis", ""),
        ("legal_basis", LONG),
        ("contact", "a\tb"),
        ("contact", " "),
        ("contact", 5),
    ],
)
def test_party(field, value):
    refused(field, FORCE.party(), **{field: value})


def test_a_party_needs_no_contact():
    assert replace(FORCE.party(), contact="").contact == ""


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("agency", "No"),
        ("collection_kind", "people"),
        ("collection_kind", ""),
        ("collection_kind", None),
        ("max_records", 0),
        ("max_records", -1),
        ("max_records", LIMITS.records + 1),
        ("max_records", True),
        ("max_records", 1.5),
        ("max_records", "100"),
        ("tokens_per_record", 0),
        ("tokens_per_record", LIMITS.tokens_per_record + 1),
    ],
)
def test_side(field, value):
    refused(field, Side("west-force", "subjects", 100, 8), **{field: value})


def test_a_side_may_not_bring_more_elements_than_the_limit():
    side = Side("west-force", "subjects", LIMITS.records, LIMITS.elements // LIMITS.records)
    assert side.max_elements == LIMITS.elements
    assert "elements" in refused("max_records", side, tokens_per_record=side.tokens_per_record + 1).message


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", ""),
        ("id", "Edge 1"),
        ("id", "e" * 65),
        ("leakage", ""),
        ("leakage", LONG),
        ("linkage", None),
        ("linkage", (0.05, 0.01, 80, True)),
    ],
)
def test_edge(field, value):
    refused(field, edge_between("west-force", "east-council"), **{field: value})


@pytest.mark.parametrize("disclosure", ["everything", 1, "threshold", "", None])
def test_an_edge_has_one_of_the_disclosures_of_edges(disclosure):
    with pytest.raises(AgreementError) as caught:
        terms.edge_terms(disclosure, {})
    assert caught.value.field == "disclosure"


def test_an_edge_has_terms():
    refused("disclosure", edge_between("west-force", "east-council"), terms=None)


@pytest.mark.parametrize(
    ("disclosure", "field", "value"),
    [
        ("hits", "verified", 1),
        ("hits", "minimum_count", 1),
        ("hits", "minimum_count", False),
        ("hits", "band", 1),
        ("hits", "value", "contract_value"),
        ("hits", "decimals", 2),
        ("hits", "report_to", ("north-board",)),
        ("hits", "facts", ("contract_value",)),
        ("hits", "fact_bytes", 8),
        ("count", "verified", True),
        ("count", "minimum_count", terms.LEAST_MINIMUM - 1),
        ("sum", "minimum_count", 0),
        ("count", "minimum_count", LIMITS.records + 1),
        ("count", "band", 0),
        ("sum", "band", LIMITS.sum_total + 1),
        ("count", "value", "contract_value"),
        ("count", "decimals", 2),
        ("sum", "value", ""),
        ("sum", "value", "Contract Value"),
        ("sum", "decimals", 5),
        ("sum", "decimals", -1),
        ("count", "facts", ("contract_value",)),
        ("sum", "fact_bytes", 64),
        ("count", "report_to", ["board"]),
        ("count", "report_to[0]", ("The Board",)),
        ("sum", "report_to[1]", ("board", "board")),
    ],
)
def test_terms_of_a_disclosure(disclosure, field, value):
    fields = {"value": "contract_value"} if disclosure == "sum" else {}
    with pytest.raises(AgreementError) as caught:
        terms.edge_terms(disclosure, {**fields, field.partition("[")[0]: value})
    assert caught.value.field == field


def test_fields_of_other_disclosures_may_be_empty():
    assert terms.edge_terms("hits", dict(terms.TERM_FIELDS)) == Hits()


@pytest.mark.parametrize("agency", ["west-force", "east-council"])
def test_a_result_is_reported_to_agencies_outside_the_edge(agency):
    edge = edge_between("west-force", "east-council", disclosure=Disclosure.COUNT)
    refused("report_to[0]", edge, terms=Count(report_to=(agency,)))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "No"),
        ("members", (Side("west-force", "subjects", 100, 8),)),
        ("members", tuple(Side(f"force-{n}", "subjects", 100, 8) for n in range(terms.MEMBERS + 1))),
        ("members[1].agency", (Side("west-force", "subjects", 100, 8),) * 2),
        ("at_least", 1),
        ("at_least", 4),
        ("minimum_count", 0),
        ("minimum_count", True),
        ("band", 0),
        ("leakage", ""),
        ("linkage", None),
    ],
)
def test_threshold(field, value):
    threshold = threshold_between(["west-force", "east-force", "south-force"], 2, "west-force")
    refused(field, threshold, **{field.partition("[")[0]: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epoch_days", 0),
        ("epoch_days", LIMITS.epoch_days + 1),
        ("epoch_days", 1.5),
        ("checks_per_day", -1),
        ("checks_per_day", LIMITS.checks_per_day + 1),
    ],
)
def test_standing(field, value):
    refused(field, Standing(30, 100), **{field: value})


def of_many(**changes) -> Agreement:
    agencies = [agency.id for agency in EVERYONE]
    threshold = threshold_between(agencies, 2, "west-force")
    parties = [agency.party() for agency in EVERYONE]
    terms_of = {"thresholds": [threshold], "collector": "west-force", **changes}
    return agreement_between(parties, [], start=START, **terms_of)


def test_a_threshold_needs_no_edges_but_a_collector_and_parties():
    assert of_many().threshold("shared").at_least == 2
    refused("collector", of_many(), collector="")
    stranger = threshold_between(["west-force", "north-force"], 2, "west-force")
    refused("thresholds[0].members[1].agency", of_many(), thresholds=(stranger,))
    refused("thresholds[1].id", of_many(), thresholds=of_many().thresholds * 2)
    with pytest.raises(AgreementError, match="no threshold"):
        of_many().threshold("other")


def test_a_report_goes_to_a_party():
    edge = edge_between("west-force", "east-council", disclosure=Disclosure.COUNT)
    parties = [agency.party() for agency in EVERYONE]
    reported = replace(edge, terms=Count(report_to=("south-council",)))
    assert agreement_between(parties, [reported], start=START).edges[0].terms.report_to == ("south-council",)
    refused(
        "edges[0].report_to",
        agreement_between(parties, [edge], start=START),
        edges=(replace(edge, terms=Count(report_to=("north-board",))),),
    )


def test_a_standing_agreement_has_an_edge_of_hits():
    assert replace(sample_agreement(), standing=Standing(30)).standing == Standing(30, 0)
    count = edge_between("west-force", "east-council", disclosure=Disclosure.COUNT)
    refused("standing", replace(sample_agreement(), edges=(count,)), standing=Standing(30))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("overlap", 0),
        ("overlap", 1.0),
        ("overlap", -0.05),
        ("overlap", 1e-7),
        ("overlap", 0.1234567),
        ("overlap", float("nan")),
        ("overlap", "5%"),
        ("overlap", True),
        ("false_leads", 0.0),
        ("false_leads", 1),
        ("budget", 0),
        ("budget", LIMITS.keys + 1),
        ("budget", 8.0),
        ("missing", 1),
    ],
)
def test_linkage(field, value):
    refused(field, Linkage(), **{field: value})


def test_an_edge_joins_two_agencies():
    side = Side("west-force", "suppliers", 10, 8)
    refused("sender.agency", edge_between("west-force", "east-council"), sender=side)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("facts", {"facts": ()}),
        ("facts", {"facts": ["contract_value"]}),
        ("facts", {"facts": tuple(f"f{n}" for n in range(65))}),
        ("facts[1]", {"facts": ("contract_value", "contract_value")}),
        ("facts[0]", {"facts": ("Contract Value",)}),
        ("facts[0]", {"facts": ("",)}),
        ("fact_bytes", {"fact_bytes": 0}),
        ("fact_bytes", {"fact_bytes": LIMITS.fact_bytes + 1}),
    ],
)
def test_facts(field, changes):
    refused(field, with_facts().terms, **changes)


def test_the_name_of_a_disclosure_gives_its_terms():
    values = {"facts": ("contract_value",), "fact_bytes": 64}
    assert replace(with_facts(), terms=terms.edge_terms("hits+facts", values)) == with_facts()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("format", 2),
        ("format", 0),
        ("title", ""),
        ("title", "two\nlines\x00"),
        ("title", "x" * 201),
        ("purpose", ""),
        ("purpose", LONG),
        ("parties", ()),
        ("parties", (FORCE.party(),)),
        ("parties", [FORCE.party(), EAST.party()]),
        ("suite", "P256-SHA256"),
        ("suite", ""),
        ("schema", ""),
        ("schema", "UK"),
        ("schema_digest", bytes(32)),
        ("schema_digest", b"\x01" * 16),
        ("edges", ()),
        ("edges", [edge_between("west-force", "east-council")]),
        ("marking", "RESTRICTED"),
        ("marking", ""),
        ("handling_codes", ()),
        ("handling_codes", ["P"]),
        ("handling_codes", ("P", "C", "P")),
        ("handling_codes[0]", ("X",)),
        ("handling_codes[1]", ("P", "P")),
        ("not_before", -1),
        ("not_before", 1.5),
        ("expires", START),
        ("expires", START - 1),
        ("expires", terms.field_types.LAST_SECOND + 1),
        ("rounds_budget", 0),
        ("rounds_budget", LIMITS.rounds + 1),
        ("calendar", "daily"),
        ("retention_days", 0),
        ("retention_days", LIMITS.retention_days + 1),
        ("collector", "north-force"),
        ("collector", "west\x1b[2Jforce"),
        ("collector", None),
        ("nonce", b"\x01" * 15),
        ("nonce", bytes(16)),
        ("thresholds", [threshold_between(["west-force", "east-council"], 2, "west-force")]),
    ],
)
def test_agreement(field, value):
    refused(field, sample_agreement(), **{field.partition("[")[0]: value})


def test_every_field_of_every_class_has_a_wrong_value_above():
    tried = {
        Party: test_party,
        Side: test_side,
        Edge: test_edge,
        Linkage: test_linkage,
        Threshold: test_threshold,
        Standing: test_standing,
        Agreement: test_agreement,
    }
    for kind, test in tried.items():
        (mark,) = [mark for mark in test.pytestmark if mark.name == "parametrize"]
        named = {field.partition("[")[0].partition(".")[0] for field, _ in mark.args[1]}
        known = {Edge: {"receiver", "sender", "terms"}, Agreement: {"standing"}}.get(kind, set())
        assert named | known == {field.name for field in fields(kind)}
    (mark,) = [mark for mark in test_terms_of_a_disclosure.pytestmark if mark.name == "parametrize"]
    assert {field.partition("[")[0] for _, field, _ in mark.args[1]} == set(terms.TERM_FIELDS)


def test_once_means_one_round():
    refused("rounds_budget", sample_agreement(), calendar="once")
    assert replace(sample_agreement(), calendar="once", rounds_budget=1).calendar == "once"


@pytest.mark.parametrize("field", ["agency", "identity_key", "certificate_key"])
def test_no_two_parties_share(field):
    shared = replace(SOUTH.party(), **{field: getattr(EAST.party(), field)})
    refused(f"parties[2].{field}", sample_agreement(), parties=(FORCE.party(), EAST.party(), shared))


def test_both_sides_of_every_edge_are_parties():
    stranger = edge_between("west-force", "north-council")
    refused("edges[1].sender.agency", sample_agreement(), edges=(sample_agreement().edges[0], stranger))
    refused(
        "edges[0].receiver.agency", sample_agreement(), edges=(edge_between("north-force", "east-council"),)
    )


def test_edges_have_different_ids_and_say_different_things():
    first = sample_agreement().edges[0]
    refused(
        "edges[1].id", sample_agreement(), edges=(first, replace(sample_agreement().edges[1], id=first.id))
    )
    refused("edges[1]", sample_agreement(), edges=(first, replace(first, id="again")))


def test_looking_things_up():
    agreement = sample_agreement()
    assert agreement.party("east-council") == EAST.party()
    assert agreement.edge("west-force-from-south-council").sender.agency == "south-council"
    assert [edge.sender.agency for edge in agreement.edges_received_by("west-force")] == [
        "east-council",
        "south-council",
    ]
    assert agreement.edges_received_by("east-council") == ()
    assert agreement.edges[0].side("east-council") is agreement.edges[0].sender
    for wrong in (
        lambda: agreement.party("north-force"),
        lambda: agreement.edge("none"),
        lambda: agreement.edges[0].side("south-council"),
    ):
        with pytest.raises(AgreementError):
            wrong()


def test_a_path_grows_from_the_inside_out():
    with pytest.raises(AgreementError) as caught, validation.at("edges[1]"), validation.at("sender"):
        Side("west-force", "subjects", 0, 8)
    assert caught.value.field == "edges[1].sender.max_records"
    assert caught.value.message == "edges[1].sender.max_records: is 0; it must be between 1 and 20000000"


@pytest.mark.parametrize(
    ("marking", "cap", "may"),
    [
        ("OFFICIAL", "OFFICIAL", True),
        ("OFFICIAL", "TOP SECRET", True),
        ("SECRET", "OFFICIAL-SENSITIVE", False),
        ("", "TOP SECRET", False),
        ("secret", "TOP SECRET", False),
    ],
)
def test_markings_are_ordered(marking, cap, may):
    assert terms.within_marking(marking, cap) is may


def test_the_words_say_who_learns_what():
    words = terms.default_leakage(with_facts(), SCHEMA)
    assert "west-force learns which of its own subjects match" in words
    assert "contract_value" in words
    assert "does not learn who they are, which of its own records matched, or whether any did" in words
    assert "contract_value" not in terms.default_leakage(edge_between("west-force", "east-council"), SCHEMA)
