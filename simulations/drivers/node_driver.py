"""Reads a finished round out of the nodes that ran it, and compares the same lists in plaintext beside it.

A source gives what the nodes hold: `OpenNodes` reads nodes that are open in this process, `CommandLine` reads the JSON that the
commands of nodes in separate processes print. `NodeDriver` makes the same results of either.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from blindmatch.node.agreements import StoredAgreement
from blindmatch.node.node import Node
from blindmatch.node.rounds import leads as round_leads
from blindmatch.node.rounds import receipts
from blindmatch.node.rounds.aggregate import results as aggregate_results
from blindmatch.node.rounds.edge_task import EdgeOutcome
from blindmatch.node.rounds.runner import RoundOutcome
from blindmatch.protocol.errors import LocalError
from blindmatch.simulations.drivers.cleartext import compare_edge, compare_threshold
from blindmatch.simulations.drivers.node_handle import NodeHandle
from blindmatch.simulations.drivers.ray_nodes import RayNode
from blindmatch.simulations.drivers.results import (
    WITHHELD,
    DisclosedNumber,
    EdgeResult,
    ReportedLead,
    ThresholdResult,
    aggregate_number,
    tally_number,
)
from blindmatch.simulations.drivers.setup import AreaSetup
from blindmatch.simulations.drivers.traffic import Traffic
from blindmatch.simulations.scenario.plan import ExchangePlan, PlannedEdge, PlannedThreshold
from blindmatch.simulations.world.area import AreaData


class RoundSource(Protocol):
    """What the nodes hold of one finished round."""

    @property
    def agreement(self) -> str:
        """The agreement's id, hexadecimal."""

    @property
    def round_id(self) -> str:
        """The round's id, hexadecimal."""

    @property
    def edges(self) -> Sequence[EdgeOutcome]:
        """How the edges and thresholds of the round ended."""

    def leads(self, agency: str, comparison: str) -> tuple[ReportedLead, ...]:
        """The leads that an agency's node stores."""

    def number(self, agency: str, comparison: str) -> DisclosedNumber | None:
        """The count or sum that an agency's node stores; None: none."""

    def tally(self, collector: str, comparison: str) -> DisclosedNumber:
        """The number of keys that a collector's officers see."""

    def receipt_valid(self, agency: str, comparison: str) -> bool:
        """Whether every party has signed the receipt that an agency's node stores, and all signatures verify."""

    def traffic(self, agency: str, peer: str) -> Traffic:
        """The messages of the round between an agency and a peer."""

    @contextmanager
    def opened(self, agencies: Sequence[str]) -> Iterator[list[Node] | None]:
        """These agencies' nodes, open; None where one of them is on another machine."""


@dataclass(frozen=True)
class NodeDriver:
    """Reads one round that an agency's node has run."""

    source: RoundSource
    world: AreaData
    """With the lists as they were in the round."""
    _counted: set[str] = field(default_factory=set, init=False)

    def results(self, plan: ExchangePlan, agency: str) -> tuple[list[EdgeResult], list[ThresholdResult]]:
        """The edges that the agency has received, and the thresholds that it has collected.

        Raises:
            LocalError: a comparison did not close.
        """
        edges = [self._edge(each) for each in plan.received_by(agency)]
        return edges, [self._threshold(each) for each in plan.collected_by(agency)]

    def _edge(self, planned: PlannedEdge) -> EdgeResult:
        outcome, source = self._closed(planned.id), self.source
        receiver, sender = (end.agency for end in planned.ends)
        with source.opened((receiver, sender)) as nodes:
            clear = None if nodes is None else compare_edge(nodes, bytes.fromhex(source.round_id), planned.id)
        return EdgeResult(
            edge=planned,
            world=self.world,
            agreement=source.agreement,
            round_id=source.round_id,
            receiver_records=outcome.receiver_records,
            sender_records=outcome.sender_records,
            receiver_elements=outcome.receiver_elements,
            sender_elements=outcome.sender_elements,
            leads=source.leads(receiver, planned.id),
            traffic=self._traffic(receiver, sender),
            receipt=source.receipt_valid(receiver, planned.id),
            clear=clear,
            number=source.number(receiver, planned.id),
            delta=outcome.delta,
            keys=outcome.keys,
            expected_true=outcome.expected_true,
            expected_false=outcome.expected_false,
        )

    def _threshold(self, planned: PlannedThreshold) -> ThresholdResult:
        outcome, source = self._closed(planned.id), self.source
        with source.opened(planned.agencies) as nodes:
            clear = (
                None
                if nodes is None
                else compare_threshold(nodes, bytes.fromhex(source.round_id), planned.id)
            )
        return ThresholdResult(
            threshold=planned,
            world=self.world,
            agreement=source.agreement,
            round_id=source.round_id,
            leads={agency: source.leads(agency, planned.id) for agency in planned.agencies},
            tally=source.tally(planned.collector, planned.id),
            traffic=sum((self._traffic(planned.collector, each) for each in planned.agencies), Traffic()),
            receipt=source.receipt_valid(planned.collector, planned.id),
            clear=clear,
            keys=outcome.keys,
            sender_records=outcome.sender_records,
            expected_true=outcome.expected_true,
            expected_false=outcome.expected_false,
        )

    def _closed(self, name: str) -> EdgeOutcome:
        outcome = next(each for each in self.source.edges if each.edge == name)
        if outcome.code or outcome.state != "closed":
            raise LocalError(f"{name} ended as {outcome.state}: {outcome.reason}", hint=outcome.hint)
        return outcome

    def _traffic(self, agency: str, peer: str) -> Traffic:
        """Of several comparisons with one peer, the first gets all messages: the nodes count by peer."""
        if peer in self._counted:
            return Traffic()
        self._counted.add(peer)
        return self.source.traffic(agency, peer)


@dataclass(frozen=True)
class OpenNodes:
    """A round of nodes that are open in this process."""

    nodes: Mapping[str, Node]
    stored: StoredAgreement
    outcome: RoundOutcome
    messages: Mapping[str, Traffic]
    """By peer of the node that ran the round."""

    @property
    def agreement(self) -> str:
        """See `RoundSource`."""
        return self.stored.id.hex()

    @property
    def round_id(self) -> str:
        """See `RoundSource`."""
        return self.outcome.round_id.hex()

    @property
    def edges(self) -> Sequence[EdgeOutcome]:
        """See `RoundSource`."""
        return self.outcome.edges

    def leads(self, agency: str, comparison: str) -> tuple[ReportedLead, ...]:
        """See `RoundSource`."""
        return tuple(
            ReportedLead(lead.reference, lead.keys, lead.score, lead.facts, lead.posterior)
            for lead in round_leads.load(self.nodes[agency], self.outcome.round_id, comparison)
        )

    def number(self, agency: str, comparison: str) -> DisclosedNumber | None:
        """See `RoundSource`."""
        results = aggregate_results.load(self.nodes[agency], self.outcome.round_id, comparison)
        return next(map(aggregate_number, results), None)

    def tally(self, collector: str, comparison: str) -> DisclosedNumber:
        """See `RoundSource`."""
        tally = round_leads.tally(self.nodes[collector], self.outcome.round_id, comparison)
        return WITHHELD if tally is None else tally_number(tally)

    def receipt_valid(self, agency: str, comparison: str) -> bool:
        """See `RoundSource`."""
        row = self.nodes[agency].store.edge(self.outcome.round_id, comparison)
        return receipts.is_valid(self.stored.agreement, row, agency)

    def traffic(self, agency: str, peer: str) -> Traffic:
        """See `RoundSource`; the agency is the one that ran the round."""
        del agency
        return self.messages[peer]

    @contextmanager
    def opened(self, agencies: Sequence[str]) -> Iterator[list[Node] | None]:
        """See `RoundSource`."""
        yield [self.nodes[agency] for agency in agencies]


@dataclass(frozen=True)
class CommandLine:
    """A round of nodes in separate processes, as their commands print it."""

    setup: AreaSetup
    handles: Mapping[str, NodeHandle | RayNode]
    printed: Mapping[str, Any]
    """The output of `round run`."""
    turn: int
    """The scenario's step, by which the messages of several rounds are kept apart."""
    _outputs: dict[tuple[str, str], Any] = field(default_factory=dict, init=False)

    @property
    def agreement(self) -> str:
        """See `RoundSource`."""
        return str(self.printed["agreement"])

    @property
    def round_id(self) -> str:
        """See `RoundSource`."""
        return str(self.printed["round"])

    @cached_property
    def edges(self) -> Sequence[EdgeOutcome]:
        """See `RoundSource`."""
        return [EdgeOutcome(**each) for each in self.printed["edges"]]

    def _output(self, agency: str, command: str) -> Any:
        """The output of a command about the round, run once on an agency's node."""
        if (agency, command) not in self._outputs:
            self._outputs[agency, command] = self.handles[agency].run("round", command, self.round_id)
        return self._outputs[agency, command]

    def leads(self, agency: str, comparison: str) -> tuple[ReportedLead, ...]:
        """See `RoundSource`."""
        return tuple(
            ReportedLead(
                lead["reference"],
                tuple(lead["keys"]),
                float(lead["score"]),
                tuple(lead["facts"]),
                float(lead["posterior"]),
            )
            for lead in self._output(agency, "results")["leads"]
            if lead["edge"] == comparison
        )

    def number(self, agency: str, comparison: str) -> DisclosedNumber | None:
        """See `RoundSource`."""
        for number in self._output(agency, "results")["numbers"]:
            if number["edge"] == comparison:
                if not number["told"]:
                    return WITHHELD
                low, high = (number.get("sum", number.get(name)) for name in ("low", "high"))
                return DisclosedNumber(True, int(low), int(high))
        return None

    def tally(self, collector: str, comparison: str) -> DisclosedNumber:
        """See `RoundSource`."""
        edges = self._output(collector, "results")["edges"]
        count = next(each["collected"]["count"] for each in edges if each["edge"] == comparison)
        return WITHHELD if count is None else DisclosedNumber(True, count, count)

    def receipt_valid(self, agency: str, comparison: str) -> bool:
        """See `RoundSource`; the node verifies the signatures."""
        receipts = self._output(agency, "receipts")
        return any(receipt["edge"] == comparison and receipt["valid"] for receipt in receipts)

    def traffic(self, agency: str, peer: str) -> Traffic:
        """See `RoundSource`."""
        return self.handles[agency].traffic(peer, self.turn)

    @contextmanager
    def opened(self, agencies: Sequence[str]) -> Iterator[list[Node] | None]:
        """See `RoundSource`."""
        homes = [self.setup.site(agency).home for agency in agencies]
        if not all(home.exists() for home in homes):
            yield None
            return
        with ExitStack() as stack:
            yield [stack.enter_context(Node.open(home, self.setup.passphrase)) for home in homes]
