"""Dishonest parties of a threshold from its tables on: tables, outcomes, receipts, rates and working files, each altered in turn."""

from dataclasses import replace

import numpy as np
import pytest
from tests.support.hits_sessions import CLOSED_AT, OPENED_AT
from tests.support.hits_sessions import Rows as Elements
from tests.support.threshold_attacks import INPUTS, A, B, member, refused
from tests.support.threshold_line import build
from tests.support.threshold_sessions import KEYS, SIGNERS

from blindmatch.protocol.errors import LocalError, PeerCode, StoreError
from blindmatch.protocol.limits import LIMITS, Limits
from blindmatch.protocol.session.chunks import chunk_digest
from blindmatch.protocol.session.messages import Header, RowsChunk
from blindmatch.protocol.threshold.member import Member
from blindmatch.protocol.threshold.messages import CommittedChunks
from blindmatch.protocol.threshold.statements import (
    OUTCOME_TYPE,
    RATES_TYPE,
    RECEIPT_TYPE,
    TABLES_TYPE,
    TablesStatement,
    ThresholdOutcome,
    ThresholdRatesStatement,
    ThresholdReceiptTerms,
)
from blindmatch.protocol.threshold.transitions import ThresholdState
from blindmatch.protocol.transcript import Signed, sign


@pytest.fixture
def sessions():
    made = INPUTS.connect()
    made.commit()
    return made


@pytest.fixture
def tabled(sessions):
    sessions.exchange()
    for party in sessions.members:
        build(party)
    return sessions


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
        said = TablesStatement(A, collector._at.commitments, b"z" * 32).payload(INPUTS.context)
        other = sign(SIGNERS[A], TABLES_TYPE, said)
        refused(code, lambda: collector.receive_tables(A, other), collector)
        return
    if change == "order":
        chunk = session.table_chunk(1)
    elif change == "shorter":
        chunk = RowsChunk(chunk.header, chunk.rows[:-1])
    elif change == "width":
        chunk = RowsChunk(chunk.header, np.zeros((len(chunk.rows), 8), dtype=np.uint8))
    elif change == "round":
        chunk = RowsChunk(replace(chunk.header, round_id=b"x" * 16), chunk.rows)
    elif change == "repeat":
        call()
        chunk = RowsChunk(chunk.header, chunk.rows[::-1].copy())
    elif change == "altered":
        collector.receive_table_chunk(A, RowsChunk(chunk.header, chunk.rows[::-1].copy()))
        for index in range(1, collector.table_chunks - 1):
            collector.receive_table_chunk(A, session.table_chunk(index))
        chunk = session.table_chunk(collector.table_chunks - 1)
    refused(code, call, collector)


def test_tables_are_not_given_before_everybody_evaluated(sessions):
    session = member(sessions, 0)
    refused(PeerCode.WRONG_STATE, lambda: session.table_chunk(0), session)


@pytest.fixture
def told(sessions):
    sessions.exchange()
    sessions.collect()
    sessions.search()
    return sessions


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
    circle = replace(INPUTS, limits=Limits(chunk_elements=4, chunk_tag_bytes=20))
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
        chunk = RowsChunk(chunk.header, chunk.rows[:-1])
    elif change == "width":
        chunk = RowsChunk(chunk.header, np.zeros((len(chunk.rows), 3), dtype=np.uint8))
    elif change == "round":
        chunk = RowsChunk(replace(chunk.header, edge="other"), chunk.rows)
    elif change == "repeat":
        call()
        chunk = RowsChunk(chunk.header, ~chunk.rows)
    elif change == "altered":
        session.receive_outcome_chunk(RowsChunk(chunk.header, ~chunk.rows))
        for index in range(1, collector.outcome_chunks - 1):
            session.receive_outcome_chunk(collector.outcome_chunk(A, index))
        chunk = collector.outcome_chunk(A, collector.outcome_chunks - 1)
    refused(code, call, session)


def test_bits_of_empty_bins_tell_the_collector_nothing(told):
    """A collector that says that every bin is shared: the member goes on as if nothing were wrong."""
    collector, session = told.collector.session, member(told, 0)
    told.collector.session._array("outcome-0")[:] = 255
    size = INPUTS.context.outcome(INPUTS.limits).per_chunk
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
    said = ThresholdReceiptTerms.parse(receipt.payload, INPUTS.context)
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
        receipt = sign(SIGNERS["collector"], RECEIPT_TYPE, said.payload(INPUTS.context))
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
    signed = statement.sign(SIGNERS[A], INPUTS.context)
    check = {"schema": b"s" * 32, "most": 3}
    assert ThresholdRatesStatement.check(signed, KEYS[A], A, INPUTS.context, **check) == statement
    for changed, code in (
        ({"most": 2}, PeerCode.OVER_LIMIT),
        ({"schema": b"t" * 32}, PeerCode.SCHEMA_MISMATCH),
    ):
        refused(
            code,
            lambda changed=changed: ThresholdRatesStatement.check(
                signed, KEYS[A], A, INPUTS.context, **check | changed
            ),
        )
    refused(
        PeerCode.BAD_SIGNATURE,
        lambda: ThresholdRatesStatement.check(signed, KEYS[B], A, INPUTS.context, **check),
    )
    refused(
        PeerCode.WRONG_AGENCY,
        lambda: ThresholdRatesStatement.check(signed, KEYS[A], B, INPUTS.context, **check),
    )
    other = replace(INPUTS, round_id=b"x" * 16).context
    refused(PeerCode.UNKNOWN_ROUND, lambda: ThresholdRatesStatement.check(signed, KEYS[A], A, other, **check))
    torn = sign(SIGNERS[A], RATES_TYPE, signed.payload[:-1])
    refused(
        PeerCode.BAD_MESSAGE, lambda: ThresholdRatesStatement.check(torn, KEYS[A], A, INPUTS.context, **check)
    )


def test_oversize_chunks_are_no_messages():
    header = Header(INPUTS.round_id, "many", 0)
    refused(PeerCode.OVERSIZE, lambda: RowsChunk.parse(header, bytes(LIMITS.chunk_tag_bytes + 16), 16))
    refused(PeerCode.BAD_MESSAGE, lambda: RowsChunk.parse(header, b"", 16))
    refused(PeerCode.BAD_MESSAGE, lambda: CommittedChunks(Signed(b"", bytes(64)), bytes(31)))


def test_altered_input_is_not_used_again(sessions):
    """A collection that changed after the commitment: no blind serves another element."""
    party = sessions.members[0]
    changed = replace(INPUTS, lists=((1, 2, 3, 4, 6), *INPUTS.lists[1:]))
    session = changed.member(0, party.session._workspace, party.stored)
    with pytest.raises(LocalError, match="changed"):
        session.prepare_chunk(1)
    fewer = Elements.of((1, 2, 3, 4))
    with pytest.raises(LocalError, match="changed"):
        Member(
            INPUTS.context,
            elements=fewer,
            seed=b"m" * 32,
            signer=SIGNERS[A],
            keys=KEYS,
            workspace=party.session._workspace,
        )


@pytest.mark.parametrize("name", ["blinded_digests", "committed-1"])
def test_altered_working_files_are_found(sessions, name):
    party = sessions.members[0]
    party.session._array(name)[0, 0] ^= 1
    with pytest.raises(StoreError):
        party.restart()


def test_no_secret_is_in_a_repr(told):
    for party in (*told.members, told.collector):
        assert "many" in repr(party.session)
        assert len(repr(party.session)) < 80
