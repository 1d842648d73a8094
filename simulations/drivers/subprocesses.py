"""One area with each node in its own process; every step of agreement and round goes through the command line.

The processes run on this machine, or on the machines of a Ray cluster.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

from blindmatch.node.pki.pilot_ca import Authority
from blindmatch.node.rounds.edge_task import EdgeOutcome
from blindmatch.node.rounds.runner import RoundOutcome
from blindmatch.simulations.drivers.deploy import InputList, Site, issue
from blindmatch.simulations.drivers.node_driver import CommandLine, NodeDriver
from blindmatch.simulations.drivers.node_handle import NodeHandle
from blindmatch.simulations.drivers.ray_nodes import LOCAL_AT_ONCE, RayMachines, RayNode
from blindmatch.simulations.drivers.results import AreaResults, CheckResult, EdgeResult, ThresholdResult
from blindmatch.simulations.drivers.setup import AreaSetup, StepTimer
from blindmatch.simulations.drivers.single_checks import check_by_command, choose_checks
from blindmatch.simulations.scenario.agreement_drafts import draft_text
from blindmatch.simulations.scenario.exchanges import Step
from blindmatch.simulations.scenario.plan import ExchangePlan
from blindmatch.simulations.world.area import AreaData


@contextmanager
def _on_this_machine(setup: AreaSetup) -> Iterator[list[NodeHandle]]:
    with ExitStack() as stack:
        handles = []
        for site in setup.sites:
            handles.append(NodeHandle(site, setup.passphrase, wire=setup.wire_folder(site.agency)))
            stack.callback(handles[-1].close)
        yield handles


def _outcome(printed: Mapping[str, Any]) -> RoundOutcome:
    """The outcome of a round from the output of `round run`."""
    round_id, agreement = (bytes.fromhex(printed[name]) for name in ("round", "agreement"))
    return RoundOutcome(round_id, agreement, tuple(EdgeOutcome(**each) for each in printed["edges"]))


class SubprocessArea:
    """An area's nodes, each served by a process of its own.

    Args:
        setup: the area.
        machines: machines of a Ray cluster on which the nodes run; None: this machine.
    """

    def __init__(self, setup: AreaSetup, machines: RayMachines | None = None) -> None:
        self._setup = setup
        self._machines = machines
        self._clock = StepTimer()
        self._handles: dict[str, NodeHandle | RayNode] = {}

    def run(self) -> AreaResults:
        """Deploy, import, agree, compare; the nodes' folders remain afterwards.

        Raises:
            LocalError: a command failed, with its message; or a node's process or actor died.
        """
        setup = self._setup
        with ExitStack() as stack:
            with self._clock.step("set up"):
                handles: Sequence[NodeHandle | RayNode] = stack.enter_context(
                    self._machines.nodes(setup) if self._machines else _on_this_machine(setup)
                )
                self._handles = {site.agency: each for site, each in zip(setup.sites, handles, strict=True)}
                self._deploy()
                records = self._import()
            with self._clock.step("serve"):
                self._each(lambda _site, node: node.serve())
            with self._clock.step("agree"):
                agreed = {plan.exchange.id: self._agree(plan, records) for plan in setup.plans}
            edges: list[EdgeResult] = []
            thresholds: list[ThresholdResult] = []
            checks: list[CheckResult] = []
            area_data = setup.area_data
            for turn, (step, plan) in enumerate(setup.steps):
                if plan is None:
                    with self._clock.step("change"):
                        area_data, input_list = setup.change(area_data, step)
                        self._handles[step.agency].run("collection", "delete", input_list.collection, "--yes")
                        self._handles[step.agency].write_file(
                            input_list.source, input_list.source.read_bytes()
                        )
                        self._handles[step.agency].run(*self._import_arguments(input_list))
                    continue
                if step.do == "check":
                    with self._clock.step("check"):
                        checks += self._check(area_data, plan, step, agreed[plan.exchange.id])
                    continue
                if step.do == "fetch":
                    self._handles[step.agency].run("round", "reports", agreed[plan.exchange.id])
                    continue
                with self._clock.step("compare"):
                    printed = self._handles[step.agency].run_round(agreed[plan.exchange.id], turn)
                source = CommandLine(setup, self._handles, printed["round"], turn)
                driver = NodeDriver(source, _outcome(printed), area_data)
                with self._clock.step("examine"):
                    received, collected = driver.results(plan, step.agency)
                edges += received
                thresholds += collected
            return AreaResults(agreed, tuple(edges), tuple(thresholds), tuple(checks), self._clock.seconds)

    def _check(
        self, area_data: AreaData, plan: ExchangePlan, step: Step, agreement: str
    ) -> Iterator[CheckResult]:
        """Single records, one after another."""
        for check in choose_checks(area_data, plan, step, self._setup.register):
            home = self._setup.site(check.edge.receiver.agency).home
            yield check_by_command(self._handles, agreement, check, (home, self._setup.passphrase))

    def _deploy(self) -> None:
        setup = self._setup
        authority = Authority.open(setup.authority, setup.passphrase)
        requests = self._each(lambda _site, node: node.create(setup.cluster))
        now = time.time()
        issued = {agency: issue(authority, request, now) for agency, request in requests.items()}
        addresses = {agency: node.address() for agency, node in self._handles.items()}

        def install(site: Site, node: NodeHandle | RayNode) -> None:
            node.certify(issued[site.agency], now)
            node.introduce(addresses)

        self._each(install)

    def _each(self, step: Callable[[Site, NodeHandle | RayNode], Any]) -> dict[str, Any]:
        """Run one step for every site, some at the same time; returns the results by agency."""
        with ThreadPoolExecutor(self._machines.at_once if self._machines else LOCAL_AT_ONCE) as pool:
            sites = self._setup.sites
            results = pool.map(lambda site: step(site, self._handles[site.agency]), sites)
            return dict(zip([site.agency for site in sites], results, strict=True))

    def _import(self) -> dict[str, int]:
        """Import every file, one after another on each node; returns the records by list."""

        def all_of(site: Site, node: NodeHandle | RayNode) -> dict[str, int]:
            return {
                each.list: int(node.run(*self._import_arguments(each))["records"]) for each in site.inputs
            }

        counts = self._each(all_of).values()
        return {name: records for each in counts for name, records in each.items()}

    def _import_arguments(self, input_list: InputList) -> list[str]:
        terms = self._setup.scenario.terms
        arguments = [
            "collection",
            "import",
            str(input_list.source),
            "--kind",
            input_list.kind,
            "--name",
            input_list.collection,
        ]
        arguments += ["--marking", terms.marking]
        if input_list.mapping:
            arguments += ["--mapping", str(input_list.mapping)]
        if input_list.register:
            arguments += ["--register", str(input_list.register)]
        if input_list.kind == "suppliers":
            arguments += [argument for name in terms.facts for argument in ("--fact", name)]
        return arguments

    def _agree(self, plan: ExchangePlan, records: dict[str, int]) -> str:
        """The first party drafts and proposes; every party binds its lists and signs."""
        setup, first = self._setup, self._handles[plan.parties[0]]
        draft = setup.site(plan.parties[0]).home.parent / f"{plan.exchange.id}.toml"
        terms, area = setup.scenario.terms, setup.area_data.area
        first.write_file(draft, draft_text(terms, area, plan, records, time.time()).encode())
        agreement = str(first.run("agreement", "draft", str(draft))["id"])

        def sign(site: Site, node: NodeHandle | RayNode) -> None:
            if site.agency in plan.parties:
                bindings = plan.bindings(site.agency).items()
                bound = [
                    argument
                    for name, input_list in bindings
                    for argument in ("--collection", f"{name}={input_list}")
                ]
                node.run("agreement", "sign", agreement, "--yes", *bound)

        self._each(sign)
        first.run("agreement", "verify", agreement)
        return agreement
