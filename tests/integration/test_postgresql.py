"""A round between two nodes that keep their records in PostgreSQL, with the sender coming back from a crash in the middle."""

import asyncio
import time

import pytest
from tests.support.local_nodes import PASSPHRASE, LocalNodes, people, subjects

from blindmatch.node.node import Node
from blindmatch.node.rounds import leads as round_leads
from blindmatch.node.rounds.runner import run_round
from blindmatch.node.server import running
from blindmatch.node.storage.audit_log import HEAD_NAME, read_heads, verify_log
from blindmatch.node.storage.store import CLOSED
from blindmatch.protocol.limits import Limits

SMALL = Limits(chunk_elements=32)
POLICE, COUNCIL = "west-force", "north-council"


@pytest.fixture
def town(tmp_path, new_postgresql_database):
    made = LocalNodes(
        tmp_path,
        {POLICE: "police", COUNCIL: "council"},
        time.time(),
        settings={agency: {"database": {"url": new_postgresql_database()}} for agency in (POLICE, COUNCIL)},
    )
    made.import_rows(POLICE, "groups", "subjects", subjects(40))
    made.import_rows(COUNCIL, "suppliers", "suppliers", people(50, first=20))
    yield made
    made.close()


async def test_a_round_on_postgresql_goes_on_after_the_sender_was_lost(town):
    held = town.sign_agreement(town.agreement(POLICE, COUNCIL))
    police, council = town.nodes[POLICE], town.nodes[COUNCIL]
    assert not list(town.folder.glob("*/*.db")), "nothing is kept in a file"
    stopping = []
    async with running(council, limits=SMALL, grace=0) as server:

        def lose(_edge, step, done, _total):
            if step == "exchange" and done == 3 and not stopping:
                stopping.append(asyncio.get_running_loop().create_task(server.stop()))

        outcome = await run_round(police, held.id, limits=SMALL, progress=lose)
        await stopping[0]
    assert outcome.resumable
    # Another process: everything that it knows comes from the database and the files.
    council.close()
    council = town.nodes[COUNCIL] = Node.open(council.home, PASSPHRASE)
    async with running(council, limits=SMALL):
        outcome = await run_round(police, held.id, limits=SMALL, resume_round=outcome.round_id)
    assert outcome.complete
    found = {lead.reference for lead in round_leads.load(police, outcome.round_id)}
    assert found == {f"P-{index:05d}" for index in range(20, 40)}
    (ours,), (theirs,) = police.store.edges(outcome.round_id), council.store.edges(outcome.round_id)
    assert ours.receipt == theirs.receipt != b""
    for node in (police, council):
        row = node.store.edge(outcome.round_id, ours.edge)
        assert (row.state, row.seed, row.snapshot) == (CLOSED, b"", b"")
        assert events(node) >= {"collection", "combination" if node is police else "disclosure"}


def events(node):
    """What a whole, untouched audit log speaks of."""
    rows = list(node.store.audit_rows())
    public = node.keys.identity_public
    heads = read_heads(node.home / HEAD_NAME)
    assert verify_log(rows, agency=node.agency, public_key=public, heads=heads) == []
    assert heads
    return {row.event for row in rows}
