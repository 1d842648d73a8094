"""Whole exchanges of a threshold in memory keep every message, every checkpoint, every stored array and the result."""

import hashlib

import pytest
from tests.support.threshold_sessions import ThresholdInputs

from blindmatch.node.rounds.hits import codec as match_convert
from blindmatch.node.rounds.threshold import codec as convert
from blindmatch.protocol.session.messages import Header
from blindmatch.protocol.threshold.collector import Collector
from blindmatch.protocol.threshold.member import Member
from blindmatch.protocol.transcript import Signed

BY_KIND = {
    "join": lambda first, *_: convert.join_request(first, []),
    "commitment": lambda first, body, _: convert.join_reply(first, body),
    "meet": lambda first, body, _: convert.meet_request(first, body),
    "received": lambda first, body, _: convert.meet_reply(first, pairs(body)),
    "blinded": lambda _, body, __: match_convert.blinded_chunk(body),
    "evaluate": lambda _, body, about: convert.member_points(body.header, about, body.points.tobytes()),
    "evaluated": lambda _, body, __: match_convert.evaluated_chunk(body),
    "attest": lambda first, _, about: convert.attest_request(first, about),
    "attestation": lambda first, body, _: convert.attest_reply(first, body),
    "deliver": lambda first, body, about: convert.deliver_request(headed(first, body), about, content(body)),
    "build": lambda first, *_: convert.build_request(first),
    "tables": lambda first, body, _: convert.build_reply(first, body),
    "cells": lambda _, body, __: convert.cells(body),
    "tell": lambda first, body, _: convert.tell_request(headed(first, body), content(body)),
    "sign": lambda first, body, _: convert.sign_request(first, *body),
    "signature": lambda first, body, _: convert.sign_reply(first, body),
    "taken after deliver": lambda first, *_: convert.deliver_reply(first),
    "taken after tell": lambda first, *_: convert.tell_reply(first),
}


def pairs(received):
    """What a member has of each other: chunks, and whether they are signed for."""
    return [(chunks, bool(signed)) for chunks, signed in zip(received[::2], received[1::2], strict=True)]


def headed(first, body):
    """A chunk goes under its own header, a statement under the first."""
    return first if isinstance(body, Signed) else body.header


def content(body):
    """A statement, or the bytes of a chunk."""
    return (
        body if isinstance(body, Signed) else getattr(body, "points", getattr(body, "rows", None)).tobytes()
    )


def encoded(message, context, before):
    """A message on a line as the protobuf message that a node sends; `before` is the kind of the one before it."""
    if message.kind in {"blind", "collect"}:
        header = Header(context.round_id, context.threshold, message.index)
        request = convert.blind_request if message.kind == "blind" else convert.cells_request
        return request(header)
    kind = f"taken after {before}" if message.kind == "taken" else message.kind
    return BY_KIND[kind](Header(context.round_id, context.threshold, 0), message.body, message.about)


def messages(line, context):
    """Every message of one line in order; the many chunks of tables are taken together."""
    out, tables, chunks, before = {}, hashlib.sha256(), 0, ""
    for message in line.sent:
        wire = encoded(message, context, before)
        data = wire.SerializeToString(deterministic=True)
        before = message.kind
        if message.kind in {"collect", "cells"}:
            tables.update(data)
            chunks += 1
            continue
        out[f"{len(out):03} {message.sender} {type(wire).__name__}"] = data
    out[f"tables, {chunks} messages"] = tables.digest()
    return out


CIRCLES = {
    "two of three": ThresholdInputs(
        ((1, 2, 3, 4, 5, 6), (4, 5, 6, 7, 8), (6, 5, 20, 21, 22, 23, 24)), at_least=2, minimum_count=2
    ),
    "all of two, a member collects": ThresholdInputs(
        ((1, 2, 3), (3, 2, 4, 5, 6)), at_least=2, collector_name="agency-b"
    ),
    "withheld": ThresholdInputs(((1, 2, 3), (3, 4), (5, 6, 7)), at_least=2, minimum_count=3),
}


@pytest.mark.parametrize("name", CIRCLES)
def test_a_threshold(golden, checkpoints, workspaces, name):
    taken = checkpoints(Collector, Member)
    circle = CIRCLES[name]
    ring = circle.connect()
    told = ring.run()
    for line in ring.lines:
        golden(f"{name}: {line.member}", messages(line, circle.context))
    golden(f"{name}: result", {
        "elements": told,
        "shared": [*vars(ring.shared).values()],
        "receipts": [line.receipt for line in ring.lines],
        "signatures": ring.collector.session.signatures,
    })  # fmt: skip
    golden(f"{name}: checkpoints", taken())
    golden(f"{name}: stored", workspaces())
