"""Thresholds that are held up: members that are gone, come back or withdraw, budgets, rounds that are given up."""

import asyncio
from contextlib import AsyncExitStack, closing

import pytest
from tests.support.agencies import edge_between
from tests.support.threshold_nodes import MEMBERS, references_of, sign_threshold, threshold_nodes

from blindmatch.node.agreements import registry
from blindmatch.node.rounds import leads as round_leads
from blindmatch.node.rounds import runner
from blindmatch.node.rounds.runner import run_round
from blindmatch.node.server import running
from blindmatch.node.storage.store import CLOSED, FAILED
from blindmatch.protocol import agreement as terms
from blindmatch.protocol.limits import Limits

SMALL = Limits(chunk_elements=64, chunk_tag_bytes=1 << 16)


@pytest.fixture
def town(node_templates, tmp_path):
    with closing(node_templates.copy(threshold_nodes, tmp_path)) as nodes:
        yield nodes


async def serve(stack, town, *agencies):
    return {
        agency: await stack.enter_async_context(running(town.nodes[agency], limits=SMALL, grace=0))
        for agency in agencies
    }


def references(node, outcome):
    return {lead.reference for lead in round_leads.load(node, outcome.round_id)}


async def test_a_member_that_is_not_there_is_named_and_waited_for(town):
    held = sign_threshold(town)
    national = town.nodes["national"]
    async with AsyncExitStack() as stack:
        await serve(stack, town, "north-council", "west-force")
        outcome = await run_round(national, held.id, limits=SMALL)
        (edge,) = outcome.edges
        assert (edge.state, edge.code) == ("preparing", "unavailable")
        assert "south-council" in edge.reason
        assert edge.peer == "3 members"
        assert [row.edge for row in runner.unfinished(national, held.id)] == ["seen-by-many"]
        await serve(stack, town, "south-council")
        again = await run_round(national, held.id, resume_round=outcome.round_id, limits=SMALL)
    assert again.complete
    assert references(town.nodes["south-council"], again) == references_of("south-council", range(20, 30))
    assert runner.unfinished(national) == []
    after = await run_round(national, held.id, resume_round=outcome.round_id, limits=SMALL)
    assert after.complete
    assert after.edges[0].sender_elements == again.edges[0].sender_elements


async def test_a_member_that_withdrew_fails_the_threshold_and_is_named(town):
    held = sign_threshold(town)
    registry.withdraw(
        town.nodes["south-council"], registry.find(town.nodes["south-council"], held.id), "no more"
    )
    async with AsyncExitStack() as stack:
        await serve(stack, town, *MEMBERS)
        outcome = await run_round(town.nodes["national"], held.id, limits=SMALL)
    (edge,) = outcome.edges
    assert (edge.state, edge.code) == (FAILED, "expired-agreement")
    assert "south-council" in edge.reason
    assert town.nodes["south-council"].store.edges(outcome.round_id) == []


@pytest.mark.parametrize("step", ["exchange", "search"])
async def test_a_member_that_stops_comes_back_and_the_round_goes_on(town, step):
    held = sign_threshold(town)
    national, stopping = town.nodes["national"], []
    async with AsyncExitStack() as stack:
        servers = await serve(stack, town, *MEMBERS)

        def watch(_edge, now, _done, _total):
            if now == step and not stopping:
                stopping.append(asyncio.get_running_loop().create_task(servers["south-council"].stop()))

        outcome = await run_round(national, held.id, limits=SMALL, progress=watch)
        await stopping[0]
        assert not outcome.complete
        assert outcome.resumable
        assert "south-council" in outcome.edges[0].reason
    async with AsyncExitStack() as stack:
        await serve(stack, town, *MEMBERS)
        again = await run_round(national, held.id, resume_round=outcome.round_id, limits=SMALL)
    assert again.complete, again
    for agency in MEMBERS:
        assert references(town.nodes[agency], again) == references_of(agency, range(20, 30))


async def test_the_budget_counts_on_every_node(town):
    held = sign_threshold(town, rounds_budget=1, calendar="once")
    async with AsyncExitStack() as stack:
        await serve(stack, town, *MEMBERS)
        first = await run_round(town.nodes["national"], held.id, limits=SMALL)
        assert first.complete
        with pytest.raises(Exception, match="budget-spent"):
            await run_round(town.nodes["national"], held.id, limits=SMALL)
    for agency in MEMBERS:
        assert town.nodes[agency].store.rounds_used(held.id, "seen-by-many") == 1


async def test_an_abandoned_threshold_leaves_nothing_on_the_collector(town):
    held = sign_threshold(town, collector="west-force")
    police = town.nodes["west-force"]
    async with AsyncExitStack() as stack:
        await serve(stack, town, "north-council")
        outcome = await run_round(police, held.id, limits=SMALL)
    assert not outcome.complete
    assert runner.abandon(police, outcome.round_id) >= 1
    assert all(row.state == FAILED for row in police.store.edges(outcome.round_id))
    assert list(police.rounds_dir.iterdir()) == []


@pytest.mark.parametrize("step", ["exchange", "tags", "search"])
async def test_a_collector_that_hears_of_a_withdrawal_goes_no_further(town, step):
    """The members have not heard: only the collector can stop, and it does at its next call."""
    held = sign_threshold(town)
    national, south = town.nodes["national"], town.nodes["south-council"]
    word = terms.sign_withdrawal(
        terms.Withdrawal(held.id, "south-council", int(town.now), "no more"), south.keys.identity
    )
    heard = []

    def hear(_edge, now, _done, _total):
        if now == step and not heard:
            heard.append(registry.record_withdrawal(national, word))

    async with AsyncExitStack() as stack:
        await serve(stack, town, *MEMBERS)
        outcome = await run_round(national, held.id, limits=SMALL, progress=hear)
    (edge,) = outcome.edges
    assert (edge.state, edge.code) == (FAILED, "expired-agreement")
    assert "south-council" in edge.reason
    for agency in MEMBERS:
        assert round_leads.load(town.nodes[agency], outcome.round_id) == []


async def test_a_member_that_withdraws_while_the_collector_searches_is_told_nothing(town):
    held = sign_threshold(town)
    south = town.nodes["south-council"]
    left = []

    def leave(_edge, step, _done, _total):
        if step == "search" and not left:
            left.append(registry.withdraw(south, registry.find(south, held.id), "no more"))

    async with AsyncExitStack() as stack:
        await serve(stack, town, *MEMBERS)
        outcome = await run_round(town.nodes["national"], held.id, limits=SMALL, progress=leave)
    (edge,) = outcome.edges
    assert (edge.state, edge.code) == (FAILED, "expired-agreement")
    assert "south-council" in edge.reason
    assert round_leads.load(south, outcome.round_id) == []


async def test_a_threshold_that_waits_does_not_hold_an_edge_up(town):
    """Both are in one agreement and one round: the edge closes, the threshold goes on when its member is back."""
    police, edge = town.nodes["west-force"], edge_between("west-force", "north-council")
    held = sign_threshold(town, collector="west-force", edges=(edge,))
    async with AsyncExitStack() as stack:
        await serve(stack, town, "north-council")
        outcome = await run_round(police, held.id, limits=SMALL)
        states = {each.edge: (each.state, each.code) for each in outcome.edges}
        assert states == {edge.id: (CLOSED, ""), "seen-by-many": ("preparing", "unavailable")}
        assert {
            lead.reference for lead in round_leads.load(police, outcome.round_id, edge.id)
        } == references_of("west-force", range(20, 30))
        await serve(stack, town, "south-council")
        only = await run_round(
            police, held.id, resume_round=outcome.round_id, edges=["seen-by-many"], limits=SMALL
        )
    assert only.complete
    assert [each.edge for each in only.edges] == ["seen-by-many"]
    assert "match keys are held by at least 3 of 3 agencies" in only.edges[0].number
