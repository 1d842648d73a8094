"""Single records compared in between, between real nodes: both directions, counts, and what each side is told."""

import contextlib
from dataclasses import replace

import pytest
from tests.support.local_nodes import people

from blindmatch.node.rounds import standing
from blindmatch.node.rounds.runner import run_round
from blindmatch.node.rounds.standing import single_checks
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
    kept = single_checks.epoch_of(council, held, held.agreement.edges[0].id)
    with single_checks.records_of(council, held, kept, fields) as records:
        sender = single_checks.Sender.of(kept, records)
        (single,) = single_checks.singles(records)
        async with connect(council, WEST, certificate_key=town.nodes[WEST].keys.certificate_key) as peer:
            return await single_checks.submit(council, peer, sender, single)


async def ask(town, held, fields):
    police = town.nodes[WEST]
    kept = single_checks.epoch_of(police, held, held.agreement.edges[0].id)
    with single_checks.records_of(police, held, kept, fields) as records:
        async with connect(police, NORTH, certificate_key=town.nodes[NORTH].keys.certificate_key) as peer:
            return await single_checks.ask(police, peer, kept, kept.received(), records)


@pytest.mark.parametrize("facts", [(), ("contract_value",)])
async def test_a_bidder_that_is_submitted_is_found_among_the_subjects_and_only_there(town, facts):
    """Number 5 is a subject and no supplier; number 200 is neither."""
    async with opened(town, facts=facts, verified=bool(facts)) as (held, serving):
        hit = await submit(town, held, record(5, contract_value="77"))
        await submit(town, held, record(200))
        await serving.inbound.checks.settle()
    police = town.nodes[WEST]
    found = {each.check: each for each in single_checks.received(police, held.id)}
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
        (lead,) = await ask(town, held, {name: record(60)[name] for name in names})
        assert lead.facts == (({"contract_value": "1060"},) if facts else ())
        assert await ask(town, held, {name: record(200)[name] for name in names}) == []


async def test_checks_are_counted_also_when_they_are_refused(town):
    async with opened(town, standing=Standing(30, 3)) as (held, _):
        for _ in range(3):
            await submit(town, held, record(5))
        with pytest.raises(RefusalError) as refused:
            await submit(town, held, record(5))
        assert refused.value.reason is PeerCode.BUDGET_SPENT
        # The other direction has its own count, at the other node; an epoch that is gone costs a check, too.
        standing.end_all(town.nodes[NORTH], "for a test")
        names = ("forenames", "surname", "date_of_birth", "postcode")
        asked = {name: record(60)[name] for name in names}
        for code in (PeerCode.DIVERGED,) * 3 + (PeerCode.BUDGET_SPENT,):
            with pytest.raises(RefusalError) as refused:
                await ask(town, held, asked)
            assert refused.value.reason is code


async def test_no_checks_without_an_epoch_or_where_none_are_agreed(town):
    held = agree(town, standing=Standing(30, 0))
    with pytest.raises(LocalError, match="allows no checks"):
        single_checks.epoch_of(town.nodes[WEST], held, held.agreement.edges[0].id)
    other = agree(town, standing=Standing(30, 1), records=999)
    with pytest.raises(LocalError, match="no epoch is open"):
        single_checks.epoch_of(town.nodes[WEST], other, other.agreement.edges[0].id)
