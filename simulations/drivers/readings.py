"""A finished round as the nodes of this process have it, and beside it the same comparison in the clear."""

from collections.abc import Mapping
from dataclasses import dataclass

from blindmatch.node.agreements import StoredAgreement
from blindmatch.node.node import Node
from blindmatch.node.rounds import leads as round_leads
from blindmatch.node.rounds import receipts
from blindmatch.node.rounds.aggregate import results as aggregate_results
from blindmatch.node.rounds.edge_task import EdgeOutcome
from blindmatch.node.rounds.runner import RoundOutcome
from blindmatch.protocol.errors import LocalError
from blindmatch.simulations.audit.allowed import WITHHELD
from blindmatch.simulations.audit.cleartext import compare, share
from blindmatch.simulations.audit.disclosed import told_number, told_tally
from blindmatch.simulations.audit.outcome import FoundLead, Traffic
from blindmatch.simulations.drivers.exchange import EdgeResult, ThresholdResult
from blindmatch.simulations.scenario.plan import PlannedEdge, PlannedThreshold
from blindmatch.simulations.world.area import World


def found(leads: list[round_leads.ResultLead]) -> tuple[FoundLead, ...]:
    """Leads as the simulation counts them."""
    return tuple(
        FoundLead(lead.reference, lead.keys, lead.score, lead.facts, lead.posterior) for lead in leads
    )


@dataclass(frozen=True)
class Reading:
    """One round that one of the nodes has run."""

    nodes: Mapping[str, Node]
    world: World
    held: StoredAgreement
    outcome: RoundOutcome

    def _ended(self, name: str) -> EdgeOutcome:
        each = next(edge for edge in self.outcome.edges if edge.edge == name)
        if each.code or each.state != "closed":
            raise LocalError(f"{name} ended as {each.state}: {each.reason}", hint=each.hint)
        return each

    def _receipt(self, node: Node, name: str) -> bool:
        """Whether every agency that must sign the receipt has signed it."""
        row = node.store.edge(self.outcome.round_id, name)
        return receipts.is_valid(self.held.agreement, row, node.agency)

    def edge(self, planned: PlannedEdge, traffic: Traffic) -> EdgeResult:
        """One edge, as its receiver has it.

        Raises:
            LocalError: it did not close.
        """
        edge, round_id = self._ended(planned.id), self.outcome.round_id
        both = [self.nodes[end.agency] for end in planned.ends]
        return EdgeResult(
            edge=planned,
            world=self.world,
            agreement=self.held.id.hex(),
            round_id=round_id.hex(),
            receiver_records=edge.receiver_records,
            sender_records=edge.sender_records,
            receiver_elements=edge.receiver_elements,
            sender_elements=edge.sender_elements,
            leads=found(round_leads.load(both[0], round_id, planned.id)),
            traffic=traffic,
            receipt=self._receipt(both[0], planned.id),
            clear=compare(both, round_id, planned.id),
            number=next(map(told_number, aggregate_results.load(both[0], round_id, planned.id)), None),
            delta=edge.delta,
            keys=edge.keys,
            expected_true=edge.expected_true,
            expected_false=edge.expected_false,
        )

    def threshold(self, planned: PlannedThreshold, traffic: Traffic) -> ThresholdResult:
        """One threshold, as its collector and its members have it.

        Raises:
            LocalError: it did not close.
        """
        edge, round_id = self._ended(planned.id), self.outcome.round_id
        collector = self.nodes[planned.collector]
        tally = round_leads.tally(collector, round_id, planned.id)
        return ThresholdResult(
            threshold=planned,
            world=self.world,
            agreement=self.held.id.hex(),
            round_id=round_id.hex(),
            leads={
                agency: found(round_leads.load(self.nodes[agency], round_id, planned.id))
                for agency in planned.agencies
            },
            tally=WITHHELD if tally is None else told_tally(tally),
            traffic=traffic,
            receipt=self._receipt(collector, planned.id),
            clear=share([self.nodes[agency] for agency in planned.agencies], round_id, planned.id),
            keys=edge.keys,
            sender_records=edge.sender_records,
            expected_true=edge.expected_true,
            expected_false=edge.expected_false,
        )
