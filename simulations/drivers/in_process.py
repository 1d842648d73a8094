"""One area with all its nodes in this process: separate folders and keys, real servers, real mutual TLS on loopback."""

import asyncio
import os
import time
import tomllib
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from blindmatch.node import server
from blindmatch.node.agreements import bindings, exchange, registry
from blindmatch.node.agreements.draft import complete, parse_draft
from blindmatch.node.agreements.payload import encode_agreement
from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.imports import delete_collection, import_collection
from blindmatch.node.node import Node
from blindmatch.node.operations import checks, rounds
from blindmatch.node.pki.pilot_ca import Authority
from blindmatch.node.storage.config import Peer
from blindmatch.node.storage.config_template import add_peer
from blindmatch.node.transport.client import connector
from blindmatch.node.transport.message_recorder import WireRecorder
from blindmatch.protocol.agreement import NONCE_BYTES, PAYLOAD_TYPE, Envelope
from blindmatch.protocol.errors import LocalError
from blindmatch.simulations.drivers.area_run import AreaRun
from blindmatch.simulations.drivers.deploy import InputList, certify, create_node
from blindmatch.simulations.drivers.node_driver import NodeDriver, OpenNodes
from blindmatch.simulations.drivers.results import RecordCheck
from blindmatch.simulations.drivers.setup import AreaSetup
from blindmatch.simulations.drivers.traffic import TrafficMeter
from blindmatch.simulations.scenario.agreement_drafts import draft_text
from blindmatch.simulations.scenario.plan import ExchangePlan


class InProcessArea(AreaRun):
    """An area's nodes, open in this process."""

    def __init__(self, setup: AreaSetup) -> None:
        super().__init__(setup)
        self._nodes: dict[str, Node] = {}
        self._meters: dict[str, TrafficMeter] = {}
        self._servers: dict[str, server.Serving] = {}

    async def _deploy(self, stack: AsyncExitStack) -> None:
        await asyncio.to_thread(self._create_nodes, stack)

    def _create_nodes(self, stack: AsyncExitStack) -> None:
        setup = self._setup
        authority = Authority.open(setup.authority, setup.passphrase)
        for site in setup.sites:
            node = create_node(site, setup.passphrase, listen="127.0.0.1:0", cluster=setup.cluster)
            stack.callback(node.close)
            certify(node, authority, time.time())
            wire = setup.wire_folder(site.agency)
            self._meters[site.agency] = node.wire = TrafficMeter(None if wire is None else WireRecorder(wire))
            self._nodes[site.agency] = node
            for input_list in site.inputs:
                self._import(node, input_list)

    def _import(self, node: Node, input_list: InputList) -> None:
        terms = self._setup.scenario.terms
        import_collection(
            node,
            input_list.collection,
            input_list.kind,
            input_list.source,
            mapping=input_list.mapping,
            facts=() if input_list.kind == "subjects" else terms.facts,
            register=input_list.register,
            marking=terms.marking,
            schema=terms.linkage_schema,
        )

    async def _serve(self, stack: AsyncExitStack) -> None:
        for agency, node in self._nodes.items():
            self._servers[agency] = await stack.enter_async_context(server.running(node, grace=1.0))
        addresses = {agency: f"127.0.0.1:{serving.port}" for agency, serving in self._servers.items()}
        for agency, node in self._nodes.items():
            others = {other: address for other, address in addresses.items() if other != agency}
            for other, address in others.items():
                add_peer(node.home / "node.toml", other, address)
            peers = {
                **node.settings.peers,
                **{other: Peer(address=address) for other, address in others.items()},
            }
            node.settings = node.settings.model_copy(update={"peers": peers})

    async def _agree(self, plan: ExchangePlan) -> str:
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
        return stored.id.hex()

    @staticmethod
    def _sign(node: Node, plan: ExchangePlan, agreement: bytes) -> StoredAgreement:
        stored = registry.find(node, agreement)
        for comparison, collection in plan.bindings(node.agency).items():
            bindings.bind(node, stored, comparison, collection)
        return registry.sign(node, stored)

    async def _change(self, agency: str, changed: InputList, agreed: Mapping[str, str]) -> None:
        await asyncio.to_thread(self._replace, self._nodes[agency], changed, agreed)

    def _replace(self, node: Node, changed: InputList, agreed: Mapping[str, str]) -> None:
        """Delete a list, import the changed list under the same name, and bind it to the same comparisons."""
        delete_collection(node, changed.collection)
        self._import(node, changed)
        for plan in self._setup.plans:
            for comparison, name in plan.bindings(node.agency).items():
                if name == changed.collection:
                    bindings.bind(node, registry.find(node, agreed[plan.exchange.id]), comparison, name)

    async def _fetch(self, agency: str, agreement: str) -> None:
        fetched = await rounds.fetch_reports(self._nodes[agency], agreement)
        for receiver, reason in fetched.failed:
            raise LocalError(f"{agency} cannot fetch the reports of {receiver}: {reason}")

    async def _compare(self, agency: str, agreement: str, turn: int) -> NodeDriver:
        del turn
        meter = self._meters[agency]
        before = {other: meter.traffic(other) for other in self._nodes}
        outcome = await rounds.start(self._nodes[agency], agreement)
        messages = {other: meter.traffic(other) - before[other] for other in self._nodes}
        source = OpenNodes(self._nodes, outcome.round_id.hex(), messages)
        return NodeDriver(source, outcome, self._area_data)

    async def _check(self, agreement: str, check: RecordCheck) -> Mapping[str, Any]:
        answer = await checks.check(
            self._nodes[check.agency],
            agreement,
            checks.read_record(check.path),
            edge=check.edge.id,
            register=[] if check.register is None else [check.register],
        )
        return answer.data()

    async def _received(self, agency: str, agreement: str) -> Mapping[str, Any]:
        await self._servers[agency].inbound.checks.settle()
        received = await asyncio.to_thread(checks.received, self._nodes[agency], agreement)
        return received.data()
