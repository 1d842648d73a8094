"""`blindmatch check`: one record, now, under a standing agreement with an open epoch."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
from blindmatch.node.cli.startup import LazyModule
from blindmatch.protocol.errors import ConfigError

if TYPE_CHECKING:
    from blindmatch.node.agreements import registry
    from blindmatch.node.agreements.registry import StoredAgreement
    from blindmatch.node.imports import formats
    from blindmatch.node.node import Node
    from blindmatch.node.rounds.leads import ResultLead
    from blindmatch.node.rounds.standing import single_checks
    from blindmatch.node.transport import client
else:
    single_checks, client, formats = (
        LazyModule(f"blindmatch.node.{name}")
        for name in ("rounds.standing.single_checks", "transport.client", "imports.formats")
    )
    registry = LazyModule("blindmatch.node.agreements.registry")

app = typer.Typer(help="Compare one record now, under a standing agreement.")

SHORT = 12


@app.command()
def check(
    *,
    agreement: Annotated[str, typer.Argument(help="The agreement's id, or its first digits.")],
    edge: Annotated[str, typer.Option(help="The edge; needed where this node stands on several.")] = "",
    record: Annotated[
        Path | None,
        typer.Option(help="A CSV file with one row, or a JSON file with one object.", dir_okay=False),
    ] = None,
    given: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="A field; repeatable.")
    ] = None,
    register: Annotated[
        list[Path] | None,
        typer.Option(help="A register's file: also check the people who serve or control the company."),
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(help="Which column is which field, as for imports.", dir_okay=False)
    ] = None,
    received: Annotated[
        bool, typer.Option("--received", help="Show what was submitted to this node and matched.")
    ] = False,
    home: HomeOption = DEFAULT_HOME,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare one record, in the direction agreed.

    The sender of the edge submits it and sees only that it was taken; the receiver asks about it and sees whether the
    sender holds the same. What travels looks the same whether it matches or not, and counts against the agreement's checks a
    day, one for each record: a company read with --register is several.

    For example:

        blindmatch check 3f2a --set forenames=Ada --set surname=Lane --set date_of_birth=1980-02-01
        blindmatch check 3f2a --record bidder.csv --register persons-with-significant-control.txt
        blindmatch check 3f2a --received
    """
    with open_node(home, passphrase_file) as node:
        held = registry.find(node, agreement)
        if received:
            found = [each for each in single_checks.received(node, held.id) if each.leads]
            data: dict[str, Any] = {"agreement": held.id.hex(), "submitted": [asdict(each) for each in found]}
            emit(data, as_json, lambda: _show_received(found))
            return
        fields = _fields(record, given or [])
        chosen = edge or _only_edge(node, held)
        read = formats.load_mapping(mapping) if mapping else None
        receives = held.agreement.edge(chosen).receiver.agency == node.agency
        run = _ask if receives else _submit
        data = {
            "agreement": held.id.hex(),
            "edge": chosen,
            **asyncio.run(run(node, held, chosen, fields, register=register or [], mapping=read)),
        }
    emit(data, as_json, lambda: _show(data))


async def _submit(
    node: Node, held: StoredAgreement, edge: str, fields: Mapping[str, str], **how: Any
) -> dict[str, Any]:
    kept = single_checks.epoch_of(node, held, edge)
    with single_checks.records_of(node, held, kept, fields, **how) as records:
        singles = single_checks.singles(records)
        sender = single_checks.Sender.of(kept, records)
    async with _peer(node, held, kept.row.peer) as peer:
        made = [await single_checks.submit(node, peer, sender, single) for single in singles]
    return {"submitted": [check.hex() for check in made]}


async def _ask(
    node: Node, held: StoredAgreement, edge: str, fields: Mapping[str, str], **how: Any
) -> dict[str, Any]:
    kept = single_checks.epoch_of(node, held, edge)
    lists, leads = kept.received(), []
    with single_checks.records_of(node, held, kept, fields, **how) as records:
        async with _peer(node, held, kept.row.peer) as peer:
            for each in single_checks.one_by_one(records):
                leads += await single_checks.ask(node, peer, kept, lists, each)
    return {"asked": len(records), "hit": bool(leads), "leads": [_lead(lead) for lead in leads]}


def _peer(node: Node, held: StoredAgreement, agency: str) -> Any:
    return client.connect(node, agency, certificate_key=held.agreement.party(agency).certificate_key)


def _fields(record: Path | None, given: list[str]) -> dict[str, str]:
    fields = single_checks.read_one(record) if record is not None else {}
    for each in given:
        name, sign, value = each.partition("=")
        if not sign or not name:
            raise typer.BadParameter(f"--set takes FIELD=VALUE, not {name!r}")
        fields[name] = value
    if not fields:
        raise typer.BadParameter("give a record: --record FILE, or --set FIELD=VALUE")
    return fields


def _only_edge(node: Node, held: StoredAgreement) -> str:
    """The only edge of ours that a check can go over."""
    ours = [
        each.id
        for each in held.agreement.edges
        if each.terms.lists_hits and node.agency in {each.receiver.agency, each.sender.agency}
    ]
    if len(ours) != 1:
        raise ConfigError(
            f"{node.agency} stands on {len(ours)} edges that disclose hits", hint=f"--edge: {', '.join(ours)}"
        )
    return ours[0]


def _lead(lead: ResultLead) -> dict[str, Any]:
    return {name: value for name, value in asdict(lead).items() if name != "new"}


def _show(data: Mapping[str, Any]) -> None:
    if "submitted" in data:
        for name in data["submitted"]:
            typer.echo(f"submitted as {name[:SHORT]}")
        note("The other agency's officer is told if it matches; this node is not.")
        return
    if not data["hit"]:
        typer.echo("no hit")
        return
    for lead in data["leads"]:
        typer.echo(f"hit: {lead['agency']} holds a record that agrees ({'; '.join(lead['keys'])})")
    note("A hit is a lead, not an identification: talk to the other agency.")


def _show_received(found: list[Any]) -> None:
    cells = [
        (each.check.hex()[:SHORT], each.agency, moment(each.came_at), lead.reference, "\n".join(lead.keys))
        for each in found
        for lead in each.leads
    ]
    table(
        ("submission", "from", "when", "our reference", "agreeing"),
        cells,
        empty="Nothing that was submitted matches.",
    )
