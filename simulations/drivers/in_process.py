"""One area with all its nodes in this process: separate folders and keys, real servers, real mutual TLS on loopback."""

import asyncio
import os
import time
import tomllib
from collections.abc import Iterable
from contextlib import AsyncExitStack, ExitStack

from blindmatch.node import server
from blindmatch.node.agreements import bindings, exchange, registry
from blindmatch.node.agreements.draft import complete, parse_draft
from blindmatch.node.agreements.payload import encode_agreement
from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.imports import ImportReport, delete_collection, import_collection
from blindmatch.node.node import Node
from blindmatch.node.pki.pilot_ca import Authority
from blindmatch.node.rounds import runner
from blindmatch.node.rounds.aggregate import reporting
from blindmatch.node.storage.config import Peer
from blindmatch.node.storage.config_template import add_peer
from blindmatch.node.transport.client import connector
from blindmatch.node.transport.message_recorder import WireRecorder
from blindmatch.protocol.agreement import NONCE_BYTES, PAYLOAD_TYPE, Envelope
from blindmatch.simulations.drivers.deploy import InputList, deploy_node
from blindmatch.simulations.drivers.node_driver import NodeDriver, OpenNodes
from blindmatch.simulations.drivers.results import AreaResults, CheckResult, EdgeResult, ThresholdResult
from blindmatch.simulations.drivers.setup import AreaSetup, StepTimer
from blindmatch.simulations.drivers.single_checks import check_in_process, choose_checks
from blindmatch.simulations.drivers.traffic import TrafficMeter
from blindmatch.simulations.scenario.agreement_drafts import draft_text
from blindmatch.simulations.scenario.exchanges import Step
from blindmatch.simulations.scenario.plan import ExchangePlan


def import_list(node: Node, input_list: InputList, setup: AreaSetup) -> ImportReport:
    """Import one list of a site through the node's own importer."""
    facts = () if input_list.kind == "subjects" else setup.scenario.terms.facts
    return import_collection(
        node,
        input_list.collection,
        input_list.kind,
        input_list.source,
        mapping=input_list.mapping,
        facts=facts,
        register=input_list.register,
        marking=setup.scenario.terms.marking,
        schema=setup.scenario.terms.linkage_schema,
    )


class InProcessArea:
    """An area's nodes, open in this process."""

    def __init__(self, setup: AreaSetup) -> None:
        self._setup = setup
        self._area_data = setup.area_data
        self._clock = StepTimer()
        self._nodes: dict[str, Node] = {}
        self._meters: dict[str, TrafficMeter] = {}
        self._edges: list[EdgeResult] = []
        self._thresholds: list[ThresholdResult] = []
        self._checks: list[CheckResult] = []
        self._servers: dict[str, server.Serving] = {}

    async def run(self) -> AreaResults:
        """Deploy, import, agree, compare; the nodes' folders remain afterwards.

        Raises:
            BlindmatchError: a step failed.
        """
        with ExitStack() as files:
            with self._clock.step("set up"):
                await asyncio.to_thread(self._deploy, files)
            async with AsyncExitStack() as servers:
                with self._clock.step("serve"):
                    await self._serve(servers)
                with self._clock.step("agree"):
                    stored = {plan.exchange.id: await self._agree(plan) for plan in self._setup.plans}
                for step, plan in self._setup.steps:
                    if plan is None:
                        with self._clock.step("change"):
                            await asyncio.to_thread(self._change, step, stored.values())
                    elif step.do == "check":
                        await self._check(plan, stored[plan.exchange.id], step)
                    elif step.do == "fetch":
                        await self._fetch(stored[plan.exchange.id], step.agency)
                    else:
                        await self._compare(plan, stored[plan.exchange.id], step.agency)
                ids = {exchange: each.id.hex() for exchange, each in stored.items()}
                return AreaResults(
                    ids, tuple(self._edges), tuple(self._thresholds), tuple(self._checks), self._clock.seconds
                )

    def _deploy(self, files: ExitStack) -> None:
        setup = self._setup
        authority = Authority.open(setup.authority, setup.passphrase)
        for site in setup.sites:
            node = deploy_node(
                site,
                authority,
                setup.passphrase,
                listen="127.0.0.1:0",
                now=time.time(),
                cluster=setup.cluster,
            )
            files.callback(node.close)
            wire = setup.wire_folder(site.agency)
            self._meters[site.agency] = node.wire = TrafficMeter(None if wire is None else WireRecorder(wire))
            self._nodes[site.agency] = node
            for input_list in site.inputs:
                import_list(node, input_list, setup)

    async def _serve(self, servers: AsyncExitStack) -> None:
        for agency, node in self._nodes.items():
            self._servers[agency] = await servers.enter_async_context(server.running(node, grace=1.0))
        ports = {agency: serving.port for agency, serving in self._servers.items()}
        for agency in ports:
            for other, port in ports.items():
                if other != agency:
                    self._introduce(agency, other, port)

    def _introduce(self, agency: str, other: str, port: int) -> None:
        node, address = self._nodes[agency], f"127.0.0.1:{port}"
        add_peer(node.home / "node.toml", other, address)
        peers = {**node.settings.peers, other: Peer(address=address)}
        node.settings = node.settings.model_copy(update={"peers": peers})

    async def _agree(self, plan: ExchangePlan) -> StoredAgreement:
        """The first party drafts and proposes; every party binds its lists, signs, and sends its signature."""
        setup, first = self._setup, self._nodes[plan.parties[0]]
        records = {
            input_list.list: self._nodes[site.agency].store.collection(input_list.collection).records
            for site in setup.sites
            for input_list in site.inputs
        }
        text = draft_text(setup.scenario.terms, setup.area_data.area, plan, records, time.time())
        draft, channel = parse_draft(tomllib.loads(text)), connector(first)
        entries = {first.agency: registry.own_party(first)}
        for other in plan.parties[1:]:
            entries[other] = await exchange.fetch_entry(channel, other)
        payload = encode_agreement(complete(draft, entries, os.urandom(NONCE_BYTES)))
        stored = await asyncio.to_thread(
            registry.adopt, first, Envelope(PAYLOAD_TYPE, payload, {}), source="draft"
        )
        await exchange.push(first, stored, channel)
        for agency in plan.parties:
            node = self._nodes[agency]
            own = await asyncio.to_thread(self._sign, node, plan, stored.id)
            _, outcomes = await exchange.push(node, own, connector(node))
            for outcome in outcomes:
                if outcome.error is not None:
                    raise outcome.error
        return await asyncio.to_thread(registry.find, first, stored.id)

    @staticmethod
    def _sign(node: Node, plan: ExchangePlan, agreement: bytes) -> StoredAgreement:
        stored = registry.find(node, agreement)
        for comparison, collection in plan.bindings(node.agency).items():
            bindings.bind(node, stored, comparison, collection)
        return registry.sign(node, stored)

    def _change(self, step: Step, agreed: Iterable[StoredAgreement]) -> None:
        """Delete an agency's list, import the changed list under the same name, and bind it to the same comparisons."""
        node = self._nodes[step.agency]
        self._area_data, input_list = self._setup.change(self._area_data, step)
        delete_collection(node, input_list.collection)
        import_list(node, input_list, self._setup)
        for plan, stored in zip(self._setup.plans, agreed, strict=True):
            for comparison, name in plan.bindings(node.agency).items():
                if name == input_list.collection:
                    bindings.bind(node, stored, comparison, name)

    async def _fetch(self, stored: StoredAgreement, agency: str) -> None:
        """Fetch the numbers that others report to an agency."""
        with self._clock.step("compare"):
            for fetched in await reporting.fetch(self._nodes[agency], stored.id):
                if fetched.error is not None:
                    raise fetched.error

    async def _check(self, plan: ExchangePlan, stored: StoredAgreement, step: Step) -> None:
        """Single records, one after another."""
        with self._clock.step("check"):
            for check in choose_checks(self._area_data, plan, step, self._setup.register):
                self._checks.append(await check_in_process(self._nodes, self._servers, stored, check))

    async def _compare(self, plan: ExchangePlan, stored: StoredAgreement, agency: str) -> None:
        """One round, run by one agency: every edge that it receives, and every threshold that it collects."""
        node, meter = self._nodes[agency], self._meters[agency]
        before = {other: meter.traffic(other) for other in self._nodes}
        with self._clock.step("compare"):
            outcome = await runner.run_round(node, stored.id)
        messages = {other: meter.traffic(other) - before[other] for other in self._nodes}
        source = OpenNodes(self._nodes, outcome.round_id.hex(), messages)
        driver = NodeDriver(source, outcome, self._area_data)
        # Now, while the keys are still compiled and before a list changes.
        with self._clock.step("examine"):
            edges, thresholds = await asyncio.to_thread(driver.results, plan, agency)
        self._edges += edges
        self._thresholds += thresholds
