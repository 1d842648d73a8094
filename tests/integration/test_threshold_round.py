"""A threshold between three real nodes and a collector: grpc.aio, mutual TLS, real stores, real files."""

import asyncio
import json
import time
from contextlib import AsyncExitStack

import pytest

from blindmatch.node import results, runner
from blindmatch.node.agreements import book
from blindmatch.node.runner import run_round
from blindmatch.node.server import running
from blindmatch.node.store import CLOSED, FAILED
from blindmatch.protocol.limits import Limits
from blindmatch.protocol.threshold import RECEIPT_TYPE
from blindmatch.protocol.transcript import verify
from blindmatch.simulations.circle import MEMBERS, RANGES, agree, circle_town, named

SMALL = Limits(chunk_elements=64, chunk_tag_bytes=1 << 16)


@pytest.fixture
def town(tmp_path):
    made = circle_town(tmp_path, time.time())
    yield made
    made.close()


async def serve(stack, town, *agencies):
    return {
        agency: await stack.enter_async_context(running(town.nodes[agency], limits=SMALL, grace=0))
        for agency in agencies
    }


def references(node, outcome):
    return {lead.reference for lead in results.load(node, outcome.round_id)}


def audit(node, action):
    details = [(row.event, json.loads(row.detail)) for row in node.store.audit_rows()]
    return [(event, detail) for event, detail in details if detail.get("action") == action]


@pytest.mark.parametrize(("at_least", "numbers"), [(3, range(20, 30)), (2, range(10, 40))])
async def test_each_member_learns_its_own_and_the_collector_a_number(town, at_least, numbers):
    held = agree(town, at_least=at_least, band=5)
    national = town.nodes["national"]
    async with AsyncExitStack() as stack:
        await serve(stack, town, *MEMBERS)
        outcome = await run_round(national, held.id, limits=SMALL)
    assert outcome.complete, outcome
    for agency in MEMBERS:
        node = town.nodes[agency]
        assert references(node, outcome) == named(agency, set(numbers) & set(RANGES[agency]))
        (lead, *_) = results.load(node, outcome.round_id)
        assert lead.agency == f"at least {at_least} of 3 agencies"
        assert lead.edge == "seen-by-many"
        assert not any(other in str(lead) for other in MEMBERS)
        ((_, told),) = audit(node, "told")
        assert told["leads"] == len(set(numbers) & set(RANGES[agency]))
        assert [event for event, _ in audit(node, "opened")] == ["disclosure"]
        assert [event for event, _ in audit(node, "closed")] == ["disclosure"]
    assert results.load(national, outcome.round_id) == []
    tally = results.tally(national, outcome.round_id, "seen-by-many")
    assert tally.count >= 10
    assert tally.count % 5 == 0
    assert [event for event, _ in audit(national, "closed")] == ["combination"]
    rows = [town.nodes[agency].store.edges(outcome.round_id)[0] for agency in (*MEMBERS, "national")]
    assert len({row.receipt for row in rows}) == 1
    for agency in (*MEMBERS, "national"):
        key = held.agreement.party(agency).identity_key
        verify(key, RECEIPT_TYPE, rows[0].receipt, rows[-1].signatures[agency])
    for node in town.nodes.values():
        (row,) = node.store.edges(outcome.round_id)
        full = node.store.edge(outcome.round_id, row.edge)
        assert (full.state, full.seed, full.snapshot) == (CLOSED, b"", b"")
        assert list(node.rounds_dir.iterdir()) == []


async def test_under_the_minimum_nobody_is_told_anything(town):
    held = agree(town, minimum=1_000)
    async with AsyncExitStack() as stack:
        await serve(stack, town, *MEMBERS)
        outcome = await run_round(town.nodes["national"], held.id, limits=SMALL)
    assert outcome.complete
    for agency in MEMBERS:
        assert results.load(town.nodes[agency], outcome.round_id) == []
    tally = results.tally(town.nodes["national"], outcome.round_id, "seen-by-many")
    assert (tally.count, tally.words) == (
        None,
        "fewer than 1,000 match keys are held by at least 3 of 3 agencies",
    )


async def test_a_collector_that_is_a_member_needs_no_server_of_its_own(town):
    held = agree(town, collector="west-force")
    police = town.nodes["west-force"]
    async with AsyncExitStack() as stack:
        await serve(stack, town, "north-council", "south-council")
        outcome = await run_round(police, held.id, limits=SMALL)
    assert outcome.complete, outcome
    for agency in MEMBERS:
        assert references(town.nodes[agency], outcome) == named(agency, range(20, 30))
    assert {row.role for row in police.store.edges(outcome.round_id)} == {"collector", "member"}


async def test_a_member_that_is_not_there_is_named_and_waited_for(town):
    held = agree(town)
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
    assert references(town.nodes["south-council"], again) == named("south-council", range(20, 30))
    assert runner.unfinished(national) == []
    after = await run_round(national, held.id, resume_round=outcome.round_id, limits=SMALL)
    assert after.complete
    assert after.edges[0].sender_elements == again.edges[0].sender_elements


async def test_a_member_that_withdrew_fails_the_threshold_and_is_named(town):
    held = agree(town)
    book.withdraw(town.nodes["south-council"], book.find(town.nodes["south-council"], held.id), "no more")
    async with AsyncExitStack() as stack:
        await serve(stack, town, *MEMBERS)
        outcome = await run_round(town.nodes["national"], held.id, limits=SMALL)
    (edge,) = outcome.edges
    assert (edge.state, edge.code) == (FAILED, "expired-agreement")
    assert "south-council" in edge.reason
    assert town.nodes["south-council"].store.edges(outcome.round_id) == []


@pytest.mark.parametrize("step", ["exchange", "search"])
async def test_a_member_that_stops_comes_back_and_the_round_goes_on(town, step):
    held = agree(town)
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
        assert references(town.nodes[agency], again) == named(agency, range(20, 30))


async def test_the_budget_counts_on_every_node(town):
    held = agree(town, rounds_budget=1, calendar="once")
    async with AsyncExitStack() as stack:
        await serve(stack, town, *MEMBERS)
        first = await run_round(town.nodes["national"], held.id, limits=SMALL)
        assert first.complete
        with pytest.raises(Exception, match="budget-spent"):
            await run_round(town.nodes["national"], held.id, limits=SMALL)
    for agency in MEMBERS:
        assert town.nodes[agency].store.rounds_used(held.id, "seen-by-many") == 1


async def test_an_abandoned_threshold_leaves_nothing_on_the_collector(town):
    held = agree(town, collector="west-force")
    police = town.nodes["west-force"]
    async with AsyncExitStack() as stack:
        await serve(stack, town, "north-council")
        outcome = await run_round(police, held.id, limits=SMALL)
    assert not outcome.complete
    assert runner.abandon(police, outcome.round_id) >= 1
    assert all(row.state == FAILED for row in police.store.edges(outcome.round_id))
    assert list(police.rounds_dir.iterdir()) == []
