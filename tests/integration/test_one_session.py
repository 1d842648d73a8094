"""One session per edge, whatever fails or waits: nothing is evaluated twice, logged late, or told by the receipt."""

import json
import threading

import grpc
import pytest
from tests.support.first_steps import session_of
from tests.support.local_nodes import people

from blindmatch.node.agreements import registry
from blindmatch.node.rounds import edge_codec, inbound, inbound_edges, runner, streams
from blindmatch.node.rounds import leads as round_leads
from blindmatch.node.rounds.hits import codec as convert
from blindmatch.node.rounds.hits.sender import HitsSendingEdge
from blindmatch.node.rounds.receiver import ReceivingEdge
from blindmatch.node.rounds.runner import run_round, unfinished
from blindmatch.node.rounds.sender import SendingEdge
from blindmatch.node.server import running
from blindmatch.node.storage.audit_log import AuditLog
from blindmatch.node.storage.round_files import RoundFiles
from blindmatch.node.storage.store import CLOSED, Store
from blindmatch.protocol.errors import PeerCode, PeerError, StoreError
from blindmatch.protocol.hits import tags
from blindmatch.protocol.hits.receiver import Receiver
from blindmatch.protocol.limits import Limits
from blindmatch.protocol.session.messages import Header

WEST, NORTH = "west-force", "north-council"
SMALL = Limits(chunk_elements=32)
EXPECTED = {f"P-{index:05d}" for index in range(20, 40)}
ROUNDS = (bytes(range(16)), bytes(range(1, 17)))


class Gone(Exception):  # noqa: N818 - not an error of ours
    """The receiver's process ends here."""


def actions(node, event):
    return [json.loads(row.detail)["action"] for row in node.store.audit_rows() if row.event == event]


async def receiver(town, held, round_id):
    return await session_of(town, held, round_id, limits=SMALL)


async def opened(channel, held, session):
    """Open an edge on the wire as it should be."""
    header = Header(session.context.round_id, session.context.edge, 0)
    request = edge_codec.open_request(header, held.id, session.commit())
    call = channel.unary_stream("/blindmatch.v1.Match/Open")(request.SerializeToString(), timeout=30)
    answers = [answer async for answer in call]
    message = convert.match_pb2.OpenReply.FromString(answers[-1])
    session.receive_commitment(edge_codec.open_reply.read(message)[1])


async def test_a_stream_that_was_forgotten_evaluates_nothing_more(town, monkeypatch):
    """A receiver that stops reading until its edge leaves memory, and then opens it anew, would have two sessions."""
    held = town.sign_agreement(town.agreement(WEST, NORTH))
    monkeypatch.setattr(inbound, "IDLE_SECONDS", -1.0)
    async with running(town.nodes[NORTH], limits=SMALL), town.channel(WEST, NORTH) as channel:
        session, other = [await receiver(town, held, round_id) for round_id in ROUNDS]
        await opened(channel, held, session)
        stream = channel.stream_stream("/blindmatch.v1.Match/Evaluate")(timeout=30)
        chunks = [convert.blinded_chunk(session.blinded_chunk(index)) for index in range(3)]
        await stream.write(chunks[0].SerializeToString())
        assert await stream.read()
        await opened(channel, held, other)  # makes room
        await opened(channel, held, session)
        more = convert.match_pb2.BlindedChunk(header=chunks[1].header, points=chunks[2].points)
        await stream.write(more.SerializeToString())
        with pytest.raises(grpc.aio.AioRpcError):
            assert await stream.read() is grpc.aio.EOF
        fresh = channel.stream_stream("/blindmatch.v1.Match/Evaluate")(timeout=30)
        await fresh.write(chunks[1].SerializeToString())
        assert await fresh.read()
        fresh.cancel()


async def test_rounds_that_nobody_finishes_do_not_fill_the_disk(town, monkeypatch):
    held = town.sign_agreement(town.agreement(WEST, NORTH))
    council = town.nodes[NORTH]
    monkeypatch.setattr(inbound, "IDLE_SECONDS", -1.0)
    monkeypatch.setattr(inbound, "UNFINISHED", 2)
    async with running(council, limits=SMALL), town.channel(WEST, NORTH) as channel:
        for number in range(5):
            await opened(channel, held, await receiver(town, held, bytes([number]) * 16))
        running_rounds = {row.round_id[0] for row in council.store.edges(running=True)}
        # One was still at work when the next came, and is not counted.
        assert running_rounds == {2, 3, 4}
        assert {folder.name for folder in council.rounds_dir.iterdir()} == {f"0{n}" * 16 for n in (2, 3, 4)}
    assert actions(council, "erasure") == ["abandoned", "abandoned"]


async def test_one_receiver_leaves_room_for_the_others(town, monkeypatch):
    monkeypatch.setattr(inbound_edges, "_LEAST_SHARE", 1)
    node = town.nodes[NORTH]
    service = node.settings.service.model_copy(update={"sessions": 2})
    node.settings = node.settings.model_copy(update={"service": service})
    held = town.sign_agreement(town.agreement(WEST, NORTH))
    async with running(node, limits=SMALL), town.channel(WEST, NORTH) as channel:
        await opened(channel, held, await receiver(town, held, ROUNDS[0]))
        with pytest.raises(grpc.aio.AioRpcError) as busy:
            await opened(channel, held, await receiver(town, held, ROUNDS[1]))
    assert "with one agency" in busy.value.details()


async def test_two_processes_cannot_go_on_with_one_edge(town):
    held = town.sign_agreement(town.agreement(WEST, NORTH))
    police, council = town.nodes[WEST], town.nodes[NORTH]

    def vanish(_edge, step, _done, _total):
        if step == "exchange":
            raise Gone

    async with running(council, limits=SMALL):
        with pytest.raises(Gone):
            await run_round(police, held.id, limits=SMALL, progress=vanish)
        (row,) = unfinished(police, held.id)
        elsewhere = RoundFiles(police.rounds_dir, row.round_id, row.edge)
        elsewhere.hold()
        refused = await run_round(police, held.id, resume_round=row.round_id, limits=SMALL)
        assert (refused.edges[0].code, refused.resumable) == ("local", True)
        assert "another process" in refused.edges[0].reason
        elsewhere.close()
        assert (await run_round(police, held.id, resume_round=row.round_id, limits=SMALL)).complete


async def test_an_edge_that_ended_meanwhile_is_left_alone(town, monkeypatch):
    """Between looking a round up and taking it, another process may finish it."""
    held = town.sign_agreement(town.agreement(WEST, NORTH))
    police, council = town.nodes[WEST], town.nodes[NORTH]
    build = ReceivingEdge.build

    async def late(edge):
        police.store.fail(*edge.key, code="abandoned", reason="given up by an officer")
        await build(edge)

    monkeypatch.setattr(ReceivingEdge, "build", late)
    async with running(council, limits=SMALL):
        outcome = await run_round(police, held.id, limits=SMALL)
    assert outcome.edges[0].state == "failed"
    assert (outcome.edges[0].code, outcome.edges[0].reason) == ("local", "this edge of the round is failed")
    assert [row.state for row in council.store.edges()] == ["preparing"]  # rates were exchanged, and no more


@pytest.mark.parametrize("fault", [StoreError("no space"), MemoryError()])
async def test_a_fault_while_the_sender_prepares_does_not_stay(town, monkeypatch, fault):
    held = town.sign_agreement(town.agreement(WEST, NORTH))
    police, council = town.nodes[WEST], town.nodes[NORTH]
    save, faults = SendingEdge._save, [fault]

    def failing(edge, session):
        if faults:
            raise faults.pop()
        save(edge, session)

    monkeypatch.setattr(SendingEdge, "_save", failing)
    async with running(council, limits=SMALL):
        outcome = await run_round(police, held.id, limits=SMALL, wait_seconds=20)
    assert not faults
    assert outcome.complete


@pytest.mark.parametrize("fault", [StoreError("no space"), MemoryError()])
@pytest.mark.parametrize("at", [1, 5, 10])
async def test_a_store_that_fails_mid_round_costs_a_step_and_no_more(town, monkeypatch, fault, at):
    held = town.sign_agreement(town.agreement(WEST, NORTH))
    police, council = town.nodes[WEST], town.nodes[NORTH]
    checkpoint, calls = Store.checkpoint, []

    def failing(store, *key, **values):
        if store is council.store:
            calls.append(values["state"])
            if len(calls) == at:
                raise fault
        checkpoint(store, *key, **values)

    monkeypatch.setattr(streams, "BATCH", 1)  # a checkpoint for every chunk
    monkeypatch.setattr(Store, "checkpoint", failing)
    async with running(council, limits=SMALL):
        outcome = await run_round(police, held.id, limits=SMALL, wait_seconds=20)
    assert len(calls) > at
    assert outcome.complete
    assert {lead.reference for lead in round_leads.load(police, outcome.round_id)} == EXPECTED


@pytest.mark.parametrize("action", ["opened", "closed"])
@pytest.mark.parametrize("agency", [WEST, NORTH])
async def test_nothing_happens_that_the_audit_log_does_not_know(town, monkeypatch, agency, action):
    held = town.sign_agreement(town.agreement(WEST, NORTH))
    police, council = town.nodes[WEST], town.nodes[NORTH]
    node, append, faults = town.nodes[agency], AuditLog.append, [1]

    def failing(log, event, **entry):
        if log is node.audit and faults and (entry.get("detail") or {}).get("action") == action:
            faults.pop()
            raise StoreError("no space")
        return append(log, event, **entry)

    monkeypatch.setattr(AuditLog, "append", failing)
    async with running(council, limits=SMALL):
        try:
            outcome = await run_round(police, held.id, limits=SMALL, wait_seconds=20)
        except StoreError:  # the receiver's own log: nothing was begun
            assert police.store.edges() == council.store.edges() == []
            return
        if not outcome.complete:
            outcome = await run_round(police, held.id, limits=SMALL, resume_round=outcome.round_id)
    assert not faults
    assert outcome.complete
    assert actions(police, "combination") == ["opened", "closed"]
    told = [word for word in actions(council, "disclosure") if word != "refused"]
    assert told == ["opened", "closed"]


@pytest.mark.parametrize("act", ["sign", "withdraw", "abandon"])
async def test_no_signature_and_no_erasure_without_its_entry(town, monkeypatch, act):
    agreement = town.agreement(WEST, NORTH)
    held = town.sign_agreement(agreement, unsigned=[WEST] if act == "sign" else [])
    police = town.nodes[WEST]
    if act == "abandon":
        await run_round(police, held.id, limits=SMALL)  # nobody answers
    (before,) = police.store.agreements()
    broken = AuditLog.append

    def failing(log, event, **entry):
        raise StoreError("no space")

    monkeypatch.setattr(AuditLog, "append", failing)
    acts = {
        "sign": lambda: registry.sign(police, held),
        "withdraw": lambda: registry.withdraw(police, held, "no longer needed"),
        "abandon": lambda: runner.abandon(police, police.store.edges()[0].round_id),
    }
    with pytest.raises(StoreError):
        acts[act]()
    assert police.store.agreements() == [before]
    assert all(row.running for row in police.store.edges())
    monkeypatch.setattr(AuditLog, "append", broken)
    if act == "sign":
        assert WEST in registry.sign(police, held).envelope.signatures
        registry.sign(police, held)
        assert actions(police, "alteration").count("signed") == 1


# --- nothing that the sender sees depends on hits ----------------------------------------------------------------


async def test_the_receipt_is_exchanged_before_hits_are_looked_for(town, monkeypatch):
    """Otherwise the time between the last tag and the receipt would tell how many there are."""
    held = town.sign_agreement(town.agreement(WEST, NORTH, facts=["contract_value"]))
    police, council = town.nodes[WEST], town.nodes[NORTH]
    find, seen = Receiver.find_hits, []

    def watched(session):
        seen.append([row.state for row in council.store.edges()])
        return find(session)

    monkeypatch.setattr(Receiver, "find_hits", watched)
    async with running(council, limits=SMALL):
        outcome = await run_round(police, held.id, limits=SMALL)
    assert outcome.complete
    assert seen == [[CLOSED]]


async def test_the_next_edge_begins_before_hits_are_looked_for(town, monkeypatch):
    """Otherwise the moment at which it begins would tell how long the lookup took, and so how many hits there are."""
    town.import_rows("south-council", "suppliers", "suppliers", people(30, first=5))
    held = town.sign_agreement(town.agreement(WEST, NORTH, "south-council"))
    police = town.nodes[WEST]
    service = police.settings.service.model_copy(update={"workers": 2})
    police.settings = police.settings.model_copy(update={"service": service})
    find, begun, waited = Receiver.find_hits, {}, []

    def slow(session):
        other = [event for edge, event in begun.items() if edge != session.context.edge]
        waited.append(all(event.wait(60) for event in other))
        return find(session)

    monkeypatch.setattr(runner, "EDGES_AT_ONCE", 1)
    monkeypatch.setattr(Receiver, "find_hits", slow)
    begun |= {edge.id: threading.Event() for edge in held.agreement.edges_received_by(WEST)}
    async with running(town.nodes[NORTH], limits=SMALL), running(town.nodes["south-council"], limits=SMALL):
        outcome = await run_round(police, held.id, limits=SMALL, progress=lambda edge, *_: begun[edge].set())
    assert outcome.complete
    assert waited == [True, True]


@pytest.mark.parametrize("spoilt", ["sealed", "content"])
async def test_spoilt_facts_tell_the_sender_nothing(town, monkeypatch, spoilt):
    """A sender that spoils the facts of an element must not see from the round whether the receiver holds it."""
    held = town.sign_agreement(town.agreement(WEST, NORTH, facts=["contract_value"]))
    police, council = town.nodes[WEST], town.nodes[NORTH]
    seal = tags.seal_facts

    def spoil(outputs, facts, context):
        return seal(outputs, facts, context) ^ 1 if spoilt == "sealed" else seal(outputs, facts ^ 1, context)

    monkeypatch.setattr(tags, "seal_facts", spoil)
    async with running(council, limits=SMALL):
        outcome = await run_round(police, held.id, limits=SMALL)
    assert outcome.complete
    leads = round_leads.load(police, outcome.round_id)
    assert {lead.reference for lead in leads} == EXPECTED
    assert all(lead.damaged and not lead.facts for lead in leads)
    assert "damaged facts" in actions(police, "combination")
    assert [row.state for row in council.store.edges()] == [CLOSED]
    assert actions(council, "disclosure") == ["opened", "closed"]


async def test_released_facts_cannot_steer_a_terminal(town, monkeypatch):
    held = town.sign_agreement(town.agreement(WEST, NORTH, facts=["contract_value"]))
    police, council = town.nodes[WEST], town.nodes[NORTH]
    monkeypatch.setattr(round_leads, "unpack", lambda _payload: ([{"a\x1b": "\x1b[2Jgone\n\u202e"}], 0))
    async with running(council, limits=SMALL):
        outcome = await run_round(police, held.id, limits=SMALL)
    leads = round_leads.load(police, outcome.round_id)
    assert len(leads) == 20
    assert all(lead.facts == ({"a ": " [2Jgone  "},) for lead in leads)


@pytest.mark.parametrize("code", [PeerCode.UNAVAILABLE, PeerCode.BAD_RECEIPT])
async def test_a_sender_that_does_not_sign_keeps_no_leads_from_the_receiver(town, monkeypatch, code):
    held = town.sign_agreement(town.agreement(WEST, NORTH))
    police, council = town.nodes[WEST], town.nodes[NORTH]

    async def refuse(_edge, _receipt):
        raise PeerError(code, "not today")

    with monkeypatch.context() as patched:
        patched.setattr(SendingEdge, "countersign", refuse)
        async with running(council, limits=SMALL):
            outcome = await run_round(police, held.id, limits=SMALL)
    assert outcome.leads == 20
    assert {lead.reference for lead in round_leads.load(police, outcome.round_id)} == EXPECTED
    assert outcome.resumable is (code is PeerCode.UNAVAILABLE)
    if outcome.resumable:
        async with running(council, limits=SMALL):
            again = await runner.run_round(police, held.id, limits=SMALL, resume_round=outcome.round_id)
        assert again.complete
        assert again.leads == 20


async def test_a_sender_that_repeats_an_answer_is_at_fault_and_not_we(town, monkeypatch):
    held = town.sign_agreement(town.agreement(WEST, NORTH))
    police, council = town.nodes[WEST], town.nodes[NORTH]
    evaluate, answers = HitsSendingEdge.evaluate, []

    async def repeating(edge, chunks):
        answers.extend(await evaluate(edge, chunks))
        return answers[:1]

    monkeypatch.setattr(HitsSendingEdge, "evaluate", repeating)
    async with running(council, limits=SMALL):
        outcome = await run_round(police, held.id, limits=SMALL)
    assert (outcome.edges[0].state, outcome.edges[0].code) == ("failed", "bad-sequence")
    assert [row.seed for row in (police.store.edge(outcome.round_id, outcome.edges[0].edge),)] == [b""]
    assert list(police.rounds_dir.iterdir()) == []
