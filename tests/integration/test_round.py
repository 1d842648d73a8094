"""Rounds between real nodes in one process: grpc.aio, mutual TLS, real stores, real files."""

import asyncio
import dataclasses
import json

import pytest
from tests.support.local_nodes import people, subjects

from blindmatch.node.agreements import registry
from blindmatch.node.rounds import leads as round_leads
from blindmatch.node.rounds import runner
from blindmatch.node.rounds.runner import run_round
from blindmatch.node.server import running
from blindmatch.node.storage.audit_log import read_head, verify_log
from blindmatch.node.storage.store import CLOSED, FAILED
from blindmatch.node.storage.store.tables import edges as table
from blindmatch.node.transport.message_recorder import WireRecorder
from blindmatch.protocol.errors import AgreementError, LocalError, PeerError
from blindmatch.protocol.limits import Limits

SMALL = Limits(chunk_elements=32)
EXPECTED = {f"P-{index:05d}" for index in range(20, 40)}


def found(node, outcome):
    return {lead.reference for lead in round_leads.load(node, outcome.round_id)}


async def committed(town, held):
    """A round whose sender was lost once the rates were exchanged: prepared and committed on our side."""
    council = town.nodes["north-council"]
    stopping = []
    async with running(council, limits=SMALL, grace=0) as server:

        def watch(_edge, step, _done, _total):
            if step == "prepare" and not stopping:
                stopping.append(asyncio.get_running_loop().create_task(server.stop()))

        outcome = await run_round(town.nodes["west-force"], held.id, limits=SMALL, progress=watch)
        await stopping[0]
    return outcome


def audit(node, event):
    return [
        (row.subject.partition(" ")[0], row.recipient, json.loads(row.detail))
        for row in node.store.audit_rows()
        if row.event == event
    ]


@pytest.mark.parametrize("verified", [False, True])
@pytest.mark.parametrize("facts", [(), ("contract_value",)])
async def test_a_round_finds_exactly_the_common_records(town, verified, facts):
    agreement = town.agreement("west-force", "north-council", facts=facts)
    edges = tuple(
        dataclasses.replace(edge, terms=dataclasses.replace(edge.terms, verified=verified))
        for edge in agreement.edges
    )
    held = town.sign_agreement(dataclasses.replace(agreement, edges=edges))
    police, council = town.nodes["west-force"], town.nodes["north-council"]
    steps = []
    async with running(council, limits=SMALL):
        outcome = await run_round(
            police, held.id, limits=SMALL, progress=lambda *step: steps.append(step[1:])
        )
    assert outcome.complete
    assert found(police, outcome) == EXPECTED
    leads = round_leads.load(police, outcome.round_id)
    assert {lead.agency for lead in leads} == {"north-council"}
    for lead in leads:
        value = {"contract_value": str(1_000 + int(lead.reference[2:]))}
        assert lead.facts == ((value,) if facts else ())
    edge = outcome.edges[0]
    assert (edge.receiver_elements, edge.sender_elements, edge.leads) == (40 * 8, 50 * 8, 20)
    assert ("exchange", 10, 10) in steps
    assert ("tags", 13, 13) in steps


async def test_both_sides_keep_the_same_receipt_and_nothing_else(town):
    held = town.sign_agreement(town.agreement("west-force", "north-council"))
    police, council = town.nodes["west-force"], town.nodes["north-council"]
    async with running(council, limits=SMALL):
        outcome = await run_round(police, held.id, limits=SMALL)
    (ours,), (theirs,) = police.store.edges(outcome.round_id), council.store.edges(outcome.round_id)
    assert ours.receipt == theirs.receipt != b""
    assert ours.signatures == theirs.signatures
    assert set(ours.signatures) == {"west-force", "north-council"}
    for node in (police, council):
        row = node.store.edge(outcome.round_id, ours.edge)
        assert (row.state, row.seed, row.snapshot) == (CLOSED, b"", b"")
        assert list(node.rounds_dir.iterdir()) == []
    assert council.store.leads(outcome.round_id) == []


async def test_both_audit_logs_tell_of_the_round(town):
    held = town.sign_agreement(town.agreement("west-force", "north-council"))
    police, council = town.nodes["west-force"], town.nodes["north-council"]
    async with running(council):
        await run_round(police, held.id)
    assert [detail["action"] for _, _, detail in audit(police, "combination")] == ["opened", "closed"]
    assert audit(police, "combination")[1][2]["leads"] == 20
    disclosures = audit(council, "disclosure")
    assert [(to, detail["action"]) for _, to, detail in disclosures] == [
        ("west-force", "opened"),
        ("west-force", "closed"),
    ]
    for node in (police, council):
        head = read_head(node.home / "audit.head")
        problems = verify_log(
            node.store.audit_rows(), agency=node.agency, public_key=node.keys.identity_public, heads=[head]
        )
        assert problems == []


async def test_the_sender_s_side_is_the_same_whether_all_match_or_none(town):
    """Sizes, kinds and order of messages, the audit log and the edge's row do not depend on hits."""
    town.import_rows("south-council", "suppliers", "suppliers", people(50, first=500))  # nobody is a subject
    police = town.nodes["west-force"]
    seen = {}
    for sender in ("north-council", "south-council"):
        held = town.sign_agreement(town.agreement("west-force", sender))
        council = town.nodes[sender]
        council.wire = WireRecorder(town.folder / f"wire-{sender}")
        async with running(council, limits=SMALL):
            outcome = await run_round(police, held.id, limits=SMALL)
        index = (town.folder / f"wire-{sender}" / "index.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in index]
        # Progress messages tell how fast the machine was; chunks carry ids of equal length.
        messages = sorted(
            (row["direction"], row["type"], row["bytes"]) for row in rows if "OpenReply" not in row["type"]
        )
        details = [
            {k: len(str(v)) for k, v in detail.items()} for _, _, detail in audit(council, "disclosure")
        ]
        (row,) = council.store.edges(outcome.round_id)
        seen[sender] = (messages, details, row.state, row.done, row.total, len(row.receipt))
        assert len(found(police, outcome)) == (20 if sender == "north-council" else 0)
    assert seen["north-council"] == seen["south-council"]


async def test_the_wire_is_recorded_on_both_sides_alike(town):
    held = town.sign_agreement(town.agreement("west-force", "north-council"))
    police, council = town.nodes["west-force"], town.nodes["north-council"]
    police.wire, council.wire = WireRecorder(town.folder / "p"), WireRecorder(town.folder / "c")
    async with running(council, limits=SMALL):
        outcome = await run_round(police, held.id, limits=SMALL)
    logs = []
    for folder, flip in (("p", {}), ("c", {"sent": "received", "received": "sent"})):
        rows = [json.loads(line) for line in (town.folder / folder / "index.jsonl").read_text().splitlines()]
        for row in rows:
            assert (town.folder / folder / row["file"]).stat().st_size == row["bytes"]
        logs.append(sorted((flip.get(r["direction"], r["direction"]), r["type"], r["sha256"]) for r in rows))
    assert logs[0] == logs[1]
    edge = outcome.edges[0]
    sent = [json.loads(line) for line in (town.folder / "p" / "index.jsonl").read_text().splitlines()]
    assert edge.sent_bytes == sum(row["bytes"] for row in sent if row["direction"] == "sent")
    assert edge.received_bytes == sum(row["bytes"] for row in sent if row["direction"] == "received")


async def test_one_edge_fails_and_the_others_finish_and_it_goes_on_later(town):
    town.import_rows("south-council", "suppliers", "suppliers", people(30, first=5))
    held = town.sign_agreement(town.agreement("west-force", "north-council", "south-council"))
    police = town.nodes["west-force"]
    async with running(town.nodes["north-council"]):
        outcome = await run_round(police, held.id)
        north, south = outcome.edges
        assert (north.state, north.leads) == (CLOSED, 20)
        assert (south.state, south.code) == ("preparing", "unavailable")
        assert south.hint
        assert outcome.resumable
        assert [row.edge for row in runner.unfinished(police, held.id)] == [south.edge]
        async with running(town.nodes["south-council"]):
            again = await run_round(police, held.id, resume_round=outcome.round_id)
    assert again.complete
    assert again.round_id == outcome.round_id
    closed = again.edges[0]
    assert (closed.leads, closed.receiver_elements, closed.sender_elements) == (20, 40 * 8, 50 * 8)
    assert (north.receiver_elements, north.sender_elements) == (40 * 8, 50 * 8)
    assert {lead.reference for lead in round_leads.load(police, outcome.round_id, south.edge)} == {
        f"P-{index:05d}" for index in range(5, 35)
    }
    assert runner.unfinished(police) == []


async def test_both_learn_over_two_edges_of_one_agreement(town):
    there = town.agreement("west-force", "north-council").edges[0]
    back = dataclasses.replace(
        there, id="north-council-from-west-force", receiver=there.sender, sender=there.receiver
    )
    agreement = dataclasses.replace(
        town.agreement("west-force", "north-council"),
        edges=(there, back),
        rounds_budget=1,
        calendar="once",
    )
    held = town.sign_agreement(agreement)
    police, council = town.nodes["west-force"], town.nodes["north-council"]
    async with running(council), running(police):
        first = await run_round(police, held.id)
        second = await run_round(council, held.id)
    assert found(police, first) == EXPECTED
    assert found(council, second) == {f"S-{index:05d}" for index in range(20, 40)}


async def test_the_budget_ends_rounds_on_the_edge(town):
    agreement = dataclasses.replace(town.agreement("west-force", "north-council"), rounds_budget=2)
    held = town.sign_agreement(agreement)
    police = town.nodes["west-force"]
    async with running(town.nodes["north-council"]):
        for _ in range(2):
            assert (await run_round(police, held.id)).complete
        with pytest.raises(PeerError, match="budget-spent"):
            await run_round(police, held.id)


async def test_a_signature_that_was_not_delivered_is_fetched_when_the_round_starts(town):
    held = town.sign_agreement(town.agreement("west-force", "north-council"), unsigned=["north-council"])
    police, council = town.nodes["west-force"], town.nodes["north-council"]
    async with running(council):
        with pytest.raises(PeerError, match="north-council missing"):
            await run_round(police, held.id)
        registry.sign(council, registry.find(council, held.id))
        assert registry.find(police, held.id).missing == ("north-council",)
        assert (await run_round(police, held.id)).complete


async def test_the_sender_holds_its_own_view_of_the_agreement(town):
    """A receiver that skips its own checks is refused by the sender, with the code."""
    held = town.sign_agreement(town.agreement("west-force", "north-council"))
    police, council = town.nodes["west-force"], town.nodes["north-council"]
    registry.withdraw(council, registry.find(council, held.id), "no longer needed")
    async with running(council):
        outcome = await run_round(police, held.id)
    edge = outcome.edges[0]
    assert (edge.state, edge.code) == (FAILED, "expired-agreement")
    refused = [detail for _, _, detail in audit(council, "disclosure")]
    assert [(d["action"], d["code"]) for d in refused] == [("refused", "expired-agreement")]
    assert council.store.edges(outcome.round_id) == []


async def test_an_unsigned_agreement_starts_nothing(town):
    held = town.sign_agreement(town.agreement("west-force", "north-council"), unsigned=["north-council"])
    with pytest.raises((PeerError, AgreementError), match="sign"):
        await run_round(town.nodes["west-force"], held.id)
    assert town.nodes["west-force"].store.edges() == []


async def test_a_sender_without_a_collection_says_no_more_than_that(town):
    held = town.sign_agreement(town.agreement("west-force", "south-council"))
    police, council = town.nodes["west-force"], town.nodes["south-council"]
    async with running(council):
        outcome = await run_round(police, held.id)
        edge = outcome.edges[0]
        assert (edge.state, edge.code) == (FAILED, "refused")
        assert "collection ready" in edge.reason
        # A round that failed before its first chunk is free, so the next one runs.
        town.import_rows("south-council", "suppliers", "suppliers", people(3))
        assert (await run_round(police, held.id)).complete


async def test_a_lost_server_is_waited_for_and_the_round_goes_on_where_it_was(town, monkeypatch):
    monkeypatch.setattr(
        "blindmatch.node.rounds.receiver.IN_FLIGHT", 1
    )  # else all is answered before the server stops
    held = town.sign_agreement(town.agreement("west-force", "north-council"))
    police, council = town.nodes["west-force"], town.nodes["north-council"]
    stopping = []
    async with running(council, limits=SMALL, grace=0) as first:

        def watch(_edge, step, done, _total):
            if (step, done) == ("exchange", 4):
                stopping.append(asyncio.get_running_loop().create_task(first.stop()))

        outcome = await run_round(police, held.id, limits=SMALL, progress=watch)
        await stopping[0]
    edge = outcome.edges[0]
    assert (edge.state, edge.code) == ("exchanging", "unavailable")
    async with running(council, limits=SMALL):
        steps = []
        again = await run_round(
            police,
            held.id,
            resume_round=outcome.round_id,
            limits=SMALL,
            progress=lambda *step: steps.append(step[1:3]),
        )
    assert again.complete
    assert ("exchange", 1) not in steps
    assert found(police, again) == EXPECTED


async def test_a_collection_that_changed_stops_the_round_on_our_side(town):
    """Blinds and keys are never used with other input than was committed to."""
    held = town.sign_agreement(town.agreement("west-force", "north-council"))
    police = town.nodes["west-force"]
    outcome = await committed(town, held)
    (row,) = police.store.edges(outcome.round_id)
    other = town.import_rows("west-force", "others", "subjects", subjects(40, first=100))
    folder = police.collections_dir
    (folder / row.collection_id).rename(folder / "aside")
    with police.store.write("edges") as connection:
        connection.execute(table.update().values(collection=other))
    async with running(town.nodes["north-council"], limits=SMALL):
        again = await run_round(police, held.id, resume_round=outcome.round_id, limits=SMALL)
    edge = again.edges[0]
    assert "changed" in edge.reason
    assert edge.code == "local"
    assert town.nodes["north-council"].store.leads(outcome.round_id) == []


async def test_an_abandoned_round_leaves_nothing_behind(town):
    held = town.sign_agreement(town.agreement("west-force", "north-council"))
    police = town.nodes["west-force"]
    outcome = await committed(town, held)
    assert any(police.rounds_dir.iterdir())
    assert runner.abandon(police, outcome.round_id) == 1
    (row,) = police.store.edges(outcome.round_id)
    assert police.store.edge(outcome.round_id, row.edge).seed == b""
    assert list(police.rounds_dir.iterdir()) == []
    again = await run_round(police, held.id, resume_round=outcome.round_id)
    assert [(edge.state, edge.code) for edge in again.edges] == [(FAILED, "abandoned")]


async def test_a_round_of_somebody_else_cannot_be_resumed(town):
    held = town.sign_agreement(town.agreement("west-force", "north-council"))
    with pytest.raises(LocalError, match="no round"):
        await run_round(town.nodes["west-force"], held.id, resume_round=bytes(16))
