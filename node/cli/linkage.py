"""`blindmatch linkage`: what a schema makes of values, and why two records match."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from blindmatch.node.cli.common import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    PassphraseOption,
    emit,
    open_node,
)
from blindmatch.node.cli.linkage_evaluate import evaluate
from blindmatch.node.cli.linkage_score import explain_model, render_model
from blindmatch.protocol.errors import InputError
from blindmatch.protocol.linkage import (
    Schema,
    level_digests,
    load_schema,
)
from blindmatch.protocol.linkage.levels import FIELD_KINDS, GAP, LEVEL_TESTS
from blindmatch.protocol.linkage.normalise import split_full_name

app = typer.Typer(help="Quality of a linkage schema, and why two records match.", no_args_is_help=True)

NEWEST = "uk-person-company-2"
USUAL_SIZES = (2_000, 40_000)
"""A force's people and a county's officers: what a score is set against when no sizes are given."""

Digests = np.typing.NDArray[np.uint8]
SideArgument = Annotated[
    str, typer.Argument(help='Values, "field=value; field=value", or a record, "collection:reference".')
]


@app.callback()
def noun() -> None:
    """Quality of a linkage schema, and why two records match."""


app.command("evaluate")(evaluate)


@app.command()
def explain(
    left: SideArgument,
    right: Annotated[str, typer.Argument(help="The same, to be compared with the first.")] = "",
    *,
    schema: Annotated[
        str, typer.Option(help="The linkage schema; without it the records' own, for values the newest.")
    ] = "",
    sizes: Annotated[
        str,
        typer.Option(help="Records on both sides, such as 2000x40000: what keys are compiled for."),
    ] = "",
    justification: Annotated[str, typer.Option(help="Why, for the audit log, where a record is read.")] = "",
    home: HomeOption = DEFAULT_HOME,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    r"""Show values as the schema sees them, level by level, and which keys two of them agree on.

    Values need no node. Records do; their values are not kept, so only which levels they answer is shown.

    For example:

        blindmatch linkage explain "forenames=Seán; surname=O'Brien; date_of_birth=3/4/1970" \
            "full_name=OBRIEN, Sean; date_of_birth=1970-04"
    """
    numbers = _sizes(sizes)
    given = [text for text in (left, right) if text]
    sides: list[tuple[list[str], Digests]]
    if all("=" in text for text in given):
        used = load_schema(schema or NEWEST)
        sides = [_values(used, text) for text in given]
    else:
        used, sides = _with_records(schema, given, home, passphrase_file, justification)
    data = explain_model(used, sides, numbers or USUAL_SIZES)
    emit(data, as_json, lambda: render_model(data, len(sides)))


def _values(schema: Schema, text: str) -> tuple[list[str], Digests]:
    """What each level sees of `field=value; …`, and the digests."""
    values: dict[str, str] = {}
    for item in text.split(";"):
        name, equals, value = (part.strip() for part in item.partition("="))
        if not item.strip():
            continue
        if not equals:
            raise InputError(
                "values are written field=value; field=value", hint="See `linkage explain --help`."
            )
        if name == "full_name":
            values["forenames"], values["surname"] = split_full_name(value)
        elif name in {entry.name for entry in schema.fields}:
            values[name] = value
        else:
            known = ", ".join(entry.name for entry in schema.fields)
            raise InputError(f"the schema has no field {name!r}", hint=f"Fields: {known}, full_name.")
    canonical = {}
    for entry in schema.fields:
        try:
            canonical[entry.name] = FIELD_KINDS[entry.kind](values.get(entry.name, ""))
        except ValueError as error:
            raise InputError(f"{entry.name}: {error}") from None
    seen = []
    for level in schema.levels:
        texts = [canonical[name] for name in (level.field, level.other) if name]
        test = LEVEL_TESTS[schema.field_named(level.field).kind][level.test]
        seen.append(test(GAP.join(texts)) if all(texts) else "")
    return seen, level_digests(schema, [values])


def _with_records(
    name_of_schema: str, given: list[str], home: Path, passphrase_file: Path | None, justification: str
) -> tuple[Schema, list[tuple[list[str], Digests]]]:
    from blindmatch.node.imports import open_collection  # noqa: PLC0415
    from blindmatch.node.storage.audit_events import AuditEvent  # noqa: PLC0415 - the database library is slow to import

    sides = []
    with open_node(home, passphrase_file) as node:
        if not name_of_schema:
            first = next(text for text in given if "=" not in text)
            name_of_schema = (
                open_collection(node, first.partition(":")[0]).schema.name if ":" in first else NEWEST
            )
        schema = load_schema(name_of_schema)
        for text in given:
            if "=" in text:
                sides.append(_values(schema, text))
                continue
            name, colon, reference = text.partition(":")
            if not colon:
                raise InputError(
                    "a record is written collection:reference", hint="See `linkage explain --help`."
                )
            collection = open_collection(node, name)
            if collection.schema.name != schema.name:
                raise InputError(f"collection {name} was imported under the schema {collection.schema.name}")
            places = collection.find(reference)
            if not places:
                raise InputError(f"collection {name} has no record with this reference")
            digests = np.concatenate([collection.columns(place, place + 1).columns for place in places])
            says = np.atleast_1d(digests.any(axis=(0, 2)))
            sides.append((["(kept as a digest)" if there else "" for there in says], digests))
            node.audit.append(
                AuditEvent.CONSULTATION,
                subject=f"collection {collection.name}",
                justification=justification,
                detail={"id": collection.id, "records": len(places), "action": "explain"},
            )
    return schema, sides


def _sizes(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    ours, _, theirs = text.lower().partition("x")
    if not (ours.isdecimal() and theirs.isdecimal()):
        raise typer.BadParameter("sizes are written 2000x40000")
    return int(ours), int(theirs)
