"""`report.html`: one self-contained page for an officer. No script, no picture or font from elsewhere."""

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from blindmatch.simulations.outcome import (
    LINKS,
    AreaOutcome,
    Comparison,
    FoundLead,
    Outcome,
    Score,
    by_kind,
    by_link,
    kind_words,
)
from blindmatch.simulations.report.summary import summarise, traffic_total

BAR_WIDTH = 160
BAR_HEIGHT = 12
EXAMPLES = 12
"""Missed and false leads that the page lists one by one; `summary.json` has all."""

WIRE_WORDS = {
    "PrepareRequest": "how common values are in the police file, signed",
    "PrepareReply": "how common values are in the council's file, signed",
    "OpenRequest": "open the comparison, with a signed commitment",
    "OpenReply": "progress, then the council's signed commitment",
    "BlindedChunk": "police elements, blinded",
    "EvaluatedChunk": "the same points under the council's key",
    "TagsRequest": "ask for the tag table",
    "TagChunk": "the council's tags, sorted, with any sealed facts",
    "CloseRequest": "receipt, signed by the police",
    "CloseReply": "receipt, signed by the council",
}


def octets(count: int) -> str:
    """Bytes in the unit that reads best."""
    if count < 10_000:
        return f"{count:,} B"
    if count < 10_000_000:
        return f"{count / 1_000:,.0f} kB"
    return f"{count / 1_000_000:,.1f} MB"


def percent(share: float) -> str:
    """A share with one decimal place."""
    return f"{100 * share:.1f} %"


def _row(cells: Iterable[tuple[str, bool]], css: str = "") -> str:
    """A table row from cells that are escaped already; True marks a number."""
    inner = "".join(f'<td class="n">{text}</td>' if number else f"<td>{text}</td>" for text, number in cells)
    return f'<tr class="{css}">{inner}</tr>' if css else f"<tr>{inner}</tr>"


def bar(share: float, label: str) -> str:
    """A horizontal bar as inline SVG, filled from the left."""
    filled = round(BAR_WIDTH * min(max(share, 0.0), 1.0))
    return (
        f'<svg class="bar" role="img" aria-label="{escape(label)}" width="{BAR_WIDTH}" height="{BAR_HEIGHT}" '
        f'viewBox="0 0 {BAR_WIDTH} {BAR_HEIGHT}"><rect class="track" width="{BAR_WIDTH}" height="{BAR_HEIGHT}" rx="3"/>'
        f'<rect class="fill" width="{filled}" height="{BAR_HEIGHT}" rx="3"/></svg>'
    )


def _tiles(outcome: Outcome, score: Score) -> str:
    agencies = {agency for c in outcome.comparisons for agency in (c.receiver, c.sender)}
    traffic = traffic_total(outcome)
    tiles = [
        ("Areas", f"{len(outcome.areas)}"),
        ("Agencies, a node each", f"{len(agencies)}"),
        ("Comparisons", f"{score.comparisons}"),
        ("Elements compared", f"{score.elements:,}"),
        ("Leads", f"{score.true + score.false}"),
        ("False leads, expected", f"{score.expected_false:.1f}"),
        ("False leads, found", f"{score.false}"),
        ("Precision", percent(score.precision)),
        ("Recall", percent(score.recall)),
        ("Receipts signed by both", f"{sum(area.receipts for area in outcome.areas)}"),
        ("On the wire", octets(traffic.total("sent") + traffic.total("received"))),
    ]
    return "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in tiles)


def _learned(disclosures: set[str]) -> str:
    police = "which of its own subjects match a supplier of the council, and by which keys"
    if "hits+facts" in disclosures:
        only = " (where the agreement says hits+facts)" if "hits" in disclosures else ""
        police += f"; for these alone, the facts that the agreement releases{only}"
    rows = [
        (
            "Police",
            police + "; how many records the council's file has",
            "any other supplier, director or contract; who nearly matched",
        ),
        (
            "Council",
            "how many records the police file has",
            "any name or reference; whether there was any match at all; how many; which supplier",
        ),
        (
            "Anybody on the network",
            "that two nodes spoke, when, and how much",
            "everything else: the link is encrypted and both ends are certified",
        ),
    ]
    return "".join(_row((escape(cell), False) for cell in row) for row in rows)


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
    how = comparison.disclosure + (", verified" if comparison.verified else "")
    who = f"{escape(comparison.sender)} <span class='quiet'>({comparison.sender_records:,} records)</span>"
    size = octets(comparison.traffic.total("sent") + comparison.traffic.total("received"))
    return _row([(who, False), (escape(how), False), *_numbers(Score.of([comparison]), size)])


def _area(area: AreaOutcome) -> str:
    first = area.comparisons[0]
    head = "".join(f'<th class="n">{name}</th>' for name in _HEADINGS)
    rows = "".join(_comparison_row(comparison) for comparison in area.comparisons)
    size = sum(c.traffic.total("sent") + c.traffic.total("received") for c in area.comparisons)
    total = _row([("All", False), ("", False), *_numbers(Score.of(area.comparisons), octets(size))], "sum")
    return (
        f"<h3>{escape(area.name)}</h3>"
        f'<p class="quiet">{escape(first.receiver)} asks; {first.receiver_records:,} records that may enter the round.</p>'
        f'<div class="scroll"><table><thead><tr><th>Council asked</th><th>Disclosure</th>{head}</tr></thead>'
        f"<tbody>{rows}{total}</tbody></table></div>"
    )


def _shares(counts: Iterable[tuple[str, tuple[int, int]]]) -> str:
    rows = []
    for words, (found, of) in counts:
        picture = bar(found / of, f"{found} of {of}")
        rows.append(_row([(escape(words), False), (str(found), True), (str(of), True), (picture, False)]))
    return "".join(rows)


def _listed(title: str, words: str, headings: Sequence[str], rows: Sequence[str]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in headings)
    more = (
        f'<p class="quiet">and {len(rows) - EXAMPLES} more in summary.json</p>'
        if len(rows) > EXAMPLES
        else ""
    )
    return (
        f"<h3>{escape(title)}</h3><p>{escape(words)}</p>"
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows[:EXAMPLES])}</tbody></table></div>{more}'
    )


def _misses(outcome: Outcome) -> str:
    rows = [
        _row(
            [(escape(subject), False), (escape(comparison.sender), False), (escape(kind_words(kind)), False)]
        )
        for comparison in outcome.comparisons
        for subject, kind in comparison.missed.items()
    ]
    words = "A missed subject is one whom the match keys could not reach. The police cannot know this from the round."
    return _listed("Missed", words, ("Police reference", "Council", "Why"), rows)


def _why(lead: FoundLead) -> str:
    return escape("; ".join(lead.keys))


def _likely(lead: FoundLead) -> str:
    """Never 100 %: a model says so of nothing."""
    return f"{min(lead.posterior, 0.9999):.2%}"


def _leads(outcome: Outcome) -> str:
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
            _row(
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


def _false_leads(outcome: Outcome) -> str:
    rows = [
        _row(
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
        "These keys agree, yet the supplier has nothing to do with the subject: somebody else has the same name and month "
        "of birth, or a number was written down wrongly. It is why a lead goes to an officer first. The model expected "
        f"{Score.of(outcome.comparisons).expected_false:.1f} in this run."
    )
    if not rows:
        return (
            "<h3>False leads</h3><p>None in this run. At these sizes two people with one name, born in one month, are "
            f"rare: the model expected {Score.of(outcome.comparisons).expected_false:.1f}.</p>"
        )
    return _listed("False leads", words, ("Police reference", "Council", "Likely", "What agreed"), rows)


def _wire(outcome: Outcome) -> str:
    traffic = traffic_total(outcome)
    rows = []
    for name, count in traffic.messages.items():
        direction, _, kind = name.partition(" ")
        words = f"{kind}: {WIRE_WORDS[kind]}" if kind in WIRE_WORDS else kind
        towards = "police to council" if direction == "sent" else "council to police"
        rows.append(
            _row(
                [
                    (escape(words), False),
                    (towards, False),
                    (f"{count:,}", True),
                    (f"{traffic.octets[name]:,}", True),
                ]
            )
        )
    return "".join(rows)


def render_page(outcome: Outcome, summary: dict[str, Any] | None = None) -> str:
    """The page as text. Every value that is not this module's own words is escaped."""
    summary = summarise(outcome) if summary is None else summary
    template = Template(
        files("blindmatch.simulations.report").joinpath("page.html").read_text(encoding="utf-8")
    )
    command = f"blindmatch simulate {outcome.scenario} --areas {len(outcome.areas)} --seed {outcome.seed} --scale {outcome.scale:g}"
    where = "each node its own process" if outcome.processes else "all nodes in one process, over loopback"
    values = {
        "title": escape(outcome.title),
        "subtitle": escape(f"{len(outcome.areas)} areas; real nodes, gRPC with mutual TLS; {where}."),
        "notice": escape(outcome.notice),
        "tiles": _tiles(outcome, Score.of(outcome.comparisons)),
        "learned": _learned({comparison.disclosure for comparison in outcome.comparisons}),
        "areas": "".join(_area(area) for area in outcome.areas),
        "kinds": _shares((kind_words(kind), n) for kind, n in by_kind(outcome.comparisons).items()),
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


def write_page(path: Path, outcome: Outcome, summary: dict[str, Any] | None = None) -> None:
    """Write the page."""
    path.write_text(render_page(outcome, summary), encoding="utf-8")
