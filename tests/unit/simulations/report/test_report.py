"""Reports: figures agree with the truth, the summary is stable, the page is self-contained and escapes everything."""

import json
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from blindmatch.simulations.audit.lead_scores import (
    LINKS,
    Score,
    by_kind,
    by_link,
    kinds_by_record,
    links_by_record,
    score_leads,
)
from blindmatch.simulations.audit.outcome import AreaOutcome, SimulationOutcome
from blindmatch.simulations.audit.verdict import Finding, Verdict, Violation
from blindmatch.simulations.drivers.results import ReportedLead
from blindmatch.simulations.drivers.traffic import Traffic
from blindmatch.simulations.report import render_page, summarise, write_page, write_summary
from blindmatch.simulations.report.markup import bar, octets
from blindmatch.simulations.scenario.noise_kinds import NoiseKind
from blindmatch.simulations.scenario.scenario import load_scenario
from blindmatch.simulations.world.area import build_area
from blindmatch.simulations.world.truth import Pair

POLICE, COUNCIL = "ashmoor-police", "ashmoor-city-council"
SIZES = {
    "receiver": POLICE,
    "sender": COUNCIL,
    "disclosure": "hits+facts",
    "verified": False,
    "receiver_records": 30,
    "sender_records": 60,
    "receiver_elements": 240,
    "sender_elements": 480,
    "keys": 24,
    "expected_true": 9.5,
    "expected_false": 0.75,
}


@pytest.fixture(scope="module")
def area_data():
    scenario = load_scenario("pilot")
    return build_area(scenario, scenario.areas[0], seed=2, scale=0.3)


@pytest.fixture
def outcome(area_data):
    truth = area_data.truth(POLICE, COUNCIL)
    kinds = kinds_by_record(truth)
    linked = [s for s, kind in kinds.items() if kind != NoiseKind.WITHHELD]
    stranger = next(s.reference for s in area_data.subjects[POLICE] if s.reference not in kinds)
    leads = [
        ReportedLead(subject, ("same <company> number",), 30.0, ({"name": "A & B"},), 0.98765)
        for subject in linked[:-1]
    ]
    traffic = Traffic(
        Counter({"sent BlindedChunk": 2, "received TagChunk": 3}),
        Counter({"sent BlindedChunk": 200, "received TagChunk": 90}),
    )
    comparison = score_leads(
        truth,
        [*leads, ReportedLead(stranger, ("same name",), 25.0, (), 0.61)],
        traffic=traffic,
        **SIZES,
    )
    findings = (Finding(POLICE, "an <edge>", "receiver", "2 of its own", "which & why", "3 in truth"),)
    area = AreaOutcome(
        "ashmoor",
        "Ash & moor",
        {"agreement": "ab" * 32},
        (comparison,),
        1,
        {"round": 1.5},
        verdict=Verdict(findings, nodes=2),
    )
    return SimulationOutcome("pilot", "Title <1>", "All is invented.", 2, 0.3, False, (area,), 12.3)


def test_judge_counts_found_false_and_missed(outcome, area_data):
    (comparison,) = outcome.comparisons
    kinds = kinds_by_record(area_data.truth(comparison.receiver, comparison.sender))
    assert comparison.leads == len(comparison.true) + 1
    assert len(comparison.missed) == 1
    assert len(comparison.true) + len(comparison.missed) + comparison.withheld == len(kinds)
    assert Score.of([comparison]).precision == len(comparison.true) / comparison.leads < 1
    assert Score.of([comparison]).recall == len(comparison.true) / (len(comparison.true) + 1) < 1


def test_a_lead_on_a_withheld_subject_is_false():
    truth = [Pair("S1", "V1", "person", frozenset({NoiseKind.WITHHELD}))]
    comparison = score_leads(truth, [ReportedLead("S1", ("x",), 1.0)], **SIZES)
    assert set(comparison.false) == {"S1"}
    assert comparison.withheld == 1
    assert Score.of([comparison]).recall == 1.0


def test_the_easiest_pair_counts():
    pairs = [
        Pair("S1", "V1", "person", frozenset({NoiseKind.MISSING_BIRTH})),
        Pair("S1", "V2", "person", frozenset({NoiseKind.OLD_POSTCODE})),
        Pair("S2", "V3", "person", frozenset()),
    ]
    assert kinds_by_record(pairs) == {"S1": "old-postcode", "S2": "clean"}


def test_nothing_to_find_is_not_a_failure():
    score = Score.of([])
    assert (score.precision, score.recall) == (1.0, 1.0)
    empty = score_leads([], [], **SIZES)
    assert (Score.of([empty]).precision, Score.of([empty]).recall) == (1.0, 1.0)


def test_kinds_add_up(outcome):
    kinds = by_kind(outcome.comparisons)
    score = Score.of(outcome.comparisons)
    assert sum(found for found, _ in kinds.values()) == score.true
    assert sum(of for _, of in kinds.values()) == score.true + score.missed
    assert next(iter(kinds)) == "clean"
    links = by_link(outcome.comparisons)
    assert set(links) <= set(LINKS)
    assert sum(found for found, _ in links.values()) == score.true
    assert sum(of for _, of in links.values()) == score.true + score.missed
    assert (score.expected_true, score.expected_false) == (9.5, 0.75)


def test_all_that_links_a_subject_counts():
    pairs = [
        Pair("S1", "V1", "person", frozenset()),
        Pair("S1", "V2", "company", frozenset()),
        Pair("S2", "V1", "company", frozenset()),
    ]
    assert links_by_record(pairs) == {"S1": "person+company", "S2": "company"}


def test_summary_is_json_and_its_result_does_not_depend_on_the_run(outcome, tmp_path):
    written = write_summary(tmp_path / "summary.json", outcome)
    assert json.loads((tmp_path / "summary.json").read_text(encoding="utf-8")) == written
    slower = replace(outcome, seconds=99.0, processes=True)
    assert summarise(slower)["result"] == written["result"]
    assert summarise(slower)["result_sha256"] == written["result_sha256"]
    (comparison,) = written["result"]["areas"][0]["comparisons"]
    assert comparison["expected"] == {"true": 9.5, "false": 0.75}
    assert {lead["posterior"] for lead in comparison["true"]} == {0.9877}
    assert written["result"]["totals"]["expected"]["false"] == 0.75
    assert written["measured"]["wire"]["bytes_sent"] == 200
    assert written["measured"]["wire"]["bytes_received"] == 90


def test_another_result_has_another_fingerprint(outcome):
    (area,) = outcome.areas
    (comparison,) = area.comparisons
    fewer = replace(comparison, true=dict(list(comparison.true.items())[1:]))
    changed = replace(outcome, areas=(replace(area, comparisons=(fewer,)),))
    assert summarise(changed)["result_sha256"] != summarise(outcome)["result_sha256"]


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in {"meta", "br", "rect", "link", "img"}:
            self.open.append(tag)
        self.links += [value for name, value in attrs if name in {"src", "href", "data", "action"}]

    def handle_endtag(self, tag):
        if tag != "rect":
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_page_is_well_formed_and_self_contained(outcome, tmp_path):
    write_page(tmp_path / "report.html", outcome)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = _Page()
    page.feed(text)
    assert page.open == []
    assert page.links == []
    assert "<script" not in text
    assert "://" not in text
    assert "url(" not in text
    assert "$" not in text


def test_page_escapes_and_tells(outcome):
    text = render_page(outcome)
    assert "Title &lt;1&gt;" in text
    assert "Ash &amp; moor" in text
    assert "<company>" not in text
    page = _Page()
    page.feed(text)
    words = " ".join(page.text)
    for wanted in (
        "All is invented.",
        "Invented data",
        "Precision",
        "Recall",
        "Missed",
        "False leads",
        "Withheld",
        "98.77%",
        "61.00%",
        "The model expected 0.8 in this run",
        *(words for link, words in LINKS.items() if link in by_link(outcome.comparisons)),
    ):
        assert wanted in words
    (comparison,) = outcome.comparisons
    for subject in (*comparison.missed, *comparison.false):
        assert subject in words
    assert "12 seconds" in words
    assert "an <edge>" in words
    assert "which & why" in words
    assert "Declarations are violated" not in words


def test_violations_stand_out(outcome, tmp_path):
    (area,) = outcome.areas
    verdict = replace(area.verdict, violations=(Violation(COUNCIL, "edge", "holds 3 <leads>"),))
    changed = replace(outcome, areas=(replace(area, verdict=verdict),))
    text = render_page(changed)
    assert "Declarations are violated" in text
    assert "holds 3 &lt;leads&gt;" in text
    summary = summarise(changed)
    assert summary["declarations"]["violations"] == [vars(verdict.violations[0])]
    # What nodes hold says nothing about what was found: the fingerprint is of the result.
    assert summary["result_sha256"] == summarise(outcome)["result_sha256"]


def test_bars_stay_in_their_track():
    assert 'value="1.000"' in bar(1.7, "x")
    assert 'value="0.000"' in bar(-1, "x")


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (9_999, "9,999 B"), (25_400, "25 kB"), (12_300_000, "12.3 MB")]
)
def test_octets(count, text):
    assert octets(count) == text
