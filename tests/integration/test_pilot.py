"""The pilot end to end at small scale: real nodes, servers, mutual TLS, importers; leads against the known truth."""

import json
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from blindmatch.node import cli
from blindmatch.node.node import Node
from blindmatch.node.pki import tls
from blindmatch.node.storage.audit_log import HEAD_NAME, read_head, verify_log
from blindmatch.node.storage.store import CLOSED
from blindmatch.protocol.errors import ConfigError
from blindmatch.simulations.audit.lead_scores import by_kind
from blindmatch.simulations.drivers.deploy import MARKER_NAME, prepare_folder
from blindmatch.simulations.drivers.traffic import ROUND_SERVICES
from blindmatch.simulations.report import summarise, write_page
from blindmatch.simulations.run import Options, run
from blindmatch.simulations.scenario.exchanges import Step
from blindmatch.simulations.scenario.scenario import load_scenario, scenario_names
from blindmatch.simulations.world.area import build_area

assert tls.CIPHERS_BELOW_TLS13

SEED = 11
SCALE = 0.12
SURE = ("clean", "alias", "old-postcode", "missing-postcode", "service-address")
"""Mistakes that leave forename, surname, year and month of birth alone, or a company number."""


class Pilot:
    def __init__(self, folder: Path, areas: int = 2, *, processes: bool = False) -> None:
        self.out, self.wire = folder / "out", folder / "wire"
        self.scenario = load_scenario("pilot").first(areas)
        self.shown: list[str] = []
        options = Options(self.out, SEED, SCALE, processes, self.wire)
        self.outcome = run(self.scenario, options, finished=lambda area: self.shown.append(area.id))
        self.worlds = {
            area.id: build_area(self.scenario, area, seed=SEED, scale=SCALE) for area in self.scenario.areas
        }

    def node(self, area: str, agency: str) -> Node:
        return Node.open(self.out / area / agency, (self.out / "passphrase.txt").read_text().strip())

    def index(self, area: str, agency: str) -> list[dict]:
        entries = []
        for path in sorted((self.wire / area / agency).rglob("index.jsonl")):
            entries += [json.loads(line) | {"folder": path.parent} for line in path.read_text().splitlines()]
        return entries

    def messages(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in self.wire.rglob("*.bin")}


@pytest.fixture(scope="module")
def pilot(tmp_path_factory):
    return Pilot(tmp_path_factory.mktemp("pilot"))


@pytest.fixture(scope="module")
def again(tmp_path_factory):
    return Pilot(tmp_path_factory.mktemp("again"))


@pytest.fixture(scope="module")
def apart(tmp_path_factory, forked_nodes):
    return Pilot(tmp_path_factory.mktemp("apart"), 1, processes=True)


def test_every_edge_closes_with_a_receipt_that_both_signed(pilot):
    assert [len(area.comparisons) for area in pilot.outcome.areas] == [2, 2]
    assert [area.receipts for area in pilot.outcome.areas] == [2, 2]
    assert pilot.shown == ["ashmoor", "brackenfell"]


def test_leads_are_right(pilot):
    found = sum(len(c.true) for c in pilot.outcome.comparisons)
    assert found >= 5
    # Lists so short as these give loose keys, and a town so small has few postcodes.
    false = [lead for c in pilot.outcome.comparisons for lead in c.false.values()]
    assert len(false) <= 1
    assert all(lead.posterior < 0.9 for lead in false)
    assert all(c.expected_true > c.expected_false > 0 for c in pilot.outcome.comparisons)
    for kind, (seen, of) in by_kind(pilot.outcome.comparisons).items():
        if kind in SURE:
            assert seen == of, kind


def test_facts_are_those_of_the_true_suppliers_and_only_where_agreed(pilot):
    released = 0
    for area in pilot.outcome.areas:
        area_data = pilot.worlds[area.id]
        for comparison in area.comparisons:
            rows = {row.reference: row for row in area_data.suppliers[comparison.sender]}
            truth = area_data.truth(comparison.receiver, comparison.sender)
            for lead in comparison.true.values():
                if comparison.disclosure == "hits":
                    assert lead.facts == ()
                    continue
                wanted = {
                    rows[pair.sender].contract_reference for pair in truth if pair.receiver == lead.subject
                }
                got = {facts["contract_reference"] for facts in lead.facts}
                assert got
                assert got <= wanted
                assert all(set(facts) == {"contract_reference", "contract_value"} for facts in lead.facts)
                released += len(got)
    assert released > 0


def test_withheld_subjects_enter_no_round(pilot):
    withheld = {
        subject.reference
        for area_data in pilot.worlds.values()
        for subjects in area_data.subjects.values()
        for subject in subjects
        if subject.handling_code == "C"
    }
    assert withheld
    for comparison in pilot.outcome.comparisons:
        assert not withheld & {*comparison.true, *comparison.false}


def test_councils_keep_a_receipt_and_no_lead(pilot):
    for area in pilot.outcome.areas:
        for comparison in area.comparisons:
            with pilot.node(area.id, comparison.sender) as node:
                (row,) = node.store.edges()
                assert (row.role, row.state) == ("sender", CLOSED)
                assert node.store.leads(row.round_id) == []
                assert len(row.signatures) == 2


def test_audit_logs_are_whole(pilot):
    for area in pilot.outcome.areas:
        for agency in (area.comparisons[0].receiver, *(c.sender for c in area.comparisons)):
            with pilot.node(area.id, agency) as node:
                rows, head = list(node.store.audit_rows()), read_head(node.home / HEAD_NAME)
                assert len(rows) > 3
                assert head is not None
                key = node.keys.identity_public
                assert list(verify_log(rows, agency=agency, public_key=key, heads=[head])) == []


def test_nothing_of_a_record_is_in_any_message(pilot):
    messages = pilot.messages()
    assert len(messages) > 50
    everything = b"\n".join(messages.values())
    for area_data in pilot.worlds.values():
        (subjects,) = area_data.subjects.values()
        values = [subject.reference for subject in subjects]
        values += [f"{subject.forenames} {subject.surname}" for subject in subjects]
        values += [subject.date_of_birth for subject in subjects if len(subject.date_of_birth) == 10]
        values += [code for subject in subjects for code in subject.postcodes]
        values += [company.number for company in area_data.companies]
        values += [
            control.surname
            for company in area_data.companies
            for control in company.controls
            if len(control.surname) > 7
        ]
        for suppliers in area_data.suppliers.values():
            values += [supplier.contract_reference for supplier in suppliers]
            values += [supplier.reference for supplier in suppliers]
        for value in dict.fromkeys(values):
            assert value.encode() not in everything, value


def test_the_recording_is_complete(pilot):
    for area in pilot.outcome.areas:
        police = area.comparisons[0].receiver
        own = pilot.index(area.id, police)
        for comparison in area.comparisons:
            theirs = pilot.index(area.id, comparison.sender)
            for here, there in (("sent", "received"), ("received", "sent")):
                mine = Counter(
                    e["sha256"] for e in own if (e["peer"], e["direction"]) == (comparison.sender, here)
                )
                other = Counter(e["sha256"] for e in theirs if (e["peer"], e["direction"]) == (police, there))
                assert mine == other
            rounds = [
                e for e in own if e["peer"] == comparison.sender and e["method"].startswith(ROUND_SERVICES)
            ]
            assert sum(comparison.traffic.messages.values()) == len(rounds) > 6
            for direction in ("sent", "received"):
                size = sum(e["bytes"] for e in rounds if e["direction"] == direction)
                assert comparison.traffic.total(direction) == size


def test_same_seed_same_result_and_no_byte_of_the_wire_the_same(pilot, again):
    one, two = summarise(pilot.outcome), summarise(again.outcome)
    assert one["result"] == two["result"]
    assert one["result_sha256"] == two["result_sha256"]
    secret = ("BlindedChunk", "EvaluatedChunk", "TagChunk")

    def digests(run: Pilot) -> set[str]:
        return {
            entry["sha256"]
            for area in run.outcome.areas
            for entry in run.index(area.id, area.comparisons[0].receiver)
            if entry["type"].endswith(secret)
        }

    assert digests(pilot)
    assert not digests(pilot) & digests(again)


def test_input_files_are_the_same_byte_for_byte(pilot, again):
    names = sorted(path.relative_to(pilot.out) for path in pilot.out.glob("*/input/*"))
    assert len(names) == 9  # two areas: police, register and two councils each, one mapping
    for name in names:
        assert (pilot.out / name).read_bytes() == (again.out / name).read_bytes()


def test_separate_processes_give_the_same_result(pilot, apart):
    (area,) = summarise(apart.outcome)["result"]["areas"]
    assert area == summarise(pilot.outcome)["result"]["areas"][0]
    assert all(c.traffic.total("sent") > 0 for c in apart.outcome.comparisons)
    assert apart.index("ashmoor", "ashmoor-city-council")


def test_every_node_holds_what_is_declared_and_no_more(pilot, apart):
    for outcome, nodes in ((pilot.outcome, 6), (apart.outcome, 3)):
        assert outcome.violations == ()
        assert sum(area.verdict.nodes for area in outcome.areas) == nodes
        for area in outcome.areas:
            assert [finding.role for finding in area.verdict.findings] == [
                "receiver",
                "receiver",
                "sender",
                "sender",
            ]


def test_the_report_tells_what_happened(pilot, tmp_path):
    write_page(tmp_path / "report.html", pilot.outcome)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    for comparison in pilot.outcome.comparisons:
        assert comparison.sender in text
    assert "all seven areas" in text.lower()
    assert "Declarations are violated" not in text


@pytest.mark.parametrize("processes", [False, True])
def test_a_list_that_changes_between_two_rounds(tmp_path, forked_nodes, processes):
    """The council's file is imported anew: the second round is right by the new file, and nothing else is left."""
    police, council = "ashmoor-police", "upper-ashmoor-council"
    scenario = load_scenario("pilot")
    area = scenario.areas[0]
    (exchange,) = area.exchanges
    group = exchange.groups[0].model_copy(update={"senders": (council,)})
    steps = (
        Step(do="run", agency=police),
        Step(do="change", agency=council, records=300),
        Step(do="run", agency=police),
    )
    changes = {
        "agencies": tuple(agency for agency in area.agencies if agency.id in {police, council}),
        "exchanges": (exchange.model_copy(update={"groups": (group,)}),),
        "steps": steps,
    }
    scenario = scenario.model_copy(update={"areas": (area.model_copy(update=changes),)})
    outcome = run(scenario, Options(tmp_path / "out", SEED, SCALE, processes))
    assert outcome.violations == ()
    before, after = outcome.comparisons
    area_data = build_area(scenario, scenario.areas[0], seed=SEED, scale=SCALE)
    for comparison, then in ((before, area_data), (after, area_data.changed(council))):
        assert comparison.sender_records > 0
        wanted = {pair.receiver for pair in then.truth(police, council)}
        assert set(comparison.true) <= wanted
    assert set(before.true) != set(after.true)


def test_a_folder_that_no_simulation_made_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(ConfigError, match="not empty"):
        prepare_folder(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "keep me"


def test_a_folder_of_a_simulation_is_emptied(tmp_path):
    prepare_folder(tmp_path / "out")
    (tmp_path / "out" / "area" / "input").mkdir(parents=True)
    (tmp_path / "out" / "area" / "input" / "old.csv").write_text("old")
    prepare_folder(tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [MARKER_NAME, "passphrase.txt"]
    assert (tmp_path / "out" / "passphrase.txt").stat().st_mode & 0o777 == 0o600


def test_two_recordings_do_not_mix(tmp_path):
    (tmp_path / "wire").mkdir()
    (tmp_path / "wire" / "index.jsonl").write_text("{}\n")
    options = Options(tmp_path / "out", SEED, SCALE, record_wire=tmp_path / "wire")
    with pytest.raises(ConfigError, match="not empty"):
        run(load_scenario("pilot").first(1), options)


def test_one_database_for_all_nodes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("BLINDMATCH_DATABASE_URL", "postgresql://localhost/x")
    with pytest.raises(ConfigError, match="BLINDMATCH_DATABASE_URL"):
        run(load_scenario("pilot").first(1), Options(tmp_path / "out", SEED, SCALE))


class TestCommand:
    def test_list(self):
        result = CliRunner().invoke(cli.app, ["simulate", "--list", "--json"])
        assert result.exit_code == 0, result.output
        listed = {each["name"]: each for each in json.loads(result.stdout)}
        assert set(listed) == set(scenario_names())
        assert listed["pilot"] == {
            "name": "pilot",
            "areas": 7,
            "agencies": 22,
            "title": load_scenario("pilot").title,
        }

    def test_run(self, tmp_path, monkeypatch):
        monkeypatch.setenv("COLUMNS", "80")
        out = tmp_path / "out"
        words = ["simulate", "pilot", "--areas", "1", "--scale", "0.05", "--seed", "3", "--out", str(out)]
        result = CliRunner().invoke(cli.app, words)
        assert result.exit_code == 0, result.output
        for word in ("Ashmoor", "ashmoor-city-council", "precision", "recall", str(out / "report.html")):
            assert word in result.stdout
        assert all(len(line) <= 80 for line in result.stdout.splitlines() if "report" not in line)
        assert "invented" in result.stderr
        assert json.loads((out / "summary.json").read_text())["result"]["totals"]["comparisons"] == 2
        assert "<html" in (out / "report.html").read_text()

    @pytest.mark.parametrize(
        ("words", "status"),
        [(["nowhere"], 1), ([], 2), (["pilot", "--areas", "8"], 1), (["pilot", "--scale", "0"], 2)],
    )
    def test_wrong_words(self, words, status, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert CliRunner().invoke(cli.app, ["simulate", *words]).exit_code == status
        assert list(tmp_path.iterdir()) == []
