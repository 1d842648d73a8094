"""Counts and sums on the command line: in a round's results, and as reports from other agencies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from blindmatch.node.cli.common import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    PassphraseOption,
    emit,
    note,
    open_node,
    table,
)
from blindmatch.node.cli.startup import LazyModule

if TYPE_CHECKING:
    from blindmatch.node.agreements import registry
    from blindmatch.node.rounds.aggregate import reporting
    from blindmatch.node.rounds.aggregate.results import AggregateResult
    from blindmatch.node.storage import logs
else:
    logs, reporting = (
        LazyModule("blindmatch.node.storage.logs"),
        LazyModule("blindmatch.node.rounds.aggregate.reporting"),
    )
    registry = LazyModule("blindmatch.node.agreements.registry")


def show_numbers(told: Sequence[AggregateResult]) -> None:
    """A table of counts and sums, unless there are none."""
    if told:
        cells = [
            (
                each.edge,
                each.sender,
                f"sum of {each.value}" if each.value else f"matching {each.kind}",
                each.words,
            )
            for each in told
        ]
        table(("edge", "sender", "what", "result"), cells)


def reports(
    *,
    agreement: Annotated[
        str, typer.Argument(metavar="AGREEMENT", help="The agreement's id, or its first digits.")
    ],
    home: HomeOption = DEFAULT_HOME,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch, check, keep and show the counts and sums that an agreement has other agencies report to this one.

    Each result carries the signature of the agency that counted, and that of the agency that was told; a sum also a proof
    that it was read rightly. Ends with status 1 unless every agency was reached and all of it is in order.
    """
    with open_node(home, passphrase_file) as node:
        logs.configure(level="warning", form="console")
        fetched = asyncio.run(reporting.fetch(node, registry.find(node, agreement).id))
    found = [result for each in fetched for result in each.results]
    failed = [each for each in fetched if each.error is not None]

    def render() -> None:
        cells = [(each.round[:12], each.receiver, each.sender, each.edge, each.words) for each in found]
        table(("round", "told to", "told by", "edge", "result"), cells, empty="No reports.")
        for each in failed:
            if each.error is not None:
                note(f"{each.receiver}: {each.error.message}")

    data = {
        "reports": [each.data() for each in found],
        "failed": [
            {"receiver": each.receiver, "reason": each.error.message} for each in failed if each.error
        ],
    }
    emit(data, as_json, render)
    if failed:
        raise typer.Exit(1)
