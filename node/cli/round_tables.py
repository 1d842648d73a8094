"""What `blindmatch round` prints for people: tables and lines of results that operations return."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from blindmatch.node.cli.output import SHORT, moment, note, table

if TYPE_CHECKING:
    from blindmatch.node.operations.rounds import (
        AggregateResult,
        EdgeOutcome,
        EdgeStatus,
        ReceivedReports,
        RoundEpoch,
        RoundOutcome,
        RoundResults,
        VerifiedReceipt,
    )

OTHERS = 20
"""Edges between other agencies that are listed; more are only counted."""

STATUS_COLUMNS = ("round", "edge", "we are", "other side", "state", "chunks", "last change")


def show_outcome(outcome: RoundOutcome) -> None:
    """How every edge of a round ended, and what to do next."""
    cells = [
        (
            edge.edge,
            edge.peer,
            "waiting" if edge.waiting else edge.state,
            edge.receiver_elements,
            edge.sender_elements,
            edge.number or edge.leads,
        )
        for edge in outcome.edges
    ]
    short = outcome.round_id.hex()[:SHORT]
    typer.echo(f"Round {short} under agreement {outcome.agreement_id.hex()[:SHORT]}")
    table(("edge", "sender", "state", "our elements", "their elements", "result"), cells)
    for edge in outcome.edges:
        _show_edge_outcome(edge)
    if outcome.resumable:
        peers = sorted({edge.peer for edge in outcome.edges if edge.waiting})
        when = f" when {', '.join(peers)} can be reached" if peers else ""
        note(f"Resume it{when}: blindmatch round run --resume {short}")
    elif outcome.leads or outcome.numbers:
        note(f"Read the results: blindmatch round results {short}")


def _show_edge_outcome(edge: EdgeOutcome) -> None:
    if edge.delta:
        typer.echo(
            f"{edge.edge}: delta round {edge.delta} of its epoch; {edge.added} of our records are new or changed, "
            f"{edge.removed} are gone or changed"
        )
    if edge.expected_true and not edge.number:
        typer.echo(
            f"{edge.edge}: {edge.keys} keys; the model expected {edge.expected_true:.1f} true leads "
            f"at the agreed overlap, and {edge.expected_false:.1f} false ones"
        )
    if edge.code:
        note(f"{edge.edge}: [{edge.code}] {edge.reason}")
        if edge.hint:
            note(f"  {edge.hint}")


def show_results(results: RoundResults) -> None:
    """A round's leads, counts and sums, with what the model expected."""
    tallies = [edge for edge in results.edges if edge.collected is not None]
    if results.leads or not (results.numbers or any(edge.role == "collector" for edge in results.edges)):
        _show_leads(results)
    if results.numbers:
        table(("edge", "sender", "what", "result"), [_number_cells(each) for each in results.numbers])
    for edge in tallies:
        if edge.collected is not None:
            typer.echo(f"{edge.edge}: {edge.collected.text}")
    counted = {number.edge for number in results.numbers}
    for edge in results.edges:
        if edge.role == "receiver" and edge.edge not in counted and edge.forecast:
            leads = sum(lead.edge == edge.edge for lead in results.leads)
            false = f"{edge.forecast.expected_false:.1f}"
            note(f"edge {edge.edge}: {leads} leads, of which the model expected {false} to be false")
        if edge.state != "closed":
            note(f"edge {edge.edge} is not closed ({edge.state}): leads may be missing")


def _show_leads(results: RoundResults) -> None:
    names = results.fact_names
    cells = [
        (
            f"{lead.reference} (new)" if lead.new else lead.reference,
            lead.agency,
            f"{lead.posterior:.1%}",
            f"{lead.score:.1f}",
            "\n".join(lead.keys),
            *(" | ".join(record.get(name, "") for record in lead.facts) for name in names),
        )
        for lead in results.leads
    ]
    table(("reference", "also held by", "likely", "bits", "agreeing", *names), cells, empty="No leads.")


def _number_cells(result: AggregateResult) -> tuple[str, ...]:
    what = f"sum of {result.value}" if result.value else f"matching {result.kind}"
    return result.edge, result.sender, what, result.text


def show_receipts(receipts: Sequence[VerifiedReceipt]) -> None:
    """Every signature of every receipt, and the keys for missing fields."""
    cells = [
        (receipt.round_id.hex()[:SHORT], receipt.edge, agency, verdict, moment(receipt.closed_at))
        for receipt in receipts
        for agency, verdict in receipt.verdicts.items()
    ]
    table(("round", "edge", "signed by", "signature", "closed"), cells, empty="No receipts.")
    for receipt in receipts:
        for missing in receipt.forecast.lacking if receipt.forecast else ():
            note(
                f"edge {receipt.edge}: {missing.keys} of {receipt.forecast.keys if receipt.forecast else 0} keys are for "
                f"records of the {missing.role} without {missing.field}: {missing.share:.0%} of its people, as it stated"
            )


def show_reports(reports: ReceivedReports) -> None:
    """Counts and sums that other agencies reported, and the agencies whose reports are missing."""
    cells = [
        (each.round[:SHORT], each.receiver, each.sender, each.edge, each.text) for each in reports.reports
    ]
    table(("round", "receiver", "sender", "edge", "result"), cells, empty="No reports.")
    for receiver, reason in reports.failed:
        note(f"{receiver}: {reason}")


def show_status(statuses: Sequence[EdgeStatus]) -> None:
    """One table, a line for every edge with a reason, the counts, and a line for every round in an epoch."""
    table(
        STATUS_COLUMNS,
        [status_cells(each) for each in _listed(statuses)],
        empty="" if statuses else "No rounds.",
    )
    for line in status_reasons(statuses):
        typer.echo(line)
    if statuses:
        typer.echo(status_counts(statuses))
    for status in statuses:
        if status.epoch is not None:
            typer.echo(f"{status.edge}: {_epoch_line(status.epoch)}")


def _listed(statuses: Sequence[EdgeStatus]) -> Sequence[EdgeStatus]:
    """Without the edges between other agencies, where these are many."""
    own = [status for status in statuses if status.role]
    return statuses if len(statuses) - len(own) <= OTHERS else own


def status_cells(status: EdgeStatus) -> tuple[str, ...]:
    """One row of the status table."""
    changed = status.finished_at or status.updated_at
    return (
        "" if status.round_id is None else status.round_id.hex()[:SHORT],
        status.edge,
        status.role,
        status.peer,
        status.state,
        _chunks(status),
        "" if changed is None else moment(changed),
    )


def status_reasons(statuses: Sequence[EdgeStatus]) -> list[str]:
    """A line for every edge that has a reason for its state."""
    return [f"{status.edge}: {reason}" for status in statuses if (reason := _reason(status))]


def status_counts(statuses: Sequence[EdgeStatus]) -> str:
    """How many edges are in which state, in one line."""
    states = [status.state for status in statuses]
    return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))


def status_line(status: EdgeStatus) -> str:
    """One edge in one line."""
    state = " ".join(part for part in (status.state, _chunks(status)) if part)
    return ": ".join(part for part in (status.edge, state, _reason(status)) if part)


def _chunks(status: EdgeStatus) -> str:
    return f"{status.done}/{status.total}" if status.total else ""


def _reason(status: EdgeStatus) -> str:
    """The reason, and for a waiting edge its step."""
    step = f"at {status.step}: " if status.state == "waiting" else ""
    code = f"{status.code}: " if status.code else ""
    return f"{step}{code}{status.reason}" if status.reason else ""


def _epoch_line(epoch: RoundEpoch) -> str:
    name = epoch.epoch.hex()[:SHORT] + (" (ended)" if epoch.ended else "")
    if not epoch.delta:
        return f"full, opened epoch {name}"
    line = f"delta {epoch.delta} of epoch {name}"
    if epoch.counts is not None:
        ours, gone, theirs, left = epoch.counts
        line += f": receiver +{ours} -{gone}, sender +{theirs} -{left}"
    return line
