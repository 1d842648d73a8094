"""Operations on rounds: typed results, the audit entries that they write, and the errors that they raise."""

import json

import pytest

from blindmatch.node.operations import rounds
from blindmatch.node.operations.choices import ExportFormat
from blindmatch.node.server import running
from blindmatch.protocol.errors import ConfigError, InputError, LocalError, StoreError

WEST, NORTH = "west-force", "north-council"
EDGE = f"{WEST}-from-{NORTH}"


@pytest.fixture
async def finished(town):
    """The outcome of a round that found 4 leads."""
    stored = town.sign_agreement(town.agreement(WEST, NORTH, facts=["contract_value"]))
    async with running(town.nodes[NORTH]):
        return await rounds.start(town.nodes[WEST], stored.id.hex()[:10])


async def test_a_round_reports_its_steps_and_its_outcome(town):
    stored = town.sign_agreement(town.agreement(WEST, NORTH))
    steps = []
    async with running(town.nodes[NORTH]):
        outcome = await rounds.start(
            town.nodes[WEST],
            stored.id.hex(),
            edges=[EDGE],
            progress=lambda edge, step, done, total: steps.append((edge, step, done, total)),
        )
    assert (outcome.complete, outcome.leads, outcome.agreement_id) == (True, 4, stored.id)
    assert {edge for edge, *_ in steps} == {EDGE}
    assert steps[-1][1] == "close"
    assert outcome.data()["edges"][0]["edge"] == EDGE
    assert json.loads(json.dumps(outcome.data())) == outcome.data()


async def test_an_unfinished_round_is_resumed_abandoned_or_joined_by_another(town, entries):
    stored = town.sign_agreement(town.agreement(WEST, NORTH))
    west, waits = town.nodes[WEST], []
    first = await rounds.start(west, stored.id.hex(), waiting=lambda *wait: waits.append(wait))
    assert (first.complete, first.resumable, first.edges[0].waiting) == (False, True, True)
    assert {(edge, peer) for edge, peer, _ in waits} <= {(EDGE, NORTH)}
    with pytest.raises(LocalError, match="unfinished") as refusal:
        await rounds.start(west, stored.id.hex())
    assert first.round_id.hex()[: rounds.SHORT_ID] in refusal.value.hint
    again = await rounds.resume(west, first.round_id.hex()[:8])
    assert again.round_id == first.round_id
    assert rounds.abandon(west, first.round_id.hex()).data() == {
        "round": first.round_id.hex(),
        "edges_given_up": 1,
    }
    assert rounds.abandon(west, first.round_id.hex()).edges == 0
    second = await rounds.start(west, stored.id.hex())
    third = await rounds.start(west, stored.id.hex(), beside_unfinished=True)
    assert len({first.round_id, second.round_id, third.round_id}) == 3
    events = [(event, detail["action"]) for event, _, _, _, detail in entries(WEST) if "action" in detail]
    assert events.count(("combination", "opened")) == 3


async def test_status_shows_a_round_an_agreement_or_everything(town, finished):
    west = town.nodes[WEST]
    (by_round,) = rounds.status(west, round_id=finished.round_id.hex()[:6])
    (by_agreement,) = rounds.status(west, agreement=finished.agreement_id.hex()[:8])
    (everything,) = rounds.status(west)
    assert by_round == by_agreement == everything
    assert (by_round.state, by_round.role, by_round.peer, by_round.over) == (
        "closed",
        "receiver",
        NORTH,
        True,
    )
    assert by_round.epoch is None
    assert "epoch" not in by_round.data()
    assert (
        rounds.find(west) == rounds.find(west, finished.round_id.hex()[:6].upper()) == finished.round_id.hex()
    )


async def test_reading_results_is_a_consultation(town, finished, entries):
    before = len(entries(WEST))
    results = rounds.results(town.nodes[WEST], justification="case 12")
    assert {lead.reference for lead in results.leads} == {f"P-{number:05d}" for number in range(8, 12)}
    assert results.numbers == ()
    (edge,) = results.edges
    assert (edge.edge, edge.agency, edge.state, edge.role) == (EDGE, NORTH, "closed", "receiver")
    assert edge.forecast is not None
    assert results.fact_names == ["contract_value"]
    assert entries(WEST)[before:] == [
        ("consultation", f"round {finished.round_id.hex()}", WEST, "case 12", {"leads": 4})
    ]
    data = results.data()
    assert list(data) == ["round", "edges", "leads", "numbers"]
    assert list(data["edges"][0]) == ["edge", "agency", "state", "keys", "expected_true", "expected_false"]
    assert rounds.results(town.nodes[WEST], edge="another").leads == ()


@pytest.mark.parametrize("form", ExportFormat)
async def test_an_export_is_a_disclosure(town, finished, entries, form, tmp_path):
    before, out = len(entries(WEST)), tmp_path / "leads"
    written = rounds.export(town.nodes[WEST], out, form=form, recipient="detective team", justification="12")
    assert "P-00008" in out.read_text(encoding="utf-8")
    assert out.stat().st_mode & 0o077 == 0
    assert written.data() == {
        "round": finished.round_id.hex(),
        "leads": 4,
        "numbers": 0,
        "format": form.value,
        "file": str(out),
    }
    detail = {"action": "export", "format": form.value, "leads": 4}
    assert entries(WEST)[before:] == [
        ("disclosure", f"round {finished.round_id.hex()}", "detective team", "12", detail)
    ]


async def test_an_export_that_fails_is_in_the_audit_log(town, finished, entries, tmp_path):
    before = len(entries(WEST))
    with pytest.raises(InputError, match="cannot be written"):
        rounds.export(town.nodes[WEST], tmp_path / "no folder" / "leads.csv", form=ExportFormat.CSV)
    ((event, subject, recipient, _, _),) = entries(WEST)[before:]
    assert (event, recipient) == ("disclosure", "leads.csv")
    assert subject == f"round {finished.round_id.hex()}"


async def test_a_receipt_is_verified_again_on_both_sides(town, finished):
    receipts = [receipt for agency in (WEST, NORTH) for receipt in rounds.receipts(town.nodes[agency])]
    assert [receipt.valid for receipt in receipts] == [True, True]
    assert receipts[0].payload == receipts[1].payload
    assert receipts[0].verdicts == {WEST: "valid", NORTH: "valid"}
    assert receipts[0].data()["round"] == finished.round_id.hex()


async def test_reports_need_an_edge_that_reports(town, finished):
    with pytest.raises(LocalError, match="reports to"):
        await rounds.fetch_reports(town.nodes[WEST], finished.agreement_id.hex())


async def test_unknown_ids_are_errors(town):
    west = town.nodes[WEST]
    with pytest.raises(LocalError, match="taken part in no round"):
        rounds.results(west)
    with pytest.raises(StoreError):
        await rounds.start(west, "abcdef")
    stored = town.sign_agreement(town.agreement(WEST, NORTH))
    await rounds.start(west, stored.id.hex())
    for operation in (rounds.results, rounds.receipts, rounds.abandon, rounds.find):
        with pytest.raises(ConfigError, match="no round starts with zz"):
            operation(west, "zz")
    with pytest.raises(ConfigError, match="neither receives nor collects"):
        await rounds.start(west, stored.id.hex(), edges=["another"], beside_unfinished=True)


@pytest.mark.parametrize(
    ("name", "form"),
    [("a.csv", "csv"), ("a.b.JSON", "json"), ("a.ftm", "ftm"), ("a.txt", None), ("csv", None)],
)
def test_a_suffix_decides_the_format(tmp_path, name, form):
    assert ExportFormat.of_suffix(tmp_path / name) == form
