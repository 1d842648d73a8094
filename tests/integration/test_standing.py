"""Standing agreements between real nodes: full and delta rounds, imports in between, checks, the end of an epoch."""

import dataclasses

import pytest

from blindmatch.node import results, standing
from blindmatch.node.runner import run_round
from blindmatch.node.server import running
from blindmatch.node.store import CLOSED, FAILED
from blindmatch.protocol.agreement import Standing
from blindmatch.protocol.limits import Limits
from blindmatch.simulations.loopback import people, subjects

SMALL = Limits(chunk_elements=32)
WEST, NORTH = "west-force", "north-council"


def agree(town, *, facts=("contract_value",), standing=Standing(30, 5), **edge):
    return town.agree(town.agreement(WEST, NORTH, facts=list(facts), standing=standing, **edge))


def again(town, agency, rows, *, name=None):
    """What an officer does every week: delete and import under the same name."""
    node = town.nodes[agency]
    kind, usual = ("subjects", "groups") if agency == WEST else ("suppliers", "suppliers")
    node.store.delete_collection(usual)
    town.bring(agency, name or usual, kind, rows, facts=["contract_value"] if agency == NORTH else [])


def leads(node, outcome):
    return {
        lead.reference: (lead.facts[0]["contract_value"] if lead.facts else None, lead.new)
        for lead in results.load(node, outcome.round_id)
    }


async def test_only_changes_travel_and_the_leads_are_those_of_a_full_round(town):
    held = agree(town)
    police, council = town.nodes[WEST], town.nodes[NORTH]
    async with running(council, limits=SMALL):
        first = await run_round(police, held.id, limits=SMALL)
        assert first.complete, first
        assert leads(police, first) == {f"P-{n:05d}": (str(1_000 + n), None) for n in range(20, 40)}
        nothing = await run_round(police, held.id, limits=SMALL)
        assert nothing.edges[0].delta == 1
        assert leads(police, nothing) == {f"P-{n:05d}": (str(1_000 + n), False) for n in range(20, 40)}
        # Five subjects more, three fewer; a supplier less, a contract that is worth more, two new suppliers.
        again(town, WEST, subjects(45)[3:])
        theirs = people(52, first=20)
        theirs[2][-1] = "999999"
        again(town, NORTH, theirs[1:])
        third = await run_round(police, held.id, limits=SMALL)
        assert third.complete, third
        edge = third.edges[0]
        assert (edge.delta, edge.added, edge.removed) == (2, 5, 3)
        expected = {f"P-{n:05d}": (str(1_000 + n), n > 39) for n in range(21, 45)}
        expected["P-00022"] = ("999999", False)
        assert leads(police, third) == expected
        whole = await run_round(police, held.id, full=True, limits=SMALL)
        assert whole.edges[0].delta == 0
        assert {k: v[0] for k, v in leads(police, whole).items()} == {k: v[0] for k, v in expected.items()}
    for node in (police, council):
        assert [row.open for row in node.store.epochs()] == [False, True]
        assert len(list(node.epochs_dir.glob("*/*/*"))) == 1
    ours, theirs = police.store.epochs()[1], council.store.epochs()[1]
    assert (ours.state, ours.epoch) == (theirs.state, theirs.epoch)
