"""A hostile collector, a hostile member, a hostile line: every message of a threshold, altered in every way that matters."""

from dataclasses import replace

import numpy as np
import pytest
from tests.support.hits_sessions import CLOSED_AT, OPENED_AT
from tests.support.hits_sessions import Rows as Elements
from tests.support.threshold_line import build
from tests.support.threshold_sessions import KEYS, NAMES, SIGNERS, Circle

from blindmatch.protocol import group, oprf
from blindmatch.protocol.errors import LocalError, PeerCode, PeerError, StoreError
from blindmatch.protocol.limits import LIMITS, Limits
from blindmatch.protocol.oprf import Mode
from blindmatch.protocol.session.chunks import chunk_digest
from blindmatch.protocol.session.messages import BlindedChunk, EvaluatedChunk, Header
from blindmatch.protocol.threshold import Committed, Member, Rows, ThresholdState
from blindmatch.protocol.threshold.statements import (
    ATTESTATION_TYPE,
    COMMITMENT_TYPE,
    OUTCOME_TYPE,
    RATES_TYPE,
    RECEIPT_TYPE,
    TABLES_TYPE,
    Attestation,
    TablesStatement,
    ThresholdCommitment,
    ThresholdOutcome,
    ThresholdRatesStatement,
    ThresholdReceiptTerms,
)
from blindmatch.protocol.transcript import Signed, digest, sign

A, B, C = NAMES[:3]
CIRCLE = Circle(
    ((1, 2, 3, 4, 5), (3, 4, 9, 10), (5, 4, 8)), 2, limits=Limits(chunk_elements=4, chunk_tag_bytes=1 << 10)
)


@pytest.fixture
def ring():
    made = CIRCLE.connect()
    made.commit()
    return made


def member(ring, place):
    return ring.members[place].session


def refused(code, call, session=None):
    with pytest.raises(PeerError) as error:
        call()
    assert error.value.code is code
    if session is not None:
        assert session.state is ThresholdState.FAILED


def guesses(count=4):
    """What a collector would like to have evaluated: blinded guesses of its own."""
    blinds = group.scalars_from_uniform(np.arange(count * 64, dtype=np.uint8).reshape(count, 64))
    return oprf.blind_inputs(Elements.of(range(count)).rows, blinds, Mode.OPRF)


@pytest.mark.parametrize(("name", "place"), [(B, 1), (C, 2)])
def test_a_guess_that_the_collector_carries_is_not_evaluated_as_anybody_s(ring, name, place):
    """In every place where a committed chunk would stand; not even the first answer gets out."""
    size = CIRCLE.context.chunk_size(name, 0, CIRCLE.limits)
    chunk = BlindedChunk(Header(CIRCLE.round_id, "many", 0), guesses(size))
    session = member(ring, 0)
    refused(PeerCode.BAD_COMMITMENT, lambda: session.evaluate(name, chunk), session)
    assert not session._array(f"answers-{place}").any()


def test_a_guess_in_a_commitment_of_the_collector_s_making_is_refused(ring):
    """The digests fit the guesses; the signature cannot."""
    points = guesses(4)
    other = CIRCLE.connect()
    theirs = [party.session for party in other.members]
    for session in theirs:
        for index in range(session.chunks):
            session.prepare_chunk(index)
    committed = [session.commit() for session in theirs]
    digests = chunk_digest("blinded", 0, points)
    said = ThresholdCommitment(B, 4, digest(b"blinded", digests)).payload(CIRCLE.context)
    forged = Committed(sign(SIGNERS["collector"], COMMITMENT_TYPE, said), digests)
    refused(
        PeerCode.BAD_SIGNATURE,
        lambda: theirs[0].receive_commitments([committed[0], forged, committed[2]]),
        theirs[0],
    )
    # Nor do another's digests under a good signature.
    swapped = Committed(committed[1].statement, digests)
    refused(
        PeerCode.BAD_COMMITMENT,
        lambda: theirs[2].receive_commitments([committed[0], swapped, committed[2]]),
        theirs[2],
    )


def _commitments(circle=CIRCLE):
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
        _, others = _commitments(replace(CIRCLE, salt=b"other seed"))
        code, committed = PeerCode.BAD_COMMITMENT, [others[0], *committed[1:]]
    elif change == "round":
        _, others = _commitments(replace(CIRCLE, round_id=b"the-last-round!!"))
        code, committed = PeerCode.UNKNOWN_ROUND, [committed[0], others[1], committed[2]]
    elif change == "keys":
        context = replace(CIRCLE.context, keys_digest=b"q" * 32)
        said = ThresholdCommitment(B, 4, digest(b"blinded", committed[1].digests)).payload(context)
        forged = Committed(sign(SIGNERS[B], COMMITMENT_TYPE, said), committed[1].digests)
        code, committed = PeerCode.SCHEMA_MISMATCH, [committed[0], forged, committed[2]]
    elif change == "length":
        longer = Committed(committed[1].statement, committed[1].digests + bytes(32))
        code, committed = PeerCode.BAD_COUNT, [committed[0], longer, committed[2]]
    else:
        _, others = _commitments(replace(CIRCLE, at_least=3))
        code, committed = PeerCode.BAD_COMMITMENT, [committed[0], others[1], committed[2]]
    refused(code, lambda: session.receive_commitments(committed), session)


def test_a_second_set_of_commitments_is_refused(ring):
    """Otherwise one key would serve twice in a round, and the second set could be guesses of a member's choice."""
    _, others = _commitments(replace(CIRCLE, salt=b"again"))
    mine = member(ring, 0).commit()
    session = member(ring, 0)
    refused(PeerCode.BAD_COMMITMENT, lambda: session.receive_commitments([mine, *others[1:]]), session)


def test_a_count_that_the_records_do_not_give_is_refused():
    sessions, committed = _commitments()
    said = ThresholdCommitment(B, 5, digest(b"blinded", committed[1].digests)).payload(CIRCLE.context)
    more = Committed(sign(SIGNERS[B], COMMITMENT_TYPE, said), committed[1].digests)
    refused(
        PeerCode.BAD_COUNT,
        lambda: sessions[0].receive_commitments([committed[0], more, committed[2]]),
        sessions[0],
    )
    collector = CIRCLE.collector()
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
def test_blinded_chunks(ring, change, code):
    chunk, whose = member(ring, 1).blinded_chunk(0), B
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
        points = member(ring, 0).blinded_chunk(0).points
    session = member(ring, 0)
    refused(code, lambda: session.evaluate(whose, BlindedChunk(header, points)), session)
    if change not in {"own", "stranger"}:
        collector = ring.collector.session
        refused(code, lambda: collector.check_blinded(whose, BlindedChunk(header, points)), collector)


def test_a_committed_point_that_is_none():
    """Signed for by its member, and still no group element."""
    sessions, committed = _commitments()
    points = np.full((3, 32), 255, dtype=np.uint8)
    digests = chunk_digest("blinded", 0, points)
    said = ThresholdCommitment(C, 3, digest(b"blinded", digests)).payload(CIRCLE.context)
    bad = Committed(sign(SIGNERS[C], COMMITMENT_TYPE, said), digests)
    session = sessions[0]
    session.receive_commitments([*committed[:2], bad])
    chunk = BlindedChunk(Header(CIRCLE.round_id, "many", 0), points)
    refused(PeerCode.BAD_POINT, lambda: session.evaluate(C, chunk), session)


def test_the_same_chunk_gets_the_same_answer_in_any_order(ring):
    session = member(ring, 1)
    chunks = [member(ring, 0).blinded_chunk(index) for index in (1, 0, 1)]
    answers = [session.evaluate(A, chunk).points.tobytes() for chunk in chunks]
    assert answers[0] == answers[2] != answers[1]
    assert session.state is ThresholdState.EXCHANGING


def test_nobody_signs_for_what_it_has_not_evaluated(ring):
    session = member(ring, 1)
    session.evaluate(A, member(ring, 0).blinded_chunk(0))
    refused(PeerCode.WRONG_STATE, lambda: session.attest(A), session)


def _answered(ring):
    mine, other = member(ring, 0), member(ring, 1)
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
def test_evaluated_chunks(ring, change, code):
    (first, second), _ = _answered(ring)
    session, whose = member(ring, 0), B
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
def test_the_collector_finds_out_who_evaluated_wrongly(ring, change, code):
    (first, second), signed = _answered(ring)
    collector = ring.collector.session
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


def test_answers_that_the_collector_altered_are_found_before_they_are_used(ring):
    """Points of a key of the collector's own would let it read what is shared between no t members."""
    answers, signed = _answered(ring)
    session = member(ring, 0)
    session.receive_evaluated(B, EvaluatedChunk(answers[0].header, answers[0].points[::-1].copy()))
    session.receive_evaluated(B, answers[1])
    refused(PeerCode.BAD_COMMITMENT, lambda: session.receive_attestation(B, signed), session)
    assert not session._finished.any()


@pytest.mark.parametrize("forger", ["collector", A, C])
def test_answers_that_somebody_else_signed(ring, forger):
    answers, signed = _answered(ring)
    session = member(ring, 0)
    for answer in answers:
        session.receive_evaluated(B, answer)
    forged = sign(SIGNERS[forger], ATTESTATION_TYPE, signed.payload)
    refused(PeerCode.BAD_SIGNATURE, lambda: session.receive_attestation(B, forged), session)


def test_a_signature_for_another_member_s_elements_or_commitment(ring):
    answers, _ = _answered(ring)
    other = member(ring, 1)
    for index in range(member(ring, 2).chunks):
        other.evaluate(C, member(ring, 2).blinded_chunk(index))
    for signed in (other.attest(C), Attestation(B, A, b"z" * 32, bytes(32)).sign(SIGNERS[B], CIRCLE.context)):
        fresh = CIRCLE.connect()
        fresh.commit()
        session = member(fresh, 0)
        for answer in answers:
            session.receive_evaluated(B, answer)
        with pytest.raises(PeerError) as error:
            session.receive_attestation(B, signed)
        assert error.value.code in {PeerCode.WRONG_AGENCY, PeerCode.BAD_COMMITMENT}


def test_an_answer_that_is_no_point_ends_the_member_s_session(ring):
    """The evaluator signs for it."""
    session = member(ring, 0)
    bad = np.full((4, 32), 255, dtype=np.uint8)
    digests = b""
    for index in range(2):
        points = bad[: CIRCLE.context.chunk_size(A, index, CIRCLE.limits)]
        session.receive_evaluated(B, EvaluatedChunk(Header(CIRCLE.round_id, "many", index), points))
        digests += chunk_digest("evaluated", index, points)
    own = digest(session.commit().statement.payload)
    signed = Attestation(B, A, own, digest(b"answers-0", digests)).sign(SIGNERS[B], CIRCLE.context)
    session.receive_attestation(B, signed)
    other = member(ring, 2)
    for index in range(2):
        session.receive_evaluated(C, other.evaluate(A, session.blinded_chunk(index)))
    session.receive_attestation(C, other.attest(A))
    refused(PeerCode.BAD_POINT, lambda: session.finish_chunk(0), session)


@pytest.fixture
def tabled(ring):
    ring.exchange()
    for party in ring.members:
        build(party)
    return ring


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("early", PeerCode.WRONG_STATE),
        ("signer", PeerCode.BAD_SIGNATURE),
        ("another's", PeerCode.BAD_SIGNATURE),
        ("altered", PeerCode.BAD_COMMITMENT),
        ("order", PeerCode.BAD_SEQUENCE),
        ("shorter", PeerCode.BAD_COUNT),
        ("width", PeerCode.BAD_MESSAGE),
        ("round", PeerCode.UNKNOWN_ROUND),
        ("repeat", PeerCode.ALTERED_CHUNK),
        ("second", PeerCode.BAD_COMMITMENT),
    ],
)
def test_tables(tabled, change, code):  # noqa: C901 - one line per way of being wrong
    session, collector = member(tabled, 0), tabled.collector.session
    signed, chunk = session.commit_tables(), session.table_chunk(0)

    def call():
        collector.receive_table_chunk(A, chunk)

    if change == "early":
        refused(code, call, collector)
        return
    if change == "signer":
        forged = sign(SIGNERS[B], TABLES_TYPE, signed.payload)
        refused(code, lambda: collector.receive_tables(A, forged), collector)
        return
    if change == "another's":
        refused(code, lambda: collector.receive_tables(A, member(tabled, 1).commit_tables()), collector)
        return
    collector.receive_tables(A, signed)
    if change == "second":
        said = TablesStatement(A, collector._at.commitments, b"z" * 32).payload(CIRCLE.context)
        other = sign(SIGNERS[A], TABLES_TYPE, said)
        refused(code, lambda: collector.receive_tables(A, other), collector)
        return
    if change == "order":
        chunk = session.table_chunk(1)
    elif change == "shorter":
        chunk = Rows(chunk.header, chunk.rows[:-1])
    elif change == "width":
        chunk = Rows(chunk.header, np.zeros((len(chunk.rows), 8), dtype=np.uint8))
    elif change == "round":
        chunk = Rows(replace(chunk.header, round_id=b"x" * 16), chunk.rows)
    elif change == "repeat":
        call()
        chunk = Rows(chunk.header, chunk.rows[::-1].copy())
    elif change == "altered":
        collector.receive_table_chunk(A, Rows(chunk.header, chunk.rows[::-1].copy()))
        for index in range(1, collector.table_chunks - 1):
            collector.receive_table_chunk(A, session.table_chunk(index))
        chunk = session.table_chunk(collector.table_chunks - 1)
    refused(code, call, collector)


def test_tables_are_not_given_before_everybody_evaluated(ring):
    session = member(ring, 0)
    refused(PeerCode.WRONG_STATE, lambda: session.table_chunk(0), session)


@pytest.fixture
def told(ring):
    ring.exchange()
    ring.collect()
    ring.search()
    return ring


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("early", PeerCode.WRONG_STATE),
        ("signer", PeerCode.BAD_SIGNATURE),
        ("another's", PeerCode.WRONG_AGENCY),
        ("second", PeerCode.BAD_COMMITMENT),
        ("altered", PeerCode.BAD_COMMITMENT),
        ("order", PeerCode.BAD_SEQUENCE),
        ("shorter", PeerCode.BAD_COUNT),
        ("width", PeerCode.BAD_MESSAGE),
        ("round", PeerCode.UNKNOWN_ROUND),
        ("repeat", PeerCode.ALTERED_CHUNK),
    ],
)
def test_outcomes(change, code):  # noqa: C901 - one line per way of being wrong
    circle = replace(CIRCLE, limits=Limits(chunk_elements=4, chunk_tag_bytes=20))
    told = circle.connect()
    told.commit()
    told.exchange()
    told.collect()
    told.search()
    session, collector = member(told, 0), told.collector.session
    signed, chunk = collector.outcome(A), collector.outcome_chunk(A, 0)

    def call():
        session.receive_outcome_chunk(chunk)

    if change in {"signer", "another's"}:
        forged = (
            sign(SIGNERS[B], OUTCOME_TYPE, signed.payload) if change == "signer" else collector.outcome(B)
        )
        refused(code, lambda: session.receive_outcome(forged), session)
        return
    if change != "early":
        session.receive_outcome(signed)
    if change == "second":
        other = ThresholdOutcome(A, bytes(32), bytes(32)).payload(circle.context)
        refused(
            code, lambda: session.receive_outcome(sign(SIGNERS["collector"], OUTCOME_TYPE, other)), session
        )
        return
    if change == "order":
        chunk = collector.outcome_chunk(A, 1)
    elif change == "shorter":
        chunk = Rows(chunk.header, chunk.rows[:-1])
    elif change == "width":
        chunk = Rows(chunk.header, np.zeros((len(chunk.rows), 3), dtype=np.uint8))
    elif change == "round":
        chunk = Rows(replace(chunk.header, edge="other"), chunk.rows)
    elif change == "repeat":
        call()
        chunk = Rows(chunk.header, ~chunk.rows)
    elif change == "altered":
        session.receive_outcome_chunk(Rows(chunk.header, ~chunk.rows))
        for index in range(1, collector.outcome_chunks - 1):
            session.receive_outcome_chunk(collector.outcome_chunk(A, index))
        chunk = collector.outcome_chunk(A, collector.outcome_chunks - 1)
    refused(code, call, session)


def test_bits_of_empty_bins_tell_the_collector_nothing(told):
    """A collector that says that every bin is shared: the member goes on as if nothing were wrong."""
    collector, session = told.collector.session, member(told, 0)
    told.collector.session._array("outcome-0")[:] = 255
    size = CIRCLE.context.outcome_rows(CIRCLE.limits)
    for index, kept in enumerate(collector._array("outcome_digests-0")):
        rows = collector._array("outcome-0")[index * size : (index + 1) * size]
        kept[:] = np.frombuffer(chunk_digest("outcome", index, rows), dtype=np.uint8)
    session.receive_outcome(collector.outcome(A))
    for index in range(collector.outcome_chunks):
        session.receive_outcome_chunk(collector.outcome_chunk(A, index))
    assert session.find().tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("change", ["signer", "counts", "transcript", "times", "tables", "second"])
def test_receipts(told, change):
    told.tell()
    collector, session = told.collector.session, member(told, 0)
    receipt, tables = collector.receipt(OPENED_AT, CLOSED_AT), collector.table_statements()
    said = ThresholdReceiptTerms.parse(receipt.payload, CIRCLE.context)
    code = PeerCode.BAD_RECEIPT
    if change == "signer":
        code, receipt = PeerCode.BAD_SIGNATURE, sign(SIGNERS[B], RECEIPT_TYPE, receipt.payload)
    elif change == "tables":
        code, tables = PeerCode.BAD_COUNT, tables[:2]
    elif change == "second":
        session.countersign(receipt, tables, CLOSED_AT)
        said = replace(said, closed_at=CLOSED_AT - 1)
    else:
        change_of = {
            "counts": {"elements": (5, 4, 4)},
            "transcript": {"transcript": bytes(32)},
            "times": {"closed_at": CLOSED_AT + 10_000},
        }
        said = replace(said, **change_of[change])
    if code is PeerCode.BAD_RECEIPT:
        receipt = sign(SIGNERS["collector"], RECEIPT_TYPE, said.payload(CIRCLE.context))
    refused(code, lambda: session.countersign(receipt, tables, CLOSED_AT))
    assert session.state is (ThresholdState.CLOSED if change == "second" else ThresholdState.FAILED)


def test_a_signature_that_is_no_member_s_does_not_close_the_collector(told):
    told.tell()
    collector = told.collector.session
    receipt = collector.receipt(OPENED_AT, CLOSED_AT)
    wrong = sign(SIGNERS[B], RECEIPT_TYPE, receipt.payload).signature
    refused(PeerCode.BAD_SIGNATURE, lambda: collector.receive_signature(A, wrong), collector)


def test_statements_of_rates():
    statement = ThresholdRatesStatement(A, b"s" * 32, 3, b"rates")
    signed = statement.sign(SIGNERS[A], CIRCLE.context)
    check = {"schema": b"s" * 32, "most": 3}
    assert ThresholdRatesStatement.check(signed, KEYS[A], A, CIRCLE.context, **check) == statement
    for changed, code in (
        ({"most": 2}, PeerCode.OVER_LIMIT),
        ({"schema": b"t" * 32}, PeerCode.SCHEMA_MISMATCH),
    ):
        refused(
            code,
            lambda changed=changed: ThresholdRatesStatement.check(
                signed, KEYS[A], A, CIRCLE.context, **check | changed
            ),
        )
    refused(
        PeerCode.BAD_SIGNATURE,
        lambda: ThresholdRatesStatement.check(signed, KEYS[B], A, CIRCLE.context, **check),
    )
    refused(
        PeerCode.WRONG_AGENCY,
        lambda: ThresholdRatesStatement.check(signed, KEYS[A], B, CIRCLE.context, **check),
    )
    other = replace(CIRCLE, round_id=b"x" * 16).context
    refused(PeerCode.UNKNOWN_ROUND, lambda: ThresholdRatesStatement.check(signed, KEYS[A], A, other, **check))
    torn = sign(SIGNERS[A], RATES_TYPE, signed.payload[:-1])
    refused(
        PeerCode.BAD_MESSAGE, lambda: ThresholdRatesStatement.check(torn, KEYS[A], A, CIRCLE.context, **check)
    )


def test_oversize_chunks_are_no_messages():
    header = Header(CIRCLE.round_id, "many", 0)
    refused(PeerCode.OVERSIZE, lambda: Rows.parse(header, bytes(LIMITS.chunk_tag_bytes + 16), 16))
    refused(PeerCode.BAD_MESSAGE, lambda: Rows.parse(header, b"", 16))
    refused(PeerCode.BAD_MESSAGE, lambda: Committed(Signed(b"", bytes(64)), bytes(31)))


def test_altered_input_is_not_used_again(ring):
    """A collection that changed after the commitment: no blind serves another element."""
    party = ring.members[0]
    changed = replace(CIRCLE, lists=((1, 2, 3, 4, 6), *CIRCLE.lists[1:]))
    session = changed.member(0, party.session._workspace, party.stored)
    with pytest.raises(LocalError, match="changed"):
        session.prepare_chunk(1)
    fewer = Elements.of((1, 2, 3, 4))
    with pytest.raises(LocalError, match="changed"):
        Member(
            CIRCLE.context,
            elements=fewer,
            seed=b"m" * 32,
            signer=SIGNERS[A],
            keys=KEYS,
            workspace=party.session._workspace,
        )


@pytest.mark.parametrize("name", ["blinded_digests", "committed-1"])
def test_altered_working_files_are_found(ring, name):
    party = ring.members[0]
    party.session._array(name)[0, 0] ^= 1
    with pytest.raises(StoreError):
        party.restart()


def test_no_secret_is_in_a_repr(told):
    for party in (*told.members, told.collector):
        assert "many" in repr(party.session)
        assert len(repr(party.session)) < 80
