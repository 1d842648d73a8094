"""kill -9 of either side at many steps of a delta round, of the real programs: it ends as one that was not disturbed."""

from tests.support.local_nodes import people, subjects

from blindmatch.node.rounds import leads as round_leads
from blindmatch.node.rounds.runner import run_round
from blindmatch.node.server import running
from blindmatch.node.storage.store import CLOSED
from blindmatch.protocol.agreement import Standing
from blindmatch.protocol.limits import Limits

WEST, NORTH = "west-force", "north-council"
SMALL = Limits(chunk_elements=32)


async def epoch(town):
    """An open epoch, and both lists changed since."""
    held = town.sign_agreement(town.agreement(WEST, NORTH, facts=["contract_value"], standing=Standing(30)))
    async with running(town.nodes[NORTH], limits=SMALL):
        assert (await run_round(town.nodes[WEST], held.id, limits=SMALL)).complete
    town.nodes[WEST].store.delete_collection("groups")
    town.nodes[NORTH].store.delete_collection("suppliers")
    town.import_rows(WEST, "groups", "subjects", subjects(48)[4:])
    town.import_rows(NORTH, "suppliers", "suppliers", people(50, first=24), facts=["contract_value"])
    return held


def check(town, held):
    """The delta round's leads are those of the changed lists, and both sides hold one version of one epoch."""
    police, council = town.nodes[WEST], town.nodes[NORTH]
    last = police.store.edges(agreement_id=held.id)[-1]
    assert last.state == CLOSED
    assert police.store.find_delta(last.round_id, last.edge).number == 1
    found = {
        lead.reference: lead.facts[0]["contract_value"] for lead in round_leads.load(police, last.round_id)
    }
    assert found == {f"P-{number:05d}": str(1_000 + number) for number in range(24, 48)}
    ours, theirs = (node.store.epochs(still_open=True) for node in (police, council))
    assert [(row.state, row.number, row.rounds) for row in ours] == [
        (row.state, row.number, row.rounds) for row in theirs
    ]
    assert ours[0].number == 1
    for node in (police, council):
        (kept,) = node.epochs_dir.glob("*/*/*")
        assert kept.name == last.round_id.hex()
        assert list(node.rounds_dir.iterdir()) == []


def at(kills):
    """Every other write, after and before in turn."""
    return 2 * kills + 1, "before" if kills % 2 else "after"


async def test_the_receiver_killed_again_and_again(town, programs):
    held = await epoch(town)
    server = programs.serve(town, NORTH)
    said, kills = programs.run_until_complete(town, WEST, held, at)
    assert said is None or said["edges"][0]["delta"] == 1
    assert kills >= 3, "the round had fewer steps than this test is for"
    server.terminate()
    server.communicate(timeout=60)
    check(town, held)


async def test_the_sender_killed_again_and_again(town, programs):
    held = await epoch(town)
    client = programs.start(town, WEST, "round", "run", "--json", "--wait", "90", held.id.hex())
    _, kills = programs.serve_until_complete(town, NORTH, at, client)
    assert kills >= 3, "the round had fewer steps than this test is for"
    check(town, held)
