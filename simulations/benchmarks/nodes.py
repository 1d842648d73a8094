"""The nodes of a measurement: most need a police force that receives and a council that sends, under one signed agreement."""

import secrets
import time
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from blindmatch.node import agreements
from blindmatch.node.agreements.bindings import bind_defaults
from blindmatch.node.agreements.draft import complete, parse_draft
from blindmatch.node.agreements.payload import encode_agreement
from blindmatch.node.node import Node
from blindmatch.node.storage.config_template import add_peer
from blindmatch.protocol.agreement import NONCE_BYTES, PAYLOAD_TYPE, Envelope, sign
from blindmatch.simulations.drivers.deploy import Site, create_authority, deploy_node
from blindmatch.simulations.drivers.node_process import NodeProcess, free_ports
from blindmatch.simulations.scenario.drafts import draft_text
from blindmatch.simulations.scenario.plan import ExchangePlan, plan_area
from blindmatch.simulations.scenario.scenario import Scenario

POLICE, COUNCIL = "bench-police", "bench-council"
PASSPHRASE = "measurement of invented records"  # noqa: S105 - guards invented records only


@dataclass(frozen=True)
class PairTerms:
    """Of a measurement's agreement: tokens per record at most, on each side, and keys at most."""

    tokens: int
    budget: int = 80


@dataclass(frozen=True)
class NodePair:
    """Both nodes; records are to be imported, and then agreed upon."""

    folder: Path
    police: NodeProcess
    council: NodeProcess
    scenario: Scenario = field(repr=False)

    @property
    def plan(self) -> ExchangePlan:
        """The only agreement of the measurement."""
        return plan_area(self.scenario.areas[0])[0]

    @property
    def edge(self) -> str:
        """The only edge."""
        return self.plan.edges[0].id

    def introduce(self, council_port: int | None = None) -> None:
        """Write each other's addresses; the police may be given another port of the council's, such as a relay's."""
        address = self.council.address if council_port is None else f"127.0.0.1:{council_port}"
        add_peer(self.police.home / "node.toml", COUNCIL, address)
        add_peer(self.council.home / "node.toml", POLICE, self.police.address)

    def agree(self, records: int, disclosure: str = 'disclosure = "hits"', *, more: str = "") -> str:
        """Draft, and sign on both sides; both servers must be running. Returns the agreement's id.

        Args:
            records: on each side.
            disclosure: what the edge discloses, in the draft's lines.
            more: further lines of the draft.
        """
        draft = self.folder / "agreement.toml"
        sizes = {POLICE: records, COUNCIL: records}
        terms, area = self.scenario.terms, self.scenario.areas[0]
        text = draft_text(terms, area, self.plan, sizes, time.time())
        draft.write_text(text.replace('disclosure = "hits"', disclosure) + more, encoding="utf-8")
        agreement = str(self.police.run("agreement", "draft", str(draft), "--json").data["id"])
        for node, collection in ((self.police, "subjects"), (self.council, "suppliers")):
            node.run("agreement", "sign", agreement, "--yes", "--collection", f"{self.edge}={collection}")
        return agreement


def deploy(folder: Path, terms: PairTerms) -> NodePair:
    """Create both nodes in `folder`, each with its certificate, empty."""
    nodes = create_nodes(folder, {POLICE: "police", COUNCIL: "council"})
    pact = {"groups": [{"receivers": [POLICE], "senders": [COUNCIL]}]}
    agencies = {POLICE: ("police", "subjects"), COUNCIL: ("council", "suppliers")}
    return NodePair(folder, nodes[POLICE], nodes[COUNCIL], scenario(terms, agencies, pact))


def create_nodes(folder: Path, roles: Mapping[str, str]) -> dict[str, NodeProcess]:
    """Create a node for each agency of a role, in a folder of its name, with a certificate of one authority."""
    now = time.time()
    authority = create_authority(folder / "authority", PASSPHRASE, "bench", now)
    nodes = {}
    for (agency, role), port in zip(roles.items(), free_ports(len(roles)), strict=True):
        site = Site(agency, agency, role, "invented records", folder / agency)
        node = NodeProcess(agency, site.home, port, PASSPHRASE)
        deploy_node(site, authority, PASSPHRASE, listen=node.address, now=now).close()
        nodes[agency] = node
    return nodes


def sign_in_process(nodes: Sequence[NodeProcess], draft: str) -> str:
    """Have every party adopt, sign and bind a draft here, without its server. Returns the agreement's id.

    Raises:
        AgreementError: the draft is not valid, or a node cannot sign it.
    """
    with ExitStack() as stack:
        opened = [stack.enter_context(Node.open(node.home, PASSPHRASE)) for node in nodes]
        entries = {node.agency: agreements.own_party(node) for node in opened}
        nonce = secrets.token_bytes(NONCE_BYTES)
        agreement = complete(parse_draft(tomllib.loads(draft)), entries, nonce)
        payload = encode_agreement(agreement)
        signatures = {node.agency: sign(payload, node.keys.identity) for node in opened}
        envelope = Envelope(PAYLOAD_TYPE, payload, signatures)
        for node in opened:
            bind_defaults(node, agreements.adopt(node, envelope, source="file"))
    return envelope.id.hex()


def scenario(
    terms: PairTerms, agencies: Mapping[str, tuple[str, str]], pact: Mapping[str, object]
) -> Scenario:
    """A scenario of one area and one agreement.

    Args:
        terms: of the agreement.
        agencies: role and kind of list by agency; the kind is blank for an agency without a list.
        pact: the comparisons, as a scenario file writes them.
    """
    area = {
        "id": "bench",
        "name": "Bench",
        "postcodes": "AE",
        "agencies": [
            {
                "id": agency,
                "name": agency,
                "role": role,
                "collections": [{"kind": kind, "records": 4}] if kind else [],
            }
            for agency, (role, kind) in agencies.items()
        ],
        "pacts": [pact],
    }
    values = {
        "title": "Measurement",
        "purpose": "Measure this machine with invented records.",
        "bases": {role: "invented records" for role, _ in agencies.values()},
        "tokens": {"subjects": terms.tokens, "suppliers": terms.tokens},
        "budget": terms.budget,
    }
    return Scenario.model_validate(
        {
            "format": 1,
            "name": "bench",
            "title": "Measurement",
            "notice": "Every record of this measurement is invented; it says nothing.",
            "seed": 1,
            "today": "2026-01-05",
            "terms": values,
            "mistakes": {},
            "areas": [area],
        }
    )
