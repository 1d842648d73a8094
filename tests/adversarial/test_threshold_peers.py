"""A hostile collector, a hostile member, a hostile line: every message of a threshold, altered in every way that matters."""

from dataclasses import replace

import numpy as np
import pytest
from tests.support.threshold_attacks import INPUTS, A, B, C, guesses, member, refused
from tests.support.threshold_sessions import SIGNERS

from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.session.chunks import chunk_digest
from blindmatch.protocol.session.messages import BlindedChunk, EvaluatedChunk, Header
from blindmatch.protocol.threshold.messages import CommittedChunks
from blindmatch.protocol.threshold.statements import (
    ATTESTATION_TYPE,
    COMMITMENT_TYPE,
    Attestation,
    ThresholdCommitment,
)
from blindmatch.protocol.threshold.transitions import ThresholdState
from blindmatch.protocol.transcript import digest, sign


@pytest.fixture
def sessions():
    made = INPUTS.connect()
    made.commit()
    return made


@pytest.mark.parametrize(("name", "place"), [(B, 1), (C, 2)])
def test_a_guess_that_the_collector_carries_is_not_evaluated_as_anybody_s(sessions, name, place):
    """In every place where a committed chunk would stand; not even the first answer gets out."""
    size = INPUTS.context.blinded(name, INPUTS.limits).size(0)
    chunk = BlindedChunk(Header(INPUTS.round_id, "many", 0), guesses(size))
    session = member(sessions, 0)
    refused(PeerCode.BAD_COMMITMENT, lambda: session.evaluate(name, chunk), session)
    assert not session._array(f"answers-{place}").any()


def test_a_guess_in_a_commitment_of_the_collector_s_making_is_refused(sessions):
    """The digests fit the guesses; the signature cannot."""
    points = guesses(4)
    other = INPUTS.connect()
    theirs = [party.session for party in other.members]
    for session in theirs:
        for index in range(session.chunks):
            session.prepare_chunk(index)
    committed = [session.commit() for session in theirs]
    digests = chunk_digest("blinded", 0, points)
    said = ThresholdCommitment(B, 4, digest(b"blinded", digests)).payload(INPUTS.context)
    forged = CommittedChunks(sign(SIGNERS["collector"], COMMITMENT_TYPE, said), digests)
    refused(
        PeerCode.BAD_SIGNATURE,
        lambda: theirs[0].receive_commitments([committed[0], forged, committed[2]]),
        theirs[0],
    )
    # Nor do another's digests under a good signature.
    swapped = CommittedChunks(committed[1].statement, digests)
    refused(
        PeerCode.BAD_COMMITMENT,
        lambda: theirs[2].receive_commitments([committed[0], swapped, committed[2]]),
        theirs[2],
    )


def _commitments(circle=INPUTS):
    sessions = [circle.member(place) for place in range(3)]
    for session in sessions:
        for index in range(session.chunks):
            session.prepare_chunk(index)
    return sessions, [session.commit() for session in sessions]


@pytest.mark.parametrize("change", ["missing", "order", "own", "round", "keys", "length", "other threshold"])
def test_commitments_that_are_not_this_round_s(change):
    sessions, committed = _commitments()
    session = sessions[0]
    code = PeerCode.WRONG_AGENCY
    if change == "missing":
        code, committed = PeerCode.BAD_COUNT, committed[:2]
    elif change == "order":
        code, committed = PeerCode.BAD_SIGNATURE, [committed[0], committed[2], committed[1]]
    elif change == "own":
        _, others = _commitments(replace(INPUTS, salt=b"other seed"))
        code, committed = PeerCode.BAD_COMMITMENT, [others[0], *committed[1:]]
    elif change == "round":
        _, others = _commitments(replace(INPUTS, round_id=b"the-last-round!!"))
        code, committed = PeerCode.UNKNOWN_ROUND, [committed[0], others[1], committed[2]]
    elif change == "keys":
        context = replace(INPUTS.context, keys_digest=b"q" * 32)
        said = ThresholdCommitment(B, 4, digest(b"blinded", committed[1].digests)).payload(context)
        forged = CommittedChunks(sign(SIGNERS[B], COMMITMENT_TYPE, said), committed[1].digests)
        code, committed = PeerCode.SCHEMA_MISMATCH, [committed[0], forged, committed[2]]
    elif change == "length":
        longer = CommittedChunks(committed[1].statement, committed[1].digests + bytes(32))
        code, committed = PeerCode.BAD_COUNT, [committed[0], longer, committed[2]]
    else:
        _, others = _commitments(replace(INPUTS, at_least=3))
        code, committed = PeerCode.BAD_COMMITMENT, [committed[0], others[1], committed[2]]
    refused(code, lambda: session.receive_commitments(committed), session)


def test_a_second_set_of_commitments_is_refused(sessions):
    """Otherwise one key would serve twice in a round, and the second set could be guesses of a member's choice."""
    _, others = _commitments(replace(INPUTS, salt=b"again"))
    mine = member(sessions, 0).commit()
    session = member(sessions, 0)
    refused(PeerCode.BAD_COMMITMENT, lambda: session.receive_commitments([mine, *others[1:]]), session)


def test_a_count_that_the_records_do_not_give_is_refused():
    sessions, committed = _commitments()
    said = ThresholdCommitment(B, 5, digest(b"blinded", committed[1].digests)).payload(INPUTS.context)
    more = CommittedChunks(sign(SIGNERS[B], COMMITMENT_TYPE, said), committed[1].digests)
    refused(
        PeerCode.BAD_COUNT,
        lambda: sessions[0].receive_commitments([committed[0], more, committed[2]]),
        sessions[0],
    )
    collector = INPUTS.collector()
    refused(PeerCode.BAD_COUNT, lambda: collector.receive_commitment(B, more), collector)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("altered", PeerCode.BAD_COMMITMENT),
        ("shorter", PeerCode.BAD_COUNT),
        ("beyond", PeerCode.BAD_SEQUENCE),
        ("elsewhere", PeerCode.UNKNOWN_ROUND),
        ("round", PeerCode.UNKNOWN_ROUND),
        ("own", PeerCode.WRONG_AGENCY),
        ("stranger", PeerCode.WRONG_AGENCY),
        ("another's", PeerCode.BAD_COMMITMENT),
    ],
)
def test_blinded_chunks(sessions, change, code):
    chunk, whose = member(sessions, 1).blinded_chunk(0), B
    header, points = chunk.header, chunk.points
    if change == "altered":
        points = points[::-1].copy()
    elif change == "shorter":
        points = points[:-1]
    elif change == "beyond":
        header = replace(header, sequence=7)
    elif change == "elsewhere":
        header = replace(header, edge="other")
    elif change == "round":
        header = replace(header, round_id=b"x" * 16)
    elif change == "own":
        whose = A
    elif change == "stranger":
        whose = "nobody"
    else:
        points = member(sessions, 0).blinded_chunk(0).points
    session = member(sessions, 0)
    refused(code, lambda: session.evaluate(whose, BlindedChunk(header, points)), session)
    if change not in {"own", "stranger"}:
        collector = sessions.collector.session
        refused(code, lambda: collector.check_blinded(whose, BlindedChunk(header, points)), collector)


def test_a_committed_point_that_is_none():
    """Signed for by its member, and still no group element."""
    sessions, committed = _commitments()
    points = np.full((3, 32), 255, dtype=np.uint8)
    digests = chunk_digest("blinded", 0, points)
    said = ThresholdCommitment(C, 3, digest(b"blinded", digests)).payload(INPUTS.context)
    bad = CommittedChunks(sign(SIGNERS[C], COMMITMENT_TYPE, said), digests)
    session = sessions[0]
    session.receive_commitments([*committed[:2], bad])
    chunk = BlindedChunk(Header(INPUTS.round_id, "many", 0), points)
    refused(PeerCode.BAD_POINT, lambda: session.evaluate(C, chunk), session)


def test_the_same_chunk_gets_the_same_answer_in_any_order(sessions):
    session = member(sessions, 1)
    chunks = [member(sessions, 0).blinded_chunk(index) for index in (1, 0, 1)]
    answers = [session.evaluate(A, chunk).points.tobytes() for chunk in chunks]
    assert answers[0] == answers[2] != answers[1]
    assert session.state is ThresholdState.EXCHANGING


def test_nobody_signs_for_what_it_has_not_evaluated(sessions):
    session = member(sessions, 1)
    session.evaluate(A, member(sessions, 0).blinded_chunk(0))
    refused(PeerCode.WRONG_STATE, lambda: session.attest(A), session)


def _answered(sessions):
    mine, other = member(sessions, 0), member(sessions, 1)
    return [other.evaluate(A, mine.blinded_chunk(index)) for index in range(mine.chunks)], other.attest(A)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("order", PeerCode.BAD_SEQUENCE),
        ("shorter", PeerCode.BAD_COUNT),
        ("proof", PeerCode.BAD_PROOF),
        ("round", PeerCode.UNKNOWN_ROUND),
        ("repeat", PeerCode.ALTERED_CHUNK),
        ("own", PeerCode.WRONG_AGENCY),
    ],
)
def test_evaluated_chunks(sessions, change, code):
    (first, second), _ = _answered(sessions)
    session, whose = member(sessions, 0), B
    if change == "order":
        first = second
    elif change == "shorter":
        first = EvaluatedChunk(first.header, first.points[:-1])
    elif change == "proof":
        first = EvaluatedChunk(first.header, first.points, bytes(64))
    elif change == "round":
        first = EvaluatedChunk(replace(first.header, round_id=b"x" * 16), first.points)
    elif change == "repeat":
        session.receive_evaluated(B, first)
        first = EvaluatedChunk(first.header, first.points[::-1].copy())
    else:
        whose = A
    refused(code, lambda: session.receive_evaluated(whose, first), session)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("shorter", PeerCode.BAD_COUNT),
        ("proof", PeerCode.BAD_PROOF),
        ("round", PeerCode.UNKNOWN_ROUND),
        ("beyond", PeerCode.BAD_SEQUENCE),
        ("altered", PeerCode.BAD_COMMITMENT),
    ],
)
def test_the_collector_finds_out_who_evaluated_wrongly(sessions, change, code):
    (first, second), signed = _answered(sessions)
    collector = sessions.collector.session
    if change == "shorter":
        first = EvaluatedChunk(first.header, first.points[:-1])
    elif change == "proof":
        first = EvaluatedChunk(first.header, first.points, bytes(64))
    elif change == "round":
        first = EvaluatedChunk(replace(first.header, round_id=b"x" * 16), first.points)
    elif change == "beyond":
        first = EvaluatedChunk(replace(first.header, sequence=9), first.points)
    else:
        collector.check_evaluated(B, A, second)
        collector.check_evaluated(B, A, EvaluatedChunk(first.header, first.points[::-1].copy()))
        refused(code, lambda: collector.check_attestation(B, A, signed), collector)
        return
    refused(code, lambda: collector.check_evaluated(B, A, first), collector)


def test_answers_that_the_collector_altered_are_found_before_they_are_used(sessions):
    """Points of a key of the collector's own would let it read what is shared between no t members."""
    answers, signed = _answered(sessions)
    session = member(sessions, 0)
    session.receive_evaluated(B, EvaluatedChunk(answers[0].header, answers[0].points[::-1].copy()))
    session.receive_evaluated(B, answers[1])
    refused(PeerCode.BAD_COMMITMENT, lambda: session.receive_attestation(B, signed), session)
    assert not session._unblinded.any()


@pytest.mark.parametrize("forger", ["collector", A, C])
def test_answers_that_somebody_else_signed(sessions, forger):
    answers, signed = _answered(sessions)
    session = member(sessions, 0)
    for answer in answers:
        session.receive_evaluated(B, answer)
    forged = sign(SIGNERS[forger], ATTESTATION_TYPE, signed.payload)
    refused(PeerCode.BAD_SIGNATURE, lambda: session.receive_attestation(B, forged), session)


def test_a_signature_for_another_member_s_elements_or_commitment(sessions):
    answers, _ = _answered(sessions)
    other = member(sessions, 1)
    for index in range(member(sessions, 2).chunks):
        other.evaluate(C, member(sessions, 2).blinded_chunk(index))
    for signed in (other.attest(C), Attestation(B, A, b"z" * 32, bytes(32)).sign(SIGNERS[B], INPUTS.context)):
        fresh = INPUTS.connect()
        fresh.commit()
        session = member(fresh, 0)
        for answer in answers:
            session.receive_evaluated(B, answer)
        with pytest.raises(PeerError) as error:
            session.receive_attestation(B, signed)
        assert error.value.code in {PeerCode.WRONG_AGENCY, PeerCode.BAD_COMMITMENT}


def test_an_answer_that_is_no_point_ends_the_member_s_session(sessions):
    """The evaluator signs for it."""
    session = member(sessions, 0)
    bad = np.full((4, 32), 255, dtype=np.uint8)
    digests = b""
    for index in range(2):
        points = bad[: INPUTS.context.blinded(A, INPUTS.limits).size(index)]
        session.receive_evaluated(B, EvaluatedChunk(Header(INPUTS.round_id, "many", index), points))
        digests += chunk_digest("evaluated", index, points)
    own = digest(session.commit().statement.payload)
    signed = Attestation(B, A, own, digest(b"answers-0", digests)).sign(SIGNERS[B], INPUTS.context)
    session.receive_attestation(B, signed)
    other = member(sessions, 2)
    for index in range(2):
        session.receive_evaluated(C, other.evaluate(A, session.blinded_chunk(index)))
    session.receive_attestation(C, other.attest(A))
    refused(PeerCode.BAD_POINT, lambda: session.unblind_chunk(0), session)
