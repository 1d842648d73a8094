"""The audit log: every change, removal, insertion and reordering is found, and named by its entry."""

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.audit_log import (
    GENESIS,
    AuditLog,
    Head,
    Problem,
    read_head,
    read_heads,
    verify_log,
)
from blindmatch.node.storage.keyring import KeyRing
from blindmatch.node.storage.store import AuditRow, Store
from blindmatch.protocol.errors import StoreError

AGENCY = "west-force"


@pytest.fixture
def keys(tmp_path: Path) -> KeyRing:
    return KeyRing.create(tmp_path / "keys.json", "a passphrase", AGENCY, scrypt_n=2)


@pytest.fixture
def store(tmp_path: Path, keys: KeyRing) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'node.db'}", keys.sealer)
    yield opened
    opened.close()


@pytest.fixture
def log(store: Store, keys: KeyRing, tmp_path: Path) -> AuditLog:
    return AuditLog(
        store, keys.identity, tmp_path / "audit.head", user="officer", clock=lambda: 1_700_000_000.9
    )


@pytest.fixture
def rows(store: Store, log: AuditLog) -> list[AuditRow]:
    for event in AuditEvent:
        log.append(
            event, subject="spring", recipient="north-council", justification="case 7", detail={"records": 3}
        )
    return list(store.audit_rows())


@pytest.fixture
def head(rows: list[AuditRow], tmp_path: Path) -> Head:
    kept = read_head(tmp_path / "audit.head")
    assert kept is not None
    return kept


def found(rows: list[AuditRow], keys: KeyRing, *heads: Head) -> list[Problem]:
    return verify_log(rows, agency=AGENCY, public_key=keys.identity_public, heads=heads)


def test_the_six_words_of_the_law() -> None:
    assert {event.value for event in AuditEvent} == {
        "collection", "alteration", "consultation", "disclosure", "combination", "erasure"
    }  # fmt: skip


def test_an_event_of_a_round(store: Store, log: AuditLog) -> None:
    log.round_event(
        AuditEvent.DISCLOSURE, "closed", (b"\x01" * 16, "a-b"), recipient="north-council", leads=2, sender="x"
    )
    (row,) = store.audit_rows()
    assert (row.event, row.subject, row.recipient) == (
        "disclosure",
        "round " + "01" * 16 + " edge a-b",
        "north-council",
    )
    assert row.detail == '{"action":"closed","leads":2,"sender":"x"}'


def test_an_untouched_log(rows: list[AuditRow], head: Head, keys: KeyRing) -> None:
    assert found(rows, keys, head) == []
    assert (rows[0].seq, rows[0].previous, rows[0].time, rows[0].user) == (
        1,
        GENESIS,
        1_700_000_000,
        "officer",
    )
    assert (head.seq, head.hash) == (6, rows[-1].hash)
    assert found([], keys) == []


@pytest.mark.parametrize("index", [0, 2, 5])
@pytest.mark.parametrize("field", [field.name for field in fields(AuditRow)])
def test_every_altered_field_is_found(
    rows: list[AuditRow], head: Head, keys: KeyRing, index: int, field: str
) -> None:
    old: Any = getattr(rows[index], field)
    new = {int: lambda: old + 100, str: lambda: old + " ", bytes: lambda: bytes([old[0] ^ 1]) + old[1:]}[
        type(old)
    ]()
    rows[index] = replace(rows[index], **{field: new})
    problems = found(rows, keys, head)
    assert problems
    if field != "seq":
        assert problems[0].seq == index + 1


@pytest.mark.parametrize("index", range(6))
def test_every_removal_is_found(rows: list[AuditRow], head: Head, keys: KeyRing, index: int) -> None:
    del rows[index]
    (problem,) = found(rows, keys, head)
    assert problem.reason.startswith("missing")
    assert problem.seq == index + 1


def test_a_cut_tail_is_found_only_with_a_head(rows: list[AuditRow], head: Head, keys: KeyRing) -> None:
    assert found(rows[:3], keys) == []
    (problem,) = found(rows[:3], keys, head)
    assert problem == Problem(6, "missing: the head was signed at entry 6, the log ends at 3")
    (problem,) = found([], keys, head)
    assert problem.seq == 6


def test_a_head_that_is_behind_is_sound(
    rows: list[AuditRow], head: Head, keys: KeyRing, log: AuditLog, store: Store
) -> None:
    log.append(AuditEvent.ERASURE, subject="spring")
    assert found(list(store.audit_rows()), keys, head) == []


@pytest.mark.parametrize(("first", "second"), [(0, 1), (2, 4), (4, 5)])
def test_reordering_is_found(
    rows: list[AuditRow], head: Head, keys: KeyRing, first: int, second: int
) -> None:
    a, b = rows[first], rows[second]
    rows[first], rows[second] = replace(b, seq=a.seq), replace(a, seq=b.seq)
    problems = found(rows, keys, head)
    assert {problem.seq for problem in problems} >= {a.seq, b.seq}


def test_an_insertion_is_found(rows: list[AuditRow], head: Head, keys: KeyRing) -> None:
    later = [replace(row, seq=row.seq + 1) for row in rows[3:]]
    assert found([*rows[:3], replace(rows[2], seq=4), *later], keys, head)
    doubled = [*rows[:3], rows[2], *rows[3:]]
    assert found(doubled, keys, head)


def test_a_log_written_anew_with_another_key_is_found(
    rows: list[AuditRow], head: Head, keys: KeyRing, tmp_path: Path
) -> None:
    other = KeyRing.create(tmp_path / "other.json", "a passphrase", AGENCY, scrypt_n=2)
    forged_store = Store(f"sqlite:///{tmp_path / 'forged.db'}", other.sealer)
    forged = AuditLog(forged_store, other.identity, tmp_path / "forged.head", user="officer")
    for _ in rows:
        forged.append(AuditEvent.COLLECTION, subject="spring")
    forged_rows, forged_head = list(forged_store.audit_rows()), read_head(tmp_path / "forged.head")
    forged_store.close()
    assert forged_head is not None
    assert {p.reason for p in found(forged_rows, keys)} == {"its signature is not this node's"}
    assert Problem(6, "the head's signature is not this node's") in found(rows, keys, forged_head)
    assert Problem(6, "is not the entry for which the head was signed") in found(forged_rows, keys, head)


def test_another_agencys_log_is_not_ours(rows: list[AuditRow], keys: KeyRing) -> None:
    assert len(verify_log(rows, agency="east-force", public_key=keys.identity_public, heads=[])) == len(rows)


def test_negative_and_huge_numbers_are_problems_not_crashes(
    rows: list[AuditRow], head: Head, keys: KeyRing
) -> None:
    for value in (-1, 2**64):
        changed = [replace(rows[0], time=value), *rows[1:]]
        assert found(changed, keys, head)[0] == Problem(1, "altered: its hash does not match its content")


def test_a_cut_tail_is_found_after_the_node_went_on_writing(
    rows: list[AuditRow], keys: KeyRing, log: AuditLog, store: Store, tmp_path: Path
) -> None:
    with store.write("audit") as connection:
        connection.exec_driver_sql("DELETE FROM audit WHERE seq > 4")
    for number in range(5):
        log.append(AuditEvent.COLLECTION, subject=f"later {number}")
    heads = read_heads(tmp_path / "audit.head")
    assert [kept.seq for kept in heads] == [9, len(rows)]
    assert found(list(store.audit_rows()), keys, *heads) == [
        Problem(len(rows), "is not the entry for which the head was signed")
    ]


def test_a_slower_process_does_not_put_an_older_head_back(
    log: AuditLog, rows: list[AuditRow], tmp_path: Path
) -> None:
    log._advance_head(rows[2])
    kept = read_head(tmp_path / "audit.head")
    assert kept is not None
    assert kept.seq == 6


def test_heads_are_read_strictly(tmp_path: Path) -> None:
    assert read_head(tmp_path / "none") is None
    for content in ("", "[]", '{"seq": "x"}', '{"seq": 1, "hash": "zz", "signature": ""}'):
        (tmp_path / "head").write_text(content)
        with pytest.raises(StoreError):
            read_head(tmp_path / "head")


@pytest.mark.parametrize(
    "wrong",
    [
        {"subject": "two\nlines"},
        {"subject": "s" * 201},
        {"subject": "s", "recipient": "\x1b[31m"},
        {"subject": "s", "justification": "j" * 1_001},
        {"subject": "s", "detail": {"rows": [1, 2]}},
        {"subject": "s", "detail": {"share": 0.5}},
        {"subject": "s", "detail": {"text": "t" * 300}},
    ],
)
def test_only_short_plain_values(log: AuditLog, store: Store, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="audit"):
        log.append(AuditEvent.COLLECTION, **wrong)
    assert store.last_audit() is None


def test_an_entry_as_json_has_all_that_a_checker_needs(rows: list[AuditRow]) -> None:
    entry = json.loads(json.dumps(rows[0].data()))
    assert entry["detail"] == {"records": 3}
    assert bytes.fromhex(entry["hash"]) == rows[0].hash
    assert set(entry) == {field.name for field in fields(AuditRow)}
