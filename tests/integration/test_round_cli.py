"""`blindmatch round`: what an officer reads after a round, and what the audit log keeps of it."""

import asyncio
import csv
import json

import pytest
from tests.support.local_nodes import PASSPHRASE
from typer.testing import CliRunner

from blindmatch.node.cli import app
from blindmatch.node.rounds.runner import run_round
from blindmatch.node.server import running

WEST, NORTH = "west-force", "north-council"


@pytest.fixture
def cli(town):
    """Run a command as an agency; returns the result with stdout and stderr apart."""

    def run(agency, *words):
        environment = {
            "BLINDMATCH_HOME": str(town.folder / agency),
            "BLINDMATCH_PASSPHRASE": PASSPHRASE,
            "BLINDMATCH_USER": "officer-7",
            "COLUMNS": "200",
        }
        return CliRunner().invoke(app, ["round", *words], env=environment)

    return run


@pytest.fixture
async def finished(town):
    """A round that found 20 leads: its id in hexadecimal."""
    held = town.sign_agreement(town.agreement(WEST, NORTH, facts=["contract_value"]))
    async with running(town.nodes[NORTH]):
        outcome = await run_round(town.nodes[WEST], held.id)
    return outcome.round_id.hex()


def audited(town, event):
    rows = [row for row in town.nodes[WEST].store.audit_rows() if row.event == event]
    return [(row.user, row.recipient, row.justification, json.loads(row.detail)) for row in rows]


async def test_results_are_shown_and_the_look_is_logged(town, cli, finished):
    shown = await asyncio.to_thread(cli, WEST, "results", finished[:8], "--justification", "case 12")
    assert shown.exit_code == 0, shown.output
    assert "P-00020" in shown.stdout
    assert "1020" in shown.stdout
    assert audited(town, "consultation") == [("officer-7", WEST, "case 12", {"leads": 20})]
    data = json.loads((await asyncio.to_thread(cli, WEST, "results", "--json")).stdout)
    assert data["round"] == finished
    assert {lead["reference"] for lead in data["leads"]} == {f"P-{i:05d}" for i in range(20, 40)}


@pytest.mark.parametrize("form", ["csv", "json"])
async def test_an_export_is_private_and_logged(town, cli, finished, form, tmp_path):
    out = tmp_path / f"leads.{form}"
    words = ("export", "--format", form, "--out", str(out), "--recipient", "detective team")
    done = await asyncio.to_thread(cli, WEST, *words)
    assert done.exit_code == 0, done.output
    assert done.stdout == ""
    assert out.stat().st_mode & 0o077 == 0
    if form == "csv":
        with out.open(newline="") as file:
            references = [row["reference"] for row in csv.DictReader(file)]
    else:
        references = [lead["reference"] for lead in json.loads(out.read_text())["leads"]]
    assert sorted(references) == [f"P-{i:05d}" for i in range(20, 40)]
    ((user, recipient, _, detail),) = audited(town, "disclosure")
    assert (user, recipient) == ("officer-7", "detective team")
    assert detail == {"action": "export", "format": form, "leads": 20}


@pytest.mark.parametrize(
    ("name", "words", "start"),
    [
        ("leads.csv", (), "reference,"),
        ("leads.JSON", (), "{"),
        ("leads.ftm", (), '{"id"'),
        ("leads.txt", ("--format", "json"), "{"),
        ("leads.csv", ("--format", "json"), "{"),
    ],
)
async def test_the_file_s_suffix_says_the_format(cli, finished, name, words, start, tmp_path):
    done = await asyncio.to_thread(cli, WEST, "export", finished, "--out", str(tmp_path / name), *words)
    assert done.exit_code == 0, done.output
    assert (tmp_path / name).read_text().startswith(start)


async def test_a_suffix_that_says_nothing_needs_a_format(cli, finished, tmp_path):
    done = await asyncio.to_thread(cli, WEST, "export", finished, "--out", str(tmp_path / "leads"))
    assert done.exit_code == 2
    assert "--format" in done.stderr
    assert not (tmp_path / "leads").exists()


async def test_both_sides_show_the_receipt_and_only_one_has_leads(cli, finished):
    receipts = []
    for agency in (WEST, NORTH):
        (entry,) = json.loads((await asyncio.to_thread(cli, agency, "receipts", "--json")).stdout)
        assert entry["valid"] is True
        receipts.append((entry["payload"], entry["signatures"]))
    assert receipts[0] == receipts[1]
    assert "valid" in (await asyncio.to_thread(cli, NORTH, "receipts")).stdout
    nothing = await asyncio.to_thread(cli, NORTH, "results")
    assert "No leads" in nothing.stdout


async def test_status_names_every_edge(cli, finished):
    text = (await asyncio.to_thread(cli, NORTH, "status")).stdout
    assert finished[:12] in text
    assert "sender" in text
    (row,) = json.loads((await asyncio.to_thread(cli, WEST, "status", finished, "--json")).stdout)
    assert (row["state"], row["role"], row["peer"]) == ("closed", "receiver", NORTH)


async def test_an_unfinished_round_is_pointed_out_and_can_be_given_up(town, cli):
    held = town.sign_agreement(town.agreement(WEST, NORTH))
    first = await asyncio.to_thread(cli, WEST, "run", held.id.hex()[:10], "--wait", "0")
    assert first.exit_code == 1
    assert "unavailable" in first.stderr
    assert "--resume" in first.stderr
    second = await asyncio.to_thread(cli, WEST, "run", held.id.hex()[:10], "--wait", "0")
    assert second.exit_code == 1
    assert "unfinished" in second.stderr
    (row,) = town.nodes[WEST].store.edges()
    given_up = await asyncio.to_thread(cli, WEST, "abandon", row.round_id.hex()[:8])
    assert given_up.exit_code == 0
    async with running(town.nodes[NORTH]):
        third = await asyncio.to_thread(cli, WEST, "run", held.id.hex()[:10], "--json")
    assert third.exit_code == 0, third.output
    assert json.loads(third.stdout)["leads"] == 20


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["run"], 2),
        (["run", "abcd", "--resume", "abcd"], 2),
        (["run", "abcdef"], 1),
        (["run", "--resume", "abcdef"], 1),
        (["results", "abcdef"], 1),
        (["export"], 2),
        (["export", "--out", "x", "--format", "xml"], 2),
    ],
)
def test_wrong_words_are_told_apart_from_failures(cli, words, status):
    result = cli(WEST, *words)
    assert result.exit_code == status, result.output
    assert result.stdout == ""
    assert result.stderr
