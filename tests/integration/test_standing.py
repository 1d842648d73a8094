"""Standing agreements between real nodes: full and delta rounds, imports in between, checks, the end of an epoch."""

import asyncio
import json
import time
from dataclasses import replace

import pytest
from tests.support.local_nodes import people, subjects

from blindmatch.node.agreements import registry
from blindmatch.node.rounds import leads as round_leads
from blindmatch.node.rounds.retention import purge_expired
from blindmatch.node.rounds.runner import run_round
from blindmatch.node.rounds.standing import epochs, stored_epoch
from blindmatch.node.server import running
from blindmatch.node.storage.store import FAILED
from blindmatch.protocol.agreement import Standing
from blindmatch.protocol.limits import Limits

SMALL = Limits(chunk_elements=32)
WEST, NORTH = "west-force", "north-council"


TERMS = Standing(30, 5)


def agree(town, *, facts=("contract_value",), standing=TERMS, verified=False, **edge):
    agreement = town.agreement(WEST, NORTH, facts=list(facts), standing=standing, **edge)
    edges = tuple(replace(each, terms=replace(each.terms, verified=verified)) for each in agreement.edges)
    return town.sign_agreement(replace(agreement, edges=edges))


def again(town, agency, rows, *, name=None):
    """What an officer does every week: delete and import under the same name."""
    node = town.nodes[agency]
    kind, usual = ("subjects", "groups") if agency == WEST else ("suppliers", "suppliers")
    node.store.delete_collection(usual)
    town.import_rows(agency, name or usual, kind, rows, facts=["contract_value"] if agency == NORTH else [])


def leads(node, outcome):
    return {
        lead.reference: (lead.facts[0]["contract_value"] if lead.facts else None, lead.new)
        for lead in round_leads.load(node, outcome.round_id)
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


async def test_an_epoch_that_one_side_has_ended_is_found_out_at_once_and_the_next_round_is_a_full_one(town):
    held = agree(town)
    police, council = town.nodes[WEST], town.nodes[NORTH]
    async with running(council, limits=SMALL):
        assert (await run_round(police, held.id, limits=SMALL)).complete
        assert epochs.end_all(council, "its key was rotated") == 1
        outcome = await run_round(police, held.id, limits=SMALL)
        (edge,) = outcome.edges
        assert (edge.state, edge.code) == (FAILED, "diverged")
        assert "compares all records again" in edge.hint
        assert not any(row.open for row in police.store.epochs())
        last = await run_round(police, held.id, limits=SMALL)
        assert last.complete
        assert last.edges[0].delta == 0


async def test_a_round_that_was_cut_off_is_over_when_its_epoch_is(town, monkeypatch):
    """The council's key is rotated while the police's node is down."""
    held = agree(town)
    police, council = town.nodes[WEST], town.nodes[NORTH]
    monkeypatch.setattr("blindmatch.node.rounds.receiver.IN_FLIGHT", 1)
    stopping = []
    async with running(council, limits=SMALL):
        assert (await run_round(police, held.id, limits=SMALL)).complete
    again(town, WEST, subjects(60)[10:])
    async with running(council, limits=SMALL, grace=0) as server:

        def watch(_edge, step, done, _total):
            if (step, done) == ("exchange", 1):
                stopping.append(asyncio.get_running_loop().create_task(server.stop()))

        cut = await run_round(police, held.id, limits=SMALL, progress=watch)
        await stopping[0]
    assert (cut.edges[0].state, cut.edges[0].code) == ("exchanging", "unavailable")
    epochs.end_all(council, "its key was rotated")
    async with running(council, limits=SMALL):
        resumed = await run_round(police, held.id, resume_round=cut.round_id, limits=SMALL)
        assert (resumed.edges[0].state, resumed.edges[0].code) == (FAILED, "diverged")
        assert council.store.edge(cut.round_id, resumed.edges[0].edge).state == FAILED
        last = await run_round(police, held.id, limits=SMALL)
    assert last.edges[0].delta == 0
    assert set(leads(police, last)) == {f"P-{n:05d}" for n in range(20, 60)}
    for node in (police, council):
        assert list(node.rounds_dir.iterdir()) == []


async def test_an_epoch_that_has_gone_on_at_one_side_only_ends(town):
    held = agree(town)
    police, council = town.nodes[WEST], town.nodes[NORTH]
    async with running(council, limits=SMALL):
        assert (await run_round(police, held.id, limits=SMALL)).complete
        row = council.store.epochs()[0]
        assert council.store.end_epoch(row.epoch, row.edge, "put back an older copy")
        with council.store.write("edges") as connection:
            connection.exec_driver_sql(
                "UPDATE epochs SET ended_at = NULL, number = 1, "
                f"secret = (SELECT secret FROM epochs), state = X'{'00' * 32}'"
            )
        outcome = await run_round(police, held.id, limits=SMALL)
    assert (outcome.edges[0].state, outcome.edges[0].code) == (FAILED, "diverged")
    for node in (police, council):
        assert not any(row.open for row in node.store.epochs())
        assert not list(node.epochs_dir.glob("*/*"))


@pytest.mark.parametrize("why", ["time", "withdrawn", "expired"])
async def test_everything_kept_is_erased_when_an_epoch_is_over(town, why):
    held = agree(town, standing=Standing(2, 5))
    police, council = town.nodes[WEST], town.nodes[NORTH]
    async with running(council, limits=SMALL):
        assert (await run_round(police, held.id, limits=SMALL)).complete
    if why == "withdrawn":
        signed = registry.withdraw(council, held, "no longer")
        registry.record_withdrawal(police, signed)
    days = {"time": 2, "withdrawn": 0, "expired": 31}[why]
    for node in (police, council):
        assert list(node.epochs_dir.glob("*/*/*"))
        node.clock = lambda: time.time() + days * 86_400 + 100
        purge_expired(node)
        (row,) = node.store.epochs()
        assert not row.open
        assert node.store.find_epoch(row.epoch, row.edge).secret == b""
        assert not list(node.epochs_dir.glob("*/*"))
        assert "epoch ended" in [json.loads(entry.detail).get("action") for entry in node.store.audit_rows()]


async def test_what_is_kept_is_unreadable_without_the_nodes_keys(town):
    """No tag, no digest and no key of the epoch stands in any file in the open."""
    held = agree(town)
    police, council = town.nodes[WEST], town.nodes[NORTH]
    async with running(council, limits=SMALL):
        assert (await run_round(police, held.id, limits=SMALL)).complete
    for node in (police, council):
        row = node.store.open_epoch(held.id, held.agreement.edges[0].id, node.store.epochs()[0].role)
        stored = stored_epoch.load(node, held.agreement, row)
        arrays = stored.files.read(stored.version)
        secrets = {row.secret[:32], row.secret[-32:]}
        for name in ("digests", "tags", "outputs"):
            secrets |= {bytes(each) for each in arrays[name] if each.any()}
        assert len(secrets) > 100
        prefixes = {each[:12] for each in secrets}
        for path in node.home.rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                assert not any(data[at : at + 12] in prefixes for at in range(len(data) - 11)), path
