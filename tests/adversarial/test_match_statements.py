"""Lying commitments and receipts, one at a time: each gets its own code, and the session is over."""

from dataclasses import replace

import pytest
from tests.support.hits_sessions import CLOSED_AT, COUNCIL, OPENED_AT, POLICE, Edge

from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.hits.transitions import HitsState
from blindmatch.protocol.limits import LIMITS
from blindmatch.protocol.session.messages import Header, Receipt
from blindmatch.protocol.session.statements import COMMITMENT_TYPE, RECEIPT_TYPE, Commitment, ReceiptTerms
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.transcript import Signed, encode, sign

OURS = [11, 12, 13, 14, 15, 16, 17, 18, 19]
THEIRS = [13, 18, 12, 90, 91, 92, 93]
EDGE = Edge.of(OURS, THEIRS)
VERIFIED = Edge.of(OURS, THEIRS, verified=True)
FACTS = Edge.of(OURS, THEIRS, facts=THEIRS)


def refused(code, session, call):
    """The call is refused with this code, and nothing works on the session any more."""
    with pytest.raises(PeerError) as caught:
        call()
    assert caught.value.code is code, caught.value
    assert session.state is HitsState.FAILED
    assert session.failure is caught.value
    with pytest.raises(PeerError) as later:
        session.receive_commitment(Signed(b"", bytes(64)))
    assert later.value.code is PeerCode.WRONG_STATE


# Commitments.

OTHER_EDGES = {
    "agreement": ({"agreement": b"b" * 32}, PeerCode.UNKNOWN_AGREEMENT),
    "round": ({"round_id": b"another-round-id"}, PeerCode.UNKNOWN_ROUND),
    "edge": ({"edge": "another-edge"}, PeerCode.UNKNOWN_ROUND),
    "keys": ({"keys_digest": b"l" * 32}, PeerCode.SCHEMA_MISMATCH),
    "verification": ({"verified": True}, PeerCode.BAD_COMMITMENT),
    "disclosure": (
        {"disclosure": FACTS.context.disclosure, "fact_bytes": FACTS.context.fact_bytes},
        PeerCode.BAD_COMMITMENT,
    ),
}


@pytest.mark.parametrize("what", OTHER_EDGES)
@pytest.mark.parametrize("role", Role)
def test_commitment_to_another_edge(role, what):
    change, code = OTHER_EDGES[what]
    other = replace(EDGE, context=replace(EDGE.context, **change))
    if role is Role.RECEIVER:
        victim, liar = EDGE.sender(), other.receiver()
    else:
        victim = EDGE.receiver()
        liar = replace(other, facts=FACTS.facts if what == "disclosure" else None).sender()
    for session in (victim, liar):
        for index in range(session.chunks):
            session.prepare_chunk(index)
    victim.commit()
    refused(code, victim, lambda: victim.receive_commitment(liar.commit()))


@pytest.mark.parametrize("side", ["receiver", "sender"])
def test_commitment_that_names_another_agency(side):
    context = replace(EDGE.context, **{side: "hmrc"})
    sender = EDGE.sender()
    payload = Commitment(Role.RECEIVER, 9, bytes(32)).payload(context)
    refused(
        PeerCode.WRONG_AGENCY,
        sender,
        lambda: sender.receive_commitment(sign(POLICE, COMMITMENT_TYPE, payload)),
    )


def test_commitment_signed_by_another_party():
    receiver, sender = EDGE.prepared()
    receiver.commit()
    payload = sender.commit().payload
    forged = sign(POLICE, COMMITMENT_TYPE, payload)
    refused(PeerCode.BAD_SIGNATURE, receiver, lambda: receiver.receive_commitment(forged))


def test_commitment_altered_after_signing():
    receiver, sender = EDGE.prepared()
    honest = receiver.commit()
    altered = Signed(honest.payload[:-1] + bytes([honest.payload[-1] ^ 1]), honest.signature)
    refused(PeerCode.BAD_SIGNATURE, sender, lambda: sender.receive_commitment(altered))


def test_commitment_signed_as_something_else():
    receiver, sender = EDGE.prepared()
    other = sign(POLICE, RECEIPT_TYPE, receiver.commit().payload)
    refused(PeerCode.BAD_SIGNATURE, sender, lambda: sender.receive_commitment(other))


def test_commitment_reflected():
    """A receiver's own commitment, sent back as if it were the sender's, under whatever key."""
    receiver, _ = EDGE.prepared()
    own = receiver.commit()
    back = sign(COUNCIL, COMMITMENT_TYPE, own.payload)
    refused(PeerCode.BAD_COMMITMENT, receiver, lambda: receiver.receive_commitment(back))


def test_commitment_of_another_version():
    receiver, sender = EDGE.prepared()
    payload = bytearray(receiver.commit().payload)
    place = len(encode(COMMITMENT_TYPE)) + 5 + 7
    assert payload[place] == 1
    payload[place] = 2
    newer = sign(POLICE, COMMITMENT_TYPE, bytes(payload))
    refused(PeerCode.WRONG_VERSION, sender, lambda: sender.receive_commitment(newer))


@pytest.mark.parametrize("cut", [0, 1, 20, 60, 150, -1])
def test_commitment_truncated(cut):
    receiver, sender = EDGE.prepared()
    short = sign(POLICE, COMMITMENT_TYPE, receiver.commit().payload[:cut])
    refused(PeerCode.BAD_MESSAGE, sender, lambda: sender.receive_commitment(short))


def test_commitment_with_something_behind_it():
    receiver, sender = EDGE.prepared()
    longer = sign(POLICE, COMMITMENT_TYPE, receiver.commit().payload + b"\x00")
    refused(PeerCode.BAD_MESSAGE, sender, lambda: sender.receive_commitment(longer))


@pytest.mark.parametrize(
    ("elements", "code"),
    [(0, PeerCode.BAD_COUNT), (10, PeerCode.OVER_LIMIT), (2**63, PeerCode.OVER_LIMIT)],
)
@pytest.mark.parametrize("role", Role)
def test_commitment_to_a_number_that_was_not_agreed(role, elements, code):
    edge = replace(EDGE, context=replace(EDGE.context, receiver_elements=9, sender_elements=9))
    receiver, sender = edge.prepared()
    victim, key = (sender, POLICE) if role is Role.RECEIVER else (receiver, COUNCIL)
    victim.commit()
    lie = sign(key, COMMITMENT_TYPE, Commitment(role, elements, bytes(32)).payload(edge.context))
    refused(code, victim, lambda: victim.receive_commitment(lie))


def test_commitment_beyond_the_product_without_a_limit_in_the_agreement():
    _, sender = EDGE.prepared()
    payload = Commitment(Role.RECEIVER, LIMITS.elements + 1, bytes(32)).payload(EDGE.context)
    lie = sign(POLICE, COMMITMENT_TYPE, payload)
    refused(PeerCode.OVER_LIMIT, sender, lambda: sender.receive_commitment(lie))


def test_second_commitment_that_differs():
    receiver, sender = EDGE.prepared()
    sender.receive_commitment(receiver.commit())
    other = Commitment(Role.RECEIVER, len(OURS), b"x" * 32).payload(EDGE.context)
    again = sign(POLICE, COMMITMENT_TYPE, other)
    refused(PeerCode.BAD_COMMITMENT, sender, lambda: sender.receive_commitment(again))


@pytest.mark.parametrize(("edge", "key"), [(VERIFIED, bytes(32)), (EDGE, b"k" * 32)])
def test_commitment_without_a_key_or_with_one_too_many(edge, key):
    receiver, _ = edge.prepared()
    receiver.commit()
    lie = sign(COUNCIL, COMMITMENT_TYPE, Commitment(Role.SENDER, 7, bytes(32), key).payload(edge.context))
    refused(PeerCode.BAD_COMMITMENT, receiver, lambda: receiver.receive_commitment(lie))


# Receipts.


@pytest.mark.parametrize(
    "change",
    [
        {"receiver_elements": len(OURS) + 1},
        {"sender_elements": len(THEIRS) - 1},
        {"transcript": bytes(32)},
        {"opened_at": CLOSED_AT + 1},
        {"closed_at": OPENED_AT - 1},
        {"closed_at": CLOSED_AT + LIMITS.clock_skew_seconds + 1},
    ],
)
def test_receipt_that_says_something_else(change):
    _, sender, receipt = EDGE.signed()
    terms = replace(ReceiptTerms.parse(receipt.payload, EDGE.context), **change)
    lie = sign(POLICE, RECEIPT_TYPE, terms.payload(EDGE.context))
    refused(PeerCode.BAD_RECEIPT, sender, lambda: sender.countersign(lie, CLOSED_AT))


def test_receipt_within_the_clocks_difference():
    _, sender, receipt = EDGE.signed()
    assert sender.countersign(receipt, CLOSED_AT - LIMITS.clock_skew_seconds).payload == receipt.payload


def test_receipt_of_another_round():
    _, sender, _ = EDGE.signed()
    other = Edge.of(OURS, THEIRS, round_id=b"another-round-id")
    receipt = other.signed()[2]
    refused(PeerCode.UNKNOWN_ROUND, sender, lambda: sender.countersign(receipt, CLOSED_AT))


def test_receipt_signed_by_another_party():
    _, sender, receipt = EDGE.signed()
    forged = sign(COUNCIL, RECEIPT_TYPE, receipt.payload)
    refused(PeerCode.BAD_SIGNATURE, sender, lambda: sender.countersign(forged, CLOSED_AT))


def test_receipt_before_the_exchange_is_complete():
    _, _, receipt = EDGE.signed()
    _, sender = EDGE.exchanging()
    refused(PeerCode.WRONG_STATE, sender, lambda: sender.countersign(receipt, CLOSED_AT))


def test_countersignature_that_does_not_verify():
    receiver, sender, receipt = EDGE.signed()
    good = sender.countersign(receipt, CLOSED_AT).sender_signature
    forged = bytes([good[0] ^ 1]) + good[1:]
    refused(PeerCode.BAD_SIGNATURE, receiver, lambda: receiver.receive_receipt_signature(forged))


def test_countersignature_by_the_receiver_itself():
    receiver, _, receipt = EDGE.signed()
    refused(PeerCode.BAD_SIGNATURE, receiver, lambda: receiver.receive_receipt_signature(receipt.signature))


def test_a_closed_edge_stays_closed():
    """The same receipt again gets the same signature; another one is refused, and undoes nothing."""
    receiver, sender, receipt = EDGE.signed()
    first = sender.countersign(receipt, CLOSED_AT)
    assert sender.countersign(receipt, CLOSED_AT + 60) == first
    terms = replace(ReceiptTerms.parse(receipt.payload, EDGE.context), closed_at=CLOSED_AT + 1)
    other = sign(POLICE, RECEIPT_TYPE, terms.payload(EDGE.context))
    with pytest.raises(PeerError) as caught:
        sender.countersign(other, CLOSED_AT + 60)
    assert caught.value.code is PeerCode.BAD_RECEIPT
    assert sender.state is HitsState.CLOSED
    assert receiver.receive_receipt_signature(first.sender_signature) == first
    assert receiver.state is HitsState.CLOSED


def test_receipt_with_a_short_signature():
    with pytest.raises(PeerError) as caught:
        Receipt(b"", bytes(64), bytes(63))
    assert caught.value.code is PeerCode.BAD_SIGNATURE


@pytest.mark.parametrize("edge", ["", "a\0b", "a\x1bb", "e" * 65])
def test_an_edge_s_id_is_text_to_every_database(edge):
    with pytest.raises(PeerError) as caught:
        Header(bytes(16), edge, 0)
    assert caught.value.code is PeerCode.BAD_MESSAGE
