"""Two nodes of a measurement: a police force that receives and a council that sends, under one signed agreement."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from blindmatch.node.storage.config_template import add_peer
from blindmatch.simulations.drivers.deploy import Site, make_authority, make_node
from blindmatch.simulations.drivers.node_process import NodeProcess, free_ports
from blindmatch.simulations.scenario.drafts import draft_text
from blindmatch.simulations.scenario.plan import Plan, plans
from blindmatch.simulations.scenario.scenario import Scenario

POLICE, COUNCIL = "bench-police", "bench-council"


@dataclass(frozen=True)
class Terms:
    """Of a measurement's agreement: tokens per record at most, on each side, and keys at most."""

    tokens: int
    budget: int = 80


@dataclass(frozen=True)
class Pair:
    """Both nodes; records are to be imported, and then agreed upon."""

    folder: Path
    police: NodeProcess
    council: NodeProcess
    scenario: Scenario = field(repr=False)

    @property
    def plan(self) -> Plan:
        """The only agreement of the measurement."""
        return plans(self.scenario.areas[0])[0]

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


def deploy(folder: Path, terms: Terms) -> Pair:
    """Make both nodes in `folder`, each with its certificate, empty."""
    passphrase, now = "measurement of invented records", time.time()
    authority = make_authority(folder / "authority", passphrase, "bench", now)
    nodes = []
    for agency, role, port in zip((POLICE, COUNCIL), ("police", "council"), free_ports(2), strict=True):
        site = Site(agency, agency, role, "invented records", folder / agency)
        node = NodeProcess(agency, site.home, port, passphrase)
        make_node(site, authority, passphrase, listen=node.address, now=now).close()
        nodes.append(node)
    return Pair(folder, nodes[0], nodes[1], _scenario(terms))


def _scenario(terms: Terms) -> Scenario:
    agencies = [
        {
            "id": agency,
            "name": agency,
            "role": role,
            "collections": [{"kind": kind, "records": 4}],
        }
        for agency, role, kind in ((POLICE, "police", "subjects"), (COUNCIL, "council", "suppliers"))
    ]
    area = {
        "id": "bench",
        "name": "Bench",
        "postcodes": "AE",
        "agencies": agencies,
        "pacts": [{"groups": [{"receivers": [POLICE], "senders": [COUNCIL]}]}],
    }
    said = {
        "title": "Measurement",
        "purpose": "Measure this machine with invented records.",
        "bases": {"police": "invented records", "council": "invented records"},
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
            "terms": said,
            "mistakes": {},
            "areas": [area],
        }
    )
