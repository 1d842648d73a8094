"""`blindmatch round`: run a round, see how it stands, read and export what it found."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blindmatch.node.cli import epoch_text
from blindmatch.node.cli import round_status as screen
from blindmatch.node.cli.common import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    PassphraseOption,
    emit,
    moment,
    note,
    open_node,
    table,
)
from blindmatch.node.cli.round_aggregates import reports, show_numbers
from blindmatch.node.cli.round_progress import drawn_edges
from blindmatch.node.cli.round_status import SHORT_ROUND
from blindmatch.node.cli.startup import LazyModule
from blindmatch.node.storage.files import write_atomically
from blindmatch.protocol.errors import ConfigError, InputError, LocalError

if TYPE_CHECKING:
    from blindmatch.node.agreements import registry
    from blindmatch.node.node import Node
    from blindmatch.node.rounds import forecast, runner
    from blindmatch.node.rounds import leads as round_leads
    from blindmatch.node.rounds import status as round_views
    from blindmatch.node.rounds.aggregate import results as aggregate_results
    from blindmatch.node.rounds.edge_task import EdgeOutcome
    from blindmatch.node.rounds.forecast import RoundForecast
    from blindmatch.node.rounds.runner import RoundOutcome
    from blindmatch.node.storage import logs
    from blindmatch.node.storage.store import EdgeRow
    from blindmatch.node.transport import message_recorder as wire_module
    from blindmatch.protocol import standing, threshold, transcript
    from blindmatch.protocol.agreement import Agreement
else:
    logs, aggregate_results, forecast, round_views, round_leads, runner, wire_module = (
        LazyModule(f"blindmatch.node.{name}")
        for name in (
            *("storage.logs", "rounds.aggregate.results", "rounds.forecast", "rounds.status"),
            *("rounds.leads", "rounds.runner", "transport.message_recorder"),
        )
    )
    registry = LazyModule("blindmatch.node.agreements.registry")
    standing, threshold, transcript = (
        LazyModule(f"blindmatch.protocol.{name}") for name in ("standing", "threshold", "transcript")
    )

app = typer.Typer(help="Run a round of an agreement, and read its results.", no_args_is_help=True)

app.command()(reports)

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
    wait: Annotated[
        float,
        typer.Option(
            help="Seconds that each edge waits for a node that cannot be reached, since it last got further."
        ),
    ] = 30.0,
    new: Annotated[
        bool, typer.Option("--new", help="Start a round although another one is unfinished.")
    ] = False,
    full: Annotated[
        bool,
        typer.Option(
            "--full", help="Under a standing agreement: end the open epoch_text and compare everything."
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
    """Run a round: compare this node's collections with every sender's, collect for thresholds, and keep what comes of it.

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
            round_id, agreement_id = None, registry.find(node, agreement).id
            _check_unfinished(node, agreement_id, new=new)
        with drawn_edges() as (progress, waiting):
            outcome = asyncio.run(
                runner.run_round(
                    node,
                    agreement_id,
                    edges=edge,
                    resume_round=round_id,
                    full=full,
                    wait_seconds=wait,
                    progress=progress,
                    waiting=waiting,
                )
            )
    emit(_outcome_data(outcome), as_json, lambda: _show(outcome))
    if not outcome.complete:
        raise typer.Exit(1)


@app.command()
def status(
    *,
    round_id: RoundArgument = "",
    agreement: Annotated[
        str, typer.Option(metavar="ID", help="Every edge of this agreement, each in its newest round.")
    ] = "",
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again and again until every edge is over.")
    ] = False,
    home: HomeOption = DEFAULT_HOME,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show where each edge stands: of a round, of an agreement, or of every round that this node has taken part in.

    Of a round or an agreement all edges are shown: our own, as receiver and as sender, with those that have not begun,
    and those between others, of which this node knows nothing. An edge that waits says for whom and why.
    """
    if round_id and agreement:
        raise typer.BadParameter("give a round or an --agreement, not both")
    with open_node(home, passphrase_file) as node:
        if agreement:
            chosen = registry.find(node, agreement).id
            views = partial(round_views.of_agreement, node, chosen)
        elif round_id or watch:
            views = partial(round_views.of_round, node, _resolve(node, round_id))
        else:
            views = partial(round_views.of_everything, node)
        if watch and not as_json:
            screen.watch(views)
            return
        now = views()
        told = [epoch_text.told(node, view.round_id, view.edge) for view in now]

    def render() -> None:
        screen.show(now)
        for view, said in zip(now, told, strict=True):
            if said:
                typer.echo(f"{view.edge}: {epoch_text.words(said)}")

    emit([screen.to_json(view) | said for view, said in zip(now, told, strict=True)], as_json, render)


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
    """Show a round's leads, counts and sums. Looking is written to the audit log.

    A lead is an entry in both files that agrees on the keys shown. It is not an identification. A count or a sum is about a
    list as a whole, and says nothing about anybody in it.
    """
    with open_node(home, passphrase_file) as node:
        chosen = _resolve(node, round_id)
        leads, told = (
            round_leads.load(node, chosen, edge or None),
            aggregate_results.load(node, chosen, edge or None),
        )
        rows = _received(node, chosen)
        round_leads.note_consultation(
            node, chosen, len(leads), numbers=len(told), justification=justification
        )
        data = round_leads.to_json(leads, rows) | {"numbers": [each.data() for each in told]}
        ahead = {row.edge: forecast.round_forecast(node, row) for row in rows}
        tallies = {
            row.edge: round_leads.tally(node, chosen, row.edge) for row in rows if row.role == "collector"
        }
        for item in data["edges"]:
            item.update(_expected(ahead[item["edge"]]))
            if tally := tallies.get(item["edge"]):
                item["collected"] = asdict(tally)

    def render() -> None:
        names = round_leads.fact_names(leads)
        cells = [
            (
                f"{lead.reference} (new)" if lead.new else lead.reference,
                lead.agency,
                f"{lead.posterior:.1%}",
                f"{lead.score:.1f}",
                "\n".join(lead.keys),
                *(" | ".join(record.get(name, "") for record in lead.facts) for name in names),
            )
            for lead in leads
        ]
        if leads or not (told or tallies):
            table(
                ("reference", "also held by", "likely", "bits", "agreeing", *names), cells, empty="No leads."
            )
        show_numbers(told)
        for name, tally in tallies.items():
            if tally:
                typer.echo(f"{name}: {tally.words}")
        counted = {each.edge for each in told}
        for row in rows:
            if row.role == "receiver" and row.edge not in counted and (found := ahead[row.edge]):
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
        Form | None,
        typer.Option(
            "--format",
            help="csv for a spreadsheet, json for a program, ftm for FollowTheMoney; the file's suffix says it, too.",
        ),
    ] = None,
    edge: Annotated[str, typer.Option(help="Only this edge.")] = "",
    recipient: Annotated[str, typer.Option(help="Who gets the file, for the audit log.")] = "",
    justification: JustificationOption = "",
    home: HomeOption = DEFAULT_HOME,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a round's leads to a file that only this user can read. The file is not erased when retention ends."""
    form = form or _form(out)
    with open_node(home, passphrase_file) as node:
        chosen = _resolve(node, round_id)
        leads, told = (
            round_leads.load(node, chosen, edge or None),
            aggregate_results.load(node, chosen, edge or None),
        )
        if form is Form.CSV:
            # A round of both: the leads, and below them the numbers.
            parts = [round_leads.to_csv(leads)] if leads or not told else []
            content = "\n".join(parts + ([aggregate_results.to_csv(told)] if told else []))
        elif form is Form.FTM:
            content = round_leads.to_ftm(leads, _received(node, chosen))
        else:
            rows = _received(node, chosen)
            data = round_leads.to_json(leads, rows) | {"numbers": [each.data() for each in told]}
            for item, row in zip(data["edges"], rows, strict=True):
                item.update(_expected(forecast.round_forecast(node, row)))
            content = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
        # The log first: an export that is in the log and failed is better than one that is not in it.
        round_leads.note_export(
            node,
            chosen,
            len(leads),
            numbers=0 if form is Form.FTM else len(told),
            form=form.value,
            recipient=recipient or out.name,
            justification=justification,
        )
        try:
            write_atomically(out, content.encode())
        except OSError as error:
            raise InputError(f"{out}: cannot be written: {error.strerror}") from None
    written = {"round": chosen, "leads": len(leads), "numbers": len(told), "format": form, "file": out}
    count = f"{len(leads)} leads" + (f" and {len(told)} numbers" if told and form is not Form.FTM else "")
    emit(written, as_json, lambda: note(f"{count} written to {out}"))


def _form(out: Path) -> Form:
    """The format that the file's name ends in."""
    suffix = out.suffix.lower().removeprefix(".")
    if suffix not in {each.value for each in Form}:
        raise typer.BadParameter(
            f"{out} does not end in .csv, .json or .ftm: say with --format how the leads are to be written"
        )
    return Form(suffix)


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
    return [row for row in node.store.edges(round_id) if row.role in {"receiver", "member", "collector"}]


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
        "numbers": outcome.numbers,
        "edges": [asdict(edge) for edge in outcome.edges],
    }


def _show(outcome: RoundOutcome) -> None:
    cells = [
        (
            edge.edge,
            edge.peer,
            _state(edge),
            edge.receiver_elements,
            edge.sender_elements,
            edge.number or edge.leads,
        )
        for edge in outcome.edges
    ]
    typer.echo(
        f"Round {outcome.round_id.hex()[:SHORT_ROUND]} under agreement {registry.short(outcome.agreement_id)}"
    )
    table(("edge", "sender", "state", "our elements", "their elements", "result"), cells)
    for edge in outcome.edges:
        if edge.delta:
            typer.echo(epoch_text.changed(edge))
        if edge.expected_true and not edge.number:
            typer.echo(
                f"{edge.edge}: {edge.keys} keys; by the model {edge.expected_true:.1f} true leads were to be expected "
                f"at the agreed overlap, and {edge.expected_false:.1f} false ones"
            )
        _explain(edge)
    if outcome.resumable:
        peers = sorted({edge.peer for edge in outcome.edges if _state(edge) == round_views.WAITING})
        when = f"Go on with it when {', '.join(peers)} can be reached" if peers else "Go on with it"
        note(f"{when}: blindmatch round run --resume {outcome.round_id.hex()[:SHORT_ROUND]}")
    elif outcome.leads or outcome.numbers:
        note(f"Read the results: blindmatch round results {outcome.round_id.hex()[:SHORT_ROUND]}")


def _state(edge: EdgeOutcome) -> str:
    """`waiting` for one that goes on when its peer is back; otherwise as it stands."""
    resumable = edge.state not in {"closed", "failed"}
    return round_views.WAITING if resumable and edge.code not in {"", round_views.OUR_FAULT} else edge.state


def _expected(ahead: RoundForecast | None) -> dict[str, Any]:
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


def _receipt(node: Node, row: EdgeRow) -> dict[str, Any]:
    agreement = registry.find(node, row.agreement_id).agreement
    many = row.role in {"member", "collector"}
    kind = threshold.RECEIPT_TYPE if many else standing.receipt_type(row.receipt)
    verdicts = {}
    for agency, signature in row.signatures.items():
        try:
            transcript.verify(agreement.party(agency).identity_key, kind, row.receipt, signature)
            verdicts[agency] = "valid"
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, it is not valid
            verdicts[agency] = f"INVALID ({type(error).__name__})"
    closed = moment(row.finished_at or 0)
    ahead = forecast.round_forecast(node, row)
    return {
        "round": row.round_id.hex(),
        "edge": row.edge,
        "payload": row.receipt.hex(),
        "signatures": {agency: signature.hex() for agency, signature in row.signatures.items()},
        "keys": ahead.keys if ahead else 0,
        "lacking": [asdict(told) for told in ahead.lacking] if ahead else [],
        "valid": _signers(node, agreement, row) <= set(verdicts) and set(verdicts.values()) == {"valid"},
        "lines": [
            {"round": row.round_id.hex(), "edge": row.edge, "agency": a, "signature": v, "closed": closed}
            for a, v in verdicts.items()
        ],
    }


def _signers(node: Node, agreement: Agreement, row: EdgeRow) -> set[str]:
    """Whose signatures a receipt must bear here: a collector keeps everybody's, all others both sides'."""
    if row.role == "collector":
        return {node.agency, *agreement.threshold(row.edge).agencies}
    return {node.agency, row.peer}
