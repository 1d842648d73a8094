"""A simulation's outcome on the terminal: tables per area, and the totals at the end."""

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

import typer

from blindmatch.node.cli.output import facts, note, table
from blindmatch.simulations.audit.lead_scores import LINKS, Score, by_kind, by_link, describe_kind
from blindmatch.simulations.audit.outcome import AreaOutcome, SimulationOutcome
from blindmatch.simulations.report.comparisons import describe_threshold, exact, members
from blindmatch.simulations.report.markup import octets, percent
from blindmatch.simulations.report.summary import traffic_total

COLUMNS = ("sender", "keys", "leads", "false", "expected", "recall", "traffic")
"""Narrow enough for a terminal of 80 columns; the line above has what an area's edges share."""

NUMBER_COLUMNS = ("sender", "disclosure", "result", "exact", "truth", "reported to")
"""`exact`: the number by the same match keys in plaintext, which no party gets."""

_SHOWN = 20
"""Violations that the terminal lists; `summary.json` has all."""


def show_area(area: AreaOutcome) -> None:
    """One area: its comparisons and their results."""
    typer.echo(f"\n{area.name} ({sum(area.seconds.values()):.1f} s)")
    listed = [each for each in area.comparisons if each.disclosure != "threshold"]
    for (receiver, records, how), group in groupby(listed, lambda c: (c.receiver, c.receiver_records, c.how)):
        typer.echo(f"{receiver} receives, with {records:,} records ({how})")
        rows = [
            (
                each.sender,
                each.keys,
                each.leads,
                len(each.false),
                f"{each.expected_false:.1f}",
                percent(Score.of([each]).recall),
                octets(each.traffic.total()),
            )
            for each in group
        ]
        table(COLUMNS, rows)
    if area.numbers:
        typer.echo("Counts and sums")
        numbers = [
            (
                each.edge.sender.agency,
                each.edge.group.disclosure,
                each.number.words.partition(":")[0],
                exact(each.exact),
                f"{each.truth:,}",
                ", ".join(each.edge.recipients),
            )
            for each in area.numbers
        ]
        table(NUMBER_COLUMNS, numbers)
    for tally in area.tallies:
        typer.echo(f"{describe_threshold(tally)} (exact number: {exact(tally.exact)})")
        shown = [
            (c.receiver, c.receiver_records, c.leads, len(c.false), percent(Score.of([c]).recall))
            for c in members(area, tally)
        ]
        table(("member", "records", "leads", "false", "recall"), shown)
    if area.checks:
        typer.echo("Single checks")
        checks = [
            (
                each.check.agency,
                each.check.reference,
                each.check.edge.receiver.agency,
                "hit" if each.hits else "no hit",
                "known" if each.check.known else "",
            )
            for each in area.checks
        ]
        table(("checked by", "record", "receiver", "result", "truth"), checks)


def _show_shares(title: str, heading: str, counts: Mapping[str, tuple[int, int]]) -> None:
    typer.echo(title)
    rows = [(words, true, of, percent(true / of)) for words, (true, of) in counts.items()]
    table((heading, "matched", "of", "share"), rows)


def show_totals(outcome: SimulationOutcome, report: Path) -> None:
    """All areas together: matched and missed records by kind, the totals, and the place of the report."""
    score, traffic = Score.of(outcome.comparisons), traffic_total(outcome)
    kinds = {describe_kind(kind): counts for kind, counts in by_kind(outcome.comparisons).items()}
    _show_shares("Records with a counterpart, by difference between the files", "difference", kinds)
    links = {LINKS[link]: counts for link, counts in by_link(outcome.comparisons).items()}
    _show_shares("Records with a counterpart, by what links them", "link", links)
    compared = len(outcome.comparisons) + len(outcome.numbers)
    messages = sum(traffic.messages.values())
    violations = len(outcome.violations)
    audit = f"{violations} undeclared disclosures" if violations else "no undeclared disclosure"
    facts(
        [
            ("areas", f"{len(outcome.areas)}, with {compared} comparisons of {outcome.elements:,} elements"),
            (
                "leads",
                f"{score.leads}: {score.true} true, {score.false} false ({score.expected_false:.1f} expected)",
            ),
            ("missed", f"{score.missed}, and {score.withheld} withheld by their handling code"),
            ("precision", percent(score.precision)),
            ("recall", percent(score.recall)),
            ("receipts", f"{outcome.receipts} signed by all parties"),
            ("audit", f"{outcome.nodes} nodes audited: {audit}"),
            (
                "traffic",
                f"{octets(traffic.total('sent'))} sent, {octets(traffic.total('received'))} received, {messages:,} messages",
            ),
            ("time", f"{outcome.seconds:.1f} s"),
            ("report", report),
        ]
    )


def show_violations(outcome: SimulationOutcome) -> None:
    """The violations, on standard error."""
    for each in outcome.violations[:_SHOWN]:
        where = f", {each.comparison}" if each.comparison else ""
        note(f"violation: {each.agency}{where}: {each.what}")
    if len(outcome.violations) > _SHOWN:
        note(f"{len(outcome.violations) - _SHOWN} more in summary.json")
