"""Whatever the lists, chunks, crashes and bytes: a count is the count in the clear, a sum the sum, and no error but the peer's."""

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.aggregate_sessions import AggregateEdge, cleartext_count, cleartext_sum
from tests.support.hits_sessions import COUNCIL, POLICE

from blindmatch.protocol.aggregate.disclosure_control import AggregateTerms
from blindmatch.protocol.aggregate.elgamal import Opening
from blindmatch.protocol.aggregate.messages import AggregateChunk
from blindmatch.protocol.aggregate.statements import (
    COMMITMENT_TYPE,
    OUTCOME_TYPE,
    REPORT_TYPE,
    AggregateCommitment,
    AggregateOutcome,
    AggregateReport,
    OutcomeContext,
)
from blindmatch.protocol.aggregate.transitions import AggregateState
from blindmatch.protocol.errors import PeerError
from blindmatch.protocol.limits import Limits
from blindmatch.protocol.session.messages import Header
from blindmatch.protocol.transcript import Signed, encode, sign

tokens = st.integers(0, 15)
group = st.lists(tokens, min_size=1, max_size=4, unique=True)
groups = st.lists(group, min_size=1, max_size=8)
distinct = st.lists(tokens, min_size=1, max_size=10, unique=True)
terms = st.tuples(st.integers(1, 5), st.integers(1, 4))


def _told(edge):
    told = edge.connect().run()
    return told.total if isinstance(told, Opening) else told


def _sum_edge(ours, theirs, values, minimum, chunk=4):
    return AggregateEdge.sum(ours, theirs, values[: len(theirs)], minimum=minimum, chunk=chunk)


amounts = st.lists(st.integers(0, 3_000), min_size=8, max_size=8)


@given(groups, distinct, terms, st.integers(1, 9))
def test_a_count_is_the_count_in_the_clear(ours, theirs, agreed, chunk):
    """Records share tokens, and are there twice: each counts once, with however many of its tokens it matches."""
    minimum, band = agreed
    edge = AggregateEdge.count(ours, theirs, minimum=minimum, band=band, chunk=chunk)
    assert _told(edge) == cleartext_count(ours, theirs, minimum, band)


@given(distinct, groups, amounts, st.integers(1, 4), st.integers(1, 9))
def test_a_sum_is_the_sum_in_the_clear(ours, theirs, values, minimum, chunk):
    """Entries share tokens: each value counts once."""
    edge = _sum_edge(ours, theirs, values, minimum, chunk)
    assert _told(edge) == cleartext_sum(ours, theirs, values[: len(theirs)], minimum)


@settings(max_examples=20)
@given(groups, distinct, amounts, st.integers(1, 20), st.integers(1, 20))
def test_chunking_never_changes_a_number(many, few, values, one, other):
    for edge in (AggregateEdge.count(many, few, minimum=1), _sum_edge(few, many, values, 1)):
        first, second = (_told(replace(edge, limits=Limits(chunk_elements=size))) for size in (one, other))
        assert first == second


COUNT = AggregateEdge.count([[1, 2], [2, 3], [4, 9], [5, 6], [2, 7]], [2, 4, 6, 8, 10, 12], minimum=3, band=2)
SUM = AggregateEdge.sum(
    [1, 2, 3, 4, 50], [[1, 2], [2, 3], [4], [5, 6], [1, 7]], [10, 20, 0, 7, 500], minimum=3
)


@pytest.mark.parametrize("edge", [COUNT, SUM], ids=["count", "sum"])
@pytest.mark.parametrize("side", ["receiver", "sender"])
def test_a_crash_at_any_point_changes_no_number_and_no_byte(edge, side):
    quiet = edge.connect()
    expected, points = quiet.run(), 0
    assert expected is not None
    said = {(each.sender, each.kind, each.index): each.content() for each in quiet.sent}
    while True:
        pair = edge.connect()
        crashing = getattr(pair, side)
        crashing.crash_in = points
        assert pair.run() == expected
        for each in pair.sent:
            assert said[each.sender, each.kind, each.index] == each.content()
        if crashing.crash_in is not None:
            break  # it never came to that point
        points += 1
    assert points > 20


@pytest.mark.parametrize("edge", [COUNT, SUM], ids=["count", "sum"])
def test_two_rounds_over_the_same_lists_share_nothing(edge):
    again = replace(edge, context=replace(edge.context, round_id=b"the-second-round"))
    seen = []
    for each in (edge, again):  # one seed for both, by mistake
        pair = each.connect()
        pair.run()
        rows = {
            said.content()[at : at + 16]
            for said in pair.sent
            if said.kind in {"points", "returned", "masked"}
            for at in range(0, len(said.content()), 16)
        }
        seen.append(rows)
    assert not seen[0] & seen[1]


def _only_peer_error(call):
    with pytest.raises(PeerError):
        call()


@given(st.binary(max_size=300))
def test_garbage_instead_of_a_statement_is_a_peer_error(data):
    for edge in (COUNT, SUM):
        receiver, sender = edge.at(AggregateState.COMMITTED).receiver.session, edge.sender()
        _only_peer_error(lambda it=receiver: it.receive_commitment(sign(COUNCIL, COMMITMENT_TYPE, data)))
        _only_peer_error(lambda it=sender: it.receive_commitment(sign(POLICE, COMMITMENT_TYPE, data)))
        assert receiver.state is sender.state is AggregateState.FAILED
        signed = sign(COUNCIL, OUTCOME_TYPE, data)
        _only_peer_error(
            lambda it=edge, signed=signed: AggregateOutcome.check(
                signed, COUNCIL.public, it.context, it.number, most=5
            )
        )
        signed = sign(POLICE, REPORT_TYPE, data)
        _only_peer_error(
            lambda it=edge, signed=signed: AggregateReport.check(
                signed, POLICE.public, it.context, Signed(b"", bytes(64))
            )
        )


@given(
    st.sampled_from([COMMITMENT_TYPE, OUTCOME_TYPE, REPORT_TYPE]),
    st.lists(st.one_of(st.integers(0, 2**64 - 1), st.text(max_size=20), st.binary(max_size=70)), max_size=18),
)
def test_well_formed_statements_of_other_fields_are_peer_errors(kind, fields):
    for edge in (COUNT, SUM):
        _only_peer_error(
            lambda it=edge: it.sender().receive_commitment(
                sign(POLICE, COMMITMENT_TYPE, encode(kind, *fields))
            )
        )
        signed = sign(COUNCIL, OUTCOME_TYPE, encode(kind, *fields))
        _only_peer_error(
            lambda it=edge, signed=signed: AggregateOutcome.check(
                signed, COUNCIL.public, it.context, it.number, most=5
            )
        )


@settings(max_examples=15)
@given(st.integers(-1, 3), st.binary(max_size=700), st.booleans())
def test_garbage_in_a_chunk_is_a_peer_error(sequence, data, fits):
    for edge in (COUNT, SUM):
        for state, name, transfer in (
            (AggregateState.EXCHANGING, "sender", "points"),
            (AggregateState.COLLECTING, "receiver", "returned"),
            (AggregateState.ANSWERING, "sender", "masked"),
        ):
            pair = edge.at(state)
            session = getattr(pair, name).session
            width, header = session.width(transfer), Header
            rows = (data * (width * 4 // max(1, len(data)) + 1))[: width * 4] if fits and data else data

            def offer(it=session, name=name, transfer=transfer, width=width, rows=rows, header=header):
                chunk = AggregateChunk.parse(
                    header(it.context.round_id, it.context.edge, sequence), rows, width
                )
                if transfer == "points":
                    it.receive_points(chunk)
                elif transfer == "masked":
                    it.receive_masked(chunk)
                    it.outcome()
                else:
                    it.receive_points(chunk)
                    it.mask_chunk(0)

            with suppress(
                PeerError
            ):  # rows of the right size may be taken for tags: whatever else is raised is our fault
                offer()


@given(st.integers(1, 2**63), st.integers(1, 2**63), st.binary(min_size=32, max_size=32), st.booleans())
def test_statements_round_trip(total, closed, digest, told):
    context, number = SUM.context, AggregateTerms(5, 10)
    point = bytes([1]) * 32
    said = AggregateOutcome(told, left=point, right=point, share=point, transcript=digest)
    signed = sign(COUNCIL, OUTCOME_TYPE, said.payload(OutcomeContext(context, number)))
    assert AggregateOutcome.check(signed, COUNCIL.public, context, number, most=9) == said
    report = AggregateReport(AggregateReport.digest_of(signed), total, bytes(64), closed)
    reported = sign(POLICE, REPORT_TYPE, report.payload(context))
    assert AggregateReport.check(reported, POLICE.public, context, signed) == report


@pytest.mark.parametrize("edge", [COUNT, SUM], ids=["count", "sum"])
def test_every_outcome_of_an_edge_has_one_size(edge):
    sizes = set()
    for minimum in (1, 3, 100):
        pair = replace(edge, number=AggregateTerms(minimum, edge.number.band)).connect()
        told = pair.run()
        assert (told is None) == (minimum == 100)
        sizes.add(len(next(each.content() for each in pair.sent if each.kind == "outcome")))
    assert len(sizes) == 1


def test_commitments_say_their_shape():
    pair = SUM.at(AggregateState.EXCHANGING)
    said = next(each for each in pair.sent if (each.sender, each.kind) == ("council", "commitment"))
    signed = Signed(said.content()[:-64], said.content()[-64:])
    read = AggregateCommitment.check(signed, COUNCIL.public, pair.sender.session._role, SUM.context)
    assert (read.group, read.copies) == (SUM.theirs.group, SUM.theirs.copies)
    assert np.count_nonzero(np.frombuffer(read.proof, dtype=np.uint8)) > 50
