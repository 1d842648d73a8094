"""Rounds of many parties: seven real nodes, of which one is down, one is killed, one leaves, one has an expired certificate.

Whatever one of them does affects its own edges only; the others' edges close, the reasons are right, and the round is
finished when the dead come back.
"""

import asyncio
import json
import signal
import time
from contextlib import AsyncExitStack

import pytest
from tests.support import threshold_nodes
from tests.support.agencies import agreement_between, edge_between
from tests.support.local_nodes import LocalNodes, people, subjects

from blindmatch.node.agreements import registry
from blindmatch.node.agreements.exchange import push_withdrawal
from blindmatch.node.rounds import leads as round_leads
from blindmatch.node.rounds import runner, slots
from blindmatch.node.rounds import status as round_views
from blindmatch.node.rounds.aggregate import results as aggregate_results
from blindmatch.node.rounds.inbound_edges import InboundEdges
from blindmatch.node.rounds.runner import run_round
from blindmatch.node.server import running
from blindmatch.node.storage.store import CLOSED, FAILED
from blindmatch.node.transport.client import connector
from blindmatch.protocol.agreement import Disclosure
from blindmatch.protocol.errors import LocalError, PeerCode, PeerError
from blindmatch.protocol.limits import Limits

SMALL = Limits(chunk_elements=32)
WEST, EAST = "west-force", "east-force"
SOUND, DOWN, KILLED, LAPSED, LEAVING = (
    f"{word}-council" for word in ("sound", "down", "killed", "lapsed", "leaving")
)
FORCES, COUNCILS = (WEST, EAST), (SOUND, DOWN, KILLED, LAPSED, LEAVING)
MONTH = 30 * 86_400


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Two forces with forty subjects each, five councils that share ten with either; no agreement yet."""
    roles = {**dict.fromkeys(FORCES, "police"), **dict.fromkeys(COUNCILS, "council")}
    made = LocalNodes(tmp_path_factory.mktemp("town"), roles, time.time())
    for index, force in enumerate(FORCES):
        made.import_rows(force, "groups", "subjects", subjects(40, first=30 * index))
    for council in COUNCILS:
        made.import_rows(council, "suppliers", "suppliers", people(10, first=30))  # on both forces' lists
    yield made
    made.close()


@pytest.fixture
def town(built):
    """The same nodes, with certificates and clocks in order."""
    for node in built.nodes.values():
        built.issue_certificate(node)
        node.clock = time.time
    return built


def agree(town, pairs, disclosure=Disclosure.HITS, **more):
    """One agreement over these edges, signed by everybody on them but `unsigned`."""
    named = dict.fromkeys(agency for pair in pairs for agency in pair)
    parties = [registry.own_party(town.nodes[agency]) for agency in named]
    edges = [edge_between(receiver, sender, disclosure=disclosure) for receiver, sender in pairs]
    # No two with the same bytes, though the nodes and the edges are the same.
    start = agree.start = getattr(agree, "start", int(town.now) - 600) + 1
    return town.sign_agreement(agreement_between(parties, edges, start=start), **more)


def everybody_with_everybody():
    return [(force, council) for force in FORCES for council in COUNCILS]


async def serving(stack, town, *names):
    for name in names:
        await stack.enter_async_context(running(town.nodes[name], limits=SMALL))


def by_peer(outcome):
    return {edge.peer: edge for edge in outcome.edges}


def found(town, force, outcome, council):
    return {
        lead.reference
        for lead in round_leads.load(town.nodes[force], outcome.round_id, f"{force}-from-{council}")
    }


async def ended(process):
    """Wait for a process without holding up the servers; its exit status and what it said."""
    said = await asyncio.to_thread(process.communicate)
    return process.returncode, said


async def test_one_down_one_killed_one_lapsed_and_all_is_well_when_they_are_back(town, programs):
    held = agree(town, everybody_with_everybody())
    lapsed = town.nodes[LAPSED]
    town.issue_certificate(lapsed, now=town.now - 2 * MONTH)
    lapsed.clock = lambda: town.now - 1.5 * MONTH  # its own clock is wrong, so it serves all the same
    async with AsyncExitStack() as stack:
        await serving(stack, town, SOUND, LEAVING, LAPSED)
        # Killed right after its tenth write: both forces' edges have begun there, none is closed.
        process = await asyncio.to_thread(programs.serve, town, KILLED, kill_at=10)
        first = dict(
            zip(
                FORCES,
                await asyncio.gather(
                    *(run_round(town.nodes[force], held.id, limits=SMALL) for force in FORCES)
                ),
                strict=True,
            )
        )
        assert (await ended(process))[0] == -signal.SIGKILL
    for force, outcome in first.items():
        edges = by_peer(outcome)
        for council in (SOUND, LEAVING):
            assert (edges[council].state, edges[council].leads) == (CLOSED, 10)
            assert found(town, force, outcome, council) == {f"P-{i:05d}" for i in range(30, 40)}
        assert {council: edges[council].code for council in (DOWN, KILLED, LAPSED)} == {
            DOWN: "unavailable",
            KILLED: "unavailable",
            LAPSED: "wrong-certificate",
        }
        assert "expired" in edges[LAPSED].reason
        assert "no node answers" in edges[DOWN].reason
        assert outcome.resumable
        views = {
            view.peer: view
            for view in round_views.of_round(town.nodes[force], outcome.round_id)[:10]
            if view.role
        }
        assert {council: views[council].state for council in COUNCILS} == {
            SOUND: "closed",
            LEAVING: "closed",
            DOWN: "waiting",
            KILLED: "waiting",
            LAPSED: "waiting",
        }
        assert views[DOWN].reason == edges[DOWN].reason
    # They come back: the same rounds go on, on those edges only.
    town.issue_certificate(lapsed)
    lapsed.clock = time.time
    async with AsyncExitStack() as stack:
        await serving(stack, town, DOWN, LAPSED)
        process = await asyncio.to_thread(programs.serve, town, KILLED)
        try:
            for force, outcome in first.items():
                again = await run_round(
                    town.nodes[force], held.id, resume_round=outcome.round_id, limits=SMALL, wait_seconds=30
                )
                assert again.complete, [(edge.peer, edge.code, edge.reason) for edge in again.edges]
                assert again.leads == 50
                for council in COUNCILS:
                    assert found(town, force, again, council) == {f"P-{i:05d}" for i in range(30, 40)}
        finally:
            process.terminate()
            await ended(process)
    for force in FORCES:
        assert {view.reason for view in round_views.of_round(town.nodes[force], first[force].round_id)} == {
            ""
        }


async def test_one_leaves_in_the_middle_and_edges_between_others_end_at_their_next_step(town, monkeypatch):
    """West hears nothing of it from the party itself: a sender that has heard refuses, and shows the signed word."""
    held = agree(town, everybody_with_everybody())
    west, leaving = town.nodes[WEST], town.nodes[LEAVING]
    left = asyncio.Event()

    async def leave():
        signed = registry.withdraw(leaving, registry.find(leaving, held.id), "The board has decided.")
        outcomes = await push_withdrawal(leaving, held, signed, connector(leaving))
        assert {outcome.agency for outcome in outcomes if outcome.error is None} >= {SOUND, KILLED}
        left.set()

    original = InboundEdges.open

    async def open_after_that(edges, caller, header, *more):
        if header.edge == f"{WEST}-from-{SOUND}":
            await left.wait()  # rates were exchanged before, this is the next step
        return await original(edges, caller, header, *more)

    monkeypatch.setattr(InboundEdges, "open", open_after_that)
    going = []

    def watch(edge, step, _done, _total):
        if (edge, step) == (f"{WEST}-from-{KILLED}", "close"):
            going.append(asyncio.get_running_loop().create_task(leave()))

    async with AsyncExitStack() as stack:
        await serving(stack, town, SOUND, KILLED)
        outcome = await run_round(west, held.id, limits=SMALL, progress=watch)
        await going[0]
    edges = by_peer(outcome)
    assert edges[KILLED].state == CLOSED  # what was over stays
    sound = edges[SOUND]
    assert (sound.state, sound.code) == (FAILED, "expired-agreement")
    assert f"withdrawn by {LEAVING}" in sound.reason
    assert "The board has decided." in sound.reason
    # The evidence is kept: the leaving party's own signature, that came by way of the sender.
    assert registry.find(west, held.id).withdrawn[LEAVING].reason == "The board has decided."
    (entry,) = [
        json.loads(row.detail)
        for row in west.store.audit_rows()
        if row.subject == f"agreement {held.id.hex()}" and '"withdrawn"' in row.detail
    ]
    assert (entry["signed_by"], entry["from"]) == (LEAVING, SOUND)
    (row,) = [row for row in west.store.edges(outcome.round_id) if row.peer == SOUND]
    assert (row.code, row.reason) == ("expired-agreement", sound.reason)
    # Those that waited cannot go on either: resuming ends them without a call, and says why.
    again = by_peer(await run_round(west, held.id, resume_round=outcome.round_id, limits=SMALL))
    for council in (DOWN, LAPSED, LEAVING):
        assert (again[council].state, again[council].code) == (FAILED, "expired-agreement")
        assert f"withdrawn by {LEAVING}" in again[council].reason
    assert runner.unfinished(west, held.id) == []
    assert list(west.rounds_dir.iterdir()) == []
    # The sender's side of it says so, too.
    views = {view.edge: view for view in round_views.of_agreement(town.nodes[SOUND], held.id)}
    assert (views[f"{WEST}-from-{SOUND}"].state, views[f"{WEST}-from-{SOUND}"].reason) == (
        "stopped",
        f"withdrawn by {LEAVING}",
    )
    with pytest.raises(Exception, match=f"withdrawn by {LEAVING}"):
        await run_round(town.nodes[WEST], held.id)


@pytest.mark.parametrize("step", ["prepare", "exchange"])
@pytest.mark.parametrize("knows", [WEST, SOUND])
@pytest.mark.parametrize("disclosure", [Disclosure.HITS, Disclosure.COUNT])
async def test_every_next_step_is_refused_once_either_side_knows(town, step, knows, disclosure):
    """Before the commitments and before the tags; what a withdrawal can still stop, it stops."""
    held = agree(town, [(WEST, SOUND), (EAST, LEAVING)], disclosure)
    west, leaving = town.nodes[WEST], town.nodes[LEAVING]
    signed = registry.withdraw(leaving, registry.find(leaving, held.id), "Over.")

    def watch(_edge, at, done, total):
        if (at, done) == (step, total):
            registry.record_withdrawal(town.nodes[knows], signed)

    async with running(town.nodes[SOUND], limits=SMALL):
        outcome = await run_round(west, held.id, limits=SMALL, progress=watch)
    (edge,) = outcome.edges
    assert (edge.state, edge.code) == (FAILED, "expired-agreement")
    assert "Over." in edge.reason
    assert round_leads.load(west, outcome.round_id) == []
    assert aggregate_results.load(west, outcome.round_id) == []
    assert list(west.rounds_dir.iterdir()) == []


async def test_a_sender_cannot_say_that_somebody_left(town, monkeypatch):
    """A refusal is no evidence: without the party's signature the edge fails as refused, and the agreement stands."""
    held = agree(town, [(WEST, SOUND), (WEST, LEAVING)])

    async def refuse(*_arguments):
        raise PeerError(PeerCode.EXPIRED_AGREEMENT, f"withdrawn by {LEAVING}")

    monkeypatch.setattr(InboundEdges, "exchange_rates", refuse)
    west = town.nodes[WEST]
    async with running(town.nodes[SOUND], limits=SMALL):
        outcome = await run_round(west, held.id, limits=SMALL, edges=[f"{WEST}-from-{SOUND}"])
    (edge,) = outcome.edges
    assert (edge.state, edge.code) == (FAILED, "expired-agreement")
    assert edge.reason.startswith(f"{SOUND} refused")
    assert registry.find(west, held.id).withdrawals == {}
    registry.usable_agreement(west, held.id, town.now)


async def test_a_sender_that_was_away_while_the_others_signed_is_told_by_the_round(town):
    held = agree(town, [(WEST, SOUND), (WEST, DOWN)], unsigned=(DOWN,))
    west, sound, down = (town.nodes[name] for name in (WEST, SOUND, DOWN))
    signed = registry.sign(down, registry.find(down, held.id))
    registry.adopt(west, signed.envelope, source="file")
    assert registry.find(sound, held.id).missing == (DOWN,)
    async with running(sound, limits=SMALL), running(down, limits=SMALL):
        outcome = await run_round(west, held.id, limits=SMALL)
    assert outcome.complete, [edge.reason for edge in outcome.edges]
    assert registry.find(sound, held.id).missing == ()


async def test_an_edge_that_waits_lets_the_next_one_work(town, monkeypatch):
    """One place for two edges; the first one's sender is down until the second has closed."""
    monkeypatch.setattr(runner, "EDGES_AT_ONCE", 1)
    monkeypatch.setattr(slots, "STALL_SECONDS", 3_600.0)
    held = agree(town, [(WEST, DOWN), (WEST, SOUND)])
    closed, waits = asyncio.Event(), []

    def progress(edge, step, _done, _total):
        if (edge, step) == (f"{WEST}-from-{SOUND}", "close"):
            closed.set()

    def waiting(edge, peer, reason):
        waits.append((edge, peer))
        views = {view.edge: view for view in round_views.of_agreement(town.nodes[WEST], held.id)}
        assert (views[edge].state, views[edge].reason) == ("waiting", reason)

    async with AsyncExitStack() as stack:
        await serving(stack, town, SOUND)
        going = asyncio.create_task(
            run_round(
                town.nodes[WEST], held.id, limits=SMALL, wait_seconds=60, progress=progress, waiting=waiting
            )
        )
        await asyncio.wait_for(closed.wait(), 60)
        await serving(stack, town, DOWN)  # back before its time is up
        outcome = await going
    assert outcome.complete, [(edge.peer, edge.reason) for edge in outcome.edges]
    assert set(waits) == {(f"{WEST}-from-{DOWN}", DOWN)}


async def test_a_sender_that_stalls_holds_up_its_own_edge_only(town, monkeypatch):
    """One place for two edges; the first one's sender answers, but not before the second has closed."""
    monkeypatch.setattr(runner, "EDGES_AT_ONCE", 1)
    monkeypatch.setattr(slots, "STALL_SECONDS", 0.2)
    held = agree(town, [(WEST, KILLED), (WEST, SOUND)])
    closed, original = asyncio.Event(), InboundEdges.exchange_rates

    async def stall(edges, caller, header, *more):
        if header.edge == f"{WEST}-from-{KILLED}":
            await closed.wait()
        return await original(edges, caller, header, *more)

    def progress(edge, step, _done, _total):
        if (edge, step) == (f"{WEST}-from-{SOUND}", "close"):
            closed.set()

    monkeypatch.setattr(InboundEdges, "exchange_rates", stall)
    async with AsyncExitStack() as stack:
        await serving(stack, town, KILLED, SOUND)
        outcome = await asyncio.wait_for(
            run_round(town.nodes[WEST], held.id, limits=SMALL, progress=progress), 60
        )
    assert outcome.complete, [(edge.peer, edge.reason) for edge in outcome.edges]


async def test_who_only_sends_is_told_what_to_do(town):
    held = agree(town, [(WEST, SOUND), (EAST, SOUND)])
    with pytest.raises(LocalError, match=f"only sends.* run by {WEST}, {EAST}") as caught:
        await run_round(town.nodes[SOUND], held.id)
    assert "blindmatch node serve" in caught.value.hint


async def test_a_collector_learns_of_a_withdrawal_from_a_member(tmp_path):
    made = threshold_nodes.threshold_nodes(tmp_path, time.time())
    try:
        held = threshold_nodes.sign_threshold(made, at_least=2)
        first, *others = threshold_nodes.MEMBERS
        leaving, national = made.nodes[first], made.nodes["national"]
        signed = registry.withdraw(leaving, registry.find(leaving, held.id), "Enough.")
        for other in others:
            registry.record_withdrawal(made.nodes[other], signed)
        async with AsyncExitStack() as stack:
            await serving(stack, made, *threshold_nodes.MEMBERS)
            outcome = await run_round(national, held.id, limits=SMALL)
        (edge,) = outcome.edges
        assert (edge.state, edge.code) == (FAILED, "expired-agreement")
        assert f"withdrawn by {first}" in edge.reason
        assert registry.find(national, held.id).withdrawn[first].reason == "Enough."
        (view,) = round_views.of_round(national, outcome.round_id)
        assert (view.role, view.state, view.reason) == ("collector", "failed", edge.reason)
    finally:
        made.close()
