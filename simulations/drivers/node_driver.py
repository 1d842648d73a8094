"""Reads a finished round out of the nodes that ran it, and compares the same lists in plaintext beside it.

A source gives what the operations of a node return: `OpenNodes` calls them on nodes that are open in this process, `CommandLine` runs
the same operations as commands of nodes in separate processes. `NodeDriver` makes the same results of either.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from blindmatch.node.node import Node
from blindmatch.node.operations import rounds
from blindmatch.node.rounds.edge_task import EdgeOutcome
from blindmatch.node.rounds.runner import RoundOutcome
from blindmatch.protocol.errors import LocalError
from blindmatch.simulations.drivers.cleartext import compare_edge, compare_threshold
from blindmatch.simulations.drivers.node_handle import NodeHandle
from blindmatch.simulations.drivers.ray_nodes import RayNode
from blindmatch.simulations.drivers.results import (
    WITHHELD,
    CleartextResult,
    DisclosedNumber,
    EdgeResult,
    ReportedLead,
    ThresholdResult,
    figures,
)
from blindmatch.simulations.drivers.setup import AreaSetup
from blindmatch.simulations.drivers.traffic import Traffic
from blindmatch.simulations.scenario.plan import ExchangePlan, PlannedEdge, PlannedThreshold
from blindmatch.simulations.world.area import AreaData


@dataclass(frozen=True)
class OpenNodes:
    """A round of nodes that are open in this process."""

    nodes: Mapping[str, Node]
    round_id: str
    messages: Mapping[str, Traffic]
    """By peer of the node that ran the round."""

    def results(self, agency: str) -> Mapping[str, Any]:
        """The data of the operation `results` on an agency's node."""
        return rounds.results(self.nodes[agency], self.round_id).data()

    def receipts(self, agency: str) -> Sequence[Mapping[str, Any]]:
        """The data of the operation `receipts` on an agency's node."""
        return [receipt.data() for receipt in rounds.receipts(self.nodes[agency], self.round_id)]

    def traffic(self, agency: str, peer: str) -> Traffic:
        """The messages of the round between the agency that ran it and a peer."""
        del agency
        return self.messages[peer]

    @contextmanager
    def opened(self, agencies: Sequence[str]) -> Iterator[list[Node] | None]:
        """These agencies' nodes, open; None where one of them is on another machine."""
        yield [self.nodes[agency] for agency in agencies]


@dataclass(frozen=True)
class CommandLine:
    """A round of nodes in separate processes."""

    setup: AreaSetup
    handles: Mapping[str, NodeHandle | RayNode]
    round_id: str
    turn: int
    """The scenario's step, by which the messages of several rounds are stored."""

    def results(self, agency: str) -> Mapping[str, Any]:
        """See `OpenNodes`."""
        results: Mapping[str, Any] = self.handles[agency].data("round", "results", self.round_id)
        return results

    def receipts(self, agency: str) -> Sequence[Mapping[str, Any]]:
        """See `OpenNodes`."""
        receipts: Sequence[Mapping[str, Any]] = self.handles[agency].data("round", "receipts", self.round_id)
        return receipts

    def traffic(self, agency: str, peer: str) -> Traffic:
        """See `OpenNodes`."""
        return self.handles[agency].traffic(peer, self.turn)

    @contextmanager
    def opened(self, agencies: Sequence[str]) -> Iterator[list[Node] | None]:
        """See `OpenNodes`."""
        homes = [self.setup.site(agency).home for agency in agencies]
        if not all(home.exists() for home in homes):
            yield None
            return
        with ExitStack() as stack:
            yield [stack.enter_context(Node.open(home, self.setup.passphrase)) for home in homes]


@dataclass(frozen=True)
class NodeDriver:
    """Reads one round that an agency's node has run."""

    source: OpenNodes | CommandLine
    outcome: RoundOutcome
    area_data: AreaData
    """The lists as they were in the round."""
    _cache: dict[str, Mapping[str, Any]] = field(default_factory=dict, init=False)
    _counted: set[str] = field(default_factory=set, init=False)

    def results(self, plan: ExchangePlan, agency: str) -> tuple[list[EdgeResult], list[ThresholdResult]]:
        """The edges that the agency has received, and the thresholds that it has collected.

        Raises:
            LocalError: a comparison did not close, or a count or a sum has no result.
        """
        edges = [self._edge(each) for each in plan.received_by(agency)]
        return edges, [self._threshold(each) for each in plan.collected_by(agency)]

    def _edge(self, planned: PlannedEdge) -> EdgeResult:
        receiver, sender = (end.agency for end in planned.ends)
        numbers = [each for each in self._results(receiver)["numbers"] if each["edge"] == planned.id]
        if planned.group.number and not numbers:
            raise LocalError(f"{planned.id} has no number")
        return EdgeResult(
            edge=planned,
            leads=self._leads(receiver, planned.id),
            number=next((DisclosedNumber.of_aggregate(each) for each in numbers), WITHHELD),
            **self._shared(planned, receiver, (sender,), compare_edge),
        )

    def _threshold(self, planned: PlannedThreshold) -> ThresholdResult:
        edges = self._results(planned.collector)["edges"]
        count = next(each["collected"]["count"] for each in edges if each["edge"] == planned.id)
        return ThresholdResult(
            threshold=planned,
            leads={agency: self._leads(agency, planned.id) for agency in planned.agencies},
            tally=DisclosedNumber.of_tally(count),
            **self._shared(planned, planned.collector, planned.agencies, compare_threshold),
        )

    def _results(self, agency: str) -> Mapping[str, Any]:
        if agency not in self._cache:
            self._cache[agency] = self.source.results(agency)
        return self._cache[agency]

    def _leads(self, agency: str, comparison: str) -> tuple[ReportedLead, ...]:
        return tuple(
            ReportedLead(
                lead["reference"],
                tuple(lead["keys"]),
                float(lead["score"]),
                tuple(lead["facts"]),
                float(lead["posterior"]),
            )
            for lead in self._results(agency)["leads"]
            if lead["edge"] == comparison
        )

    def _shared(
        self,
        planned: PlannedEdge | PlannedThreshold,
        agency: str,
        peers: Sequence[str],
        compare: Callable[[Sequence[Node], bytes, str], CleartextResult],
    ) -> dict[str, Any]:
        """The values of a `RoundResult`, for the agency that ran the round."""
        source = self.source
        outcome = self._closed(planned.id)
        with source.opened([end.agency for end in planned.ends]) as nodes:
            cleartext = None if nodes is None else compare(nodes, self.outcome.round_id, planned.id)
        return figures(outcome) | {
            "traffic": sum((self._traffic(agency, peer) for peer in peers), Traffic()),
            "area_data": self.area_data,
            "agreement": self.outcome.agreement_id.hex(),
            "round_id": self.outcome.round_id.hex(),
            "receipt": any(each["edge"] == planned.id and each["valid"] for each in source.receipts(agency)),
            "cleartext": cleartext,
        }

    def _closed(self, name: str) -> EdgeOutcome:
        outcome = next(each for each in self.outcome.edges if each.edge == name)
        if outcome.code or outcome.state != "closed":
            raise LocalError(f"{name} ended as {outcome.state}: {outcome.reason}", hint=outcome.hint)
        return outcome

    def _traffic(self, agency: str, peer: str) -> Traffic:
        """Of several comparisons with one peer, the first gets all messages: the nodes count by peer."""
        if peer in self._counted:
            return Traffic()
        self._counted.add(peer)
        return self.source.traffic(agency, peer)
