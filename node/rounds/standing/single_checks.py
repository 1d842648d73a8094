"""`blindmatch check` on this node: one record read like an import, sent or asked about; what was submitted here looked up.

A company read with a register is several records, itself and its people, and each of them is a check of its own.
"""

import csv
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from blindmatch.node import imports
from blindmatch.node.agreements import registry
from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.imports import Collection, NodeStorage, import_collection
from blindmatch.node.imports.formats import ColumnMapping
from blindmatch.node.node import Node
from blindmatch.node.rounds import standing
from blindmatch.node.rounds.inputs import PreparedInputs
from blindmatch.node.rounds.leads import ResultLead, assemble
from blindmatch.node.rounds.standing import CollectionRecords, StoredEpoch
from blindmatch.node.rounds.standing import codec as convert
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.store import CheckRow, CollectionRow
from blindmatch.node.transport.client import Peer
from blindmatch.protocol.errors import InputError, LocalError, PeerCode, PeerError, StoreError
from blindmatch.protocol.limits import POINT_BYTES, SEED_BYTES
from blindmatch.protocol.linkage import Elements, Tokens
from blindmatch.protocol.session.messages import Hits
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.standing import Received, compare, single_check
from blindmatch.protocol.standing.epoch import empty
from blindmatch.protocol.standing.single_check import CHECK_BYTES, Asking, CheckName, Single, Withholding

ROOM_BYTES = 8 << 10
"""What a stored check can say of its leads; a row has this and the submission's own size, whatever is in it."""

_CAME, _LOOKED = b"C", b"L"


@dataclass(frozen=True)
class Sender:
    """What this node's side of an edge needs to submit records."""

    kept: StoredEpoch
    withholding: Withholding

    @classmethod
    def of(cls, kept: StoredEpoch, records: CollectionRecords) -> "Sender":
        """With this node's list as its last round left it, read from the disk."""
        return cls(kept, Withholding(kept.sent().own, records.guarded))


@dataclass(frozen=True)
class CheckResult:
    """What came of one submitted record."""

    check: bytes
    agency: str
    came_at: int
    leads: tuple[ResultLead, ...] = field(repr=False)
    more: int = 0
    """Leads for which there was no room."""


def read_one(path: Path) -> dict[str, str]:
    """The only record of a CSV file with headings, or of a JSON file with one object, by field.

    Raises:
        InputError: it cannot be read, or holds none or several.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path}: cannot be read as text", hint="UTF-8, with one record.") from None
    if text.lstrip().startswith(("{", "[")):
        try:
            content = json.loads(text)
        except ValueError:
            raise InputError(f"{path}: not JSON") from None
        rows = content if isinstance(content, list) else [content]
        if not all(isinstance(row, dict) for row in rows):
            raise InputError(f"{path}: not an object of fields")
    else:
        rows = list(csv.DictReader(text.splitlines()))
    if len(rows) != 1:
        raise InputError(f"{path}: {len(rows)} records", hint="A check is of one record.")
    return {str(name): str(value) for name, value in rows[0].items() if name and value is not None}


@contextmanager
def records_of(
    node: Node,
    held: StoredAgreement,
    kept: StoredEpoch,
    fields: Mapping[str, str],
    *,
    register: Sequence[Path] = (),
    mapping: ColumnMapping | None = None,
) -> Iterator[CollectionRecords]:
    """The record as the node's importer reads it, and with a register its company's people; gone when the context ends.

    Raises:
        InputError: it says too little, or a value cannot be used.
        LocalError: the agreement lets no such record in.
    """
    edge = kept.edge
    side = edge.side(node.agency)
    role = Role.RECEIVER if side is edge.receiver else Role.SENDER
    row = {"reference": "check", **fields}
    with tempfile.TemporaryDirectory(dir=node.home, prefix=standing.ASIDE) as folder:
        host = _Aside(node, Path(folder))
        with _in_memory(row) as path:
            facts = [name for name in edge.terms.facts if name in row]
            import_collection(
                cast(NodeStorage, host),
                "check",
                side.collection_kind,
                path,
                mapping=mapping,
                facts=() if mapping else facts,
                register=list(register) or None,
                schema=held.agreement.schema,
            )
        collection = Collection(cast(NodeStorage, host), host.store.row)
        selected = collection.select(held.agreement.handling_codes)
        if not len(selected):
            raise LocalError("the agreement lets no record with this handling code in")
        yield CollectionRecords(
            collection=collection,
            selected=selected,
            agreed=kept.agreed,
            edge=edge,
            role=role,
            epoch=kept.epoch,
            seed=os.urandom(SEED_BYTES),
        )


def singles(records: CollectionRecords) -> list[Single]:
    """Each record by itself."""
    made = []
    for record in range(len(records)):
        some = np.array([record])
        inputs, keys = records.inputs(some)
        facts = (
            records.facts([some])
            if records.edge.terms.fact_bytes and records.role is Role.SENDER
            else empty(0)
        )
        made.append(Single(inputs, keys, facts))
    return made


def one_by_one(records: CollectionRecords) -> Iterator[CollectionRecords]:
    """Each record as a list of its own."""
    for record in range(len(records)):
        yield replace(records, selected=records.selected[record : record + 1])


def epoch_of(node: Node, held: StoredAgreement, edge_id: str) -> StoredEpoch:
    """The epoch in which this node can check over an edge.

    Raises:
        LocalError: the agreement allows no checks here, or no epoch is open.
        PeerError, AgreementError: no round may run under the agreement now.
    """
    edge = held.agreement.edge(edge_id)
    side = edge.side(node.agency)
    role = Role.RECEIVER if side is edge.receiver else Role.SENDER
    if not standing.stands(held.agreement, edge):
        raise LocalError(f"edge {edge_id} is not one of a standing agreement that discloses hits")
    if held.agreement.standing is None or not held.agreement.standing.checks_per_day:
        raise LocalError("the agreement allows no checks of single records")
    row = standing.current(node, held.id, edge_id, role)
    if row is None:
        raise LocalError(
            "no epoch is open on this edge", hint="A full round begins one: blindmatch round run."
        )
    registry.usable_agreement(node, held.id, node.clock(), edge=edge_id, resuming=row.epoch)
    return standing.kept(node, held.agreement, row)


async def submit(node: Node, peer: Peer, sender: Sender, record: Single) -> bytes:
    """Submit one record to the edge's receiver; the check's id, 16 bytes, by which both sides can speak of it.

    Raises:
        PeerError: the receiver refused it.
    """
    kept = sender.kept
    name = CheckName.of(kept.epoch, os.urandom(CHECK_BYTES))
    rows = single_check.submission(kept.epoch, name, record, sender.withholding, os.urandom(SEED_BYTES))
    _note(node, AuditEvent.DISCLOSURE, "submitted", name, kept, recipient=kept.row.peer)
    content = convert.Check(name, kept.row.agreement_id, rows.tobytes())
    reply = await peer.call(peer.standing.Submit, convert.submit_request(content))
    _same(convert.read_submit_reply(reply), name)
    return name.check


async def ask(
    node: Node, peer: Peer, kept: StoredEpoch, held: Received, record: CollectionRecords
) -> list[ResultLead]:
    """Ask the edge's sender about one record of ours; the lead, or none.

    Raises:
        PeerError: the sender refused it, or answered wrongly.
    """
    name = CheckName.of(kept.epoch, os.urandom(CHECK_BYTES))
    (single,) = singles(record)
    asking = Asking(kept.epoch, name, single, kept.row.public_key, os.urandom(SEED_BYTES))
    points = asking.ask()
    _note(node, AuditEvent.COMBINATION, "asked", name, kept, recipient=node.agency)
    content = convert.Check(name, kept.row.agreement_id, points.tobytes())
    reply = await peer.call(peer.standing.Ask, convert.ask_request(content))
    said, evaluated, proof = convert.read_ask_reply(reply)
    _same(said, name)
    outputs = asking.answered(single_check.rows_of(evaluated, len(points), POINT_BYTES), proof)
    hits = single_check.asked(kept.epoch, held, record.guarded, single, outputs, rounds=kept.row.rounds)
    return assemble(_prepared(record, single.key_index), hits, agency=kept.row.peer, edge=kept.row.edge)


class Lists:
    """The receiver's lists of open epochs, read once for each version."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._held: dict[tuple[bytes, str], tuple[StoredEpoch, Received]] = {}

    def of(self, epoch: bytes, edge: str) -> tuple[StoredEpoch, Received] | None:
        """An epoch's lists as its last round left them; None when it has ended."""
        node = self._node
        row = node.store.find_epoch(epoch, edge)
        if row is None or not row.open:
            self._held.pop((epoch, edge), None)
            return None
        known = self._held.get((epoch, edge))
        if known is None or known[0].row != row:
            kept = standing.kept(node, registry.find(node, row.agreement_id).agreement, row)
            known = self._held[epoch, edge] = (kept, kept.received())
        return known


def as_it_came(rows: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    """A submission as it is stored before it is looked up."""
    return (_CAME + rows.tobytes()).ljust(len(rows.reshape(-1)) + ROOM_BYTES, b"\0")


def look_up(node: Node, lists: Lists) -> int:
    """Look up every submission that waits; how many they were. One whose epoch has ended finds nothing."""
    waiting = node.store.checks(looked=False)
    for row in waiting:
        leads: list[ResultLead] = []
        known = lists.of(row.epoch, row.edge)
        if known is not None:
            leads = _compare(node, row, *known)
        node.store.put_check_result(row.id, _told(leads, len(row.payload)))
    return len(waiting)


def received(node: Node, agreement_id: bytes) -> list[CheckResult]:
    """What was submitted to this node under an agreement and has been looked up; the log says that it was looked at."""
    found = []
    for row in node.store.checks(agreement_id, looked=True):
        content = json.loads(row.payload[1:].rstrip(b"\0"))
        leads = tuple(ResultLead.from_json(json.dumps(lead).encode()) for lead in content["leads"])
        found.append(CheckResult(row.id, row.peer, row.came_at, leads, content["more"]))
    node.audit.append(
        AuditEvent.CONSULTATION,
        subject=f"checks under agreement {agreement_id.hex()}",
        recipient=node.agency,
        detail={"leads": sum(len(each.leads) for each in found)},
    )
    return found


def _compare(node: Node, row: CheckRow, kept: StoredEpoch, held: Received) -> list[ResultLead]:
    width = kept.epoch.context.row_bytes
    slots = kept.agreed.sender_tokens
    rows = np.frombuffer(row.payload, dtype=np.uint8, count=slots * width, offset=1).reshape(slots, width)
    elements = single_check.matches(held.own, rows)
    if not len(elements):
        return []
    facts = opened = None
    name = CheckName.of(kept.epoch, row.id)
    if kept.epoch.context.with_facts:
        facts, opened = single_check.submitted_facts(kept.epoch, name, held.own, elements, rows)
    made = _as_held(node, kept, held)
    hits = Hits(elements, facts, None if opened is None else ~opened)
    return assemble(made, hits, agency=row.peer, edge=row.edge)


def _as_held(node: Node, kept: StoredEpoch, held: Received) -> PreparedInputs:
    """What leads are put together from: the collection that was compared last, or the one that took its place."""
    last = node.store.edge(kept.version, kept.row.edge)
    agreement = registry.find(node, kept.row.agreement_id)
    row = node.store.find_collection(last.collection_id) or standing.collection_for(
        node, agreement, kept.row.edge
    )
    collection = imports.open_collection(node, row.id)
    records = CollectionRecords(
        collection=collection,
        selected=collection.select(agreement.agreement.handling_codes),
        agreed=kept.agreed,
        edge=kept.edge,
        role=Role.RECEIVER,
        epoch=kept.epoch,
        seed=bytes(SEED_BYTES),
    )
    made = _prepared(records, held.own.key_index)
    if row.id != last.collection_id:
        source = compare(held.own.digests, records.digests).source
        places = np.full(len(held.own), -1, dtype=np.int64)
        places[source[source >= 0]] = records.selected[np.flatnonzero(source >= 0)]
        made = replace(made, selected=places)
    return made


def _prepared(records: CollectionRecords, keys: Any) -> PreparedInputs:
    tokens = Tokens(empty(32), keys, len(keys) // records.slots, records.slots, 0, {})
    elements = Elements(records.agreed.compiled, tokens)
    return PreparedInputs(records.agreed.compiled, tokens, elements, records.collection, records.selected)


def _told(leads: Sequence[ResultLead], size: int) -> bytes:
    """What came of a submission, in exactly `size` bytes."""
    for count in range(len(leads), -1, -1):
        content = {"leads": [asdict(lead) for lead in leads[:count]], "more": len(leads) - count}
        text = _LOOKED + json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        if len(text) <= size:
            return text.ljust(size, b"\0")
    raise StoreError("a check's row has no room")


def _note(
    node: Node, event: AuditEvent, action: str, name: CheckName, kept: StoredEpoch, *, recipient: str
) -> None:
    node.audit.append(
        event,
        subject=f"check {name.check.hex()} edge {kept.row.edge}",
        recipient=recipient,
        detail={"action": action, "agreement": kept.row.agreement_id.hex(), "other": kept.row.peer},
    )


def _same(said: CheckName, name: CheckName) -> None:
    if said != name:
        raise PeerError(PeerCode.UNKNOWN_ROUND, "the answer belongs to another check")


@contextmanager
def _in_memory(row: Mapping[str, str]) -> Iterator[Path]:
    """One row as a file that lies on no disk."""
    descriptor = os.memfd_create("check")
    try:
        with os.fdopen(os.dup(descriptor), "w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(row.keys())
            writer.writerow(row.values())
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


class _OneRow:
    """The only collection of `_Aside`."""

    row: CollectionRow

    def find_collection(self, _name: str) -> None:
        """There is none yet."""

    def collections(self) -> list[CollectionRow]:
        """There is none yet."""
        return []

    def add_collection(self, row: CollectionRow) -> None:
        """Keep it."""
        self.row = row


class _Unheard:
    """A check says by itself what it does."""

    def append(self, *_arguments: object, **_more: object) -> None:
        """Nothing."""


class _Aside:
    """A place for the importer to put one record, sealed, that no collection of the node takes notice of."""

    def __init__(self, node: Node, folder: Path) -> None:
        self.keys = node.keys
        self.clock = node.clock
        self.store = _OneRow()
        self.audit = _Unheard()
        self.collections_dir = folder
