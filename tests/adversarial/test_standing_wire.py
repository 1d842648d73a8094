"""Peers that break a standing agreement over a real connection: each gets a code, the node serves on, its audit log shows it."""

import json
import os
from contextlib import AsyncExitStack

import grpc
import numpy as np
import pytest

from blindmatch.node.rounds.runner import run_round
from blindmatch.node.rounds.standing import stored_epoch
from blindmatch.node.server import running
from blindmatch.node.storage.store import FAILED
from blindmatch.node.transport.error_status import CODE_KEY
from blindmatch.proto.v1 import common_pb2, match_pb2, standing_pb2
from blindmatch.protocol import oprf
from blindmatch.protocol.agreement import Standing
from blindmatch.protocol.limits import LIMITS, Limits

WEST, NORTH, SOUTH = "west-force", "north-council", "south-council"
SMALL = Limits(chunk_elements=32)
SERVICE = "/blindmatch.v1.StandingRounds/"


class Scene:
    """An open epoch between two serving nodes, and raw calls as any of three."""

    def __init__(self, town, held, channels):
        self.town, self.held, self.channels = town, held, channels
        self.edge = held.agreement.edges[0].id
        self.row = town.nodes[WEST].store.epochs()[0]
        self.stored = stored_epoch.load(
            town.nodes[WEST], held.agreement, town.nodes[WEST].store.find_epoch(self.row.epoch, self.edge)
        )

    def header(self, **change):
        values = {"version": 1, "round": self.row.epoch, "edge": self.edge, "sequence": 0}
        return common_pb2.Header(**(values | change))

    async def call(self, client, server, method, message, service=SERVICE):
        """The raw answer, or the code of the refusal."""
        raw = message if isinstance(message, bytes) else message.SerializeToString()
        stream = self.channels[client, server].stream_stream(service + method)(iter([raw]), timeout=30)
        try:
            return [answer async for answer in stream]
        except grpc.aio.AioRpcError as error:
            return dict(error.trailing_metadata() or ()).get(CODE_KEY)

    def submission(self, **change):
        rows = b"".join(number.to_bytes(16, "big") for number in range(self.stored.agreed.sender_tokens))
        values = {"header": self.header(), "agreement": self.held.id, "check": os.urandom(16), "rows": rows}
        return standing_pb2.SubmitRequest(**(values | change))

    def question(self, **change):
        count = self.stored.agreed.receiver_tokens
        seed = b"".join(number.to_bytes(2, "big") for number in range(count))
        points = oprf.hash_to_group(np.frombuffer(seed, dtype=np.uint8).reshape(count, 2), oprf.Mode.OPRF)
        values = {
            "header": self.header(),
            "agreement": self.held.id,
            "check": os.urandom(16),
            "points": points.tobytes(),
        }
        return standing_pb2.AskRequest(**(values | change))


@pytest.fixture
async def scene(town):
    held = town.sign_agreement(town.agreement(WEST, NORTH, standing=Standing(30, 100)))
    police, council = town.nodes[WEST], town.nodes[NORTH]
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running(council, limits=SMALL))
        await stack.enter_async_context(running(police, limits=SMALL))
        assert (await run_round(police, held.id, limits=SMALL)).complete
        channels = {}
        for client in (WEST, NORTH, SOUTH):
            for server in (WEST, NORTH):
                if client != server:
                    channels[client, server] = await stack.enter_async_context(town.channel(client, server))
        yield Scene(town, held, channels)


async def test_submissions_that_are_not_as_they_must_be(scene):
    good = scene.submission()
    for client, message, code in (
        (SOUTH, good, "unknown-agreement"),
        (NORTH, scene.submission(agreement=bytes(32)), "unknown-agreement"),
        (NORTH, scene.submission(header=scene.header(edge="another")), "unknown-round"),
        (NORTH, scene.submission(header=scene.header(round=bytes(16))), "diverged"),
        (NORTH, scene.submission(header=scene.header(sequence=1)), "bad-sequence"),
        (NORTH, scene.submission(header=scene.header(version=2)), "wrong-version"),
        (NORTH, scene.submission(check=b"short"), "bad-message"),
        (NORTH, scene.submission(rows=good.rows[16:]), "bad-count"),
        (NORTH, scene.submission(rows=good.rows + good.rows), "bad-count"),
        (NORTH, scene.submission(rows=good.rows[::-1]), "bad-tags"),
        (NORTH, scene.submission(rows=bytes(LIMITS.message_bytes - 200)), "oversize"),
        (NORTH, good.SerializeToString()[:-3], "bad-message"),
    ):
        assert await scene.call(client, WEST, "Submit", message) == code
    police = scene.town.nodes[WEST]
    assert police.store.checks() == []
    # The node serves on; the same submission again is taken once.
    for _ in range(2):
        assert isinstance(await scene.call(NORTH, WEST, "Submit", good), list)
    assert len(police.store.checks()) == 1
    codes = {json.loads(row.detail).get("code") for row in police.store.audit_rows()}
    assert {"bad-count", "bad-tags", "diverged", "oversize"} <= codes


async def test_questions_that_are_not_as_they_must_be(scene):
    good = scene.question()
    for client, message, code in (
        (SOUTH, good, "unknown-agreement"),
        (WEST, scene.question(header=scene.header(round=bytes(16))), "diverged"),
        (WEST, scene.question(points=good.points[32:]), "bad-count"),
        (WEST, scene.question(points=bytes(len(good.points))), "bad-point"),
        (WEST, good.SerializeToString()[:-3], "bad-message"),
    ):
        assert await scene.call(client, NORTH, "Ask", message) == code
    (answer,) = await scene.call(WEST, NORTH, "Ask", good)
    assert len(standing_pb2.AskReply.FromString(answer).points) == len(good.points)


async def test_each_side_may_do_only_what_is_its_own(scene):
    """The receiver submits nothing and the sender asks nothing; neither's node takes it."""
    assert await scene.call(WEST, NORTH, "Submit", scene.submission()) == "wrong-agency"
    assert await scene.call(NORTH, WEST, "Ask", scene.question()) == "wrong-agency"


def opening(scene, **change):
    values = {
        "header": scene.header(round=os.urandom(16)),
        "agreement": scene.held.id,
        "epoch": scene.row.epoch,
        "number": 1,
        "commitment": common_pb2.SignedStatement(payload=b"a commitment", signature=bytes(64)),
    }
    return standing_pb2.DeltaOpenRequest(**(values | change))


async def test_delta_rounds_that_cannot_begin(scene):
    council = scene.town.nodes[NORTH]
    before = len(council.store.edges())
    for client, message, code in (
        (SOUTH, opening(scene), "unknown-agreement"),
        (WEST, opening(scene, header=scene.header(edge="another", round=os.urandom(16))), "unknown-round"),
        (WEST, opening(scene, epoch=b"short"), "bad-message"),
        (WEST, opening(scene).SerializeToString()[:-3], "bad-message"),
    ):
        assert await scene.call(client, NORTH, "Open", message) == code
    assert len(council.store.edges()) == before
    # One that says another epoch, or another number, is of a side that does not hold what we hold: the epoch ends.
    assert await scene.call(WEST, NORTH, "Open", opening(scene, number=2)) == "diverged"
    assert council.store.epochs(still_open=True) == []
    assert not list(council.epochs_dir.glob("*/*"))


async def test_a_commitment_that_nobody_signed_ends_the_round_and_not_the_epoch(scene):
    council = scene.town.nodes[NORTH]
    message = opening(scene)
    assert await scene.call(WEST, NORTH, "Open", message) == "bad-signature"
    row = council.store.edge(message.header.round, scene.edge)
    assert (row.state, row.code, row.seed) == (FAILED, "bad-signature", b"")
    assert len(council.store.epochs(still_open=True)) == 1
    outcome = await run_round(scene.town.nodes[WEST], scene.held.id, limits=SMALL)
    assert outcome.complete
    assert outcome.edges[0].delta == 1


async def test_a_delta_round_and_a_full_one_are_not_mixed(scene):
    chunk = match_pb2.BlindedChunk(header=scene.header(), points=bytes(32))
    assert await scene.call(WEST, NORTH, "Evaluate", chunk) == "wrong-state"
    wanted = match_pb2.TagsRequest(header=scene.header())
    assert await scene.call(WEST, NORTH, "Changes", wanted) == "wrong-state"
    unknown = match_pb2.TagsRequest(header=scene.header(round=os.urandom(16)))
    assert await scene.call(WEST, NORTH, "Changes", unknown) == "unknown-round"
