"""kill -9 in the middle of counts and sums, of the real programs, on either side: the number is that of a quiet round.

See `test_crash`; here every start gets a few steps further, and the number must be the same wherever the process died.
"""

from blindmatch.node.rounds.aggregate import results as aggregate_results
from blindmatch.node.storage.store import CLOSED
from blindmatch.protocol.agreement import Disclosure

WEST, NORTH = "west-force", "north-council"
TERMS = {
    "count": ({"disclosure": Disclosure.COUNT}, "20"),
    "sum": (
        {"disclosure": Disclosure.SUM, "value": "contract_value"},
        f"{sum(range(1_020, 1_040)):,} over an unknown number of suppliers",
    ),
}
FIRST, FURTHER = 5, 8
"""Writes to the store before the first kill, and how many more before each following one."""


def check_result(town, held, words):
    """One closed round with the right number, the same receipt on both sides, nothing secret left."""
    police, council = town.nodes[WEST], town.nodes[NORTH]
    (ours,) = [row for row in police.store.edges(agreement_id=held.id) if row.state == CLOSED]
    (theirs,) = council.store.edges(ours.round_id)
    (found,) = aggregate_results.load(police, ours.round_id)
    assert found.text == words
    assert (theirs.state, theirs.receipt, theirs.signatures) == (CLOSED, ours.receipt, ours.signatures)
    for node in (police, council):
        row = node.store.edge(ours.round_id, ours.edge)
        assert (row.seed, row.snapshot) == (b"", b"")
        assert list(node.rounds_dir.iterdir()) == []


def test_the_receiver_of_a_sum_killed_on_the_way(town, programs):
    terms, words = TERMS["sum"]
    held = town.sign_agreement(town.agreement(WEST, NORTH, **terms))
    server = programs.serve(town, NORTH)
    said, kills = programs.run_until_complete(
        town, WEST, held, lambda kills: (FIRST + FURTHER * kills, "after")
    )
    assert said is None or said["edges"][0]["number"] == words
    assert kills >= 2, "the round had fewer steps than this test is for"
    server.terminate()
    server.communicate(timeout=60)
    check_result(town, held, words)


def test_the_sender_of_a_count_killed_on_the_way(town, programs):
    terms, words = TERMS["count"]
    held = town.sign_agreement(town.agreement(WEST, NORTH, **terms))
    client = programs.start(town, WEST, "round", "run", "--json", "--wait", "90", held.id.hex())
    said, kills = programs.serve_until_complete(
        town, NORTH, lambda kills: (FIRST + FURTHER * kills, "before"), client
    )
    assert said["edges"][0]["number"] == words
    assert kills >= 2, "the round had fewer steps than this test is for"
    check_result(town, held, words)
