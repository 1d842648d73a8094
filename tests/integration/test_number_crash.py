"""kill -9 in the middle of counts and sums, of the real programs, on either side: the number is that of a quiet round.

See `test_crash`; here every start gets a few steps further, and the number must be the same wherever the process died.
"""

import json
import signal
import subprocess

import pytest

from blindmatch.node import numbers, runner
from blindmatch.node.store import CLOSED
from blindmatch.protocol.agreement import Disclosure

WEST, NORTH = "west-force", "north-council"
TERMS = {
    "count": ({"disclosure": Disclosure.COUNT}, "20"),
    "sum": (
        {"disclosure": Disclosure.SUM, "value": "contract_value"},
        f"{sum(range(1_020, 1_040)):,} over an unknown number of suppliers",
    ),
}
kinds = pytest.mark.parametrize("kind", TERMS)
FIRST, FURTHER = 4, 6
"""Writes to the store before the first kill, and how many more before each following one."""


def check_result(town, held, words):
    """One closed round with the right number, the same receipt on both sides, nothing secret left."""
    police, council = town.nodes[WEST], town.nodes[NORTH]
    (ours,) = [row for row in police.store.edges(agreement_id=held.id) if row.state == CLOSED]
    (theirs,) = council.store.edges(ours.round_id)
    (found,) = numbers.load(police, ours.round_id)
    assert found.words == words
    assert (theirs.state, theirs.receipt, theirs.signatures) == (CLOSED, ours.receipt, ours.signatures)
    for node in (police, council):
        row = node.store.edge(ours.round_id, ours.edge)
        assert (row.seed, row.snapshot) == (b"", b"")
        assert list(node.rounds_dir.iterdir()) == []


@kinds
def test_the_receiver_killed_on_the_way(town, programs, kind):
    terms, words = TERMS[kind]
    held = town.agree(town.agreement(WEST, NORTH, **terms))
    server = programs.serve(town, NORTH)
    kills = 0
    while True:
        (unfinished,) = runner.unfinished(town.nodes[WEST]) or (None,)
        words_of = ["--resume", unfinished.round_id.hex()] if unfinished else [held.id.hex()]
        at = FIRST + FURTHER * kills
        process = programs.start(town, WEST, "round", "run", "--json", *words_of, kill_at=at, when="after")
        out, err = process.communicate(timeout=120)
        if process.returncode != -signal.SIGKILL:
            break
        kills += 1
    assert process.returncode == 0, err
    (edge,) = json.loads(out)["edges"]
    assert edge["number"] == words
    assert kills >= 2, "the round had fewer steps than this test is for"
    server.terminate()
    server.communicate(timeout=60)
    check_result(town, held, words)


@kinds
def test_the_sender_killed_on_the_way(town, programs, kind):
    terms, words = TERMS[kind]
    held = town.agree(town.agreement(WEST, NORTH, **terms))
    kills = 0
    server = programs.serve(town, NORTH, kill_at=FIRST, when="before")
    client = programs.start(town, WEST, "round", "run", "--json", "--wait", "90", held.id.hex())
    while client.poll() is None:
        try:
            server.wait(timeout=0.05)
        except subprocess.TimeoutExpired:
            continue
        assert server.returncode == -signal.SIGKILL, server.stderr.read()
        server.communicate()
        kills += 1
        server = programs.serve(town, NORTH, kill_at=FIRST + FURTHER * kills, when="before")
    out, err = client.communicate()
    assert client.returncode == 0, err
    (edge,) = json.loads(out)["edges"]
    assert edge["number"] == words
    assert kills >= 2, "the round had fewer steps than this test is for"
    server.terminate()
    server.communicate(timeout=60)
    check_result(town, held, words)
