"""`blindmatch check`: one record, now, under a standing agreement with an open epoch."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blindmatch.node import operations
from blindmatch.node.cli.options import (
    DEFAULT_HOME,
    AgreementId,
    AsJson,
    Home,
    MappingFile,
    PassphraseFile,
    open_node,
)
from blindmatch.node.cli.output import SHORT, emit, moment, note, table

if TYPE_CHECKING:
    from blindmatch.node.operations import checks

app = typer.Typer()


@app.command()
def check(
    *,
    agreement: AgreementId,
    edge: Annotated[str, typer.Option(help="The edge. Required where this node is on several.")] = "",
    record: Annotated[
        Path | None,
        typer.Option(help="A CSV file with one row, or a JSON file with one object.", dir_okay=False),
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="A field of the record. Repeatable."),
    ] = None,
    register: Annotated[
        list[Path] | None,
        typer.Option(help="A register's file: also check the people who serve or control the company."),
    ] = None,
    mapping: MappingFile = None,
    received: Annotated[
        bool, typer.Option("--received", help="Show the records submitted to this node that matched.")
    ] = False,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Compare one record, in the direction agreed.

    The sender of the edge submits the record, and learns only that it was received. The receiver queries the record, and
    learns whether the sender holds it too. The messages look the same whether the record matches or not. Each record counts
    against the agreement's checks per day; a company read with --register is several records.

    For example:

        blindmatch check 3f2a --set forenames=Ada --set surname=Lane --set date_of_birth=1980-02-01
        blindmatch check 3f2a --record bidder.csv --register persons-with-significant-control.txt
        blindmatch check 3f2a --received
    """
    if not received and record is None and not values:
        raise typer.BadParameter("give a record: --record FILE, or --set FIELD=VALUE")
    fields = _fields(values or [])
    with open_node(home, passphrase_file) as node:
        if received:
            matched = operations.checks.received(node, agreement)
            emit(matched.data(), as_json, lambda: _show_received(matched))
            return
        if record is not None:
            fields = operations.checks.read_record(record) | fields
        result = asyncio.run(
            operations.checks.check(
                node, agreement, fields, edge=edge, register=register or (), mapping=mapping
            )
        )
    emit(result.data(), as_json, lambda: _show(result))


def _fields(values: list[str]) -> dict[str, str]:
    fields = {}
    for each in values:
        name, sign, value = each.partition("=")
        if not sign or not name:
            raise typer.BadParameter(f"--set takes FIELD=VALUE, not {name!r}")
        fields[name] = value
    return fields


def _show(result: checks.SubmittedRecord | checks.QueriedRecord) -> None:
    if isinstance(result, operations.checks.SubmittedRecord):
        for check_id in result.checks:
            typer.echo(f"submitted as {check_id.hex()[:SHORT]}")
        note("If it matches, the other agency's officer learns it. This node does not.")
        return
    for lead in result.leads:
        typer.echo(f"hit: {lead.agency} holds a record that agrees ({'; '.join(lead.keys)})")
    if result.leads:
        note("A hit is a lead, not an identification: talk to the other agency.")
    else:
        typer.echo("no hit")


def _show_received(received: checks.ReceivedChecks) -> None:
    cells = [
        (each.check.hex()[:SHORT], each.agency, moment(each.came_at), lead.reference, "\n".join(lead.keys))
        for each in received.checks
        for lead in each.leads
    ]
    columns = ("submission", "from", "when", "our reference", "agreeing")
    table(columns, cells, empty="No submitted record matches.")
