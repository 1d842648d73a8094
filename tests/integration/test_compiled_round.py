"""Rounds whose keys are compiled from both sides' rates, between real nodes: what is found, kept, refused."""

import asyncio
import dataclasses
import json
import random
from contextlib import closing

import pytest
from tests.support.local_nodes import PASSPHRASE, LocalNodes
from typer.testing import CliRunner

from blindmatch.node.agreements import match_keys
from blindmatch.node.cli import app
from blindmatch.node.rounds import inputs
from blindmatch.node.rounds import leads as round_leads
from blindmatch.node.rounds.forecast import round_forecast
from blindmatch.node.rounds.inputs import compile_edge
from blindmatch.node.rounds.runner import run_round
from blindmatch.node.server import running
from blindmatch.node.storage.store import CLOSED, FAILED, EdgeRow
from blindmatch.node.transport import gate
from blindmatch.protocol.agreement import Linkage
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import Limits
from blindmatch.protocol.linkage import Rates, load_schema
from blindmatch.protocol.session.rates_statement import RatesStatement

SCHEMA = "uk-person-company-2"
SMALL = Limits(chunk_elements=512)
WEST, NORTH = "west-force", "north-council"
FORENAMES = (
    "Ada",
    "Brian",
    "Chloe",
    "Dev",
    "Esther",
    "Farid",
    "Grace",
    "Hamish",
    "Ines",
    "Jonah",
    "Keira",
    "Liam",
)
EXPECTED = {f"P-{index:05d}" for index in range(20, 40)}


def invented(first, count):
    """Suppliers whose values are as independent as the model takes them to be, the same for the same numbers."""
    for number in range(first, first + count):
        dice = random.Random(number)
        surname = "".join(dice.choice("bdfgklmnprstvz") + dice.choice("aeiou") for _ in range(4)).title()
        born = f"{dice.randint(1940, 2000)}-{dice.randint(1, 12):02d}-{dice.randint(1, 28):02d}"
        postcode = f"{dice.choice('BGLMS')}{dice.randint(1, 40)} {dice.randint(1, 9)}{dice.choice('ABDEF')}G"
        company, value = f"{10_000_000 + number:08d}", f"{1_000 + number}"
        yield [f"S-{number:05d}", dice.choice(FORENAMES), surname, born, postcode, company, value]


def lists_with_slips(folder, now):
    """As elsewhere, 20 of 40 subjects are suppliers, but half of these are written with slips and gaps."""
    nodes = LocalNodes(folder, {WEST: "police", NORTH: "council"}, now, schema=SCHEMA)
    theirs = list(invented(20, 50))
    ours = [[f"P-{row[0][2:]}", *row[1:5], "P"] for row in invented(0, 40)]
    for number, row in enumerate(theirs):
        if number % 4 == 1:
            row[3] = row[3][:7]  # year and month of birth, as in the register
        elif number % 4 == 3:
            row[4] = ""
    nodes.import_rows(WEST, "groups", "subjects", ours)
    nodes.import_rows(NORTH, "suppliers", "suppliers", theirs, facts=["contract_value"])
    return nodes


@pytest.fixture
def town(node_templates, tmp_path):
    with closing(node_templates.copy(lists_with_slips, tmp_path)) as nodes:
        yield nodes


def agree(town, **linkage):
    agreement = town.agreement(WEST, NORTH, facts=["contract_value"], tokens=120)
    terms = Linkage(**{"overlap": 0.5, "false_leads": 0.005, **linkage})
    edges = tuple(dataclasses.replace(edge, linkage=terms) for edge in agreement.edges)
    return town.sign_agreement(dataclasses.replace(agreement, edges=edges))


async def test_a_round_finds_people_in_spite_of_slips_and_says_how_likely_each_is(town):
    held = agree(town)
    police, council = town.nodes[WEST], town.nodes[NORTH]
    async with running(council, limits=SMALL):
        outcome = await run_round(police, held.id, limits=SMALL)
    assert outcome.complete
    leads = round_leads.load(police, outcome.round_id)
    assert {lead.reference for lead in leads} == EXPECTED
    for lead in leads:
        assert {"contract_value": str(1_000 + int(lead.reference[2:]))} in lead.facts
        assert 0.5 < lead.posterior <= 1
        assert lead.keys[0].startswith("same ")
        assert len(lead.keys) <= 4
    (edge,) = outcome.edges
    assert edge.keys > 4
    assert edge.expected_true > 1 > edge.expected_false
    # Every record has the same number of elements.
    assert edge.receiver_elements % 40 == edge.sender_elements % 50 == 0
    assert edge.receiver_elements // 40 == edge.sender_elements // 50 == min(120, 2 * edge.keys)


async def test_both_sides_keep_the_same_rates_and_compile_the_same_keys_from_them(town):
    held = agree(town)
    police, council = town.nodes[WEST], town.nodes[NORTH]
    async with running(council, limits=SMALL):
        outcome = await run_round(police, held.id, limits=SMALL)
        again = await run_round(police, held.id, limits=SMALL)
    ours, theirs = (node.store.edge(outcome.round_id, outcome.edges[0].edge) for node in (police, council))
    assert (ours.receiver_rates, ours.sender_rates) == (theirs.receiver_rates, theirs.sender_rates)
    one, other = compile_edge(held.agreement, ours), compile_edge(held.agreement, theirs)
    assert one.context == other.context
    assert one.compiled.digest == other.compiled.digest
    # Another round says nothing new of the lists.
    later = police.store.edge(again.round_id, again.edges[0].edge)
    assert compile_edge(held.agreement, later).compiled.digest == one.compiled.digest
    assert later.sender_rates != ours.sender_rates
    assert len(ours.sender_rates.payload) < 1_000


async def test_lists_for_which_no_key_is_specific_enough_end_the_round_before_it_begins(town, monkeypatch):
    """The receiver says what would help; neither side has sent anything but its rates; no round is used up."""
    police, council = town.nodes[WEST], town.nodes[NORTH]
    police.store.delete_collection(police.store.collections()[0].id)
    town.import_rows(
        WEST, "known-by-month", "subjects", [[*row[:3], row[3][:7], "", "P"] for row in invented(0, 40)]
    )
    held = agree(town, overlap=0.000001, false_leads=0.000001)
    # The schema's listed keys (company numbers and the like) are always specific enough: leave them out.
    monkeypatch.setattr("blindmatch.protocol.linkage.compile._listed", lambda *_: ())
    async with running(council, limits=SMALL):
        outcome = await run_round(police, held.id, limits=SMALL)
    (edge,) = outcome.edges
    assert (edge.state, edge.code) == (FAILED, "agreement")
    assert "no key is specific enough" in edge.reason
    assert "postcode district" in edge.hint
    for node in (police, council):
        row = node.store.edge(outcome.round_id, edge.edge)
        assert (row.state, row.seed, row.snapshot) == (FAILED, b"", b"")
        assert node.store.rounds_used(held.id, edge.edge) == 0


async def test_rates_that_no_honest_list_could_have_are_refused(town, monkeypatch):
    """A side that claims that hardly two people share a name would get keys that are far too loose."""
    held = agree(town)
    police, council = town.nodes[WEST], town.nodes[NORTH]
    right = RatesStatement.sign

    def lying(self, signer, context):
        rates = Rates.decode(self.rates, load_schema(SCHEMA))
        rarest = tuple((255,) * len(codes) for codes in rates.alone)
        return right(
            dataclasses.replace(self, rates=dataclasses.replace(rates, alone=rarest).encode()),
            signer,
            context,
        )

    async with running(council, limits=SMALL):
        with monkeypatch.context() as patch:
            patch.setattr(RatesStatement, "sign", lying)
            outcome = await run_round(police, held.id, limits=SMALL)
        (edge,) = outcome.edges
        assert (edge.state, edge.code) == (FAILED, "bad-message")
        assert "honest" in edge.reason
        assert council.store.edges(outcome.round_id) == []
        assert (await run_round(police, held.id, limits=SMALL)).edges[0].state == CLOSED


async def test_a_round_cut_off_compiles_the_same_keys_again_from_what_both_kept(town, monkeypatch):
    """Nothing is measured a second time: a collection's rates might have changed with the program meanwhile."""
    held = agree(town)
    police, council = town.nodes[WEST], town.nodes[NORTH]
    monkeypatch.setattr(
        "blindmatch.node.rounds.receiver.IN_FLIGHT", 1
    )  # else all is answered before the server stops
    stopping = []
    async with running(council, limits=SMALL, grace=0) as server:

        def watch(_edge, step, done, _total):
            if (step, done) == ("exchange", 2):
                stopping.append(asyncio.get_running_loop().create_task(server.stop()))

        outcome = await run_round(police, held.id, limits=SMALL, progress=watch)
        await stopping[0]
    (edge,) = outcome.edges
    assert (edge.state, edge.code) == ("exchanging", "unavailable")
    inputs._compile_once.cache_clear()
    match_keys._compile.cache_clear()
    monkeypatch.setattr(match_keys, "measure", None)
    async with running(council, limits=SMALL):
        again = await run_round(police, held.id, resume_round=outcome.round_id, limits=SMALL)
    assert again.complete
    assert {lead.reference for lead in round_leads.load(police, outcome.round_id)} == EXPECTED


async def test_a_receiver_that_fell_before_the_answer_asks_again_with_the_same_rates(town):
    """The sender began the edge; the receiver never heard: both go on with the statements that they kept."""
    held = agree(town)
    police, council = town.nodes[WEST], town.nodes[NORTH]
    with pytest.MonkeyPatch.context() as patch:

        async def lost(self, message):
            raise PeerError(PeerCode.UNAVAILABLE, "the line is cut")

        patch.setattr(gate._Call, "_send", lost)
        async with running(council, limits=SMALL):
            outcome = await run_round(police, held.id, limits=SMALL)
    (edge,) = outcome.edges
    assert (edge.state, edge.code) == ("preparing", "unavailable")
    begun = council.store.edge(outcome.round_id, edge.edge)
    assert begun.sender_rates is not None
    assert police.store.edge(outcome.round_id, edge.edge).sender_rates is None
    async with running(council, limits=SMALL):
        again = await run_round(police, held.id, resume_round=outcome.round_id, limits=SMALL)
    assert again.complete
    assert police.store.edge(outcome.round_id, edge.edge).sender_rates == begun.sender_rates
    assert police.store.rounds_used(held.id, edge.edge) == council.store.rounds_used(held.id, edge.edge) == 1


def command(town, agency, *words):
    secret = town.folder / "secret.txt"
    secret.write_text(PASSPHRASE + "\n")
    given = [*words, "--home", str(town.nodes[agency].home), "--passphrase-file", str(secret), "--json"]
    done = CliRunner().invoke(app, ["round", *given])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


async def test_results_and_receipts_say_what_was_expected_and_for_which_missing_fields(town):
    """Both sides read the same from the two signed statements, whatever was found."""
    held = agree(town)
    police, council = town.nodes[WEST], town.nodes[NORTH]
    async with running(council, limits=SMALL):
        outcome = await run_round(police, held.id, limits=SMALL)
    (edge,) = outcome.edges
    (ours,) = await asyncio.to_thread(command, town, WEST, "receipts")
    (theirs,) = await asyncio.to_thread(command, town, NORTH, "receipts")
    assert ours["keys"] == theirs["keys"] == edge.keys
    assert ours["lacking"] == theirs["lacking"]
    lacking = {(item["role"], item["field"]): item for item in ours["lacking"]}
    # A quarter of the council's people have no postcode.
    assert lacking["sender", "postcode"]["share"] == pytest.approx(0.25, abs=0.04)
    assert lacking["sender", "postcode"]["keys"] >= 1
    shown = await asyncio.to_thread(command, town, WEST, "results")
    assert shown["edges"][0]["expected_false"] == pytest.approx(edge.expected_false, abs=0.01)
    assert shown["edges"][0]["keys"] == edge.keys
    for lead in shown["leads"]:
        if lead["lacking"]:
            assert all("; no " in words for words in lead["keys"])


def test_nothing_was_expected_of_an_edge_without_rates(town):
    held = agree(town)
    police = town.nodes[WEST]
    row = EdgeRow(bytes(16), held.agreement.edges[0].id, held.id, "receiver", NORTH, "c", "opening", 0)
    police.store.start_edge(row, bytes(32))
    assert round_forecast(police, row) is None
