"""`blindmatch round status`: every edge of an agreement, our own on either side and those between others; once or live."""

import asyncio
import json
import re
from dataclasses import replace

import pytest
from tests.support.agencies import agreement_between, edge_between
from tests.support.local_nodes import PASSPHRASE
from typer.testing import CliRunner

from blindmatch.node.agreements import registry
from blindmatch.node.cli import app, round_live, round_tables
from blindmatch.node.rounds import status as round_views
from blindmatch.node.rounds.runner import run_round
from blindmatch.node.rounds.status import EdgeStatus
from blindmatch.node.server import running

WEST, NORTH, SOUTH = "west-force", "north-council", "south-council"
PAIRS = [(WEST, NORTH), (WEST, SOUTH), (SOUTH, NORTH), (NORTH, WEST)]
MINE, AWAY, OTHERS, THEIRS = (f"{receiver}-from-{sender}" for receiver, sender in PAIRS)


@pytest.fixture
def held(town):
    """West learns from north and south, north from west; south from north, which is none of west's business."""
    edges = [edge_between(*pair) for pair in PAIRS]
    back = edges[3]  # a council that asks with its suppliers
    edges[3] = replace(
        back,
        receiver=replace(back.receiver, collection_kind="suppliers"),
        sender=replace(back.sender, collection_kind="subjects"),
    )
    parties = [registry.own_party(node) for node in town.nodes.values()]
    return town.sign_agreement(agreement_between(parties, edges, start=int(town.now) - 60))


@pytest.fixture
def cli(town):
    """An officer of an agency, who names the node's folder."""

    def run(agency, *words):
        command = ["round", *words, "--home", str(town.folder / agency)]
        environment = {"BLINDMATCH_PASSPHRASE": PASSPHRASE, "COLUMNS": "250"}
        return asyncio.to_thread(CliRunner().invoke, app, command, env=environment)

    return run


async def test_every_edge_of_the_agreement_is_shown(town, held, cli):
    short = held.id.hex()[:10]
    async with running(town.nodes[NORTH]):
        ran = await cli(WEST, "run", short, "--wait", "0")
    assert ran.exit_code == 1
    assert re.search(rf"{AWAY} .* waiting ", ran.stdout)
    again = (
        f"Resume it when {SOUTH} can be reached: blindmatch round run --home {town.folder / WEST} --resume "
    )
    assert again in ran.stderr
    (round_id,) = {row.round_id.hex() for row in town.nodes[WEST].store.edges()}
    shown = json.loads((await cli(WEST, "status", round_id[:12], "--json")).stdout)
    assert [(item["edge"], item["role"], item["state"]) for item in shown] == [
        (MINE, "receiver", "closed"),
        (AWAY, "receiver", "waiting"),
        (OTHERS, None, "between others"),
        (THEIRS, "sender", "not begun"),
    ]
    assert [item["over"] for item in shown] == [True, False, True, False]
    assert (shown[1]["step"], shown[1]["code"]) == ("preparing", "unavailable")
    assert "no node answers" in shown[1]["reason"]
    assert shown[2]["peer"] == f"{SOUTH} from {NORTH}"
    text = (await cli(WEST, "status", "--agreement", short)).stdout
    assert "1 closed, 1 waiting, 1 between others, 1 not begun" in text
    assert f"{AWAY}: at preparing: unavailable: no node answers" in text
    theirs = json.loads((await cli(NORTH, "status", "--agreement", short, "--json")).stdout)
    assert {item["edge"]: (item["role"], item["state"]) for item in theirs} == {
        MINE: ("sender", "closed"),
        AWAY: (None, "between others"),
        OTHERS: ("sender", "not begun"),
        THEIRS: ("receiver", "not begun"),
    }
    assert (await cli(WEST, "status", round_id, "--agreement", short)).exit_code == 2


async def test_a_round_of_another_receiver_is_shown_beside_ours(town, held):
    west, north = town.nodes[WEST], town.nodes[NORTH]
    async with running(west), running(north):
        ours = await run_round(west, held.id, edges=[MINE])
        theirs = await run_round(north, held.id)
    views = {view.edge: view for view in round_views.of_round(west, ours.round_id)}
    assert (views[MINE].state, views[MINE].round_id) == ("closed", ours.round_id)
    assert (views[THEIRS].state, views[THEIRS].round_id) == ("closed", theirs.round_id)
    assert views[AWAY].state == "not begun"
    assert {view.round_id for view in round_views.of_everything(west)} == {ours.round_id, theirs.round_id}


async def test_who_left_stops_what_has_not_begun(town, held):
    north = town.nodes[NORTH]
    registry.withdraw(north, registry.find(north, held.id), "Enough.")
    views = {view.edge: view for view in round_views.of_agreement(north, held.id)}
    assert {edge: (view.state, view.reason) for edge, view in views.items() if view.role} == dict.fromkeys(
        (MINE, OTHERS, THEIRS), ("stopped", f"withdrawn by {NORTH}")
    )
    assert all(view.over for view in views.values())


async def test_watching_tells_every_change_and_ends_with_the_last_edge(town, held, capsys):
    west = town.nodes[WEST]
    chosen = (MINE, OTHERS)
    async with running(town.nodes[NORTH]):
        loop = asyncio.get_running_loop()

        def views():
            return [view for view in round_views.of_agreement(west, held.id) if view.edge in chosen]

        def while_a_round_runs(_seconds):
            asyncio.run_coroutine_threadsafe(run_round(west, held.id, edges=[MINE]), loop).result()

        await asyncio.to_thread(round_live.watch, views, pause=while_a_round_runs)
    assert capsys.readouterr().out.splitlines() == [
        f"{MINE}: not begun",
        f"{OTHERS}: between others",
        f"{MINE}: closed 1/1",
        "1 closed, 1 between others",
    ]


async def test_a_terminal_shows_one_table_that_is_drawn_again(town, held, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "250")
    west = town.nodes[WEST]
    async with running(town.nodes[NORTH]):
        outcome = await run_round(west, held.id, edges=[MINE])
    views = [view for view in round_views.of_round(west, outcome.round_id) if view.over]
    unfinished = replace(views[0], state="exchanging", done=0)
    shown, pauses = [[unfinished], views], []
    round_live.watch(lambda: shown[len(pauses)], pause=pauses.append)
    out = capsys.readouterr().out
    assert pauses == [round_live.REDRAW_SECONDS]
    assert out.index("exchanging") < out.index("closed")
    assert "1 closed, 1 between others" in out


@pytest.mark.parametrize("terminal", [False, True])
def test_a_round_says_for_whom_an_edge_waits(capsys, monkeypatch, terminal):
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "200")
    with round_live.edge_progress() as (progress, waiting):
        progress(MINE, "prepare", 1, 2)
        for _ in range(3):
            waiting(AWAY, SOUTH, "no node answers")
        progress(MINE, "close", 1, 1)
    err = capsys.readouterr().err
    assert f"{AWAY}: waiting for {SOUTH}: no node answers" in err
    assert f"{MINE}: closed" in err
    if not terminal:
        assert len(err.splitlines()) == 3  # a line per change, not per attempt


def view(number, state, role="receiver"):
    return EdgeStatus(f"edge-{number}", bytes(32), role, "peer", state)


def test_a_small_terminal_shows_what_is_not_over(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("LINES", "16")
    many = [view(number, "closed") for number in range(30)]
    shown, pauses = [[*many, view(99, "exchanging")], [*many, view(99, "closed")]], []
    round_live.watch(lambda: shown[len(pauses)], pause=pauses.append)
    out = capsys.readouterr().out
    assert "edge-99" in out
    assert "edge-7" not in out
    assert "30 closed, 1 exchanging" in out
    assert out.rstrip().endswith("31 closed")


@pytest.mark.parametrize("others", [3, 300])
def test_many_edges_between_others_are_only_counted(capsys, others):
    views = [view(999, "closed"), *(view(number, "between others", "") for number in range(others))]
    round_tables.show_status(views)
    out = capsys.readouterr().out
    assert "edge-999" in out
    assert ("edge-1 " in out) == (others == 3)
    assert f"1 closed, {others} between others" in out


async def test_watching_a_round_that_is_over_shows_it_once(town, cli):
    held = town.sign_agreement(town.agreement(WEST, NORTH))
    async with running(town.nodes[NORTH]):
        outcome = await run_round(town.nodes[WEST], held.id)
    shown = await cli(WEST, "status", outcome.round_id.hex(), "--watch")
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.splitlines() == [f"{MINE}: closed 1/1", "1 closed"]
