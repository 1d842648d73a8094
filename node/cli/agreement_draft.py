"""`blindmatch agreement draft`: write a draft file, propose it, or import another party's agreement."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Annotated

import typer

from blindmatch.node import operations
from blindmatch.node.cli import agreement_show
from blindmatch.node.cli.options import DEFAULT_HOME, AsJson, Home, OutFile, PassphraseFile, open_node
from blindmatch.node.cli.output import emit, note
from blindmatch.node.operations.choices import EdgeDisclosure, EdgePattern
from blindmatch.protocol.errors import ConfigError

OfflineOption = Annotated[bool, typer.Option("--offline", help="Contact no other node.")]


def draft(
    *,
    file: Annotated[
        Path | None, typer.Argument(help="An edited draft file, to propose as an agreement.")
    ] = None,
    pattern: Annotated[
        EdgePattern | None,
        typer.Option(help="Write a draft file: which agencies compare with which. Without it, bipartite."),
    ] = None,
    receiver: Annotated[
        list[str] | None,
        typer.Option(help="An agency that learns: the hub of a star, or the one that requests. Repeatable."),
    ] = None,
    sender: Annotated[
        list[str] | None, typer.Option(help="An agency from which the receivers learn. Repeatable.")
    ] = None,
    member: Annotated[
        list[str] | None, typer.Option(help="A member of all-pairs, or of a threshold. Repeatable.")
    ] = None,
    both: Annotated[
        bool, typer.Option("--both", help="For a star: each of the others also learns from the hub.")
    ] = False,
    out: OutFile = None,
    disclosure: Annotated[
        EdgeDisclosure,
        typer.Option(help="What every edge discloses. For a threshold, give --threshold instead."),
    ] = EdgeDisclosure.HITS,
    count: Annotated[bool, typer.Option("--count", help="Short for --disclosure count.")] = False,
    total: Annotated[
        str, typer.Option("--sum", metavar="FIELD", help="Short for --disclosure sum, of this sender's fact.")
    ] = "",
    decimals: Annotated[int, typer.Option(help="For a sum: digits after the decimal point.")] = 0,
    minimum: Annotated[
        int, typer.Option(help="For counts, sums, thresholds: fewer matches give no result.")
    ] = 5,
    band: Annotated[
        int, typer.Option(help="For counts, sums, thresholds: the steps in which results are disclosed.")
    ] = 1,
    report_to: Annotated[
        list[str] | None,
        typer.Option(help="For counts, sums: an agency that also gets the result. Repeatable."),
    ] = None,
    threshold: Annotated[
        int, typer.Option(metavar="T", help="Add a threshold: what at least T of the members hold.")
    ] = 0,
    collector: Annotated[str, typer.Option(help="For a threshold: the agency that collects.")] = "",
    standing: Annotated[
        int, typer.Option(metavar="DAYS", help="A standing agreement; its keys are used for DAYS days.")
    ] = 0,
    checks_per_day: Annotated[
        int, typer.Option(help="For a standing agreement: single checks per edge and day.")
    ] = 0,
    receiver_kind: Annotated[
        str, typer.Option(help="subjects, suppliers or bidders. Without it, the usual kind for the pattern.")
    ] = "",
    sender_kind: Annotated[str, typer.Option(help="The same for the senders.")] = "",
    max_records: Annotated[int, typer.Option(help="The largest collection on either side.")] = 20_000,
    asked_records: Annotated[int, typer.Option(help="For a request: its most records.")] = 25,
    tokens: Annotated[int, typer.Option(help="The most tokens to which a record is padded.")] = 160,
    imported: Annotated[
        Path | None, typer.Option("--import", help="Store an agreement that another party exported.")
    ] = None,
    offline: OfflineOption = False,
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Create an agreement, in two steps: write a draft file and edit it, then propose it.

    The second step fetches the parties' own entries (keys, legal basis) from their nodes, checks every field, stores the
    agreement and proposes it to the parties. It takes effect when all of them have signed it.

    For example:

        blindmatch agreement draft --receiver west-force --sender east-council --out draft.toml
        blindmatch agreement draft --pattern all-pairs --member a --member b --member c --count --out draft.toml
        blindmatch agreement draft draft.toml
    """
    writes = bool(pattern or receiver or sender or member)
    if sum((file is not None, writes, imported is not None)) != 1:
        raise typer.BadParameter("give a draft FILE, or a pattern's agencies, or --import FILE")
    agreements = operations.agreements
    if writes:
        if count or total:
            disclosure = EdgeDisclosure.SUM if total else EdgeDisclosure.COUNT
        choices = agreements.Choices(
            receivers=receiver or (),
            senders=sender or (),
            pattern=agreements.Pattern(pattern or EdgePattern.BIPARTITE),
            members=member or (),
            both=both,
            receiver_kind=receiver_kind,
            sender_kind=sender_kind,
            disclosure=agreements.Disclosure(disclosure),
            value=total,
            decimals=decimals,
            minimum=minimum,
            band=band,
            report_to=report_to or (),
            max_records=max_records,
            asked_records=asked_records,
            tokens_per_record=tokens,
            at_least=threshold,
            collector=collector,
            epoch_days=standing,
            checks_per_day=checks_per_day,
        )
        try:
            text = agreements.write_template(choices, time.time(), out=out)
        except ConfigError as error:
            raise typer.BadParameter(f"{error.message}. {error.hint}") from None
        if out is None:
            typer.echo(text, nl=False)
        else:
            note(f"Wrote {out}. Edit it, then: blindmatch agreement draft {out}")
        return
    with open_node(home, passphrase_file) as node:
        if file is not None:
            result = asyncio.run(agreements.propose(node, file, offline=offline))
        elif imported is not None:
            result = agreements.import_file(node, imported)

    def render() -> None:
        agreement_show.show(result)
        agreement_show.outcomes(result.outcomes, "proposed to")
        note(f"\nNext: blindmatch agreement sign {agreement_show.short(result)}")

    emit(result.data(), as_json, render)
