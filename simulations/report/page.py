"""`report.html`: one self-contained page for an officer. No script, no picture or font from elsewhere."""

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from string import Template
from typing import Any

from blindmatch.simulations.audit.outcome import AreaOutcome, Comparison, SimulationOutcome
from blindmatch.simulations.audit.score import LINKS, Score, by_kind, by_link, describe_kind
from blindmatch.simulations.drivers.results import ReportedLead
from blindmatch.simulations.report.aggregates import aggregate_table, check_table, threshold_table
from blindmatch.simulations.report.disclosures import disclosure_tables
from blindmatch.simulations.report.markup import bar, octets, percent, row, table
from blindmatch.simulations.report.summary import summarise, traffic_total

EXAMPLES = 12
"""Missed and false leads that the page lists one by one; `summary.json` has all."""

WIRE_WORDS = {
    "PrepareRequest": "how common values are in the asker's list, signed",
    "PrepareReply": "how common values are in the other's list, signed",
    "OpenRequest": "open the comparison, with a signed commitment",
    "OpenReply": "progress, then the other's signed commitment",
    "BlindedChunk": "the asker's elements, blinded",
    "EvaluatedChunk": "the same points under the other's key",
    "TagsRequest": "ask for the tag table",
    "TagChunk": "the other's tags, sorted, with any sealed facts",
    "CloseRequest": "receipt, signed by the asker",
    "CloseReply": "receipt, signed by the other",
}


def _tiles(outcome: SimulationOutcome, score: Score) -> str:
    nodes = sum(area.verdict.nodes for area in outcome.areas)
    elements = score.elements + sum(n.receiver_elements + n.sender_elements for n in outcome.numbers)
    traffic = traffic_total(outcome)
    tiles = [
        ("Areas", f"{len(outcome.areas)}"),
        ("Agencies, a node each", f"{nodes}"),
        ("Comparisons", f"{score.comparisons + len(outcome.numbers)}"),
        ("Elements compared", f"{elements:,}"),
        ("Leads", f"{score.true + score.false}"),
        ("False leads, expected", f"{score.expected_false:.1f}"),
        ("False leads, found", f"{score.false}"),
        ("Precision", percent(score.precision)),
        ("Recall", percent(score.recall)),
        ("Beyond what is declared", f"{len(outcome.violations)}"),
        ("Receipts signed by all", f"{sum(area.receipts for area in outcome.areas)}"),
        ("On the wire", octets(traffic.total("sent") + traffic.total("received"))),
    ]
    return "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in tiles)


def _numbers(score: Score, traffic: str) -> list[tuple[str, bool]]:
    return [
        (f"{score.elements:,}", True),
        (f"{score.true + score.false}", True),
        (f"{score.true}", True),
        (f"{score.false}", True),
        (f"{score.expected_false:.1f}", True),
        (f"{score.missed}", True),
        (f"{score.withheld}", True),
        (percent(score.precision), True),
        (percent(score.recall), True),
        (traffic, True),
    ]


_HEADINGS = (
    "Elements",
    "Leads",
    "True",
    "False",
    "Expected",
    "Missed",
    "Withheld",
    "Precision",
    "Recall",
    "Bytes",
)


def _comparison_row(comparison: Comparison) -> str:
    who = f"{escape(comparison.sender)} <span class='quiet'>({comparison.sender_records:,} records)</span>"
    size = octets(comparison.traffic.total("sent") + comparison.traffic.total("received"))
    return row([(who, False), (escape(comparison.how), False), *_numbers(Score.of([comparison]), size)])


def _asker(receiver: str, comparisons: Sequence[Comparison]) -> str:
    """One table of all that one agency asked."""
    headings = [("Asked", False), ("Disclosure", False), *((name, True) for name in _HEADINGS)]
    rows = [_comparison_row(comparison) for comparison in comparisons]
    size = sum(c.traffic.total("sent") + c.traffic.total("received") for c in comparisons)
    rows.append(row([("All", False), ("", False), *_numbers(Score.of(comparisons), octets(size))], "sum"))
    records = f"{comparisons[0].receiver_records:,} records that may enter the round"
    return f'<p class="quiet">{escape(receiver)} asks; {records}.</p>' + table(headings, rows)


def _area(area: AreaOutcome) -> str:
    listed = [each for each in area.comparisons if each.disclosure != "threshold"]
    groups = groupby(listed, lambda comparison: comparison.receiver)
    asked = "".join(_asker(receiver, list(group)) for receiver, group in groups)
    more = (
        aggregate_table(area.numbers)
        + "".join(threshold_table(area, each) for each in area.tallies)
        + check_table(area.checks)
    )
    return f"<h3>{escape(area.name)}</h3>{asked}{more}"


def _shares(counts: Iterable[tuple[str, tuple[int, int]]]) -> str:
    rows = []
    for words, (found, of) in counts:
        picture = bar(found / of, f"{found} of {of}")
        rows.append(row([(escape(words), False), (str(found), True), (str(of), True), (picture, False)]))
    return "".join(rows)


def _listed(title: str, words: str, headings: Sequence[tuple[str, bool]], rows: Sequence[str]) -> str:
    if not rows:
        return ""
    more = (
        f'<p class="quiet">and {len(rows) - EXAMPLES} more in summary.json</p>'
        if len(rows) > EXAMPLES
        else ""
    )
    return f"<h3>{escape(title)}</h3><p>{escape(words)}</p>{table(headings, rows[:EXAMPLES])}{more}"


def _misses(outcome: SimulationOutcome) -> str:
    rows = [
        row(
            [
                (escape(subject), False),
                (escape(comparison.sender), False),
                (escape(describe_kind(kind)), False),
            ]
        )
        for comparison in outcome.comparisons
        for subject, kind in comparison.missed.items()
    ]
    words = "A missed record is one that the match keys could not reach. The asker cannot know this from the round."
    return _listed("Missed", words, (("Asker's reference", False), ("Asked", False), ("Why", False)), rows)


def _why(lead: ReportedLead) -> str:
    return escape("; ".join(lead.keys))


def _likely(lead: ReportedLead) -> str:
    """Never 100 %: a model says so of nothing."""
    return f"{min(lead.posterior, 0.9999):.2%}"


def _leads(outcome: SimulationOutcome) -> str:
    """Some leads, the likeliest first, as an officer gets them: whether true or false."""
    every = [
        (lead, comparison.sender)
        for comparison in outcome.comparisons
        for lead in (*comparison.found.values(), *comparison.false.values())
    ]
    every.sort(key=lambda each: (-each[0].posterior, -each[0].score, each[0].subject))
    rows = []
    for lead, sender in every[:: max(1, len(every) // EXAMPLES)][:EXAMPLES]:
        released = "; ".join(" ".join(facts.values()) for facts in lead.facts[:2])
        rows.append(
            row(
                [
                    (escape(lead.subject), False),
                    (escape(sender), False),
                    (_likely(lead), True),
                    (_why(lead), False),
                    (escape(released), False),
                ]
            )
        )
    return "".join(rows)


def _false_leads(outcome: SimulationOutcome) -> str:
    rows = [
        row(
            [
                (escape(subject), False),
                (escape(comparison.sender), False),
                (_likely(lead), True),
                (_why(lead), False),
            ]
        )
        for comparison in outcome.comparisons
        for subject, lead in comparison.false.items()
    ]
    words = (
        "These keys agree, yet the two records have nothing to do with each other: somebody else has the same name and "
        "month of birth, or a number was written down wrongly. It is why a lead goes to an officer first. The model expected "
        f"{Score.of(outcome.comparisons).expected_false:.1f} in this run."
    )
    if not rows:
        return (
            "<h3>False leads</h3><p>None in this run. At these sizes two people with one name, born in one month, are "
            f"rare: the model expected {Score.of(outcome.comparisons).expected_false:.1f}.</p>"
        )
    headings = (("Asker's reference", False), ("Asked", False), ("Likely", True), ("What agreed", False))
    return _listed("False leads", words, headings, rows)


def _wire(outcome: SimulationOutcome) -> str:
    traffic = traffic_total(outcome)
    rows = []
    for name, count in traffic.messages.items():
        direction, _, kind = name.partition(" ")
        words = f"{kind}: {WIRE_WORDS[kind]}" if kind in WIRE_WORDS else kind
        towards = "asker to asked" if direction == "sent" else "asked to asker"
        rows.append(
            row(
                [
                    (escape(words), False),
                    (towards, False),
                    (f"{count:,}", True),
                    (f"{traffic.octets[name]:,}", True),
                ]
            )
        )
    return "".join(rows)


def render_page(outcome: SimulationOutcome, summary: dict[str, Any] | None = None) -> str:
    """The page as text. Every value that is not this module's own words is escaped."""
    summary = summarise(outcome) if summary is None else summary
    template = Template(
        files("blindmatch.simulations.report").joinpath("page.html").read_text(encoding="utf-8")
    )
    command = f"blindmatch simulate {outcome.scenario} --areas {len(outcome.areas)} --seed {outcome.seed} --scale {outcome.scale:g}"
    areas = f"{len(outcome.areas)} area{'s' if len(outcome.areas) != 1 else ''}"
    where = "each node its own process" if outcome.processes else "all nodes in one process, over loopback"
    values = {
        "title": escape(outcome.title),
        "subtitle": escape(f"{areas}; real nodes, gRPC with mutual TLS; {where}."),
        "notice": escape(outcome.notice),
        "tiles": _tiles(outcome, Score.of(outcome.comparisons)),
        "learned": disclosure_tables(outcome),
        "areas": "".join(_area(area) for area in outcome.areas),
        "kinds": _shares((describe_kind(kind), n) for kind, n in by_kind(outcome.comparisons).items()),
        "links": _shares((LINKS[link], n) for link, n in by_link(outcome.comparisons).items()),
        "leads": _leads(outcome),
        "misses": _misses(outcome),
        "false_leads": _false_leads(outcome),
        "wire": _wire(outcome),
        "command": escape(command),
        "fingerprint": escape(summary["result_sha256"][:16]),
        "timing": escape(f"This run took {outcome.seconds:.0f} seconds from empty folders to this page."),
    }
    return template.substitute(values)


def write_page(path: Path, outcome: SimulationOutcome, summary: dict[str, Any] | None = None) -> None:
    """Write the page."""
    path.write_text(render_page(outcome, summary), encoding="utf-8")
