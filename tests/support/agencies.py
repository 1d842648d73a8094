"""Agencies without nodes: keys in memory, real signatures, and agreements between them.

For tests and scenarios that need parties but no data folders, certificates or sockets.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from blindmatch.node.agreements.payload import encode_agreement
from blindmatch.protocol import agreement as terms
from blindmatch.protocol.agreement import (
    Agreement,
    Disclosure,
    Edge,
    Envelope,
    Party,
    Side,
    Standing,
    Threshold,
)
from blindmatch.protocol.linkage.schema import load_schema
from blindmatch.protocol.transcript import Ed25519Signer

DAY = 86_400
SCHEMA = "uk-person-company-2"


@dataclass(frozen=True)
class Agency:
    """One agency's identity, from its name: the same name gives the same keys."""

    id: str
    role: str = "council"
    signer: Ed25519Signer = field(init=False)

    def __post_init__(self) -> None:
        key = Ed25519PrivateKey.from_private_bytes(self._derive("identity"))
        object.__setattr__(self, "signer", Ed25519Signer(self.id, key))

    def _derive(self, use: str) -> bytes:
        return hashlib.sha256(f"simulated agency/{use}/{self.id}".encode()).digest()

    @property
    def certificate_key(self) -> bytes:
        """What stands for the digest of its certificate's key, 32 bytes."""
        return self._derive("certificate")

    def party(self) -> Party:
        """Its entry in an agreement."""
        return Party(
            agency=self.id,
            name=self.id.replace("-", " ").title(),
            role=self.role,
            identity_key=self.signer.public,
            certificate_key=self.certificate_key,
            legal_basis="Crime and Disorder Act 1998 s.115",
            contact=f"information-governance@{self.id}.example",
        )


def edge_between(
    receiver: str,
    sender: str,
    *,
    disclosure: Disclosure = Disclosure.HITS,
    facts: Sequence[str] = (),
    value: str = "",
    records: int = 1_000,
    tokens: int = 8,
) -> Edge:
    """An edge from a council's suppliers to a police force's subjects, described in words.

    A count or a sum has a minimum of 5 and is told exactly; `value` is what a sum adds up.
    """
    fields = {"facts": tuple(facts), "fact_bytes": 64 if facts else 0, "value": value}
    return terms.describe(
        Edge(
            id=f"{receiver}-from-{sender}",
            receiver=Side(receiver, "subjects", records, tokens),
            sender=Side(sender, "suppliers", records, tokens),
            terms=terms.edge_terms(disclosure, fields),
            leakage="to be described",
        ),
        SCHEMA,
    )


def threshold_between(
    members: Sequence[str], at_least: int, collector: str, *, records: int = 1_000, tokens: int = 8
) -> Threshold:
    """What at least so many of several forces' subjects share, described in words."""
    sides = tuple(Side(member, "subjects", records, tokens) for member in members)
    threshold = Threshold(id="shared", members=sides, at_least=at_least, leakage="to be described")
    return terms.describe(threshold, SCHEMA, collector)


def agreement_between(
    parties: Sequence[Party],
    edges: Sequence[Edge],
    *,
    start: int,
    days: int = 30,
    schema: str = SCHEMA,
    thresholds: Sequence[Threshold] = (),
    collector: str = "",
    standing: Standing | None = None,
) -> Agreement:
    """An agreement that is valid from `start` (seconds since 1970) for some days, for ten rounds."""
    return Agreement(
        title="Suppliers and organised crime, a simulated pilot",
        purpose="Find suppliers that are linked to known groups.\nA lead is not an identification.",
        parties=tuple(parties),
        schema=schema,
        schema_digest=load_schema(schema).digest,
        edges=tuple(edges),
        marking="OFFICIAL-SENSITIVE",
        handling_codes=("P",),
        not_before=start,
        expires=start + days * DAY,
        rounds_budget=10,
        calendar="on-demand",
        retention_days=30,
        collector=collector,
        thresholds=tuple(thresholds),
        standing=standing,
        nonce=hashlib.sha256(repr((parties, edges, start)).encode()).digest()[: terms.NONCE_BYTES],
    )


def signed(agreement: Agreement, agencies: Sequence[Agency]) -> Envelope:
    """The agreement's bytes with these agencies' signatures."""
    payload = encode_agreement(agreement)
    signatures = {agency.id: terms.sign(payload, agency.signer) for agency in agencies}
    return Envelope(terms.PAYLOAD_TYPE, payload, signatures)
