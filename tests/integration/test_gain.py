"""Requests among five agencies at small scale: hits right, nothing learned beyond what is declared, violations caught."""

import json
import shutil
from contextlib import closing
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from blindmatch.node import cli
from blindmatch.node.node import Node
from blindmatch.node.pki import tls
from blindmatch.node.rounds.leads import ResultLead
from blindmatch.simulations import run as running
from blindmatch.simulations.audit.area_audit import audit_area
from blindmatch.simulations.report import summarise
from blindmatch.simulations.run import Options, run
from blindmatch.simulations.scenario.scenario import load_scenario

assert tls.CIPHERS_BELOW_TLS13

SEED, SCALE = 3, 0.12


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """The run, and what it was judged by."""
    folder, kept = tmp_path_factory.mktemp("gain"), []

    def watched(setup, exchange):
        kept.append((setup, exchange))
        return audit_area(setup, exchange)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running, "audit_area", watched)
        outcome = run(
            load_scenario("gain"), Options(folder / "out", SEED, SCALE, record_wire=folder / "wire")
        )
    return outcome, *kept[0]


@pytest.fixture(scope="module")
def gain(seen):
    return seen[0]


def test_three_agencies_ask_in_turn_and_all_others_answer(gain):
    (area,) = gain.areas
    asked = [(c.receiver, c.sender) for c in area.comparisons]
    assert list(dict.fromkeys(receiver for receiver, _ in asked)) == [
        "west-mercia-police",
        "hmrc",
        "environment-agency",
    ]
    assert asked.count(("hmrc", "environment-agency")) == 2  # offenders, and licensees
    assert area.receipts == len(asked) == 14


def test_hits_are_right(gain):
    assert sum(len(c.true) for c in gain.comparisons) >= 5
    for comparison in gain.comparisons:
        assert comparison.receiver_records <= 12
        assert len(comparison.false) <= 1


def test_nobody_learned_more_than_is_declared(gain):
    assert gain.violations == ()
    (area,) = gain.areas
    assert area.verdict.nodes == 5
    learned = {finding.role: set() for finding in area.verdict.findings}
    for finding in area.verdict.findings:
        learned[finding.role].add(finding.learned)
    assert learned["sender"] == {"nothing about matches"}
    assert any("of its own record" in words for words in learned["receiver"])


def test_each_node_a_process_finds_the_same(tmp_path, forked_nodes):
    scenario = load_scenario("gain")
    (area,) = scenario.areas
    (exchange,) = area.exchanges
    few = ("hmrc", "dwp")
    group = exchange.groups[0].model_copy(update={"receivers": ("hmrc",), "senders": few})
    smaller = {
        "agencies": tuple(agency for agency in area.agencies if agency.id in (*few, "west-mercia-police")),
        "exchanges": (exchange.model_copy(update={"groups": (group,)}),),
        "steps": (),
    }
    scenario = scenario.model_copy(update={"areas": (area.model_copy(update=smaller),)})
    made = [
        run(scenario, Options(tmp_path / f"out-{processes}", SEED, SCALE, processes=processes))
        for processes in (False, True)
    ]
    assert len({summarise(outcome)["result_sha256"] for outcome in made}) == 1
    assert [outcome.violations for outcome in made] == [(), ()]


def leak_a_lead(node, setup, exchange):
    """What a sender's node would hold if its agency had been told which record matched."""
    result = next(each for each in exchange.edges if each.edge.sender.agency == node.agency)
    row = node.store.edge(bytes.fromhex(result.round_id), result.edge.id)
    own = next(iter(setup.area_data.links[result.edge.sender.list].records))
    lead = ResultLead(own, row.peer, row.edge, ("name",), ("name",), 20.0)
    node.store.put_leads(row.round_id, row.edge, [lead.to_json()], 2**40)


def leave_a_file(node, _setup, _exchange):
    folder = node.rounds_dir / "ab" / "edge"
    folder.mkdir(parents=True)
    (folder / "tags").write_bytes(bytes(16))


def log_a_reference(node, setup, _exchange):
    reference = next(iter(setup.area_data.subjects.values()))[0].reference
    (node.home / "serve.log").write_text(f"level=info lead={reference}\n")


def lose_a_lead(_node, setup, exchange):
    """What a receiver would hold if its node had dropped a result."""
    result = next(each for each in exchange.edges if each.leads)
    with closing(Node.open(setup.site(result.edge.receiver.agency).home, setup.passphrase)) as receiver:
        receiver.store.put_leads(bytes.fromhex(result.round_id), result.edge.id, [], 2**40)


INJECTIONS = [
    (leak_a_lead, "holds 1 leads"),
    (leave_a_file, "not erased: file rounds/ab/edge/tags"),
    (log_a_reference, "in plaintext: dwp/serve.log"),
    (lose_a_lead, "leads are missing that the files in plaintext give"),
]


@pytest.mark.parametrize(("inject", "words"), INJECTIONS)
def test_each_violation_in_a_real_node_is_caught(seen, tmp_path, inject, words):
    _, setup, exchange = seen
    sites = []
    for site in setup.sites:
        shutil.copytree(site.home, tmp_path / site.agency)
        sites.append(replace(site, home=tmp_path / site.agency))
    setup = replace(setup, sites=tuple(sites))
    assert audit_area(setup, exchange).violations == ()
    with closing(Node.open(setup.site("dwp").home, setup.passphrase)) as node:
        inject(node, setup, exchange)
    (violation,) = audit_area(setup, exchange).violations
    assert words in violation.what


def test_a_violation_ends_the_command_with_status_1(tmp_path, monkeypatch):
    def injected(setup, exchange):
        agency = exchange.edges[0].edge.sender.agency
        with closing(Node.open(setup.site(agency).home, setup.passphrase)) as node:
            leak_a_lead(node, setup, exchange)
        return audit_area(setup, exchange)

    monkeypatch.setattr(running, "audit_area", injected)
    out = tmp_path / "out"
    words = ["simulate", "pilot", "--areas", "1", "--scale", "0.05", "--seed", "3", "--out", str(out)]
    result = CliRunner().invoke(cli.app, words)
    assert result.exit_code == 1
    assert "violation: ashmoor-city-council" in result.stderr
    (violation,) = json.loads((out / "summary.json").read_text())["declarations"]["violations"]
    assert "holds 1 leads" in violation["what"]
    assert "Declarations are violated" in (out / "report.html").read_text()
