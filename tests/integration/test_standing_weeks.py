"""Weeks of a standing agreement over real imports: after each, the delta round's leads are those of a full round over the same lists.

Suppliers share companies, so that tokens are shared, merged and withheld; people come, go, move and marry on both sides.
"""

import random
from dataclasses import replace

import numpy as np
import pytest
from tests.support.local_nodes import people, subjects

from blindmatch.node.rounds import leads as round_leads
from blindmatch.node.rounds.hits.inputs import facts_source
from blindmatch.node.rounds.inputs import compile_edge, prepare_inputs
from blindmatch.node.rounds.leads import build_leads
from blindmatch.node.rounds.runner import run_round
from blindmatch.node.server import running
from blindmatch.protocol.agreement import Standing
from blindmatch.protocol.limits import SEED_BYTES, Limits
from blindmatch.protocol.linkage import DUMMY
from blindmatch.protocol.session.messages import Hits

SMALL = Limits(chunk_elements=256)
WEST, NORTH = "west-force", "north-council"


def told(leads):
    """Every lead with its keys and facts, whatever their order."""
    return sorted(
        (
            lead.reference,
            lead.key_names,
            sorted(tuple(sorted(each.items())) for each in lead.facts),
            lead.damaged,
        )
        for lead in leads
    )


def week(dice, ours, theirs):
    """What happens to both lists in a week, and another order of their rows."""
    for rows, born in (
        (ours, subjects(1, first=dice.randrange(40))),
        (theirs, people(1, first=dice.randrange(40))),
    ):
        for _ in range(dice.randrange(4)):
            if len(rows) > 5:
                del rows[dice.randrange(len(rows))]
        if born[0][0] not in {row[0] for row in rows}:
            rows.extend(born)
        moved = rows[dice.randrange(len(rows))]
        moved[4] = f"ZE{dice.randrange(1, 30)} 1AB"
        rows[dice.randrange(len(rows))][2] = dice.choice(("Carter", "Mason", "Smith"))
        dice.shuffle(rows)
    theirs[dice.randrange(len(theirs))][6] = str(dice.randrange(10_000))
    theirs[dice.randrange(len(theirs))][5] = dice.choice(("70000001", "70000002"))


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_week_tells_what_a_full_round_would(town, seed):
    dice = random.Random(seed)
    agreement = town.agreement(WEST, NORTH, facts=["contract_value"], standing=Standing(30), tokens=24)
    held = town.sign_agreement(replace(agreement, rounds_budget=20))
    ours, theirs = subjects(30), people(34, first=12)
    for row in theirs[:9]:
        row[5] = "70000001"
    police, council = town.nodes[WEST], town.nodes[NORTH]
    opening = None
    async with running(council, limits=SMALL):
        for number in range(4):
            police.store.delete_collection("groups")
            council.store.delete_collection("suppliers")
            town.import_rows(WEST, "groups", "subjects", ours)
            town.import_rows(NORTH, "suppliers", "suppliers", theirs, facts=["contract_value"])
            outcome = await run_round(police, held.id, limits=SMALL)
            assert (outcome.complete, outcome.edges[0].delta) == (True, number)
            opening = opening or outcome.round_id
            found = told(round_leads.load(police, outcome.round_id))
            assert found == told(plainly(town, held, opening))
            assert found
            week(dice, ours, theirs)


def plainly(town, held, opening):
    """The leads of a full round over both lists as they are now, with the epoch's match keys: by comparing elements in the open."""
    sides = []
    for agency, name in ((WEST, "groups"), (NORTH, "suppliers")):
        node = town.nodes[agency]
        row = replace(
            node.store.edge(opening, held.agreement.edges[0].id),
            collection_id=node.store.collection(name).id,
            seed=bytes(SEED_BYTES),
        )
        made = prepare_inputs(node, held.agreement, row, compile_edge(held.agreement, row))
        real = np.flatnonzero(made.tokens.key_index != DUMMY)
        sides.append(
            (
                made,
                {
                    int(at): element.tobytes()
                    for at, element in zip(real, made.elements.take(real), strict=True)
                },
            )
        )
    (mine, ours), (yours, theirs) = sides
    place = {element: at for at, element in theirs.items()}
    elements = np.array([at for at, element in ours.items() if element in place], dtype=np.int64)
    source = facts_source(yours, held.agreement.edges[0])
    facts = source.take(np.array([place[ours[int(at)]] for at in elements], dtype=np.int64))
    return build_leads(mine, Hits(elements, facts), agency=NORTH, edge=held.agreement.edges[0].id)
