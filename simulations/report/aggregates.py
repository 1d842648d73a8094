"""The page's tables of counts, sums, thresholds and single records: what was told, beside what it is in the clear and in truth."""

from collections.abc import Sequence
from html import escape

from blindmatch.simulations.audit.outcome import (
    AggregateComparison,
    AreaOutcome,
    SingleCheck,
    ThresholdComparison,
)
from blindmatch.simulations.report.markup import octets, percent, row, table

_HEADINGS = (
    ("Told to", False),
    ("About", False),
    ("What", False),
    ("Minimum", True),
    ("Steps", True),
    ("Told", True),
    ("By the same keys, exactly", True),
    ("In truth", True),
    ("Passed on to", False),
    ("Bytes", True),
)


def aggregate_table(found: Sequence[AggregateComparison]) -> str:
    """Counts and sums of one area; nothing where there are none."""
    if not found:
        return ""
    words = (
        '<p class="quiet">A count or a sum tells one number, in steps and not under a minimum. The exact numbers stand here '
        "because a simulation has both files; no party has them but the sender's node, while it holds a small result back.</p>"
    )
    return words + table(_HEADINGS, [_row(number) for number in found])


def threshold_table(area: AreaOutcome, tally: ThresholdComparison) -> str:
    """One threshold: what the collector was told, and what each member learned of its own records."""
    exactly = "unknown" if tally.clear is None else f"{tally.clear:,}"
    size = octets(tally.traffic.total("sent") + tally.traffic.total("received"))
    words = (
        f"{tally.collector} collects {tally.threshold}: {tally.told.words} match keys are held by at least "
        f"{tally.at_least} of {len(tally.members)} (steps of {tally.band:,}, minimum {tally.minimum:,}; exactly {exactly}, "
        f"which its officers are not told). {size} between it and the members. Each member learns of its own records only:"
    )
    headings = ("Records", "Leads", "True", "False", "Missed", "Withheld", "Precision", "Recall")
    rows = [
        row(
            [
                (escape(each.receiver), False),
                (f"{each.receiver_records:,}", True),
                (f"{each.leads}", True),
                (f"{len(each.found)}", True),
                (f"{len(each.false)}", True),
                (f"{len(each.missed)}", True),
                (f"{each.withheld}", True),
                (percent(each.precision), True),
                (percent(each.recall), True),
            ]
        )
        for each in area.comparisons
        if each.disclosure == "threshold" and each.receiver in tally.members
    ]
    return f'<p class="quiet">{escape(words)}</p>' + table(
        (("Member", False), *((name, True) for name in headings)), rows
    )


def check_table(found: Sequence[SingleCheck]) -> str:
    """Single records under standing agreements; nothing where there are none."""
    headings = (
        ("Checked by", False),
        ("Record", False),
        ("Told to", False),
        ("Learned", False),
        ("In truth", False),
    )
    rows = [
        row(
            [
                (escape(each.agency), False),
                (escape(each.record), False),
                (escape(each.told), False),
                (
                    escape(f"hit {', '.join(filter(None, each.hits))}".strip() if each.hits else "no hit"),
                    False,
                ),
                ("known" if each.known else "not known", False),
            ]
        )
        for each in found
    ]
    words = (
        '<p class="quiet">Single records between two rounds: the sender of an edge submits one and learns nothing, the receiver '
        "learns whether it hits.</p>"
    )
    return words + table(headings, rows) if rows else ""


def _row(number: AggregateComparison) -> str:
    what = f"sum of {number.value}" if number.value else "records that match"
    size = octets(number.traffic.total("sent") + number.traffic.total("received"))
    return row(
        [
            (escape(number.receiver), False),
            (escape(number.sender), False),
            (escape(what), False),
            (f"{number.minimum:,}", True),
            (f"{number.band:,}", True),
            (escape(number.told.words), True),
            ("unknown" if number.clear is None else f"{number.clear:,}", True),
            (f"{number.truth:,}", True),
            (escape(", ".join(number.reported_to)), False),
            (size, True),
        ]
    )
