"""Operations on linkage schemas: explain why two records match, and evaluate a schema on labelled data."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from blindmatch.node.evaluation import TrialResult, View, draw, panels, read_labelled, run_trial
from blindmatch.node.evaluation.explanation import (
    Comparison,
    ExplainedSide,
    Explanation,
    explain_sides,
    side_of_records,
    side_of_values,
    split_reference,
)
from blindmatch.node.evaluation.stage_timer import StageTimer
from blindmatch.node.evaluation.trial import measure_rates
from blindmatch.node.imports import DEFAULT_SCHEMA, open_collection
from blindmatch.node.imports.formats import load_mapping
from blindmatch.node.imports.formats.blank_values import iso_day
from blindmatch.node.node import Node
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.files import write_output
from blindmatch.protocol.errors import ConfigError, InputError
from blindmatch.protocol.linkage import CompileTerms, Schema, load_schema

__all__ = ["Comparison", "Explanation"]

TYPICAL_SIZES = (2_000, 40_000)
"""The people of a force and the officers of a county: the sizes of lists for which keys are compiled by default."""


def names_record(side: str) -> bool:
    """Whether a side is a record of a collection. Otherwise it is values."""
    return "=" not in side


def explain(
    node: Node | None,
    sides: Sequence[str],
    *,
    schema: str = "",
    sizes: tuple[int, int] = TYPICAL_SIZES,
    justification: str = "",
) -> Explanation:
    """How a schema reads one or two sides, and why they match. The audit log gets a consultation entry for each record.

    A side is values, `field=value; field=value`, or a record of this node's, `collection:reference`. An empty `schema` is
    the schema of the first record, or without records the newest one. Keys are compiled for lists of `sizes` records.

    Raises:
        InputError: a side cannot be read, or no record has the reference.
        ConfigError: a side is a record, and there is no node.
        SchemaError: there is no such schema.
    """
    records = [split_reference(side) for side in sides if names_record(side)]
    if records and node is None:
        raise ConfigError("a record can be explained by its node only")
    if node is not None and records and not schema:
        schema = open_collection(node, records[0][0]).schema.name
    loaded = load_schema(schema or DEFAULT_SCHEMA)
    read = [
        side_of_values(loaded, side)
        if node is None or not names_record(side)
        else _stored_side(node, loaded, side, justification)
        for side in sides
    ]
    return explain_sides(loaded, read, sizes)


def _stored_side(node: Node, schema: Schema, text: str, justification: str) -> ExplainedSide:
    name, reference = split_reference(text)
    collection = open_collection(node, name)
    if collection.schema.name != schema.name:
        raise InputError(f"collection {name} was imported under the schema {collection.schema.name}")
    places = collection.find(reference)
    if not places:
        raise InputError(f"collection {collection.name} has no record with this reference")
    node.audit.append(
        AuditEvent.CONSULTATION,
        subject=f"collection {collection.name}",
        justification=justification,
        detail={"id": collection.id, "records": len(places), "action": "explain"},
    )
    return side_of_records(collection, places)


def evaluate(
    left: Path,
    right: Path,
    truth: Path,
    *,
    mappings: tuple[Path | None, Path | None] = (None, None),
    view: str = View.FULL,
    overlap: float,
    false_leads: float,
    budget: int,
    schema: str = DEFAULT_SCHEMA,
    through_protocol: bool = False,
    picture: Path | None = None,
    progress: Callable[[int, int | None], None] = lambda _done, _total: None,
) -> TrialResult:
    """Measure a schema on labelled data. No node is needed, and nothing is stored.

    Args:
        left: the receiver's list, a table.
        right: the sender's.
        truth: the pairs that are one person: a table with the columns left_reference and right_reference.
        mappings: files that map the columns of the left and the right list; None recognises the usual headings.
        view: reduces the right list; one of `View`.
        overlap: the share of the shorter list that is assumed to be on the other list.
        false_leads: the share of leads that may be false, as expected.
        budget: the most keys.
        schema: the linkage schema.
        through_protocol: also run both sessions of the protocol; the leads must be the same.
        picture: write precision and recall against budget and false leads to this file, as SVG.
        progress: called while the picture is computed with (done, total).

    Raises:
        SchemaError: there is no such schema, or no key is specific enough.
        SequenceError: the protocol gave other leads: a defect.
    """
    terms = CompileTerms(overlap=overlap, false_leads=false_leads, budget=budget)
    loaded, chosen, timer = load_schema(schema), View(view), StageTimer()
    columns = [None if path is None else load_mapping(path) for path in mappings]
    with timer.stage("read"):
        labelled = read_labelled(
            loaded,
            left,
            right,
            truth,
            mappings=(columns[0], columns[1]),
            view=chosen,
            today=iso_day(time.time()),
        )
    rates = measure_rates(labelled, timer)
    trial = run_trial(labelled, terms, rates=rates, through_protocol=through_protocol, timer=timer)
    if picture is not None:
        title = f"{left.name} and {right.name}, view {chosen.value}"
        write_output(picture, draw(title, panels(trial, rates, advance=progress)), mode=0o644)
    return trial
