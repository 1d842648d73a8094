"""Hostile or broken delta rounds and checks, one lie at a time: each gets its own code, and the session is over."""

from dataclasses import replace

import numpy as np
import pytest
from tests.support.hits_sessions import CLOSED_AT, COUNCIL, OPENED_AT, POLICE
from tests.support.standing_sessions import PeopleList, Person, World

from blindmatch.node.rounds.standing import codec as convert
from blindmatch.proto.v1 import common_pb2, standing_pb2
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.hits.messages import TagChunk
from blindmatch.protocol.hits.transitions import HitsState
from blindmatch.protocol.session.messages import Header
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.standing.single_check import (
    CheckHeader,
    Query,
    SingleRecord,
    answer_query,
    rows_of,
    submission_hits,
)
from blindmatch.protocol.standing.statements import (
    DELTA_COMMITMENT_TYPE,
    DELTA_RECEIPT_TYPE,
    ChangeCounts,
    DeltaCommitment,
    DeltaReceipt,
)
from blindmatch.protocol.transcript import Signed, sign


def person(*values, facts=0):
    return Person(tuple((key, value) for key, value in enumerate(values)), 0, facts)


OURS = [person(1, 1, 1), person(2, 2, 2), person(3, 3, 3)]
THEIRS = [person(1, 9, 1), person(2, 8, 8), person(7, 7)]
LATER = [*OURS[1:], person(5, 5, 5), person(6, 6, 6)]
THEIRS_LATER = [*THEIRS, person(5, 5, 1)]


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "verified"])
def world(request):
    return World(OURS, THEIRS, verified=request.param)


def meet(world):
    """Both sessions of a delta round, commitments exchanged."""
    mine, yours = (made.side.session for made in world.sessions(LATER, THEIRS_LATER))
    for session in (mine, yours):
        for index in range(session.chunks):
            session.prepare_chunk(index)
    yours.receive_commitment(mine.commit())
    mine.receive_commitment(yours.commit())
    return mine, yours


def collecting(world):
    mine, yours = meet(world)
    for index in range(mine.chunks):
        mine.receive_evaluated(yours.evaluate(mine.blinded_chunk(index)))
        mine.unblind_chunk(index)
    return mine, yours


def refused(code, session, call):
    with pytest.raises(PeerError) as caught:
        call()
    assert caught.value.code is code, caught.value
    assert session.state is HitsState.FAILED


def altered(session, key, change):
    """The commitment of one side with something changed, rightly signed."""
    payload = session.commit().payload
    said = DeltaCommitment.parse(payload, session.context, role=session._role)
    return sign(key, DELTA_COMMITMENT_TYPE, replace(said, **change).payload(session.context))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"epoch": b"another epoch 16"}, PeerCode.DIVERGED),
        ({"number": 2}, PeerCode.DIVERGED),
        ({"before": b"b" * 32}, PeerCode.DIVERGED),
        ({"counts": ChangeCounts(2, 4)}, PeerCode.BAD_COUNT),
        ({"counts": ChangeCounts(3, 1)}, PeerCode.BAD_COUNT),
        ({"records": 5}, PeerCode.BAD_COUNT),
        ({"elements": 9}, PeerCode.BAD_COUNT),
        ({"removed_tags": 3}, PeerCode.BAD_COUNT),
        ({"public_key": b"k" * 32}, PeerCode.BAD_COMMITMENT),
        ({"elements": 3_000, "counts": ChangeCounts(1_000, 1), "records": 1_002}, PeerCode.OVER_LIMIT),
    ],
)
def test_what_a_receiver_commits_to_wrongly(world, change, code):
    mine, yours = (made.side.session for made in world.sessions(LATER, THEIRS_LATER))
    for session in (mine, yours):
        for index in range(session.chunks):
            session.prepare_chunk(index)
    refused(code, yours, lambda: yours.receive_commitment(altered(mine, POLICE, change)))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"epoch": b"another epoch 16"}, PeerCode.DIVERGED),
        ({"before": b"b" * 32}, PeerCode.DIVERGED),
        ({"counts": ChangeCounts(0, 4), "records": 0}, PeerCode.BAD_COUNT),
        ({"counts": ChangeCounts(0, 0)}, PeerCode.BAD_COUNT),
        ({"removed_tags": 10}, PeerCode.BAD_COUNT),
        ({"removed_tags": 0}, PeerCode.BAD_COUNT),
        ({"elements": 5}, PeerCode.BAD_COUNT),
        ({"public_key": b"k" * 32}, PeerCode.BAD_COMMITMENT),
    ],
)
def test_what_a_sender_commits_to_wrongly(world, change, code):
    mine, yours = (made.side.session for made in world.sessions(LATER, THEIRS_LATER))
    for session in (mine, yours):
        for index in range(session.chunks):
            session.prepare_chunk(index)
    yours.receive_commitment(mine.commit())
    mine.commit()
    refused(code, mine, lambda: mine.receive_commitment(altered(yours, COUNCIL, change)))


def test_a_commitment_of_the_other_role_another_round_or_another_key(world):
    for key, code in ((COUNCIL, PeerCode.BAD_SIGNATURE), (POLICE, PeerCode.BAD_COMMITMENT)):
        mine, yours = (made.side.session for made in world.sessions(LATER, THEIRS_LATER))
        for session in (mine, yours):
            for index in range(session.chunks):
                session.prepare_chunk(index)
        wrong = sign(key, DELTA_COMMITMENT_TYPE, yours.commit().payload)
        refused(code, yours, lambda yours=yours, wrong=wrong: yours.receive_commitment(wrong))
    mine, _ = (made.side.session for made in world.sessions(LATER, THEIRS_LATER, b"another-round-16"))
    for index in range(mine.chunks):
        mine.prepare_chunk(index)
    _, yours = (made.side.session for made in world.sessions(LATER, THEIRS_LATER))
    refused(PeerCode.UNKNOWN_ROUND, yours, lambda: yours.receive_commitment(mine.commit()))


def test_a_commitment_to_something_else_than_before(world):
    mine, yours = meet(world)
    refused(
        PeerCode.BAD_COMMITMENT,
        yours,
        lambda: yours.receive_commitment(altered(mine, POLICE, {"contents": b"x" * 32})),
    )


@pytest.mark.parametrize("data", [b"", b"\x00", b"x" * 400])
def test_garbage_for_a_commitment(world, data):
    _, yours = (made.side.session for made in world.sessions(LATER, THEIRS_LATER))
    refused(
        PeerCode.BAD_MESSAGE,
        yours,
        lambda: yours.receive_commitment(sign(POLICE, DELTA_COMMITMENT_TYPE, data)),
    )


def test_more_is_asked_for_than_was_committed_to(world):
    mine, yours = meet(world)
    chunk = mine.blinded_chunk(0)
    other = replace(chunk, points=np.roll(chunk.points, 1, axis=0))
    yours.evaluate(chunk)
    refused(PeerCode.ALTERED_CHUNK, yours, lambda: yours.evaluate(other))


def test_changes_before_every_chunk_came(world):
    _, yours = meet(world)
    refused(PeerCode.WRONG_STATE, yours, lambda: yours.tag_chunk(0))


def test_changes_in_another_order_of_another_size_or_altered(world):
    for change, code in (
        (lambda first, later: later, PeerCode.BAD_SEQUENCE),
        (lambda first, later: TagChunk(first.header, first.rows[:-1]), PeerCode.BAD_COUNT),
        (lambda first, later: TagChunk(first.header, first.rows[::-1]), PeerCode.BAD_TAGS),
        (
            lambda first, later: TagChunk(replace(first.header, round_id=b"another-round-16"), first.rows),
            PeerCode.UNKNOWN_ROUND,
        ),
    ):
        mine, yours = collecting(world)
        chunks = [yours.tag_chunk(index) for index in range(yours.tag_chunks)]
        wrong = change(chunks[0], chunks[-1])
        refused(code, mine, lambda mine=mine, wrong=wrong: mine.receive_tags(wrong))


def test_changes_that_are_not_those_committed_to(world):
    mine, yours = collecting(world)
    chunks = [yours.tag_chunk(index) for index in range(yours.tag_chunks)]
    last = chunks[-1].rows.copy()
    last[-1] = 255
    for chunk in chunks[:-1]:
        mine.receive_tags(chunk)
    refused(PeerCode.BAD_COMMITMENT, mine, lambda: mine.receive_tags(TagChunk(chunks[-1].header, last)))


@pytest.mark.parametrize("what", ["gone that was never there", "given a second time"])
def test_changes_that_cannot_be_made(world, what):
    """Committed to and signed by a sender that lies."""
    table = world.received.table.rows
    mine, yours = world.sessions(LATER, THEIRS_LATER)
    removed = yours.side.session._removed.copy()
    rows = yours.side.session._elements.take(np.arange(len(yours.side.session._elements))).copy()
    if what == "gone that was never there":
        removed[0] = 0
        removed[0, -1] = 1
    else:
        stays = [row for row in table if row[:16].tobytes() not in {tag.tobytes() for tag in removed}]
        rows[0] = stays[0]
        rows = rows[np.lexsort(rows.T[::-1])]
    liar = world.sender_of(yours, removed, rows)
    session = mine.side.session
    for each in (session, liar):
        for index in range(each.chunks):
            each.prepare_chunk(index)
    liar.receive_commitment(session.commit())
    session.receive_commitment(liar.commit())
    for index in range(session.chunks):
        session.receive_evaluated(liar.evaluate(session.blinded_chunk(index)))
    chunks = [liar.tag_chunk(index) for index in range(liar.tag_chunks)]
    for chunk in chunks[:-1]:
        session.receive_tags(chunk)
    refused(PeerCode.BAD_TAGS, session, lambda: session.receive_tags(chunks[-1]))


@pytest.mark.parametrize(
    "change",
    [
        {"after": b"z" * 32},
        {"before": b"z" * 32},
        {"number": 2},
        {"epoch": b"another epoch 16"},
        {"receiver_counts": ChangeCounts(9, 9)},
        {"sender_counts": ChangeCounts(0, 0)},
        {"transcript": b"t" * 32},
        {"sender_elements": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_receipt_that_says_something_else(world, change):
    mine, yours = collecting(world)
    for index in range(yours.tag_chunks):
        mine.receive_tags(yours.tag_chunk(index))
    said = DeltaReceipt.parse(mine.receipt(OPENED_AT, CLOSED_AT).payload, mine.context)
    wrong = sign(POLICE, DELTA_RECEIPT_TYPE, replace(said, **change).payload(mine.context))
    refused(PeerCode.BAD_RECEIPT, yours, lambda: yours.countersign(wrong, CLOSED_AT))


def test_a_receipt_of_an_ordinary_round_closes_no_delta_round(world):
    mine, yours = collecting(world)
    for index in range(yours.tag_chunks):
        mine.receive_tags(yours.tag_chunk(index))
    payload = world.networks[0].receipts[-1].payload
    refused(PeerCode.BAD_SIGNATURE, yours, lambda: yours.countersign(Signed(payload, bytes(64)), CLOSED_AT))


# Checks.


def question(world):
    listed = PeopleList([person(1, 1, 1)], world.ours, 3)
    inputs, keys = listed.inputs(np.arange(1))
    return CheckHeader.of(world.ours, b"c" * 16), SingleRecord(inputs, keys)


def code_of(call):
    with pytest.raises(PeerError) as caught:
        call()
    return caught.value.code


def test_a_check_of_another_epoch_edge_sequence_or_size(world):
    name, _ = question(world)
    header = name.header
    points = np.zeros((3, 32), dtype=np.uint8)
    for other in (replace(header, round_id=b"another epoch 16"), replace(header, edge="another-edge")):
        wrong = CheckHeader(other, name.check)
        assert (
            code_of(lambda wrong=wrong: answer_query(world.theirs, wrong, points, b"s" * 32))
            is PeerCode.UNKNOWN_ROUND
        )
    assert code_of(lambda: CheckHeader(replace(header, sequence=1), name.check)) is PeerCode.BAD_SEQUENCE
    assert code_of(lambda: CheckHeader(header, b"short")) is PeerCode.BAD_MESSAGE
    for size in (0, 95, 97, 128):
        assert code_of(lambda size=size: rows_of(bytes(size), 3, 32)) is PeerCode.BAD_COUNT


def test_bad_points_either_way(world):
    name, single = question(world)
    public = world.base.public_key
    bad = np.zeros((3, 32), dtype=np.uint8)
    assert code_of(lambda: answer_query(world.theirs, name, bad, b"s" * 32)) is PeerCode.BAD_POINT
    for change, code in (
        (lambda points, proof: (points[:-1], proof), PeerCode.BAD_COUNT),
        (lambda points, proof: (points, b"" if proof else b"p" * 64), PeerCode.BAD_PROOF),
        (lambda points, proof: (bad, proof), PeerCode.BAD_POINT),
    ):
        query = Query(world.ours, name, single, public, b"a" * 32)
        points, proof = answer_query(world.theirs, name, query.blind(), b"s" * 32)
        wrong = change(points, proof)
        assert code_of(lambda a=query, x=wrong: a.receive_answer(*x)) is code


def test_a_submission_whose_tags_are_not_in_order(world):
    rows = np.zeros((3, 16), dtype=np.uint8)
    assert code_of(lambda: submission_hits(world.received.own, rows)) is PeerCode.BAD_TAGS


HEADER = common_pb2.Header(version=1, round=b"r" * 16, edge="an-edge", sequence=0)
STATEMENT = common_pb2.SignedStatement(payload=b"p", signature=bytes(64))
WELL = {
    "delta_open_request": standing_pb2.DeltaOpenRequest(
        header=HEADER, agreement=bytes(32), epoch=bytes(16), number=1, commitment=STATEMENT
    ),
    "submit_request": standing_pb2.SubmitRequest(
        header=HEADER, agreement=bytes(32), check=bytes(16), rows=bytes(48)
    ),
    "ask_request": standing_pb2.AskRequest(
        header=HEADER, agreement=bytes(32), check=bytes(16), points=bytes(96)
    ),
    "ask_reply": standing_pb2.AskReply(header=HEADER, check=bytes(16), points=bytes(96)),
    "submit_reply": standing_pb2.SubmitReply(header=HEADER, check=bytes(16)),
}


def parts(name):
    return [field.name for field in WELL[name].DESCRIPTOR.fields if field.name not in {"number", "proof"}]


@pytest.mark.parametrize("name", WELL)
def test_messages_without_a_part_of_another_version_or_with_unknown_fields(name):
    read = getattr(convert, name).read
    read(WELL[name])
    for part in parts(name):
        less = type(WELL[name])()
        less.CopyFrom(WELL[name])
        less.ClearField(part)
        assert code_of(lambda less=less: read(less)) is PeerCode.BAD_MESSAGE
    later = type(WELL[name])()
    later.CopyFrom(WELL[name])
    later.header.version = 2
    assert code_of(lambda: read(later)) is PeerCode.WRONG_VERSION
    more = type(WELL[name]).FromString(WELL[name].SerializeToString() + b"\xfa\x01\x01x")
    assert code_of(lambda: read(more)) is PeerCode.BAD_MESSAGE


def test_a_chunk_of_changes_holds_one_kind(world):
    header = HEADER
    for wrong in (
        standing_pb2.ChangesChunk(header=header),
        standing_pb2.ChangesChunk(header=header, removed=bytes(16), added=bytes(16)),
        standing_pb2.ChangesChunk(header=header, removed=bytes(15)),
    ):
        assert (
            code_of(lambda wrong=wrong: convert.read_changes_chunk(wrong, world.ours.context))
            is PeerCode.BAD_MESSAGE
        )


def test_a_check_beyond_any_size():
    big = standing_pb2.AskRequest(header=HEADER, agreement=bytes(32), check=bytes(16), points=bytes(1 << 20))
    assert code_of(lambda: convert.ask_request.read(big)) is PeerCode.OVERSIZE


def test_the_header_is_the_epochs(world):
    assert CheckHeader.of(world.ours, bytes(16)).header == Header(world.rounds[0], world.ours.context.edge, 0)
    assert Role.SENDER.other is Role.RECEIVER
