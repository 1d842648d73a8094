"""`blindmatch round` and `agreement` for a threshold: what a member's and a collector's officers read."""

import asyncio
import json
from contextlib import closing

import pytest
from tests.support.local_nodes import PASSPHRASE, subjects
from tests.support.threshold_nodes import COLLECTOR, MEMBERS, THRESHOLD, sign_threshold, threshold_nodes
from typer.testing import CliRunner

from blindmatch.node.cli import app
from blindmatch.node.rounds.retention import STALE_SECONDS, purge_expired
from blindmatch.node.rounds.runner import run_round
from blindmatch.node.server import running
from blindmatch.node.storage.store.tables import edges as table

WEST = "west-force"


@pytest.fixture
def town(node_templates, tmp_path):
    with closing(node_templates.copy(threshold_nodes, tmp_path)) as nodes:
        yield nodes


@pytest.fixture
def cli(town):
    """Run a command as an agency; returns the result with stdout and stderr apart."""

    async def run(agency, *words):
        environment = {
            "BLINDMATCH_HOME": str(town.folder / agency),
            "BLINDMATCH_PASSPHRASE": PASSPHRASE,
            "BLINDMATCH_USER": "officer-7",
            "COLUMNS": "200",
        }
        return await asyncio.to_thread(CliRunner().invoke, app, list(words), env=environment)

    return run


async def test_what_officers_read_after_a_round(town, cli):
    held = sign_threshold(town, band=5)
    async with running(town.nodes[MEMBERS[0]]), running(town.nodes[MEMBERS[1]]), running(town.nodes[WEST]):
        ran = await cli(COLLECTOR, "round", "run", held.id.hex(), "--json")
    assert ran.exit_code == 0, ran.output
    outcome = json.loads(ran.stdout)
    assert outcome["complete"]
    assert outcome["edges"][0]["peer"] == "3 members"
    assert outcome["edges"][0]["keys"] > 0
    shown = await cli(WEST, "round", "results")
    assert "at least 3 of 3 agencies" in shown.stdout
    assert "P-00025" in shown.stdout
    assert not any(other in shown.stdout for other in MEMBERS)
    told = json.loads((await cli(COLLECTOR, "round", "results", "--json")).stdout)
    assert told["leads"] == []
    assert told["edges"][0]["collected"]["count"] % 5 == 0
    said = (await cli(COLLECTOR, "round", "results")).stdout
    assert "match keys are held by at least 3 of 3 agencies, rounded down to a multiple of 5" in said
    for agency, signers in ((WEST, {WEST, COLLECTOR}), (COLLECTOR, {COLLECTOR, *MEMBERS})):
        (receipt,) = json.loads((await cli(agency, "round", "receipts", "--json")).stdout)
        assert receipt["valid"]
        assert set(receipt["signatures"]) == signers
        (row,) = json.loads((await cli(agency, "round", "status", "--json")).stdout)
        assert (row["role"], row["state"]) == ("collector" if agency == COLLECTOR else "member", "closed")
    exported = town.folder / "leads.csv"
    assert (await cli(WEST, "round", "export", "--out", str(exported))).exit_code == 0
    assert "at least 3 of 3 agencies" in exported.read_text()


async def test_a_receipt_that_lacks_a_member_is_not_valid(town, cli):
    held = sign_threshold(town)
    async with running(town.nodes[MEMBERS[0]]), running(town.nodes[MEMBERS[1]]), running(town.nodes[WEST]):
        outcome = await run_round(town.nodes[COLLECTOR], held.id)
    assert outcome.complete
    store = town.nodes[COLLECTOR].store
    (row,) = store.edges(outcome.round_id)
    fewer = {agency: signature.hex() for agency, signature in row.signatures.items() if agency != WEST}
    with store.write("edges") as connection:
        connection.execute(table.update().values(receipt_signatures=json.dumps(fewer)))
    shown = await cli(COLLECTOR, "round", "receipts", "--json")
    assert shown.exit_code == 1
    assert not json.loads(shown.stdout)[0]["valid"]


async def test_a_member_chooses_its_collection_when_it_signs(town, cli):
    town.import_rows(WEST, "others", "subjects", subjects(12, first=25))
    held = sign_threshold(town)
    node = town.nodes[WEST]
    assert node.store.binding(held.id, THRESHOLD) is None
    wrong = await cli(
        WEST, "agreement", "sign", held.id.hex(), "--yes", "--offline", "--collection", "nothing=others"
    )
    assert wrong.exit_code == 1
    words = ("agreement", "sign", held.id.hex(), "--yes", "--offline", "--collection", f"{THRESHOLD}=others")
    assert (await cli(WEST, *words)).exit_code == 0
    bound = node.store.binding(held.id, THRESHOLD)
    assert bound == node.store.collection("others").id
    collector = await cli(COLLECTOR, *words)
    assert collector.exit_code == 1
    async with running(town.nodes[MEMBERS[0]]), running(town.nodes[MEMBERS[1]]), running(node):
        outcome = await run_round(town.nodes[COLLECTOR], held.id)
    (row,) = node.store.edges(outcome.round_id)
    assert row.collection_id == bound
    assert len(node.store.leads(outcome.round_id)) == 5  # 25 to 29 are in all three lists


async def test_a_member_without_a_collection_is_named_and_says_no_more(town):
    held = sign_threshold(town)
    node = town.nodes[WEST]
    node.store.delete_collection(node.store.collection("people").id)
    async with running(town.nodes[MEMBERS[0]]), running(town.nodes[MEMBERS[1]]), running(node):
        outcome = await run_round(town.nodes[COLLECTOR], held.id)
    (edge,) = outcome.edges
    assert (edge.state, edge.code) == ("failed", "refused")
    assert edge.reason.startswith(WEST)
    assert "no collection ready" in edge.reason


class Gone(Exception):  # noqa: N818 - not an error
    """The collector's process is no more."""


async def test_a_threshold_whose_collector_vanished_is_given_up_in_time(town):
    held = sign_threshold(town)
    member = town.nodes[MEMBERS[0]]

    def vanish(_edge, step, _done, _total):
        if step == "exchange":
            raise Gone

    async with running(member), running(town.nodes[MEMBERS[1]]), running(town.nodes[WEST]):
        with pytest.raises(Gone):
            await run_round(town.nodes[COLLECTOR], held.id, progress=vanish)
    (row,) = member.store.edges()
    assert row.running
    assert row.peer == COLLECTOR
    later = member.clock() + STALE_SECONDS + 60
    member.clock = lambda: later
    purge_expired(member)
    (row,) = member.store.edges()
    assert (row.state, row.code, row.reason) == ("failed", "abandoned", f"{COLLECTOR} did not come back")
    assert list(member.rounds_dir.glob("*/*")) == []
