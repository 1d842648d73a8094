"""One area with each node its own process, every step of agreement and round through the command line.

The processes run on this machine, or on the machines of a Ray cluster.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

from blindmatch.node.pki.pilot_ca import Authority
from blindmatch.simulations.drivers.deploy import InputList, Site, issue
from blindmatch.simulations.drivers.node_driver import CommandLine, NodeDriver
from blindmatch.simulations.drivers.node_handle import NodeHandle
from blindmatch.simulations.drivers.ray_nodes import LOCAL_AT_ONCE, RayMachines, RayNode
from blindmatch.simulations.drivers.results import AreaResults, CheckResult, EdgeResult, ThresholdResult
from blindmatch.simulations.drivers.setup import AreaSetup, StepTimer
from blindmatch.simulations.drivers.single_checks import check_by_command, choose_checks
from blindmatch.simulations.scenario.drafts import draft_text
from blindmatch.simulations.scenario.exchanges import Step
from blindmatch.simulations.scenario.plan import ExchangePlan
from blindmatch.simulations.world.area import AreaData


@contextmanager
def _on_this_machine(setup: AreaSetup) -> Iterator[list[NodeHandle]]:
    with ExitStack() as stack:
        stations = []
        for site in setup.sites:
            stations.append(NodeHandle(site, setup.passphrase, wire=setup.wire_folder(site.agency)))
            stack.callback(stations[-1].close)
        yield stations


class SubprocessArea:
    """An area's nodes, each served by a process of its own.

    Args:
        setup: the area.
        machines: of a Ray cluster, where the nodes go; None: all stay on this one.
    """

    def __init__(self, setup: AreaSetup, machines: RayMachines | None = None) -> None:
        self._setup = setup
        self._machines = machines
        self._clock = StepTimer()
        self._at: dict[str, NodeHandle | RayNode] = {}

    def run(self) -> AreaResults:
        """Deploy, import, agree, compare; the nodes' folders stay as they are afterwards.

        Raises:
            LocalError: a command failed, its own words are in the message; or a node's process or actor died.
        """
        setup = self._setup
        with ExitStack() as stack:
            with self._clock.step("set up"):
                stations: Sequence[NodeHandle | RayNode] = stack.enter_context(
                    self._machines.stations(setup) if self._machines else _on_this_machine(setup)
                )
                self._at = {site.agency: each for site, each in zip(setup.sites, stations, strict=True)}
                self._deploy()
                records = self._import()
            with self._clock.step("serve"):
                self._each(lambda _site, node: node.serve())
            with self._clock.step("agree"):
                agreed = {plan.pact.id: self._agree(plan, records) for plan in setup.plans}
            edges: list[EdgeResult] = []
            thresholds: list[ThresholdResult] = []
            answers: list[CheckResult] = []
            world = setup.world
            for turn, (step, plan) in enumerate(setup.steps):
                if plan is None:
                    with self._clock.step("change"):
                        world, given = setup.change(world, step)
                        self._at[step.agency].run("collection", "delete", given.collection, "--yes")
                        self._at[step.agency].keep(given.source, given.source.read_bytes())
                        self._at[step.agency].run(*self._import_words(given))
                    continue
                if step.do == "check":
                    with self._clock.step("check"):
                        answers += self._check(world, plan, step, agreed[plan.pact.id])
                    continue
                if step.do == "fetch":
                    self._at[step.agency].run("round", "reports", agreed[plan.pact.id])
                    continue
                with self._clock.step("compare"):
                    outcome = self._at[step.agency].run_round(agreed[plan.pact.id], turn)
                driver = NodeDriver(CommandLine(setup, self._at, outcome, turn), world)
                with self._clock.step("examine"):
                    received, collected = driver.results(plan, step.agency)
                edges += received
                thresholds += collected
            return AreaResults(agreed, tuple(edges), tuple(thresholds), tuple(answers), self._clock.seconds)

    def _check(
        self, world: AreaData, plan: ExchangePlan, step: Step, agreement: str
    ) -> Iterator[CheckResult]:
        """Single records, one after another."""
        for question in choose_checks(world, plan, step, self._setup.register):
            home = self._setup.site(question.edge.receiver.agency).home
            yield check_by_command(self._at, agreement, question, (home, self._setup.passphrase))

    def _deploy(self) -> None:
        setup = self._setup
        authority = Authority.open(setup.authority, setup.passphrase)
        requests = self._each(lambda _site, node: node.create(setup.cluster))
        now = time.time()
        papers = {agency: issue(authority, request, now) for agency, request in requests.items()}
        addresses = {agency: node.address() for agency, node in self._at.items()}

        def settle(site: Site, node: NodeHandle | RayNode) -> None:
            node.certify(papers[site.agency], now)
            node.introduce(addresses)

        self._each(settle)

    def _each(self, step: Callable[[Site, NodeHandle | RayNode], Any]) -> dict[str, Any]:
        """Do one step for every site, some at a time; returns what each gave, by agency."""
        with ThreadPoolExecutor(self._machines.at_once if self._machines else LOCAL_AT_ONCE) as pool:
            sites = self._setup.sites
            done = pool.map(lambda site: step(site, self._at[site.agency]), sites)
            return dict(zip([site.agency for site in sites], done, strict=True))

    def _import(self) -> dict[str, int]:
        """Import every file, one after another on each node; returns the records by list."""

        def all_of(site: Site, node: NodeHandle | RayNode) -> dict[str, int]:
            return {each.list: int(node.run(*self._import_words(each))["records"]) for each in site.inputs}

        found = self._each(all_of).values()
        return {name: records for each in found for name, records in each.items()}

    def _import_words(self, given: InputList) -> list[str]:
        terms = self._setup.scenario.terms
        words = ["collection", "import", str(given.source), "--kind", given.kind, "--name", given.collection]
        words += ["--marking", terms.marking]
        if given.mapping:
            words += ["--mapping", str(given.mapping)]
        if given.register:
            words += ["--register", str(given.register)]
        if given.kind == "suppliers":
            words += [word for name in terms.facts for word in ("--fact", name)]
        return words

    def _agree(self, plan: ExchangePlan, records: dict[str, int]) -> str:
        """The first party drafts and proposes; every party binds its lists and signs."""
        setup, first = self._setup, self._at[plan.parties[0]]
        draft = setup.site(plan.parties[0]).home.parent / f"{plan.pact.id}.toml"
        terms, area = setup.scenario.terms, setup.world.area
        first.keep(draft, draft_text(terms, area, plan, records, time.time()).encode())
        agreement = str(first.run("agreement", "draft", str(draft))["id"])

        def sign(site: Site, node: NodeHandle | RayNode) -> None:
            if site.agency in plan.parties:
                bindings = plan.bindings(site.agency).items()
                bound = [word for name, given in bindings for word in ("--collection", f"{name}={given}")]
                node.run("agreement", "sign", agreement, "--yes", *bound)

        self._each(sign)
        first.run("agreement", "verify", agreement)
        return agreement
