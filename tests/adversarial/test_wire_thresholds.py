"""Collectors and members that break a threshold over real connections: a code, a failed round, a node that lives on."""

import json
from contextlib import AsyncExitStack, asynccontextmanager, closing

import grpc
import numpy as np
import pytest
from tests.support.corrupt_fields import IDENTITY, with_fields
from tests.support.hits_sessions import Rows
from tests.support.threshold_nodes import (
    COLLECTOR,
    MEMBERS,
    THRESHOLD,
    references_of,
    sign_threshold,
    threshold_nodes,
)

from blindmatch.node.rounds import leads as round_leads
from blindmatch.node.rounds.runner import run_round
from blindmatch.node.rounds.threshold import codec as convert
from blindmatch.node.server import running
from blindmatch.node.storage.store import FAILED
from blindmatch.node.transport import gate
from blindmatch.node.transport.error_status import CODE_KEY
from blindmatch.proto.v1 import match_pb2, threshold_pb2
from blindmatch.protocol import group, oprf
from blindmatch.protocol.limits import Limits
from blindmatch.protocol.oprf import Mode
from blindmatch.protocol.session.messages import BlindedChunk, Header
from blindmatch.protocol.transcript import Signed

SMALL = Limits(chunk_elements=128, chunk_tag_bytes=1 << 17)
ROUND, OTHER_ROUND = bytes(range(16)), bytes(range(1, 17))
SERVICE = "/blindmatch.v1.Thresholds/"
NORTH, SOUTH, WEST = MEMBERS
METHODS = threshold_pb2.DESCRIPTOR.services_by_name["Thresholds"].methods_by_name


@pytest.fixture
def town(node_templates, tmp_path):
    with closing(node_templates.copy(threshold_nodes, tmp_path)) as nodes:
        yield nodes


async def call(channel, method, message):
    """The raw answers, or (code, status) of the refusal."""
    raw = message if isinstance(message, bytes) else message.SerializeToString()
    stream = channel.stream_stream(SERVICE + method)(iter([raw]), timeout=30)
    try:
        return [answer async for answer in stream]
    except grpc.aio.AioRpcError as error:
        return dict(error.trailing_metadata() or ()).get(CODE_KEY), error.code()


@asynccontextmanager
async def servers(town, *agencies):
    async with AsyncExitStack() as stack:
        for agency in agencies:
            await stack.enter_async_context(running(town.nodes[agency], limits=SMALL, grace=0))
        yield stack


async def honest(town, held):
    """A round as it should be, under the same agreement and with the same servers."""
    outcome = await run_round(town.nodes[COLLECTOR], held.id, limits=SMALL)
    assert outcome.complete, outcome
    for agency in MEMBERS:
        found = {lead.reference for lead in round_leads.load(town.nodes[agency], outcome.round_id)}
        assert found == references_of(agency, range(20, 30))


def audited(node):
    return [json.loads(row.detail).get("code") for row in node.store.audit_rows()]


def requests(header, agreement=b"a" * 32):
    """A well-formed message of every method, for a round that may not exist."""
    signed = Signed(b"payload", bytes(64))
    points = np.frombuffer(group.multiply_base(np.eye(1, 32, dtype=np.uint8)).tobytes(), np.uint8)
    chunk = BlindedChunk(header, points.reshape(1, 32))
    return {
        "Rates": convert.rates_request(header, agreement),
        "Join": convert.join_request(header, [signed] * 3),
        "Meet": convert.meet_request(header, []),
        "Blind": convert.blind_request(header),
        "Evaluate": convert.member_points(chunk.header, SOUTH, chunk.points.tobytes()),
        "Attest": convert.attest_request(header, SOUTH),
        "Deliver": convert.deliver_request(header, SOUTH, signed),
        "Build": convert.build_request(header),
        "Collect": convert.cells_request(header),
        "Tell": convert.tell_request(header, signed),
        "Sign": convert.sign_request(header, signed, [signed] * 3),
    }


async def test_only_the_collector_may_call(town):
    """Another member of the same agreement gets nothing out of any method, before a round and in one."""
    held = sign_threshold(town)
    header = Header(ROUND, THRESHOLD, 0)
    every = requests(header, held.id)
    assert set(every) == set(METHODS)
    async with (
        servers(town, NORTH),
        town.channel(WEST, NORTH) as rogue,
        town.channel(COLLECTOR, NORTH) as good,
    ):
        assert (await call(rogue, "Rates", every["Rates"]))[0] == "wrong-agency"
        for method in set(every) - {"Rates"}:
            assert (await call(good, method, every[method]))[0] == "unknown-round", method
        (answer,) = await call(good, "Rates", every["Rates"])
        assert await call(good, "Rates", every["Rates"]) == [answer]
        for method, message in every.items():
            assert (await call(rogue, method, message))[0] == "wrong-agency", method
        for method in set(every) - {"Rates", "Join"}:
            assert (await call(good, method, every[method]))[0] == "wrong-state", method
        assert (await call(good, "Rates", convert.rates_request(header, b"z" * 32)))[0] == "unknown-agreement"
        other = convert.rates_request(Header(ROUND, "another", 0), held.id)
        assert (await call(good, "Rates", other))[0] == "unknown-round"
    assert town.nodes[NORTH].store.edges()[0].state == "preparing"


async def test_damaged_messages_of_every_method(town):
    held = sign_threshold(town)
    header = Header(ROUND, THRESHOLD, 0)
    async with servers(town, NORTH), town.channel(COLLECTOR, NORTH) as good:
        for method, message in requests(header, held.id).items():
            raw = message.SerializeToString()
            other = type(message).FromString(raw)
            other.header.version = 9
            wrong = {
                "truncated": (raw[:-1], "bad-message"),
                "unknown field": (raw + b"\xf8\x3f\x01", "bad-message"),
                "empty": (b"", "bad-message"),
                "version": (other.SerializeToString(), "wrong-version"),
                "oversize": (raw + b"\xfa\x3f\x80\x80\xc0\x01" + bytes(3 << 20), "oversize"),
            }
            for damage, (data, code) in wrong.items():
                assert (await call(good, method, data))[0] == code, (method, damage)
    assert town.nodes[NORTH].store.edges() == []


async def joined(town, held, channels):
    """Every member's rates and commitments, as a collector would get them; the commitments."""
    header = Header(ROUND, THRESHOLD, 0)
    rates = []
    for agency in MEMBERS:
        (answer,) = await call(channels[agency], "Rates", convert.rates_request(header, held.id))
        rates.append(convert.rates_reply.read(threshold_pb2.RatesReply.FromString(answer))[1])
    committed = []
    for agency in MEMBERS:
        answers = await call(channels[agency], "Join", convert.join_request(header, rates))
        committed.append(convert.join_reply.read(threshold_pb2.JoinReply.FromString(answers[-1]))[1])
    return rates, committed


async def test_a_collector_s_guesses_are_not_evaluated_and_the_member_s_round_ends(town):
    held = sign_threshold(town)
    header = Header(ROUND, THRESHOLD, 0)
    async with servers(town, *MEMBERS) as stack:
        channels = {
            agency: await stack.enter_async_context(town.channel(COLLECTOR, agency)) for agency in MEMBERS
        }
        rates, committed = await joined(town, held, channels)
        # Other statements than those that were accepted, and a guess before anybody has met.
        swapped = convert.join_request(header, [rates[0], rates[2], rates[1]])
        assert (await call(channels[NORTH], "Join", swapped))[0] == "bad-signature"
        meet = convert.meet_request(header, committed)
        for agency in MEMBERS:
            (answer,) = await call(channels[agency], "Meet", meet)
            _, received = convert.read_meet_reply(threshold_pb2.MeetReply.FromString(answer), 2)
            assert received == [(0, False), (0, False)]
        # A true chunk gets a true answer, the same bytes again.
        (true,) = await call(channels[SOUTH], "Blind", convert.blind_request(header))
        chunk = match_pb2.BlindedChunk.FromString(true)
        message = threshold_pb2.MemberPoints(header=chunk.header, member=SOUTH, points=chunk.points)
        first = await call(channels[NORTH], "Evaluate", message)
        assert await call(channels[NORTH], "Evaluate", message) == first
        blinds = group.scalars_from_uniform(np.arange(64 * 128, dtype=np.uint8).reshape(128, 64))
        guesses = oprf.blind_inputs(Rows.of(range(128), 86).rows, blinds, Mode.OPRF)
        bad = convert.member_points(header, SOUTH, guesses.tobytes())
        assert (await call(channels[NORTH], "Evaluate", bad))[0] == "bad-commitment"
        row = town.nodes[NORTH].store.edge(ROUND, THRESHOLD)
        assert (row.state, row.code, row.seed) == (FAILED, "bad-commitment", b"")
        assert audited(town.nodes[NORTH]).count("bad-commitment") == 2  # the call, and the round
        assert (await call(channels[NORTH], "Evaluate", message))[0] == "wrong-state"
        await honest(town, held)


def unsigned(message):
    made = with_fields(message)
    made.rates.signature = bytes(64)
    return made


WRONG_MEMBERS = [
    ("RatesReply", lambda m: with_fields(m, header__round=OTHER_ROUND), "unknown-round"),
    (
        "RatesReply",
        unsigned,
        "bad-signature",
    ),
    ("BlindedChunk", lambda m: with_fields(m, points=IDENTITY + m.points[32:]), "bad-commitment"),
    ("EvaluatedChunk", lambda m: with_fields(m, points=m.points[32:]), "bad-count"),
    ("EvaluatedChunk", lambda m: with_fields(m, points=m.points[32:] + m.points[:32]), "bad-commitment"),
    ("Cells", lambda m: with_fields(m, cells=m.cells[16:]), "bad-count"),
    ("Cells", lambda m: with_fields(m, cells=m.cells[16:] + m.cells[:16]), "bad-commitment"),
    ("Cells", lambda m: with_fields(m, header__sequence=m.header.sequence + 1), "bad-sequence"),
    ("SignReply", lambda m: with_fields(m, signature=bytes(64)), "bad-signature"),
]


@pytest.mark.parametrize(
    ("kind", "bend", "code"),
    WRONG_MEMBERS,
    ids=[f"{number}-{k}-{c}" for number, (k, _, c) in enumerate(WRONG_MEMBERS)],
)
async def test_a_member_that_answers_wrongly(town, monkeypatch, kind, bend, code):
    """One of three: the round fails with the code, the reason names it, and nobody was told anything before the receipt."""
    held = sign_threshold(town)
    right = gate._Call._send

    async def wrong(self, message):
        mine = self._around.agency == SOUTH and message.DESCRIPTOR.name == kind
        await right(self, bend(message) if mine else message)

    async with servers(town, *MEMBERS):
        with monkeypatch.context() as patch:
            patch.setattr(gate._Call, "_send", wrong)
            outcome = await run_round(town.nodes[COLLECTOR], held.id, limits=SMALL)
        (edge,) = outcome.edges
        assert (edge.state, edge.code) == (FAILED, code)
        assert SOUTH in edge.reason
        assert not any(agency in edge.reason for agency in (NORTH, WEST))
        row = town.nodes[COLLECTOR].store.edge(outcome.round_id, THRESHOLD)
        assert (row.seed, row.code) == (b"", code)
        if kind != "SignReply":
            for agency in MEMBERS:
                assert round_leads.load(town.nodes[agency], outcome.round_id) == []
