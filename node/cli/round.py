"""`blindmatch round`: run a round, see how it stands, read and export what it found."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blindmatch.node.cli import epochs
from blindmatch.node.cli.common import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    PassphraseOption,
    console,
    emit,
    moment,
    note,
    open_node,
    table,
    watched,
)
from blindmatch.node.cli.startup import Later
from blindmatch.node.files import write_atomically
from blindmatch.protocol.errors import ConfigError, InputError, LocalError

if TYPE_CHECKING:
    from rich import progress as bars

    from blindmatch.node import logs, outlook, results, runner
    from blindmatch.node import wire as wire_module
    from blindmatch.node.agreements import book
    from blindmatch.node.home import Node
    from blindmatch.node.outlook import Outlook
    from blindmatch.node.receiving import Progress
    from blindmatch.node.runner import EdgeOutcome, RoundOutcome
    from blindmatch.node.store import EdgeRow
    from blindmatch.protocol import standing as receipts_of
    from blindmatch.protocol import transcript
else:
    logs, outlook, results, runner, wire_module = (
        Later(f"blindmatch.node.{name}") for name in ("logs", "outlook", "results", "runner", "wire")
    )
    book, bars = Later("blindmatch.node.agreements.book"), Later("rich.progress")
    receipts_of, transcript = Later("blindmatch.protocol.standing"), Later("blindmatch.protocol.transcript")

app = typer.Typer(help="Run a round of an agreement, and read its results.", no_args_is_help=True)

SHORT_ROUND = 12
"""Hexadecimal digits of a round's id that people see."""

RoundArgument = Annotated[
    str,
    typer.Argument(metavar="[ROUND]", help="The round's id, or its first digits; the newest without it."),
]
EdgeOption = Annotated[list[str] | None, typer.Option("--edge", help="Only this edge; repeatable.")]
JustificationOption = Annotated[str, typer.Option(help="Why, for this node's audit log.")]


class Form(StrEnum):
    """How leads are written to a file."""

    CSV = "csv"
    JSON = "json"
    FTM = "ftm"


@app.command()
def run(
    *,
    agreement: Annotated[
        str,
        typer.Argument(metavar="[AGREEMENT]", help="Start a round: the agreement's id, or its first digits."),
    ] = "",
    resume: Annotated[str, typer.Option(metavar="ROUND", help="Go on with a round that was cut off.")] = "",
    edge: EdgeOption = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for a node that cannot be reached.")] = 30.0,
    new: Annotated[
        bool, typer.Option("--new", help="Start a round although another one is unfinished.")
    ] = False,
    full: Annotated[
        bool,
        typer.Option(
            "--full", help="Under a standing agreement: end the open epochs and compare everything."
        ),
    ] = False,
    wire: Annotated[
        Path | None,
        typer.Option("--record-wire", help="Keep every decrypted message in this folder; for trials."),
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a round: compare this node's collections with every sender's, and keep the leads.

    Under a standing agreement the first round is a full one and opens an epoch; in later ones only changes travel.

    Edges do not depend on each other: when one fails, the others go on. A round that was cut off by a crash or by the
    network goes on where it stopped, with --resume. Ends with status 1 unless every edge is closed.
    """
    if bool(agreement) == bool(resume):
        raise typer.BadParameter("give an agreement to start a round, or --resume ROUND to go on with one")
    with open_node(home, passphrase_file) as node:
        logs.configure(level="warning", form="console")
        if wire is not None:
            node.wire = wire_module.WireRecorder(wire)
        if resume:
            round_id = _resolve(node, resume)
            agreement_id = node.store.edges(round_id)[0].agreement_id
        else:
            round_id, agreement_id = None, book.find(node, agreement).id
            _check_unfinished(node, agreement_id, new=new)
        with _bars() as progress:
            outcome = asyncio.run(
                runner.run_round(
                    node,
                    agreement_id,
                    edges=edge,
                    resume_round=round_id,
                    full=full,
                    wait_seconds=wait,
                    progress=progress,
                )
            )
    emit(_outcome_data(outcome), as_json, lambda: _show(outcome))
    if not outcome.complete:
        raise typer.Exit(1)


@app.command()
def status(
    *,
    round_id: RoundArgument = "",
    home: HomeOption = DEFAULT_HOME,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show where each edge of a round stands, or every round that this node has taken part in."""
    with open_node(home, passphrase_file) as node:
        rows = node.store.edges(_resolve(node, round_id) if round_id else None)
        data = [_row_data(row) | epochs.told(node, row) for row in rows]

    def render() -> None:
        cells = [
            (
                row.round_id.hex()[:SHORT_ROUND],
                row.edge,
                row.role,
                row.peer,
                row.state,
                f"{row.done}/{row.total}" if row.total else "",
                epochs.words(told),
                moment(row.started_at),
                f"{row.code}: {row.reason}" if row.code else "",
            )
            for row, told in zip(rows, data, strict=True)
        ]
        table(
            ("round", "edge", "we are", "other side", "state", "chunks", "kind", "started", "why"),
            cells,
            empty="No rounds.",
        )

    emit(data, as_json, render)


@app.command("results")
def results_(
    *,
    round_id: RoundArgument = "",
    edge: Annotated[str, typer.Option(help="Only this edge.")] = "",
    justification: JustificationOption = "",
    home: HomeOption = DEFAULT_HOME,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a round's leads. Looking is written to the audit log.

    A lead is an entry in both files that agrees on the keys shown. It is not an identification.
    """
    with open_node(home, passphrase_file) as node:
        chosen = _resolve(node, round_id)
        leads = results.load(node, chosen, edge or None)
        rows = _received(node, chosen)
        results.note_consultation(node, chosen, len(leads), justification=justification)
        data = results.to_json(leads, rows)
        ahead = {row.edge: outlook.outlook(node, row) for row in rows}
        for item in data["edges"]:
            item.update(_expected(ahead[item["edge"]]))

    def render() -> None:
        names = results.fact_names(leads)
        cells = [
            (
                lead.reference,
                lead.agency,
                f"{lead.posterior:.1%}",
                f"{lead.score:.1f}",
                "\n".join(lead.keys),
                *(" | ".join(record.get(name, "") for record in lead.facts) for name in names),
            )
            for lead in leads
        ]
        table(("reference", "also held by", "likely", "bits", "agreeing", *names), cells, empty="No leads.")
        for row in rows:
            if found := ahead[row.edge]:
                count = sum(lead.edge == row.edge for lead in leads)
                note(
                    f"edge {row.edge}: {count} leads, of which the model expected {found.expected_false:.1f} false"
                )
            if row.state != "closed":
                note(f"edge {row.edge} is not closed ({row.state}): its leads may be missing")

    emit(data, as_json, render)


@app.command()
def export(
    *,
    round_id: RoundArgument = "",
    out: Annotated[Path, typer.Option(help="The file to write.")],
    form: Annotated[
        Form,
        typer.Option("--format", help="csv for a spreadsheet, json for a program, ftm for FollowTheMoney."),
    ] = Form.CSV,
    edge: Annotated[str, typer.Option(help="Only this edge.")] = "",
    recipient: Annotated[str, typer.Option(help="Who gets the file, for the audit log.")] = "",
    justification: JustificationOption = "",
    home: HomeOption = DEFAULT_HOME,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a round's leads to a file that only this user can read. The file is not erased when retention ends."""
    with open_node(home, passphrase_file) as node:
        chosen = _resolve(node, round_id)
        leads = results.load(node, chosen, edge or None)
        if form is Form.CSV:
            content = results.to_csv(leads)
        elif form is Form.FTM:
            content = results.to_ftm(leads, _received(node, chosen))
        else:
            rows = _received(node, chosen)
            data = results.to_json(leads, rows)
            for item, row in zip(data["edges"], rows, strict=True):
                item.update(_expected(outlook.outlook(node, row)))
            content = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
        # The log first: an export that is in the log and failed is better than one that is not in it.
        results.note_export(
            node,
            chosen,
            len(leads),
            form=form.value,
            recipient=recipient or out.name,
            justification=justification,
        )
        try:
            write_atomically(out, content.encode())
        except OSError as error:
            raise InputError(f"{out}: cannot be written: {error.strerror}") from None
    told = {"round": chosen, "leads": len(leads), "format": form, "file": out}
    emit(told, as_json, lambda: note(f"{len(leads)} leads written to {out}"))


@app.command()
def receipts(
    *,
    round_id: RoundArgument = "",
    home: HomeOption = DEFAULT_HOME,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the receipts of closed edges, each with both signatures checked again."""
    with open_node(home, passphrase_file) as node:
        rows = [row for row in node.store.edges(_resolve(node, round_id)) if row.receipt]
        data = [_receipt(node, row) for row in rows]

    def render() -> None:
        cells = [
            (item["round"][:SHORT_ROUND], item["edge"], item["agency"], item["signature"], item["closed"])
            for entry in data
            for item in entry["lines"]
        ]
        table(("round", "edge", "signed by", "signature", "closed"), cells, empty="No receipts.")

        for entry in data:
            for told in entry["lacking"]:
                note(
                    f"edge {entry['edge']}: {told['keys']} of {entry['keys']} keys are for records of the {told['role']} "
                    f"without {told['field']}: {told['share']:.0%} of its people, it said"
                )

    emit([{k: v for k, v in entry.items() if k != "lines"} for entry in data], as_json, render)
    if any(entry["valid"] is False for entry in data):
        raise typer.Exit(1)


@app.command()
def abandon(
    *,
    round_id: Annotated[str, typer.Argument(metavar="ROUND", help="The round's id, or its first digits.")],
    home: HomeOption = DEFAULT_HOME,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give up what is unfinished of a round: its secrets and working files are erased, it cannot be resumed."""
    with open_node(home, passphrase_file) as node:
        chosen = _resolve(node, round_id)
        given_up = runner.abandon(node, chosen)
    text = f"{given_up} edges of round {chosen.hex()[:SHORT_ROUND]} given up"
    emit({"round": chosen, "edges_given_up": given_up}, as_json, lambda: note(text))


def _resolve(node: Node, text: str) -> bytes:
    """A round's id from its first hexadecimal digits; the newest without any."""
    rows = node.store.edges()
    ids = list(dict.fromkeys(row.round_id for row in rows))
    found = [each for each in ids if each.hex().startswith(text.lower())] if text else ids[-1:]
    if len(found) != 1:
        if not ids:
            raise LocalError(
                "this node has taken part in no round", hint="Start one: blindmatch round run ID"
            )
        problem = "more than one round begins" if found else "no round begins"
        raise ConfigError(f"{problem} with {text}", hint="See `blindmatch round status`.")
    return found[0]


def _received(node: Node, round_id: bytes) -> list[EdgeRow]:
    return [row for row in node.store.edges(round_id) if row.role == "receiver"]


def _check_unfinished(node: Node, agreement_id: bytes, *, new: bool) -> None:
    rounds = {row.round_id.hex()[:SHORT_ROUND] for row in runner.unfinished(node, agreement_id)}
    if rounds and not new:
        raise LocalError(
            f"round {', '.join(sorted(rounds))} under this agreement is unfinished",
            hint=f"Go on with it: blindmatch round run --resume {min(rounds)}. "
            "Or give it up (blindmatch round abandon), or start another one with --new.",
        )


def _outcome_data(outcome: RoundOutcome) -> dict[str, Any]:
    return {
        "round": outcome.round_id.hex(),
        "agreement": outcome.agreement_id.hex(),
        "complete": outcome.complete,
        "leads": outcome.leads,
        "edges": [asdict(edge) for edge in outcome.edges],
    }


def _show(outcome: RoundOutcome) -> None:
    cells = [
        (edge.edge, edge.peer, edge.state, edge.receiver_elements, edge.sender_elements, edge.leads)
        for edge in outcome.edges
    ]
    typer.echo(
        f"Round {outcome.round_id.hex()[:SHORT_ROUND]} under agreement {book.short(outcome.agreement_id)}"
    )
    table(("edge", "sender", "state", "our elements", "their elements", "leads"), cells)
    for edge in outcome.edges:
        if edge.delta:
            typer.echo(epochs.changed(edge))
        if edge.expected_true:
            typer.echo(
                f"{edge.edge}: {edge.keys} keys; by the model {edge.expected_true:.1f} true leads were to be expected "
                f"at the agreed overlap, and {edge.expected_false:.1f} false ones"
            )
        _explain(edge)
    if outcome.resumable:
        note(f"Go on with it: blindmatch round run --resume {outcome.round_id.hex()[:SHORT_ROUND]}")
    elif outcome.leads:
        note(f"Read them: blindmatch round results {outcome.round_id.hex()[:SHORT_ROUND]}")


def _expected(ahead: Outlook | None) -> dict[str, Any]:
    """For one edge of a round's results."""
    if ahead is None:
        return {}
    return {
        "keys": ahead.keys,
        "expected_true": round(ahead.expected_true, 2),
        "expected_false": round(ahead.expected_false, 2),
    }


def _explain(edge: EdgeOutcome) -> None:
    if edge.code:
        note(f"{edge.edge}: [{edge.code}] {edge.reason}")
        if edge.hint:
            note(f"  {edge.hint}")


def _row_data(row: EdgeRow) -> dict[str, Any]:
    return {
        "round": row.round_id.hex(),
        "edge": row.edge,
        "agreement": row.agreement_id.hex(),
        "role": row.role,
        "peer": row.peer,
        "state": row.state,
        "chunks_done": row.done,
        "chunks": row.total,
        "started": datetime.fromtimestamp(row.started_at, UTC).isoformat(),
        "finished": None
        if row.finished_at is None
        else datetime.fromtimestamp(row.finished_at, UTC).isoformat(),
        "code": row.code,
        "reason": row.reason,
    }


def _receipt(node: Node, row: EdgeRow) -> dict[str, Any]:
    agreement = book.find(node, row.agreement_id).agreement
    verdicts = {}
    for agency, signature in row.signatures.items():
        try:
            transcript.verify(
                agreement.party(agency).identity_key,
                receipts_of.receipt_type(row.receipt),
                row.receipt,
                signature,
            )
            verdicts[agency] = "valid"
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, it is not valid
            verdicts[agency] = f"INVALID ({type(error).__name__})"
    closed = moment(row.finished_at or 0)
    ahead = outlook.outlook(node, row)
    return {
        "round": row.round_id.hex(),
        "edge": row.edge,
        "payload": row.receipt.hex(),
        "signatures": {agency: signature.hex() for agency, signature in row.signatures.items()},
        "keys": ahead.keys if ahead else 0,
        "lacking": [asdict(told) for told in ahead.lacking] if ahead else [],
        "valid": len(verdicts) == 2 and set(verdicts.values()) == {"valid"},
        "lines": [
            {"round": row.round_id.hex(), "edge": row.edge, "agency": a, "signature": v, "closed": closed}
            for a, v in verdicts.items()
        ],
    }


_STEPS = {
    "prepare": "blinding our elements",
    "wait": "the sender prepares",
    "exchange": "exchanging",
    "tags": "fetching tags",
    "close": "closed",
}


@contextmanager
def _bars() -> Iterator[Progress]:
    """One bar per edge on stderr; without a terminal, one line per step."""
    last: dict[str, str] = {}
    if not watched():

        def lines(edge: str, step: str, _done: int, _total: int) -> None:
            if last.get(edge) != step:
                last[edge] = step
                note(f"{edge}: {_STEPS[step]}")

        yield lines
        return
    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeElapsedColumn(),
    )
    with bars.Progress(*columns, console=console(err=True)) as drawn:
        tasks: dict[str, Any] = {}

        def update(edge: str, step: str, done: int, total: int) -> None:
            if edge not in tasks:
                tasks[edge] = drawn.add_task(edge, total=None)
            drawn.update(
                tasks[edge], description=f"{edge}: {_STEPS[step]}", completed=done, total=total or None
            )

        yield update
