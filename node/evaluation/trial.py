"""One trial: rates, keys, tokens and matches of two labelled lists, with the seconds that each took."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np

from blindmatch.node.evaluation import measures, protocol_run
from blindmatch.node.evaluation.chart import Panel, Point
from blindmatch.node.evaluation.labelled_lists import LabelledLists, SideList
from blindmatch.node.evaluation.matching import Matches, intersect
from blindmatch.node.evaluation.measures import Quality
from blindmatch.protocol.errors import SequenceError
from blindmatch.protocol.linkage import (
    CompiledKeys,
    CompileTerms,
    Elements,
    Rates,
    SchemaError,
    TokenBuilder,
    Tokens,
    compile_keys,
    measure,
)

FALSE_LEAD_SHARES: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
"""Where the picture's second panel is measured."""
_SEEDS: Final = (b"evaluate left".ljust(32, b"\0"), b"evaluate right".ljust(32, b"\0"))
"""Of the random pairs that rates are measured on: fixed, so that a figure can be checked."""


@dataclass
class StageTimer:
    """Seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time inside to a stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


@dataclass(frozen=True)
class TrialResult:
    """What one setting gave."""

    labelled: LabelledLists
    terms: CompileTerms
    compiled: CompiledKeys
    matches: Matches
    tokens_per_record: int
    overflow: int
    """Tokens left out because their record had more."""
    pairs: Quality
    leads: Quality
    seconds: dict[str, float]
    protocol: dict[str, Any] | None
    """Elements compared, and whether the hits were the same; None when the protocol was not run."""

    def by_key(self) -> list[dict[str, Any]]:
        """Each key with the pairs that it is the first to find."""
        good = measures.correct_pairs(self.matches.pairs, self.labelled.truth)
        count = len(self.compiled.keys)
        found = np.bincount(self.matches.ranks, minlength=count)
        correct = np.bincount(self.matches.ranks[good], minlength=count)
        return [
            {"words": key.words, "found": int(found[rank]), "false": int(found[rank] - correct[rank])}
            for rank, key in enumerate(self.compiled.keys)
        ]

    def by_budget(self) -> tuple[Point, ...]:
        """Precision and recall of the first 1, 2, 3 … keys."""
        labelled = self.labelled
        found = (
            measures.pair_quality(self.matches.within(budget), labelled.truth, labelled.out_of_reach)
            for budget in range(1, len(self.compiled.keys) + 1)
        )
        return tuple(Point(at, each.precision, each.recall) for at, each in enumerate(found, start=1))

    def figures(self) -> dict[str, Any]:
        """Everything, for JSON."""
        left, right = self.labelled.left, self.labelled.right
        return {
            "schema": self.labelled.schema.name,
            "overlap": self.terms.overlap,
            "false_leads": self.terms.false_leads,
            "budget": self.terms.budget,
            "records": {"left": left.records, "right": right.records},
            "true_pairs": self.labelled.true_pairs,
            "true_pairs_out_of_reach": self.labelled.out_of_reach,
            "pairs": self.pairs.figures(),
            "leads": self.leads.figures(),
            "expected_recall": round(self.compiled.recall, 4),
            "expected_true": round(self.compiled.expected_true, 2),
            "expected_false": round(self.compiled.expected_false, 2),
            "actual_false": self.leads.false,
            "patterns": len(self.compiled.keys),
            "tokens_per_record": self.tokens_per_record,
            "tokens_left_out": self.overflow,
            "seconds": {name: round(value, 2) for name, value in self.seconds.items()},
            "rows": {"left": left.rows_read, "right": right.rows_read},
            "rows_left_out": {"left": left.left_out, "right": right.left_out},
            "faults": {"left": left.faults, "right": right.faults},
            "through_protocol": self.protocol,
            "keys": self.by_key(),
        }


def measure_rates(labelled: LabelledLists, clock: StageTimer) -> tuple[Rates, Rates]:
    """Each side's rates, from its own list alone."""
    with clock.stage("rates"):
        ours, theirs = (
            measure(labelled.schema, [(side.columns, side.row_record, side.records)], seed=seed)
            for side, seed in zip((labelled.left, labelled.right), _SEEDS, strict=True)
        )
    return ours, theirs


def run_trial(
    labelled: LabelledLists,
    terms: CompileTerms,
    *,
    rates: tuple[Rates, Rates] | None = None,
    through_protocol: bool = False,
    clock: StageTimer | None = None,
) -> TrialResult:
    """Compile, make both sides' tokens, match, and count.

    Args:
        labelled: lists and truth.
        terms: overlap, share of false leads, budget.
        rates: measured before; None measures them.
        through_protocol: run both sessions too.
        clock: goes on counting.

    Raises:
        SchemaError: no key is specific enough at these sizes and terms.
        SequenceError: the protocol found other elements than the comparison in the clear: a defect.
    """
    clock = clock or StageTimer()
    ours, theirs = rates or measure_rates(labelled, clock)
    left, right = labelled.left, labelled.right
    with clock.stage("compile"):
        compiled = compile_keys(labelled.schema, ours, theirs, left.records, right.records, terms)
    with clock.stage("tokens"):
        per_record = compiled.tokens_per_record(max(left.most_rows, right.most_rows))
        receiver = _tokens(compiled, left, per_record, "receiver")
        sender = _tokens(compiled, right, per_record, "sender")
    with clock.stage("match"):
        matches = intersect(receiver, sender)
    protocol = None
    if through_protocol:
        with clock.stage("protocol"):
            elements = protocol_run.find_hits(
                compiled.digest, Elements(compiled, receiver), Elements(compiled, sender)
            )
        same = bool(np.array_equal(elements, matches.elements))
        protocol = {"elements": len(receiver.tokens) + len(sender.tokens), "same": same}
        if not protocol["same"]:
            raise SequenceError("the protocol found other elements than the comparison in the clear")
    return TrialResult(
        labelled,
        terms,
        compiled,
        matches,
        per_record,
        receiver.overflow + sender.overflow,
        measures.pair_quality(matches.pairs, labelled.truth, labelled.out_of_reach),
        measures.lead_quality(matches.pairs, labelled.truth),
        dict(clock.seconds),
        protocol,
    )


def _tokens(
    compiled: CompiledKeys, side: SideList, per_record: int, role: Literal["receiver", "sender"]
) -> Tokens:
    builder = TokenBuilder(
        compiled, side.records, per_record, os.urandom, distinct=role == "sender", role=role
    )
    builder.add(side.columns, side.row_record, side.records)
    return builder.finish()


def panels(
    trial: TrialResult,
    rates: tuple[Rates, Rates],
    *,
    shares: Sequence[float] = FALSE_LEAD_SHARES,
    advance: Callable[[int, int | None], None] = lambda _done, _total: None,
) -> tuple[Panel, Panel]:
    """The picture's panels; the second runs one trial for every share of false leads."""
    points = []
    for done, share in enumerate(shares):
        advance(done, len(shares))
        try:
            other = run_trial(trial.labelled, replace(trial.terms, false_leads=share), rates=rates)
        except SchemaError:
            continue  # no key is specific enough: there is nothing to show at this share
        points.append(Point(share, other.pairs.precision, other.pairs.recall))
    keys = len(trial.compiled.keys)
    step = next((size for size in (1, 2, 5, 10, 20) if keys <= 10 * size), 50)
    return (
        Panel(
            "By number of keys",
            "keys, in the order of what they add",
            trial.by_budget(),
            trial.terms.budget,
            tuple(range(step, keys + 1, step)),
        ),
        Panel(
            "By share of false leads",
            "false leads allowed, as the model expects them",
            tuple(points),
            trial.terms.false_leads,
            tuple(shares),
            logarithmic=True,
            percent=True,
        ),
    )
