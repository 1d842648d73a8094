"""One trial: rates, keys, tokens and matches of two labelled lists, and the seconds of each stage."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np

from blindmatch.node.evaluation import measures, protocol_run
from blindmatch.node.evaluation.chart import Panel, Point
from blindmatch.node.evaluation.labelled_lists import LabelledLists, SideList
from blindmatch.node.evaluation.matching import Matches, intersect
from blindmatch.node.evaluation.measures import Quality
from blindmatch.node.evaluation.stage_timer import StageTimer
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
"""The settings of the chart's second panel."""
_SEEDS: Final = (b"evaluate left".ljust(32, b"\0"), b"evaluate right".ljust(32, b"\0"))
"""Seeds of the random pairs for measuring rates. They are fixed so that results can be reproduced."""


@dataclass(frozen=True)
class TrialResult:
    """The result of one setting."""

    labelled: LabelledLists
    terms: CompileTerms
    compiled: CompiledKeys
    matches: Matches
    tokens_per_record: int
    overflow: int
    """Tokens left out because their record has more than `tokens_per_record`."""
    pairs: Quality
    leads: Quality
    seconds: dict[str, float]
    protocol: dict[str, Any] | None
    """The elements compared, and whether the hits were the same; None if the protocol was not run."""

    def by_key(self) -> list[dict[str, Any]]:
        """Each key with the number of pairs that it is the first to find."""
        is_correct = measures.correct_pairs(self.matches.pairs, self.labelled.truth)
        count = len(self.compiled.keys)
        pairs = np.bincount(self.matches.ranks, minlength=count)
        correct = np.bincount(self.matches.ranks[is_correct], minlength=count)
        return [
            {"words": key.words, "found": int(pairs[rank]), "false": int(pairs[rank] - correct[rank])}
            for rank, key in enumerate(self.compiled.keys)
        ]

    def by_budget(self) -> tuple[Point, ...]:
        """Precision and recall of the first 1, 2, 3 … keys."""
        labelled, points = self.labelled, []
        for budget in range(1, len(self.compiled.keys) + 1):
            pairs = self.matches.within(budget)
            quality = measures.pair_quality(pairs, labelled.truth, labelled.missing_pairs)
            points.append(Point(budget, quality.precision, quality.recall))
        return tuple(points)

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        left, right = self.labelled.left, self.labelled.right
        return {
            "view": self.labelled.view.value,
            "schema": self.labelled.schema.name,
            "overlap": self.terms.overlap,
            "false_leads": self.terms.false_leads,
            "budget": self.terms.budget,
            "records": {"left": left.records, "right": right.records},
            "true_pairs": self.labelled.true_pairs,
            "true_pairs_out_of_reach": self.labelled.missing_pairs,
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
            "rows_left_out": {"left": left.rows_left_out, "right": right.rows_left_out},
            "faults": {"left": left.faults, "right": right.faults},
            "through_protocol": self.protocol,
            "keys": self.by_key(),
        }


def measure_rates(labelled: LabelledLists, timer: StageTimer) -> tuple[Rates, Rates]:
    """Each side's rates, from its own list alone."""
    with timer.stage("rates"):
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
    timer: StageTimer | None = None,
) -> TrialResult:
    """Compile the keys, build both sides' tokens, match them, and measure the result.

    Args:
        labelled: lists and truth.
        terms: overlap, share of false leads, budget.
        rates: of both sides, already measured; None measures them.
        through_protocol: also run both sessions of the protocol.
        timer: adds the seconds of each stage.

    Raises:
        SchemaError: no key is specific enough at these sizes and terms.
        SequenceError: the protocol's hits differ from those of the comparison in plaintext, which is a defect.
    """
    timer = timer or StageTimer()
    ours, theirs = rates or measure_rates(labelled, timer)
    left, right = labelled.left, labelled.right
    with timer.stage("compile"):
        compiled = compile_keys(labelled.schema, ours, theirs, left.records, right.records, terms)
    with timer.stage("tokens"):
        per_record = compiled.tokens_per_record(max(left.most_rows, right.most_rows))
        receiver = _tokens(compiled, left, per_record, "receiver")
        sender = _tokens(compiled, right, per_record, "sender")
    with timer.stage("match"):
        matches = intersect(receiver, sender)
    protocol = None
    if through_protocol:
        with timer.stage("protocol"):
            elements = protocol_run.find_hits(
                compiled.digest, Elements(compiled, receiver), Elements(compiled, sender)
            )
        if not np.array_equal(elements, matches.elements):
            raise SequenceError("the hits of the protocol differ from those of the comparison in plaintext")
        protocol = {"elements": len(receiver.tokens) + len(sender.tokens), "same": True}
    return TrialResult(
        labelled,
        terms,
        compiled,
        matches,
        per_record,
        receiver.overflow + sender.overflow,
        measures.pair_quality(matches.pairs, labelled.truth, labelled.missing_pairs),
        measures.lead_quality(matches.pairs, labelled.truth),
        dict(timer.seconds),
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
    """The chart's panels. The second runs one trial for each share of false leads."""
    points = []
    for done, share in enumerate(shares):
        advance(done, len(shares))
        try:
            other = run_trial(trial.labelled, replace(trial.terms, false_leads=share), rates=rates)
        except SchemaError:
            continue  # no key is specific enough, so this share has no point
        points.append(Point(share, other.pairs.precision, other.pairs.recall))
    keys = len(trial.compiled.keys)
    step = next((size for size in (1, 2, 5, 10, 20) if keys <= 10 * size), 50)
    return (
        Panel(
            "By number of keys",
            "keys, in the order of their contribution",
            trial.by_budget(),
            trial.terms.budget,
            tuple(range(step, keys + 1, step)),
        ),
        Panel(
            "By share of false leads",
            "allowed share of false leads, as expected by the model",
            tuple(points),
            trial.terms.false_leads,
            tuple(shares),
            logarithmic=True,
            percent=True,
        ),
    )
