"""What the store gives back: frozen dataclasses, with secrets hidden from their repr."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from sqlalchemy import Row

from blindmatch.protocol.transcript import Signed

StoredRow = TypeVar("StoredRow")

_COLUMNS = {"round_id": "round", "agreement_id": "agreement", "collection_id": "collection"}
"""The columns of fields that have another name."""


def from_columns(kind: type[StoredRow], columns: Row[Any], **converted: Any) -> StoredRow:
    """A stored row: `converted` fields, and the others from the columns of their names. Ids are bytes here, hex there."""
    for each in fields(kind):  # type: ignore[arg-type] # every kind is a dataclass
        if each.name not in converted:
            value = getattr(columns, _COLUMNS.get(each.name, each.name))
            is_id = each.type is bytes and isinstance(value, str)
            converted[each.name] = bytes.fromhex(value) if is_id else value
    return kind(**converted)


@dataclass(frozen=True)
class CollectionRow:
    """One imported collection. `detail` is sealed at rest: file names, counts, warnings of the import."""

    id: str
    """32 hex digits; also the name of its folder under `collections/`."""
    name: str
    kind: str
    marking: str
    schema: str
    records: int
    rows: int
    imported_at: int
    detail: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON lists them: all but the detail."""
        return {name: value for name, value in vars(self).items() if name != "detail"}


@dataclass(frozen=True)
class Withdrawal:
    """One party's signed word that it declines, or withdraws from, an agreement."""

    payload: bytes
    signature: bytes
    withdrawn_at: int


@dataclass(frozen=True)
class Contact:
    """When another party was last asked or told about an agreement. Times are seconds since 1970."""

    tried_at: int
    reached_at: int | None
    """When its node last answered, or called us; None when it never did."""
    error: str
    """Why the last attempt failed, or empty."""


@dataclass(frozen=True)
class AgreementRow:
    """The exact bytes of an agreement, and every signature over them that has arrived."""

    id: bytes
    """32 bytes."""
    payload: bytes = field(hash=False)
    signatures: Mapping[str, bytes] = field(hash=False)
    received_at: int
    withdrawn_by: Mapping[str, Withdrawal] = field(hash=False)
    """Who declined or withdrew."""
    proposed_by: str = ""
    """The agency whose node brought it; empty when our own officer did."""


@dataclass(frozen=True)
class EdgeRow:
    """One edge of one round.

    `seed` and `snapshot` are filled by `Store.edge` and `Store.find_edge` only, and only while the edge runs.
    """

    round_id: bytes
    """16 bytes."""
    edge: str
    agreement_id: bytes
    role: str
    """`receiver` or `sender`; in a threshold `member` or `collector`."""
    peer: str
    """The other side; for a threshold's member the collector, for its collector how many members there are."""
    collection_id: str
    """What this node brings; empty for a collector."""
    state: str
    started_at: int
    updated_at: int = 0
    finished_at: int | None = None
    """Set when the edge has finished or failed."""
    done: int = 0
    total: int = 0
    code: str = ""
    """Why it failed, or why it does not get further now; or empty."""
    reason: str = ""
    receipt: bytes = b""
    """The receipt's signed payload, or empty."""
    signatures: Mapping[str, bytes] = field(default_factory=dict)
    """The receipt's signatures by agency."""
    receiver_rates: Signed | None = field(default=None, repr=False)
    """The receiver's signed statement of rates, once it is signed; `Store.edge` and `Store.find_edge` only."""
    sender_rates: Signed | None = field(default=None, repr=False)
    """The sender's."""
    seed: bytes = field(default=b"", repr=False)
    snapshot: bytes = field(default=b"", repr=False)

    @property
    def running(self) -> bool:
        """Neither finished nor failed."""
        return self.finished_at is None


@dataclass(frozen=True)
class EpochRow:
    """One epoch of a standing agreement, on one edge, as this side holds it."""

    epoch: bytes
    """16 bytes: the id of the round that opened it."""
    edge: str
    agreement_id: bytes
    role: str
    peer: str
    collection: str
    """The name of the collection that was compared last."""
    opened_at: int
    ends_at: int
    number: int
    """Delta rounds so far."""
    rounds: tuple[bytes, ...]
    """The ids of all its rounds, the opening one first; the last names the version of the stored files."""
    state: bytes
    """32 bytes that both sides hold."""
    receiver_records: int
    sender_records: int
    public_key: bytes
    """The sender's OPRF public key where evaluation is verified, else 32 zeros."""
    secret: bytes = field(default=b"", repr=False)
    """Empty once the epoch has ended."""
    ended_at: int | None = None
    reason: str = ""
    """Why it ended."""

    @property
    def open(self) -> bool:
        """It has not ended."""
        return self.ended_at is None


@dataclass(frozen=True)
class DeltaRow:
    """What makes a round a delta round."""

    round_id: bytes
    edge: str
    epoch: bytes
    number: int
    counts: tuple[int, int, int, int] | None = None
    """Records added and removed by the receiver, and by the sender, once the round has closed."""


@dataclass(frozen=True)
class CheckRow:
    """One record that another agency submitted."""

    id: bytes
    """16 bytes, chosen by the other side."""
    epoch: bytes
    edge: str
    agreement_id: bytes
    peer: str
    came_at: int
    expires_at: int
    looked: bool
    """Whether it was looked up yet."""
    payload: bytes = field(repr=False)


@dataclass(frozen=True)
class LeadRow:
    """One lead of one edge: the bytes that were put in, opened again."""

    round_id: bytes
    edge: str
    position: int
    payload: bytes = field(repr=False)
    expires_at: int


@dataclass(frozen=True)
class AggregateRow:
    """The count or sum of one edge of one round: the bytes that were put in, opened again."""

    round_id: bytes
    edge: str
    agreement_id: bytes
    payload: bytes = field(repr=False)
    expires_at: int


@dataclass(frozen=True)
class AuditRow:
    """One audit entry as stored; `blindmatch.node.storage.audit_log` signs and verifies it."""

    seq: int
    time: int
    user: str
    event: str
    subject: str
    recipient: str
    justification: str
    detail: str
    """Canonical JSON."""
    previous: bytes
    hash: bytes
    signature: bytes

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON has them, with every field that a verification elsewhere needs."""
        values = {**vars(self), "detail": json.loads(self.detail)}
        return {name: value.hex() if isinstance(value, bytes) else value for name, value in values.items()}
