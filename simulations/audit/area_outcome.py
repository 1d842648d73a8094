"""From what an area's nodes gave back to its outcome: every comparison beside the truth."""

from collections.abc import Iterator, Mapping

from blindmatch.protocol.errors import LocalError
from blindmatch.simulations.audit.area_audit import cleartext_figures
from blindmatch.simulations.audit.outcome import (
    AggregateComparison,
    AreaOutcome,
    Comparison,
    SingleCheck,
    ThresholdComparison,
)
from blindmatch.simulations.audit.score import score_leads
from blindmatch.simulations.audit.verdict import Verdict
from blindmatch.simulations.drivers.results import AreaResults, CheckResult, EdgeResult, ThresholdResult
from blindmatch.simulations.scenario.scenario import Area
from blindmatch.simulations.world.truth import threshold_pairs, true_count, true_sum


def area_outcome(
    area: Area, exchange: AreaResults, verdict: Verdict, seconds: Mapping[str, float]
) -> AreaOutcome:
    """Everything that came of one area, beside the truth.

    Raises:
        LocalError: a count or a sum has no result.
    """
    return AreaOutcome(
        id=area.id,
        name=area.name,
        agreements=exchange.agreements,
        comparisons=(
            *(_listed(result) for result in exchange.edges if not result.edge.group.number),
            *(each for result in exchange.thresholds for each in _members(result)),
        ),
        numbers=tuple(_numbered(result) for result in exchange.edges if result.edge.group.number),
        checks=tuple(_check(answer) for answer in exchange.checks),
        tallies=tuple(_tally(result) for result in exchange.thresholds),
        receipts=sum(result.receipt for result in exchange.edges)
        + sum(result.receipt for result in exchange.thresholds),
        seconds=seconds,
        verdict=verdict,
    )


def _listed(result: EdgeResult) -> Comparison:
    edge, world = result.edge, result.world
    return score_leads(
        world.truth(edge.receiver.list, edge.sender.list),
        result.leads,
        receiver=edge.receiver.agency,
        sender=edge.sender.agency,
        disclosure=edge.group.disclosure,
        verified=edge.group.verified,
        receiver_records=result.receiver_records,
        sender_records=result.sender_records,
        receiver_elements=result.receiver_elements,
        sender_elements=result.sender_elements,
        traffic=result.traffic,
        keys=result.keys,
        expected_true=result.expected_true,
        expected_false=result.expected_false,
        delta=result.delta,
    )


def _numbered(result: EdgeResult) -> AggregateComparison:
    edge, group, world = result.edge, result.edge.group, result.world
    if result.number is None:
        raise LocalError(f"{edge.id} told no number")
    adds = group.disclosure == "sum"
    matching, total = cleartext_figures(result)
    bonds = (world.bonds[edge.receiver.list], world.bonds[edge.sender.list])
    return AggregateComparison(
        receiver=edge.receiver.agency,
        sender=edge.sender.agency,
        disclosure=group.disclosure,
        value=group.value,
        minimum=group.minimum,
        band=group.band,
        told=result.number,
        clear=None if result.clear is None else total if adds else matching,
        truth=true_sum(*bonds) if adds else true_count(*bonds),
        reported_to=edge.told,
        receiver_records=result.receiver_records,
        sender_records=result.sender_records,
        receiver_elements=result.receiver_elements,
        sender_elements=result.sender_elements,
        keys=result.keys,
        traffic=result.traffic,
    )


def _members(result: ThresholdResult) -> Iterator[Comparison]:
    """A threshold as each member sees it: its own records against what enough of the others hold."""
    planned, world = result.threshold, result.world
    bonds = {end.agency: world.bonds[end.list] for end in planned.members}
    held = threshold_pairs(bonds, planned.joint.at_least)
    records = {agency: len(each.records) - len(each.withheld) for agency, each in bonds.items()}
    for agency in planned.agencies:
        yield score_leads(
            held[agency],
            result.leads[agency],
            receiver=agency,
            sender=f"{planned.joint.at_least} of {len(planned.members)}",
            disclosure="threshold",
            verified=False,
            receiver_records=records[agency],
            sender_records=sum(records.values()) - records[agency],
            receiver_elements=0,
            sender_elements=0,
            keys=result.keys,
        )


def _tally(result: ThresholdResult) -> ThresholdComparison:
    planned, joint = result.threshold, result.threshold.joint
    return ThresholdComparison(
        threshold=planned.id,
        collector=planned.collector,
        members=planned.agencies,
        at_least=joint.at_least,
        minimum=joint.minimum,
        band=joint.band,
        told=result.tally,
        clear=None if result.clear is None else result.clear.shared,
        keys=result.keys,
        expected_true=result.expected_true,
        expected_false=result.expected_false,
        traffic=result.traffic,
    )


def _check(answer: CheckResult) -> SingleCheck:
    asked = answer.question
    return SingleCheck(asked.agency, asked.edge.receiver.agency, asked.reference, answer.leads, asked.known)
