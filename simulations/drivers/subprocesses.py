"""One area with each node in its own process; every step of agreement and round goes through the command line.

The processes run on this machine, or on the machines of a Ray cluster.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from blindmatch.node.node import Node
from blindmatch.node.pki.pilot_ca import Authority
from blindmatch.node.rounds.edge_task import EdgeOutcome
from blindmatch.node.rounds.runner import RoundOutcome
from blindmatch.protocol.errors import LocalError
from blindmatch.simulations.drivers.area_run import AreaRun
from blindmatch.simulations.drivers.deploy import InputList, Site, issue
from blindmatch.simulations.drivers.node_driver import CommandLine, NodeDriver
from blindmatch.simulations.drivers.node_handle import NodeHandle
from blindmatch.simulations.drivers.ray_nodes import LOCAL_AT_ONCE, RayMachines, RayNode
from blindmatch.simulations.drivers.results import RecordCheck
from blindmatch.simulations.drivers.setup import AreaSetup
from blindmatch.simulations.scenario.agreement_drafts import draft_text
from blindmatch.simulations.scenario.plan import ExchangePlan

LOOKUP_SECONDS = 60.0
"""The limit for the lookup of a submission, which runs in the background."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def _in_thread(method: Callable[Parameters, Result]) -> Callable[Parameters, Coroutine[Any, Any, Result]]:
    """A method that blocks, as a coroutine that runs it in a thread of its own."""

    @wraps(method)
    async def run(*arguments: Parameters.args, **options: Parameters.kwargs) -> Result:
        return await asyncio.to_thread(method, *arguments, **options)

    return run


class SubprocessArea(AreaRun):
    """An area's nodes, each served by a process of its own.

    Args:
        setup: the area.
        machines: machines of a Ray cluster on which the nodes run; None: this machine.
    """

    def __init__(self, setup: AreaSetup, machines: RayMachines | None = None) -> None:
        super().__init__(setup)
        self._machines = machines
        self._handles: dict[str, NodeHandle | RayNode] = {}
        self._records: dict[str, int] = {}
        """The number of records of each list."""

    async def _deploy(self, stack: AsyncExitStack) -> None:
        files = ExitStack()
        stack.push_async_callback(asyncio.to_thread, files.close)
        await asyncio.to_thread(self._create_nodes, files)

    def _create_nodes(self, files: ExitStack) -> None:
        setup = self._setup
        if self._machines is not None:
            nodes = files.enter_context(self._machines.nodes(setup))
            self._handles |= {site.agency: node for site, node in zip(setup.sites, nodes, strict=True)}
        else:
            for site in setup.sites:
                handle = NodeHandle(site, setup.passphrase, wire=setup.wire_folder(site.agency))
                files.callback(handle.close)
                self._handles[site.agency] = handle
        authority = Authority.open(setup.authority, setup.passphrase)
        requests = self._each(lambda _site, node: node.create(setup.cluster))
        now = time.time()
        issued = {agency: issue(authority, request, now) for agency, request in requests.items()}
        addresses = {agency: node.address for agency, node in self._handles.items()}

        def complete(site: Site, node: NodeHandle | RayNode) -> None:
            node.certify(issued[site.agency], now)
            node.introduce(addresses)
            for each in site.inputs:
                self._records[each.list] = int(node.data(*self._import_arguments(each))["records"])

        self._each(complete)

    def _each(self, step: Callable[[Site, NodeHandle | RayNode], Any]) -> dict[str, Any]:
        """Run one step for every site, some at the same time; returns the results by agency."""
        with ThreadPoolExecutor(self._machines.at_once if self._machines else LOCAL_AT_ONCE) as pool:
            sites = self._setup.sites
            results = pool.map(lambda site: step(site, self._handles[site.agency]), sites)
            return dict(zip([site.agency for site in sites], results, strict=True))

    def _import_arguments(self, input_list: InputList) -> list[str]:
        terms = self._setup.scenario.terms
        arguments = ["collection", "import", str(input_list.source), "--marking", terms.marking]
        arguments += ["--kind", input_list.kind, "--name", input_list.collection]
        if input_list.mapping:
            arguments += ["--mapping", str(input_list.mapping)]
        if input_list.register:
            arguments += ["--register", str(input_list.register)]
        if input_list.kind == "suppliers":
            arguments += [argument for name in terms.facts for argument in ("--fact", name)]
        return arguments

    @_in_thread
    def _serve(self, stack: AsyncExitStack) -> None:
        del stack  # the handles stop their servers
        self._each(lambda _site, node: node.serve())

    @_in_thread
    def _agree(self, plan: ExchangePlan) -> str:
        setup, first = self._setup, self._handles[plan.parties[0]]
        draft = setup.site(plan.parties[0]).home.parent / f"{plan.exchange.id}.toml"
        text = draft_text(setup.scenario.terms, setup.area_data.area, plan, self._records, time.time())
        first.write_file(draft, text.encode())
        agreement = str(first.data("agreement", "draft", str(draft))["id"])

        def sign(site: Site, node: NodeHandle | RayNode) -> None:
            if site.agency in plan.parties:
                bindings = plan.bindings(site.agency).items()
                bound = [
                    argument
                    for name, input_list in bindings
                    for argument in ("--collection", f"{name}={input_list}")
                ]
                node.data("agreement", "sign", agreement, "--yes", *bound)

        self._each(sign)
        first.data("agreement", "verify", agreement)
        return agreement

    @_in_thread
    def _change(self, agency: str, changed: InputList, agreed: Mapping[str, str]) -> None:
        del agreed  # the only suitable collection is used
        node = self._handles[agency]
        node.data("collection", "delete", changed.collection, "--yes")
        node.write_file(changed.source, changed.source.read_bytes())
        node.data(*self._import_arguments(changed))

    @_in_thread
    def _fetch(self, agency: str, agreement: str) -> None:
        self._handles[agency].data("round", "reports", agreement)

    @_in_thread
    def _compare(self, agency: str, agreement: str, turn: int) -> NodeDriver:
        printed = self._handles[agency].run_round(agreement, turn)
        edges = tuple(EdgeOutcome(**each) for each in printed["edges"])
        round_id, agreement_id = (bytes.fromhex(printed[name]) for name in ("round", "agreement"))
        outcome = RoundOutcome(round_id, agreement_id, edges)
        source = CommandLine(self._setup, self._handles, printed["round"], turn)
        return NodeDriver(source, outcome, self._area_data)

    @_in_thread
    def _check(self, agreement: str, check: RecordCheck) -> Mapping[str, Any]:
        node, register = self._handles[check.agency], check.register
        node.write_file(check.path, check.path.read_bytes())
        more = () if register is None else ("--register", str(register))
        answer: Mapping[str, Any] = node.data(
            "check", agreement, "--edge", check.edge.id, "--record", str(check.path), *more
        )
        return answer

    @_in_thread
    def _received(self, agency: str, agreement: str) -> Mapping[str, Any]:
        home = self._setup.site(agency).home
        if not home.exists():
            raise LocalError(
                "single records can be submitted only to nodes whose folders are on this machine",
                hint="Run the scenario without --on ray, or with a cluster on this machine.",
            )
        deadline = time.monotonic() + LOOKUP_SECONDS
        with Node.open(home, self._setup.passphrase) as node:
            while node.store.checks(looked=False):
                if time.monotonic() > deadline:
                    raise LocalError(
                        f"{agency}: a submitted record was not looked up within {LOOKUP_SECONDS:.0f} s"
                    )
                time.sleep(0.05)
        received: Mapping[str, Any] = self._handles[agency].data("check", agreement, "--received")
        return received
