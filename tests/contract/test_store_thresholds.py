"""What a threshold keeps in the store: every member's statement, once, sealed; and the collector's number, for a time."""

import pytest

from blindmatch.node.storage.sealing import Sealer
from blindmatch.node.storage.store import EdgeRow, Store
from blindmatch.protocol.errors import StoreError
from blindmatch.protocol.transcript import Signed

ROUND, AGREEMENT = b"r" * 16, b"a" * 32
OURS, THEIRS = Signed(b"our rates in bytes", b"o" * 64), Signed(b"their rates in bytes", b"t" * 64)
ROW = EdgeRow(ROUND, "shared", AGREEMENT, "collector", "3 members", "", "preparing", 7)
NOW = 1_800_000_000


@pytest.fixture
def store(tmp_path):
    made = Store(f"sqlite:///{tmp_path / 'node.db'}", Sealer(bytes(32)), clock=lambda: NOW)
    made.put_agreement(AGREEMENT, b"terms")
    made.start_edge(ROW, b"s" * 32)
    yield made
    made.close()


def test_statements_are_kept_by_name_and_outlive_the_round(store):
    assert store.statements(ROUND, "shared") == {}
    store.put_statement(ROUND, "shared", "west", OURS)
    store.put_statement(ROUND, "shared", "east", THEIRS)
    store.put_statement(ROUND, "shared", "west", OURS)
    store.finish(ROUND, "shared", receipt=b"receipt", signatures={})
    assert store.statements(ROUND, "shared") == {"west": OURS, "east": THEIRS}
    assert store.statements(ROUND, "other") == {}


def test_another_statement_never_replaces_the_first(store):
    store.put_statement(ROUND, "shared", "west", OURS)
    with pytest.raises(StoreError, match="another statement west"):
        store.put_statement(ROUND, "shared", "west", THEIRS)
    assert store.statements(ROUND, "shared") == {"west": OURS}


def test_a_round_that_has_ended_takes_no_statement(store):
    store.fail(ROUND, "shared", code="abandoned", reason="")
    with pytest.raises(StoreError, match="not running"):
        store.put_statement(ROUND, "shared", "west", OURS)
    with pytest.raises(StoreError, match="not running"):
        store.put_statement(ROUND, "another", "west", OURS)


def test_a_number_is_kept_replaced_and_erased_with_its_retention(store):
    assert store.tally(ROUND, "shared") is None
    store.put_tally(ROUND, "shared", b"seven", NOW + 10)
    store.put_tally(ROUND, "shared", b"eight", NOW + 10)
    assert store.tally(ROUND, "shared") == b"eight"
    assert store.erase_expired(NOW + 9)["leads"] == 0
    assert store.erase_expired(NOW + 10)["leads"] == 1
    assert store.tally(ROUND, "shared") is None
    store.put_tally(ROUND, "shared", b"nine", NOW - 1)
    assert store.tally(ROUND, "shared") is None


def test_both_are_sealed_at_rest(store, tmp_path):
    store.put_statement(ROUND, "shared", "west", OURS)
    store.put_tally(ROUND, "shared", b"a number in words", NOW + 10)
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("node.db*"))
    assert OURS.payload not in stored
    assert b"a number in words" not in stored
    assert b"3 members" in stored
