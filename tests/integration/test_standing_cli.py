"""What officers type under a standing agreement, against real nodes: round, status, check, keys rotate."""

import asyncio
import csv
import json

import pytest
from tests.support.local_nodes import PASSPHRASE, people
from typer.testing import CliRunner

from blindmatch.node.cli import app
from blindmatch.node.server import running
from blindmatch.protocol.agreement import Standing

WEST, NORTH = "west-force", "north-council"


def command(town, agency, *words, fails=0, text=False):
    secret = town.folder / "secret.txt"
    secret.write_text(PASSPHRASE + "\n")
    more = [
        "--home",
        str(town.nodes[agency].home),
        "--passphrase-file",
        str(secret),
        *([] if text else ["--json"]),
    ]
    done = CliRunner().invoke(app, [*words, *more])
    assert done.exit_code == fails, done.output
    return done.output if text else json.loads(done.stdout) if not fails else done.stderr


async def typed(*arguments, **more):
    return await asyncio.to_thread(command, *arguments, **more)


async def test_a_week_with_a_standing_agreement(town):
    held = town.sign_agreement(town.agreement(WEST, NORTH, standing=Standing(30, 6)))
    short = held.id.hex()[:10]
    person = people(1, first=5)[0]
    said = [
        f"--set={name}={value}"
        for name, value in zip(("forenames", "surname", "date_of_birth"), person[1:4], strict=True)
    ]
    async with running(town.nodes[NORTH]), running(town.nodes[WEST]) as serving:
        full = await typed(town, WEST, "round", "run", short)
        assert full["edges"][0]["delta"] == 0
        again = await typed(town, WEST, "round", "run", short)
        assert (again["edges"][0]["delta"], again["edges"][0]["added"]) == (1, 0)
        shown = await typed(town, WEST, "round", "run", short, text=True)
        assert "delta round 2 of its epoch" in shown
        status = await typed(town, WEST, "round", "status")
        assert [row["delta"] for row in status] == [0, 1, 2]
        assert len({row["epoch"] for row in status}) == 1
        assert status[1]["sender_added"] == 0
        words = await typed(town, NORTH, "round", "status", text=True)
        assert "delta 2 of epoch" in words
        assert "receiver +0 -0, sender +0 -0" in words
        receipts = await typed(town, WEST, "round", "receipts", again["round"])
        assert receipts[0]["valid"]
        # A bidder that the police know, in a file, and one whom nobody knows.
        path = town.folder / "bidder.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerows([["forenames", "surname", "date_of_birth", "postcode"], person[1:5]])
        sent = await typed(town, NORTH, "check", short, "--record", str(path))
        other = town.folder / "other.json"
        other.write_text(
            json.dumps({"forenames": "Nobody", "surname": "Knows", "date_of_birth": "1901-01-01"})
        )
        assert len((await typed(town, NORTH, "check", short, "--record", str(other)))["submitted"]) == 1
        await serving.inbound.checks.settle()
        received = await typed(town, WEST, "check", short, "--received")
        (one,) = received["submitted"]
        assert one["leads"][0]["reference"] == "P-00005"
        assert sent["submitted"][0][:12] in await typed(town, WEST, "check", short, "--received", text=True)
        # The police ask about the same person, whom the council does not have.
        assert (await typed(town, WEST, "check", short, *said))["hit"] is False
        assert "no hit" in await typed(town, WEST, "check", short, *said, text=True)
        assert (await typed(town, NORTH, "keys", "rotate", short))["epochs_ended"] == 1
        assert "no epoch is open" in await typed(town, NORTH, "check", short, *said, fails=1)
        ended = await typed(town, NORTH, "round", "status")
        assert {row["epoch_ended"] for row in ended} == {"its key was rotated"}
        await typed(town, WEST, "round", "run", short, fails=1)
        assert (await typed(town, WEST, "round", "run", short, "--full"))["edges"][0]["delta"] == 0


def test_a_check_needs_one_record(town):
    held = town.sign_agreement(town.agreement(WEST, NORTH, standing=Standing(30, 6)))
    two = town.folder / "two.csv"
    two.write_text("surname\nOne\nTwo\n")
    for words, status in (
        ((), 2),
        (("--set", "surname"), 2),
        (("--record", str(two)), 1),
        (("--record", str(town.folder)), 2),
    ):
        command(town, NORTH, "check", held.id.hex(), *words, fails=status)


@pytest.mark.parametrize("facts", [[], ["contract_value"]])
async def test_the_people_of_a_company_are_checked_with_it(town, facts):
    """Read with a register, one bidder is a company and two people: three checks, of whom the police know one."""
    held = town.sign_agreement(town.agreement(WEST, NORTH, facts=facts, standing=Standing(30, 6)))
    _, forename, surname, born, *_ = people(1, first=7)[0]
    year, month, _ = born.split("-")
    lines = [
        {
            "company_number": "12345678",
            "data": {
                "kind": "individual-person-with-significant-control",
                "name": f"{name} {last}",
                "name_elements": {"forename": name, "surname": last},
                "date_of_birth": {"year": int(year), "month": int(month)},
                "address": {"postal_code": post},
                "natures_of_control": ["ownership-of-shares-75-to-100-percent"],
                "notified_on": "2020-01-01",
                "etag": name,
                "links": {"self": f"/company/12345678/persons-with-significant-control/individual/{name}"},
            },
        }
        for name, last, post in (
            (forename, surname, people(1, first=7)[0][4]),
            ("Zebedee", "Unknown", "ZZ1 1ZZ"),
        )
    ]
    register = town.folder / "psc.txt"
    register.write_text("".join(json.dumps(line) + "\n" for line in lines))
    async with running(town.nodes[NORTH]), running(town.nodes[WEST]) as serving:
        await typed(town, WEST, "round", "run", held.id.hex())
        sent = await typed(
            town,
            NORTH,
            "check",
            held.id.hex(),
            "--set=company_number=12345678",
            "--set=company_name=Bidder Ltd",
            "--set=contract_value=5",
            "--register",
            str(register),
        )
        assert len(sent["submitted"]) == 3
        await serving.inbound.checks.settle()
        received = await typed(town, WEST, "check", held.id.hex(), "--received")
    found = [lead for each in received["submitted"] for lead in each["leads"]]
    assert [lead["reference"] for lead in found] == ["P-00007"]
    if facts:
        assert found[0]["facts"][0]["contract_value"] == "5"
