"""The page's tables of one area: hits, counts and sums, thresholds, and single checks, each beside the truth."""

from collections.abc import Sequence
from itertools import groupby

from blindmatch.simulations.audit.lead_scores import Score
from blindmatch.simulations.audit.outcome import AreaOutcome, Comparison
from blindmatch.simulations.drivers.results import EdgeResult, ThresholdResult
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


def _aggregate_table(numbers: Sequence[EdgeResult]) -> str:
    rows = [
        (
            *(end.agency for end in each.edge.ends),
            f"sum of {each.edge.group.value}" if each.edge.group.value else "matching records",
            ", ".join(each.edge.recipients),
            each.edge.group.minimum,
            each.edge.group.band,
            each.number.words,
            exact(each.exact),
            each.truth,
            octets(each.traffic.total()),
        )
        for each in numbers
    ]
    columns = ("Minimum", "Step", "Result", "Exact, by the same keys", "Truth", "Bytes")
    return quiet(_AGGREGATE_NOTE) + table(("Receiver", "Sender", "Number", "Reported to"), columns, rows)


def describe_threshold(result: ThresholdResult) -> str:
    """The number of a threshold in words."""
    planned = result.threshold
    return (
        f"{planned.collector} collects {planned.id}: {result.tally.words} match keys are held by at least "
        f"{planned.group.at_least} of {len(planned.members)}"
    )


def _threshold_table(area: AreaOutcome, result: ThresholdResult) -> str:
    group = result.threshold.group
    words = (
        f"{describe_threshold(result)} (steps of {group.band:,}, minimum {group.minimum:,}; exact number "
        f"{exact(result.exact)}, which its officers do not see). {octets(result.traffic.total())} between it and the "
        "members. Each member learns about its own records only:"
    )
    rows = [
        (each.receiver, each.receiver_records, *_scores(Score.of([each]))) for each in members(area, result)
    ]
    return quiet(words) + table(("Member",), ("Records", *_SCORE_COLUMNS), rows)


def members(area: AreaOutcome, result: ThresholdResult) -> list[Comparison]:
    """The comparisons of a threshold's members."""
    agencies = result.threshold.agencies
    return [c for c in area.comparisons if c.disclosure == "threshold" and c.receiver in agencies]


def _check_table(area: AreaOutcome) -> str:
    rows = [
        (
            each.check.agency,
            each.check.reference,
            each.check.edge.receiver.agency,
            f"hit {', '.join(filter(None, each.hits))}".strip() if each.hits else "no hit",
            "known" if each.check.known else "not known",
        )
        for each in area.checks
    ]
    return quiet(_CHECK_NOTE) + table(("Checked by", "Record", "Receiver", "Result", "Truth"), (), rows)
