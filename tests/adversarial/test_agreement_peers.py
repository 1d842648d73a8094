"""Peers that send wrong agreements over real mutual TLS, and agreements under which no round may start.

After every attempt: a code that says why, nothing kept, an entry in the audit log, and the node still answers.
"""

import json
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from types import SimpleNamespace

import pytest
from sqlalchemy import update
from tests.support.local_nodes import LocalNodes

from blindmatch.node import server
from blindmatch.node.agreements import codec as convert
from blindmatch.node.agreements import exchange, registry
from blindmatch.node.agreements.payload import encode_agreement
from blindmatch.node.storage.store import EdgeRow
from blindmatch.node.storage.store.tables import agreements as table
from blindmatch.node.transport.client import connect
from blindmatch.node.transport.error_status import RefusalError
from blindmatch.proto.v1 import agreement_pb2 as pb
from blindmatch.protocol import agreement as terms
from blindmatch.protocol.agreement import Envelope, Withdrawal, WithdrawalKind
from blindmatch.protocol.errors import AgreementError, PeerCode, PeerError, StoreError
from blindmatch.protocol.limits import LIMITS

WEST, EAST, SOUTH, NORTH = "west-force", "east-council", "south-council", "north-council"
UNKNOWN_FIELD = b"\x9a\x06\x01x"
DAY = 86_400


def four_agencies(folder, now):
    return LocalNodes(folder, {WEST: "police", EAST: "council", SOUTH: "council", NORTH: "council"}, now)


@pytest.fixture
def town(node_templates, tmp_path):
    with closing(node_templates.copy(four_agencies, tmp_path)) as nodes:
        yield nodes


@pytest.fixture
def proposal(town):
    """An agreement of west, east and south, signed by east only."""
    return envelope_of(town, town.agreement(WEST, EAST, SOUTH), EAST)


def envelope_of(town, agreement, *signers) -> Envelope:
    payload = encode_agreement(agreement)
    signatures = {agency: terms.sign(payload, town.nodes[agency].keys.identity) for agency in signers}
    return Envelope(terms.PAYLOAD_TYPE, payload, signatures)


@asynccontextmanager
async def caller(town, agency):
    """The attacker: a real channel to west's real server, with that agency's real certificate."""
    async with server.running(town.nodes[WEST]), connect(town.nodes[agency], WEST) as peer:
        yield peer


async def refusal(town, agency, method, request) -> PeerCode:
    """The code with which west refuses; then checks that west keeps nothing more, notes it, and still answers."""
    node = town.nodes[WEST]
    before = node.store.agreements()
    async with caller(town, agency) as peer:
        with pytest.raises(RefusalError) as caught:
            await peer.call(getattr(peer.agreements, method), request)
        described = await peer.call(peer.agreements.Describe, convert.describe_request())
        assert convert.describe_reply.read(described).agency == WEST
    assert node.store.agreements() == before
    noted = [json.loads(row.detail) | {"recipient": row.recipient} for row in node.store.audit_rows()]
    assert any(caught.value.reason.value in map(str, entry.values()) for entry in noted), noted
    return caught.value.reason


async def proposed(town, agency, envelope) -> PeerCode:
    return await refusal(town, agency, "Propose", convert.propose_request(envelope))


async def test_altered_payload(town, proposal):
    altered = encode_agreement(replace(town.agreement(WEST, EAST, SOUTH), rounds_budget=9_999))
    forged = Envelope(terms.PAYLOAD_TYPE, altered, proposal.signatures)
    assert await proposed(town, EAST, forged) is PeerCode.ALTERED_AGREEMENT


async def test_wrong_signature(town, proposal):
    forged = Envelope(terms.PAYLOAD_TYPE, proposal.payload, {SOUTH: proposal.signatures[EAST]})
    assert await proposed(town, EAST, forged) is PeerCode.ALTERED_AGREEMENT


async def test_unknown_partys_signature(town, proposal):
    signature = terms.sign(proposal.payload, town.nodes[NORTH].keys.identity)
    assert (
        await proposed(town, EAST, proposal.with_signatures({NORTH: signature})) is PeerCode.ALTERED_AGREEMENT
    )


async def test_a_proposal_from_outside(town, proposal):
    assert await proposed(town, NORTH, proposal) is PeerCode.WRONG_AGENCY


async def test_a_proposal_without_us(town):
    agreement = town.agreement(EAST, SOUTH)
    assert await proposed(town, EAST, envelope_of(town, agreement, EAST)) is PeerCode.WRONG_AGENCY


async def test_our_name_with_another_key(town):
    agreement = town.agreement(WEST, EAST)
    parties = (replace(agreement.parties[0], identity_key=b"\x05" * 32), agreement.parties[1])
    forged = envelope_of(town, replace(agreement, parties=parties), EAST)
    assert await proposed(town, EAST, forged) is PeerCode.BAD_MESSAGE


async def test_the_callers_name_with_another_certificate_key(town):
    agreement = town.agreement(WEST, EAST)
    parties = (agreement.parties[0], replace(agreement.parties[1], certificate_key=b"\x05" * 32))
    forged = envelope_of(town, replace(agreement, parties=parties), EAST)
    assert await proposed(town, EAST, forged) is PeerCode.WRONG_CERTIFICATE


async def test_expired_proposal(town):
    past = int(town.now) - 100 * DAY
    agreement = replace(town.agreement(WEST, EAST), not_before=past, expires=past + DAY)
    assert await proposed(town, EAST, envelope_of(town, agreement, EAST)) is PeerCode.EXPIRED_AGREEMENT


async def test_oversize(town, proposal):
    request = convert.propose_request(proposal)
    request.envelope.payload = bytes(LIMITS.agreement_bytes + 1)
    assert await refusal(town, EAST, "Propose", request) is PeerCode.OVERSIZE
    request.envelope.payload = bytes(LIMITS.message_bytes + 1)
    # Our own channel does not send it: a real attacker's would, and the gate counts bytes before it parses.
    async with caller(town, EAST) as peer:
        with pytest.raises(PeerError) as caught:
            await peer.call(peer.agreements.Propose, request)
    assert caught.value.code is PeerCode.OVERSIZE


@pytest.mark.parametrize("payload", [b"\xff\xff", b"", UNKNOWN_FIELD])
async def test_no_agreement_at_all(town, proposal, payload):
    request = convert.propose_request(proposal)
    request.envelope.payload = payload
    assert await refusal(town, EAST, "Propose", request) in {PeerCode.BAD_MESSAGE, PeerCode.WRONG_VERSION}


async def test_a_hidden_field(town, proposal):
    payload = proposal.payload + UNKNOWN_FIELD
    hidden = Envelope(
        terms.PAYLOAD_TYPE, payload, {EAST: terms.sign(payload, town.nodes[EAST].keys.identity)}
    )
    assert await proposed(town, EAST, hidden) is PeerCode.BAD_MESSAGE


@pytest.mark.parametrize(
    ("method", "request_of"),
    [
        ("Describe", lambda: pb.DescribeRequest(version=99)),
        ("Propose", lambda: pb.ProposeRequest(version=99)),
        ("Fetch", lambda: pb.FetchRequest(version=99)),
        ("Withdraw", pb.WithdrawRequest),
    ],
)
async def test_another_version(town, method, request_of):
    assert await refusal(town, EAST, method, request_of()) is PeerCode.WRONG_VERSION


async def test_strangers_cannot_tell_what_exists(town, proposal):
    registry.adopt(town.nodes[WEST], proposal, source=EAST)
    for agreement_id in (proposal.id, b"\x05" * 32):
        request = convert.fetch_request(agreement_id)
        assert await refusal(town, NORTH, "Fetch", request) is PeerCode.UNKNOWN_AGREEMENT


async def test_one_cannot_withdraw_for_another(town, proposal):
    registry.adopt(town.nodes[WEST], proposal, source=EAST)
    word = Withdrawal(proposal.id, SOUTH, 1, "")
    genuine = terms.sign_withdrawal(word, town.nodes[SOUTH].keys.identity)
    assert await refusal(town, EAST, "Withdraw", convert.withdraw_request(genuine)) is PeerCode.WRONG_AGENCY
    forged = terms.sign_withdrawal(replace(word, agency=EAST), town.nodes[SOUTH].keys.identity)
    assert await refusal(town, EAST, "Withdraw", convert.withdraw_request(forged)) is PeerCode.BAD_SIGNATURE
    unknown = replace(word, agreement=b"\x05" * 32, agency=EAST)
    signed = terms.sign_withdrawal(unknown, town.nodes[EAST].keys.identity)
    assert (
        await refusal(town, EAST, "Withdraw", convert.withdraw_request(signed)) is PeerCode.UNKNOWN_AGREEMENT
    )
    assert registry.find(town.nodes[WEST], proposal.id).withdrawn == {}


def left(town, agreement_id, agency, *, by="", kind=WithdrawalKind.WITHDRAWN, reason="No."):
    """What `agency` says when it leaves, signed by its own key or another's."""
    word = Withdrawal(agreement_id, agency, int(town.now), reason, kind)
    return terms.sign_withdrawal(word, town.nodes[by or agency].keys.identity)


async def test_one_can_pass_on_what_another_signed_and_nothing_else(town, proposal):
    """Declines and withdrawals of others travel with a proposal; every wrong one is refused, and nothing is kept."""
    registry.adopt(town.nodes[WEST], proposal, source=EAST)
    genuine = left(town, proposal.id, SOUTH, kind=WithdrawalKind.DECLINED)
    wrong = {
        PeerCode.BAD_SIGNATURE: [left(town, proposal.id, SOUTH, by=EAST)],
        PeerCode.WRONG_AGENCY: [left(town, proposal.id, NORTH)],
        PeerCode.BAD_MESSAGE: [left(town, b"\x05" * 32, SOUTH)],
    }
    for code, words in wrong.items():
        assert await refusal(town, EAST, "Propose", convert.propose_request(proposal, words)) is code
    # One good word does not carry a bad one in: all are verified before any is kept.
    both = [genuine, left(town, proposal.id, EAST, by=SOUTH)]
    request = convert.propose_request(proposal, both)
    assert await refusal(town, EAST, "Propose", request) is PeerCode.BAD_SIGNATURE
    assert registry.find(town.nodes[WEST], proposal.id).withdrawals == {}
    async with caller(town, EAST) as peer:
        await peer.call(peer.agreements.Propose, convert.propose_request(proposal, [genuine]))
    held = registry.find(town.nodes[WEST], proposal.id)
    assert held.declined[SOUTH].reason == "No."
    assert not_ready(town, proposal.id).message == f"declined by {SOUTH}"


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda m: m.withdrawals.extend([m.withdrawals[0]]), PeerCode.BAD_MESSAGE),  # two of one agency
        (lambda m: m.withdrawals.extend([m.withdrawals[0]] * LIMITS.parties), PeerCode.OVERSIZE),
        (lambda m: setattr(m.withdrawals[0], "payload", bytes(1 << 16)), PeerCode.OVERSIZE),
        (
            lambda m: setattr(m.withdrawals[0], "payload", m.withdrawals[0].payload[:-1]),
            PeerCode.BAD_SIGNATURE,
        ),
        (lambda m: setattr(m.withdrawals[0], "signature", b"short"), PeerCode.BAD_MESSAGE),
        (lambda m: setattr(m.withdrawals[0], "agreement", bytes(32)), PeerCode.BAD_MESSAGE),
        (lambda m: setattr(m.withdrawals[0], "agency", "x" * 64), PeerCode.BAD_MESSAGE),
    ],
)
async def test_malformed_withdrawals_beside_a_proposal(town, proposal, spoil, code):
    request = convert.propose_request(proposal, [left(town, proposal.id, SOUTH)])
    spoil(request)
    assert await refusal(town, EAST, "Propose", request) is code
    assert town.nodes[WEST].store.find_agreement(proposal.id) is None


async def test_a_second_word_changes_nothing(town, proposal):
    """Replayed, or said again with another reason: the first stays, for everybody the same."""
    registry.adopt(town.nodes[WEST], proposal, source=EAST)
    first, second = (left(town, proposal.id, EAST, reason=reason) for reason in ("First.", "Second."))
    async with caller(town, EAST) as peer:
        for word in (first, first, second):
            await peer.call(peer.agreements.Withdraw, convert.withdraw_request(word))
    assert registry.find(town.nodes[WEST], proposal.id).withdrawn[EAST].reason == "First."
    noted = [row for row in town.nodes[WEST].store.audit_rows() if '"withdrawn"' in row.detail]
    assert len(noted) == 1


async def test_one_agency_cannot_fill_the_places_of_others(town, monkeypatch):
    monkeypatch.setattr(registry, "PROPOSALS_PER_AGENCY", 2)

    def fresh(agency, days):
        agreement = replace(town.agreement(WEST, agency), retention_days=days)
        return envelope_of(town, agreement, agency)

    async with caller(town, EAST) as peer:
        for days in (1, 2):
            await peer.call(peer.agreements.Propose, convert.propose_request(fresh(EAST, days)))
    assert await proposed(town, EAST, fresh(EAST, 3)) is PeerCode.OVER_LIMIT
    # The others still find room, and so do our own officers, whoever else is in the agreement.
    async with caller(town, SOUTH) as peer:
        await peer.call(peer.agreements.Propose, convert.propose_request(fresh(SOUTH, 1)))
    for days in (10, 11, 12):
        registry.adopt(town.nodes[WEST], fresh(EAST, days), source="file")
    # What we answered, either way, waits no more.
    first = registry.find(town.nodes[WEST], fresh(EAST, 1).id)
    registry.decline(town.nodes[WEST], first, "No.")
    async with caller(town, EAST) as peer:
        await peer.call(peer.agreements.Propose, convert.propose_request(fresh(EAST, 3)))
    monkeypatch.setattr(registry, "PROPOSALS_IN_TOTAL", 3)
    assert await proposed(town, SOUTH, fresh(SOUTH, 2)) is PeerCode.OVER_LIMIT


class Liar:
    """A peer's node that answers every proposal and fetch with an envelope of its own choice."""

    def __init__(self, answer: Envelope, *left) -> None:
        self._answer = answer, left
        self.agreements = SimpleNamespace(Propose="Propose", Fetch="Fetch")

    async def call(self, method, _request):
        make = convert.propose_reply if method == "Propose" else convert.fetch_reply
        return make(*self._answer)


@pytest.mark.parametrize("act", [exchange.push, exchange.collect_signatures])
async def test_a_peer_that_answers_with_something_else(town, proposal, act):
    held = registry.adopt(town.nodes[WEST], proposal, source=EAST)
    other = envelope_of(town, town.agreement(WEST, EAST), EAST)
    invalid = Envelope(terms.PAYLOAD_TYPE, proposal.payload, {SOUTH: bytes(64)})
    for answer in (other, invalid):

        @asynccontextmanager
        async def lying(_agency, _key, answer=answer):
            yield Liar(answer)

        after, outcomes = await act(town.nodes[WEST], held, lying)
        assert {outcome.error.code for outcome in outcomes} == {PeerCode.ALTERED_AGREEMENT}
        assert after.missing == (WEST, SOUTH)
    assert len(town.nodes[WEST].store.agreements()) == 1


@pytest.mark.parametrize("act", [exchange.push, exchange.fetch])
async def test_a_peer_that_invents_a_withdrawal(town, proposal, act):
    """Of another party, of a stranger, from another agreement, or with nothing in it: none is kept, nor what came with it."""
    held = registry.adopt(town.nodes[WEST], proposal, source=EAST)
    payload = proposal.payload
    more = proposal.with_signatures({SOUTH: terms.sign(payload, town.nodes[SOUTH].keys.identity)})
    for forged, code in (
        (left(town, proposal.id, SOUTH, by=EAST), PeerCode.BAD_SIGNATURE),
        (left(town, proposal.id, NORTH), PeerCode.WRONG_AGENCY),
        (left(town, b"\x05" * 32, SOUTH), PeerCode.BAD_MESSAGE),
        (replace(left(town, proposal.id, SOUTH), payload=b""), PeerCode.BAD_SIGNATURE),
    ):

        @asynccontextmanager
        async def lying(_agency, _key, forged=forged):
            yield Liar(more, forged)

        after, outcomes = await act(town.nodes[WEST], held, lying)
        assert {outcome.error.code for outcome in outcomes} == {code}
        assert (after.withdrawals, after.missing) == ({}, (WEST, SOUTH))


def kept(town, agreement, *signers):
    registry.adopt(town.nodes[WEST], envelope_of(town, agreement, *signers), source="file")
    return terms.agreement_id(encode_agreement(agreement))


def not_ready(town, agreement_id, **more) -> Exception:
    node = town.nodes[WEST]
    with pytest.raises((PeerError, AgreementError, StoreError)) as caught:
        registry.usable_agreement(node, agreement_id, more.pop("now", node.clock()), **more)
    assert caught.value.hint
    return caught.value


def test_with_every_signature_it_is_ready(town):
    agreement = town.agreement(WEST, EAST, SOUTH)
    agreement_id = kept(town, agreement, WEST, EAST, SOUTH)
    found, envelope = registry.usable_agreement(
        town.nodes[WEST], agreement_id, town.now, edge=agreement.edges[0].id
    )
    assert found == agreement
    assert envelope.id == agreement_id


def test_missing_signature(town):
    agreement_id = kept(town, town.agreement(WEST, EAST, SOUTH), WEST, EAST)
    error = not_ready(town, agreement_id)
    assert error.code is PeerCode.UNSIGNED_AGREEMENT
    assert SOUTH in error.message


def test_unknown_agreement(town):
    assert not_ready(town, b"\x05" * 32).code is PeerCode.UNKNOWN_AGREEMENT


def test_not_yet_valid_and_expired(town):
    agreement = town.agreement(WEST, EAST)
    agreement_id = kept(town, agreement, WEST, EAST)
    assert not_ready(town, agreement_id, now=agreement.not_before - 1).code is PeerCode.EXPIRED_AGREEMENT
    assert not_ready(town, agreement_id, now=agreement.expires).code is PeerCode.EXPIRED_AGREEMENT


@pytest.mark.parametrize("who", [WEST, EAST])
def test_withdrawn(town, who):
    agreement_id = kept(town, town.agreement(WEST, EAST), WEST, EAST)
    word = Withdrawal(agreement_id, who, int(town.now), "")
    registry.record_withdrawal(town.nodes[WEST], terms.sign_withdrawal(word, town.nodes[who].keys.identity))
    error = not_ready(town, agreement_id)
    assert error.code is PeerCode.EXPIRED_AGREEMENT
    assert f"withdrawn by {who}" in error.message


def test_budget_spent(town):
    agreement = replace(town.agreement(WEST, EAST, SOUTH), rounds_budget=2)
    agreement_id = kept(town, agreement, WEST, EAST, SOUTH)
    first, second = (edge.id for edge in agreement.edges)
    store = town.nodes[WEST].store
    for number in range(3):
        row = EdgeRow(bytes([number]) * 16, first, agreement_id, "receiver", EAST, "c" * 32, "preparing", 1)
        store.start_edge(row, b"s" * 32)
    store.fail(bytes([2]) * 16, first, code="unavailable", reason="never reached")  # costs nothing
    assert not_ready(town, agreement_id, edge=first).code is PeerCode.BUDGET_SPENT
    assert not_ready(town, agreement_id).code is PeerCode.BUDGET_SPENT
    registry.usable_agreement(town.nodes[WEST], agreement_id, town.now, edge=second)
    # A round under way has its place in the budget: it may go on.
    registry.usable_agreement(town.nodes[WEST], agreement_id, town.now, edge=first, resuming=bytes([1]) * 16)


def test_wrong_schema_digest(town):
    agreement = replace(town.agreement(WEST, EAST), schema_digest=b"\x05" * 32)
    agreement_id = kept(town, agreement, WEST, EAST)
    assert not_ready(town, agreement_id).code is PeerCode.SCHEMA_MISMATCH
    with pytest.raises(PeerError) as caught:
        registry.sign(town.nodes[WEST], registry.find(town.nodes[WEST], agreement_id))
    assert caught.value.code is PeerCode.SCHEMA_MISMATCH


def test_bytes_altered_in_the_store(town):
    agreement = town.agreement(WEST, EAST)
    agreement_id = kept(town, agreement, WEST, EAST)
    altered = encode_agreement(replace(agreement, rounds_budget=9_999))
    with town.nodes[WEST].store.write("agreements") as connection:
        connection.execute(update(table).values(payload=altered))
    assert "damaged in the store" in not_ready(town, agreement_id).message
