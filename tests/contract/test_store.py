"""One suite for the store over SQLite and PostgreSQL."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from blindmatch.node.node import Node
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.audit_log import AuditLog, read_head, verify_log
from blindmatch.node.storage.config import make_settings
from blindmatch.node.storage.keyring import KeyRing
from blindmatch.node.storage.sealing import Sealer
from blindmatch.node.storage.store import CLOSED, FAILED, CollectionRow, Contact, EdgeRow, Store
from blindmatch.node.storage.store.tables import SCHEMA_VERSION, metadata
from blindmatch.protocol.errors import KeysError, PeerCode, PeerError, StoreError

KEY = bytes(range(32))
AGREEMENT = bytes([0xA1]) * 32
ROUND, ROUND_2 = bytes([1]) * 16, bytes([2]) * 16
SEED = b"a seed of thirty-two bytes, yes!"
NOW = 1_700_000_000
COLLECTION = CollectionRow(
    "c" * 32, "spring", "subjects", "OFFICIAL", "uk-person-company-2", 3, 5, NOW, {"bad": [7, "surname"]}
)
EDGE = EdgeRow(ROUND, "west-north", AGREEMENT, "receiver", "north-council", COLLECTION.id, "committed", NOW)


class Clock:
    now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database_url: str, clock: Clock) -> Iterator[Store]:
    opened = Store(database_url, Sealer(KEY), clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def running(store: Store) -> Store:
    """A store in which an agreement is kept and EDGE runs."""
    store.put_agreement(AGREEMENT, b"payload")
    store.start_edge(EDGE, SEED)
    return store


def raw(database_url: str, query: str) -> list[tuple[object, ...]]:
    engine = create_engine(database_url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.begin() as connection:
            result = connection.execute(text(query))
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        engine.dispose()


class TestDatabase:
    def test_opening_again_finds_what_was_kept(self, store: Store, database_url: str) -> None:
        store.put_agreement(AGREEMENT, b"payload")
        other = Store(database_url, Sealer(KEY))
        assert other.agreement(AGREEMENT).payload == b"payload"
        other.close()

    def test_a_newer_schema_is_refused(self, store: Store, database_url: str) -> None:
        raw(database_url, f"UPDATE schema_version SET version = {SCHEMA_VERSION + 1}")
        with pytest.raises(StoreError, match=f"schema {SCHEMA_VERSION + 1}") as caught:
            Store(database_url, Sealer(KEY))
        assert "upgrade" in caught.value.hint

    def test_ping(self, store: Store, database_url: str) -> None:
        store.ping()
        raw(database_url, "DROP TABLE schema_version")
        with pytest.raises(StoreError):
            store.ping()

    def test_threads_share_one_store(self, store: Store) -> None:
        errors: list[Exception] = []

        def work(number: int) -> None:
            try:
                for step in range(5):
                    store.put_agreement(bytes([number, step]) * 16, b"payload")
                    store.agreements()
            except StoreError as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors
        assert len(store.agreements()) == 40

    def test_the_repr_shows_no_url_and_no_key(self, store: Store, database_url: str) -> None:
        assert repr(store) in {"Store(sqlite)", "Store(postgresql)"}


class TestCollections:
    def test_round_trip(self, store: Store) -> None:
        store.add_collection(COLLECTION)
        assert store.collection("spring") == COLLECTION
        assert store.collection(COLLECTION.id) == COLLECTION
        assert store.collections() == [COLLECTION]

    def test_detail_is_sealed_and_bound_to_its_row(self, store: Store, database_url: str) -> None:
        store.add_collection(COLLECTION)
        store.add_collection(replace(COLLECTION, id="d" * 32, name="autumn", detail={}))
        ((sealed,),) = raw(database_url, "SELECT detail FROM collections WHERE name = 'spring'")
        assert b"surname" not in bytes(sealed)
        raw(
            database_url,
            "UPDATE collections SET detail = (SELECT detail FROM collections WHERE name = 'spring') "
            "WHERE name = 'autumn'",
        )
        with pytest.raises(KeysError):
            store.collection("autumn")

    def test_a_name_is_taken_once(self, store: Store) -> None:
        store.add_collection(COLLECTION)
        with pytest.raises(StoreError, match="already"):
            store.add_collection(replace(COLLECTION, id="d" * 32))

    def test_unknown(self, store: Store) -> None:
        assert store.find_collection("spring") is None
        with pytest.raises(StoreError, match="no collection"):
            store.collection("spring")

    def test_delete_removes_its_bindings_but_not_while_an_edge_runs(self, running: Store) -> None:
        running.add_collection(COLLECTION)
        running.bind(AGREEMENT, "west-north", COLLECTION.id)
        with pytest.raises(StoreError, match="running"):
            running.delete_collection("spring")
        running.fail(ROUND, "west-north", code="unavailable", reason="")
        assert running.delete_collection("spring") == COLLECTION
        assert running.collections() == []
        assert running.binding(AGREEMENT, "west-north") is None


class TestAgreements:
    def test_round_trip(self, store: Store) -> None:
        assert store.put_agreement(AGREEMENT, b"payload")
        assert not store.put_agreement(AGREEMENT, b"payload")
        assert store.add_signature(AGREEMENT, "west-force", b"w" * 64)
        assert not store.add_signature(AGREEMENT, "west-force", b"x" * 64)
        assert store.withdraw(AGREEMENT, "west-force", b"statement", b"s" * 64)
        assert not store.withdraw(AGREEMENT, "west-force", b"statement", b"s" * 64)
        row = store.agreement(AGREEMENT)
        assert row.id == AGREEMENT
        assert row.payload == b"payload"
        assert row.signatures == {"west-force": b"w" * 64}
        assert row.received_at == NOW
        assert row.withdrawn_by["west-force"].payload == b"statement"
        assert store.find_agreement(AGREEMENT) == row
        assert store.agreements() == [row]

    def test_who_proposed_it_and_who_was_reached(self, store: Store) -> None:
        store.put_agreement(AGREEMENT, b"payload", proposed_by="east-council")
        store.put_agreement(AGREEMENT, b"payload", proposed_by="another")  # the first stays
        assert store.agreement(AGREEMENT).proposed_by == "east-council"
        assert store.contacts(AGREEMENT) == {}
        store.note_contact(AGREEMENT, "north-council", "nobody answers")
        assert store.contacts(AGREEMENT) == {"north-council": Contact(NOW, None, "nobody answers")}
        store.note_contact(AGREEMENT, "north-council")
        assert store.contacts(AGREEMENT) == {"north-council": Contact(NOW, NOW, "")}
        store.note_contact(AGREEMENT, "north-council", "gone")
        assert store.contacts(AGREEMENT) == {"north-council": Contact(NOW, NOW, "gone")}
        with pytest.raises(StoreError, match="does not have the agreement"):
            store.note_contact(b"\x01" * 32, "north-council")

    def test_proposals_wait_until_they_are_answered_either_way(self, store: Store) -> None:
        ids = [bytes([number]) * 32 for number in range(4)]
        for agreement, proposer in zip(ids, ("east", "east", "east", ""), strict=True):
            store.put_agreement(agreement, b"payload", proposed_by=proposer)
        store.add_signature(ids[0], "east", b"e" * 64)  # theirs is no answer of ours
        assert store.waiting_proposals("west") == {"east": 3}
        store.add_signature(ids[0], "west", b"w" * 64)
        store.withdraw(ids[1], "west", b"statement", b"s" * 64)
        assert store.waiting_proposals("west") == {"east": 1}
        assert store.waiting_proposals("east") == {"east": 2}

    def test_other_bytes_under_the_same_id(self, store: Store) -> None:
        store.put_agreement(AGREEMENT, b"payload")
        with pytest.raises(StoreError, match="different content"):
            store.put_agreement(AGREEMENT, b"other")

    def test_prefix(self, store: Store) -> None:
        store.put_agreement(AGREEMENT, b"1")
        store.put_agreement(bytes([0xA1, 0xA1, 0xB2]) + bytes(29), b"2")
        assert store.agreement("A1A1B2").payload == b"2"
        with pytest.raises(StoreError, match="more than one"):
            store.agreement("a1a1")
        with pytest.raises(StoreError, match="there is no"):
            store.agreement("ffff")
        for wrong in ("", "a1a", "a1a%", "zzzz"):
            with pytest.raises(StoreError, match="not an agreement"):
                store.agreement(wrong)
        assert store.find_agreement(b"\xff" * 32) is None

    def test_nothing_is_added_to_an_unknown_agreement(self, store: Store) -> None:
        for call in (
            lambda: store.add_signature(AGREEMENT, "west-force", b""),
            lambda: store.withdraw(AGREEMENT, "west-force", b"", b""),
            lambda: store.bind(AGREEMENT, "west-north", COLLECTION.id),
            lambda: store.start_edge(EDGE, SEED),
        ):
            with pytest.raises(StoreError):
                call()

    def test_binding(self, store: Store) -> None:
        store.put_agreement(AGREEMENT, b"payload")
        store.add_collection(COLLECTION)
        store.add_collection(replace(COLLECTION, id="d" * 32, name="autumn"))
        assert store.binding(AGREEMENT, "west-north") is None
        store.bind(AGREEMENT, "west-north", COLLECTION.id)
        store.bind(AGREEMENT, "west-north", "d" * 32)
        assert store.binding(AGREEMENT, "west-north") == "d" * 32
        assert store.bindings(AGREEMENT) == {"west-north": "d" * 32}
        with pytest.raises(StoreError):
            store.bind(AGREEMENT, "west-north", "e" * 32)


class TestEdges:
    def test_seed_and_snapshot_while_it_runs(self, running: Store, clock: Clock) -> None:
        started = running.edge(ROUND, "west-north")
        assert started == replace(EDGE, updated_at=NOW, seed=SEED)
        clock.now += 5
        running.checkpoint(
            ROUND, "west-north", state="exchanging", snapshot=b"where it stands", done=2, total=9
        )
        row = running.edge(ROUND, "west-north")
        assert (row.state, row.snapshot, row.done, row.total) == ("exchanging", b"where it stands", 2, 9)
        assert (row.seed, row.updated_at, row.running) == (SEED, NOW + 5, True)
        assert "seed" not in repr(row)
        assert "where" not in repr(row)

    def test_lists_do_not_open_secrets(self, running: Store) -> None:
        (row,) = running.edges(ROUND)
        assert (row.seed, row.snapshot) == (b"", b"")
        assert running.edges(agreement_id=AGREEMENT) == [row]
        assert running.edges(running=True) == [row]
        assert running.edges(ROUND_2) == []

    def test_edges_stand_in_the_order_in_which_they_began(self, running: Store) -> None:
        # All in one second; by their random ids they would stand in another order.
        for number in (9, 3, 7):
            running.start_edge(replace(EDGE, round_id=bytes([number]) * 16), SEED)
        assert [row.round_id[0] for row in running.edges()] == [ROUND[0], 9, 3, 7]

    def test_secrets_are_sealed_and_bound_to_their_edge(self, running: Store, database_url: str) -> None:
        running.start_edge(replace(EDGE, edge="west-south"), SEED)
        sealed = raw(database_url, "SELECT seed FROM edges")
        assert all(SEED not in bytes(value) for (value,) in sealed)
        raw(
            database_url,
            "UPDATE edges SET seed = (SELECT seed FROM edges WHERE edge = 'west-north') WHERE edge = 'west-south'",
        )
        with pytest.raises(KeysError):
            running.edge(ROUND, "west-south")

    def test_finish_wipes_the_secrets(self, running: Store, database_url: str) -> None:
        running.checkpoint(ROUND, "west-north", state="exchanging", snapshot=b"snapshot", done=1, total=1)
        running.finish(ROUND, "west-north", receipt=b"receipt", signatures={"west-force": b"w" * 64})
        row = running.edge(ROUND, "west-north")
        assert (row.state, row.finished_at, row.running) == (CLOSED, NOW, False)
        assert (row.receipt, row.signatures) == (b"receipt", {"west-force": b"w" * 64})
        assert (row.seed, row.snapshot) == (b"", b"")
        assert raw(database_url, "SELECT seed, snapshot FROM edges") == [(None, None)]

    def test_fail_wipes_the_secrets(self, running: Store, database_url: str) -> None:
        running.fail(ROUND, "west-north", code="bad-point", reason="element 3")
        row = running.edge(ROUND, "west-north")
        assert (row.state, row.code, row.reason) == (FAILED, "bad-point", "element 3")
        assert raw(database_url, "SELECT seed, snapshot FROM edges") == [(None, None)]

    def test_nothing_follows_the_end(self, running: Store) -> None:
        running.fail(ROUND, "west-north", code="bad-point", reason="")
        for call in (
            lambda: running.checkpoint(ROUND, "west-north", state="x", snapshot=b"", done=0, total=0),
            lambda: running.finish(ROUND, "west-north", receipt=b"", signatures={}),
            lambda: running.fail(ROUND, "west-north", code="x", reason=""),
            lambda: running.checkpoint(ROUND_2, "west-north", state="x", snapshot=b"", done=0, total=0),
        ):
            with pytest.raises(StoreError, match="not running"):
                call()

    def test_an_edge_begins_once(self, running: Store) -> None:
        with pytest.raises(StoreError, match="started already"):
            running.start_edge(EDGE, bytes(32))
        assert running.edge(ROUND, "west-north").seed == SEED

    def test_unknown(self, store: Store) -> None:
        assert store.find_edge(ROUND, "west-north") is None
        with pytest.raises(StoreError, match="no edge"):
            store.edge(ROUND, "west-north")

    def test_every_edge_has_the_budget_to_itself(self, running: Store) -> None:
        assert running.rounds_used(AGREEMENT, "west-north") == 1
        assert running.rounds_used(AGREEMENT, "west-north", but=ROUND) == 0
        running.start_edge(replace(EDGE, edge="west-south", round_id=ROUND_2), SEED, rounds_budget=1)
        assert running.rounds_used(AGREEMENT, "west-north") == 1
        assert running.rounds_used(AGREEMENT, "west-south") == 1
        assert running.rounds_used_by_edge(AGREEMENT) == {"west-north": 1, "west-south": 1}
        assert running.rounds_used_by_edge(b"\x01" * 32) == {}
        with pytest.raises(PeerError) as caught:
            running.start_edge(replace(EDGE, round_id=ROUND_2), SEED, rounds_budget=1)
        assert caught.value.code is PeerCode.BUDGET_SPENT
        running.start_edge(replace(EDGE, round_id=ROUND_2), SEED, rounds_budget=2)
        assert running.rounds_used(AGREEMENT, "west-north") == 2

    def test_a_round_that_failed_before_its_first_chunk_is_not_counted(self, running: Store) -> None:
        running.fail(ROUND, "west-north", code="unavailable", reason="")
        assert running.rounds_used(AGREEMENT, "west-north") == 0
        running.start_edge(replace(EDGE, round_id=ROUND_2), SEED)
        running.checkpoint(ROUND_2, "west-north", state="exchanging", snapshot=b"", done=1, total=9)
        running.fail(ROUND_2, "west-north", code="unavailable", reason="")
        assert running.rounds_used(AGREEMENT, "west-north") == 1

    def test_two_rounds_at_once_cannot_both_take_the_last_of_the_budget(self, store: Store) -> None:
        store.put_agreement(AGREEMENT, b"payload")
        taken: list[int] = []

        def start(number: int) -> None:
            try:
                store.start_edge(replace(EDGE, round_id=bytes([number]) * 16), SEED, rounds_budget=1)
                taken.append(number)
            except PeerError:
                pass

        threads = [threading.Thread(target=start, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(taken) == 1

    def test_why_an_edge_waits_is_kept_until_it_gets_further(self, running: Store) -> None:
        key = (ROUND, "west-north")
        running.note_waiting(*key, code="unavailable", reason="nobody answers")
        row = running.edge(*key)
        assert (row.running, row.code, row.reason) == (True, "unavailable", "nobody answers")
        running.checkpoint(*key, state="exchanging", snapshot=b"s", done=1, total=2)
        assert (running.edge(*key).code, running.edge(*key).reason) == ("", "")
        running.note_waiting(*key, code="unavailable", reason="nobody answers")
        running.finish(*key, receipt=b"r", signatures={})
        assert (running.edge(*key).code, running.edge(*key).reason) == ("", "")
        with pytest.raises(StoreError, match="not running"):
            running.note_waiting(*key, code="unavailable", reason="nobody answers")

    def test_a_checkpoint_survives_kill_9(self, running: Store, database_url: str) -> None:
        program = """
import sys
from blindmatch.node.storage.sealing import Sealer
from blindmatch.node.storage.store import Store
store = Store(sys.argv[1], Sealer(bytes(range(32))))
step = 0
while True:
    step += 1
    store.checkpoint(bytes([1]) * 16, "west-north", state="exchanging", snapshot=b"%d" % step, done=step, total=0)
    print(step, flush=True)
"""
        child = subprocess.Popen(
            [sys.executable, "-c", program, database_url], stdout=subprocess.PIPE, env={**os.environ}
        )
        assert child.stdout is not None
        with child.stdout:
            said = [int(child.stdout.readline()) for _ in range(3)]
            child.send_signal(signal.SIGKILL)
            child.wait()
            said += [int(line) for line in child.stdout if line.endswith(b"\n")]
        row = running.edge(ROUND, "west-north")
        assert row.done >= said[-1]
        assert row.snapshot == b"%d" % row.done


class TestLeads:
    def test_round_trip_in_order_replacing_an_interrupted_call(self, running: Store) -> None:
        running.put_leads(ROUND, "west-north", [b"0", b"1", b"2"], NOW + 10)
        running.put_leads(ROUND, "west-north", [b"zero", b"one"], NOW + 10)
        leads = running.leads(ROUND)
        assert [(lead.position, lead.payload) for lead in leads] == [(0, b"zero"), (1, b"one")]
        assert running.leads(ROUND, "west-north") == leads
        assert running.leads(ROUND, "west-south") == []
        assert "zero" not in repr(leads)

    def test_no_leads_at_all(self, running: Store) -> None:
        running.put_leads(ROUND, "west-north", [], NOW + 10)
        assert running.leads(ROUND) == []

    def test_sealed_and_bound_to_their_place(self, running: Store, database_url: str) -> None:
        running.put_leads(ROUND, "west-north", [b"reference 17", b"reference 18"], NOW + 10)
        payloads = raw(database_url, "SELECT payload FROM leads")
        assert all(b"reference" not in bytes(value) for (value,) in payloads)
        raw(database_url, f"UPDATE leads SET expires_at = {NOW + 999}")
        with pytest.raises(KeysError):
            running.leads(ROUND)

    def test_retention(self, running: Store, clock: Clock, database_url: str) -> None:
        running.put_leads(ROUND, "west-north", [b"lead"] * 3, NOW + 10)
        running.start_edge(replace(EDGE, edge="west-south"), SEED)
        running.put_leads(ROUND, "west-south", [b"lead"], NOW + 20)
        clock.now = NOW + 10
        assert running.leads(ROUND, "west-north") == []  # past its time, also before it is erased
        assert running.erase_expired(NOW + 9)["leads"] == 0
        assert running.erase_expired(NOW + 10)["leads"] == 3
        assert raw(database_url, "SELECT edge FROM leads") == [("west-south",)]

    def test_of_an_unknown_edge(self, store: Store) -> None:
        with pytest.raises(StoreError):
            store.put_leads(ROUND, "west-north", [b"lead"], NOW)


APPENDER = """
import os, sys
from pathlib import Path
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.audit_log import AuditLog
from blindmatch.node.storage.config import make_settings
from blindmatch.node.node import Node
from blindmatch.node.storage.keyring import KeyRing
from blindmatch.node.storage.store import Store
url, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
keys = KeyRing.open(folder / "keys.json", "a passphrase")
store = Store(url, keys.sealer)
log = AuditLog(store, keys.identity, folder / "audit.head", user=f"process {os.getpid()}")
for step in range(count):
    log.append(AuditEvent.CONSULTATION, subject=f"step {step}")
store.close()
"""


def test_several_processes_append_to_one_audit_log(database_url: str, tmp_path: Path) -> None:
    keys = KeyRing.create(tmp_path / "keys.json", "a passphrase", "west-force", scrypt_n=2)
    command = [sys.executable, "-c", APPENDER, database_url, str(tmp_path), "12"]
    workers = [subprocess.Popen(command) for _ in range(3)]
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    store = Store(database_url, keys.sealer)
    rows, head = list(store.audit_rows()), read_head(tmp_path / "audit.head")
    store.close()
    assert [row.seq for row in rows] == list(range(1, 37))
    assert len({row.user for row in rows}) == 3
    assert head is not None
    assert head.seq == 36
    assert verify_log(rows, agency="west-force", public_key=keys.identity_public, heads=[head]) == []


def test_audit_rows_are_read_in_pages(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blindmatch.node.storage.store.audit._PAGE_ROWS", 3)
    keys = KeyRing.create(tmp_path / "keys.json", "a passphrase", "west-force", scrypt_n=2)
    log = AuditLog(store, keys.identity, tmp_path / "audit.head", user="officer")
    for _ in range(6):
        log.append(AuditEvent.CONSULTATION, subject="round")
    assert [row.seq for row in store.audit_rows()] == [1, 2, 3, 4, 5, 6]
    assert [row.seq for row in store.audit_rows(after=4)] == [5, 6]
    last = store.last_audit()
    assert last is not None
    assert last.seq == 6


def test_a_node_lives_on_either_database(database_url: str, tmp_path: Path) -> None:
    values = {
        "agency": "west-force",
        "name": "West Force",
        "role": "police",
        "database": {"url": database_url},
    }
    with Node.create(tmp_path / "home", make_settings(values), "a passphrase", scrypt_n=2) as node:
        node.store.add_collection(COLLECTION)
    with Node.open(tmp_path / "home", "a passphrase") as node:
        assert node.store.collections() == [COLLECTION]
        last = node.store.last_audit()
        assert last is not None
        assert json.loads(last.detail) == {"action": "init"}


def test_every_table_has_a_primary_key() -> None:
    assert all(table.primary_key.columns for table in metadata.tables.values())
