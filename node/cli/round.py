"""`blindmatch round`: run a round, follow it, read and export its results."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blindmatch.node import operations
from blindmatch.node.cli import round_live, round_tables
from blindmatch.node.cli.options import (
    DEFAULT_HOME,
    AgreementId,
    AsJson,
    Home,
    Justification,
    OneEdge,
    PassphraseFile,
    RecordWire,
    open_node,
)
from blindmatch.node.cli.output import SHORT, emit, note
from blindmatch.node.cli.startup import LazyModule
from blindmatch.node.operations.choices import ExportFormat

if TYPE_CHECKING:
    from blindmatch.node.storage import logs
else:
    logs = LazyModule("blindmatch.node.storage.logs")

app = typer.Typer(no_args_is_help=True)

RoundId = Annotated[
    str,
    typer.Argument(metavar="[ROUND]", help="The round's id, or its first digits. Without it, the newest."),
]


@app.command()
def run(
    *,
    agreement: Annotated[
        str,
        typer.Argument(metavar="[AGREEMENT]", help="Start a round: the agreement's id, or its first digits."),
    ] = "",
    resume: Annotated[str, typer.Option(metavar="ROUND", help="Resume an interrupted round.")] = "",
    edge: Annotated[list[str] | None, typer.Option(help="Only this edge. Repeatable.")] = None,
    wait: Annotated[
        float,
        typer.Option(help="Seconds that an edge waits for an unreachable node, since its last progress."),
    ] = 30.0,
    new: Annotated[bool, typer.Option("--new", help="Start a round although one is unfinished.")] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Of a standing agreement: end the epoch, compare everything again.")
    ] = False,
    wire: RecordWire = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Run a round: compare this node's collections with every sender's, collect for thresholds, and store the results.

    Under a standing agreement the first round is a full one and opens an epoch. Later rounds transmit only changes.

    Edges are independent: when one fails, the others continue. A round that a crash or the network interrupted
    continues from its last checkpoint with --resume. The exit status is 1 unless every edge is closed.

    For example:

        blindmatch round run 3f2a91bc
        blindmatch round run 3f2a91bc --edge west-from-north
        blindmatch round run --resume 8c01d2
    """
    if bool(agreement) == bool(resume):
        raise typer.BadParameter("give an agreement to start a round, or --resume ROUND to resume one")
    with open_node(home, passphrase_file, record_wire=wire) as node:
        logs.configure(level="warning", form="console")
        with round_live.edge_progress() as (progress, waiting):
            if resume:
                operation = partial(operations.rounds.resume, node, resume)
            else:
                operation = partial(
                    operations.rounds.start, node, agreement, full=full, beside_unfinished=new
                )
            outcome = asyncio.run(
                operation(edges=edge, wait_seconds=wait, progress=progress, waiting=waiting)
            )
    emit(outcome.data(), as_json, lambda: round_tables.show_outcome(outcome))
    if not outcome.complete:
        raise typer.Exit(1)


@app.command()
def status(
    *,
    round_id: RoundId = "",
    agreement: Annotated[
        str, typer.Option(metavar="ID", help="Every edge of this agreement, each in its newest round.")
    ] = "",
    watch: Annotated[
        bool, typer.Option("--watch", help="Update the display until every edge has ended.")
    ] = False,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the state of every edge: of a round, of an agreement, or of every round that this node has taken part in.

    For a round or an agreement, all edges are shown: this node's own edges as receiver and as sender, also those that have
    not started, and the edges between other agencies, about which this node knows nothing more. An edge that waits
    shows for which node, and why.

    For example:

        blindmatch round status
        blindmatch round status --agreement 3f2a91bc --watch
    """
    if round_id and agreement:
        raise typer.BadParameter("give a round or an --agreement, not both")
    with open_node(home, passphrase_file) as node:
        if watch and not agreement:
            round_id = operations.rounds.find(node, round_id)
        read = partial(operations.rounds.status, node, round_id=round_id, agreement=agreement)
        if watch and not as_json:
            round_live.watch(partial(read, epochs=False))
            return
        statuses = read()
    emit([each.data() for each in statuses], as_json, lambda: round_tables.show_status(statuses))


@app.command()
def results(
    *,
    round_id: RoundId = "",
    edge: OneEdge = "",
    justification: Justification = "",
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Show a round's leads, counts and sums. The audit log records that they were read.

    A lead is a record that both agencies hold and that agrees on the match keys shown. It is not an identification: a
    person checks it. A count or a sum is about a list as a whole, not about any person on it.
    """
    with open_node(home, passphrase_file) as node:
        shown = operations.rounds.results(node, round_id, edge=edge, justification=justification)
    emit(shown.data(), as_json, lambda: round_tables.show_results(shown))


@app.command()
def export(
    *,
    round_id: RoundId = "",
    out: Annotated[Path, typer.Option(help="The file to write.")],
    form: Annotated[
        ExportFormat | None,
        typer.Option("--format", help="ftm is FollowTheMoney. Without it, the file's name decides."),
    ] = None,
    edge: OneEdge = "",
    recipient: Annotated[str, typer.Option(help="Who gets the file, for the audit log.")] = "",
    justification: Justification = "",
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Write a round's results to a file that only this user can read. Retention does not erase the file.

    csv is for a spreadsheet, json for a program, and ftm for FollowTheMoney, which has no place for counts and sums.

    For example:

        blindmatch round export --out leads.csv --recipient "detective team"
    """
    form = form or ExportFormat.of_suffix(out)
    if form is None:
        raise typer.BadParameter(f"{out} does not end in .csv, .json or .ftm: give the format with --format")
    with open_node(home, passphrase_file) as node:
        written = operations.rounds.export(
            node,
            out,
            form=form,
            round_id=round_id,
            edge=edge,
            recipient=recipient,
            justification=justification,
        )
    numbers = f" and {written.numbers} numbers" if written.with_numbers else ""
    emit(written.data(), as_json, lambda: note(f"{written.leads} leads{numbers} written to {out}"))


@app.command()
def receipts(
    *,
    round_id: RoundId = "",
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Show the receipts of closed edges, and verify all their signatures again.

    The exit status is 1 when a signature is invalid or missing.
    """
    with open_node(home, passphrase_file) as node:
        verified = operations.rounds.receipts(node, round_id)
    emit([each.data() for each in verified], as_json, lambda: round_tables.show_receipts(verified))
    if not all(each.valid for each in verified):
        raise typer.Exit(1)


@app.command()
def reports(
    *,
    agreement: AgreementId,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Fetch, verify, store and show the counts and sums that an agreement has other agencies report to this one.

    Each result carries the signature of the sender, which computed it, and of the receiver, which obtained it. A sum also
    carries a proof that the receiver decrypted it correctly. The exit status is 1 unless every agency was reached and
    everything verifies.
    """
    with open_node(home, passphrase_file) as node:
        logs.configure(level="warning", form="console")
        fetched = asyncio.run(operations.rounds.fetch_reports(node, agreement))
    emit(fetched.data(), as_json, lambda: round_tables.show_reports(fetched))
    if fetched.failed:
        raise typer.Exit(1)


@app.command()
def abandon(
    *,
    round_id: Annotated[str, typer.Argument(metavar="ROUND", help="The round's id, or its first digits.")],
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Abandon the unfinished edges of a round: their secrets and working files are erased, and they cannot be resumed."""
    with open_node(home, passphrase_file) as node:
        abandoned = operations.rounds.abandon(node, round_id)
    text = f"{abandoned.edges} edges of round {abandoned.round_id.hex()[:SHORT]} abandoned"
    emit(abandoned.data(), as_json, lambda: note(text))
