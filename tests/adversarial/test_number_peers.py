"""Hostile or broken messages of a count or a sum, one lie at a time: each gets its own code, and the session is over."""

from dataclasses import replace

import numpy as np
import pytest
from tests.support.aggregate_sessions import AggregateEdge
from tests.support.hits_sessions import CLOSED_AT, COUNCIL, OPENED_AT, POLICE

from blindmatch.protocol import oprf
from blindmatch.protocol.aggregate import elgamal
from blindmatch.protocol.aggregate.disclosure_control import AggregateTerms, Band
from blindmatch.protocol.aggregate.messages import AggregateChunk
from blindmatch.protocol.aggregate.statements import (
    COMMITMENT_TYPE,
    OUTCOME_TYPE,
    AggregateCommitment,
    AggregateOutcome,
    OutcomeContext,
)
from blindmatch.protocol.aggregate.transitions import AggregateState
from blindmatch.protocol.errors import PeerCode, PeerError, StoreError
from blindmatch.protocol.limits import LIMITS
from blindmatch.protocol.session.messages import Header
from blindmatch.protocol.transcript import Signed, sign

COUNT = AggregateEdge.count(
    [[1, 2], [2, 3], [4, 9], [5, 6], [2, 7], [8, 11]], [2, 4, 6, 8, 10, 12, 14], minimum=3
)
SUM = AggregateEdge.sum(
    [1, 2, 3, 4, 50, 60], [[1, 2], [2, 3], [4], [5, 6], [1, 7]], [10, 20, 0, 7, 500], minimum=3
)
EDGES = {"count": COUNT, "sum": SUM}
both = pytest.mark.parametrize("edge", EDGES.values(), ids=EDGES)
HEADER = Header(COUNT.context.round_id, COUNT.context.edge, 0)

TRANSFERS = {
    "points": (AggregateState.EXCHANGING, "receiver", "sender", "points_chunk", "receive_points"),
    "returned": (AggregateState.COLLECTING, "sender", "receiver", "points_chunk", "receive_points"),
    "masked": (AggregateState.ANSWERING, "receiver", "sender", "masked_chunk", "receive_masked"),
}
transfers = pytest.mark.parametrize("transfer", TRANSFERS)


def refused(code, session, call):
    """The call is refused with this code, and nothing works on the session any more."""
    with pytest.raises(PeerError) as caught:
        call()
    assert caught.value.code is code, caught.value
    assert session.state is AggregateState.FAILED
    assert session.failure is caught.value
    assert not any(secret.any() for secret in session._secrets)
    with pytest.raises(PeerError) as later:
        session.receive_commitment(Signed(b"", bytes(64)))
    assert later.value.code is PeerCode.WRONG_STATE


def ready(edge, transfer):
    """A session that waits for the transfer's first chunk, that chunk, and how to give it one."""
    state, giving, taking, chunk, receive = TRANSFERS[transfer]
    pair = edge.at(state)
    session = getattr(pair, taking).session
    first = getattr(getattr(pair, giving).session, chunk)(0)
    return session, first, getattr(session, receive)


@pytest.mark.parametrize(
    ("size", "width", "code"),
    [
        (0, 32, PeerCode.BAD_MESSAGE),
        (31, 32, PeerCode.BAD_MESSAGE),
        (33, 32, PeerCode.BAD_MESSAGE),
        (32 * 16_385, 32, PeerCode.OVERSIZE),
        (LIMITS.chunk_tag_bytes + 16, 16, PeerCode.OVERSIZE),
    ],
)
def test_rows_truncated_or_oversize(size, width, code):
    with pytest.raises(PeerError) as caught:
        AggregateChunk.parse(HEADER, bytes(size), width)
    assert caught.value.code is code


@pytest.mark.parametrize(
    "rows", [np.zeros((0, 32), np.uint8), np.zeros(32, np.uint8), np.zeros((2, 32), np.int64)]
)
def test_rows_of_another_form(rows):
    with pytest.raises(PeerError) as caught:
        AggregateChunk(HEADER, rows)
    assert caught.value.code is PeerCode.BAD_MESSAGE


@both
@transfers
@pytest.mark.parametrize("change", [{"round_id": b"another-round-id"}, {"edge": "another-edge"}])
def test_a_chunk_of_another_round_or_edge(edge, transfer, change):
    session, chunk, receive = ready(edge, transfer)
    lie = replace(chunk, header=replace(chunk.header, **change))
    refused(PeerCode.UNKNOWN_ROUND, session, lambda: receive(lie))


@both
@transfers
@pytest.mark.parametrize("index", [1, 2, 2**62])
def test_chunks_out_of_order(edge, transfer, index):
    session, chunk, receive = ready(edge, transfer)
    lie = replace(chunk, header=replace(chunk.header, sequence=index))
    refused(PeerCode.BAD_SEQUENCE, session, lambda: receive(lie))


@both
@transfers
@pytest.mark.parametrize("more", [-1, 1])
def test_a_chunk_of_another_count(edge, transfer, more):
    edge = replace(edge, limits=replace(edge.limits, chunk_elements=64))
    session, chunk, receive = ready(edge, transfer)
    rows = chunk.rows[:-1] if more < 0 else np.concatenate([chunk.rows, chunk.rows[:1]])
    refused(PeerCode.BAD_COUNT, session, lambda: receive(replace(chunk, rows=rows)))


@both
@transfers
@pytest.mark.parametrize("more", [-8, 8])
def test_a_chunk_of_another_width(edge, transfer, more):
    session, chunk, receive = ready(edge, transfer)
    width = chunk.rows.shape[1] + more
    rows = np.resize(chunk.rows, (len(chunk.rows), width))
    refused(PeerCode.BAD_MESSAGE, session, lambda: receive(replace(chunk, rows=rows)))


@both
@transfers
def test_a_chunk_replayed_is_taken_once_and_altered_is_refused(edge, transfer):
    session, chunk, receive = ready(edge, transfer)
    receive(chunk)
    before = session.snapshot()
    receive(chunk)
    assert session.snapshot() == before
    altered = chunk.rows.copy()
    altered[0, 0] ^= 1
    refused(PeerCode.ALTERED_CHUNK, session, lambda: receive(replace(chunk, rows=altered)))


NOT_POINTS = {
    "identity": bytes(32),
    "not canonical": (2**255 - 19).to_bytes(32, "little"),
    "not on the group": bytes.fromhex("26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371"),
    "top bit": b"\xff" * 32,
}


@both
@pytest.mark.parametrize("kind", NOT_POINTS)
def test_points_that_are_none(edge, kind):
    bad = np.frombuffer(NOT_POINTS[kind], dtype=np.uint8)
    session, chunk, receive = ready(edge, "points")
    rows = chunk.rows.copy()
    rows[1, :32] = bad
    code = PeerCode.BAD_POINT
    if session.points_chunks > 1:  # the commitment is compared with the last chunk of it
        refused(code, session, lambda: receive(replace(chunk, rows=rows)))
    session, chunk, receive = ready(edge, "returned")
    rows = chunk.rows.copy()
    rows[0, :32] = bad

    def take_and_mask():
        receive(replace(chunk, rows=rows))
        session.mask_chunk(0)

    refused(code, session, take_and_mask)


@pytest.mark.parametrize("kind", NOT_POINTS)
@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize("row", [0, 3])
def test_values_that_are_no_ciphertexts_are_refused_whether_they_match_or_not(kind, half, row):
    """Were only those that are added looked at, a refusal would tell which entries match."""
    edge = replace(SUM, limits=replace(SUM.limits, chunk_elements=64))
    session, chunk, receive = ready(edge, "masked")
    rows = chunk.rows.copy()
    start = rows.shape[1] - 64 + 32 * half
    rows[row, start : start + 32] = np.frombuffer(NOT_POINTS[kind], dtype=np.uint8)
    refused(PeerCode.BAD_POINT, session, lambda: receive(replace(chunk, rows=rows)))


@both
@pytest.mark.parametrize("transfer", ["points", "returned"])
def test_points_that_were_not_committed_to(edge, transfer):
    """Found at the last chunk: nothing that depends on matches has left by then."""
    edge = replace(edge, limits=replace(edge.limits, chunk_elements=64))
    session, chunk, receive = ready(edge, transfer)
    rows = chunk.rows.copy()
    rows[0, :32] = oprf.hash_to_group(np.zeros((1, 4), dtype=np.uint8), oprf.Mode.OPRF)[0]
    refused(PeerCode.BAD_COMMITMENT, session, lambda: receive(replace(chunk, rows=rows)))


@both
def test_what_is_asked_for_too_early(edge):
    for state, call in (
        (AggregateState.EXCHANGING, lambda sender: sender.points_chunk(0)),
        (AggregateState.EXCHANGING, lambda sender: sender.outcome()),
        (AggregateState.COLLECTING, lambda sender: sender.outcome()),
        (AggregateState.ANSWERING, lambda sender: sender.outcome()),
        (AggregateState.ANSWERING, lambda sender: sender.countersign(Signed(b"", bytes(64)), CLOSED_AT)),
        # Not before the outcome was asked for: a receipt says that the round came to its end.
        (AggregateState.ASKING, lambda sender: sender.countersign(Signed(b"", bytes(64)), CLOSED_AT)),
    ):
        session = edge.at(state).sender.session
        refused(PeerCode.WRONG_STATE, session, lambda call=call, session=session: call(session))


@both
def test_masked_tags_before_the_points_came(edge):
    pair = edge.at(AggregateState.EXCHANGING)
    width = pair.sender.session.width("masked")
    chunk = AggregateChunk(HEADER, np.zeros((1, width), dtype=np.uint8))
    refused(PeerCode.WRONG_STATE, pair.sender.session, lambda: pair.sender.session.receive_masked(chunk))


@both
@pytest.mark.parametrize("index", [-1, 99])
def test_points_asked_for_beyond_the_last(edge, index):
    session = edge.at(AggregateState.COLLECTING).sender.session
    refused(PeerCode.BAD_SEQUENCE, session, lambda: session.points_chunk(index))


@both
def test_acknowledgements_out_of_order(edge):
    for state, call in (
        (AggregateState.EXCHANGING, "acknowledge_points"),
        (AggregateState.ANSWERING, "acknowledge_masked"),
    ):
        session = edge.at(state).receiver.session
        refused(PeerCode.BAD_SEQUENCE, session, lambda it=session, call=call: getattr(it, call)(1))


def test_masked_tags_out_of_order():
    edge = replace(COUNT, limits=replace(COUNT.limits, chunk_elements=64))
    for change in (lambda rows: rows[::-1].copy(), lambda rows: np.repeat(rows[:1], len(rows), axis=0)):
        session, chunk, receive = ready(edge, "masked")
        lie = replace(chunk, rows=change(chunk.rows))
        refused(PeerCode.BAD_TAGS, session, lambda receive=receive, lie=lie: receive(lie))


def test_equal_points_of_the_sender_are_refused():
    """A sender that repeats a point would see it return with the same tag."""
    edge = replace(COUNT, limits=replace(COUNT.limits, chunk_elements=64))
    pair = edge.at(AggregateState.COLLECTING)
    receiver = pair.receiver.session
    rows = pair.sender.session.points_chunk(0).rows.copy()
    rows[1] = rows[0]
    from blindmatch.protocol.session.chunks import chunk_digest  # noqa: PLC0415 - a lie from the start
    from blindmatch.protocol.transcript import digest  # noqa: PLC0415

    receiver._at.peer_contents = digest(b"returned_digests", chunk_digest("returned", 0, rows))
    receiver.receive_points(AggregateChunk(HEADER, rows))
    receiver.mask_chunk(0)
    refused(PeerCode.BAD_TAGS, receiver, receiver.arrange_masked)


# Commitments.


def commitment(edge, who):
    pair = edge.at(AggregateState.EXCHANGING)
    kind = "commitment" if who == "council" else "open"
    said = next(each for each in pair.sent if (each.sender, each.kind) == (who, kind))
    signed = Signed(said.content()[:-64], said.content()[-64:])
    key = COUNCIL if who == "council" else POLICE
    role = pair.sender.session._role if who == "council" else pair.receiver.session._role
    return AggregateCommitment.check(signed, key.public, role, edge.context)


def waiting(edge, who):
    """A session that waits for the commitment of `who`."""
    return edge.at(AggregateState.COMMITTED).receiver.session if who == "council" else edge.sender()


SHAPES = [
    ("count", "police", {"group": 0}, PeerCode.BAD_COMMITMENT),
    ("count", "police", {"group": 5}, PeerCode.BAD_COMMITMENT),
    ("count", "police", {"group": 1 << 20}, PeerCode.BAD_COMMITMENT),
    ("count", "police", {"copies": 0}, PeerCode.BAD_COMMITMENT),
    ("count", "police", {"copies": 3}, PeerCode.BAD_COMMITMENT),
    ("count", "police", {"copies": 32}, PeerCode.BAD_COMMITMENT),
    ("count", "police", {"elements": 0}, PeerCode.BAD_COUNT),
    ("count", "police", {"elements": 1 << 40}, PeerCode.OVER_LIMIT),
    ("count", "police", {"public_key": bytes([1] * 32)}, PeerCode.BAD_COMMITMENT),
    ("count", "council", {"group": 7}, PeerCode.BAD_COMMITMENT),
    ("count", "council", {"copies": 2}, PeerCode.BAD_COMMITMENT),
    ("sum", "council", {"group": 3}, PeerCode.BAD_COMMITMENT),
    ("sum", "council", {"copies": 16}, PeerCode.BAD_COMMITMENT),
    ("sum", "council", {"proof": bytes(64)}, PeerCode.BAD_PROOF),
    ("sum", "council", {"public_key": bytes(32), "proof": bytes(64)}, PeerCode.BAD_COMMITMENT),
    ("sum", "council", {"public_key": b"\xff" * 32}, PeerCode.BAD_POINT),
    ("sum", "police", {"group": 2}, PeerCode.BAD_COMMITMENT),
    ("sum", "police", {"copies": 2}, PeerCode.BAD_COMMITMENT),
    ("sum", "police", {"proof": b"\x01" * 64}, PeerCode.BAD_PROOF),
    ("sum", "police", {"public_key": b"\x01" * 32}, PeerCode.BAD_POINT),
]


@pytest.mark.parametrize(("name", "who", "change", "code"), SHAPES)
def test_a_commitment_of_an_impossible_shape(name, who, change, code):
    edge = EDGES[name]
    lie = replace(commitment(edge, who), **change)
    signed = sign(COUNCIL if who == "council" else POLICE, COMMITMENT_TYPE, lie.payload(edge.context))
    session = waiting(edge, who)
    refused(code, session, lambda: session.receive_commitment(signed))


def test_records_cut_into_pieces_are_refused():
    """Each token a record of its own would reach the minimum sooner than the records do."""
    edge = replace(COUNT, number=replace(COUNT.number, record=COUNT.ours.group))
    assert edge.connect().run() is not None
    lie = replace(commitment(COUNT, "police"), group=1)
    session = edge.sender()
    signed = sign(POLICE, COMMITMENT_TYPE, lie.payload(edge.context))
    refused(PeerCode.BAD_COMMITMENT, session, lambda: session.receive_commitment(signed))


@pytest.mark.parametrize("who", ["police", "council"])
def test_a_share_that_is_the_others_own(who):
    """Who repeats the other's share cannot prove it; the very statement of the other is for the other role."""
    other = commitment(SUM, "council" if who == "police" else "police")
    mine = commitment(SUM, who)
    lie = replace(mine, public_key=other.public_key, proof=other.proof)
    signed = sign(COUNCIL if who == "council" else POLICE, COMMITMENT_TYPE, lie.payload(SUM.context))
    session = waiting(SUM, who)
    refused(PeerCode.BAD_PROOF, session, lambda: session.receive_commitment(signed))


@both
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"round_id": b"another-round-id"}, PeerCode.UNKNOWN_ROUND),
        ({"edge": "another"}, PeerCode.UNKNOWN_ROUND),
        ({"agreement": b"b" * 32}, PeerCode.UNKNOWN_AGREEMENT),
        ({"receiver": "somebody"}, PeerCode.WRONG_AGENCY),
        ({"keys_digest": b"z" * 32}, PeerCode.SCHEMA_MISMATCH),
    ],
)
def test_a_commitment_about_something_else(edge, change, code):
    elsewhere = replace(edge.context, **change)
    signed = sign(POLICE, COMMITMENT_TYPE, commitment(edge, "police").payload(elsewhere))
    session = edge.sender()
    refused(code, session, lambda: session.receive_commitment(signed))


@both
def test_a_commitment_of_another_hand_or_another_one_later(edge):
    signed = sign(COUNCIL, COMMITMENT_TYPE, commitment(edge, "police").payload(edge.context))
    session = edge.sender()
    refused(PeerCode.BAD_SIGNATURE, session, lambda: session.receive_commitment(signed))
    session = edge.at(AggregateState.EXCHANGING).sender.session
    other = replace(commitment(edge, "police"), contents=b"x" * 32)
    signed = sign(POLICE, COMMITMENT_TYPE, other.payload(edge.context))
    refused(PeerCode.BAD_COMMITMENT, session, lambda: session.receive_commitment(signed))


# Outcomes and receipts.


def outcome_of(pair, edge, **changes):
    said = AggregateOutcome.check(
        pair.sender.session.outcome(), COUNCIL.public, edge.context, edge.number, most=100
    )
    return sign(
        COUNCIL, OUTCOME_TYPE, replace(said, **changes).payload(OutcomeContext(edge.context, edge.number))
    )


@both
def test_an_outcome_of_another_exchange(edge):
    for changes in ({"transcript": b"t" * 32}, {"disclosed": False, "band": Band(1, 1)}):
        pair = edge.at(AggregateState.ASKING)
        session, lie = pair.receiver.session, outcome_of(pair, edge, **changes)
        refused(PeerCode.BAD_OUTCOME, session, lambda it=session, lie=lie: it.receive_outcome(lie))


def test_an_outcome_under_another_share():
    pair = SUM.at(AggregateState.ASKING)
    session, lie = pair.receiver.session, outcome_of(pair, SUM, share=b"s" * 32)
    refused(PeerCode.BAD_OUTCOME, session, lambda: session.receive_outcome(lie))


@both
def test_another_outcome_later(edge):
    pair = edge.at(AggregateState.ASKING)
    session, first = pair.receiver.session, pair.sender.session.outcome()
    session.receive_outcome(first)
    session.receive_outcome(first)
    if edge is COUNT:
        other = outcome_of(pair, edge, band=Band(3, 3))
    else:
        other = outcome_of(pair, edge, left=elgamal.public_share(np.full(32, 2, dtype=np.uint8)).tobytes())
    refused(PeerCode.BAD_OUTCOME, session, lambda: session.receive_outcome(other))


def test_a_count_of_more_records_than_there_are():
    pair = COUNT.at(AggregateState.ASKING)
    session, lie = pair.receiver.session, outcome_of(pair, COUNT, band=Band(7, 7))
    refused(PeerCode.BAD_OUTCOME, session, lambda: session.receive_outcome(lie))


def test_a_sum_that_nobody_can_find_is_the_senders_fault():
    edge = replace(SUM, number=AggregateTerms(3, 1 << 30))  # sums below 2^10 only
    edge = replace(edge, theirs=replace(edge.theirs, values=np.array([1, 1, 1, 1, 1])))
    pair = edge.at(AggregateState.ASKING)
    point = elgamal.public_share(np.full(32, 3, dtype=np.uint8)).tobytes()
    pair.receiver.session.receive_outcome(outcome_of(pair, edge, right=point))
    with pytest.raises(PeerError) as caught:
        pair.receiver.session.reveal()
    assert caught.value.code is PeerCode.BAD_OUTCOME


@both
def test_receipts_that_say_something_else(edge):
    for change in ("elements", "transcript", "times", "hand"):
        pair = edge.at(AggregateState.INFORMED)
        session = pair.sender.session
        terms = pair.receiver.session._receipt(OPENED_AT, CLOSED_AT)
        terms = {
            "elements": replace(terms, receiver_elements=terms.receiver_elements + 1),
            "transcript": replace(terms, transcript=b"t" * 32),
            "times": replace(terms, opened_at=CLOSED_AT + 1),
            "hand": terms,
        }[change]
        signer = COUNCIL if change == "hand" else POLICE
        receipt = sign(signer, "application/vnd.blindmatch.receipt.v1", terms.payload(edge.context))
        code = PeerCode.BAD_SIGNATURE if change == "hand" else PeerCode.BAD_RECEIPT
        refused(code, session, lambda it=session, receipt=receipt: it.countersign(receipt, CLOSED_AT))


@both
def test_a_receipt_again_after_closing(edge):
    pair = edge.at(AggregateState.INFORMED)
    sender, receipt = pair.sender.session, pair.receiver.session.receipt(OPENED_AT, CLOSED_AT)
    first = sender.countersign(receipt, CLOSED_AT)
    assert sender.countersign(receipt, CLOSED_AT) == first
    other = pair.receiver.session._receipt(OPENED_AT, CLOSED_AT - 1).payload(edge.context)
    with pytest.raises(PeerError) as caught:
        sender.countersign(sign(POLICE, "application/vnd.blindmatch.receipt.v1", other), CLOSED_AT)
    assert caught.value.code is PeerCode.BAD_RECEIPT
    assert sender.state is AggregateState.CLOSED


@both
def test_altered_working_files_are_found(edge):
    """What the peer committed to, or was sent, is compared with its digest when it is used again."""
    pair = edge.at(AggregateState.COLLECTING)
    pair.receiver.session._array("points_digests")[0] ^= 1
    with pytest.raises(StoreError, match="altered or lost"):
        pair.receiver.restart()
    pair = edge.at(AggregateState.INFORMED)
    pair.receiver.session._array("outcome")[0, -1] ^= 1
    with pytest.raises(StoreError, match="altered or lost"):
        pair.receiver.session.reveal()
