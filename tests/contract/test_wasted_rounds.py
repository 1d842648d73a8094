"""Rounds that fail before their first chunk cost no budget, but there is an end to them."""

from dataclasses import replace

import pytest

from blindmatch.node.storage.sealing import Sealer
from blindmatch.node.storage.store import EdgeRow, Store
from blindmatch.node.storage.store import edges as module
from blindmatch.protocol.errors import PeerCode, PeerError

AGREEMENT = bytes(range(32))
EDGE = EdgeRow(bytes(16), "west-north", AGREEMENT, "sender", "west-force", "a" * 32, "preparing", 1_000)


@pytest.mark.parametrize(("budget", "most"), [(1, 3), (5, 5)])
def test_a_receiver_cannot_begin_rounds_without_end(database_url, monkeypatch, budget, most):
    monkeypatch.setattr(module, "_LEAST_WASTED", 3)
    store = Store(database_url, Sealer(bytes(32)))
    try:
        store.put_agreement(AGREEMENT, b"payload")
        for number in range(most):
            row = replace(EDGE, round_id=bytes([number]) * 16)
            store.start_edge(row, bytes(32), rounds_budget=budget)
            store.fail(row.round_id, row.edge, code="bad-point", reason="")
        assert store.rounds_used(AGREEMENT, EDGE.edge) == 0
        with pytest.raises(PeerError, match="before their first chunk") as caught:
            store.start_edge(replace(EDGE, round_id=b"n" * 16), bytes(32), rounds_budget=budget)
        assert caught.value.code is PeerCode.BUDGET_SPENT
        store.start_edge(replace(EDGE, edge="west-south"), bytes(32), rounds_budget=budget)
    finally:
        store.close()
