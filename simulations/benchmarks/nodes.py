"""The nodes of a benchmark: most need a police force that receives and a council that sends, under one signed agreement."""

import json
import secrets
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blindmatch.node.agreements import registry
from blindmatch.node.agreements.bindings import bind_defaults
from blindmatch.node.agreements.draft import complete, parse_draft
from blindmatch.node.agreements.payload import encode_agreement
from blindmatch.node.node import Node
from blindmatch.node.storage.config_template import add_peer
from blindmatch.protocol.agreement import NONCE_BYTES, PAYLOAD_TYPE, Envelope, sign
from blindmatch.simulations.benchmarks.process_cost import ProcessCost, command, killed_on_exit
from blindmatch.simulations.drivers.deploy import Site, certify, create_authority, create_node
from blindmatch.simulations.drivers.node_process import NodeProcess, cpu_seconds, free_ports, peak_bytes
from blindmatch.simulations.scenario.agreement_drafts import draft_text
from blindmatch.simulations.scenario.plan import ExchangePlan, plan_area
from blindmatch.simulations.scenario.scenario import Scenario

POLICE, COUNCIL = "bench-police", "bench-council"
PASSPHRASE = "measurement of invented records"  # noqa: S105 - guards invented records only


@dataclass(frozen=True)
class PairTerms:
    """The limits of a benchmark's agreement."""

    tokens: int
    """The largest number of match keys per record, on each side."""
    budget: int = 80
    """The largest number of match keys."""


@dataclass(frozen=True)
class RoundCost:
    """The cost of one round."""

    receiver: ProcessCost
    """Of the whole `round run` command, start-up included; for a threshold, the collector's."""
    sender_cpu: float
    """CPU seconds of the other nodes' servers, from before the round to after it."""
    sender_peak: int
    """The largest of the other nodes, in bytes."""
    edge: dict[str, Any]
    """The only edge in the output of `round run --json`."""
    round_id: str
    """Hexadecimal."""

    @property
    def cpu(self) -> float:
        """CPU seconds of both sides."""
        return self.receiver.cpu + self.sender_cpu

    @property
    def octets(self) -> int:
        """Bytes of messages in both directions, without TLS."""
        return int(self.edge["sent_bytes"]) + int(self.edge["received_bytes"])


@dataclass(frozen=True)
class NodePair:
    """Both nodes, without records and without an agreement."""

    folder: Path
    police: NodeProcess
    council: NodeProcess
    scenario: Scenario = field(repr=False)

    @property
    def plan(self) -> ExchangePlan:
        """The only agreement."""
        return plan_area(self.scenario.areas[0])[0]

    @property
    def edge(self) -> str:
        """The only edge."""
        return self.plan.edges[0].id

    def introduce(self, council_port: int | None = None) -> None:
        """Write each node's address into the other's settings; `council_port` replaces the council's port, such as by a relay's."""
        address = self.council.address if council_port is None else f"127.0.0.1:{council_port}"
        add_peer(self.police.home / "node.toml", COUNCIL, address)
        add_peer(self.council.home / "node.toml", POLICE, self.police.address)

    def agree(self, records: int, disclosure: str = 'disclosure = "hits"', *, more: str = "") -> str:
        """Draft, and sign on both sides; both servers must run. Returns the agreement's id.

        Args:
            records: the number on each side.
            disclosure: the disclosure of the edge, as lines of the draft.
            more: further lines of the draft.
        """
        draft = self.folder / "agreement.toml"
        sizes = {POLICE: records, COUNCIL: records}
        terms, area = self.scenario.terms, self.scenario.areas[0]
        text = draft_text(terms, area, self.plan, sizes, time.time())
        draft.write_text(text.replace('disclosure = "hits"', disclosure) + more, encoding="utf-8")
        agreement = str(self.police.data("agreement", "draft", str(draft))["id"])
        for node, collection in ((self.police, "subjects"), (self.council, "suppliers")):
            node.run("agreement", "sign", agreement, "--yes", "--collection", f"{self.edge}={collection}")
        return agreement

    def import_lists(self, subjects: Path, suppliers: Path, *arguments: str) -> None:
        """Import a list on each side; `arguments` are further arguments of the council's command."""
        for node, path, kind, more in (
            (self.police, subjects, "subjects", ()),
            (self.council, suppliers, "suppliers", arguments),
        ):
            node.run("collection", "import", str(path), "--kind", kind, "--name", kind, *more)

    def run_round(self, agreement: str) -> RoundCost:
        """See `measure_round`."""
        return measure_round(self.police, [self.council], agreement)


def measure_round(runner: NodeProcess, others: Sequence[NodeProcess], agreement: str) -> RoundCost:
    """Run a round of one comparison; all servers must run.

    Args:
        runner: the node of the receiver, or of the collector.
        others: the other nodes of the comparison.
        agreement: its id.

    Raises:
        LocalError: the command failed.
    """
    servers = [node.server.pid for node in others if node.server is not None]
    before = sum(map(cpu_seconds, servers))
    run = command(runner, "round", "run", agreement, "--json")
    with killed_on_exit([run]):
        cost = run.wait()
    cpu, peak = sum(map(cpu_seconds, servers)) - before, max(map(peak_bytes, servers), default=0)
    outcome = json.loads(run.output)
    return RoundCost(cost, cpu, peak, outcome["edges"][0], outcome["round"])


@contextmanager
def temporary_pair(tokens: int) -> Iterator[NodePair]:
    """Two nodes that know each other's addresses, in a temporary folder; every record has up to `tokens` elements."""
    with tempfile.TemporaryDirectory(prefix="blindmatch-bench-") as name:
        pair = deploy(Path(name), PairTerms(tokens, budget=tokens))
        pair.introduce()
        yield pair


def deploy(folder: Path, terms: PairTerms) -> NodePair:
    """Create both nodes in `folder`, each with its certificate and without records."""
    nodes = create_nodes(folder, {POLICE: "police", COUNCIL: "council"})
    exchange = {"groups": [{"receivers": [POLICE], "senders": [COUNCIL]}]}
    agencies = {POLICE: ("police", "subjects"), COUNCIL: ("council", "suppliers")}
    return NodePair(folder, nodes[POLICE], nodes[COUNCIL], scenario(terms, agencies, exchange))


def create_nodes(folder: Path, roles: Mapping[str, str]) -> dict[str, NodeProcess]:
    """Create a node for each agency (by its role), in a folder of its name, with certificates of one authority."""
    now = time.time()
    authority = create_authority(folder / "authority", PASSPHRASE, "bench", now)
    nodes = {}
    for (agency, role), port in zip(roles.items(), free_ports(len(roles)), strict=True):
        site = Site(agency, agency, role, "invented records", folder / agency)
        node = NodeProcess(agency, site.home, port, PASSPHRASE)
        with create_node(site, PASSPHRASE, listen=node.address) as created:
            certify(created, authority, now)
        nodes[agency] = node
    return nodes


def sign_in_process(nodes: Sequence[NodeProcess], draft: str) -> str:
    """Adopt, sign and bind a draft for every party in this process, without servers. Returns the agreement's id.

    Raises:
        AgreementError: the draft is not valid, or a node cannot sign it.
    """
    with ExitStack() as stack:
        opened = [stack.enter_context(Node.open(node.home, PASSPHRASE)) for node in nodes]
        entries = {node.agency: registry.own_party(node) for node in opened}
        nonce = secrets.token_bytes(NONCE_BYTES)
        agreement = complete(parse_draft(tomllib.loads(draft)), entries, nonce)
        payload = encode_agreement(agreement)
        signatures = {node.agency: sign(payload, node.keys.identity) for node in opened}
        envelope = Envelope(PAYLOAD_TYPE, payload, signatures)
        for node in opened:
            bind_defaults(node, registry.adopt(node, envelope, source="file"))
    return envelope.id.hex()


def scenario(
    terms: PairTerms, agencies: Mapping[str, tuple[str, str]], exchange: Mapping[str, object]
) -> Scenario:
    """A scenario of one area and one agreement.

    Args:
        terms: the limits of the agreement.
        agencies: role and kind of list by agency; the kind is empty for an agency without a list.
        exchange: the comparisons, in the form of a scenario file.
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
        "exchanges": [exchange],
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
            "notice": "Every record of this measurement is invented; it has no meaning.",
            "seed": 1,
            "today": "2026-01-05",
            "terms": values,
            "noise": {},
            "areas": [area],
        }
    )
