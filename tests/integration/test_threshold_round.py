"""A threshold between three real nodes and a collector: grpc.aio, mutual TLS, real stores, real files."""

import json
from contextlib import AsyncExitStack, closing

import pytest
from tests.support.threshold_nodes import MEMBERS, RANGES, references_of, sign_threshold, threshold_nodes

from blindmatch.node.rounds import leads as round_leads
from blindmatch.node.rounds.runner import run_round
from blindmatch.node.rounds.threshold import tally as threshold_tally
from blindmatch.node.server import running
from blindmatch.node.storage.store import CLOSED
from blindmatch.protocol.limits import Limits
from blindmatch.protocol.threshold.statements import RECEIPT_TYPE
from blindmatch.protocol.transcript import verify

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


def audit(node, action):
    details = [(row.event, json.loads(row.detail)) for row in node.store.audit_rows()]
    return [(event, detail) for event, detail in details if detail.get("action") == action]


@pytest.mark.parametrize(("at_least", "numbers"), [(3, range(20, 30)), (2, range(10, 40))])
async def test_each_member_learns_its_own_and_the_collector_a_number(town, at_least, numbers):
    held = sign_threshold(town, at_least=at_least, band=5)
    national = town.nodes["national"]
    async with AsyncExitStack() as stack:
        await serve(stack, town, *MEMBERS)
        outcome = await run_round(national, held.id, limits=SMALL)
    assert outcome.complete, outcome
    for agency in MEMBERS:
        node = town.nodes[agency]
        assert references(node, outcome) == references_of(agency, set(numbers) & set(RANGES[agency]))
        (lead, *_) = round_leads.load(node, outcome.round_id)
        assert lead.agency == f"at least {at_least} of 3 agencies"
        assert lead.edge == "seen-by-many"
        assert not any(other in str(lead) for other in MEMBERS)
        ((_, told),) = audit(node, "told")
        assert told["leads"] == len(set(numbers) & set(RANGES[agency]))
        assert [event for event, _ in audit(node, "opened")] == ["disclosure"]
        assert [event for event, _ in audit(node, "closed")] == ["disclosure"]
    assert round_leads.load(national, outcome.round_id) == []
    tally = threshold_tally.load(national, outcome.round_id, "seen-by-many")
    assert tally.count >= 10
    assert tally.count % 5 == 0
    assert [event for event, _ in audit(national, "closed")] == ["combination"]
    told = [
        row.recipient for row in national.store.audit_rows() if json.loads(row.detail).get("action") == "told"
    ]
    assert sorted(told) == sorted(MEMBERS)
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
    held = sign_threshold(town, minimum=1_000)
    async with AsyncExitStack() as stack:
        await serve(stack, town, *MEMBERS)
        outcome = await run_round(town.nodes["national"], held.id, limits=SMALL)
    assert outcome.complete
    for agency in MEMBERS:
        assert round_leads.load(town.nodes[agency], outcome.round_id) == []
    tally = threshold_tally.load(town.nodes["national"], outcome.round_id, "seen-by-many")
    assert (tally.count, tally.text) == (
        None,
        "fewer than 1,000 match keys are held by at least 3 of 3 agencies",
    )


async def test_a_collector_that_is_a_member_needs_no_server_of_its_own(town):
    held = sign_threshold(town, collector="west-force")
    police = town.nodes["west-force"]
    async with AsyncExitStack() as stack:
        await serve(stack, town, "north-council", "south-council")
        outcome = await run_round(police, held.id, limits=SMALL)
    assert outcome.complete, outcome
    for agency in MEMBERS:
        assert references(town.nodes[agency], outcome) == references_of(agency, range(20, 30))
    assert {row.role for row in police.store.edges(outcome.round_id)} == {"collector", "member"}
