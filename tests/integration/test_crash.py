"""kill -9 at many steps of a round, of the real programs: the round ends with the result of one that was not disturbed.

Both processes are `programs` (see conftest), killed right before or right after their n-th write to the store. `n` grows by
one with every start, so each run gets further than the one before it.
"""

import json
import signal
import subprocess

import pytest

from blindmatch.node import results, runner
from blindmatch.node.store import CLOSED

WEST, NORTH = "west-force", "north-council"
EXPECTED = {f"P-{index:05d}": str(1_000 + index) for index in range(20, 40)}


def check_result(town, held):
    """One closed round with the right leads, the same receipt on both sides, nothing secret left."""
    police, council = town.nodes[WEST], town.nodes[NORTH]
    (ours,) = [row for row in police.store.edges(agreement_id=held.id) if row.state == CLOSED]
    (theirs,) = council.store.edges(ours.round_id)
    leads = results.load(police, ours.round_id)
    assert {lead.reference: lead.facts[0]["contract_value"] for lead in leads} == EXPECTED
    assert (theirs.state, theirs.receipt, theirs.signatures) == (CLOSED, ours.receipt, ours.signatures)
    for node in (police, council):
        row = node.store.edge(ours.round_id, ours.edge)
        assert (row.seed, row.snapshot) == (b"", b"")
        assert list(node.rounds_dir.iterdir()) == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_receiver_killed_again_and_again(town, programs, when):
    held = town.agree(town.agreement(WEST, NORTH, facts=["contract_value"]))
    server = programs.serve(town, NORTH)
    kills = 0
    while True:
        (unfinished,) = runner.unfinished(town.nodes[WEST]) or (None,)
        words = ["--resume", unfinished.round_id.hex()] if unfinished else [held.id.hex()]
        process = programs.start(town, WEST, "round", "run", "--json", *words, kill_at=kills + 1, when=when)
        out, err = process.communicate(timeout=120)
        if process.returncode != -signal.SIGKILL:
            break
        kills += 1
    assert process.returncode == 0, err
    assert json.loads(out)["complete"]
    assert kills >= 6, "the round had fewer steps than this test is for"
    server.terminate()
    server.communicate(timeout=60)
    assert server.returncode == 0
    check_result(town, held)


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_sender_killed_again_and_again(town, programs, when):
    held = town.agree(town.agreement(WEST, NORTH, facts=["contract_value"]))
    kills = 0
    server = programs.serve(town, NORTH, kill_at=1, when=when)
    client = programs.start(town, WEST, "round", "run", "--json", "--wait", "90", held.id.hex())
    while client.poll() is None:
        try:
            server.wait(timeout=0.05)
        except subprocess.TimeoutExpired:
            continue
        assert server.returncode == -signal.SIGKILL, server.stderr.read()
        server.communicate()
        kills += 1
        server = programs.serve(town, NORTH, kill_at=kills + 1, when=when)
    out, err = client.communicate()
    assert client.returncode == 0, err
    assert json.loads(out)["complete"]
    assert kills >= 4, "the round had fewer steps than this test is for"
    server.terminate()
    server.communicate(timeout=60)
    check_result(town, held)
