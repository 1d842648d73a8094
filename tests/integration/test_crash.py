"""kill -9 at many steps of a round, of the real programs: the round ends with the result of one that was not disturbed.

Both processes are `programs` (see conftest), killed right before or right after their n-th write to the store. `n` grows by
two with every start, so each run gets further than the one before it.
"""

import pytest

from blindmatch.node.rounds import leads as round_leads
from blindmatch.node.storage.store import CLOSED

WEST, NORTH = "west-force", "north-council"
EXPECTED = {f"P-{index:05d}": str(1_000 + index) for index in range(20, 40)}


def check_result(town, held):
    """One closed round with the right leads, the same receipt on both sides, nothing secret left."""
    police, council = town.nodes[WEST], town.nodes[NORTH]
    (ours,) = [row for row in police.store.edges(agreement_id=held.id) if row.state == CLOSED]
    (theirs,) = council.store.edges(ours.round_id)
    leads = round_leads.load(police, ours.round_id)
    assert {lead.reference: lead.facts[0]["contract_value"] for lead in leads} == EXPECTED
    assert (theirs.state, theirs.receipt, theirs.signatures) == (CLOSED, ours.receipt, ours.signatures)
    for node in (police, council):
        row = node.store.edge(ours.round_id, ours.edge)
        assert (row.seed, row.snapshot) == (b"", b"")
        assert list(node.rounds_dir.iterdir()) == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_receiver_killed_again_and_again(town, programs, when):
    held = town.sign_agreement(town.agreement(WEST, NORTH, facts=["contract_value"]))
    server = programs.serve(town, NORTH)
    # Every other write is before, the others are after which the process dies.
    said, kills = programs.run_until_complete(
        town, WEST, held, lambda kills: (2 * kills + 1 + (when == "after"), when)
    )
    assert said is None or said["complete"]
    assert kills >= 4, "the round had fewer steps than this test is for"
    server.terminate()
    server.communicate(timeout=60)
    assert server.returncode == 0
    check_result(town, held)


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_sender_killed_again_and_again(town, programs, when):
    held = town.sign_agreement(town.agreement(WEST, NORTH, facts=["contract_value"]))
    client = programs.start(town, WEST, "round", "run", "--json", "--wait", "90", held.id.hex())
    said, kills = programs.serve_until_complete(
        town, NORTH, lambda kills: (2 * kills + 1 + (when == "after"), when), client
    )
    assert said["complete"]
    assert kills >= 3, "the round had fewer steps than this test is for"
    check_result(town, held)
