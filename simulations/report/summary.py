"""`summary.json`: the outcome for programs. `result` depends on scenario, seed and scale only; `measured` is specific to the run."""

import hashlib
import json
import platform
from pathlib import Path
from typing import Any

from blindmatch.simulations.audit.lead_scores import Score, by_kind, by_link
from blindmatch.simulations.audit.outcome import (
    AggregateComparison,
    AreaOutcome,
    Comparison,
    SimulationOutcome,
    SingleCheck,
    ThresholdComparison,
)
from blindmatch.simulations.drivers.results import ReportedLead
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


def _comparison(comparison: Comparison) -> dict[str, Any]:
    score = Score.of([comparison])
    return {
        "receiver": comparison.receiver,
        "sender": comparison.sender,
        "disclosure": comparison.disclosure,
        "verified": comparison.verified,
        "records": {"receiver": comparison.receiver_records, "sender": comparison.sender_records},
        "elements": {"receiver": comparison.receiver_elements, "sender": comparison.sender_elements},
        "keys": comparison.keys,
        "expected": {"true": comparison.expected_true, "false": comparison.expected_false},
        "leads": comparison.leads,
        "true": [_lead(lead) for lead in comparison.true.values()],
        "false": [_lead(lead) for lead in comparison.false.values()],
        "missed": dict(comparison.missed),
        "withheld": comparison.withheld,
        "precision": round(score.precision, DIGITS),
        "recall": round(score.recall, DIGITS),
        **({"delta": comparison.delta} if comparison.delta else {}),
    }


def _score(score: Score) -> dict[str, Any]:
    return {
        "comparisons": score.comparisons,
        "elements": score.elements,
        "leads": score.leads,
        "true": score.true,
        "false": score.false,
        "missed": score.missed,
        "withheld": score.withheld,
        "expected": {"true": round(score.expected_true, 2), "false": round(score.expected_false, 2)},
        "precision": round(score.precision, DIGITS),
        "recall": round(score.recall, DIGITS),
    }


def traffic_total(outcome: SimulationOutcome) -> Traffic:
    """The messages of all receivers' and collectors' nodes."""
    total = Traffic()
    every: list[Comparison | AggregateComparison | ThresholdComparison] = [
        *outcome.comparisons,
        *outcome.numbers,
        *outcome.tallies,
    ]
    for each in every:
        total += each.traffic
    return total


def _traffic(traffic: Traffic) -> dict[str, Any]:
    return {
        "messages": dict(traffic.messages),
        "bytes": dict(traffic.octets),
        "bytes_sent": traffic.total("sent"),
        "bytes_received": traffic.total("received"),
    }


def _wire(area: AreaOutcome) -> list[dict[str, Any]]:
    every: list[Comparison | AggregateComparison] = [*area.comparisons, *area.numbers]
    return [
        {
            "receiver": each.receiver,
            "sender": each.sender,
            "disclosure": each.disclosure,
            **_traffic(each.traffic),
        }
        for each in every
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


def _check(check: SingleCheck) -> dict[str, Any]:
    return {
        "agency": check.agency,
        "told": check.recipient,
        "record": check.record,
        "hits": list(check.hits),
        "known": check.known,
    }


def _tally(tally: ThresholdComparison) -> dict[str, Any]:
    return {
        "threshold": tally.threshold,
        "collector": tally.collector,
        "members": list(tally.members),
        "at_least": tally.at_least,
        "minimum": tally.minimum,
        "band": tally.band,
        "told": tally.result.low if tally.result.disclosed else None,
        "clear": tally.cleartext,
        "keys": tally.keys,
        "expected": {"true": tally.expected_true, "false": tally.expected_false},
    }


def _number(number: AggregateComparison) -> dict[str, Any]:
    result = number.result
    return {
        "receiver": number.receiver,
        "sender": number.sender,
        "disclosure": number.disclosure,
        "value": number.value,
        "minimum": number.minimum,
        "band": number.band,
        "told": {"low": result.low, "high": result.high} if result.disclosed else None,
        "clear": number.cleartext,
        "truth": number.truth,
        "reported_to": list(number.reported_to),
        "records": {"receiver": number.receiver_records, "sender": number.sender_records},
        "elements": {"receiver": number.receiver_elements, "sender": number.sender_elements},
        "keys": number.keys,
    }


def summarise(outcome: SimulationOutcome) -> dict[str, Any]:
    """The outcome as plain JSON values.

    Bytes and messages are those of the receivers' nodes. They are in `measured`, because a sender reports its
    progress while it prepares, more often on a slow machine.
    """
    result = {
        "areas": [_area(area) for area in outcome.areas],
        "kinds": {
            kind: {"found": true, "of": of} for kind, (true, of) in by_kind(outcome.comparisons).items()
        },
        "links": {
            link: {"found": true, "of": of} for link, (true, of) in by_link(outcome.comparisons).items()
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
