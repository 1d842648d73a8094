"""What `linkage explain` says under a schema with a model: each field's best agreement, its bits, and the verdict."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import typer

from blindmatch.node.cli.common import facts, table
from blindmatch.protocol.linkage import (
    CompiledKey,
    CompileTerms,
    Schema,
    compile_keys,
    default_rates,
    score_pair,
)
from blindmatch.protocol.linkage.patterns import Patterns
from blindmatch.protocol.linkage.states import space
from blindmatch.protocol.linkage.weights import Weights

Digests = npt.NDArray[np.uint8]
Side = tuple[list[str], Digests]
"""What each level sees, and rows of digests (rows, levels, 16)."""


def explain_model(schema: Schema, sides: Sequence[Side], sizes: tuple[int, int]) -> dict[str, Any]:
    """Levels, fields with their bits, and the keys that agree, for one or two sides.

    The schema's own rates stand in for those that two lists would state.
    """
    rates = default_rates(schema)
    terms = CompileTerms()
    compiled = compile_keys(schema, rates, rates, *sizes, terms)
    data: dict[str, Any] = {
        "schema": schema.name,
        "sizes": list(sizes),
        "threshold": round(compiled.threshold, 1),
        "levels": [
            {
                "level": level.name,
                "words": level.words,
                "values": [side[0][place] for side in sides],
                "result": _result(sides, (place,)),
            }
            for place, level in enumerate(schema.levels)
        ],
    }
    if len(sides) < 2:
        return data
    patterns = Patterns(Weights(space(schema), rates, rates), missing=terms.missing)
    scored = [score_pair(patterns, ours, theirs) for ours in sides[0][1] for theirs in sides[1][1]]
    best = max((each for each in scored if each), key=lambda each: each.bits, default=None)
    agreed = [key for key in compiled.keys if _agrees(key, sides)]
    words = {level.name: level.words for level in schema.levels}
    data["keys"] = [
        {"words": key.words, "bits": round(key.weight, 1), "posterior": round(key.posterior, 4)}
        for key in agreed
    ]
    data["lead"] = bool(agreed)
    data["score"] = None if best is None else round(best.bits, 1)
    data["parts"] = [
        {
            "fields": [schema.field_named(name).title for name in part.fields],
            "agree": [words[name] for name in part.levels],
            "bits": round(part.bits, 1),
        }
        for part in (best.parts if best else ())
    ]
    data["swapped"] = best is not None and best.swapped
    data["missing"] = {
        "first": list(best.missing_receiver) if best else [],
        "second": list(best.missing_sender) if best else [],
    }
    return data


def _result(sides: Sequence[Side], levels: tuple[int, ...]) -> str:
    """Whether some row of one side and some row of the other agree on all of these levels."""
    rows = [side[1][:, levels] for side in sides]
    rows = [row[np.asarray(row.any(axis=2)).all(axis=1)] for row in rows]
    if not all(len(row) for row in rows):
        return "missing"
    if len(rows) == 1:
        return "present"
    return "same" if {row.tobytes() for row in rows[0]} & {row.tobytes() for row in rows[1]} else "different"


def _agrees(key: CompiledKey, sides: Sequence[Side]) -> bool:
    """Whether both sides emit one token for the key."""
    rows = []
    for (_, digests), absent in zip(sides, (key.absent_receiver, key.absent_sender), strict=True):
        said = np.asarray(digests.any(axis=2), dtype=np.bool_)
        usable = np.asarray(said[:, key.levels].all(axis=1) & ~said[:, absent].any(axis=1), dtype=np.bool_)
        rows.append({row.tobytes() for row in digests[usable][:, key.levels]})
    return bool(rows[0] & rows[1])


def render_model(data: dict[str, Any], sides: int) -> None:
    """The same for people."""
    heads = ("level", *("first", "second")[:sides], "")
    shown = [entry for entry in data["levels"] if any(entry["values"])]
    table(heads, [(entry["words"], *entry["values"], entry["result"]) for entry in shown])
    if sides < 2:
        return
    parts = [
        (", ".join(part["fields"]), ", ".join(part["agree"]) or "nothing", part["bits"])
        for part in data["parts"]
    ]
    table(("fields", "agree on", "bits"), parts, empty="Nothing of the person agrees.")
    left, right = data["sizes"]
    missing = [f"{name} on the {side} side" for side, names in data["missing"].items() for name in names]
    facts(
        [
            ("score", "none" if data["score"] is None else f"{data['score']} bits"),
            ("threshold", f"{data['threshold']} bits for {left:,} and {right:,} records"),
            *([("read as", "names in either order")] if data["swapped"] else []),
            *([("missing", ", ".join(missing))] if missing else []),
        ]
    )
    for key in sorted(data["keys"], key=lambda key: -key["bits"])[:5]:
        typer.echo(f"key: {key['words']} ({key['bits']} bits, posterior {key['posterior']:.3f})")
    typer.echo("A lead." if data["lead"] else "No lead: no key agrees.")
