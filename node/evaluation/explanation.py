"""How a linkage schema with a model reads values and records: levels, scores in bits, and the keys on which two agree.

Rates are the schema's own, in place of those that two lists would state.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from blindmatch.node.imports import Collection
from blindmatch.protocol.errors import InputError
from blindmatch.protocol.linkage import (
    CompiledKey,
    CompiledKeys,
    CompileTerms,
    Rates,
    Schema,
    compile_keys,
    default_rates,
    level_digests,
    score_pair,
)
from blindmatch.protocol.linkage.comparison_states import space
from blindmatch.protocol.linkage.level_patterns import Patterns
from blindmatch.protocol.linkage.levels import FIELD_KINDS, GAP, LEVEL_TESTS
from blindmatch.protocol.linkage.normalise import split_full_name
from blindmatch.protocol.linkage.weights import Weights

FULL_NAME = "full_name"
"""A pseudo-field of values: it is split into forenames and surname."""
_HINT = "See `linkage explain --help`."


class ExplainedSide(NamedTuple):
    """One side of an explanation."""

    values: list[str]
    """The value that each level compares; empty where there is none."""
    digests: npt.NDArray[np.uint8]
    """(rows, levels, 16)"""


@dataclass(frozen=True)
class ExplainedLevel:
    """One level, and whether the sides agree on it."""

    level: str
    words: str
    values: list[str]
    """One for each side."""
    result: str
    """`same`, `different` or `missing`; with one side `present` or `missing`."""


@dataclass(frozen=True)
class Comparison:
    """Two sides: the keys on which they agree, and the score of the best pair of rows."""

    keys: list[dict[str, Any]]
    """Words, bits and posterior of each key."""
    lead: bool
    score: float | None
    """In bits; None when no rows can be compared."""
    parts: list[dict[str, Any]]
    """Fields, the levels on which they agree, and their bits."""
    swapped: bool
    """Whether the names agree in the other order."""
    missing: dict[str, list[str]]
    """Fields that the first or the second side lacks."""


@dataclass(frozen=True)
class Explanation:
    """One or two sides, as a schema reads them."""

    schema: str
    sizes: list[int]
    threshold: float
    """The bits that a lead needs between lists of these sizes."""
    levels: list[ExplainedLevel]
    comparison: Comparison | None
    """None with one side."""

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        data = asdict(self)
        return data | (data.pop("comparison") or {})


def explain_sides(schema: Schema, sides: Sequence[ExplainedSide], sizes: tuple[int, int]) -> Explanation:
    """Explain one or two sides; keys are compiled for lists of the given sizes."""
    rates = default_rates(schema)
    terms = CompileTerms()
    compiled = compile_keys(schema, rates, rates, *sizes, terms)
    levels = [
        ExplainedLevel(level.name, level.words, [side.values[at] for side in sides], _result(sides, at))
        for at, level in enumerate(schema.levels)
    ]
    comparison = _compare(schema, sides, compiled, rates, missing=terms.missing) if len(sides) > 1 else None
    return Explanation(schema.name, list(sizes), round(compiled.threshold, 1), levels, comparison)


def _compare(
    schema: Schema, sides: Sequence[ExplainedSide], compiled: CompiledKeys, rates: Rates, *, missing: bool
) -> Comparison:
    patterns = Patterns(Weights(space(schema), rates, rates), missing=missing)
    scores = [score_pair(patterns, ours, theirs) for ours in sides[0].digests for theirs in sides[1].digests]
    best = max((each for each in scores if each), key=lambda each: each.bits, default=None)
    agreed = [key for key in compiled.keys if _agree_on_key(key, sides)]
    words = {level.name: level.words for level in schema.levels}
    return Comparison(
        keys=[
            {"words": key.words, "bits": round(key.weight, 1), "posterior": round(key.posterior, 4)}
            for key in agreed
        ],
        lead=bool(agreed),
        score=None if best is None else round(best.bits, 1),
        parts=[
            {
                "fields": [schema.field_named(name).title for name in part.fields],
                "agree": [words[name] for name in part.levels],
                "bits": round(part.bits, 1),
            }
            for part in (best.parts if best else ())
        ],
        swapped=best is not None and best.swapped,
        missing={
            "first": list(best.missing_receiver) if best else [],
            "second": list(best.missing_sender) if best else [],
        },
    )


def _result(sides: Sequence[ExplainedSide], level: int) -> str:
    """Whether a row of one side and a row of the other agree on a level."""
    rows = [{row.tobytes() for row in side.digests[:, level] if row.any()} for side in sides]
    if not all(rows):
        return "missing"
    if len(rows) == 1:
        return "present"
    return "same" if rows[0] & rows[1] else "different"


def _agree_on_key(key: CompiledKey, sides: Sequence[ExplainedSide]) -> bool:
    """Whether both sides produce one token for the key."""
    rows = []
    for (_, digests), absent in zip(sides, (key.absent_receiver, key.absent_sender), strict=True):
        present = np.asarray(digests.any(axis=2), dtype=np.bool_)
        usable = np.asarray(
            present[:, key.levels].all(axis=1) & ~present[:, absent].any(axis=1), dtype=np.bool_
        )
        rows.append({row.tobytes() for row in digests[usable][:, key.levels]})
    return bool(rows[0] & rows[1])


def side_of_values(schema: Schema, text: str) -> ExplainedSide:
    """A side from values, written `field=value; field=value`.

    Raises:
        InputError: the text has another form, no values or an unknown field, or a value cannot be read.
    """
    values: dict[str, str] = {}
    for item in text.split(";"):
        name, equals, value = (part.strip() for part in item.partition("="))
        if not item.strip():
            continue
        if not equals:
            raise InputError("values are written field=value; field=value", hint=_HINT)
        if name == FULL_NAME:
            values["forenames"], values["surname"] = split_full_name(value)
        elif name in {entry.name for entry in schema.fields}:
            values[name] = value
        else:
            known = ", ".join(entry.name for entry in schema.fields)
            raise InputError(f"the schema has no field {name!r}", hint=f"Fields: {known}, {FULL_NAME}.")
    if not values:
        raise InputError("no values are given", hint=_HINT)
    canonical = {}
    for entry in schema.fields:
        try:
            canonical[entry.name] = FIELD_KINDS[entry.kind](values.get(entry.name, ""))
        except ValueError as error:
            raise InputError(f"{entry.name}: {error}") from None
    compared = []
    for level in schema.levels:
        texts = [canonical[name] for name in (level.field, level.other) if name]
        test = LEVEL_TESTS[schema.field_named(level.field).kind][level.test]
        compared.append(test(GAP.join(texts)) if all(texts) else "")
    return ExplainedSide(compared, level_digests(schema, [values]))


def split_reference(text: str) -> tuple[str, str]:
    """The collection and the reference of a record, written `collection:reference`.

    Raises:
        InputError: the text has another form.
    """
    name, colon, reference = text.partition(":")
    if not colon:
        raise InputError("a record is written collection:reference", hint=_HINT)
    return name, reference


def side_of_records(collection: Collection, places: Sequence[int]) -> ExplainedSide:
    """A side from records of a collection, which stores their digests, not their values."""
    digests = np.concatenate([collection.columns(place, place + 1).columns for place in places])
    present = np.atleast_1d(digests.any(axis=(0, 2)))
    return ExplainedSide(["(stored as a digest)" if each else "" for each in present], digests)
