"""Whatever the collections, chunks and bytes: plain set intersection, one result, and no error but the peer's."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.hits_sessions import COUNCIL, POLICE, Edge

from blindmatch.protocol.errors import PeerError
from blindmatch.protocol.hits.messages import TagChunk
from blindmatch.protocol.hits.transitions import HitsState
from blindmatch.protocol.limits import Limits
from blindmatch.protocol.session.messages import BlindedChunk, EvaluatedChunk, Header
from blindmatch.protocol.session.statements import COMMITMENT_TYPE, RECEIPT_TYPE, ReceiptTerms
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.transcript import Signed, decode, encode, sign

ours = st.lists(st.integers(0, 25), min_size=1, max_size=14)
theirs = st.lists(st.integers(0, 25), min_size=1, max_size=14, unique=True)


def _edge(receiver, sender, facts, verified, chunk_elements):
    return Edge.of(
        receiver,
        sender,
        facts=[value * 3 for value in sender] if facts else None,
        verified=verified,
        chunk_elements=chunk_elements,
    )


@given(ours, theirs, st.booleans(), st.booleans(), st.integers(1, 16))
def test_the_result_is_plain_set_intersection(receiver, sender, facts, verified, chunk_elements):
    network = _edge(receiver, sender, facts, verified, chunk_elements).connect()
    hits = network.run()
    assert hits.elements.tolist() == [index for index, value in enumerate(receiver) if value in set(sender)]
    if facts:
        said = [int.from_bytes(row.tobytes(), "big") for row in hits.facts]
        assert said == [receiver[index] * 3 for index in hits.elements]
    assert all(message.checkpointed for message in network.sent)


@given(ours, theirs, st.integers(1, 16), st.integers(1, 16), st.integers(1, 400))
def test_chunking_never_changes_a_result(receiver, sender, one, other, tag_bytes):
    edge = _edge(receiver, sender, True, False, one)
    first = edge.connect().run()
    second = replace(edge, limits=Limits(chunk_elements=other, chunk_tag_bytes=tag_bytes)).connect().run()
    assert first.elements.tolist() == second.elements.tolist()
    assert np.array_equal(first.facts, second.facts)


def _secretish(network, edge):
    """Every point, tag and key of one round, by its bytes."""
    found = {network.sender.session._public}
    for message in network.sent:
        if isinstance(message.body, BlindedChunk | EvaluatedChunk):
            found |= {row.tobytes() for row in message.body.points}
        elif isinstance(message.body, TagChunk):
            found |= {row[:16].tobytes() for row in message.body.rows}
            found |= {row[16:].tobytes() for row in message.body.rows if edge.facts is not None}
    return found


@given(ours, theirs, st.booleans(), st.binary(min_size=64, max_size=64))
def test_two_rounds_over_the_same_data_share_nothing(receiver, sender, facts, seeds):
    one = _edge(receiver, sender, facts, True, 4)
    fresh = {"receiver_seed": seeds[:32], "sender_seed": seeds[32:]}
    two = replace(one, context=replace(one.context, round_id=b"the-second-round"), **fresh)
    # A seed used twice by mistake is not enough to make two rounds alike either.
    three = replace(one, context=replace(one.context, round_id=b"the-third--round"))
    rounds = []
    for edge in (one, two, three):
        network = edge.connect()
        network.run()
        rounds.append(_secretish(network, edge))
    for index, this in enumerate(rounds):
        for that in rounds[index + 1 :]:
            assert this.isdisjoint(that)


def _only_peer_error(call):
    try:
        call()
    except PeerError:
        return
    raise AssertionError("accepted")


@given(st.binary(max_size=300))
def test_garbage_instead_of_a_statement_is_a_peer_error(data):
    edge = Edge.of([1], [2])
    for receiver, key, kind in (
        (edge.receiver(), COUNCIL, COMMITMENT_TYPE),
        (edge.receiver(), POLICE, RECEIPT_TYPE),
    ):
        receiver.prepare_chunk(0)
        receiver.commit()
        _only_peer_error(
            lambda receiver=receiver, key=key, kind=kind: receiver.receive_commitment(sign(key, kind, data))
        )
        assert receiver.state is HitsState.FAILED
    _only_peer_error(lambda: ReceiptTerms.parse(data, edge.context.row_bytes))
    _only_peer_error(lambda: edge.sender().receive_commitment(Signed(data, bytes(64))))


@given(
    st.sampled_from([COMMITMENT_TYPE, RECEIPT_TYPE]),
    st.lists(st.one_of(st.integers(0, 2**64 - 1), st.text(max_size=20), st.binary(max_size=40)), max_size=15),
)
def test_well_formed_statements_of_other_fields_are_peer_errors(kind, fields):
    edge = Edge.of([1], [2])
    sender = edge.sender()
    _only_peer_error(lambda: sender.receive_commitment(sign(POLICE, COMMITMENT_TYPE, encode(kind, *fields))))
    _only_peer_error(lambda: ReceiptTerms.parse(encode(kind, *fields), edge.context))


@given(
    st.binary(max_size=20),
    st.text(max_size=70),
    st.integers(-(2**70), 2**70),
    st.integers(0, 3),
    st.binary(max_size=200),
    st.binary(max_size=70),
)
def test_garbage_on_the_wire_is_a_peer_error(round_id, name, sequence, version, data, proof):
    """Parsed from bytes as they come, then offered to sessions that wait for exactly such a message."""
    edge = Edge.of([1, 2, 3, 4, 5], [2, 3])
    receiver, sender, collecting = _waiting()

    def evaluate():
        sender.evaluate(BlindedChunk.parse(Header(round_id, name, sequence, version), data))

    def receive():
        receiver.receive_evaluated(
            EvaluatedChunk.parse(Header(round_id, name, sequence, version), data, proof)
        )

    def tags():
        collecting.receive_tags(
            TagChunk.parse(Header(round_id, name, sequence, version), data, edge.context.row_bytes)
        )

    for call in (evaluate, receive, tags):
        _only_peer_error(call)


@given(st.integers(0, 3), st.binary(max_size=200), st.binary(max_size=70))
def test_garbage_under_a_good_header_is_a_peer_error(sequence, data, proof):
    edge = Edge.of([1, 2, 3, 4, 5], [2, 3])
    receiver, sender, collecting = _waiting()
    header = Header(edge.context.round_id, edge.context.edge, sequence)

    def receive():
        receiver.receive_evaluated(EvaluatedChunk.parse(header, data, proof))
        receiver.unblind_chunk(0)

    _only_peer_error(lambda: sender.evaluate(BlindedChunk.parse(header, data)))
    _only_peer_error(receive)
    _only_peer_error(lambda: collecting.receive_tags(TagChunk.parse(header, data, edge.context.row_bytes)))


@given(st.binary(min_size=128, max_size=128))
def test_points_of_garbage_are_a_peer_error_at_last(data):
    """As many bytes as the chunk has; the top bit of the first point makes it no canonical encoding for sure."""
    data = data[:31] + bytes([data[31] | 0x80]) + data[32:]
    receiver, sender, _ = _waiting()
    header = Header(receiver.context.round_id, receiver.context.edge, 0)
    receiver.receive_evaluated(EvaluatedChunk.parse(header, data, b""))
    _only_peer_error(lambda: receiver.unblind_chunk(0))
    _only_peer_error(lambda: sender.evaluate(BlindedChunk.parse(header, data)))
    assert receiver.state is sender.state is HitsState.FAILED


def _waiting():
    """A receiver and a sender that exchange, and a receiver that waits for tags."""
    edge = Edge.of([1, 2, 3, 4, 5], [2, 3])
    pairs = [(edge.receiver(), edge.sender()) for _ in range(2)]
    for pair in pairs:
        receiver, sender = pair
        for session in pair:
            for index in range(session.chunks):
                session.prepare_chunk(index)
        sender.receive_commitment(receiver.commit())
        receiver.receive_commitment(sender.commit())
    collecting, other = pairs[1]
    for index in range(collecting.chunks):
        collecting.receive_evaluated(other.evaluate(collecting.blinded_chunk(index)))
    return *pairs[0], collecting


@given(
    st.integers(1, 2**64 - 1),
    st.integers(1, 2**64 - 1),
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
)
def test_receipts_round_trip(ours, theirs, transcript, opened_at, closed_at):
    context = Edge.of([1], [2]).context
    terms = ReceiptTerms(ours, theirs, transcript, opened_at, closed_at)
    assert ReceiptTerms.parse(terms.payload(context), context) == terms


@given(st.lists(st.one_of(st.integers(0, 2**64 - 1), st.text(max_size=9), st.binary(max_size=9)), max_size=6))
def test_encoding_round_trips(values):
    fields = decode("label", encode("label", *values))
    for value in values:
        if isinstance(value, bytes):
            assert fields.data(len(value)) == value
        elif isinstance(value, str):
            assert fields.text() == value
        else:
            assert fields.integer() == value
    fields.end()


@pytest.mark.parametrize("role", Role)
def test_snapshots_have_one_size_whatever_the_collection(role):
    sizes = set()
    for count in (1, 3, 9):
        edge = Edge.of(list(range(count)), list(range(count)))
        session = edge.receiver() if role is Role.RECEIVER else edge.sender()
        sizes.add(len(session.snapshot()))
    assert len(sizes) == 1
