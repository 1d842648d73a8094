"""`blindmatch linkage evaluate`: what a schema finds on two lists whose truth is known."""

from pathlib import Path
from typing import Annotated, Any

import typer

from blindmatch.node.cli.common import JsonOption, emit, facts, note, progress, table
from blindmatch.node.evaluation import View, draw, panels, read_labelled, run_trial
from blindmatch.node.evaluation.trial import StageTimer, measure_rates
from blindmatch.node.imports.formats import load_mapping
from blindmatch.protocol.errors import InputError
from blindmatch.protocol.linkage import CompileTerms, load_schema

TableArgument = Annotated[Path, typer.Argument(help="A table: CSV or Parquet.", show_default=False)]
SHOWN_KEYS = 12


def evaluate(
    left: TableArgument,
    right: TableArgument,
    *,
    truth: Annotated[
        Path, typer.Option(help="The pairs that are one person: columns left_reference, right_reference.")
    ],
    mapping_left: Annotated[
        Path | None, typer.Option(help="Columns to fields of LEFT; otherwise recognised.")
    ] = None,
    mapping_right: Annotated[
        Path | None, typer.Option(help="Columns to fields of RIGHT; otherwise recognised.")
    ] = None,
    view: Annotated[
        View,
        typer.Option(
            help="companies-house reduces RIGHT to name, month and year of birth, and postcode district."
        ),
    ] = View.FULL,
    overlap: Annotated[
        float, typer.Option(help="Share of the shorter list assumed to be on the other one.")
    ] = 0.05,
    false_leads: Annotated[float, typer.Option(help="Share of leads that may be false, as expected.")] = 0.01,
    budget: Annotated[int, typer.Option(help="The most keys.")] = 80,
    schema: Annotated[str, typer.Option(help="The linkage schema.")] = "uk-person-company-2",
    through_protocol: Annotated[
        bool, typer.Option(help="Run both sessions of the protocol too; the leads must be the same.")
    ] = False,
    picture: Annotated[
        Path | None, typer.Option(help="Write precision and recall against budget and false leads, as SVG.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a schema on labelled data: precision, recall, expected and actual false leads.

    LEFT is the receiver's list and RIGHT the sender's. Each side's rates come from its own list, as in a round. No
    node and no passphrase are needed, and nothing is stored. Fields that cannot be read are left blank and counted.

    For example:

        blindmatch linkage evaluate left.csv right.csv --truth truth.csv --view companies-house
    """
    terms = CompileTerms(overlap=overlap, false_leads=false_leads, budget=budget)
    used = load_schema(schema)
    timer = StageTimer()
    with timer.stage("read"):
        labelled = read_labelled(
            used,
            left,
            right,
            truth,
            mappings=(
                load_mapping(mapping_left) if mapping_left else None,
                load_mapping(mapping_right) if mapping_right else None,
            ),
            view=view,
        )
    rates = measure_rates(labelled, timer)
    trial = run_trial(labelled, terms, rates=rates, through_protocol=through_protocol, timer=timer)
    data = {"view": view.value, **trial.figures()}
    if picture is not None:
        title = f"{left.name} and {right.name}, view {view.value}"
        with progress("picture") as advance:
            made = draw(title, panels(trial, rates, advance=advance))
        try:
            picture.write_text(made, encoding="utf-8")
        except OSError as error:
            raise InputError(f"{picture}: {error.strerror}") from None
        note(f"Picture written to {picture}.")
    emit(data, as_json, lambda: _render(data))


def _share(value: float) -> str:
    return f"{value:.3f}"


def _render(data: dict[str, Any]) -> None:
    table(
        ("", "found", "true", "false", "wanted", "precision", "recall", "F1"),
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
        ("false leads", f"{data['expected_false']:g} expected, {data['actual_false']} found"),
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
        ("pairs first found by", "found", "false"),
        [(key["words"], key["found"], key["false"]) for key in keys],
    )
    if left := len(data["keys"]) - len(keys):
        typer.echo(f"{left} more keys; --json shows all.")
