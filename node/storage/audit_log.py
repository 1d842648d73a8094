"""The audit log: append-only, hash-chained, every entry signed, with the six kinds of event that the law names.

Data Protection Act 2018 s.62 requires a record of who did what, when, and who received it. Entry `n` contains the hash of entry
`n - 1`; its own hash covers every field and is signed with the node's identity key. The signed *head*, the
last entry's number and hash, is also stored in a file beside the database, so that a truncated log is detected, even
after the node has written further entries: a head that the log no longer contains stays in that file permanently.
This cannot detect an administrator who restores an older copy of both: store an exported head on another machine
and pass it to `blindmatch audit verify --head`.
"""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.files import write_atomically
from blindmatch.node.storage.store import AuditRow, Store
from blindmatch.protocol.errors import PeerError, StoreError
from blindmatch.protocol.limits import DIGEST_BYTES
from blindmatch.protocol.transcript import Signer, digest, encode, sign, verify

HEAD_NAME = "audit.head"
ENTRY_TYPE = "application/vnd.blindmatch.audit-entry.v1"
HEAD_TYPE = "application/vnd.blindmatch.audit-head.v1"
GENESIS = bytes(DIGEST_BYTES)
"""The `previous` hash of the first entry."""

_LONGEST_TEXT, _LONGEST_JUSTIFICATION = 200, 1_000

Detail = Mapping[str, "str | int | bool | None"]


@dataclass(frozen=True)
class Head:
    """The number and hash of a log's last entry, signed."""

    seq: int
    hash: bytes
    signature: bytes

    def to_json(self) -> str:
        """One line of JSON, to be stored on another machine."""
        return json.dumps({"seq": self.seq, "hash": self.hash.hex(), "signature": self.signature.hex()})

    @classmethod
    def from_json(cls, text: str) -> "Head":
        """Read the output of `to_json`.

        Raises:
            StoreError: the text is not a head.
        """
        try:
            content = json.loads(text)
            return cls(
                int(content["seq"]), bytes.fromhex(content["hash"]), bytes.fromhex(content["signature"])
            )
        except (ValueError, TypeError, KeyError):
            raise StoreError("the audit head is damaged", hint="Use an exported head.") from None


@dataclass(frozen=True)
class Problem:
    """One fault of a log, at the entry `seq`."""

    seq: int
    reason: str


class AuditLog:
    """Appends to one node's log."""

    def __init__(
        self,
        store: Store,
        signer: Signer,
        head_file: Path,
        *,
        user: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Append to `store`, signing as `signer`, with the head in `head_file`; `user` is the default user."""
        self._store = store
        self._signer = signer
        self._head_file = head_file
        self._user = user
        self._clock = clock

    def append(
        self,
        event: AuditEvent,
        *,
        subject: str,
        user: str = "",
        recipient: str = "",
        justification: str = "",
        detail: Detail | None = None,
    ) -> AuditRow:
        """Append one entry, durably.

        Args:
            event: the kind of event.
            subject: the collection, agreement or round concerned; never a person.
            user: who acted; empty for the user for whom the log was opened.
            recipient: the agency or file that received something, if any.
            justification: the user's reason; optional since 2025.
            detail: counts, ids and codes. Never a value from a record.

        Raises:
            ValueError: a text is too long or has several lines, or the detail contains anything but plain values.
            StoreError: the log cannot be written.
        """
        texts = {"subject": subject, "user": user or self._user, "recipient": recipient, **_texts(detail)}
        for name, value in texts.items():
            if len(value) > _LONGEST_TEXT or not value.isprintable():
                raise ValueError(f"audit {name}: one line of at most {_LONGEST_TEXT} characters")
        if len(justification) > _LONGEST_JUSTIFICATION:
            raise ValueError(f"audit justification: at most {_LONGEST_JUSTIFICATION} characters")
        canonical = json.dumps(dict(detail or {}), sort_keys=True, separators=(",", ":"))

        def build(last: AuditRow | None) -> AuditRow:
            row = AuditRow(
                seq=1 if last is None else last.seq + 1,
                time=int(self._clock()),
                user=user or self._user,
                event=event.value,
                subject=subject,
                recipient=recipient,
                justification=justification,
                detail=canonical,
                previous=GENESIS if last is None else last.hash,
                hash=b"",
                signature=b"",
            )
            hashed = _hash(self._signer.agency, row)
            signature = sign(self._signer, ENTRY_TYPE, hashed).signature
            return AuditRow(**{**vars(row), "hash": hashed, "signature": signature})

        row = self._store.append_audit(build)
        self._advance_head(row)
        return row

    def round_event(
        self,
        event: AuditEvent,
        action: str,
        comparison: tuple[bytes, str],
        *,
        recipient: str = "",
        **detail: str | int,
    ) -> AuditRow:
        """Append one entry about an edge or a threshold of a round.

        Args:
            event: the kind of event.
            action: what happened: `opened`, `closed`, `failed`, `abandoned`, ...
            comparison: round id, and the id of the edge or threshold.
            recipient: the agency that received something, if any.
            detail: see `append`.

        Raises:
            ValueError, StoreError: see `append`.
        """
        round_id, edge = comparison
        return self.append(
            event,
            subject=f"round {round_id.hex()} edge {edge}",
            recipient=recipient,
            detail={"action": action, **detail},
        )

    def _advance_head(self, row: AuditRow) -> None:
        # The head is written after the entry is committed: a crash in between leaves a head that is behind, which is valid; a
        # head that is ahead would look like a truncated log. The lock stops a slower process from restoring an older head.
        try:
            with _locked(self._head_file):
                stored = read_heads(self._head_file)
                if stored and (stored[0].seq, stored[0].hash) == (row.seq, row.hash):
                    return
                if not stored or stored[0].seq < row.seq:
                    lost = stored[1:]
                elif stored[0].seq == row.seq:
                    # Another entry had this number when the head was signed: the tail was cut, and this is the proof.
                    lost = stored
                else:
                    return
                signed = sign(self._signer, HEAD_TYPE, _head(self._signer.agency, row.seq, row.hash))
                lines = [head.to_json() + "\n" for head in (Head(row.seq, row.hash, signed.signature), *lost)]
                write_atomically(self._head_file, "".join(lines).encode())
        except OSError as error:
            raise StoreError(f"{self._head_file}: cannot be written: {error.strerror}") from None


def read_head(path: Path) -> Head | None:
    """The newest head in a file, or None when there is no such file.

    Raises:
        StoreError: it is damaged or cannot be read.
    """
    heads = read_heads(path)
    return heads[0] if heads else None


def read_heads(path: Path) -> list[Head]:
    """All heads in a file: the newest, then those whose entries are missing from the log. Empty without a file.

    Raises:
        StoreError: it is damaged or cannot be read.
    """
    try:
        return [Head.from_json(line) for line in path.read_text(encoding="utf-8").splitlines() or [""]]
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError):
        raise StoreError(f"{path}: cannot be read") from None


def verify_log(
    rows: Iterable[AuditRow], *, agency: str, public_key: bytes, heads: Iterable[Head]
) -> list[Problem]:
    """Every sign that a log was changed: an entry altered, removed, inserted or moved, or the log truncated.

    Args:
        rows: the whole log, in order of `seq`.
        agency: the owner of the log.
        public_key: the node's Ed25519 identity key, 32 bytes.
        heads: heads that the log must still contain. Without one, a truncated log cannot be detected.
    """
    problems: list[Problem] = []
    waiting: dict[int, set[bytes]] = {}
    for head in heads:
        waiting.setdefault(head.seq, set()).add(head.hash)
        if not _is_signed(public_key, HEAD_TYPE, _head(agency, head.seq, head.hash), head.signature):
            problems.append(Problem(head.seq, "the head's signature is not this node's"))
    expected, previous = 1, GENESIS
    for row in rows:
        if row.seq != expected:
            problems.append(Problem(expected, f"missing: the next entry is {row.seq}"))
        elif row.previous != previous:
            problems.append(Problem(row.seq, "does not contain the hash of the entry before it"))
        if row.hash != _hash(agency, row):
            problems.append(Problem(row.seq, "altered: its hash does not match its content"))
        elif not _is_signed(public_key, ENTRY_TYPE, row.hash, row.signature):
            problems.append(Problem(row.seq, "its signature is not this node's"))
        if waiting.pop(row.seq, set()) - {row.hash}:
            problems.append(Problem(row.seq, "is not the entry for which the head was signed"))
        expected, previous = row.seq + 1, row.hash
    problems += [
        Problem(seq, f"missing: the head was signed at entry {seq}, the log ends at {expected - 1}")
        for seq in sorted(waiting)
        if seq >= expected
    ]
    return problems


def _texts(detail: Detail | None) -> dict[str, str]:
    texts = {}
    for name, value in (detail or {}).items():
        if value is not None and not isinstance(value, str | int):
            raise ValueError(f"audit detail {name}: only text, whole numbers, true, false and null")
        texts[f"detail {name}"] = f"{name} {value}"
    return texts


def _hash(agency: str, row: AuditRow) -> bytes:
    texts = (row.user, row.event, row.subject, row.recipient, row.justification, row.detail)
    try:
        return digest(encode("audit-entry", agency, row.seq, row.time, *texts, row.previous))
    except OverflowError:
        return b""  # no entry has this number, so no hash can match


def _head(agency: str, seq: int, hashed: bytes) -> bytes:
    return encode("audit-head", agency, seq, hashed)


def _is_signed(public_key: bytes, payload_type: str, payload: bytes, signature: bytes) -> bool:
    try:
        verify(public_key, payload_type, payload, signature)
    except PeerError:
        return False
    return True


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
