"""Counts and sums between real nodes: the right numbers, their terms, what is shown, exported, logged, and reported on."""

import asyncio
import csv
import dataclasses
import json

import pytest
from tests.support.local_nodes import PASSPHRASE, people
from typer.testing import CliRunner

from blindmatch.node.cli import app
from blindmatch.node.rounds import leads as round_leads
from blindmatch.node.rounds import retention
from blindmatch.node.rounds.aggregate import reporting
from blindmatch.node.rounds.aggregate import results as aggregate_results
from blindmatch.node.rounds.runner import run_round
from blindmatch.node.server import running
from blindmatch.protocol.agreement import Count, Disclosure, describe
from blindmatch.protocol.errors import LocalError, PeerError
from blindmatch.protocol.limits import Limits

WEST, NORTH, SOUTH = "west-force", "north-council", "south-council"
SMALL = Limits(chunk_elements=64)
SPENT = sum(range(1_020, 1_040))


def agreed(town, disclosure, *senders, report_to=(), members=(), **terms):
    """An agreement under which the police learn a number of each sender."""
    value = "contract_value" if disclosure is Disclosure.SUM else ""
    agreement = town.agreement(WEST, *(senders or (NORTH,)), disclosure=disclosure, value=value)
    edges = tuple(
        describe(
            dataclasses.replace(
                edge, terms=dataclasses.replace(edge.terms, report_to=tuple(report_to), **terms)
            ),
            town.schema,
        )
        for edge in agreement.edges
    )
    if report_to:
        from blindmatch.node.agreements import registry  # noqa: PLC0415 - only here

        more = tuple(registry.own_party(town.nodes[agency]) for agency in (*report_to, *members))
        agreement = dataclasses.replace(agreement, parties=(*agreement.parties, *more))
    return town.sign_agreement(dataclasses.replace(agreement, edges=edges))


async def run(town, held, *senders):
    """One round; what the police were told, by edge."""
    async with running(town.nodes[senders[0] if senders else NORTH], limits=SMALL):
        return await run_round(town.nodes[WEST], held.id, limits=SMALL)


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({}, "20"),
        ({"band": 10}, "between 20 and 29"),
        ({"minimum_count": 20}, "20"),
        ({"minimum_count": 21}, "withheld: fewer than 21"),
        ({"minimum_count": 12, "band": 50}, "between 12 and 49"),
    ],
)
async def test_a_count(town, terms, words):
    held = agreed(town, Disclosure.COUNT, **terms)
    outcome = await run(town, held)
    assert outcome.complete
    assert (outcome.edges[0].number, outcome.edges[0].leads) == (words, 0)
    (found,) = aggregate_results.load(town.nodes[WEST], outcome.round_id)
    assert (found.text, found.kind, found.sender) == (words, "subjects", NORTH)
    assert round_leads.load(town.nodes[WEST], outcome.round_id) == []
    assert aggregate_results.load(town.nodes[NORTH], outcome.round_id) == []


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({}, f"{SPENT:,} over an unknown number of suppliers"),
        ({"decimals": 2}, f"{SPENT:,}.00 over an unknown number of suppliers"),
        ({"band": 100}, f"{20 * 1_000:,} over an unknown number of suppliers"),
        ({"minimum_count": 21}, "withheld: fewer than 21"),
    ],
)
async def test_a_sum(town, terms, words):
    held = agreed(town, Disclosure.SUM, **terms)
    outcome = await run(town, held)
    assert outcome.complete
    assert outcome.edges[0].number == words


async def test_an_entry_counts_once_for_all_its_keys(town):
    """However many of its tokens agree, and with however many other entries it shares them."""
    rows = people(12, first=20)
    for row in rows:
        row[6] = "100"
    # Three more contracts of the first company, and another company of the second one's person.
    more = [[f"T-{n}", *rows[0][1:6], "1000"] for n in range(3)]
    more.append(["U-1", *rows[1][1:4], "LS1 4AP", "90000000", "50000"])
    town.import_rows(SOUTH, "more", "suppliers", [*rows, *more], facts=["contract_value"])
    held = agreed(town, Disclosure.SUM, SOUTH)
    outcome = await run(town, held, SOUTH)
    assert outcome.edges[0].number == "54,200 over an unknown number of suppliers"
    # Four contracts of one company agree in everything: for the minimum they are one supplier, not four.
    held = agreed(town, Disclosure.SUM, SOUTH, minimum_count=13)
    assert (await run(town, held, SOUTH)).edges[0].number == "54,200 over an unknown number of suppliers"
    held = agreed(town, Disclosure.SUM, SOUTH, minimum_count=14)
    assert (await run(town, held, SOUTH)).edges[0].number == "withheld: fewer than 14"


async def test_values_that_do_not_count_are_told_to_the_sender_alone(town):
    rows = people(20, first=20)
    for row, text in zip(rows, ("", "a lot", "-50", "£1,000.50"), strict=False):
        row[6] = text
    town.import_rows(SOUTH, "more", "suppliers", rows, facts=["contract_value"])
    held = agreed(town, Disclosure.SUM, SOUTH, decimals=2)
    outcome = await run(town, held, SOUTH)
    expected = 1_000.50 + sum(range(1_024, 1_040))
    assert outcome.edges[0].number == f"{expected:,.2f} over an unknown number of suppliers"
    told = [json.loads(row.detail) for row in town.nodes[SOUTH].store.audit_rows()]
    (valued,) = [detail for detail in told if detail.get("action") == "valued"]
    assert (valued["missing"], valued["unreadable"], valued["negative"]) == (1, 1, 1)
    assert valued["entries"] == 20
    assert not [row for row in town.nodes[WEST].store.audit_rows() if "valued" in row.detail]


@pytest.mark.parametrize("text", ["", "9" * 14])
async def test_what_cannot_be_added_up_stops_the_round_before_anything_is_sent(town, text):
    rows = people(20, first=20)
    for row in rows:
        row[6] = text
    town.import_rows(SOUTH, "more", "suppliers", rows, facts=["contract_value"])
    held = agreed(town, Disclosure.SUM, SOUTH)
    outcome = await run(town, held, SOUTH)
    assert (outcome.edges[0].state, outcome.edges[0].code) == ("failed", "refused")
    assert "no collection ready" in outcome.edges[0].reason
    assert town.nodes[SOUTH].store.edges() == []


async def test_a_number_is_a_disclosure_and_counts_against_the_budget(town):
    held = agreed(town, Disclosure.COUNT)
    held = town.sign_agreement(dataclasses.replace(held.agreement, rounds_budget=1))
    outcome = await run(town, held)
    assert outcome.complete
    for agency, event in ((WEST, "combination"), (NORTH, "disclosure")):
        rows = [row for row in town.nodes[agency].store.audit_rows() if row.event == event]
        details = [json.loads(row.detail) for row in rows]
        assert [detail["action"] for detail in details if detail["action"] in {"opened", "closed"}] == [
            "opened",
            "closed",
        ]
        assert "20" not in [str(value) for detail in details for value in detail.values()]
    async with running(town.nodes[NORTH], limits=SMALL):
        with pytest.raises(PeerError, match="1 rounds of the agreement are used"):
            await run_round(town.nodes[WEST], held.id, limits=SMALL)


async def test_the_senders_own_records_of_it_do_not_hold_the_number(town):
    """Not in its store, log or audit log: only the round's working files did, and these are gone."""
    held = agreed(town, Disclosure.COUNT, band=10)
    outcome = await run(town, held)
    council = town.nodes[NORTH]
    assert council.store.numbers() == []
    assert list(council.rounds_dir.iterdir()) == []
    assert outcome.edges[0].number == "between 20 and 29"
    ours, theirs = (
        n.store.edge(outcome.round_id, outcome.edges[0].edge) for n in (town.nodes[WEST], council)
    )
    assert ours.receipt == theirs.receipt
    assert b"outcome" not in ours.receipt


async def test_numbers_expire_with_the_agreements_retention(town):
    held = agreed(town, Disclosure.COUNT)
    outcome = await run(town, held)
    police = town.nodes[WEST]
    assert aggregate_results.load(police, outcome.round_id)
    later = town.now + held.agreement.retention_days * 86_400 + 86_400
    police.clock = lambda: later
    police.store.clock = police.clock
    retention.purge_expired(police)
    with police.store.read() as connection:
        from blindmatch.node.storage.store.tables import numbers as table  # noqa: PLC0415 - only here

        assert connection.execute(table.select()).all() == []
    assert any("counts and sums" in row.subject for row in police.store.audit_rows())


async def test_two_edges_of_different_kinds_in_one_round(town):
    """One sender lists hits, another tells a count: neither edge minds the other."""
    town.import_rows(SOUTH, "more", "suppliers", people(20, first=30), facts=["contract_value"])
    agreement = town.agreement(WEST, NORTH, SOUTH)
    north, south = agreement.edges
    south = dataclasses.replace(south, terms=Count())
    held = town.sign_agreement(dataclasses.replace(agreement, edges=(north, describe(south, town.schema))))
    async with running(town.nodes[NORTH], limits=SMALL), running(town.nodes[SOUTH], limits=SMALL):
        outcome = await run_round(town.nodes[WEST], held.id, limits=SMALL)
    assert [(edge.leads, edge.number) for edge in outcome.edges] == [(20, ""), (0, "10")]


# Reports.


async def test_a_result_is_reported_to_whom_the_agreement_names(town):
    for disclosure, words in (
        (Disclosure.COUNT, "20"),
        (Disclosure.SUM, f"{SPENT:,} over an unknown number of suppliers"),
    ):
        held = agreed(town, disclosure, report_to=(SOUTH,))
        outcome = await run(town, held)
        async with running(town.nodes[WEST], limits=SMALL):
            (fetched,) = await reporting.fetch(town.nodes[SOUTH], held.id)
            assert fetched.error is None
            again = await reporting.fetch(town.nodes[SOUTH], held.id)
        assert again[0].results == fetched.results
        (found,) = fetched.results
        assert (found.text, found.receiver, found.sender) == (words, WEST, NORTH)
        assert found == aggregate_results.load(town.nodes[WEST], outcome.round_id)[0]
        assert aggregate_results.load(town.nodes[SOUTH], outcome.round_id) == [found]
        for agency, action, recipient in ((WEST, "reported", SOUTH), (SOUTH, "report received", SOUTH)):
            rows = [
                row
                for row in town.nodes[agency].store.audit_rows()
                if row.event == "disclosure" and json.loads(row.detail).get("action") == action
            ]
            assert {row.recipient for row in rows} == {recipient}


async def test_what_was_withheld_is_reported_as_that(town):
    held = agreed(town, Disclosure.SUM, report_to=(SOUTH,), minimum_count=21)
    await run(town, held)
    async with running(town.nodes[WEST], limits=SMALL):
        (fetched,) = await reporting.fetch(town.nodes[SOUTH], held.id)
    assert [each.text for each in fetched.results] == ["withheld: fewer than 21"]


async def test_nobody_else_gets_a_report(town):
    held = agreed(town, Disclosure.COUNT, report_to=(SOUTH,))
    await run(town, held)
    with pytest.raises(LocalError, match="reports to"):
        await reporting.fetch(town.nodes[NORTH], held.id)
    # The sender is a party, and asks all the same.
    async with running(town.nodes[WEST], limits=SMALL), town.channel(NORTH, WEST) as channel:
        outcome = await _raw(channel, held.id)
    assert outcome == "wrong-agency"
    # An agreement that reports to nobody.
    silent = agreed(town, Disclosure.COUNT)
    await run(town, silent)
    async with running(town.nodes[WEST], limits=SMALL), town.channel(SOUTH, WEST) as channel:
        assert await _raw(channel, silent.id) == "unknown-agreement"
        assert await _raw(channel, bytes(32)) == "unknown-agreement"
        assert await _raw(channel, b"short") == "bad-message"


async def _raw(channel, agreement_id):
    """The code with which a bare request for reports is refused."""
    import grpc  # noqa: PLC0415 - after `tls`

    from blindmatch.node.transport.error_status import CODE_KEY  # noqa: PLC0415
    from blindmatch.proto.v1 import number_pb2  # noqa: PLC0415

    request = number_pb2.ReportsRequest(version=1, agreement=agreement_id).SerializeToString()
    call = channel.unary_stream("/blindmatch.v1.Reports/Fetch")(request, timeout=20)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in call:
            pass
    return dict(caught.value.trailing_metadata())[CODE_KEY]


@pytest.mark.parametrize("lie", ["total", "proof", "told", "edge"])
async def test_a_receiver_that_alters_what_it_was_told_is_found_out(town, monkeypatch, lie):
    """The sender's signature stands over the outcome, and a sum is proven to be what the outcome holds."""
    held = agreed(town, Disclosure.SUM, report_to=(SOUTH,))
    await run(town, held)
    from_json = aggregate_results.AggregateResult.from_json.__func__

    def bent(cls, payload):
        found = from_json(cls, payload)
        if lie == "total":
            return dataclasses.replace(found, total=found.total + 1)
        if lie == "proof":
            return dataclasses.replace(found, proof="00" * 64)
        if lie == "told":
            payload, signature = found.outcome
            return dataclasses.replace(found, outcome=(payload.replace("01", "00", 1), signature))
        return dataclasses.replace(found, closed_at=-1 % (1 << 60))

    monkeypatch.setattr(aggregate_results.AggregateResult, "from_json", classmethod(bent))
    if lie == "edge":
        monkeypatch.setattr(
            "blindmatch.node.rounds.aggregate.reports_service.Header",
            lambda round_id, _edge, sequence: numbers_header(round_id, sequence),
        )
    async with running(town.nodes[WEST], limits=SMALL):
        (fetched,) = await reporting.fetch(town.nodes[SOUTH], held.id)
    assert fetched.error is not None
    expected = {"total": "bad-proof", "proof": "bad-proof", "told": "bad-signature", "edge": "unknown-round"}
    assert fetched.error.code.value == expected[lie]
    assert town.nodes[SOUTH].store.numbers() == []


def numbers_header(round_id, sequence):
    from blindmatch.protocol.session.messages import Header  # noqa: PLC0415 - the original of what is replaced

    return Header(round_id, "another-edge", sequence)


# On the command line.


def command(town, agency, *words):
    environment = {
        "BLINDMATCH_HOME": str(town.folder / agency),
        "BLINDMATCH_PASSPHRASE": PASSPHRASE,
        "COLUMNS": "200",
    }
    return CliRunner().invoke(app, ["round", *words], env=environment)


async def test_results_and_exports_show_numbers(town, tmp_path):
    held = agreed(town, Disclosure.SUM, decimals=2)
    outcome = await run(town, held)
    shown = await asyncio.to_thread(command, town, WEST, "results", outcome.round_id.hex()[:8])
    assert shown.exit_code == 0, shown.output
    assert f"{SPENT:,}.00 over an unknown number of suppliers" in shown.stdout
    assert "sum of contract_value" in shown.stdout
    assert "No leads" not in shown.stdout
    data = json.loads((await asyncio.to_thread(command, town, WEST, "results", "--json")).stdout)
    assert data["numbers"][0]["sum"] == f"{SPENT}.00"
    for form in ("csv", "json"):
        out = tmp_path / f"numbers.{form}"
        done = await asyncio.to_thread(command, town, WEST, "export", "--format", form, "--out", str(out))
        assert done.exit_code == 0, done.output
        if form == "csv":
            (line,) = csv.DictReader(out.read_text(encoding="utf-8").splitlines())
            assert (line["sum"], line["sender"], line["told"]) == (f"{SPENT}.00", NORTH, "True")
        else:
            assert json.loads(out.read_text())["numbers"][0]["told"] is True
    details = [json.loads(row.detail) for row in town.nodes[WEST].store.audit_rows()]
    assert {"leads": 0, "numbers": 1} in details
    assert {"action": "export", "format": "csv", "leads": 0, "numbers": 1} in details


async def test_reports_on_the_command_line(town):
    held = agreed(town, Disclosure.COUNT, report_to=(SOUTH,), band=10)
    await run(town, held)
    async with running(town.nodes[WEST], limits=SMALL):
        shown = await asyncio.to_thread(command, town, SOUTH, "reports", held.id.hex()[:12])
        assert shown.exit_code == 0, shown.output
        assert "between 20 and 29" in shown.stdout
    gone = await asyncio.to_thread(command, town, SOUTH, "reports", held.id.hex()[:12], "--json")
    assert gone.exit_code == 1
    assert json.loads(gone.stdout)["failed"][0]["receiver"] == WEST
