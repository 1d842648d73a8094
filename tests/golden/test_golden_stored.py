"""What a node stores keeps its form: tables, sealed columns and files, keys, settings, the audit log, leads and numbers.

Random bytes (nonces, salts) come out of a counter here, so that even what is sealed is the same each time.
"""

import dataclasses
import itertools
import json
import os
import sqlite3
import tomllib

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from blindmatch.node.imports.blocks import BlockReader, BlockWriter, StoredRecord
from blindmatch.node.rounds.standing.epoch_files import EpochFiles
from blindmatch.node.storage import keyring, passphrase_encryption
from blindmatch.node.storage.audit_log import AuditEvent, AuditLog, read_head
from blindmatch.node.storage.config import make_settings
from blindmatch.node.storage.config_template import render_settings
from blindmatch.node.storage.keyring import KeyRing
from blindmatch.node.storage.round_files import RoundFiles
from blindmatch.node.storage.sealing import Sealer
from blindmatch.node.storage.store import (
    AggregateRow,
    CheckRow,
    CollectionRow,
    DeltaRow,
    EdgeRow,
    EpochRow,
    Store,
)
from blindmatch.node.storage.store.tables import SCHEMA_VERSION, metadata
from blindmatch.protocol.hits import facts
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.transcript import Ed25519Signer, Signed

NOW = 1_767_225_600
KEY = bytes(range(32))
AGREEMENT, ROUND, NEXT = b"\xa1" * 32, b"\x01" * 16, b"\x02" * 16
COLLECTION = CollectionRow(
    "c" * 32, "spring", "subjects", "OFFICIAL", "uk-person-company-2", 3, 5, NOW, {"bad": [7, "surname"]}
)
RATES = Signed(b"rates", b"r" * 64)


@pytest.fixture
def counted(monkeypatch):
    """Random bytes out of a counter."""
    numbers = itertools.count(1)

    def urandom(size):
        return next(numbers).to_bytes(8, "big").rjust(size, b"\0")[-size:]

    monkeypatch.setattr(os, "urandom", urandom)


@pytest.fixture
def store(tmp_path, counted):
    opened = Store(f"sqlite:///{tmp_path / 'node.db'}", Sealer(KEY), clock=lambda: NOW)
    yield opened
    opened.close()


def content_of(folder):
    """Every file below a folder, by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()], ids=["sqlite", "postgresql"])
def test_the_tables(golden, dialect):
    golden(f"tables: {dialect.name}", {
        "version": SCHEMA_VERSION,
        **{
            table.name: [
                " ".join(str(CreateTable(table).compile(dialect=dialect)).split()),
                *sorted(str(CreateIndex(index).compile(dialect=dialect)) for index in table.indexes),
            ]
            for table in metadata.sorted_tables
        },
    })  # fmt: skip


def fill(store):
    """One row of each kind, and what becomes of an edge and an epoch."""
    store.add_collection(COLLECTION)
    store.put_agreement(AGREEMENT, b"payload", proposed_by="north-council")
    store.add_signature(AGREEMENT, "west-force", b"s" * 64)
    store.withdraw(AGREEMENT, "north-council", b"withdrawn", b"w" * 64)
    store.note_contact(AGREEMENT, "north-council", "could not be reached")
    store.note_contact(AGREEMENT, "west-force")
    store.bind(AGREEMENT, "an-edge", COLLECTION.id)
    edge = EdgeRow(ROUND, "an-edge", AGREEMENT, "receiver", "north-council", COLLECTION.id, "preparing", NOW)
    store.start_edge(dataclasses.replace(edge, receiver_rates=RATES), b"e" * 32)
    store.put_rates(ROUND, "an-edge", Role.SENDER, Signed(b"theirs", b"t" * 64))
    store.put_statement(ROUND, "an-edge", "rates/north-council", Signed(b"of many", b"m" * 64))
    store.checkpoint(ROUND, "an-edge", state="exchanging", snapshot=b"snapshot", done=2, total=5)
    store.put_leads(ROUND, "an-edge", [b"first", b"second"], NOW + 100)
    store.put_tally(ROUND, "an-edge", b"tally", NOW + 100)
    store.put_number(AggregateRow(ROUND, "an-edge", AGREEMENT, b"number", NOW + 100))
    epoch = EpochRow(
        epoch=ROUND,
        edge="an-edge",
        agreement_id=AGREEMENT,
        role="receiver",
        peer="north-council",
        collection="spring",
        opened_at=NOW,
        ends_at=NOW + 86_400,
        number=0,
        rounds=(ROUND,),
        state=b"state".ljust(32),
        receiver_records=3,
        sender_records=9,
        public_key=bytes(32),
        secret=b"secret".ljust(64),
    )
    signatures = {"west-force": b"1" * 64, "north-council": b"2" * 64}
    store.finish(
        ROUND, "an-edge", receipt=b"receipt", signatures=signatures, extra_writes=store.opening_epoch(epoch)
    )
    again = dataclasses.replace(edge, round_id=NEXT)
    store.start_edge(again, b"f" * 32, rounds_budget=10, delta=DeltaRow(NEXT, "an-edge", ROUND, 1))
    step = store.advancing_epoch(
        epoch, NEXT, state=b"after".ljust(32), records=(4, 8), counts=(1, 0, 0, 1), collection="summer"
    )
    store.finish(NEXT, "an-edge", receipt=b"delta", signatures=signatures, extra_writes=step)
    third = dataclasses.replace(edge, round_id=b"\x03" * 16, edge="other", role="sender")
    store.start_edge(third, b"g" * 32)
    store.checkpoint(b"\x03" * 16, "other", state="offered", snapshot=b"another", done=0, total=1)
    store.note_waiting(b"\x03" * 16, "other", code="unavailable", reason="could not be reached")
    failed = dataclasses.replace(edge, round_id=b"\x04" * 16)
    store.start_edge(failed, b"h" * 32)
    store.fail(b"\x04" * 16, "an-edge", code="bad-point", reason="the reason")
    check = CheckRow(
        b"\x05" * 16, ROUND, "an-edge", AGREEMENT, "north-council", NOW, NOW + 100, False, b"check"
    )
    store.put_check(check, most=5)
    store.count_check(AGREEMENT, "an-edge", "west-force", most=5)


def test_every_row_with_its_sealed_columns(golden, store, tmp_path):
    fill(store)
    with sqlite3.connect(tmp_path / "node.db") as raw:
        rows = {
            table.name: [list(row) for row in raw.execute(f'SELECT * FROM "{table.name}"')]
            for table in metadata.sorted_tables
        }
    raw.close()
    golden("rows", rows)
    edge = store.edge(ROUND, "an-edge")
    assert (edge.seed, edge.snapshot, edge.receiver_rates) == (b"", b"", RATES)
    assert store.edge(b"\x03" * 16, "other").snapshot == b"another"


def test_sealing_and_keys(golden, counted, tmp_path):
    sealer = Sealer(KEY)
    wrapped = passphrase_encryption.encrypt(b"a secret", "passphrase é", "a context", scrypt_n=2)
    assert passphrase_encryption.decrypt(wrapped, "passphrase é", "a context") == b"a secret"
    golden("sealing", {
        "sealed": sealer.seal(b"plain", "a context"),
        "derived": sealer.derive("store").seal(b"plain", "a context"),
        "wrapped": wrapped,
    })  # fmt: skip
    KeyRing.create(tmp_path / "keys.json", "a passphrase", "west-force", scrypt_n=2)
    content = json.loads((tmp_path / "keys.json").read_text())
    golden("keys", {
        "file": keyring.FILE_NAME,
        "mode": oct((tmp_path / "keys.json").stat().st_mode & 0o777),
        "fields": {name: type(value).__name__ for name, value in content.items()},
        "master": {name: type(value).__name__ for name, value in content["master"].items()},
        "format": content["format"],
        "sizes": [len(content[name]) for name in ("identity_public", "certificate_key", "identity")],
    })  # fmt: skip


SETTINGS = {
    "agency": "west-force",
    "name": 'West "Force" é',
    "role": "police",
    "legal_basis": "Crime and Disorder Act 1998 s.115",
    "contact": "someone@west-force.example",
    "listen": "[::1]:7443",
    "engine": "ray",
    "database": {"url": "postgresql://user@host/blindmatch"},
    "tls": {"certificate": "a.pem", "authority": "b.pem", "revocation_list": "c.pem"},
    "log": {"level": "debug", "format": "console"},
    "metrics": {"listen": "127.0.0.1:9443"},
    "service": {"sessions": 5, "workers": 3, "call_seconds": 60, "drain_seconds": 1},
    "cluster": {"address": "auto", "workers": 7},
    "peers": {
        "north-council": {"address": "192.0.2.10:7443"},
        "south-council": {"address": "192.0.2.11:7443", "server_name": "other.example"},
    },
}


def test_settings(golden):
    """The values and their names; the comments of the file may be reworded."""
    plain = {name: SETTINGS[name] for name in ("agency", "name", "role")}
    golden("settings", {
        label: tomllib.loads(render_settings(make_settings(values)))
        for label, values in (("defaults", plain), ("all", SETTINGS))
    })  # fmt: skip
    assert make_settings(tomllib.loads(render_settings(make_settings(SETTINGS)))) == make_settings(SETTINGS)


def test_the_audit_log(golden, store, tmp_path):
    signer = Ed25519Signer("west-force", Ed25519PrivateKey.from_private_bytes(b"p" * 32))
    head = tmp_path / "audit.head"
    log = AuditLog(store, signer, head, user="officer-7", clock=lambda: NOW)
    log.append(AuditEvent.ALTERATION, subject="node", detail={"action": "init"})
    log.append(
        AuditEvent.DISCLOSURE,
        subject="round 0101",
        user="officer-8",
        recipient="détective team",
        justification="case 12\nsecond line",
        detail={"leads": 3, "format": "csv", "whole": True, "nothing": None},
    )
    golden("audit", {
        "events": [event.value for event in AuditEvent],
        "entries": [row.data() for row in store.audit_rows()],
        "stored": [list(vars(row).values()) for row in store.audit_rows()],
        "head": head.read_bytes(),
        "head, read": [read_head(head).seq, read_head(head).hash],
    })  # fmt: skip


def test_a_collections_files(golden, counted, tmp_path):
    folder = tmp_path / "collection"
    folder.mkdir()
    writer = BlockWriter(folder, Sealer(KEY).derive("collections"), "c" * 32, levels=2)
    digests = np.arange(5 * 2 * 16, dtype=np.uint8).reshape(5, 2, 16)
    writer.add(StoredRecord("S-1", {"value": "£5"}, {"file": "a.csv"}), "P", 2, b"entity-1")
    writer.add(StoredRecord("S-2", {}, {}), "C", 1)
    writer.flush(digests[:3])
    writer.add(StoredRecord('S"3', {"a": "é", "b": "2"}, {}), "P", 2)
    writer.flush(digests[3:])
    writer.finish("a-schema", b"d" * 32)
    golden("collection", content_of(folder))
    reader = BlockReader(folder, Sealer(KEY).derive("collections"), "c" * 32)
    golden("collection, index", dataclasses.asdict(reader.index))


def test_an_epochs_files(golden, counted, tmp_path):
    files = EpochFiles(tmp_path / "epochs", Sealer(KEY), ROUND, "an-edge")
    files.write(NEXT, {"numbers": np.arange(5, dtype=np.uint32), "rows": np.ones((2, 16), dtype=np.uint8)})
    assert (files.read(NEXT)["numbers"] == np.arange(5)).all()
    golden("epoch", content_of(tmp_path / "epochs"))


def test_a_rounds_files(golden, tmp_path):
    files = RoundFiles(tmp_path / "rounds", ROUND, "an-edge")
    files.hold()
    files.allocate("blinded", (3, 32))[:] = 7
    files.allocate("empty", (0, 16))
    files.flush()
    files.close()
    golden("round", content_of(tmp_path / "rounds"))


def test_facts_that_travel(golden):
    records = [{"value": "10", "name": "é", "secret": "x"}, {"value": "", "name": "b"}, {"value": "30"}]
    golden("facts", {
        f"{size} bytes": facts.pack(records, ("value", "name"), size) for size in (8, 40, 64, 100)
    })  # fmt: skip
