"""A simulation's outcome on the terminal: tables per area, the totals at the end."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import typer

from blindmatch.node.cli.common import facts, note, table
from blindmatch.simulations.audit.outcome import (
    AggregateComparison,
    AreaOutcome,
    Comparison,
    SimulationOutcome,
    ThresholdComparison,
)
from blindmatch.simulations.audit.score import LINKS, Score, by_kind, by_link, describe_kind
from blindmatch.simulations.report.markup import octets, percent
from blindmatch.simulations.report.summary import traffic_total

COLUMNS = ("asked", "keys", "leads", "false", "expected", "recall", "wire")
"""Narrow enough for a terminal of 80 columns; what an area's edges share stands in the line above."""

NUMBER_COLUMNS = ("about", "what", "told", "exactly", "in truth", "passed on to")
"""`exactly`: by the same match keys in the clear, which nobody is told."""

_SHOWN = 20
"""Violations that the terminal lists; `summary.json` has all."""


def _row(comparison: Comparison) -> tuple[object, ...]:
    return (
        comparison.sender,
        comparison.keys,
        comparison.leads,
        len(comparison.false),
        f"{comparison.expected_false:.1f}",
        percent(comparison.recall),
        octets(comparison.traffic.total("sent") + comparison.traffic.total("received")),
    )


def _number(number: AggregateComparison) -> tuple[object, ...]:
    return (
        number.sender,
        number.disclosure,
        number.told.words.partition(":")[0],
        "unknown" if number.clear is None else f"{number.clear:,}",
        f"{number.truth:,}",
        ", ".join(number.reported_to),
    )


def show_area(area: AreaOutcome) -> None:
    """One area: who compared with whom, and what came of it."""
    typer.echo(f"\n{area.name} ({sum(area.seconds.values()):.1f} s)")
    listed = [each for each in area.comparisons if each.disclosure != "threshold"]
    for (receiver, records, how), group in groupby(listed, lambda c: (c.receiver, c.receiver_records, c.how)):
        typer.echo(f"{receiver} asks with {records:,} records ({how})")
        table(COLUMNS, [_row(comparison) for comparison in group])
    if area.numbers:
        typer.echo("Counts and sums")
        table(NUMBER_COLUMNS, [_number(number) for number in area.numbers])
    for tally in area.tallies:
        _show_threshold(area, tally)
    if area.checks:
        typer.echo("Single records")
        rows = [
            (
                each.agency,
                each.record,
                each.told,
                "hit" if each.hits else "no hit",
                "known" if each.known else "",
            )
            for each in area.checks
        ]
        table(("checked by", "record", "told to", "learned", "in truth"), rows)


def _show_threshold(area: AreaOutcome, tally: ThresholdComparison) -> None:
    exactly = "unknown" if tally.clear is None else f"{tally.clear:,}"
    typer.echo(
        f"{tally.collector} collects {tally.threshold}: {tally.told.words} match keys are held by at least "
        f"{tally.at_least} of {len(tally.members)} (exactly {exactly})"
    )
    members = [c for c in area.comparisons if c.disclosure == "threshold" and c.receiver in tally.members]
    rows = [(c.receiver, c.receiver_records, c.leads, len(c.false), percent(c.recall)) for c in members]
    table(("member", "records", "leads", "false", "recall"), rows)


def _kinds(comparisons: Sequence[Comparison]) -> list[tuple[object, ...]]:
    return [
        (describe_kind(kind), found, of, percent(found / of))
        for kind, (found, of) in by_kind(comparisons).items()
    ]


def show_totals(outcome: SimulationOutcome, report: Path) -> None:
    """All areas together, found and missed by kind, and where the report is."""
    score = Score.of(outcome.comparisons)
    traffic = traffic_total(outcome)
    typer.echo("Records with a counterpart, by what stands in the way")
    table(("what stands in the way", "found", "of", "share"), _kinds(outcome.comparisons))
    typer.echo("The same, by what links them")
    links = by_link(outcome.comparisons)
    rows = [(LINKS[link], found, of, percent(found / of)) for link, (found, of) in links.items()]
    table(("what links them", "found", "of", "share"), rows)
    leads = score.true + score.false
    messages = sum(traffic.messages.values())
    compared = len(outcome.comparisons) + len(outcome.numbers)
    elements = score.elements + sum(n.receiver_elements + n.sender_elements for n in outcome.numbers)
    nodes = sum(area.verdict.nodes for area in outcome.areas)
    facts(
        [
            (
                "areas",
                f"{len(outcome.areas)}, with {compared} comparisons of {elements:,} elements",
            ),
            (
                "leads",
                f"{leads}: {score.true} true, {score.false} false ({score.expected_false:.1f} expected)",
            ),
            ("missed", f"{score.missed}, and {score.withheld} withheld by their handling code"),
            ("precision", percent(score.precision)),
            ("recall", percent(score.recall)),
            ("receipts", f"{sum(area.receipts for area in outcome.areas)} signed by all sides"),
            (
                "learned",
                f"{nodes} nodes looked into: {len(outcome.violations) or 'nothing'} beyond what is declared",
            ),
            (
                "on the wire",
                f"{octets(traffic.total('sent'))} sent, {octets(traffic.total('received'))} received, {messages:,} messages",
            ),
            ("time", f"{outcome.seconds:.1f} s"),
            ("report", report),
        ]
    )


def show_violations(outcome: SimulationOutcome) -> None:
    """What nodes hold and may not, on standard error."""
    for each in outcome.violations[:_SHOWN]:
        where = f", {each.comparison}" if each.comparison else ""
        note(f"violation: {each.agency}{where}: {each.what}")
    if len(outcome.violations) > _SHOWN:
        note(f"and {len(outcome.violations) - _SHOWN} more in summary.json")
