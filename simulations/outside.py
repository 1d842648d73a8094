"""One area with each node its own process, every step of agreement and round through the command line."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from blindmatch.node.authority import Authority
from blindmatch.node.config_template import add_peer
from blindmatch.protocol.errors import LocalError
from blindmatch.simulations.deploy import Site, draft_text, edge_id, make_node
from blindmatch.simulations.exchange import Clock, EdgeResult, Exchange, Setup, recorded_traffic
from blindmatch.simulations.outcome import FoundLead
from blindmatch.simulations.processes import NodeProcess, free_ports, serving

COMMANDS_AT_ONCE = 2


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
                agreement = self._agree(records)
            with self._clock.step("compare"):
                return self._compare(agreement, wire)

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

    def _each(self, sites: Sequence[Site], words: Any) -> list[Any]:
        """Run one command for every site, a few at a time, and return the JSON that they print."""
        with ThreadPoolExecutor(COMMANDS_AT_ONCE) as pool:
            return list(
                pool.map(lambda site: self._nodes[site.agency].run(*words(site), "--json").data, sites)
            )

    def _import(self) -> dict[str, int]:
        """Import every file; returns the records by agency."""
        terms = self._setup.scenario.terms

        def words(site: Site) -> list[str]:
            given = ["collection", "import", str(site.source), "--kind", site.kind, "--name", site.collection]
            given += ["--marking", terms.marking]
            if site.mapping:
                given += ["--mapping", str(site.mapping)]
            if site.register:
                given += ["--register", str(site.register)]
            if site.kind == "suppliers":
                given += [word for name in terms.facts for word in ("--fact", name)]
            return given

        reports = self._each(self._setup.sites, words)
        return {
            site.agency: int(report["records"])
            for site, report in zip(self._setup.sites, reports, strict=True)
        }

    def _agree(self, records: dict[str, int]) -> str:
        """The police draft and propose; every party binds its collection and signs."""
        setup, area = self._setup, self._setup.world.area
        draft = setup.police.home.parent / "agreement.toml"
        draft.write_text(draft_text(setup.scenario, area, records, time.time()), encoding="utf-8")
        police = self._nodes[setup.police.agency]
        agreement = str(police.run("agreement", "draft", str(draft), "--json").data["id"])

        def words(site: Site) -> list[str]:
            councils = setup.councils if site is setup.police else (site,)
            edges = [edge_id(area, council.agency) for council in councils]
            bound = [word for edge in edges for word in ("--collection", f"{edge}={site.collection}")]
            return ["agreement", "sign", agreement, "--yes", *bound]

        self._each(setup.sites, words)
        police.run("agreement", "verify", agreement)
        return agreement

    def _compare(self, agreement: str, wire: Path) -> Exchange:
        setup = self._setup
        police = self._nodes[setup.police.agency]
        mine = wire / police.agency / "round"
        outcome = police.run("round", "run", agreement, "--record-wire", str(mine), "--json").data
        shown = police.run("round", "results", outcome["round"], "--json").data
        receipts = police.run("round", "receipts", outcome["round"], "--json").data
        by_edge = {edge["edge"]: edge for edge in outcome["edges"]}
        good = {receipt["edge"] for receipt in receipts if receipt["valid"]}
        done = []
        for council in setup.councils:
            edge = by_edge[edge_id(setup.world.area, council.agency)]
            if edge["state"] != "closed":
                raise LocalError(f"{edge['edge']} ended as {edge['state']}: {edge['reason']}")
            leads = [lead for lead in shown["leads"] if lead["edge"] == edge["edge"]]
            done.append(
                EdgeResult(
                    sender=council.agency,
                    receiver_records=edge["receiver_records"],
                    sender_records=edge["sender_records"],
                    receiver_elements=edge["receiver_elements"],
                    sender_elements=edge["sender_elements"],
                    leads=tuple(_lead(lead) for lead in leads),
                    traffic=recorded_traffic(mine, council.agency),
                    receipt=edge["edge"] in good,
                    keys=edge["keys"],
                    expected_true=edge["expected_true"],
                    expected_false=edge["expected_false"],
                )
            )
        return Exchange(agreement, tuple(done), self._clock.seconds)


def _lead(lead: dict[str, Any]) -> FoundLead:
    return FoundLead(
        lead["reference"],
        tuple(lead["keys"]),
        float(lead["score"]),
        tuple(lead["facts"]),
        float(lead["posterior"]),
    )
