"""One area with each node its own process, every step of agreement and round through the command line."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from blindmatch.node.authority import Authority
from blindmatch.node.config_template import add_peer
from blindmatch.node.home import Node
from blindmatch.protocol.errors import LocalError
from blindmatch.simulations.clear import Clear, compare
from blindmatch.simulations.deploy import Input, make_node
from blindmatch.simulations.drafts import draft_text
from blindmatch.simulations.exchange import Clock, EdgeResult, Exchange, Setup, recorded_traffic
from blindmatch.simulations.outcome import FoundLead, Traffic
from blindmatch.simulations.plan import Plan, PlannedEdge
from blindmatch.simulations.processes import NodeProcess, free_ports, serving

COMMANDS_AT_ONCE = 2
T = TypeVar("T")


class Outside:
    """An area's nodes, each served by a process of its own."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._clock = Clock()
        self._nodes: dict[str, NodeProcess] = {}

    def run(self) -> Exchange:
        """Deploy, import, agree, compare; the nodes' folders stay as they are afterwards.

        Raises:
            LocalError: a command failed; its own words are in the message.
        """
        with ExitStack() as stack:
            wire = self._setup.record_wire or Path(
                stack.enter_context(TemporaryDirectory(prefix="blindmatch-wire-"))
            )
            with self._clock.step("set up"):
                self._deploy()
                records = self._import()
            with self._clock.step("serve"):
                stack.enter_context(serving(list(self._nodes.values()), records=wire))
            with self._clock.step("agree"):
                agreed = {plan.pact.id: self._agree(plan, records) for plan in self._setup.plans}
            edges: list[EdgeResult] = []
            for turn, (step, plan) in enumerate(self._setup.steps):
                if plan is not None:
                    mine = wire / step.agency / f"round-{turn}"
                    edges += self._compare(plan, agreed[plan.pact.id], step.agency, mine)
            return Exchange(agreed, tuple(edges), self._clock.seconds)

    def _deploy(self) -> None:
        setup = self._setup
        authority = Authority.open(setup.authority, setup.passphrase)
        ports = free_ports(len(setup.sites))
        for site, port in zip(setup.sites, ports, strict=True):
            node = NodeProcess(site.agency, site.home, port, setup.passphrase)
            make_node(
                site,
                authority,
                setup.passphrase,
                listen=node.address,
                now=time.time(),
                cluster=setup.cluster,
            ).close()
            self._nodes[site.agency] = node
        for one in self._nodes.values():
            for other in self._nodes.values():
                if one is not other:
                    add_peer(one.home / "node.toml", other.agency, other.address)

    def _each(self, agencies: Sequence[str], work: Callable[[str], T]) -> list[T]:
        """Do something for every agency, a few at a time."""
        with ThreadPoolExecutor(COMMANDS_AT_ONCE) as pool:
            return list(pool.map(work, agencies))

    def _import(self) -> dict[str, int]:
        """Import every file, one after another on each node; returns the records by list."""

        def all_of(agency: str) -> dict[str, int]:
            return {each.list: self._import_list(agency, each) for each in self._setup.site(agency).inputs}

        found = self._each([site.agency for site in self._setup.sites], all_of)
        return {name: records for each in found for name, records in each.items()}

    def _import_list(self, agency: str, given: Input) -> int:
        terms = self._setup.scenario.terms
        words = ["collection", "import", str(given.source), "--kind", given.kind, "--name", given.collection]
        words += ["--marking", terms.marking]
        if given.mapping:
            words += ["--mapping", str(given.mapping)]
        if given.register:
            words += ["--register", str(given.register)]
        if given.kind == "suppliers":
            words += [word for name in terms.facts for word in ("--fact", name)]
        return int(self._nodes[agency].run(*words, "--json").data["records"])

    def _agree(self, plan: Plan, records: dict[str, int]) -> str:
        """The first party drafts and proposes; every party binds its lists and signs."""
        setup, first = self._setup, self._nodes[plan.parties[0]]
        draft = setup.sites[0].home.parent / f"{plan.pact.id}.toml"
        terms, area = setup.scenario.terms, setup.world.area
        draft.write_text(draft_text(terms, area, plan, records, time.time()), encoding="utf-8")
        agreement = str(first.run("agreement", "draft", str(draft), "--json").data["id"])

        def sign(agency: str) -> None:
            bindings = plan.bindings(agency).items()
            bound = [word for name, given in bindings for word in ("--collection", f"{name}={given}")]
            self._nodes[agency].run("agreement", "sign", agreement, "--yes", *bound, "--json")

        self._each(plan.parties, sign)
        first.run("agreement", "verify", agreement)
        return agreement

    def _compare(self, plan: Plan, agreement: str, agency: str, mine: Path) -> list[EdgeResult]:
        """One round, pulled by one receiver, whose messages go to `mine`."""
        node = self._nodes[agency]
        with self._clock.step("compare"):
            outcome = node.run("round", "run", agreement, "--record-wire", str(mine), "--json").data
        shown = node.run("round", "results", outcome["round"], "--json").data
        receipts = node.run("round", "receipts", outcome["round"], "--json").data
        by_edge = {edge["edge"]: edge for edge in outcome["edges"]}
        good = {receipt["edge"] for receipt in receipts if receipt["valid"]}
        done = []
        met: set[str] = set()  # of several edges with one agency, the first stands for all messages
        for planned in plan.received_by(agency):
            sender = planned.sender.agency
            edge = by_edge[planned.id]
            if edge["state"] != "closed":
                raise LocalError(f"{edge['edge']} ended as {edge['state']}: {edge['reason']}")
            leads = [lead for lead in shown["leads"] if lead["edge"] == edge["edge"]]
            with self._clock.step("examine"):
                clear = self._in_the_clear(planned, bytes.fromhex(outcome["round"]))
            done.append(
                EdgeResult(
                    edge=planned,
                    agreement=agreement,
                    round_id=outcome["round"],
                    receiver_records=edge["receiver_records"],
                    sender_records=edge["sender_records"],
                    receiver_elements=edge["receiver_elements"],
                    sender_elements=edge["sender_elements"],
                    leads=tuple(_lead(lead) for lead in leads),
                    traffic=recorded_traffic(mine, sender) if sender not in met else Traffic(),
                    receipt=edge["edge"] in good,
                    clear=clear,
                    keys=edge["keys"],
                    expected_true=edge["expected_true"],
                    expected_false=edge["expected_false"],
                )
            )
            met.add(sender)
        return done

    def _in_the_clear(self, edge: PlannedEdge, round_id: bytes) -> Clear:
        setup = self._setup
        with ExitStack() as stack:
            both = [
                stack.enter_context(Node.open(setup.site(end.agency).home, setup.passphrase))
                for end in edge.ends
            ]
            return compare(both, round_id, edge.id)


def _lead(lead: dict[str, Any]) -> FoundLead:
    return FoundLead(
        lead["reference"],
        tuple(lead["keys"]),
        float(lead["score"]),
        tuple(lead["facts"]),
        float(lead["posterior"]),
    )
