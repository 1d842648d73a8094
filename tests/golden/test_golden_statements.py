"""Every statement that is signed keeps its bytes: rates, commitments, outcomes, reports, receipts, and what they build on."""

import dataclasses

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from blindmatch.protocol import transcript
from blindmatch.protocol.aggregate.disclosure_control import AggregateTerms, Band
from blindmatch.protocol.aggregate.statements import COMMITMENT_TYPE as NUMBER_COMMITMENT_TYPE
from blindmatch.protocol.aggregate.statements import (
    OUTCOME_TYPE,
    REPORT_TYPE,
    AggregateCommitment,
    AggregateReport,
    OutcomeContext,
)
from blindmatch.protocol.aggregate.statements import AggregateOutcome as NumberOutcome
from blindmatch.protocol.agreement import Disclosure
from blindmatch.protocol.session.messages import EdgeContext
from blindmatch.protocol.session.rates_statement import RATES_TYPE, RatesStatement, statement_digest
from blindmatch.protocol.session.statements import COMMITMENT_TYPE, RECEIPT_TYPE, Commitment, ReceiptTerms
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.standing.epoch import first_state, next_state
from blindmatch.protocol.standing.statements import (
    DELTA_COMMITMENT_TYPE,
    DELTA_RECEIPT_TYPE,
    ChangeCounts,
    DeltaCommitment,
    DeltaReceipt,
    read_receipt,
)
from blindmatch.protocol.threshold import statements as threshold
from blindmatch.protocol.threshold.messages import ThresholdContext
from blindmatch.protocol.transcript import Ed25519Signer, Transcript, digest, encode, pre_authentication

SIGNER = Ed25519Signer("police", Ed25519PrivateKey.from_private_bytes(b"p" * 32))
OPENED, CLOSED = 1_767_225_600, 1_767_225_660
DIGEST, OTHER, POINT = b"d" * 32, b"e" * 32, b"p" * 32
HITS = EdgeContext(
    agreement=b"a" * 32,
    round_id=b"round-0123456789",
    edge="force-from-council",
    receiver="west-force",
    sender="north-council",
    disclosure=Disclosure.HITS,
    verified=True,
    keys_digest=b"k" * 32,
    receiver_elements=8_000,
    sender_elements=16_000,
)
FACTS = dataclasses.replace(HITS, disclosure=Disclosure.HITS_FACTS, verified=False, fact_bytes=64)
COUNT = dataclasses.replace(HITS, disclosure=Disclosure.COUNT, verified=False)
SUM = dataclasses.replace(COUNT, disclosure=Disclosure.SUM)
MANY = ThresholdContext(
    agreement=b"a" * 32,
    round_id=b"round-0123456789",
    threshold="seen-by-many",
    members=("west-force", "north-council", "south-council"),
    collector="national",
    at_least=2,
    minimum_count=3,
    keys_digest=b"k" * 32,
    elements=(80, 160, 240),
)
TERMS = AggregateTerms(5, 10, 16)


def signed(kind, payload):
    """The statement and its signature, which also holds the type."""
    made = transcript.sign(SIGNER, kind, payload)
    return {"payload": made.payload, "signature": made.signature}


def both(label, made):
    return {f"{label}: payload": made.payload, f"{label}: signature": made.signature}


def test_encodings_digests_and_contexts(golden):
    running = Transcript()
    running.add("first", b"one", b"two")
    running.add("second")
    golden("foundations", {
        "encoding": encode("a/label", b"bytes", "täxt", 7, 2**64 - 1, b"", ""),
        "digest": digest(b"one", b"", b"two"),
        "transcript": running.value,
        "pre-authentication": pre_authentication("a/type", b"payload"),
        "edge, hits": HITS.digest,
        "edge, facts": FACTS.digest,
        "edge, count": COUNT.digest,
        "edge, without limits": dataclasses.replace(SUM, receiver_elements=None, sender_elements=None).digest,
        "threshold": MANY.digest,
        "threshold, before the rates": dataclasses.replace(MANY, keys_digest=bytes(32), elements=()).digest,
        "public key": SIGNER.public,
    })  # fmt: skip


def test_rates(golden):
    ours = RatesStatement(role=Role.RECEIVER, records=120, schema=DIGEST, rates=bytes(range(200)))
    first = ours.sign(SIGNER, HITS)
    theirs = RatesStatement(
        role=Role.SENDER,
        records=240,
        schema=DIGEST,
        rates=bytes(range(199, -1, -1)),
        answers=statement_digest(first),
    )
    member = threshold.ThresholdRatesStatement(
        member="north-council", records=120, schema=DIGEST, rates=bytes(range(200))
    )
    golden("rates", {
        "type": RATES_TYPE,
        "type, threshold": threshold.RATES_TYPE,
        **both("receiver", first),
        "digest": statement_digest(first),
        **both("sender", theirs.sign(SIGNER, HITS)),
        **both("member", member.sign(SIGNER, MANY)),
    })  # fmt: skip


def test_commitments(golden):
    number = AggregateCommitment(Role.SENDER, 48, OTHER, POINT, group=8, copies=4, proof=b"q" * 64)
    delta = DeltaCommitment(
        role=Role.SENDER,
        elements=24,
        contents=OTHER,
        public_key=POINT,
        epoch=b"epoch-0123456789",
        number=3,
        before=DIGEST,
        counts=ChangeCounts(added=2, removed=1),
        records=11,
        removed_tags=8,
    )
    payloads = {
        "receiver": (COMMITMENT_TYPE, Commitment(Role.RECEIVER, 80, DIGEST).payload(FACTS)),
        "sender": (COMMITMENT_TYPE, Commitment(Role.SENDER, 160, OTHER, POINT).payload(HITS)),
        "count": (NUMBER_COMMITMENT_TYPE, AggregateCommitment(Role.RECEIVER, 80, DIGEST).payload(COUNT)),
        "sum": (NUMBER_COMMITMENT_TYPE, number.payload(SUM)),
        "delta": (DELTA_COMMITMENT_TYPE, delta.payload(HITS)),
        "threshold": (
            threshold.COMMITMENT_TYPE,
            threshold.ThresholdCommitment("north-council", 160, OTHER).payload(MANY),
        ),
        "tables": (
            threshold.TABLES_TYPE,
            threshold.TablesStatement("north-council", DIGEST, OTHER).payload(MANY),
        ),
    }
    for label, (kind, payload) in payloads.items():
        golden(f"commitment: {label}", {"type": kind, **signed(kind, payload)})


def test_attestations(golden):
    made = threshold.Attestation("west-force", "north-council", DIGEST, OTHER).sign(SIGNER, MANY)
    golden("attestation", {
        "type": threshold.ATTESTATION_TYPE,
        **both("signed", made),
        "together": threshold.joint_digest("a-label", [b"one", b"two"]),
    })  # fmt: skip


def test_outcomes_and_reports(golden):
    told = NumberOutcome(disclosed=True, band=Band(10, 19), transcript=DIGEST).payload(
        OutcomeContext(COUNT, TERMS)
    )
    summed = NumberOutcome(disclosed=True, left=b"l" * 32, right=b"r" * 32, share=POINT, transcript=DIGEST)
    outcomes = {
        "count": (OUTCOME_TYPE, told),
        "count, withheld": (
            OUTCOME_TYPE,
            NumberOutcome(disclosed=False).payload(OutcomeContext(COUNT, TERMS)),
        ),
        "sum": (OUTCOME_TYPE, summed.payload(OutcomeContext(SUM, AggregateTerms(3, 100)))),
        "threshold": (
            threshold.OUTCOME_TYPE,
            threshold.ThresholdOutcome("north-council", DIGEST, OTHER).payload(MANY),
        ),
    }
    for label, (kind, payload) in outcomes.items():
        golden(f"outcome: {label}", {"type": kind, **signed(kind, payload)})
    outcome = transcript.sign(SIGNER, OUTCOME_TYPE, told)
    report = AggregateReport(AggregateReport.digest_of(outcome), 1_234, b"q" * 64, CLOSED)
    golden("report", {
        "type": REPORT_TYPE,
        "outcome": report.outcome,
        **signed(REPORT_TYPE, report.payload(COUNT)),
    })  # fmt: skip


def test_receipts(golden):
    hits = ReceiptTerms(80, 160, DIGEST, OPENED, CLOSED)
    delta = DeltaReceipt(
        receiver_elements=16,
        sender_elements=24,
        transcript=DIGEST,
        opened_at=OPENED,
        closed_at=CLOSED,
        epoch=b"epoch-0123456789",
        number=3,
        before=DIGEST,
        after=OTHER,
        receiver_counts=ChangeCounts(2, 1),
        sender_counts=ChangeCounts(0, 4),
    )
    receipts = {
        "hits": (RECEIPT_TYPE, hits.payload(HITS), HITS),
        "hits and facts": (RECEIPT_TYPE, hits.payload(FACTS), FACTS),
        "count": (RECEIPT_TYPE, hits.payload(COUNT), COUNT),
        "sum": (RECEIPT_TYPE, hits.payload(SUM), SUM),
        "delta": (DELTA_RECEIPT_TYPE, delta.payload(HITS), HITS),
    }
    for label, (kind, payload, context) in receipts.items():
        golden(f"receipt: {label}", {"type": kind, **signed(kind, payload)})
        assert read_receipt(payload, context) == (delta if kind == DELTA_RECEIPT_TYPE else hits)
    many = threshold.ThresholdReceiptTerms((80, 160, 240), DIGEST, OPENED, CLOSED)
    kind, payload = threshold.RECEIPT_TYPE, many.payload(MANY)
    assert threshold.ThresholdReceiptTerms.parse(payload, MANY) == many
    golden("receipt: threshold", {"type": kind, **signed(kind, payload)})


def test_an_epochs_states(golden):
    receipt = ReceiptTerms(80, 160, DIGEST, OPENED, CLOSED).payload(HITS)
    state = first_state(HITS, receipt)
    golden("epoch", {"first state": state, "next state": next_state(state, 1, DIGEST)})
