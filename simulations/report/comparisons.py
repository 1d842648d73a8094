"""The page's tables of one area: hits, counts and sums, thresholds, and single checks, each beside the truth."""

from collections.abc import Sequence
from itertools import groupby

from blindmatch.simulations.audit.lead_scores import Score
from blindmatch.simulations.audit.outcome import (
    AggregateComparison,
    AreaOutcome,
    Comparison,
    ThresholdComparison,
)
from blindmatch.simulations.report.markup import octets, percent, quiet, table

_SCORE_COLUMNS = ("Leads", "True", "False", "Expected", "Missed", "Withheld", "Precision", "Recall")
_AGGREGATE_NOTE = (
    "A count or a sum discloses one number, in steps, and not below the minimum. The exact numbers appear here because a "
    "simulation has both files. No party has them except the sender's node, which withholds a small result."
)
_CHECK_NOTE = (
    "Single records between two rounds: the sender of an edge submits one and learns nothing; the receiver learns whether "
    "it hits."
)


def area_tables(area: AreaOutcome) -> str:
    """All tables of one area; those without rows are left out."""
    listed = [each for each in area.comparisons if each.disclosure != "threshold"]
    receivers = groupby(listed, lambda comparison: comparison.receiver)
    return "".join(
        [
            *(_receiver_table(receiver, list(group)) for receiver, group in receivers),
            _aggregate_table(area.numbers) if area.numbers else "",
            *(_threshold_table(area, each) for each in area.tallies),
            _check_table(area) if area.checks else "",
        ]
    )


def exact(number: int | None) -> str:
    """An exact number in plaintext."""
    return "unknown" if number is None else f"{number:,}"


def _scores(score: Score) -> tuple[object, ...]:
    return (
        score.leads,
        score.true,
        score.false,
        f"{score.expected_false:.1f}",
        score.missed,
        score.withheld,
        percent(score.precision),
        percent(score.recall),
    )


def _receiver_table(receiver: str, comparisons: Sequence[Comparison]) -> str:
    rows: list[tuple[object, ...]] = []
    for each in comparisons:
        score = Score.of([each])
        sender = f"{each.sender} ({each.sender_records:,} records)"
        rows.append((sender, each.how, score.elements, *_scores(score), octets(each.traffic.total())))
    score, size = Score.of(comparisons), sum(each.traffic.total() for each in comparisons)
    rows.append(("All", "", score.elements, *_scores(score), octets(size)))
    records = f"{comparisons[0].receiver_records:,} records in the round"
    return quiet(f"Receiver: {receiver}, with {records}.") + table(
        ("Sender", "Disclosure"), ("Elements", *_SCORE_COLUMNS, "Bytes"), rows, total=True
    )


def _aggregate_table(numbers: Sequence[AggregateComparison]) -> str:
    rows = [
        (
            each.receiver,
            each.sender,
            f"sum of {each.value}" if each.value else "matching records",
            ", ".join(each.reported_to),
            each.minimum,
            each.band,
            each.result.words,
            exact(each.cleartext),
            each.truth,
            octets(each.traffic.total()),
        )
        for each in numbers
    ]
    columns = ("Minimum", "Step", "Result", "Exact, by the same keys", "Truth", "Bytes")
    return quiet(_AGGREGATE_NOTE) + table(("Receiver", "Sender", "Number", "Reported to"), columns, rows)


def _threshold_table(area: AreaOutcome, tally: ThresholdComparison) -> str:
    words = (
        f"{tally.collector} collects {tally.threshold}: {tally.result.words} match keys are held by at least "
        f"{tally.at_least} of {len(tally.members)} (steps of {tally.band:,}, minimum {tally.minimum:,}; exact number "
        f"{exact(tally.cleartext)}, which its officers do not see). {octets(tally.traffic.total())} between it and the "
        "members. Each member learns about its own records only:"
    )
    rows = [
        (each.receiver, each.receiver_records, *_scores(Score.of([each]))) for each in members(area, tally)
    ]
    return quiet(words) + table(("Member",), ("Records", *_SCORE_COLUMNS), rows)


def members(area: AreaOutcome, tally: ThresholdComparison) -> list[Comparison]:
    """The comparisons of a threshold's members."""
    return [c for c in area.comparisons if c.disclosure == "threshold" and c.receiver in tally.members]


def _check_table(area: AreaOutcome) -> str:
    rows = [
        (
            each.agency,
            each.record,
            each.recipient,
            f"hit {', '.join(filter(None, each.hits))}".strip() if each.hits else "no hit",
            "known" if each.known else "not known",
        )
        for each in area.checks
    ]
    return quiet(_CHECK_NOTE) + table(("Checked by", "Record", "Receiver", "Result", "Truth"), (), rows)
