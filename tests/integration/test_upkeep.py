"""What a node clears away by itself: expired leads, orphaned files, edges whose receiver vanished."""

import json

import pytest

from blindmatch.node.rounds import leads as round_leads
from blindmatch.node.rounds.retention import STALE_SECONDS, purge_expired
from blindmatch.node.rounds.runner import run_round
from blindmatch.node.server import running
from blindmatch.node.storage.round_files import RoundFiles
from blindmatch.node.storage.store import FAILED
from blindmatch.protocol.limits import Limits

WEST, NORTH = "west-force", "north-council"
DAY = 86_400


class Gone(Exception):  # noqa: N818 - not an error
    """The receiver's process is no more."""


def erasures(node):
    return [json.loads(row.detail) for row in node.store.audit_rows() if row.event == "erasure"]


async def test_leads_are_erased_when_their_retention_ends(town):
    held = town.sign_agreement(town.agreement(WEST, NORTH))
    police = town.nodes[WEST]
    async with running(town.nodes[NORTH]):
        outcome = await run_round(police, held.id)
    end = police.clock() + held.agreement.retention_days * DAY
    police.clock = lambda: end - 60
    purge_expired(police)
    assert len(round_leads.load(police, outcome.round_id)) == 20
    police.clock = lambda: end + 60
    purge_expired(police)
    assert not any(police.store.erase_expired(int(end + 60)).values())
    assert erasures(police) == [{"leads": 20}]


async def test_an_edge_whose_receiver_vanished_is_given_up_in_time(town):
    held = town.sign_agreement(town.agreement(WEST, NORTH))
    council, small = town.nodes[NORTH], Limits(chunk_elements=32)

    def vanish(_edge, step, _done, _total):
        if step == "exchange":
            raise Gone

    async with running(council, limits=small):
        with pytest.raises(Gone):
            await run_round(town.nodes[WEST], held.id, limits=small, progress=vanish)
    (row,) = council.store.edges()
    purge_expired(council)
    assert council.store.edge(row.round_id, row.edge).running
    assert any(council.rounds_dir.iterdir())
    later = council.clock() + STALE_SECONDS + 60
    council.clock = lambda: later
    purge_expired(council)
    ended = council.store.edge(row.round_id, row.edge)
    assert (ended.state, ended.code, ended.seed) == (FAILED, "abandoned", b"")
    assert list(council.rounds_dir.iterdir()) == []
    assert erasures(council) == [{"action": "abandoned", "receiver": WEST}]


def test_files_that_a_crash_left_behind_go(town):
    node = town.nodes[NORTH]
    RoundFiles(node.rounds_dir, bytes(16), "some-edge").allocate("table", (4, 16))
    purge_expired(node)
    assert list(node.rounds_dir.iterdir()) == []
