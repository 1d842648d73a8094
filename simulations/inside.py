"""One area with all its nodes in this process: separate folders and keys, real servers, real mutual TLS on loopback."""

import asyncio
import os
import time
import tomllib
from contextlib import AsyncExitStack, ExitStack

from blindmatch.node import agreements, results, runner, server
from blindmatch.node.agreements import Held, book
from blindmatch.node.agreements.draft import complete, parse_draft
from blindmatch.node.authority import Authority
from blindmatch.node.client import connector
from blindmatch.node.collections import ImportReport, import_collection
from blindmatch.node.config import Peer
from blindmatch.node.config_template import add_peer
from blindmatch.node.convert.agreement import encode_agreement
from blindmatch.node.home import Node
from blindmatch.node.importers import load_mapping
from blindmatch.node.store import EdgeRow
from blindmatch.protocol.agreement import NONCE_BYTES, PAYLOAD_TYPE, Envelope
from blindmatch.protocol.errors import LocalError, PeerError
from blindmatch.protocol.match import RECEIPT_TYPE
from blindmatch.protocol.transcript import verify
from blindmatch.simulations.deploy import Site, draft_text, edge_id, make_node
from blindmatch.simulations.exchange import Clock, EdgeResult, Exchange, Meter, Setup, recorder_for
from blindmatch.simulations.outcome import FoundLead


def import_site(node: Node, site: Site, setup: Setup) -> ImportReport:
    """Import a site's file through the node's own importer."""
    facts = () if site.kind == "subjects" else setup.scenario.terms.facts
    return import_collection(
        node,
        site.collection,
        site.kind,
        site.source,
        mapping=load_mapping(site.mapping, facts) if site.mapping else None,
        facts=() if site.mapping else facts,
        register=site.register,
        marking=setup.scenario.terms.marking,
        schema=setup.scenario.terms.linkage_schema,
    )


def receipt_is_good(row: EdgeRow, keys: dict[str, bytes]) -> bool:
    """Whether both sides signed an edge's receipt.

    Args:
        row: the edge as the receiver's store has it.
        keys: the parties' identity keys by agency, from the agreement.
    """
    if not row.receipt or len(row.signatures) != 2:
        return False
    try:
        for agency, signature in row.signatures.items():
            verify(keys[agency], RECEIPT_TYPE, row.receipt, signature)
    except PeerError:
        return False
    return True


def found(leads: list[results.ResultLead]) -> tuple[FoundLead, ...]:
    """Leads as the simulation counts them."""
    return tuple(
        FoundLead(lead.reference, lead.keys, lead.score, lead.facts, lead.posterior) for lead in leads
    )


class Inside:
    """An area's nodes, open in this process."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._clock = Clock()
        self._nodes: dict[str, Node] = {}
        self._meters: dict[str, Meter] = {}

    async def run(self) -> Exchange:
        """Deploy, import, agree, compare; the nodes' folders stay as they are afterwards.

        Raises:
            BlindmatchError: any step failed; a simulation does not go on without it.
        """
        with ExitStack() as files:
            with self._clock.step("set up"):
                await asyncio.to_thread(self._deploy, files)
            async with AsyncExitStack() as servers:
                with self._clock.step("serve"):
                    await self._serve(servers)
                with self._clock.step("agree"):
                    held = await self._agree()
                with self._clock.step("compare"):
                    return await self._compare(held)

    def _deploy(self, files: ExitStack) -> None:
        setup = self._setup
        authority = Authority.open(setup.authority, setup.passphrase)
        for site in setup.sites:
            node = make_node(
                site,
                authority,
                setup.passphrase,
                listen="127.0.0.1:0",
                now=time.time(),
                cluster=setup.cluster,
            )
            files.callback(node.close)
            self._meters[site.agency] = node.wire = Meter(recorder_for(setup, site))
            self._nodes[site.agency] = node
            import_site(node, site, setup)

    async def _serve(self, servers: AsyncExitStack) -> None:
        ports = {
            agency: (await servers.enter_async_context(server.running(node, grace=1.0))).port
            for agency, node in self._nodes.items()
        }
        police = self._setup.police.agency
        for council in self._setup.councils:
            self._introduce(police, council.agency, ports[council.agency])
            self._introduce(council.agency, police, ports[police])
            for other in self._setup.councils:
                if other is not council:
                    self._introduce(council.agency, other.agency, ports[other.agency])

    def _introduce(self, agency: str, other: str, port: int) -> None:
        node, address = self._nodes[agency], f"127.0.0.1:{port}"
        add_peer(node.home / "node.toml", other, address)
        peers = {**node.settings.peers, other: Peer(address=address)}
        node.settings = node.settings.model_copy(update={"peers": peers})

    async def _agree(self) -> Held:
        """The police draft and propose; every party reads, binds its collection, signs, and sends its signature."""
        setup, police = self._setup, self._nodes[self._setup.police.agency]
        records = {agency: node.store.collections()[0].records for agency, node in self._nodes.items()}
        text = draft_text(setup.scenario, setup.world.area, records, time.time())
        draft, channel = parse_draft(tomllib.loads(text)), connector(police)
        entries = {police.agency: book.own_party(police)}
        for council in setup.councils:
            entries[council.agency] = await agreements.describe(channel, council.agency)
        payload = encode_agreement(complete(draft, entries, os.urandom(NONCE_BYTES)))
        held = await asyncio.to_thread(
            book.adopt, police, Envelope(PAYLOAD_TYPE, payload, {}), source="draft"
        )
        await agreements.push(police, held, channel)
        for site in setup.sites:
            node = self._nodes[site.agency]
            own = await asyncio.to_thread(self._sign, node, site, held.id)
            own, reached = await agreements.push(node, own, connector(node))
            for outcome in reached:
                if outcome.error is not None:
                    raise outcome.error
        return await asyncio.to_thread(agreements.find, police, held.id)

    def _sign(self, node: Node, site: Site, agreement: bytes) -> Held:
        held = agreements.find(node, agreement)
        for edge in agreements.own_edges(node, held.agreement):
            agreements.bind(node, held, edge.id, site.collection)
        return agreements.sign(node, held)

    async def _compare(self, held: Held) -> Exchange:
        police = self._nodes[self._setup.police.agency]
        outcome = await runner.run_round(police, held.id)
        keys = {party.agency: party.identity_key for party in held.agreement.parties}
        by_edge = {edge.edge: edge for edge in outcome.edges}
        done = []
        for council in self._setup.councils:
            edge = by_edge[edge_id(self._setup.world.area, council.agency)]
            if edge.code or edge.state != "closed":
                raise LocalError(f"{edge.edge} ended as {edge.state}: {edge.reason}", hint=edge.hint)
            row = police.store.edge(outcome.round_id, edge.edge)
            leads = results.load(police, outcome.round_id, edge.edge)
            done.append(
                EdgeResult(
                    sender=council.agency,
                    receiver_records=edge.receiver_records,
                    sender_records=edge.sender_records,
                    receiver_elements=edge.receiver_elements,
                    sender_elements=edge.sender_elements,
                    leads=found(leads),
                    traffic=self._meters[police.agency].traffic(council.agency),
                    receipt=receipt_is_good(row, keys),
                    keys=edge.keys,
                    expected_true=edge.expected_true,
                    expected_false=edge.expected_false,
                )
            )
        return Exchange(held.id.hex(), tuple(done), self._clock.seconds)
