"""`summary.json`: the outcome for programs. `result` depends on scenario, seed and scale only; `measured` is specific to the run."""

import hashlib
import json
import platform
from pathlib import Path
from typing import Any

from blindmatch.simulations.audit.lead_scores import Score, by_kind, by_link
from blindmatch.simulations.audit.outcome import AreaOutcome, Comparison, SimulationOutcome
from blindmatch.simulations.drivers.results import (
    CheckResult,
    EdgeResult,
    ReportedLead,
    RoundFigures,
    ThresholdResult,
)
from blindmatch.simulations.drivers.traffic import Traffic

FORMAT = 1
DIGITS = 4
"""Decimal places of precision and recall."""


def _lead(lead: ReportedLead) -> dict[str, Any]:
    return {
        "reference": lead.subject,
        "keys": list(lead.keys),
        "score": round(lead.score, DIGITS),
        "posterior": round(lead.posterior, DIGITS),
        "facts": [dict(sorted(facts.items())) for facts in lead.facts],
    }


def _sizes(each: RoundFigures) -> dict[str, Any]:
    return {
        "records": {"receiver": each.receiver_records, "sender": each.sender_records},
        "elements": {"receiver": each.receiver_elements, "sender": each.sender_elements},
        "keys": each.keys,
    }


def _rates(score: Score) -> dict[str, float]:
    return {"precision": round(score.precision, DIGITS), "recall": round(score.recall, DIGITS)}


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "receiver": comparison.receiver,
        "sender": comparison.sender,
        "disclosure": comparison.disclosure,
        "verified": comparison.verified,
        **_sizes(comparison),
        "expected": {"true": comparison.expected_true, "false": comparison.expected_false},
        "leads": comparison.leads,
        "true": [_lead(lead) for lead in comparison.true.values()],
        "false": [_lead(lead) for lead in comparison.false.values()],
        "missed": dict(comparison.missed),
        "withheld": comparison.withheld,
        **_rates(Score.of([comparison])),
        **({"delta": comparison.delta} if comparison.delta else {}),
    }


def _score(score: Score) -> dict[str, Any]:
    names = ("comparisons", "elements", "leads", "true", "false", "missed", "withheld")
    return {
        **{name: getattr(score, name) for name in names},
        "expected": {"true": round(score.expected_true, 2), "false": round(score.expected_false, 2)},
        **_rates(score),
    }


def traffic_total(outcome: SimulationOutcome) -> Traffic:
    """The messages of all receivers' and collectors' nodes."""
    every: tuple[RoundFigures, ...] = (*outcome.comparisons, *outcome.numbers, *outcome.tallies)
    return sum((each.traffic for each in every), Traffic())


def _traffic(traffic: Traffic) -> dict[str, Any]:
    return {
        "messages": dict(sorted(traffic.messages.items())),
        "bytes": dict(sorted(traffic.octets.items())),
        "bytes_sent": traffic.total("sent"),
        "bytes_received": traffic.total("received"),
    }


def _wire(area: AreaOutcome) -> list[dict[str, Any]]:
    named = [(each.receiver, each.sender, each.disclosure, each.traffic) for each in area.comparisons]
    named += [
        (each.edge.receiver.agency, each.edge.sender.agency, each.edge.group.disclosure, each.traffic)
        for each in area.numbers
    ]
    return [
        {"receiver": receiver, "sender": sender, "disclosure": disclosure, **_traffic(traffic)}
        for receiver, sender, disclosure, traffic in named
    ]


def _area(area: AreaOutcome) -> dict[str, Any]:
    return {
        "id": area.id,
        "name": area.name,
        "receipts": area.receipts,
        "comparisons": [_comparison(comparison) for comparison in area.comparisons],
        "totals": _score(Score.of(area.comparisons)),
        # Only where there are any, so that a result without them keeps its fingerprint.
        **({"numbers": [_number(number) for number in area.numbers]} if area.numbers else {}),
        **({"checks": [_check(check) for check in area.checks]} if area.checks else {}),
        **({"thresholds": [_tally(tally) for tally in area.tallies]} if area.tallies else {}),
    }


def _check(result: CheckResult) -> dict[str, Any]:
    check = result.check
    return {
        "agency": check.agency,
        "told": check.edge.receiver.agency,
        "record": check.reference,
        "hits": list(result.hits),
        "known": check.known,
    }


def _tally(result: ThresholdResult) -> dict[str, Any]:
    planned, group = result.threshold, result.threshold.group
    return {
        "threshold": planned.id,
        "collector": planned.collector,
        "members": list(planned.agencies),
        "at_least": group.at_least,
        "minimum": group.minimum,
        "band": group.band,
        "told": result.tally.low if result.tally.disclosed else None,
        "clear": result.exact,
        "keys": result.keys,
        "expected": {"true": result.expected_true, "false": result.expected_false},
    }


def _number(result: EdgeResult) -> dict[str, Any]:
    edge, group, number = result.edge, result.edge.group, result.number
    return {
        "receiver": edge.receiver.agency,
        "sender": edge.sender.agency,
        "disclosure": group.disclosure,
        "value": group.value,
        "minimum": group.minimum,
        "band": group.band,
        "told": {"low": number.low, "high": number.high} if number.disclosed else None,
        "clear": result.exact,
        "truth": result.truth,
        "reported_to": list(edge.recipients),
        **_sizes(result),
    }


def summarise(outcome: SimulationOutcome) -> dict[str, Any]:
    """The outcome as plain JSON values.

    Bytes and messages are those of the receivers' nodes. They are in `measured`, because a sender reports its
    progress while it prepares, more often on a slow machine.
    """
    result = {
        "areas": [_area(area) for area in outcome.areas],
        **{
            name: {
                each: {"found": true, "of": of} for each, (true, of) in counted(outcome.comparisons).items()
            }
            for name, counted in (("kinds", by_kind), ("links", by_link))
        },
        "totals": _score(Score.of(outcome.comparisons)),
    }
    canonical = json.dumps(result, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
    return {
        "format": FORMAT,
        "scenario": outcome.scenario,
        "title": outcome.title,
        "notice": outcome.notice,
        "seed": outcome.seed,
        "scale": outcome.scale,
        "result": result,
        "result_sha256": hashlib.sha256(canonical).hexdigest(),
        "declarations": {
            "nodes": outcome.nodes,
            "violations": [vars(each) for each in outcome.violations],
            "findings": [
                {"area": area.id, **vars(each)} for area in outcome.areas for each in area.verdict.findings
            ],
        },
        "measured": {
            "processes": outcome.processes,
            "python": platform.python_version(),
            "seconds": round(outcome.seconds, 2),
            "wire": _traffic(traffic_total(outcome)),
            "areas": [
                {
                    "id": area.id,
                    "agreements": dict(area.agreements),
                    "seconds": {step: round(seconds, 2) for step, seconds in area.seconds.items()},
                    "wire": _wire(area),
                    "thresholds": {tally.threshold: _traffic(tally.traffic) for tally in area.tallies},
                }
                for area in outcome.areas
            ],
        },
    }


def write_summary(path: Path, outcome: SimulationOutcome) -> dict[str, Any]:
    """Write `summary.json` and return its content."""
    summary = summarise(outcome)
    path.write_text(json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return summary
