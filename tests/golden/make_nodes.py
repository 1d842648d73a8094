"""Makes `data/old-nodes.tar.gz`: data folders of three nodes as the program of today leaves them, for `test_golden_nodes.py`.

That file is the point of the test: a later program must open what an earlier one wrote. Make it anew only when an old folder
no longer has to be readable: `python tests/golden/make_nodes.py`, then `python tests/golden/freeze.py nodes`.

A police force, a council and a national agency: finished rounds of every disclosure, an open epoch with a delta round and a submitted
record, agreements that wait, were declined and withdrawn, and one interrupted round of each kind. All people are invented.
"""

import asyncio
import csv
import json
import tarfile
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from blindmatch.node.pki import tls

# isort: split
# `tls` goes before gRPC.
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tests.support.local_nodes import SUBJECTS, SUPPLIERS, free_port, people, subjects

from blindmatch.node.agreements import bindings, registry
from blindmatch.node.agreements.payload import encode_agreement
from blindmatch.node.imports import delete_collection, import_collection
from blindmatch.node.node import Node
from blindmatch.node.pki import certificates
from blindmatch.node.pki.pilot_ca import Authority
from blindmatch.node.rounds.aggregate import reporting
from blindmatch.node.rounds.runner import run_round
from blindmatch.node.rounds.standing import check_lookup, outbound_checks
from blindmatch.node.rounds.standing.checked_record import imported_record
from blindmatch.node.server import running
from blindmatch.node.storage.config import make_settings
from blindmatch.node.transport.client import connect
from blindmatch.protocol import agreement as terms
from blindmatch.protocol.agreement import (
    Agreement,
    Count,
    Edge,
    EdgeTerms,
    Envelope,
    Hits,
    HitsFacts,
    Linkage,
    Side,
    Standing,
    Sum,
    Threshold,
)
from blindmatch.protocol.limits import Limits
from blindmatch.protocol.linkage.schema import load_schema

ARCHIVE = Path(__file__).parent / "data" / "old-nodes.tar.gz"
PASSPHRASE = "for trials only"
NOW = 1_767_225_600
"""1 January 2026: the clock of every node."""
CERTIFIED, DAYS = 1_717_200_000, 3_650
"""Certificates begin in June 2024 and end in 2034, since TLS itself goes by the machine's clock."""
FAR = 4_102_444_800
"""1 January 2100: the agreements' end."""
SMALL = Limits(chunk_elements=32)
WEST, NORTH, NATIONAL = "west-force", "north-council", "national"
ROLES = {WEST: "police", NORTH: "council", NATIONAL: "national"}
WORDS = "As the parties agreed in writing."
SCHEMA = "uk-person-company-2"
KEYS = Linkage(overlap=0.2, false_leads=0.05, budget=12)

assert tls.CIPHERS_BELOW_TLS13


class Stopped(Exception):  # noqa: N818 - not an error
    """The process that ran a round is no more."""


class Maker:
    """The three nodes below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {agency: free_port() for agency in ROLES}
        self.authority = Authority.create(
            folder / "authority", PASSPHRASE, "Trial authority", now=CERTIFIED, scrypt_n=2
        )
        self.nodes = {agency: self._node(agency) for agency in ROLES}
        self.agreements: dict[str, str] = {}
        self.rounds: dict[str, str] = {}
        self.bring(WEST, "groups", "subjects", subjects(14))
        self.bring(NORTH, "suppliers", "suppliers", people(16, first=6))

    def _node(self, agency: str) -> Node:
        peers = {o: {"address": f"127.0.0.1:{port}"} for o, port in self.ports.items() if o != agency}
        settings = make_settings({
            "agency": agency,
            "name": agency.replace("-", " ").title(),
            "role": ROLES[agency],
            "legal_basis": "Crime and Disorder Act 1998 s.115",
            "contact": f"governance@{agency}.example",
            "listen": f"127.0.0.1:{self.ports[agency]}",
            "service": {"workers": 2, "call_seconds": 60, "drain_seconds": 1},
            "peers": peers,
        })  # fmt: skip
        node = Node.create(
            self.folder / agency, settings, PASSPHRASE, scrypt_n=2, clock=lambda: NOW, user="officer-7"
        )
        request = x509.load_pem_x509_csr(certificates.make_request(node.keys))
        certificate = self.authority.issue(request, now=CERTIFIED, days=DAYS)
        (node.home / "tls" / "certificate.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        authority = self.authority.certificate.public_bytes(Encoding.PEM)
        (node.home / "tls" / "authority.pem").write_bytes(authority)
        return node

    def bring(self, agency: str, name: str, kind: str, rows: list[list[str]]) -> None:
        """Import rows; a collection of this name is deleted first."""
        node = self.nodes[agency]
        if node.store.find_collection(name) is not None:
            delete_collection(node, name)
        path = self.folder / f"{agency}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([SUBJECTS if kind == "subjects" else SUPPLIERS, *map(with_gaps, rows)])
        facts = () if kind == "subjects" else ("contract_value",)
        import_collection(node, name, kind, path, facts=facts, schema=SCHEMA)
        path.unlink()

    def agree(self, name: str, agreement: Agreement, *, unsigned: tuple[str, ...] = ()) -> bytes:
        """Every party keeps an agreement and signs it, but for the unsigned ones; its id."""
        payload = encode_agreement(agreement)
        signatures = {
            agency: terms.sign(payload, self.nodes[agency].keys.identity)
            for agency in agreement.agencies
            if agency not in unsigned
        }
        for agency in agreement.agencies:
            envelope = Envelope(terms.PAYLOAD_TYPE, payload, signatures)
            held = registry.adopt(self.nodes[agency], envelope, source="file")
            bindings.bind_defaults(self.nodes[agency], held)
        self.agreements[name] = held.id.hex()
        return held.id

    def bind(self, name: str) -> None:
        """Choose the collections of now for every comparison of an agreement."""
        for agency, collection in ((WEST, "groups"), (NORTH, "suppliers")):
            held = registry.find(self.nodes[agency], self.agreements[name])
            for comparison in held.agreement.comparisons:
                bindings.bind(self.nodes[agency], held, comparison.id, collection)

    def agreement(self, name: str, agencies: tuple[str, ...], **more: object) -> Agreement:
        """An agreement between these parties."""
        return Agreement(**{
            "title": f"Trial: {name}",
            "purpose": "Find suppliers that are linked to known groups.\nA lead is not an identification.",
            "parties": tuple(registry.own_party(self.nodes[agency]) for agency in agencies),
            "schema": SCHEMA,
            "schema_digest": load_schema(SCHEMA).digest,
            "edges": (),
            "marking": "OFFICIAL-SENSITIVE",
            "handling_codes": ("P",),
            "not_before": NOW - 86_400,
            "expires": FAR,
            "rounds_budget": 100,
            "calendar": "on-demand",
            "retention_days": 3_650,
            "nonce": name.encode().ljust(16, b".")[:16],
            **more,
        })  # fmt: skip

    async def run(self, agency: str, name: str, agreement: bytes, *edges: str, stop: str = "") -> None:
        """A round; with `stop` it ends in the middle of this step, as when its process is killed."""

        def progress(_edge: str, step: str, done: int, total: int) -> None:
            if step == stop and 0 < done < total:
                raise Stopped

        node = self.nodes[agency]
        before = {row.round_id for row in node.store.edges()}
        try:
            outcome = await run_round(node, agreement, edges=edges or None, progress=progress, limits=SMALL)
        except Stopped:
            outcome = None
        if (outcome is None) != bool(stop) or (outcome is not None and not outcome.complete):
            raise AssertionError(f"{name}: {outcome}")
        (made,) = {row.round_id for row in node.store.edges()} - before
        self.rounds[name] = made.hex()


def with_gaps(row: list[str]) -> list[str]:
    """Some people lack a date of birth, a postcode, or both: their records have fewer tokens, and are padded."""
    person = int(row[0].partition("-")[2])
    gone = {0: (3, 4), 1: (4,), 5: (3,)}.get(person % 8, ())
    return ["" if place in gone else value for place, value in enumerate(row)]


def side(agency: str) -> Side:
    """What an agency brings."""
    return Side(agency, "subjects" if agency == WEST else "suppliers", 60, 8)


def edge(name: str, terms: EdgeTerms) -> Edge:
    """From the council to the force."""
    return Edge(name, side(WEST), side(NORTH), terms, leakage=WORDS, linkage=KEYS)


EDGES = (
    edge("hits", Hits()),
    edge(
        "facts",
        HitsFacts(verified=True, facts=("contract_value", "contract_reference"), fact_bytes=48),
    ),
    edge("count", Count(minimum_count=5, band=5, report_to=(NATIONAL,))),
    edge("sum", Sum(minimum_count=3, band=1, value="contract_value", decimals=2)),
)
THRESHOLD = Threshold(
    "many", (side(WEST), side(NORTH)), 2, minimum_count=3, band=2, leakage=WORDS, linkage=KEYS
)


async def make(maker: Maker) -> None:
    """Everything that the nodes do."""
    west, north, national = maker.nodes.values()
    both, every = (WEST, NORTH), (WEST, NORTH, NATIONAL)
    plain = maker.agree("plain", maker.agreement("plain", every, edges=EDGES))
    many = maker.agree("many", maker.agreement("many", every, thresholds=(THRESHOLD,), collector=NATIONAL))
    standing = maker.agreement("standing", both, edges=(EDGES[1],), standing=Standing(366, 5))
    epochs = maker.agree("standing", standing)
    for name in ("waiting", "declined", "withdrawn"):
        unsigned = () if name == "withdrawn" else (NORTH,)
        maker.agree(name, maker.agreement(name, both, edges=(EDGES[0],)), unsigned=unsigned)
    declined = registry.decline(
        north, registry.find(north, maker.agreements["declined"]), "Not needed.", justification="case 12"
    )
    withdrawn = registry.withdraw(
        west, registry.find(west, maker.agreements["withdrawn"]), "No longer needed."
    )
    registry.record_withdrawal(west, declined, source=NORTH)
    registry.record_withdrawal(north, withdrawn, source=WEST)
    async with AsyncExitStack() as servers:
        for node in (west, north):
            serving = await servers.enter_async_context(running(node, limits=SMALL))
            if node is west:
                receiving = serving
        await maker.run(WEST, "plain", plain)
        for fetched in await reporting.fetch(national, plain):
            if fetched.error is not None:
                raise fetched.error
        await maker.run(NATIONAL, "many", many)
        await maker.run(WEST, "opening", epochs)
        await submit(maker, registry.find(north, epochs))
        await receiving.inbound.checks.settle()
        check_lookup.results(west, epochs)
        maker.bring(NORTH, "suppliers", "suppliers", people(16, first=8))
        await maker.run(WEST, "delta", epochs)
        maker.bring(WEST, "groups", "subjects", subjects(22, first=2))
        for name in ("plain", "many"):
            maker.bind(name)
        await maker.run(WEST, "stopped: facts", plain, "facts", stop="exchange")
        await maker.run(WEST, "stopped: count", plain, "count", stop="tags")
        await maker.run(WEST, "stopped: sum", plain, "sum", stop="exchange")
        await maker.run(NATIONAL, "stopped: many", many, stop="exchange")
        await maker.run(WEST, "stopped: delta", epochs, stop="exchange")


async def submit(maker: Maker, held: object) -> None:
    """The council submits a bidder that the force has, and one that it does not have."""
    north = maker.nodes[NORTH]
    for number in (3, 90):
        fields = dict(zip(SUPPLIERS, people(1, first=number)[0], strict=True))
        epoch = outbound_checks.load_epoch(north, held, "facts")
        with imported_record(north, held, epoch, fields) as records:
            submissions = outbound_checks.Submissions(north, epoch, records)
            key = maker.nodes[WEST].keys.certificate_key
            async with connect(north, WEST, certificate_key=key) as peer:
                await submissions.run(peer)


def main() -> None:
    """Make the folders and pack them."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        maker = Maker(folder)
        asyncio.run(make(maker))
        for node in maker.nodes.values():
            node.close()
        made = {"agreements": maker.agreements, "rounds": maker.rounds}
        (folder / "made.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
        with tarfile.open(ARCHIVE, "w:gz", compresslevel=9) as archive:
            for name in (*ROLES, "made.json"):
                archive.add(folder / name, name, filter=plain_entry)


def plain_entry(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without the maker's name and the time."""
    return entry.replace(uid=0, gid=0, uname="", gname="", mtime=NOW, deep=False)


if __name__ == "__main__":
    main()
