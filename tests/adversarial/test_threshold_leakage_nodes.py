"""Real nodes, every message recorded: what travels in a threshold does not depend on what is shared, nor do receipts and rows."""

import json
import time
from contextlib import AsyncExitStack

import pytest
from tests.support.threshold_nodes import COLLECTOR, MEMBERS, references_of, sign_threshold, threshold_nodes

from blindmatch.node.rounds import leads as round_leads
from blindmatch.node.rounds.runner import run_round
from blindmatch.node.server import running
from blindmatch.node.transport.message_recorder import WireRecorder
from blindmatch.protocol.limits import Limits

SMALL = Limits(chunk_elements=128, chunk_tag_bytes=1 << 17)
NORTH, SOUTH, WEST = MEMBERS
TIMED = ("JoinReply", "BuildReply")
"""How many of these come tells how fast the machine was."""


async def recorded(folder, ranges, **terms):
    """One round: per node the kinds and sizes of its messages, its row, its audit log; and what was found."""
    folder.mkdir()
    town = threshold_nodes(folder, time.time(), ranges=ranges)
    try:
        held = sign_threshold(town, **terms)
        for agency, node in town.nodes.items():
            node.wire = WireRecorder(folder / f"wire-{agency}")
        async with AsyncExitStack() as stack:
            for agency in MEMBERS:
                await stack.enter_async_context(running(town.nodes[agency], limits=SMALL))
            outcome = await run_round(town.nodes[COLLECTOR], held.id, limits=SMALL)
        assert outcome.complete
        seen = {}
        for agency, node in town.nodes.items():
            lines = (folder / f"wire-{agency}" / "index.jsonl").read_text().splitlines()
            messages = sorted(
                (entry["direction"], entry["type"], entry["bytes"])
                for entry in map(json.loads, lines)
                if not entry["type"].endswith(TIMED)
            )
            (row,) = node.store.edges(outcome.round_id)
            actions = [json.loads(each.detail).get("action") for each in node.store.audit_rows()]
            seen[agency] = (messages, row.state, row.done, row.total, len(row.receipt), actions)
        found = {
            agency: {lead.reference for lead in round_leads.load(node, outcome.round_id)}
            for agency, node in town.nodes.items()
        }
        data = b"".join(path.read_bytes() for path in folder.glob("wire-*/*.bin"))
        return seen, found, data
    finally:
        town.close()


ALL = {NORTH: range(20), SOUTH: range(20), WEST: range(20)}
NOBODY = {NORTH: range(20), SOUTH: range(100, 120), WEST: range(200, 220)}
PAIRS = {NORTH: range(20), SOUTH: range(10, 30), WEST: range(20, 40)}


@pytest.fixture
async def worlds(tmp_path):
    return {
        "all": await recorded(tmp_path / "all", ALL),
        "nobody": await recorded(tmp_path / "nobody", NOBODY),
        "pairs": await recorded(tmp_path / "pairs", PAIRS),
        "under the minimum": await recorded(tmp_path / "minimum", ALL, minimum=10_000),
    }


async def test_nothing_that_travels_tells_what_is_shared(worlds):
    found = {name: found for name, (_, found, _) in worlds.items()}
    assert found["all"][WEST] == references_of(WEST, range(20))
    for name in ("nobody", "pairs", "under the minimum"):
        assert not any(found[name].values())
    for name, (seen, _, data) in worlds.items():
        assert seen == worlds["all"][0], name
        for reference in (*references_of(WEST, range(300)), *references_of(NORTH, range(300))):
            assert reference.encode() not in data
