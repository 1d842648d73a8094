"""`blindmatch agreement`: draft, show, sign, verify, list, decline and withdraw."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blindmatch.node import operations
from blindmatch.node.cli import agreement_show
from blindmatch.node.cli.agreement_draft import OfflineOption, draft
from blindmatch.node.cli.options import DEFAULT_HOME, AsJson, Home, Justification, PassphraseFile, open_node
from blindmatch.node.cli.output import SHORT, emit, note, table

if TYPE_CHECKING:
    from blindmatch.node.node import Node
    from blindmatch.node.operations.agreements import AgreementResult

app = typer.Typer(no_args_is_help=True)

_LISTED = 4
"""Agencies that a table's cell lists."""

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The agreement's id, or its first digits.")]
FetchOption = Annotated[
    bool, typer.Option("--fetch", help="First fetch signatures, declines and withdrawals from the parties.")
]
FullOption = Annotated[
    bool, typer.Option("--full", "--edges", help="Print every edge, also where only the agencies differ.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]

app.command()(draft)


@app.command()
def show(
    *,
    agreement: IdArgument,
    fetch: FetchOption = False,
    full: FullOption = False,
    export: Annotated[Path | None, typer.Option(help="Also write it to a file, with all signatures.")] = None,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Show an agreement in words: who learns what from whom, for how long, and who has signed.

    The exported file is a DSSE envelope. Another party stores it with `blindmatch agreement draft --import FILE`.
    """
    with open_node(home, passphrase_file) as node:
        outcomes = asyncio.run(operations.agreements.fetch(node, agreement)) if fetch else ()
        if export is not None:
            operations.agreements.export(node, agreement, export)
        result = operations.agreements.show(node, agreement)
    agreement_show.outcomes(outcomes, "fetched from")
    emit(result.data(), as_json, lambda: agreement_show.show(result, full=full))


@app.command()
def sign(
    *,
    agreement: IdArgument,
    full: FullOption = False,
    collection: Annotated[
        list[str] | None,
        typer.Option(metavar="EDGE=NAME", help="This node's collection for an edge. Repeatable."),
    ] = None,
    yes: YesOption = False,
    offline: OfflineOption = False,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Sign an agreement as this node's agency, after showing all of it, and send the signature to the parties.

    A party that is not reached gets it later, when either side runs `blindmatch agreement show --fetch` or signs again. When
    this node has one collection of the kind that an edge needs, it is used. Otherwise name one with --collection, now or
    later.
    """
    collections = [_binding(text) for text in collection or ()]
    with open_node(home, passphrase_file) as node:
        operations.agreements.check_signable(node, agreement, collections=collections)
        if not yes:
            current = operations.agreements.show(node, agreement)
            if node.agency in current.summary.missing:
                _confirm(current, f"Sign for {node.settings.name}?", as_json=as_json, full=full)
        result = asyncio.run(
            operations.agreements.sign(node, agreement, collections=collections, offline=offline)
        )

    def render() -> None:
        typer.echo(f"Signed {agreement_show.short(result)} for {node.agency}: {result.summary.state}.")
        for edge, problem in result.unbound.items():
            note(f"edge {edge} has no collection yet: {problem.message}")
            note(f"  {problem.hint}")
        agreement_show.outcomes(result.outcomes, "sent to")

    emit(result.data(), as_json, render)


@app.command()
def verify(
    *,
    agreement: Annotated[
        str, typer.Argument(metavar="ID|FILE", help="An id, or a file that a party exported.")
    ],
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Verify that every party has signed exactly these bytes. The exit status is 1 if a signature is missing or invalid.

    To verify a file you need no node and no passphrase.
    """
    if Path(agreement).is_file():
        result = operations.agreements.verify_file(Path(agreement))
    else:
        with open_node(home, passphrase_file) as node:
            result = operations.agreements.verify(node, agreement)

    def render() -> None:
        typer.echo(f"{result.title}\n{result.id}")
        table(("party", "signature"), list(result.signatures.items()))
        typer.echo("Every party has signed these bytes." if result.complete else "NOT signed by every party.")

    emit(result.data(), as_json, render)
    if not result.complete:
        raise typer.Exit(1)


@app.command("list")
def list_(
    *,
    fetch: FetchOption = False,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """List the agreements that this node holds, their state, and the parties that were not reached."""
    with open_node(home, passphrase_file) as node:
        if fetch:
            asyncio.run(operations.agreements.fetch_all(node))
        agreements = operations.agreements.list_agreements(node)
    cells = [
        (
            each.id[:SHORT],
            each.title,
            _some(each.parties),
            each.edges,
            f"{len(each.signed)} of {len(each.parties)}",
            _some(each.not_reached),
            each.expires[:10],
            each.state,
        )
        for each in agreements
    ]
    columns = ("id", "title", "parties", "edges", "signed", "not reached", "expires", "state")
    emit([each.data() for each in agreements], as_json, lambda: table(columns, cells, empty="No agreements."))


def _some(agencies: Sequence[str]) -> str:
    """Agencies in one cell of a table."""
    shown = ", ".join(agencies[:_LISTED])
    return shown if len(agencies) <= _LISTED else f"{shown} and {len(agencies) - _LISTED} more"


@app.command()
def decline(
    *,
    agreement: IdArgument,
    reason: Annotated[str, typer.Option(help="The reason. Every party reads it.")],
    justification: Justification = "",
    yes: YesOption = False,
    offline: OfflineOption = False,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Decline to sign an agreement, with a signed reason that goes to all parties. The agreement can never start.

    After signing, this is a withdrawal. Declining again sends it to the parties that were not reached.
    """
    with open_node(home, passphrase_file) as node:
        if not yes:
            _confirm_end(node, agreement, f"Decline for {node.settings.name}, for good?", as_json=as_json)
        operation = operations.agreements.decline
        result = asyncio.run(operation(node, agreement, reason, justification=justification, offline=offline))
    _show_end(result, as_json=as_json)


@app.command()
def withdraw(
    *,
    agreement: IdArgument,
    reason: Annotated[str, typer.Option(help="The reason. Every party reads it.")] = "",
    justification: Justification = "",
    yes: YesOption = False,
    offline: OfflineOption = False,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Withdraw this agency from an agreement: no further round runs under it, on this node or on nodes that know of it.

    Withdrawing again sends it to the parties that were not reached. What was disclosed before remains disclosed.
    """
    with open_node(home, passphrase_file) as node:
        if not yes:
            _confirm_end(node, agreement, f"Withdraw {node.settings.name} for good?", as_json=as_json)
        operation = operations.agreements.withdraw
        result = asyncio.run(operation(node, agreement, reason, justification=justification, offline=offline))
    _show_end(result, as_json=as_json)


def _confirm_end(node: Node, agreement: str, question: str, *, as_json: bool) -> None:
    """Ask, unless this agency has declined or withdrawn before."""
    current = operations.agreements.show(node, agreement)
    if node.agency not in (*current.summary.declined, *current.summary.withdrawn):
        _confirm(current, question, as_json=as_json)


def _show_end(result: AgreementResult, *, as_json: bool) -> None:
    def render() -> None:
        typer.echo(f"{agreement_show.short(result)}: {result.summary.state}.")
        agreement_show.outcomes(result.outcomes, "sent to")

    emit(result.data(), as_json, render)


def _confirm(current: AgreementResult, question: str, *, as_json: bool, full: bool = False) -> None:
    """Show the agreement and ask. The exit status is 1 unless the answer is yes."""
    if not as_json:
        agreement_show.show(current, full=full)
        typer.echo()
    if not typer.confirm(question, err=True):
        note("Nothing was changed.")
        raise typer.Exit(1)


def _binding(text: str) -> tuple[str, str]:
    edge, equals, name = text.partition("=")
    if not (edge and equals and name):
        raise typer.BadParameter(f"--collection {text}: write EDGE=NAME")
    return edge, name
