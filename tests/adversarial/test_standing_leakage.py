"""What comparing again tells each side is what the agreement's words say: how many records changed, which entries, and no more.

Two worlds that the words call the same look the same to who looks: as many messages, of the same kinds and sizes, the same rows in
the store and lines in the log.
"""

import io
import json

import pytest
from tests.support.agencies import SCHEMA, edge_between
from tests.support.local_nodes import people
from tests.support.standing_sessions import Person, World

from blindmatch.node.rounds.runner import run_round
from blindmatch.node.rounds.standing import check_lookup, outbound_checks
from blindmatch.node.rounds.standing.checked_record import imported_record
from blindmatch.node.server import running
from blindmatch.node.storage import logs
from blindmatch.node.storage.store.tables import checks as checks_table
from blindmatch.node.transport.client import connect
from blindmatch.protocol.agreement import Standing, both_learn, default_leakage, standing_learn
from blindmatch.protocol.limits import Limits

SMALL = Limits(chunk_elements=32)
WEST, NORTH = "west-force", "north-council"


def person(*values, facts=0):
    """A record with as many tokens as values; two slots of four are left empty, as two rows' room leaves them."""
    return Person(tuple((key, value) for key, value in enumerate(values)), 0, facts)


OURS = [person(n, n) for n in range(8)]
THEIRS = [person(n + 4, n + 4, facts=n) for n in range(8)]


def shapes(network):
    return sorted((message.kind, message.index, len(message.content())) for message in network.sent)


def delta(ours, theirs, facts):
    world = World(OURS, THEIRS, facts=facts, slots=(4, 4))
    return world, world.delta(ours, theirs)


WORLDS = {
    "nothing in common": ([*OURS[1:], person(90, 91)], [*THEIRS[1:], person(92, 93)]),
    "all in common": ([*OURS[1:], person(11, 11)], [*THEIRS[1:], person(3, 3)]),
    "with more to say": ([*OURS[1:], person(90, 91, 2, 3)], [*THEIRS[1:], person(92, 93, 7, 7)]),
    "with nothing to say": ([*OURS[1:], person()], [*THEIRS[1:], person()]),
    "others went": ([person(90, 91), *OURS[:-1]], [person(92, 93), *THEIRS[:-1]]),
    "shared tokens came and went": ([*OURS[1:], person(2, 2)], [*THEIRS[1:], person(6, 6)]),
}


@pytest.mark.parametrize("facts", [False, True])
def test_a_delta_round_looks_the_same_whoever_changed_and_whatever_matches(facts):
    """One record came and one went, on each side."""
    seen = {name: shapes(delta(*lists, facts)[1]) for name, lists in WORLDS.items()}
    assert len({str(shape) for shape in seen.values()}) == 1, seen


@pytest.mark.parametrize("name", WORLDS)
def test_no_entry_goes_and_comes_in_one_round_while_there_are_fillers(name):
    """Then padding cannot be told from change: every entry that goes is gone, every one that comes is new."""
    _, network = delta(*WORLDS[name], facts=False)
    session = network.receiver.session
    removed = {row.tobytes() for row in session._array("removed")}
    added = {row.tobytes() for row in session._array("table")}
    assert removed.isdisjoint(added)
    assert len(removed) == len(added) == 2 * 4


def test_two_delta_rounds_share_no_blinded_element_and_no_sealed_facts():
    world = World(OURS, THEIRS, facts=True, slots=(4, 4))
    seen = set()
    for _ in range(2):  # the same change there and back: the same records, tags and facts
        for lists in (WORLDS["all in common"], (OURS, THEIRS)):
            network = world.delta(*lists)
            blinded = {row.tobytes() for row in network.receiver.session._array("blinded")}
            sealed = {row[16:].tobytes() for row in network.receiver.session._array("table")}
            assert seen.isdisjoint(blinded | sealed)
            seen |= blinded | sealed


def test_the_words_of_a_standing_agreement_are_part_of_what_is_signed():
    edge = edge_between(WEST, NORTH)
    assert default_leakage(edge, SCHEMA, standing=True) == f"{edge.leakage}\n{standing_learn()}"
    assert edge.leakage.endswith(both_learn(SCHEMA))


# Checks, between real nodes.


class Recorder:
    """What a node sends and receives, by method, kind and size."""

    def __init__(self):
        self.seen = []

    def record(self, direction, _agency, method, kind, data):
        self.seen.append((direction, method, kind, len(data)))


async def look(town, facts, number, *, submits):
    """One check of one person, with everything that either side could look at afterwards."""
    police, council = town.nodes[WEST], town.nodes[NORTH]
    held = town.sign_agreement(
        town.agreement(WEST, NORTH, facts=list(facts), standing=Standing(30, 5), records=900 + number)
    )
    said = io.StringIO()
    logs.configure(level="debug", form="json", stream=said)
    async with running(council, limits=SMALL), running(police, limits=SMALL) as serving:
        assert (await run_round(police, held.id, limits=SMALL)).complete
        said.truncate(0)
        said.seek(0)
        before = {node.agency: sum(1 for _ in node.store.audit_rows()) for node in (police, council)}
        ours = council if submits else police
        other = police if submits else council
        ours.wire = Recorder()
        fields = dict(
            zip(
                (
                    "reference",
                    "forenames",
                    "surname",
                    "date_of_birth",
                    "postcode",
                    "company_number",
                    "contract_value",
                ),
                people(1, first=number)[0],
                strict=True,
            )
        )
        if not submits:
            fields = {name: fields[name] for name in ("forenames", "surname", "date_of_birth", "postcode")}
        epoch = outbound_checks.load_epoch(ours, held, held.agreement.edges[0].id)
        kind = outbound_checks.Submissions if submits else outbound_checks.Queries
        with imported_record(ours, held, epoch, fields) as records:
            async with connect(ours, other.agency) as peer:
                result = await kind(ours, epoch, records).run(peer)
        await serving.inbound.checks.settle()
    audit = {
        node.agency: [
            (row.event, sorted(json.loads(row.detail)), len(row.detail), len(row.subject))
            for row in list(node.store.audit_rows())[before[node.agency] :]
        ]
        for node in (police, council)
    }
    lines = [sorted(json.loads(line)) for line in said.getvalue().splitlines()]
    with police.store.read() as connection:
        rows = [
            (row.looked, len(row.payload), len(row.id))
            for row in connection.execute(checks_table.select())
            if row.agreement == held.id.hex()
        ]
    wire, ours.wire = ours.wire.seen, None
    leads = (
        [lead for check in check_lookup.results(police, held.id) for lead in check.leads]
        if submits
        else result
    )
    return len(leads), (wire, audit, lines, rows)


@pytest.mark.parametrize("facts", [(), ("contract_value",)])
@pytest.mark.parametrize(("submits", "hit", "miss"), [(True, 5, 205), (False, 12, 262)])
async def test_a_check_looks_the_same_whether_it_hits_or_not(town, facts, submits, hit, miss):
    """To the submitter, to whoever reads the receiver's store and logs, and to the side that is asked."""
    one, seen = await look(town, facts, hit, submits=submits)
    none, unseen = await look(town, facts, miss, submits=submits)
    assert (one, none) == (1, 0)
    assert seen == unseen
    assert any(method.endswith("Submit" if submits else "Ask") for _, method, _, _ in seen[0])
