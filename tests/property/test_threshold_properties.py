"""Whatever the lists: what stands in at least t of n, in the clear; whatever the crash: the same bytes; garbage: a PeerError."""

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.threshold_line import build
from tests.support.threshold_sessions import NAMES, SIGNERS, ThresholdInputs

from blindmatch.protocol.errors import PeerError
from blindmatch.protocol.limits import Limits
from blindmatch.protocol.session.messages import BlindedChunk, EvaluatedChunk, Header, RowsChunk
from blindmatch.protocol.threshold.messages import CommittedChunks
from blindmatch.protocol.threshold.statements import (
    ATTESTATION_TYPE,
    COMMITMENT_TYPE,
    OUTCOME_TYPE,
    RECEIPT_TYPE,
    TABLES_TYPE,
)
from blindmatch.protocol.threshold.transitions import ThresholdState
from blindmatch.protocol.transcript import Signed, encode, sign

lists = st.lists(
    st.lists(st.integers(0, 12), min_size=1, max_size=7, unique=True).map(tuple), min_size=2, max_size=6
).map(tuple)


@given(lists, st.data())
@settings(max_examples=25)
def test_the_result_is_what_at_least_t_hold_in_the_clear(values, data):
    at_least = data.draw(st.integers(2, len(values)))
    circle = ThresholdInputs(values, at_least)
    ring = circle.connect()
    assert ring.run() == circle.expected()
    held = sorted(tuple(row) for row in ring.shared.held.tolist())
    everything = {value for each in values for value in each}
    clear = [tuple(value in each for each in values) for value in everything]
    assert held == sorted(row for row in clear if sum(row) >= at_least)


@given(lists, st.data())
@settings(max_examples=10)
def test_under_the_minimum_nobody_is_told_anything(values, data):
    at_least = data.draw(st.integers(2, len(values)))
    found = len(
        {values[i][e] for i, row in enumerate(ThresholdInputs(values, at_least).expected()) for e in row}
    )
    ring = replace(ThresholdInputs(values, at_least), minimum_count=found + 1).connect()
    assert ring.run() == [[] for _ in values]
    assert len(ring.shared) == 0


@given(st.integers(1, 9), st.integers(16, 5_000))
@settings(max_examples=8)
def test_chunking_never_changes_a_result(elements, cells):
    circle = ThresholdInputs(((1, 2, 3, 4, 5), (3, 4, 5, 6), (5, 1, 9)), 2)
    limits = Limits(chunk_elements=elements, chunk_tag_bytes=cells)
    assert replace(circle, limits=limits).connect().run() == circle.expected()


def test_a_collector_may_be_a_member():
    circle = replace(ThresholdInputs(((1, 2, 3), (2, 3), (3, 1)), 2), collector_name=NAMES[0])
    assert circle.connect().run() == circle.expected()


SMALL = ThresholdInputs(
    ((1, 2, 3, 4, 5), (3, 4, 9), (5, 4, 8)), 2, limits=Limits(chunk_elements=4, chunk_tag_bytes=1 << 20)
)


def _sent(ring):
    """The bytes that do not depend on who crashed."""
    said = [party.session._array("table").tobytes() for party in ring.members]
    said += [party.session._array("blinded").tobytes() for party in ring.members]
    collector = ring.collector.session
    said += [collector._array(f"outcome-{place}").tobytes() for place in range(len(ring.members))]
    return [*said, collector.receipt_payload]


PAIR = ThresholdInputs(((1, 2, 3, 4, 5), (3, 9)), 2, limits=Limits(chunk_elements=4, chunk_tag_bytes=1 << 11))


@pytest.mark.parametrize("who", range(3))
def test_a_crash_at_every_checkpoint_changes_nothing(who):
    quiet = PAIR.connect()
    assert quiet.run() == PAIR.expected()
    party = (*quiet.members, quiet.collector)[who]
    for point in range(party.points):
        ring = PAIR.connect()
        (*ring.members, ring.collector)[who].crash_in = point
        assert ring.run() == PAIR.expected()
        assert _sent(ring) == _sent(quiet)


def _waiting():
    """A member that exchanges, a second one, one that waits for its outcome, and a collector that waits for tables."""
    exchanging = SMALL.connect()
    exchanging.commit()
    collecting = SMALL.connect()
    collecting.commit()
    collecting.exchange()
    for party in collecting.members:
        build(party)
    return exchanging, collecting


def _only_peer_error(call):
    try:
        call()
    except PeerError:
        return
    raise AssertionError("accepted")


@given(
    st.sampled_from([NAMES[1], NAMES[0], "nobody", ""]),
    st.sampled_from([b"round-0123456789", b"another round---"]),
    st.integers(0, 3),
    st.binary(max_size=200),
)
@settings(max_examples=12)
def test_garbage_in_messages_is_a_peer_error(member, round_id, sequence, data):
    exchanging, collecting = _waiting()

    def header():
        return Header(round_id, "many", sequence)

    _only_peer_error(
        lambda: exchanging.members[0].session.evaluate(member, BlindedChunk.parse(header(), data + b"x" * 32))
    )

    def deliver():
        session = exchanging.members[2].session
        session.receive_evaluated(member, EvaluatedChunk.parse(header(), data, b""))
        session.receive_attestation(member, Signed(data, bytes(64)))

    _only_peer_error(deliver)
    waiting = collecting.members[0].session
    _only_peer_error(lambda: waiting.receive_outcome_chunk(RowsChunk.parse(header(), data, 1)))
    _only_peer_error(
        lambda: collecting.collector.session.receive_table_chunk(member, RowsChunk.parse(header(), data, 16))
    )


@given(
    st.sampled_from([COMMITMENT_TYPE, ATTESTATION_TYPE, TABLES_TYPE, OUTCOME_TYPE, RECEIPT_TYPE]),
    st.lists(st.one_of(st.integers(0, 2**64 - 1), st.text(max_size=9), st.binary(max_size=40)), max_size=12),
    st.binary(max_size=60),
)
@settings(max_examples=12)
def test_garbage_in_signed_statements_is_a_peer_error(kind, fields, tail):
    """Signed by the very agency that should sign."""
    payload = encode(kind, *fields) + tail
    exchanging, collecting = _waiting()
    member, collector = collecting.members[0].session, collecting.collector.session
    theirs = sign(SIGNERS[NAMES[1]], kind, payload)
    ours = sign(SIGNERS["collector"], kind, payload)
    _only_peer_error(lambda: member.receive_outcome(ours))
    _only_peer_error(lambda: collector.receive_tables(NAMES[1], theirs))
    fresh = SMALL.connect()
    _only_peer_error(
        lambda: fresh.collector.session.receive_commitment(NAMES[1], CommittedChunks(theirs, bytes(32)))
    )
    first = exchanging.members[0].session
    answers = [exchanging.members[1].session.evaluate(NAMES[0], first.blinded_chunk(i)) for i in range(2)]
    for answer in answers:
        first.receive_evaluated(NAMES[1], answer)
    _only_peer_error(lambda: first.receive_attestation(NAMES[1], theirs))
    done = SMALL.connect()
    done.commit()
    done.exchange()
    done.collect()
    done.search()
    done.collector.session.receipt(1, 2)
    told = done.members[0].session
    told.receive_outcome(done.collector.session.outcome(NAMES[0]))
    told.receive_outcome_chunk(done.collector.session.outcome_chunk(NAMES[0], 0))
    tables = done.collector.session.table_statements()
    _only_peer_error(lambda: told.countersign(ours, tables, 2))


def test_random_lists_of_hundreds_of_elements():
    draw = random.Random(5)
    values = tuple(tuple(draw.sample(range(600), 250)) for _ in range(4))
    circle = ThresholdInputs(values, 3, limits=Limits(chunk_elements=100))
    ring = circle.connect()
    assert ring.run() == circle.expected()
    assert all(party.session.state is ThresholdState.CLOSED for party in (*ring.members, ring.collector))
    assert np.array_equal(ring.shared.held.sum(axis=1) >= 3, np.ones(len(ring.shared), dtype=bool))
