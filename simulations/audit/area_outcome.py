"""Turns the results of an area's nodes into its outcome: every comparison beside the truth."""

from collections.abc import Iterator, Mapping

from blindmatch.simulations.audit.lead_scores import score_leads
from blindmatch.simulations.audit.outcome import AreaOutcome, Comparison
from blindmatch.simulations.audit.verdict import Verdict
from blindmatch.simulations.drivers.results import AreaResults, EdgeResult, ThresholdResult, figures
from blindmatch.simulations.scenario.scenario import Area
from blindmatch.simulations.world.truth import threshold_pairs


def area_outcome(
    area: Area, results: AreaResults, verdict: Verdict, seconds: Mapping[str, float]
) -> AreaOutcome:
    """The outcome of one area."""
    return AreaOutcome(
        id=area.id,
        name=area.name,
        agreements=results.agreements,
        comparisons=(
            *(_comparison(result) for result in results.edges if not result.edge.group.number),
            *(each for result in results.thresholds for each in _members(result)),
        ),
        numbers=tuple(result for result in results.edges if result.edge.group.number),
        checks=results.checks,
        tallies=results.thresholds,
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
