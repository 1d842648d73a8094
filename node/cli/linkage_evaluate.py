"""`blindmatch linkage evaluate`: the quality of a schema on two lists whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from blindmatch.node import operations
from blindmatch.node.cli.options import AsJson, MappingFile
from blindmatch.node.cli.output import emit, facts, note, progress, table
from blindmatch.node.operations.choices import RightView

TableArgument = Annotated[Path, typer.Argument(help="A table: CSV or Parquet.", show_default=False)]
SHOWN_KEYS = 12


def evaluate(
    left: TableArgument,
    right: TableArgument,
    *,
    truth: Annotated[
        Path, typer.Option(help="The pairs that are one person: columns left_reference, right_reference.")
    ],
    mapping_left: MappingFile = None,
    mapping_right: MappingFile = None,
    view: Annotated[
        RightView,
        typer.Option(
            help="companies-house: RIGHT has only name, month and year of birth, postcode district."
        ),
    ] = RightView.FULL,
    overlap: Annotated[
        float, typer.Option(help="The share of the shorter list that is assumed to be on the other list.")
    ] = 0.05,
    false_leads: Annotated[float, typer.Option(help="The expected share of false leads.")] = 0.01,
    budget: Annotated[int, typer.Option(help="The most keys.")] = 80,
    schema: Annotated[str, typer.Option(help="The linkage schema.")] = "uk-person-company-2",
    through_protocol: Annotated[
        bool, typer.Option(help="Also run both sessions of the protocol. The leads must be the same.")
    ] = False,
    picture: Annotated[
        Path | None, typer.Option(help="Write precision and recall against budget and false leads, as SVG.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure a schema on labelled data: precision, recall, expected and actual false leads.

    LEFT is the receiver's list and RIGHT the sender's. Each side's rates come from its own list, as in a round. No node
    and no passphrase are needed, and nothing is stored. Fields that cannot be read are left blank and counted.

    For example:

        blindmatch linkage evaluate left.csv right.csv --truth truth.csv --view companies-house
    """
    with progress("evaluating") as advance:
        evaluation = operations.linkage.evaluate(
            left,
            right,
            truth,
            mappings=(mapping_left, mapping_right),
            view=view.value,
            overlap=overlap,
            false_leads=false_leads,
            budget=budget,
            schema=schema,
            through_protocol=through_protocol,
            picture=picture,
            progress=advance,
        )
    if picture is not None:
        note(f"Picture written to {picture}.")
    data = evaluation.data()
    emit(data, as_json, lambda: _show_evaluation(data))


def _share(value: float) -> str:
    return f"{value:.3f}"


def _show_evaluation(data: dict[str, Any]) -> None:
    table(
        ("", "results", "true", "false", "wanted", "precision", "recall", "F1"),
        [
            (
                name,
                *(each[key] for key in ("found", "correct", "false", "wanted")),
                *(_share(each[key]) for key in ("precision", "recall", "f1")),
            )
            for name, each in (("pairs", data["pairs"]), ("leads", data["leads"]))
        ],
    )
    pairs: list[tuple[str, object]] = [
        ("records", f"{data['records']['left']:,} and {data['records']['right']:,}"),
        ("true pairs", f"{data['true_pairs']:,}, out of reach {data['true_pairs_out_of_reach']:,}"),
        ("false leads", f"{data['expected_false']:g} expected, {data['actual_false']} actual"),
        ("patterns", data["patterns"]),
        ("tokens per record", data["tokens_per_record"]),
        ("seconds", ", ".join(f"{name} {value:g}" for name, value in data["seconds"].items())),
    ]
    if data["through_protocol"]:
        pairs.append(
            ("through the protocol", f"{data['through_protocol']['elements']:,} elements, the same leads")
        )
    for side in ("left", "right"):
        if data["rows_left_out"][side]:
            pairs.append((f"{side}: rows left out", data["rows_left_out"][side]))
        pairs += [
            (f"{side}: blanked", f"{count:,} {reason}") for reason, count in data["faults"][side].items()
        ]
    facts(pairs)
    keys = sorted(data["keys"], key=lambda key: -key["found"])[:SHOWN_KEYS]
    typer.echo()
    table(
        ("key", "pairs it is the first to match", "false"),
        [(key["words"], key["found"], key["false"]) for key in keys],
    )
    if more := len(data["keys"]) - len(keys):
        typer.echo(f"{more} more keys; --json shows all.")
