"""One area with each node its own process, every step of agreement and round through the command line.

The processes run on this machine, or on the machines of a Ray cluster.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

from blindmatch.node.authority import Authority
from blindmatch.protocol.errors import LocalError
from blindmatch.simulations.deploy import Site, draft_text, edge_id, issue
from blindmatch.simulations.exchange import Clock, EdgeResult, Exchange, Setup
from blindmatch.simulations.outcome import FoundLead
from blindmatch.simulations.placed import LOCAL_AT_ONCE, Machines, Placed
from blindmatch.simulations.station import Station


@contextmanager
def _on_this_machine(setup: Setup) -> Iterator[list[Station]]:
    with ExitStack() as stack:
        stations = []
        for site in setup.sites:
            wire = None if setup.record_wire is None else setup.record_wire / site.agency
            stations.append(Station(site, setup.passphrase, wire=wire))
            stack.callback(stations[-1].close)
        yield stations


class Outside:
    """An area's nodes, each served by a process of its own.

    Args:
        setup: the area.
        machines: of a Ray cluster, where the nodes go; None: all stay on this one.
    """

    def __init__(self, setup: Setup, machines: Machines | None = None) -> None:
        self._setup = setup
        self._machines = machines
        self._clock = Clock()
        self._at: dict[str, Station | Placed] = {}

    def run(self) -> Exchange:
        """Deploy, import, agree, compare; the nodes' folders stay as they are afterwards.

        Raises:
            LocalError: a command failed, its own words are in the message; or a node's process or actor died.
        """
        setup = self._setup
        with ExitStack() as stack:
            with self._clock.step("set up"):
                stations: Sequence[Station | Placed] = stack.enter_context(
                    self._machines.stations(setup) if self._machines else _on_this_machine(setup)
                )
                self._at = {site.agency: each for site, each in zip(setup.sites, stations, strict=True)}
                self._deploy()
                records = self._import()
            with self._clock.step("serve"):
                self._each(lambda _site, node: node.serve())
            with self._clock.step("agree"):
                agreement = self._agree(records)
            with self._clock.step("compare"):
                return self._compare(agreement)

    def _deploy(self) -> None:
        setup = self._setup
        authority = Authority.open(setup.authority, setup.passphrase)
        requests = self._each(lambda _site, node: node.create(setup.cluster))
        now = time.time()
        papers = {agency: issue(authority, request, now) for agency, request in requests.items()}
        addresses = {agency: node.address() for agency, node in self._at.items()}

        def settle(site: Site, node: Station | Placed) -> None:
            node.certify(papers[site.agency], now)
            node.introduce(addresses)

        self._each(settle)

    def _each(self, step: Callable[[Site, Station | Placed], Any]) -> dict[str, Any]:
        """Do one step for every site, some at a time; returns what each gave, by agency."""
        with ThreadPoolExecutor(self._machines.at_once if self._machines else LOCAL_AT_ONCE) as pool:
            sites = self._setup.sites
            done = pool.map(lambda site: step(site, self._at[site.agency]), sites)
            return dict(zip([site.agency for site in sites], done, strict=True))

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

        reports = self._each(lambda site, node: node.run(*words(site)))
        return {agency: int(report["records"]) for agency, report in reports.items()}

    def _agree(self, records: dict[str, int]) -> str:
        """The police draft and propose; every party binds its collection and signs."""
        setup, area = self._setup, self._setup.world.area
        draft = setup.police.home.parent / "agreement.toml"
        police = self._at[setup.police.agency]
        police.keep(draft, draft_text(setup.scenario, area, records, time.time()).encode())
        agreement = str(police.run("agreement", "draft", str(draft))["id"])

        def words(site: Site) -> list[str]:
            councils = setup.councils if site is setup.police else (site,)
            edges = [edge_id(area, council.agency) for council in councils]
            bound = [word for edge in edges for word in ("--collection", f"{edge}={site.collection}")]
            return ["agreement", "sign", agreement, "--yes", *bound]

        self._each(lambda site, node: node.run(*words(site)))
        police.run("agreement", "verify", agreement)
        return agreement

    def _compare(self, agreement: str) -> Exchange:
        setup = self._setup
        police = self._at[setup.police.agency]
        outcome = police.run_round(agreement)
        shown = police.run("round", "results", outcome["round"])
        receipts = police.run("round", "receipts", outcome["round"])
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
                    traffic=police.traffic(council.agency),
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
