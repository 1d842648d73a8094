"""Patterns: each makes a draft that becomes an agreement with exactly the edges that its name promises."""

import tomllib

import pytest
from tests.support.agencies import Agency

from blindmatch.node.agreements.draft import complete, edge_id, parse_draft
from blindmatch.node.agreements.match_keys import forecast
from blindmatch.node.agreements.patterns import REQUEST_RECORDS, Choices, Pattern, agencies
from blindmatch.node.agreements.payload import encode_agreement, parse_agreement
from blindmatch.node.agreements.template import template
from blindmatch.protocol.agreement import EDGE_CHARACTERS, Disclosure
from blindmatch.protocol.errors import AgreementError, ConfigError

FORCES, COUNCILS = ("west-force", "east-force"), ("a-council", "b-council", "c-council")
NOW = 1_770_000_000.0


def made(choices: Choices, *, text: str = ""):
    """The agreement that a template becomes once title and purpose are written in; through its bytes and back."""
    text = text or template(choices, NOW)
    values = tomllib.loads(text.replace('title = ""', 'title = "T"').replace('"""\n"""', '"""P"""'))
    draft = parse_draft(values)
    entries = {party["agency"]: Agency(party["agency"]).party() for party in draft.parties}
    return parse_agreement(encode_agreement(complete(draft, entries, b"\x05" * 16)))


def pairs(agreement):
    return {(edge.receiver.agency, edge.sender.agency) for edge in agreement.edges}


def test_bipartite_is_every_receiver_with_every_sender():
    agreement = made(Choices(FORCES, COUNCILS))
    assert pairs(agreement) == {(force, council) for force in FORCES for council in COUNCILS}
    assert len(agreement.edges) == 6
    assert {(e.receiver.collection_kind, e.sender.collection_kind) for e in agreement.edges} == {
        ("subjects", "suppliers")
    }
    assert {edge.id for edge in agreement.edges} >= {"west-force-from-a-council"}


@pytest.mark.parametrize("both", [False, True])
def test_a_star_has_one_hub(both):
    agreement = made(Choices(FORCES[:1], COUNCILS, Pattern.STAR, both=both))
    there = {(FORCES[0], council) for council in COUNCILS}
    assert pairs(agreement) == there | ({(b, a) for a, b in there} if both else set())
    for edge in agreement.edges:
        kinds = {side.agency: side.collection_kind for side in (edge.receiver, edge.sender)}
        assert kinds[FORCES[0]] == "subjects"
        assert set(kinds.values()) == {"subjects", "suppliers"}


def test_all_pairs_go_both_ways():
    agreement = made(Choices(members=COUNCILS, pattern=Pattern.ALL_PAIRS))
    assert pairs(agreement) == {(a, b) for a in COUNCILS for b in COUNCILS if a != b}


def test_a_request_carries_few_records_and_is_answered_hit_or_no_hit():
    agreement = made(Choices(FORCES[:1], COUNCILS, Pattern.REQUEST, max_records=1_000_000))
    for edge in agreement.edges:
        assert (edge.receiver.max_records, edge.sender.max_records) == (REQUEST_RECORDS, 1_000_000)
        assert edge.disclosure is Disclosure.HITS
    ahead = forecast(agreement.schema, agreement.edges[0])
    assert ahead.compiled is not None, ahead.problem  # so few against so many still have keys
    assert ahead.compiled.recall > 0.3


@pytest.mark.parametrize("disclosure", [Disclosure.COUNT, Disclosure.SUM])
def test_numbers_have_a_minimum_and_a_band(disclosure):
    total = disclosure is Disclosure.SUM
    choices = Choices(
        FORCES,
        COUNCILS,
        disclosure=disclosure,
        value="contract_value" if total else "",
        decimals=2 if total else 0,
        minimum=10,
        band=5,
        report_to=("national-unit",),
    )
    agreement = made(choices)
    assert agreement.agencies == (*FORCES, *COUNCILS, "national-unit")
    for edge in agreement.edges:
        assert (edge.terms.minimum_count, edge.terms.band, edge.terms.report_to) == (
            10,
            5,
            ("national-unit",),
        )
        assert edge.terms.subject == ("contract_value" if total else "")
        assert not total or edge.terms.decimals == 2
    told = template(choices, NOW)
    assert ("The sender's fact that is added up" in told) == total
    assert ("The count is disclosed in steps" in told) != total


@pytest.mark.parametrize("edges", [(), COUNCILS])
def test_a_threshold_stands_alone_or_beside_edges(edges):
    choices = Choices(
        FORCES if edges else (), edges, members=("x", "y", "z"), at_least=2, collector="hub", minimum=1
    )
    agreement = made(choices)
    (threshold,) = agreement.thresholds
    assert (threshold.agencies, threshold.at_least, agreement.collector) == (("x", "y", "z"), 2, "hub")
    assert len(agreement.edges) == 2 * len(edges)
    assert "hub" in agreement.agencies
    assert agreement.agencies == agencies(choices)


def test_a_standing_agreement_has_epochs_and_checks():
    agreement = made(Choices(FORCES, COUNCILS, epoch_days=30, checks_per_day=50))
    assert (agreement.standing.epoch_days, agreement.standing.checks_per_day) == (30, 50)
    assert agreement.calendar == "weekly"


def test_only_what_the_choice_needs_is_explained_and_once():
    wide = template(Choices([f"force-{i}" for i in range(43)], [f"council-{i}" for i in range(8)]), NOW)
    assert len(wide.splitlines()) < 120
    assert wide.count("[[edges]]") == 1
    for word in ("minimum_count", "band", "value =", "[standing]", "[[thresholds]]", "report_to"):
        assert word not in wide
    both = template(Choices(FORCES[:1], COUNCILS, Pattern.STAR, both=True), NOW)
    assert both.count("# overlap:") == 1
    assert both.count("[[edges]]") == 2


def test_43_forces_and_8_councils_fit_into_one_agreement():
    agreement = made(Choices([f"force-{i}" for i in range(43)], [f"council-{i}" for i in range(8)]))
    assert len(agreement.edges) == 344
    assert len({edge.id for edge in agreement.edges}) == 344


@pytest.mark.parametrize(("disclosure", "count"), [(Disclosure.HITS, 30), (Disclosure.COUNT, 28)])
def test_about_thirty_members_fit_into_one_agreement(disclosure, count):
    members = [f"agency-no-{i:02d}" for i in range(count)]
    agreement = made(Choices(members=members, pattern=Pattern.ALL_PAIRS, disclosure=disclosure))
    assert len(agreement.edges) == count * (count - 1)


def test_too_many_edges_are_refused_with_the_number():
    members = [f"agency-{i:02d}" for i in range(40)]
    with pytest.raises(AgreementError, match=r"edges: has 1560 entries"):
        made(Choices(members=members, pattern=Pattern.ALL_PAIRS))


LONG = "a" * 50


@pytest.mark.parametrize("pair", [(f"{LONG}-1", f"{LONG}-2"), (f"{LONG}-1", f"{LONG}-3"), ("a", "b")])
def test_edge_ids_of_long_names_differ(pair):
    name = edge_id(*pair)
    assert len(name) <= EDGE_CHARACTERS
    assert name != edge_id(f"{LONG}-9", f"{LONG}-9")
    assert name == edge_id(*pair)


WRONG = [
    (Choices(FORCES, ()), "needs a receiver and a sender"),
    (Choices((), COUNCILS), "needs a receiver and a sender"),
    (Choices(), "needs a receiver and a sender"),
    (Choices(FORCES, COUNCILS, Pattern.STAR), "one hub"),
    (Choices(FORCES, COUNCILS, both=True), "only a star"),
    (Choices(members=("a",), pattern=Pattern.ALL_PAIRS), "at least two members"),
    (Choices(FORCES, COUNCILS, Pattern.ALL_PAIRS, members=("a", "b")), "neither receivers nor senders"),
    (Choices(FORCES, COUNCILS, members=("a", "b")), "members are for"),
    (Choices(FORCES, COUNCILS, Pattern.REQUEST, disclosure=Disclosure.HITS_FACTS), "hit or no hit"),
    (Choices(FORCES, COUNCILS, disclosure=Disclosure.SUM), "the fact that is added up"),
    (Choices(FORCES, COUNCILS, disclosure=Disclosure.THRESHOLD), "not a disclosure of an edge"),
    (Choices(FORCES, COUNCILS, collector="hub"), "only a threshold has a collector"),
    (Choices(members=("a", "b"), at_least=2), "needs an agency that collects"),
    (Choices(members=("a", "b"), at_least=3, collector="c"), "no threshold"),
    (Choices(members=("a", "b"), at_least=1, collector="c"), "no threshold"),
    (Choices(members=[str(i) for i in range(11)], at_least=2, collector="c"), "2 to 10 members"),
    (Choices(FORCES, COUNCILS, checks_per_day=1), "only a standing agreement"),
    (Choices(FORCES, COUNCILS, epoch_days=1, disclosure=Disclosure.COUNT), "is for hits"),
]


@pytest.mark.parametrize(("choices", "problem"), WRONG)
def test_choices_that_make_no_agreement(choices, problem):
    with pytest.raises(ConfigError, match=problem) as caught:
        template(choices, NOW)
    assert caught.value.hint


def test_an_agency_that_is_none():
    with pytest.raises(AgreementError, match="agency"):
        template(Choices(("West Force",), COUNCILS), NOW)


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ('["west-force", "east-force"]', "[]", r"edges\[0\].receiver.agency: has 0 entries"),
        (
            '["west-force", "east-force"]',
            '["west-force", 5]',
            r"edges\[0\].receiver.agency\[1\]: must be a text",
        ),
        ('disclosure = "hits"', 'disclosure = "hits"\nid = "x"', r"edges\[0\].id: is for one edge"),
        ('disclosure = "hits"', 'disclosure = "hits"\nleakage = "x"', r"edges\[0\].leakage: is for one edge"),
        ('["west-force", "east-force"]', '["west-force", "west-force"]', r"edges\[3\].id: is the same"),
        ("verified = false", 'report_to = "x"', r"edges\[0\].report_to: must be a list"),
    ],
)
def test_wrong_groups_name_the_field(before, after, problem):
    text = template(Choices(FORCES, COUNCILS), NOW)
    assert before in text
    with pytest.raises(AgreementError, match=problem):
        made(Choices(), text=text.replace(before, after, 1))


def test_an_agency_on_both_sides_does_not_learn_from_itself():
    agreement = made(Choices(("a", "b"), ("b", "c")))
    assert pairs(agreement) == {("a", "b"), ("a", "c"), ("b", "c")}
