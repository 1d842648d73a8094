"""Agreements keep their bytes, ids and signatures; so do declines, withdrawals and the messages that carry them.

Every agreement here states its own leakage text: the default one may be reworded, and is frozen in `words.json` alone.
"""

import dataclasses
import tomllib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from blindmatch.node.agreements import codec as convert
from blindmatch.node.agreements import envelope_files
from blindmatch.node.agreements.draft import complete, edge_id, parse_draft
from blindmatch.node.agreements.payload import encode_agreement, parse_agreement
from blindmatch.protocol import agreement as terms
from blindmatch.protocol.agreement import (
    Agreement,
    Count,
    Edge,
    Envelope,
    Hits,
    HitsFacts,
    Linkage,
    Party,
    Side,
    Standing,
    Sum,
    Threshold,
    Withdrawal,
    WithdrawalKind,
)
from blindmatch.protocol.linkage.schema import load_schema
from blindmatch.protocol.transcript import Ed25519Signer

START, END = 1_767_225_600, 1_798_761_600
WORDS = "What each side learns.\nSecond line, with an accent: é."
AGENCIES = ("west-force", "north-council", "south-council", "east-force", "national")


def signer(agency):
    key = Ed25519PrivateKey.from_private_bytes(agency.encode().ljust(32, b"."))
    return Ed25519Signer(agency, key)


def party(agency):
    return Party(
        agency=agency,
        name=agency.replace("-", " ").title(),
        role="police" if "force" in agency else "council",
        identity_key=signer(agency).public,
        certificate_key=agency.encode().ljust(32, b"#"),
        legal_basis="Crime and Disorder Act 1998 s.115",
        contact="" if agency == "national" else f"governance@{agency}.example",
    )


def subjects(agency, records=1_000, tokens=16):
    return Side(agency, "subjects", records, tokens)


def suppliers(agency, kind="suppliers"):
    return Side(agency, kind, 25_000, 8)


HITS = Edge(
    id="force-from-north",
    receiver=subjects("west-force"),
    sender=suppliers("north-council"),
    terms=Hits(),
    leakage=WORDS,
)
VERIFIED = dataclasses.replace(
    HITS, id="verified", terms=Hits(verified=True), linkage=Linkage(0.2, 0.005, 40, False)
)
FACTS = Edge(
    id="force-from-south",
    receiver=subjects("west-force"),
    sender=suppliers("south-council", "bidders"),
    terms=HitsFacts(verified=True, facts=("contract_reference", "contract-value"), fact_bytes=128),
    leakage=WORDS,
)
COUNT = Edge(
    id="count",
    receiver=subjects("east-force"),
    sender=suppliers("south-council"),
    terms=Count(minimum_count=5, band=10, report_to=("national", "west-force")),
    leakage=WORDS,
)
SUM = Edge(
    id="sum",
    receiver=subjects("east-force"),
    sender=suppliers("north-council"),
    terms=Sum(minimum_count=3, band=100, value="contract_value", decimals=2, report_to=("national",)),
    leakage=WORDS,
)
THRESHOLD = Threshold(
    id="seen-by-many",
    members=(subjects("west-force"), subjects("east-force", 500, 8), suppliers("north-council")),
    at_least=2,
    minimum_count=4,
    band=5,
    leakage=WORDS,
    linkage=Linkage(overlap=0.1, false_leads=0.02, budget=12, missing=False),
)


def agreement(edges=(), agencies=AGENCIES[:2], **fields):
    return Agreement(**{
        "title": "A pilot",
        "purpose": "Compare suppliers with known groups.\nA lead is not an identification.",
        "parties": tuple(party(agency) for agency in agencies),
        "schema": "uk-person-company-2",
        "schema_digest": b"s" * 32,
        "edges": tuple(edges),
        "marking": "OFFICIAL-SENSITIVE",
        "handling_codes": ("P",),
        "not_before": START,
        "expires": END,
        "rounds_budget": 10,
        "calendar": "on-demand",
        "retention_days": 30,
        "nonce": b"nonce-0123456789",
        **fields,
    })  # fmt: skip


def unreported(terms):
    return dataclasses.replace(terms, report_to=()) if terms.report_to else terms


def many_edges():
    """Every force and council with every other, both ways: 20 edges of all kinds."""
    plain = [HITS, VERIFIED, FACTS, COUNT, SUM]
    pairs = [(a, b) for a in AGENCIES for b in AGENCIES if a != b]
    return [
        dataclasses.replace(
            plain[place % len(plain)],
            id=edge_id(receiver, sender),
            receiver=subjects(receiver, 1_000 + place),
            sender=suppliers(sender),
            terms=unreported(plain[place % len(plain)].terms),
        )
        for place, (receiver, sender) in enumerate(pairs)
    ]


MADE = {
    "hits": agreement([HITS]),
    "hits verified": agreement([VERIFIED], calendar="once", rounds_budget=1, marking="OFFICIAL"),
    "hits and facts": agreement([FACTS], AGENCIES[:3], handling_codes=("P", "C"), marking="SECRET"),
    "count and sum": agreement([COUNT, SUM], AGENCIES, calendar="monthly", collector="national"),
    "threshold": agreement([], AGENCIES, thresholds=(THRESHOLD,), collector="national", calendar="weekly"),
    "standing": agreement([HITS, FACTS], AGENCIES[:3], standing=Standing(28, 5), retention_days=3_650),
    "standing without checks": agreement([HITS], standing=Standing(366)),
    "everything": agreement(
        many_edges(),
        AGENCIES,
        thresholds=(THRESHOLD, dataclasses.replace(THRESHOLD, id="all", at_least=3)),
        collector="south-council",
        standing=Standing(7, 10_000),
        marking="TOP SECRET",
    ),
}


def signed(payload, agencies):
    return Envelope(
        terms.PAYLOAD_TYPE, payload, {name: terms.sign(payload, signer(name)) for name in agencies}
    )


@pytest.mark.parametrize("name", MADE)
def test_an_agreement_keeps_its_bytes_its_id_and_its_signatures(golden, name):
    made = MADE[name]
    payload = encode_agreement(made)
    envelope = signed(payload, made.agencies)
    assert parse_agreement(payload) == made
    terms.check_signatures(made, envelope)
    golden(name, {
        "type": envelope.payload_type,
        "payload": payload,
        "id": envelope.id,
        **{f"signature of {agency}": signature for agency, signature in envelope.signatures.items()},
        "file": envelope_files.dump(envelope).encode(),
        "propose request": convert.propose_request(envelope).SerializeToString(deterministic=True),
    })  # fmt: skip


@pytest.mark.parametrize("kind", list(WithdrawalKind))
def test_a_party_leaves_with_the_same_bytes_and_the_same_messages_carry_it(golden, kind):
    payload = encode_agreement(MADE["hits"])
    envelope = signed(payload, ["west-force"])
    left = terms.sign_withdrawal(
        Withdrawal(envelope.id, "north-council", START + 90, "No longer needed; à bientôt.", kind),
        signer("north-council"),
    )
    assert terms.read_withdrawal(left, MADE["hits"]).kind is kind
    messages = {
        "withdraw request": convert.withdraw_request(left),
        "withdraw reply": convert.withdraw_reply(),
        "propose request": convert.propose_request(envelope, [left]),
        "propose reply": convert.propose_reply(envelope, [left]),
        "fetch request": convert.fetch_request(envelope.id),
        "fetch reply": convert.fetch_reply(envelope, [left]),
        "describe request": convert.describe_request(),
        "describe reply": convert.describe_reply(party("west-force")),
    }
    golden(kind.value, {
        "type": kind.payload_type,
        "payload": left.payload,
        "signature": left.signature,
        **{label: message.SerializeToString(deterministic=True) for label, message in messages.items()},
    })  # fmt: skip


DRAFT = f"""
title = "A draft"
purpose = \"\"\"
Compare suppliers with known groups.
\"\"\"
schema = "uk-person-company-2"
marking = "OFFICIAL"
handling_codes = ["P", "C"]
not_before = 2026-01-01
expires = 2026-12-31T12:00:00Z
rounds_budget = 12
calendar = "monthly"
retention_days = 90
collector = "national"
[standing]
epoch_days = 28
checks_per_day = 3
[[parties]]
agency = "west-force"
name = "West Force"
role = "police"
identity_key = "{signer("west-force").public.hex()}"
certificate_key = "{b"c" * 32!r}"
legal_basis = "Crime and Disorder Act 1998 s.115"
contact = "someone@west-force.example"
[[edges]]
id = "facts"
disclosure = "hits+facts"
verified = true
facts = ["contract_value"]
fact_bytes = 64
leakage = "As agreed."
[edges.receiver]
agency = "west-force"
kind = "subjects"
max_records = 1000
tokens_per_record = 16
[edges.sender]
agency = "north-council"
kind = "bidders"
max_records = 2000
tokens_per_record = 8
[edges.linkage]
overlap = 0.1
false_leads = 0.02
budget = 40
missing = false
[[edges]]
id = "count"
disclosure = "count"
minimum_count = 4
band = 2
report_to = ["south-council"]
leakage = "As agreed."
receiver = {{agency = "west-force", kind = "subjects", max_records = 1000, tokens_per_record = 16}}
sender = {{agency = "north-council", kind = "suppliers", max_records = 2000, tokens_per_record = 8}}
[[edges]]
disclosure = "sum"
value = "contract_value"
decimals = 2
leakage = "As agreed."
receiver = {{agency = "west-force", kind = "subjects", max_records = 1000, tokens_per_record = 16}}
sender = {{agency = "south-council", kind = "suppliers", max_records = 2000, tokens_per_record = 8}}
[[edges]]
id = "{"a-long-name-of-an-edge-" * 2}x"
disclosure = "hits"
leakage = "As agreed."
receiver = {{agency = "east-force", kind = "subjects", max_records = 1000, tokens_per_record = 16}}
sender = {{agency = "south-council", kind = "suppliers", max_records = 2000, tokens_per_record = 8}}
[[thresholds]]
id = "many"
at_least = 2
minimum_count = 5
band = 3
leakage = "As agreed."
linkage = {{budget = 20}}
[[thresholds.members]]
agency = "west-force"
kind = "subjects"
max_records = 1000
tokens_per_record = 16
[[thresholds.members]]
agency = "east-force"
kind = "subjects"
max_records = 1000
tokens_per_record = 16
""".replace(repr(b"c" * 32), (b"c" * 32).hex())


def test_a_draft_with_every_field_gives_the_same_agreement(golden):
    draft = parse_draft(tomllib.loads(DRAFT))
    made = complete(draft, {agency: party(agency) for agency in AGENCIES[1:]}, b"nonce-0123456789")
    made = dataclasses.replace(made, schema_digest=b"s" * 32)
    golden("draft", {
        "unknown": list(draft.unknown),
        "payload": encode_agreement(made),
        "edges": [edge.id for edge in made.edges],
        "long name": edge_id("a-force-with-a-very-long-name-indeed", "a-council-with-a-very-long-name"),
        "schema digest": load_schema(made.schema).digest,
    })  # fmt: skip
