"""Single records compared in between, between real nodes: both directions, counts, and what each side is told."""

import contextlib
from dataclasses import replace

import pytest
from tests.support.local_nodes import people, subjects

from blindmatch.node.rounds.runner import run_round
from blindmatch.node.rounds.standing import check_lookup, epochs, outbound_checks
from blindmatch.node.rounds.standing.checked_record import imported_record
from blindmatch.node.server import running
from blindmatch.node.transport.client import connect
from blindmatch.node.transport.error_status import RefusalError
from blindmatch.protocol.agreement import Standing
from blindmatch.protocol.errors import LocalError, PeerCode
from blindmatch.protocol.limits import Limits

SMALL = Limits(chunk_elements=32)
WEST, NORTH = "west-force", "north-council"
TERMS = Standing(30, 5)


def agree(town, *, facts=("contract_value",), standing=TERMS, verified=False, **edge):
    agreement = town.agreement(WEST, NORTH, facts=list(facts), standing=standing, **edge)
    edges = tuple(replace(each, terms=replace(each.terms, verified=verified)) for each in agreement.edges)
    return town.sign_agreement(replace(agreement, edges=edges))


FIELDS = (
    "reference",
    "forenames",
    "surname",
    "date_of_birth",
    "postcode",
    "company_number",
    "contract_value",
)


def record(number, **changes):
    return {**dict(zip(FIELDS, people(1, first=number)[0], strict=True)), **changes}


@contextlib.asynccontextmanager
async def opened(town, **terms):
    """Both nodes serving, an epoch open."""
    held = agree(town, **terms)
    police, council = town.nodes[WEST], town.nodes[NORTH]
    async with running(council, limits=SMALL), running(police, limits=SMALL) as serving:
        outcome = await run_round(police, held.id, limits=SMALL)
        assert outcome.complete
        yield held, serving


async def submit(town, held, fields):
    council = town.nodes[NORTH]
    epoch = outbound_checks.load_epoch(council, held, held.agreement.edges[0].id)
    with imported_record(council, held, epoch, fields) as records:
        submissions = outbound_checks.Submissions(council, epoch, records)
        async with connect(council, WEST, certificate_key=town.nodes[WEST].keys.certificate_key) as peer:
            (check,) = await submissions.run(peer)
            return check


async def query(town, held, fields):
    police = town.nodes[WEST]
    epoch = outbound_checks.load_epoch(police, held, held.agreement.edges[0].id)
    with imported_record(police, held, epoch, fields) as records:
        queries = outbound_checks.Queries(police, epoch, records)
        async with connect(police, NORTH, certificate_key=town.nodes[NORTH].keys.certificate_key) as peer:
            return await queries.run(peer)


@pytest.mark.parametrize("facts", [(), ("contract_value",)])
async def test_a_bidder_that_is_submitted_is_found_among_the_subjects_and_only_there(town, facts):
    """Number 5 is a subject and no supplier; number 200 is neither."""
    async with opened(town, facts=facts, verified=bool(facts)) as (held, serving):
        hit = await submit(town, held, record(5, contract_value="77"))
        await submit(town, held, record(200))
        await serving.inbound.checks.settle()
    police = town.nodes[WEST]
    found = {each.check: each for each in check_lookup.results(police, held.id)}
    assert len(found) == 2
    (lead,) = found.pop(hit).leads
    assert lead.reference == "P-00005"
    assert lead.facts == (({"contract_value": "77"},) if facts else ())
    assert next(iter(found.values())).leads == ()


@pytest.mark.parametrize("facts", [(), ("contract_value",)])
async def test_a_subject_that_is_asked_about_is_found_among_the_suppliers_and_only_there(town, facts):
    """Number 60 is a supplier and no subject."""
    names = ("forenames", "surname", "date_of_birth", "postcode")
    async with opened(town, facts=facts, verified=bool(facts)) as (held, _):
        (lead,) = await query(town, held, {name: record(60)[name] for name in names})
        assert lead.facts == (({"contract_value": "1060"},) if facts else ())
        assert await query(town, held, {name: record(200)[name] for name in names}) == ()


async def test_a_record_that_was_deleted_since_the_last_round_gives_no_lead(town):
    """The list still has its tags, but the collection that replaced the compared one no longer has the record."""
    async with opened(town) as (held, serving):
        town.nodes[WEST].store.delete_collection("groups")
        town.import_rows(WEST, "groups", "subjects", [row for row in subjects(40) if "00005" not in row[0]])
        deleted = await submit(town, held, record(5))
        unchanged = await submit(town, held, record(6))
        await serving.inbound.checks.settle()
    results = {each.check: each for each in check_lookup.results(town.nodes[WEST], held.id)}
    assert results[deleted].leads == ()
    assert [lead.reference for lead in results[unchanged].leads] == ["P-00006"]


async def test_checks_are_counted_also_when_they_are_refused(town):
    async with opened(town, standing=Standing(30, 3)) as (held, _):
        for _ in range(3):
            await submit(town, held, record(5))
        with pytest.raises(RefusalError) as refused:
            await submit(town, held, record(5))
        assert refused.value.reason is PeerCode.BUDGET_SPENT
        # The other direction has its own count, at the other node; an epoch that is gone costs a check, too.
        epochs.end_all(town.nodes[NORTH], "for a test")
        names = ("forenames", "surname", "date_of_birth", "postcode")
        asked = {name: record(60)[name] for name in names}
        for code in (PeerCode.DIVERGED,) * 3 + (PeerCode.BUDGET_SPENT,):
            with pytest.raises(RefusalError) as refused:
                await query(town, held, asked)
            assert refused.value.reason is code


async def test_no_checks_without_an_epoch_or_where_none_are_agreed(town):
    held = agree(town, standing=Standing(30, 0))
    with pytest.raises(LocalError, match="allows no checks"):
        outbound_checks.load_epoch(town.nodes[WEST], held, held.agreement.edges[0].id)
    other = agree(town, standing=Standing(30, 1), records=999)
    with pytest.raises(LocalError, match="no epoch is open"):
        outbound_checks.load_epoch(town.nodes[WEST], other, other.agreement.edges[0].id)
