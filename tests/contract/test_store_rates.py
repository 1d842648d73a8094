"""Both sides' statements of rates in the store: kept once, sealed, and still there when the edge has ended."""

import pytest

from blindmatch.node.storage.sealing import Sealer
from blindmatch.node.storage.store import EdgeRow, Store
from blindmatch.protocol.errors import StoreError
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.transcript import Signed

ROUND, AGREEMENT = b"r" * 16, b"a" * 32
OURS, THEIRS = Signed(b"our rates in bytes", b"o" * 64), Signed(b"their rates in bytes", b"t" * 64)
ROW = EdgeRow(ROUND, "edge", AGREEMENT, "receiver", "council", "c" * 32, "preparing", 7)


@pytest.fixture
def store(tmp_path):
    made = Store(f"sqlite:///{tmp_path / 'node.db'}", Sealer(bytes(32)), clock=lambda: 1_800_000_000)
    made.put_agreement(AGREEMENT, b"terms")
    yield made
    made.close()


def test_rates_are_kept_with_the_edge_and_outlive_it(store):
    store.start_edge(ROW, b"s" * 32)
    assert store.edge(ROUND, "edge").receiver_rates is None
    store.put_rates(ROUND, "edge", Role.RECEIVER, OURS)
    assert store.edge(ROUND, "edge").sender_rates is None
    store.put_rates(ROUND, "edge", Role.SENDER, THEIRS)
    store.finish(ROUND, "edge", receipt=b"receipt", signatures={})
    row = store.edge(ROUND, "edge")
    assert (row.receiver_rates, row.sender_rates, row.seed) == (OURS, THEIRS, b"")


def test_rates_may_come_with_the_edge(store):
    store.start_edge(EdgeRow(**{**vars(ROW), "receiver_rates": OURS}), b"s" * 32)
    assert store.edge(ROUND, "edge").receiver_rates == OURS


@pytest.mark.parametrize("role", Role)
def test_other_rates_never_replace_the_first(store, role):
    store.start_edge(ROW, b"s" * 32)
    store.put_rates(ROUND, "edge", role, OURS)
    store.put_rates(ROUND, "edge", role, OURS)
    with pytest.raises(StoreError, match="other rates"):
        store.put_rates(ROUND, "edge", role, THEIRS)
    assert getattr(store.edge(ROUND, "edge"), f"{role.value}_rates") == OURS


def test_an_edge_that_has_ended_takes_no_rates(store):
    with pytest.raises(StoreError, match="not running"):
        store.put_rates(ROUND, "edge", Role.SENDER, THEIRS)
    store.start_edge(ROW, b"s" * 32)
    store.fail(ROUND, "edge", code="abandoned", reason="")
    with pytest.raises(StoreError, match="not running"):
        store.put_rates(ROUND, "edge", Role.SENDER, THEIRS)


def test_rates_are_sealed_at_rest(store, tmp_path):
    store.start_edge(ROW, b"s" * 32)
    store.put_rates(ROUND, "edge", Role.RECEIVER, OURS)
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("node.db*"))
    assert OURS.payload not in stored
    assert b"council" in stored
