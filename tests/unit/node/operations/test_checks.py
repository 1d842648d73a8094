"""Operations on single checks: what each side learns, the audit entries, and the errors."""

import json

import pytest
from tests.support.local_nodes import people

from blindmatch.node.operations import checks, epochs, rounds
from blindmatch.node.server import running
from blindmatch.protocol.agreement import Disclosure, Standing
from blindmatch.protocol.errors import ConfigError, InputError, LocalError, StoreError

WEST, NORTH = "west-force", "north-council"
EDGE = f"{WEST}-from-{NORTH}"


def fields(number):
    """The fields of an invented person; 8 to 11 are on both lists."""
    person = people(1, first=number)[0]
    return dict(zip(("forenames", "surname", "date_of_birth"), person[1:4], strict=True))


@pytest.fixture
async def standing(town):
    """A standing agreement with an open epoch; both nodes serve. Yields its id and the receiver's server."""
    stored = town.sign_agreement(town.agreement(WEST, NORTH, standing=Standing(30, 6)))
    async with running(town.nodes[NORTH]), running(town.nodes[WEST]) as serving:
        assert (await rounds.start(town.nodes[WEST], stored.id.hex())).complete
        yield stored.id.hex(), serving


async def test_a_sender_submits_and_the_receiver_reads_what_matched(town, standing, entries):
    agreement, serving = standing
    before = len(entries(NORTH)), len(entries(WEST))
    submitted = [await checks.check(town.nodes[NORTH], agreement[:10], fields(number)) for number in (2, 30)]
    assert all(isinstance(each, checks.SubmittedRecord) for each in submitted)
    assert [each.edge for each in submitted] == [EDGE, EDGE]
    assert [list(each.data()) for each in submitted] == [["agreement", "edge", "submitted"]] * 2
    disclosures = [entry for entry in entries(NORTH)[before[0] :] if entry[0] == "disclosure"]
    assert [(recipient, detail["action"]) for _, _, recipient, _, detail in disclosures] == [
        (WEST, "submitted")
    ] * 2
    await serving.inbound.checks.settle()
    received = checks.received(town.nodes[WEST], agreement)
    (matched,) = received.checks
    assert (matched.check,) == submitted[0].checks
    assert [lead.reference for lead in matched.leads] == ["P-00002"]
    assert received.data()["submitted"][0]["check"] == matched.check.hex()
    json.dumps(received.data())
    event, subject, recipient, _, detail = entries(WEST)[-1]
    assert (event, recipient, detail) == ("consultation", WEST, {"leads": 1})
    assert subject == f"checks under agreement {agreement}"


@pytest.mark.parametrize(("number", "hits"), [(12, 1), (40, 0)])
async def test_a_receiver_queries_and_learns_whether_the_sender_holds_it(
    town, standing, entries, number, hits
):
    agreement, _ = standing
    before = len(entries(WEST))
    result = await checks.check(town.nodes[WEST], agreement, fields(number), edge=EDGE)
    assert isinstance(result, checks.QueriedRecord)
    assert (result.records, len(result.leads)) == (1, hits)
    data = result.data()
    assert (data["asked"], data["hit"]) == (1, bool(hits))
    assert all("new" not in lead for lead in data["leads"])
    ((event, _, recipient, _, detail),) = entries(WEST)[before:]
    assert (event, recipient, detail["action"]) == ("combination", WEST, "asked")


async def test_a_check_needs_a_record_and_an_open_epoch(town, standing, entries, tmp_path):
    agreement, _ = standing
    north = town.nodes[NORTH]
    before = len(entries(NORTH))
    with pytest.raises(InputError, match="no field"):
        await checks.check(north, agreement, {})
    with pytest.raises(StoreError):
        await checks.check(north, "abcdef", fields(1))
    (tmp_path / "two.csv").write_text("surname\nOne\nTwo\n", encoding="utf-8")
    with pytest.raises(InputError, match="2 records"):
        checks.read_record(tmp_path / "two.csv")
    assert entries(NORTH)[before:] == []
    assert epochs.end(north, agreement=agreement[:8]).data() == {"agency": NORTH, "epochs_ended": 1}
    event, _, _, _, detail = entries(NORTH)[-1]
    assert (event, detail["action"], detail["agreement"]) == ("erasure", "epoch ended", agreement)
    assert epochs.end(north).epochs == 0
    with pytest.raises(LocalError, match="no epoch is open"):
        await checks.check(north, agreement, fields(1))


async def test_a_count_allows_no_check_of_a_record(town):
    stored = town.sign_agreement(town.agreement(WEST, NORTH, disclosure=Disclosure.COUNT))
    with pytest.raises(ConfigError, match="0 edges that disclose hits"):
        await checks.check(town.nodes[NORTH], stored.id.hex(), fields(1))
