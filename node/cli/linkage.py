"""`blindmatch linkage`: how a schema reads values, why two records match, and the quality of a schema."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from blindmatch.node import operations
from blindmatch.node.cli.linkage_evaluate import evaluate
from blindmatch.node.cli.options import DEFAULT_HOME, AsJson, Home, Justification, PassphraseFile, open_node
from blindmatch.node.cli.output import emit, facts, table

if TYPE_CHECKING:
    from blindmatch.node.operations.linkage import Comparison, Explanation

app = typer.Typer(no_args_is_help=True)

SHOWN_KEYS = 5

SideArgument = Annotated[
    str, typer.Argument(help='Values, "field=value; field=value", or a record, "collection:reference".')
]

app.command("evaluate")(evaluate)


@app.command()
def explain(
    left: SideArgument,
    right: Annotated[str, typer.Argument(help="The same, to be compared with the first.")] = "",
    *,
    schema: Annotated[
        str,
        typer.Option(help="The linkage schema. Without it, that of the first record, or else the newest."),
    ] = "",
    sizes: Annotated[
        str, typer.Option(help="Records of both lists for which keys are compiled, such as 2000x40000.")
    ] = "",
    justification: Justification = "",
    home: Home = DEFAULT_HOME,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    r"""Show how the schema reads values, level by level, and the keys on which two sides agree.

    Values need no node. For a record of this node, only its levels are shown: a node does not store its values. The audit
    log records that it was read.

    For example:

        blindmatch linkage explain "forenames=Seán; surname=O'Brien; date_of_birth=3/4/1970" \
            "full_name=OBRIEN, Sean; date_of_birth=1970-04"
    """
    numbers = _sizes(sizes)
    linkage = operations.linkage
    sides = [side for side in (left, right) if side]
    stored = any(map(linkage.names_record, sides))
    with open_node(home, passphrase_file) if stored else nullcontext() as node:
        explanation = linkage.explain(
            node,
            sides,
            schema=schema,
            sizes=numbers or linkage.TYPICAL_SIZES,
            justification=justification,
        )
    emit(explanation.data(), as_json, lambda: _show_explanation(explanation))


def _sizes(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    left, _, right = text.lower().partition("x")
    if not (left.isdecimal() and right.isdecimal()):
        raise typer.BadParameter("sizes are written 2000x40000")
    return int(left), int(right)


def _show_explanation(explanation: Explanation) -> None:
    comparison = explanation.comparison
    columns = ("level", "first", "") if comparison is None else ("level", "first", "second", "")
    shown = [level for level in explanation.levels if any(level.values)]
    table(columns, [(level.words, *level.values, level.result) for level in shown])
    if comparison is not None:
        _show_comparison(explanation, comparison)


def _show_comparison(explanation: Explanation, comparison: Comparison) -> None:
    parts = [
        (", ".join(part["fields"]), ", ".join(part["agree"]) or "nothing", part["bits"])
        for part in comparison.parts
    ]
    table(("fields", "agree on", "bits"), parts, empty="No field of the person agrees.")
    left, right = explanation.sizes
    missing = [f"{name} on the {side} side" for side, names in comparison.missing.items() for name in names]
    facts(
        [
            ("score", "none" if comparison.score is None else f"{comparison.score} bits"),
            ("threshold", f"{explanation.threshold} bits for {left:,} and {right:,} records"),
            *([("read as", "names in either order")] if comparison.swapped else []),
            *([("missing", ", ".join(missing))] if missing else []),
        ]
    )
    for key in sorted(comparison.keys, key=lambda key: -key["bits"])[:SHOWN_KEYS]:
        typer.echo(f"key: {key['words']} ({key['bits']} bits, posterior {key['posterior']:.3f})")
    typer.echo("A lead." if comparison.lead else "No lead: no key agrees.")
