"""A finished round as the nodes' command lines tell it, and beside it the same comparison in the clear."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from blindmatch.node.node import Node
from blindmatch.protocol.errors import LocalError
from blindmatch.simulations.audit.allowed import WITHHELD, Told
from blindmatch.simulations.audit.cleartext import Clear, compare, share
from blindmatch.simulations.audit.outcome import FoundLead, Traffic
from blindmatch.simulations.drivers.exchange import EdgeResult, Setup, ThresholdResult
from blindmatch.simulations.drivers.node_handle import NodeHandle
from blindmatch.simulations.drivers.ray_nodes import RayNode
from blindmatch.simulations.scenario.plan import PlannedEdge, PlannedThreshold
from blindmatch.simulations.world.area import World


@dataclass(frozen=True)
class Telling:
    """One round that one of the nodes has run."""

    setup: Setup
    world: World
    at: Mapping[str, NodeHandle | RayNode]
    agreement: str
    outcome: Mapping[str, Any]
    """What `round run` printed."""
    turn: int

    def _ended(self, name: str) -> dict[str, Any]:
        edge: dict[str, Any] = next(each for each in self.outcome["edges"] if each["edge"] == name)
        if edge["state"] != "closed":
            raise LocalError(f"{name} ended as {edge['state']}: {edge['reason']}")
        return edge

    def _shown(self, agency: str) -> dict[str, Any]:
        shown: dict[str, Any] = self.at[agency].run("round", "results", self.outcome["round"])
        return shown

    def _receipts(self, agency: str) -> set[str]:
        receipts = self.at[agency].run("round", "receipts", self.outcome["round"])
        return {receipt["edge"] for receipt in receipts if receipt["valid"]}

    def edges(self, planned: Sequence[PlannedEdge]) -> list[EdgeResult]:
        """The edges that one agency has received.

        Raises:
            LocalError: one did not close.
        """
        if not planned:
            return []
        receiver = planned[0].receiver.agency
        node, shown, good = self.at[receiver], self._shown(receiver), self._receipts(receiver)
        met: set[str] = set()  # of several edges with one agency, the first stands for all messages
        done = []
        for each in planned:
            edge, sender = self._ended(each.id), each.sender.agency
            done.append(
                EdgeResult(
                    edge=each,
                    world=self.world,
                    agreement=self.agreement,
                    round_id=self.outcome["round"],
                    receiver_records=edge["receiver_records"],
                    sender_records=edge["sender_records"],
                    receiver_elements=edge["receiver_elements"],
                    sender_elements=edge["sender_elements"],
                    leads=_leads(shown, each.id),
                    traffic=node.traffic(sender, self.turn) if sender not in met else Traffic(),
                    receipt=each.id in good,
                    clear=self._in_the_clear((receiver, sender), each.id, compare),
                    number=next((_told(n) for n in shown["numbers"] if n["edge"] == each.id), None),
                    delta=edge["delta"],
                    keys=edge["keys"],
                    expected_true=edge["expected_true"],
                    expected_false=edge["expected_false"],
                )
            )
            met.add(sender)
        return done

    def threshold(self, planned: PlannedThreshold) -> ThresholdResult:
        """One threshold that the agency has collected.

        Raises:
            LocalError: it did not close.
        """
        edge, collector = self._ended(planned.id), planned.collector
        said = next(each for each in self._shown(collector)["edges"] if each["edge"] == planned.id)
        count = said["collected"]["count"]
        return ThresholdResult(
            threshold=planned,
            world=self.world,
            agreement=self.agreement,
            round_id=self.outcome["round"],
            leads={agency: _leads(self._shown(agency), planned.id) for agency in planned.agencies},
            tally=WITHHELD if count is None else Told(True, count, count),
            traffic=_added(self.at[collector].traffic(agency, self.turn) for agency in planned.agencies),
            receipt=planned.id in self._receipts(collector),
            clear=self._in_the_clear(planned.agencies, planned.id, share),
            keys=edge["keys"],
            sender_records=edge["sender_records"],
            expected_true=edge["expected_true"],
            expected_false=edge["expected_false"],
        )

    def _in_the_clear(
        self,
        agencies: Iterable[str],
        name: str,
        comparing: Callable[[Sequence[Node], bytes, str], Clear],
    ) -> Clear | None:
        """None where a node's folder is on another machine."""
        homes = [self.setup.site(agency).home for agency in agencies]
        if not all(home.exists() for home in homes):
            return None
        with ExitStack() as stack:
            nodes = [stack.enter_context(Node.open(home, self.setup.passphrase)) for home in homes]
            return comparing(nodes, bytes.fromhex(self.outcome["round"]), name)


def _added(parts: Iterable[Traffic]) -> Traffic:
    return sum(parts, Traffic())


def _leads(shown: Mapping[str, Any], name: str) -> tuple[FoundLead, ...]:
    return tuple(
        FoundLead(
            lead["reference"],
            tuple(lead["keys"]),
            float(lead["score"]),
            tuple(lead["facts"]),
            float(lead["posterior"]),
        )
        for lead in shown["leads"]
        if lead["edge"] == name
    )


def _told(number: Mapping[str, Any]) -> Told:
    if not number["told"]:
        return WITHHELD
    if "sum" in number:
        return Told(True, int(number["sum"]), int(number["sum"]))
    return Told(True, int(number["low"]), int(number["high"]))
