"""Agreements between real nodes: drafted, proposed, signed and withdrawn with the commands, over mutual TLS."""

import asyncio
import json
from contextlib import AsyncExitStack, closing

import pytest
from tests.support.local_nodes import PASSPHRASE, LocalNodes
from typer.testing import CliRunner

from blindmatch.node import server
from blindmatch.node.agreements import registry
from blindmatch.node.agreements.payload import encode_agreement
from blindmatch.node.cli import app
from blindmatch.protocol import agreement as terms
from blindmatch.protocol.agreement import Envelope

WEST, EAST, SOUTH = "west-force", "east-council", "south-council"


def three_agencies(folder, now):
    return LocalNodes(folder, {WEST: "police", EAST: "council", SOUTH: "council"}, now)


@pytest.fixture
def town(node_templates, tmp_path):
    with closing(node_templates.copy(three_agencies, tmp_path)) as nodes:
        yield nodes


async def serving(stack, town, *agencies):
    for agency in agencies:
        node = town.nodes[agency]
        await stack.enter_async_context(server.running(node))


async def run(town, agency, *words, status=0):
    """A command as that agency's officer would give it, in a thread beside the servers."""
    command = ["agreement", *words, "--home", str(town.folder / agency), "--json"]
    env = {"BLINDMATCH_PASSPHRASE": PASSPHRASE}
    result = await asyncio.to_thread(CliRunner().invoke, app, command, env=env)
    assert result.exit_code == status, result.output
    return json.loads(result.stdout) if result.stdout else result.stderr


def draft(town) -> str:
    path = town.folder / "draft.toml"
    words = ["agreement", "draft", "--receiver", WEST, "--sender", EAST, "--sender", SOUTH]
    text = CliRunner().invoke(app, words).stdout
    path.write_text(text.replace('title = ""', 'title = "T"').replace('purpose = """\n"""', 'purpose = "P"'))
    return str(path)


async def test_from_the_template_to_every_signature(town):
    async with AsyncExitStack() as stack:
        await serving(stack, town, WEST, EAST, SOUTH)
        made = await run(town, WEST, "draft", draft(town))
        assert [party["legal_basis"] for party in made["parties"]] == [
            "Crime and Disorder Act 1998 s.115"
        ] * 3
        assert all(entry["error"] is None for entry in made["reached"])
        for agency in (EAST, SOUTH, WEST):
            signed = await run(town, agency, "sign", made["id"][:10], "--yes")
        assert signed["state"] == "in force"
    for agency in (WEST, EAST, SOUTH):
        held = registry.find(town.nodes[agency], made["id"])
        assert held.missing == ()
        assert held.envelope.payload == registry.find(town.nodes[WEST], made["id"]).envelope.payload


async def test_a_party_that_was_away_fetches_later(town):
    async with AsyncExitStack() as stack:
        await serving(stack, town, WEST, EAST)
        town.sign_agreement(agreement := town.agreement(WEST, EAST, SOUTH), unsigned=(WEST, EAST))
        made = (await run(town, WEST, "list"))[0]
        assert made["parties"] == list(agreement.agencies)
        signed = await run(town, EAST, "sign", made["id"], "--yes")
        assert {entry["agency"]: entry["error"] is None for entry in signed["reached"]} == {
            WEST: True,
            SOUTH: False,
        }
        signed = await run(town, WEST, "sign", made["id"], "--yes")
        assert signed["state"] == "in force"
        # South was not there when the others signed, so it asks them.
        assert registry.find(town.nodes[SOUTH], made["id"]).missing == (WEST, EAST)
        shown = await run(town, SOUTH, "show", made["id"], "--fetch")
        assert shown["state"] == "in force"


async def test_a_withdrawal_reaches_the_others(town):
    held = town.sign_agreement(town.agreement(WEST, EAST, SOUTH))
    async with AsyncExitStack() as stack:
        await serving(stack, town, WEST, SOUTH)
        told = await run(town, EAST, "withdraw", held.id.hex(), "--reason", "Enough.", "--yes")
        assert {entry["agency"]: entry["error"] for entry in told["reached"]} == {WEST: None, SOUTH: None}
    for agency in (WEST, EAST, SOUTH):
        assert registry.find(town.nodes[agency], held.id).withdrawn[EAST].reason == "Enough."


async def test_a_decline_ends_the_agreement_for_all_and_news_spreads_through_whoever_is_up(town):
    town.sign_agreement(town.agreement(WEST, EAST, SOUTH), unsigned=(WEST, EAST, SOUTH))
    held = registry.list_agreements(town.nodes[WEST])[0]
    async with AsyncExitStack() as stack:
        await serving(stack, town, WEST)  # south is down when east declines
        told = await run(town, EAST, "decline", held.id.hex(), "--reason", "Too wide.", "--yes")
        assert {entry["agency"]: entry["error"] is None for entry in told["reached"]} == {
            WEST: True,
            SOUTH: False,
        }
        assert told["not_reached"] == [SOUTH]
        # East is down now: south learns it from west, with east's own signature.
        shown = await run(town, SOUTH, "show", held.id.hex(), "--fetch")
    assert shown["state"] == f"declined by {EAST}"
    east = next(party for party in shown["parties"] if party["agency"] == EAST)
    assert east["declined"]["reason"] == "Too wide."
    assert east["reached"]["error"]
    (entry,) = [row for row in town.nodes[SOUTH].store.audit_rows() if '"declined"' in row.detail]
    assert json.loads(entry.detail) == {"action": "declined", "from": WEST, "signed_by": EAST}
    assert await run(town, SOUTH, "sign", held.id.hex(), "--yes", status=1)


async def test_who_never_saw_the_proposal_learns_of_it_with_the_decline(town):
    envelope = town.sign_agreement(town.agreement(WEST, EAST)).envelope
    agreement = town.agreement(EAST, SOUTH, WEST)
    fresh = Envelope(terms.PAYLOAD_TYPE, encode_agreement(agreement), {})
    registry.adopt(town.nodes[EAST], fresh, source="file")
    assert fresh.id != envelope.id
    async with AsyncExitStack() as stack:
        await serving(stack, town, WEST, SOUTH)
        told = await run(town, EAST, "decline", fresh.id.hex(), "--reason", "No.", "--yes")
    assert all(entry["error"] is None for entry in told["reached"])
    assert registry.find(town.nodes[SOUTH], fresh.id).declined[EAST].reason == "No."


async def test_a_list_fetches_what_every_party_signed(town):
    held = town.sign_agreement(town.agreement(WEST, EAST, SOUTH), unsigned=(SOUTH,))
    registry.sign(town.nodes[SOUTH], registry.find(town.nodes[SOUTH], held.id))
    async with AsyncExitStack() as stack:
        await serving(stack, town, SOUTH)
        (before,) = await run(town, WEST, "list")
        (after,) = await run(town, WEST, "list", "--fetch")
    assert (before["missing"], before["not_reached"]) == ([SOUTH], [])
    assert (after["missing"], after["not_reached"], after["state"]) == ([], [EAST], "in force")
    assert after["signed"] == [WEST, EAST, SOUTH]


async def test_a_node_that_cannot_be_reached_ends_the_draft(town):
    async with AsyncExitStack() as stack:
        await serving(stack, town, EAST)
        error = await run(town, WEST, "draft", draft(town), status=1)
    assert f"{SOUTH}'s entry is not known" in error
    assert town.nodes[WEST].store.agreements() == []
