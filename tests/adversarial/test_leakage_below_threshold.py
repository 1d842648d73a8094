"""What the receiver sees does not depend on the sender's records below the threshold, nor on what a record lacks.

Rounds with compiled keys between real nodes, recorded; the sender's list changes only where no key can agree.
"""

import dataclasses
import json
import random
from contextlib import closing

import numpy as np
import pytest
from tests.support.local_nodes import LocalNodes

from blindmatch.node.rounds import leads as round_leads
from blindmatch.node.rounds.runner import run_round
from blindmatch.node.server import running
from blindmatch.node.transport.message_recorder import WireRecorder
from blindmatch.proto.v1 import match_pb2
from blindmatch.protocol.agreement import Linkage
from blindmatch.protocol.limits import Limits
from blindmatch.protocol.linkage import Rates, level_digests, load_schema, measure

SCHEMA = "uk-person-company-2"
SMALL = Limits(chunk_elements=512)
WEST, NORTH, SOUTH = "west-force", "north-council", "south-council"
FORENAMES = ("Ada", "Brian", "Chloe", "Dev", "Esther", "Farid", "Grace", "Hamish", "Ines", "Jonah")


def person(number):
    dice = random.Random(number)
    surname = "".join(dice.choice("bdfgklmnprstvz") + dice.choice("aeiou") for _ in range(4)).title()
    born = f"{dice.randint(1940, 2000)}-{dice.randint(1, 12):02d}-{dice.randint(1, 28):02d}"
    return [dice.choice(FORENAMES), surname, born, f"B{dice.randint(1, 40)} {dice.randint(1, 9)}AG"]


def supplier(number, values):
    return [f"S-{number:05d}", *values, f"{10_000_000 + number:08d}", "5"]


def lists():
    """Two lists of 30 suppliers: ten are subjects in both; the other twenty differ, and are nobody's."""
    shared = [supplier(number, person(number)) for number in range(10)]
    strangers = [[supplier(n, person(n)) for n in range(first, first + 20)] for first in (1_000, 2_000)]
    # In the second, some also lack a field or are known by month only: shorter records must not show.
    for number, row in enumerate(strangers[1]):
        if number % 3 == 0:
            row[4] = ""
        elif number % 3 == 1:
            row[3] = row[3][:7]
    return [shared + more for more in strangers]


def three_lists(folder, now):
    nodes = LocalNodes(folder, {WEST: "police", NORTH: "council", SOUTH: "council"}, now, schema=SCHEMA)
    nodes.import_rows(WEST, "groups", "subjects", [[f"P-{n:05d}", *person(n), "P"] for n in range(20)])
    for sender, rows in zip((NORTH, SOUTH), lists(), strict=True):
        nodes.import_rows(sender, "suppliers", "suppliers", rows)
    return nodes


@pytest.fixture
def town(node_templates, tmp_path):
    with closing(node_templates.copy(three_lists, tmp_path)) as nodes:
        yield nodes


async def view(town, sender):
    """One round with `sender`: what the receiver got, as kinds and sizes, and what it found."""
    agreement = town.agreement(WEST, sender, tokens=60)
    terms = Linkage(overlap=0.3, false_leads=0.001, budget=30)
    edges = tuple(dataclasses.replace(edge, linkage=terms) for edge in agreement.edges)
    held = town.sign_agreement(dataclasses.replace(agreement, edges=edges))
    police, council = town.nodes[WEST], town.nodes[sender]
    police.wire = WireRecorder(town.folder / f"wire-{sender}")
    async with running(council, limits=SMALL):
        outcome = await run_round(police, held.id, limits=SMALL)
    assert outcome.complete
    folder = town.folder / f"wire-{sender}"
    entries = [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]
    shape = sorted(
        (e["direction"], e["type"], e["bytes"]) for e in entries if not e["type"].endswith("OpenReply")
    )
    tags = set()
    for entry in entries:
        if entry["type"].endswith("TagChunk"):
            rows = match_pb2.TagChunk.FromString((folder / entry["file"]).read_bytes()).rows
            tags |= {rows[at : at + 16] for at in range(0, len(rows), 16)}
    found = [
        (lead.reference, lead.key_names, lead.posterior)
        for lead in round_leads.load(police, outcome.round_id)
    ]
    return shape, tags, sorted(found), outcome.edges[0]


async def test_two_sender_lists_that_differ_below_the_threshold_look_the_same(town, monkeypatch):
    """The rates are declared: held equal here, everything else must be the same but for random bytes."""
    schema = load_schema(SCHEMA)
    told = measure(schema, (), seed=bytes(32))
    told = Rates((64,) * len(told.presence), told.alone, told.household)
    monkeypatch.setattr("blindmatch.node.rounds.inputs.own_rates", lambda *_: told)
    north, south = [await view(town, sender) for sender in (NORTH, SOUTH)]
    assert north[0] == south[0]
    assert north[2] == south[2]
    assert {reference for reference, _, _ in north[2]} == {f"P-{n:05d}" for n in range(10)}
    assert north[1].isdisjoint(south[1])
    for edge in (north[3], south[3]):
        # Token counts show the number of records, whatever the records lack.
        assert (edge.sender_elements % 30, edge.receiver_elements % 20) == (0, 0)
    assert len(north[1]) == len(south[1]) == north[3].sender_elements


def test_rates_hardly_move_with_one_record():
    """Coarse numbers of the list as a whole: a stranger more or less moves few of them, and those by one step."""
    schema = load_schema(SCHEMA)

    def rates(numbers):
        fields = ("forenames", "surname", "date_of_birth", "postcode")
        rows = [dict(zip(fields, person(n), strict=True)) for n in numbers]
        columns = level_digests(schema, rows)
        blocks = [(columns, np.arange(len(rows)), len(rows))]
        return np.frombuffer(measure(schema, blocks, seed=bytes(32)).encode(), dtype=np.uint8).astype(int)

    before = rates(range(400))
    assert len(before) < 300
    for stranger in range(5_000, 5_010):
        moved = np.abs(rates([*range(399), stranger]) - before)
        assert moved.max() <= 1
        assert np.count_nonzero(moved) <= len(before) // 10
