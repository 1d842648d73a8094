"""Receivers that break the protocol over a real connection: each gets a code, the node serves on, its audit log shows it.

They hold a good certificate and speak raw gRPC; their messages come from a real session and are then bent.
"""

import dataclasses
import json
import random
from dataclasses import dataclass

import grpc
import numpy as np
import pytest
from tests.support.corrupt_fields import IDENTITY, NOT_CANONICAL, with_fields
from tests.support.first_steps import preparation, rates_of, session_of

from blindmatch.node.rounds import edge_codec
from blindmatch.node.rounds import leads as round_leads
from blindmatch.node.rounds.hits import codec as convert
from blindmatch.node.rounds.inputs import edge_context
from blindmatch.node.rounds.runner import run_round
from blindmatch.node.server import running
from blindmatch.node.storage.store import CLOSED, FAILED
from blindmatch.node.transport.error_status import CODE_KEY
from blindmatch.proto.v1 import agreement_pb2, common_pb2, match_pb2
from blindmatch.protocol.hits.receiver import Receiver
from blindmatch.protocol.limits import LIMITS, Limits
from blindmatch.protocol.session.messages import Header
from blindmatch.protocol.session.rates_statement import RatesStatement
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.transcript import Signed

WEST, NORTH, SOUTH = "west-force", "north-council", "south-council"
SMALL = Limits(chunk_elements=16)
ROUND, OTHER_ROUND = bytes(range(16)), bytes(range(1, 17))
SERVICE = "/blindmatch.v1.Match/"


@dataclass
class Rogue:
    """Speaks for the police node, one raw call at a time."""

    town: object
    channel: object
    held: object
    session: Receiver

    async def call(self, method, *messages):
        """The raw answers, or (code, status) of the refusal."""
        raw = [m if isinstance(m, bytes) else m.SerializeToString() for m in messages]
        stream = self.channel.stream_stream(SERVICE + method)(iter(raw), timeout=30)
        try:
            return [answer async for answer in stream]
        except grpc.aio.AioRpcError as error:
            trailing = dict(error.trailing_metadata() or ())
            return trailing.get(CODE_KEY), error.code()

    @property
    def opening(self):
        return edge_codec.open_request(Header(ROUND, self.edge, 0), self.held.id, self.session.commit())

    @property
    def edge(self):
        return self.held.agreement.edges[0].id

    def chunk(self, index):
        return convert.blinded_chunk(self.session.blinded_chunk(index))

    async def open(self):
        """Open as it should be."""
        answers = await self.call("Open", self.opening)
        _, commitment = edge_codec.open_reply.read(match_pb2.OpenReply.FromString(answers[-1]))
        self.session.receive_commitment(commitment)

    async def exchange(self):
        """Everything up to the receipt as it should be."""
        await self.open()
        chunks = [self.chunk(index) for index in range(self.session.chunks)]
        for answer in await self.call("Evaluate", *chunks):
            self.session.receive_evaluated(
                convert.evaluated_chunk.read(match_pb2.EvaluatedChunk.FromString(answer))
            )
        for answer in await self.call("Tags", convert.tags_request(Header(ROUND, self.edge, 0))):
            chunk = match_pb2.TagChunk.FromString(answer)
            self.session.receive_tags(convert.tag_chunk.read(chunk, self.session.context.row_bytes))
        for index in range(self.session.chunks):
            self.session.unblind_chunk(index)
        self.session.find_hits()


@pytest.fixture
async def rogue(town):
    held = town.sign_agreement(town.agreement(WEST, NORTH, facts=["contract_value"]))
    async with running(town.nodes[NORTH], limits=SMALL), town.channel(WEST, NORTH) as channel:
        yield Rogue(town, channel, held, await session_of(town, held, ROUND, limits=SMALL))


def audited(node):
    """What the sender's audit log says of failures: (method or round, code)."""
    found = []
    for row in node.store.audit_rows():
        detail = json.loads(row.detail)
        if row.event == "disclosure" and detail.get("code"):
            found.append((row.subject.split()[0], row.recipient, detail["code"]))
    return found


async def check_refused(rogue, outcome, code, *, fails_edge=False, caller=WEST):
    """The code came back and stands in the log; the node serves on, and honest rounds still find everything."""
    council, police = rogue.town.nodes[NORTH], rogue.town.nodes[WEST]
    assert outcome[0] == code
    assert ("call", caller, code) in audited(council)
    edge = council.store.find_edge(ROUND, rogue.edge)
    if fails_edge:
        assert (edge.state, edge.code, edge.seed) == (FAILED, code, b"")
        assert ("round", WEST, code) in audited(council)
    describe = agreement_pb2.DescribeRequest(version=1).SerializeToString()
    assert await rogue.channel.unary_unary("/blindmatch.v1.Agreements/Describe")(describe, timeout=20)
    honest = await run_round(police, rogue.held.id, limits=SMALL)
    assert honest.complete
    assert {lead.reference for lead in round_leads.load(police, honest.round_id)} == {
        f"P-{index:05d}" for index in range(5, 10)
    }


# --- messages that are none --------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["Prepare", "Open", "Evaluate", "Tags", "Close"])
@pytest.mark.parametrize("damage", ["truncated", "unknown field", "empty", "version"])
async def test_a_damaged_message(rogue, method, damage):
    good = {
        "Prepare": preparation(rogue.held, rates_of(rogue.town, rogue.held, ROUND), ROUND),
        "Open": rogue.opening,
        "Evaluate": match_pb2.BlindedChunk(
            header=common_pb2.Header(version=1, round=ROUND, edge=rogue.edge), points=bytes(32)
        ),
        "Tags": convert.tags_request(Header(ROUND, rogue.edge, 0)),
        "Close": edge_codec.close_request(Header(ROUND, rogue.edge, 0), Signed(b"x", bytes(64))),
    }[method]
    raw = good.SerializeToString()
    sent = {
        "truncated": raw[:-1],
        "unknown field": raw + b"\xfa\x7f\x01x",
        "empty": b"",
        "version": with_fields(good, header__version=2).SerializeToString(),
    }[damage]
    outcome = await rogue.call(method, sent)
    await check_refused(rogue, outcome, "wrong-version" if damage == "version" else "bad-message")


async def test_garbage_of_every_size_on_every_method(rogue):
    dice = random.Random(7)
    for method in ("Prepare", "Open", "Evaluate", "Tags", "Close"):
        for size in (1, 2, 17, 100, 4_096, 100_000):
            outcome = await rogue.call(method, dice.randbytes(size))
            assert outcome[0] in {"bad-message", "wrong-version"}
    assert len([entry for entry in audited(rogue.town.nodes[NORTH]) if entry[0] == "call"]) <= 8
    await check_refused(rogue, ("bad-message",), "bad-message")


async def test_a_stream_that_ends_before_its_message(rogue):
    await check_refused(rogue, await rogue.call("Open"), "bad-message")


# --- who may do what ---------------------------------------------------------------------------------------------


async def test_another_party_s_round(rogue):
    await rogue.open()
    async with rogue.town.channel(SOUTH, NORTH) as channel:
        south = dataclasses.replace(rogue, channel=channel)
        for method, message in (
            ("Prepare", preparation(rogue.held, rates_of(rogue.town, rogue.held, ROUND), ROUND)),
            ("Open", rogue.opening),
            ("Evaluate", rogue.chunk(0)),
            ("Tags", convert.tags_request(Header(ROUND, rogue.edge, 0))),
            ("Close", edge_codec.close_request(Header(ROUND, rogue.edge, 0), Signed(b"x", bytes(64)))),
        ):
            outcome = await south.call(method, message)
            # Who is no party does not even learn that there is such an agreement.
            assert outcome[0] == ("unknown-agreement" if method in {"Prepare", "Open"} else "wrong-agency"), (
                method
            )
    await check_refused(rogue, outcome, "wrong-agency", caller=SOUTH)
    # The round that was tampered with is unharmed.
    await rogue.exchange()


async def test_a_round_that_nobody_opened(rogue):
    outcome = await rogue.call("Evaluate", with_fields(rogue_chunk(rogue), header__round=OTHER_ROUND))
    await check_refused(rogue, outcome, "unknown-round")


def rogue_chunk(rogue):
    header = common_pb2.Header(version=1, round=ROUND, edge=rogue.edge)
    return match_pb2.BlindedChunk(header=header, points=bytes(32))


async def test_an_agreement_that_nobody_knows(rogue):
    outcome = await rogue.call("Open", with_fields(rogue.opening, agreement=bytes(31) + b"\1"))
    await check_refused(rogue, outcome, "unknown-agreement")


async def test_an_edge_that_is_not_in_the_agreement(rogue):
    outcome = await rogue.call(
        "Open", with_fields(rogue.opening, header__edge="north-council-from-west-force")
    )
    await check_refused(rogue, outcome, "unknown-round")


# --- rates -------------------------------------------------------------------------------------------------------


def said_otherwise(rogue, round_id=OTHER_ROUND, *, signer=None, context=None, **changes):
    """A statement of the police node that says something else, well signed unless another signer is given."""
    node, held = rogue.town.nodes[WEST], rogue.held
    context = context or edge_context(held.id, held.agreement.edges[0], round_id)
    values = {"role": Role.RECEIVER, "records": 10, "schema": held.agreement.schema_digest, "rates": b""}
    return RatesStatement(**{**values, **changes}).sign(signer or node.keys.identity, context)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"records": 0}, "over-limit"),
        ({"records": 1_001}, "over-limit"),
        ({"schema": b"\1" * 32}, "schema-mismatch"),
        ({"role": Role.SENDER}, "bad-commitment"),
        ({"answers": b"\1" * 32}, "bad-commitment"),
        ({"rates": bytes(9_000)}, "oversize"),
        ({"rates": b"\xff" * 300}, "bad-message"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
async def test_rates_that_the_agreement_does_not_allow_start_nothing(rogue, changes, code):
    rates = said_otherwise(rogue, **changes)
    outcome = await rogue.call("Prepare", preparation(rogue.held, rates, OTHER_ROUND))
    await check_refused(rogue, outcome, code)
    assert rogue.town.nodes[NORTH].store.find_edge(OTHER_ROUND, rogue.edge) is None


async def test_rates_of_another_signer_round_or_edge(rogue):
    stranger = rogue.town.nodes[SOUTH].keys.identity
    there = edge_context(rogue.held.id, rogue.held.agreement.edges[0], OTHER_ROUND)
    for rates, code in (
        (said_otherwise(rogue, signer=stranger), "bad-signature"),
        (said_otherwise(rogue, ROUND), "unknown-round"),
        (said_otherwise(rogue, context=dataclasses.replace(there, edge="another")), "unknown-round"),
        (
            said_otherwise(rogue, context=dataclasses.replace(there, agreement=b"\1" * 32)),
            "unknown-agreement",
        ),
        (said_otherwise(rogue, context=dataclasses.replace(there, receiver=SOUTH)), "wrong-agency"),
    ):
        outcome = await rogue.call("Prepare", preparation(rogue.held, rates, OTHER_ROUND))
        assert outcome[0] == code
    await check_refused(rogue, outcome, "wrong-agency")


async def test_a_second_and_different_statement_of_rates(rogue):
    """Whoever could try several would see how the keys follow; the round goes on with the first."""
    outcome = await rogue.call(
        "Prepare", preparation(rogue.held, said_otherwise(rogue, ROUND, records=9), ROUND)
    )
    await check_refused(rogue, outcome, "bad-commitment")
    await rogue.exchange()


async def test_the_same_rates_again_get_the_same_bytes(rogue):
    request = preparation(rogue.held, rates_of(rogue.town, rogue.held, ROUND), ROUND)
    first, second = [await rogue.call("Prepare", request) for _ in range(2)]
    assert first == second
    assert len(first[0]) < 3_000
    await rogue.exchange()
    await rogue.call(
        "Close", edge_codec.close_request(Header(ROUND, rogue.edge, 0), rogue.session.receipt(1, 2))
    )
    assert (await rogue.call("Prepare", request))[0] == "wrong-state"


async def test_an_opening_before_the_rates(rogue):
    outcome = await rogue.call("Open", with_fields(rogue.opening, header__round=OTHER_ROUND))
    await check_refused(rogue, outcome, "unknown-round")


# --- commitments -------------------------------------------------------------------------------------------------


async def test_a_commitment_with_a_wrong_signature_changes_nothing(rogue):
    opening = rogue.opening
    opening.commitment.signature = bytes(64)
    await check_refused(rogue, await rogue.call("Open", opening), "bad-signature")
    assert rogue.town.nodes[NORTH].store.find_edge(ROUND, rogue.edge).state == "preparing"
    await rogue.exchange()


async def test_a_commitment_made_for_another_round(rogue):
    other = await session_of(rogue.town, rogue.held, OTHER_ROUND, limits=SMALL)
    commitment = other.commit()
    opening = rogue.opening
    opening.commitment.payload, opening.commitment.signature = commitment.payload, commitment.signature
    await check_refused(rogue, await rogue.call("Open", opening), "unknown-round")


async def test_a_second_and_different_commitment(rogue):
    await rogue.open()
    other = await session_of(rogue.town, rogue.held, ROUND, limits=SMALL, seed=b"\1" * 32)
    outcome = await dataclasses.replace(rogue, session=other).call(
        "Open", dataclasses.replace(rogue, session=other).opening
    )
    await check_refused(rogue, outcome, "bad-commitment", fails_edge=True)


# --- chunks ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", [IDENTITY, NOT_CANONICAL, b"\1" + bytes(31)])
async def test_a_bad_point(rogue, point):
    await rogue.open()
    chunk = rogue.chunk(0)
    points = np.frombuffer(chunk.points, dtype=np.uint8).reshape(-1, 32).copy()
    points[3] = np.frombuffer(point, dtype=np.uint8)
    outcome = await rogue.call("Evaluate", with_fields(chunk, points=points.tobytes()))
    await check_refused(rogue, outcome, "bad-point", fails_edge=True)


@pytest.mark.parametrize(
    ("cut", "code"),
    [
        (lambda p: p[:-32], "bad-count"),
        (lambda p: p + p[:32], "bad-count"),
        (lambda p: p[:32] * 20_000, "oversize"),
    ],
)
async def test_a_wrong_count(rogue, cut, code):
    await rogue.open()
    chunk = rogue.chunk(0)
    outcome = await rogue.call("Evaluate", with_fields(chunk, points=cut(chunk.points)))
    # What cannot be a chunk at all is turned away before it reaches the session.
    await check_refused(rogue, outcome, code, fails_edge=code == "bad-count")


@pytest.mark.parametrize("order", [(1,), (0, 2), (0, 1, 10_000)])
async def test_chunks_out_of_order(rogue, order):
    await rogue.open()
    chunks = [with_fields(rogue.chunk(min(i, 4)), header__sequence=i) for i in order]
    await check_refused(rogue, await rogue.call("Evaluate", *chunks), "bad-sequence", fails_edge=True)


async def test_a_replayed_chunk_gets_the_same_bytes_and_nothing_more(rogue):
    await rogue.open()
    first = await rogue.call("Evaluate", rogue.chunk(0), rogue.chunk(1))
    again = await rogue.call("Evaluate", rogue.chunk(0), rogue.chunk(1), rogue.chunk(0))
    assert again == [*first, first[0]]


async def test_a_replayed_chunk_with_other_bytes(rogue):
    """A second evaluation of one's choice would be a free guess at the sender's list."""
    await rogue.open()
    assert len(await rogue.call("Evaluate", rogue.chunk(0))) == 1
    outcome = await rogue.call("Evaluate", with_fields(rogue.chunk(1), header__sequence=0))
    await check_refused(rogue, outcome, "altered-chunk", fails_edge=True)


async def test_chunks_that_were_not_committed_to(rogue):
    await rogue.open()
    chunks = [rogue.chunk(index) for index in range(rogue.session.chunks)]
    chunks[1], chunks[2] = (
        with_fields(chunks[2], header__sequence=1),
        with_fields(chunks[1], header__sequence=2),
    )
    outcome = await rogue.call("Evaluate", *chunks)
    await check_refused(rogue, outcome, "bad-commitment", fails_edge=True)


async def test_two_rounds_in_one_stream(rogue):
    await rogue.open()
    outcome = await rogue.call(
        "Evaluate", rogue.chunk(0), with_fields(rogue.chunk(1), header__round=OTHER_ROUND)
    )
    await check_refused(rogue, outcome, "unknown-round")


# --- tags and receipts -------------------------------------------------------------------------------------------


async def test_tags_before_every_chunk_has_come(rogue):
    await rogue.open()
    await rogue.call("Evaluate", rogue.chunk(0))
    outcome = await rogue.call("Tags", convert.tags_request(Header(ROUND, rogue.edge, 0)))
    await check_refused(rogue, outcome, "wrong-state", fails_edge=True)


async def test_tags_beyond_the_table(rogue):
    await rogue.exchange()
    outcome = await rogue.call("Tags", convert.tags_request(Header(ROUND, rogue.edge, 1_000)))
    await check_refused(rogue, outcome, "bad-sequence", fails_edge=True)


async def test_a_receipt_of_something_else(rogue):
    await rogue.exchange()
    receipt = rogue.session.receipt(1, 2)
    altered = Signed(receipt.payload[:-1] + bytes([receipt.payload[-1] ^ 1]), receipt.signature)
    outcome = await rogue.call("Close", edge_codec.close_request(Header(ROUND, rogue.edge, 0), altered))
    await check_refused(rogue, outcome, "bad-signature", fails_edge=True)


async def test_a_closed_edge_gives_the_same_signature_again_and_nothing_else(rogue):
    await rogue.exchange()
    request = edge_codec.close_request(Header(ROUND, rogue.edge, 0), rogue.session.receipt(1, 2))
    first, second = [await rogue.call("Close", request) for _ in range(2)]
    assert first == second
    rogue.session.receive_receipt_signature(match_pb2.CloseReply.FromString(first[0]).signature)
    assert rogue.town.nodes[NORTH].store.edge(ROUND, rogue.edge).state == CLOSED
    tags = await rogue.call("Tags", convert.tags_request(Header(ROUND, rogue.edge, 0)))
    assert tags[0] == "wrong-state"
    other = with_fields(request)
    other.receipt.signature = bytes(64)
    await check_refused(rogue, await rogue.call("Close", other), "bad-receipt")


def test_the_trial_s_points_are_what_they_claim():
    assert LIMITS.chunk_elements < 20_000
    assert int.from_bytes(NOT_CANONICAL, "little") >= 2**255 - 19
