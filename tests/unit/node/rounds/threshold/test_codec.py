"""The messages of a threshold: what is right survives, what is not gets its code."""

import numpy as np
import pytest
from tests.support.threshold_sessions import ThresholdInputs

from blindmatch.node.rounds.edge_codec import Progress
from blindmatch.node.rounds.threshold import codec as convert
from blindmatch.node.transport.codec import STATEMENT_BYTES
from blindmatch.proto.v1 import threshold_pb2
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import LIMITS
from blindmatch.protocol.session.messages import Header, RowsChunk
from blindmatch.protocol.threshold.messages import CommittedChunks
from blindmatch.protocol.transcript import Signed

HEADER = Header(bytes(range(16)), "shared", 3)
SIGNED = Signed(b"payload", b"s" * 64)
COMMITTED = CommittedChunks(SIGNED, b"d" * 64)
POINTS = np.arange(64, dtype=np.uint8).reshape(2, 32)
CELLS = np.arange(48, dtype=np.uint8).reshape(3, 16)

MESSAGES = {
    "rates_request": (convert.rates_request(HEADER, b"a" * 32), convert.rates_request.read),
    "rates_reply": (convert.rates_reply(HEADER, SIGNED), convert.rates_reply.read),
    "join_request": (convert.join_request(HEADER, [SIGNED] * 3), convert.join_request.read),
    "join_reply, progress": (convert.join_reply(HEADER, Progress(1, 2)), convert.join_reply.read),
    "join_reply": (convert.join_reply(HEADER, COMMITTED), convert.join_reply.read),
    "meet_request": (convert.meet_request(HEADER, [COMMITTED] * 3), convert.meet_request.read),
    "meet_reply": (
        convert.meet_reply(HEADER, [(1, False), (2, True)]),
        lambda message: convert.read_meet_reply(message, 2),
    ),
    "blind_request": (convert.blind_request(HEADER), convert.blind_request.read),
    "member_points": (convert.member_points(HEADER, "a", POINTS.tobytes()), convert.read_member_points),
    "attest_request": (convert.attest_request(HEADER, "a"), convert.attest_request.read),
    "attest_reply": (convert.attest_reply(HEADER, SIGNED), convert.attest_reply.read),
    "deliver_request, points": (
        convert.deliver_request(HEADER, "a", POINTS.tobytes()),
        convert.read_deliver_request,
    ),
    "deliver_request": (convert.deliver_request(HEADER, "a", SIGNED), convert.read_deliver_request),
    "deliver_reply": (convert.deliver_reply(HEADER), convert.deliver_reply.read),
    "build_request": (convert.build_request(HEADER), convert.build_request.read),
    "build_reply, progress": (convert.build_reply(HEADER, Progress(1, 2)), convert.build_reply.read),
    "build_reply": (convert.build_reply(HEADER, SIGNED), convert.build_reply.read),
    "cells_request": (convert.cells_request(HEADER), convert.cells_request.read),
    "cells": (convert.cells(RowsChunk(HEADER, CELLS)), convert.cells.read),
    "tell_request, rows": (convert.tell_request(HEADER, CELLS.tobytes()), convert.tell_request.read),
    "tell_request": (convert.tell_request(HEADER, SIGNED), convert.tell_request.read),
    "tell_reply": (convert.tell_reply(HEADER), convert.tell_reply.read),
    "sign_request": (convert.sign_request(HEADER, SIGNED, [SIGNED] * 3), convert.sign_request.read),
    "sign_reply": (convert.sign_reply(HEADER, b"s" * 64), convert.sign_reply.read),
}
CASES = pytest.mark.parametrize("name", MESSAGES)


def fresh(name):
    message, read = MESSAGES[name]
    return type(message).FromString(message.SerializeToString()), read


def code_of(read, message):
    with pytest.raises(PeerError) as refused:
        read(message)
    return refused.value.code


def test_every_message_is_tried():
    tried = {type(message).DESCRIPTOR.name for message, _ in MESSAGES.values()}
    parts = {"MemberCommitment", "Received"}
    assert tried == set(threshold_pb2.DESCRIPTOR.message_types_by_name) - parts


@CASES
def test_reading_gives_what_was_made(name):
    message, read = fresh(name)
    seen = read(message)
    header = seen if isinstance(seen, Header) else getattr(seen, "header", None) or seen[0]
    assert header == HEADER or seen[1].header == HEADER


def test_values_survive():
    assert convert.join_reply.read(fresh("join_reply")[0])[1] == COMMITTED
    assert convert.read_meet_reply(fresh("meet_reply")[0], 2)[1] == [(1, False), (2, True)]
    member, chunk = convert.read_member_points(fresh("member_points")[0])
    assert (member, chunk.points.tolist()) == ("a", POINTS.tolist())
    assert convert.cells.read(fresh("cells")[0]).rows.tolist() == CELLS.tolist()
    assert convert.tell_request.read(fresh("tell_request, rows")[0])[1] == CELLS.tobytes()
    _, receipt, tables = convert.sign_request.read(fresh("sign_request")[0])
    assert (receipt, tables) == (SIGNED, [SIGNED] * 3)


@CASES
def test_an_unknown_field_another_version_or_no_header(name):
    message, read = fresh(name)
    raw = message.SerializeToString()
    assert code_of(read, type(message).FromString(raw + b"\xf8\x3f\x01")) is PeerCode.BAD_MESSAGE
    message.header.version = 9
    assert code_of(read, message) is PeerCode.WRONG_VERSION
    message.ClearField("header")
    assert code_of(read, message) is PeerCode.BAD_MESSAGE


@pytest.mark.parametrize(
    "name",
    [
        "rates_reply",
        "attest_reply",
        "join_reply",
        "build_reply",
        "deliver_request",
        "tell_request",
        "sign_request",
    ],
)
def test_a_missing_part(name):
    message, read = fresh(name)
    for field in ("rates", "attestation", "commitment", "tables", "outcome", "receipt"):
        if field in message.DESCRIPTOR.fields_by_name:
            message.ClearField(field)
    assert code_of(read, message) is PeerCode.BAD_MESSAGE


def _changed(name, change):
    message, read = fresh(name)
    change(message)
    return code_of(read, message)


@pytest.mark.parametrize(
    ("name", "change", "code"),
    [
        ("rates_request", lambda m: setattr(m, "agreement", b"a"), PeerCode.BAD_MESSAGE),
        ("rates_reply", lambda m: setattr(m.rates, "signature", b"s"), PeerCode.BAD_SIGNATURE),
        ("rates_reply", lambda m: setattr(m.rates, "payload", bytes(STATEMENT_BYTES + 1)), PeerCode.OVERSIZE),
        ("join_request", lambda m: m.rates.extend([m.rates[0]] * 8), PeerCode.OVERSIZE),
        ("meet_request", lambda m: m.commitments.extend([m.commitments[0]] * 8), PeerCode.OVERSIZE),
        ("meet_request", lambda m: setattr(m.commitments[0], "digests", b"d" * 33), PeerCode.BAD_MESSAGE),
        ("sign_request", lambda m: m.tables.extend([m.tables[0]] * 8), PeerCode.OVERSIZE),
        ("meet_reply", lambda m: m.received.add(chunks=1), PeerCode.BAD_MESSAGE),
        ("meet_reply", lambda m: setattr(m.received[0], "chunks", LIMITS.elements + 1), PeerCode.BAD_MESSAGE),
        ("join_reply, progress", lambda m: setattr(m.progress, "done", 3), PeerCode.BAD_MESSAGE),
        ("build_reply, progress", lambda m: setattr(m.progress, "total", 1 << 60), PeerCode.BAD_MESSAGE),
        ("member_points", lambda m: setattr(m, "points", b"p" * 33), PeerCode.BAD_MESSAGE),
        ("deliver_request, points", lambda m: setattr(m, "points", b""), PeerCode.BAD_MESSAGE),
        ("cells", lambda m: setattr(m, "cells", b"c" * 17), PeerCode.BAD_MESSAGE),
        ("cells", lambda m: setattr(m, "cells", bytes(LIMITS.chunk_tag_bytes + 16)), PeerCode.OVERSIZE),
        ("sign_reply", lambda m: setattr(m, "signature", b"s"), PeerCode.BAD_SIGNATURE),
        ("sign_reply", lambda m: setattr(m, "signature", bytes(3 << 20)), PeerCode.OVERSIZE),
    ],
)
def test_wrong_sizes(name, change, code):
    assert _changed(name, change) is code


def test_rows_of_an_outcome_are_as_wide_as_the_threshold_says():
    context = ThresholdInputs(((1, 2), (2, 3), (3, 4)), 2).context
    rows = convert.outcome_rows(HEADER, bytes(5 * context.outcome_bytes), context)
    assert rows.rows.shape == (5, context.outcome_bytes)
    with pytest.raises(PeerError):
        convert.outcome_rows(HEADER, b"", context)
