"""Turns the results of an area's nodes into its outcome: every comparison beside the truth."""

from collections.abc import Iterator, Mapping

from blindmatch.protocol.errors import LocalError
from blindmatch.simulations.audit.area_audit import cleartext_figures
from blindmatch.simulations.audit.lead_scores import score_leads
from blindmatch.simulations.audit.outcome import (
    AggregateComparison,
    AreaOutcome,
    Comparison,
    SingleCheck,
    ThresholdComparison,
)
from blindmatch.simulations.audit.verdict import Verdict
from blindmatch.simulations.drivers.results import (
    AreaResults,
    CheckResult,
    EdgeResult,
    ThresholdResult,
    figures,
)
from blindmatch.simulations.scenario.scenario import Area
from blindmatch.simulations.world.truth import threshold_pairs, true_count, true_sum


def area_outcome(
    area: Area, results: AreaResults, verdict: Verdict, seconds: Mapping[str, float]
) -> AreaOutcome:
    """The outcome of one area.

    Raises:
        LocalError: a count or a sum has no result.
    """
    return AreaOutcome(
        id=area.id,
        name=area.name,
        agreements=results.agreements,
        comparisons=(
            *(_comparison(result) for result in results.edges if not result.edge.group.number),
            *(each for result in results.thresholds for each in _members(result)),
        ),
        numbers=tuple(_aggregate(result) for result in results.edges if result.edge.group.number),
        checks=tuple(_check(result) for result in results.checks),
        tallies=tuple(_threshold(result) for result in results.thresholds),
        receipts=sum(result.receipt for result in (*results.edges, *results.thresholds)),
        seconds=seconds,
        verdict=verdict,
    )


def _comparison(result: EdgeResult) -> Comparison:
    edge = result.edge
    return score_leads(
        result.area_data.truth(edge.receiver.list, edge.sender.list),
        result.leads,
        receiver=edge.receiver.agency,
        sender=edge.sender.agency,
        disclosure=edge.group.disclosure,
        verified=edge.group.verified,
        **figures(result),
    )


def _aggregate(result: EdgeResult) -> AggregateComparison:
    edge, group = result.edge, result.edge.group
    if result.number is None:
        raise LocalError(f"{edge.id} has no number")
    is_sum = group.disclosure == "sum"
    matching, total = cleartext_figures(result)
    links = [result.area_data.links[end.list] for end in edge.ends]
    return AggregateComparison(
        receiver=edge.receiver.agency,
        sender=edge.sender.agency,
        disclosure=group.disclosure,
        value=group.value,
        minimum=group.minimum,
        band=group.band,
        result=result.number,
        cleartext=None if result.cleartext is None else total if is_sum else matching,
        truth=true_sum(*links) if is_sum else true_count(*links),
        reported_to=edge.recipients,
        **figures(result),
    )


def _members(result: ThresholdResult) -> Iterator[Comparison]:
    """A threshold as each member sees it: its own records, compared with those that enough of the others hold."""
    planned = result.threshold
    links = {end.agency: result.area_data.links[end.list] for end in planned.members}
    truth = threshold_pairs(links, planned.group.at_least)
    records = {agency: len(each.records) - len(each.withheld) for agency, each in links.items()}
    for agency in planned.agencies:
        yield score_leads(
            truth[agency],
            result.leads[agency],
            receiver=agency,
            sender=f"{planned.group.at_least} of {len(planned.members)}",
            disclosure="threshold",
            verified=False,
            receiver_records=records[agency],
            sender_records=sum(records.values()) - records[agency],
            keys=result.keys,
        )


def _threshold(result: ThresholdResult) -> ThresholdComparison:
    planned, group = result.threshold, result.threshold.group
    return ThresholdComparison(
        threshold=planned.id,
        collector=planned.collector,
        members=planned.agencies,
        at_least=group.at_least,
        minimum=group.minimum,
        band=group.band,
        result=result.tally,
        cleartext=None if result.cleartext is None else result.cleartext.shared,
        **figures(result),
    )


def _check(result: CheckResult) -> SingleCheck:
    check = result.check
    return SingleCheck(check.agency, check.edge.receiver.agency, check.reference, result.hits, check.known)
