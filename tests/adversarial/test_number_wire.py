"""Nodes that break a count or a sum over a real connection: a code, an audit entry, a failed edge, and the other node serves on."""

import dataclasses
import inspect
import json

import grpc
import numpy as np
import pytest

from blindmatch.node.rounds.aggregate import codec as convert
from blindmatch.node.rounds.aggregate import receiver as receiving
from blindmatch.node.rounds.aggregate import results as aggregate_results
from blindmatch.node.rounds.runner import run_round
from blindmatch.node.server import running
from blindmatch.node.storage.store import FAILED
from blindmatch.node.transport.error_status import CODE_KEY
from blindmatch.proto.v1 import common_pb2, match_pb2, number_pb2
from blindmatch.protocol.aggregate.messages import AggregateChunk
from blindmatch.protocol.aggregate.receiver import AggregateReceiver
from blindmatch.protocol.aggregate.sender import AggregateSender
from blindmatch.protocol.agreement import Disclosure
from blindmatch.protocol.limits import Limits
from blindmatch.protocol.session.messages import Header
from blindmatch.protocol.transcript import Signed

WEST, NORTH, SOUTH = "west-force", "north-council", "south-council"
SMALL = Limits(chunk_elements=16)
ROUND = bytes(range(16))
SERVICE = "/blindmatch.v1.Number/"
TERMS = {
    "count": {"disclosure": Disclosure.COUNT},
    "sum": {"disclosure": Disclosure.SUM, "value": "contract_value"},
}
kinds = pytest.mark.parametrize("kind", TERMS)


def audited(node):
    """What a node's audit log says of failures: (subject's first word, recipient, code)."""
    details = [(row, json.loads(row.detail)) for row in node.store.audit_rows()]
    return [(row.subject.split()[0], row.recipient, said["code"]) for row, said in details if "code" in said]


def agree(town, kind):
    return town.sign_agreement(town.agreement(WEST, NORTH, **TERMS[kind]))


async def honest(town, held):
    """An honest round afterwards tells what it should: the sender's node has lived on."""
    outcome = await run_round(town.nodes[WEST], held.id, limits=SMALL)
    assert outcome.complete
    (found,) = aggregate_results.load(town.nodes[WEST], outcome.round_id)
    assert found.told


def altered(chunk):
    rows = chunk.rows.copy()
    rows[0, 0] ^= 1
    return dataclasses.replace(chunk, rows=rows)


def not_points(chunk):
    rows = chunk.rows.copy()
    rows[:, :32] = 0xFF
    return dataclasses.replace(chunk, rows=rows)


def later(chunk):
    return dataclasses.replace(chunk, header=dataclasses.replace(chunk.header, sequence=7))


def elsewhere(chunk):
    return dataclasses.replace(chunk, header=dataclasses.replace(chunk.header, round_id=ROUND))


def shorter(chunk):
    return dataclasses.replace(chunk, rows=chunk.rows[:-1])


def narrower(chunk):
    rows = chunk.rows[: max(1, len(chunk.rows) - 1), :-3]  # so many bytes that they are no whole rows
    return AggregateChunk(chunk.header, np.ascontiguousarray(rows))


RECEIVERS_LIES = [
    ("points_chunk", not_points, "bad-point"),
    ("points_chunk", later, "bad-sequence"),
    ("points_chunk", elsewhere, "unknown-round"),
    ("points_chunk", shorter, "bad-count"),
    ("points_chunk", narrower, "bad-message"),
    ("masked_chunk", later, "bad-sequence"),
    ("masked_chunk", elsewhere, "unknown-round"),
    ("masked_chunk", shorter, "bad-count"),
    ("masked_chunk", narrower, "bad-message"),
]


@kinds
@pytest.mark.parametrize(("transfer", "bend", "code"), RECEIVERS_LIES)
async def test_a_receiver_that_lies(town, monkeypatch, kind, transfer, bend, code):
    held, council = agree(town, kind), town.nodes[NORTH]
    true = getattr(AggregateReceiver, transfer)
    with monkeypatch.context() as patched:
        patched.setattr(AggregateReceiver, transfer, lambda session, index: bend(true(session, index)))
        async with running(council, limits=SMALL):
            outcome = await run_round(town.nodes[WEST], held.id, limits=SMALL, wait_seconds=10)
    assert (outcome.edges[0].state, outcome.edges[0].code) == (FAILED, code)
    assert ("call", WEST, code) in audited(council)
    assert aggregate_results.load(town.nodes[WEST], outcome.round_id) == []
    (edge,) = council.store.edges()
    if code not in {"unknown-round", "bad-message"}:  # those two never reach the session
        assert (edge.state, edge.code) == (FAILED, code)
        assert ("round", WEST, code) in audited(council)
    async with running(council, limits=SMALL):
        await honest(town, held)


def other_statement(signed):
    return Signed(signed.payload[:-1] + bytes([signed.payload[-1] ^ 1]), signed.signature)


SENDERS_LIES = [
    ("points_chunk", altered, {"bad-commitment", "bad-point"}),
    ("points_chunk", not_points, {"bad-commitment", "bad-point"}),
    ("points_chunk", later, {"bad-sequence"}),
    ("points_chunk", elsewhere, {"unknown-round"}),
    ("points_chunk", shorter, {"bad-count"}),
    ("points_chunk", narrower, {"bad-message"}),
    ("outcome", other_statement, {"bad-signature"}),
]


@kinds
@pytest.mark.parametrize(("method", "bend", "codes"), SENDERS_LIES)
async def test_a_sender_that_lies(town, monkeypatch, kind, method, bend, codes):
    held, police = agree(town, kind), town.nodes[WEST]
    true = getattr(AggregateSender, method)
    with monkeypatch.context() as patched:
        patched.setattr(AggregateSender, method, lambda session, *index: bend(true(session, *index)))
        async with running(town.nodes[NORTH], limits=SMALL):
            outcome = await run_round(police, held.id, limits=SMALL)
    assert outcome.edges[0].state == FAILED
    assert outcome.edges[0].code in codes
    assert [("round", WEST, outcome.edges[0].code)] == audited(police)
    assert aggregate_results.load(police, outcome.round_id) == []
    assert list(police.rounds_dir.iterdir()) == []
    async with running(town.nodes[NORTH], limits=SMALL):
        await honest(town, held)


async def test_a_sender_that_acknowledges_what_it_was_not_given(town, monkeypatch):
    held = agree(town, "count")
    true = convert.taken

    def wrong(header):
        return true(dataclasses.replace(header, sequence=header.sequence + 1))

    wrong.header = true.header
    with monkeypatch.context() as patched:
        patched.setattr(convert, "taken", wrong)
        async with running(town.nodes[NORTH], limits=SMALL):
            outcome = await run_round(town.nodes[WEST], held.id, limits=SMALL)
    assert (outcome.edges[0].state, outcome.edges[0].code) == (FAILED, "bad-sequence")


# Raw calls.


async def call(channel, method, *messages, service=SERVICE):
    """The raw answers, or the code of the refusal."""
    raw = [m if isinstance(m, bytes) else m.SerializeToString() for m in messages]
    stream = channel.stream_stream(service + method)(iter(raw), timeout=30)
    try:
        return [answer async for answer in stream]
    except grpc.aio.AioRpcError as error:
        return dict(error.trailing_metadata() or ()).get(CODE_KEY)


def header(edge, round_id=ROUND, **more):
    return common_pb2.Header(version=1, round=round_id, edge=edge, **more)


def messages(edge, round_id=ROUND):
    """A good message of every method, but for what it is about."""
    said = header(edge, round_id)
    return {
        "GivePoints": number_pb2.Rows(header=said, rows=bytes(32)),
        "FetchPoints": number_pb2.RowsRequest(header=said),
        "GiveMasked": number_pb2.Rows(header=said, rows=bytes(16)),
        "Outcome": number_pb2.OutcomeRequest(header=said),
    }


METHODS = ("GivePoints", "FetchPoints", "GiveMasked", "Outcome")


@pytest.mark.parametrize("method", METHODS)
async def test_messages_that_are_damaged_or_about_nothing(town, method):
    held = agree(town, "count")
    edge = held.agreement.edges[0].id
    good = messages(edge)[method]
    raw = good.SerializeToString()
    wrong_version = type(good).FromString(raw)
    wrong_version.header.version = 2
    async with running(town.nodes[NORTH], limits=SMALL), town.channel(WEST, NORTH) as channel:
        for message, code in (
            (good, "unknown-round"),
            (raw[:-3], "bad-message"),
            (raw + b"\xf8\x7f\x01", "bad-message"),
            (b"", "bad-message"),
            (wrong_version, "wrong-version"),
            (messages("x" * 65)[method], "bad-message"),
            (messages("")[method], "bad-message"),
            (messages(edge, b"short")[method], "bad-message"),
        ):
            assert await call(channel, method, message) == code, (message, code)
        assert {code for _, _, code in audited(town.nodes[NORTH])} == {
            "unknown-round",
            "bad-message",
            "wrong-version",
        }
        await honest(town, held)


async def test_the_steps_of_one_disclosure_are_refused_on_an_edge_of_another(town, monkeypatch):
    """The tag table of a list of hits is never to be had on an edge that tells a count, nor the other way round."""
    counting, listing = agree(town, "count"), town.sign_agreement(town.agreement(WEST, NORTH))

    async def stop(_edge):
        raise grpc.aio.UsageError("enough")

    seen = {}
    async with running(town.nodes[NORTH], limits=SMALL), town.channel(WEST, NORTH) as channel:
        for held, kind in ((counting, receiving.AggregateReceivingEdge), (listing, None)):
            if kind is not None:
                monkeypatch.setattr(kind, "_transfer", lambda *_, **__: stop(None))
            else:
                from blindmatch.node.rounds.hits.receiver import HitsReceivingEdge  # noqa: PLC0415 - only here

                monkeypatch.setattr(HitsReceivingEdge, "_evaluate", lambda *_: stop(None))
            outcome = await run_round(town.nodes[WEST], held.id, limits=SMALL)
            seen[held.id] = outcome.round_id
        edge = counting.agreement.edges[0].id
        said = Header(seen[counting.id], edge, 0)
        blinded = match_pb2.BlindedChunk(header=header(edge, seen[counting.id]), points=bytes(32))
        tags = match_pb2.TagsRequest(header=header(edge, seen[counting.id]))
        match = "/blindmatch.v1.Match/"
        assert await call(channel, "Evaluate", blinded, service=match) == "wrong-state"
        assert await call(channel, "Tags", tags, service=match) == "wrong-state"
        for method, message in messages(listing.agreement.edges[0].id, seen[listing.id]).items():
            assert await call(channel, method, message) == "wrong-state", method
        # Too early, on an edge of the right kind: the receiver's points have not come.
        assert await call(channel, "Outcome", convert.outcome_request(said)) == "wrong-state"
    assert ("call", WEST, "wrong-state") in audited(town.nodes[NORTH])


@pytest.mark.parametrize("method", METHODS)
async def test_only_the_edges_receiver_may_call(town, method):
    held = agree(town, "count")
    async with running(town.nodes[NORTH], limits=SMALL):
        outcome = await run_round(town.nodes[WEST], held.id, limits=SMALL)
        async with town.channel(SOUTH, NORTH) as channel:
            message = messages(held.agreement.edges[0].id, outcome.round_id)[method]
            assert await call(channel, method, message) == "wrong-agency"
        async with town.channel(WEST, NORTH) as channel:  # the receiver itself, after the edge has closed
            assert await call(channel, method, message) == "wrong-state"


async def test_a_stream_carries_one_edge_only(town, monkeypatch):
    held = agree(town, "count")
    true = AggregateReceiver.points_chunk

    def mixed(session, index):
        chunk = true(session, index)
        return chunk if index == 0 else elsewhere(chunk)

    monkeypatch.setattr(AggregateReceiver, "points_chunk", mixed)
    async with running(town.nodes[NORTH], limits=SMALL):
        outcome = await run_round(town.nodes[WEST], held.id, limits=SMALL)
    assert (outcome.edges[0].state, outcome.edges[0].code) == (FAILED, "unknown-round")


def test_the_lies_are_about_sessions_that_exist():
    """The names that these tests bend are those that the nodes call."""
    source = inspect.getsource(receiving.AggregateReceivingEdge)
    for name in {lie[0] for lie in RECEIVERS_LIES}:
        assert callable(getattr(AggregateReceiver, name))
        assert f"AggregateReceiver.{name}" in source
