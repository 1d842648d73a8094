"""Real nodes on this machine: data folders, certificates, collections and a signed agreement, made in a few calls.

For tests and trials that need everything real but the distance. `LocalNodes` holds one certificate authority and its agencies' nodes.
"""

import csv
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from blindmatch.node.agreements import registry
from blindmatch.node.pki import certificates, tls

# isort: split
# `tls` goes before gRPC.
import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tests.support.agencies import SCHEMA, agreement_between, edge_between

from blindmatch.node.agreements import bindings
from blindmatch.node.agreements.payload import encode_agreement
from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.imports import import_collection
from blindmatch.node.node import Node
from blindmatch.node.pki.pilot_ca import Authority
from blindmatch.node.storage.config import dns_name, make_settings
from blindmatch.protocol import agreement as terms
from blindmatch.protocol.agreement import Agreement, Envelope, Standing
from blindmatch.simulations.drivers.node_process import free_ports
from blindmatch.simulations.world.names import load_names
from blindmatch.simulations.world.rng import SeededRandom

PASSPHRASE = "for trials only"
SCRYPT_N = 2
"""The cheapest key derivation: test keys protect nothing."""

SUBJECTS = ("reference", "forenames", "surname", "date_of_birth", "postcode", "handling_code")
SUPPLIERS = (
    "reference",
    "forenames",
    "surname",
    "date_of_birth",
    "postcode",
    "company_number",
    "contract_value",
)


def _choose_ports(agencies: Iterable[str]) -> dict[str, int]:
    names = list(agencies)
    return dict(zip(names, free_ports(len(names)), strict=True))


@dataclass
class LocalNodes:
    """Agencies' nodes below one folder, under one authority, knowing each other's addresses."""

    folder: Path
    roles: Mapping[str, str]
    """Agency id to role."""
    now: float
    schema: str = SCHEMA
    """The linkage schema of every collection and agreement."""
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Further settings of an agency's node, as in `node.toml`."""
    nodes: dict[str, Node] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    authority: Authority = field(init=False)

    def __post_init__(self) -> None:
        self.authority = Authority.create(
            self.folder / "authority", PASSPHRASE, "Trial authority", now=self.now - 3_600, scrypt_n=SCRYPT_N
        )
        self.ports = _choose_ports(self.roles)
        for agency in self.roles:
            self.nodes[agency] = self._node(agency, **self.settings.get(agency, {}))

    def copy(self, folder: Path) -> Self:
        """The same nodes in another folder and on other ports, open. This object's nodes must be closed."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        copied = copy(self)
        copied.folder, copied.ports = folder, _choose_ports(self.roles)
        for agency in self.roles:
            path = folder / agency / "node.toml"
            text = path.read_text(encoding="utf-8")
            for other, port in self.ports.items():
                text = text.replace(f'"127.0.0.1:{port}"', f'"127.0.0.1:{copied.ports[other]}"')
            path.write_text(text, encoding="utf-8")
        copied.nodes = {agency: Node.open(folder / agency, PASSPHRASE, user="trial") for agency in self.roles}
        copied.authority = Authority.open(folder / "authority", PASSPHRASE)
        return copied

    def _node(self, agency: str, **changes: Any) -> Node:
        settings = make_settings(
            {
                "agency": agency,
                "name": agency.replace("-", " ").title(),
                "role": self.roles[agency],
                "legal_basis": "Crime and Disorder Act 1998 s.115",
                "contact": f"information-governance@{agency}.example",
                "listen": f"127.0.0.1:{self.ports[agency]}",
                "service": {"workers": 2, "call_seconds": 60, "drain_seconds": 1},
                "peers": {
                    other: {"address": f"127.0.0.1:{port}"}
                    for other, port in self.ports.items()
                    if other != agency
                },
                **changes,
            }
        )
        node = Node.create(self.folder / agency, settings, PASSPHRASE, scrypt_n=SCRYPT_N, user="trial")
        self.issue_certificate(node)
        return node

    def issue_certificate(
        self, node: Node, authority: Authority | None = None, *, now: float | None = None
    ) -> x509.Certificate:
        """Issue a certificate for a node and put it where `node.toml` says, in date or not."""
        issuer = authority or self.authority
        request = x509.load_pem_x509_csr(certificates.make_request(node.keys))
        certificate = issuer.issue(request, now=now or self.now, days=30)
        folder = node.home / "tls"
        (folder / "certificate.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        (folder / "authority.pem").write_bytes(self.authority.certificate.public_bytes(Encoding.PEM))
        return certificate

    def import_rows(
        self, agency: str, name: str, kind: str, rows: Sequence[Sequence[str]], *, facts: Sequence[str] = ()
    ) -> str:
        """Import rows as `SUBJECTS` or `SUPPLIERS` through the real importer; the collection's id."""
        path = self.folder / f"{agency}-{name}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(SUBJECTS if kind == "subjects" else SUPPLIERS)
            writer.writerows(rows)
        return import_collection(
            self.nodes[agency], name, kind, path, facts=facts, schema=self.schema
        ).collection

    def sign_agreement(self, agreement: Agreement, *, unsigned: Sequence[str] = ()) -> StoredAgreement:
        """Have every node keep and sign an agreement, without the network; `unsigned` ones do not sign."""
        envelope = Envelope(terms.PAYLOAD_TYPE, encode_agreement(agreement), {})
        signatures = {
            agency: terms.sign(envelope.payload, self.nodes[agency].keys.identity)
            for agency in agreement.agencies
            if agency not in unsigned
        }
        for agency in agreement.agencies:
            held = registry.adopt(self.nodes[agency], envelope.with_signatures(signatures), source="file")
            bindings.bind_defaults(self.nodes[agency], held)
        return registry.find(self.nodes[agreement.agencies[0]], envelope.id)

    def agreement(
        self,
        receiver: str,
        *senders: str,
        facts: Sequence[str] = (),
        standing: Standing | None = None,
        **edge: Any,
    ) -> Agreement:
        """An agreement in which `receiver` learns from each sender; `edge` goes to `edge_between`."""
        usual = terms.Disclosure.HITS_FACTS if facts else terms.Disclosure.HITS
        disclosure = edge.pop("disclosure", usual)
        edges = [edge_between(receiver, s, disclosure=disclosure, facts=facts, **edge) for s in senders]
        edges = [terms.describe(each, self.schema, standing=standing is not None) for each in edges]
        parties = [registry.own_party(self.nodes[agency]) for agency in (receiver, *senders)]
        return agreement_between(
            parties, edges, start=int(self.now) - 60, schema=self.schema, standing=standing
        )

    def channel(self, client: str, server: str, port: int | None = None) -> grpc.aio.Channel:
        """A bare channel as `client`'s node, for trials that send what no client of ours would."""
        node = self.nodes[client]
        credentials = tls.load(node.home, node.settings, node.keys, now=self.now)
        return grpc.aio.secure_channel(
            f"127.0.0.1:{port or self.ports[server]}",
            tls.channel_credentials(credentials),
            [
                ("grpc.ssl_target_name_override", dns_name(server)),
                ("grpc.max_send_message_length", -1),
                ("grpc.use_local_subchannel_pool", 1),
            ],
        )

    def close(self) -> None:
        """Close every node."""
        for node in self.nodes.values():
            node.close()


class NodeTemplates:
    """Prepared nodes that tests copy instead of creating their own: keys, certificates and imports are made once.

    Copies have the same identity keys, collections and dates, so that agreements over the same terms have the same bytes and their match
    keys need compiling once.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._templates: dict[str, LocalNodes] = {}

    def copy(self, build: Callable[..., LocalNodes], folder: Path, **arguments: Any) -> LocalNodes:
        """An independent copy of what `build` creates.

        Args:
            build: takes an empty folder and the time; called once for the same arguments.
            folder: where the copy goes.
            arguments: for `build`; told apart by their repr.
        """
        key = repr((build.__module__, build.__qualname__, arguments))
        if key not in self._templates:
            template = build(self._folder / str(len(self._templates)), time.time(), **arguments)
            template.close()
            self._templates[key] = template
        return self._templates[key].copy(folder)


def people(count: int, *, first: int = 0) -> list[list[str]]:
    """Invented suppliers, the same for the same numbers: one row each, as `SUPPLIERS`."""
    community = load_names().communities["british"]
    rows = []
    for index in range(first, first + count):
        dice = SeededRandom("town", index)
        sex, year = dice.pick(("female", "male")), dice.number(1945, 2004)
        rows.append(
            [
                f"S-{index:05d}",
                community.forename(dice, sex, year),
                community.surname(dice),
                f"{year}-{dice.number(1, 12):02d}-{dice.number(1, 28):02d}",
                f"AB{dice.number(1, 60)} {dice.number(0, 9)}{dice.letters('ABDEFGHJ', 2)}",
                f"{10_000_000 + index:08d}",
                f"{1_000 + index}",
            ]
        )
    return rows


def subjects(count: int, *, first: int = 0) -> list[list[str]]:
    """The same people as a police list: one row each, as `SUBJECTS`, all of handling code P."""
    return [[f"P-{row[0][2:]}", row[1], row[2], row[3], row[4], "P"] for row in people(count, first=first)]
