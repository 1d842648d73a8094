"""Submissions that this node has received: stored, looked up in its own list, and read by its officers.

A stored submission and its result have the same length, so the size of the row does not depend on the result.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from blindmatch.node.agreements import registry
from blindmatch.node.node import Node
from blindmatch.node.rounds.inputs import PreparedInputs
from blindmatch.node.rounds.leads import ResultLead, build_leads
from blindmatch.node.rounds.standing import epochs
from blindmatch.node.rounds.standing.collection_records import open_records
from blindmatch.node.rounds.standing.stored_epoch import EpochCache, StoredEpoch
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.store import CheckRow
from blindmatch.protocol.errors import StoreError
from blindmatch.protocol.hits.messages import Hits
from blindmatch.protocol.limits import SEED_BYTES
from blindmatch.protocol.session.chunks import Bytes2D
from blindmatch.protocol.standing import single_check
from blindmatch.protocol.standing.record_list import compare_digests
from blindmatch.protocol.standing.single_check import CheckHeader

ROOM_BYTES = 8 << 10
"""The space for a result: every row has this and the size of its submission."""

_PENDING, _RESULT = b"C", b"L"
"""The first byte of a row's payload."""


@dataclass(frozen=True)
class CheckResult:
    """The result of one submitted record."""

    check: bytes
    """16 bytes."""
    agency: str
    """The agency that submitted it."""
    came_at: int
    """Seconds since 1970."""
    leads: tuple[ResultLead, ...] = field(repr=False)
    more: int = 0
    """Leads for which the row had no space."""


def pending_payload(rows: Bytes2D) -> bytes:
    """The payload of a submission (t, row_bytes) before its lookup."""
    return (_PENDING + rows.tobytes()).ljust(rows.size + ROOM_BYTES, b"\0")


def look_up(node: Node, cache: EpochCache) -> None:
    """Look up every pending submission and replace it by its result. After the end of its epoch a submission has no leads.

    Raises:
        StoreError: the store cannot be written, or an epoch's files are lost or damaged.
    """
    for row in node.store.checks(looked=False):
        epoch = cache.find(row.epoch, row.edge)
        leads = [] if epoch is None else _leads(node, row, epoch)
        node.store.put_check_result(row.id, _result_payload(leads, len(row.payload)))


def results(node: Node, agreement_id: bytes) -> list[CheckResult]:
    """The results of the records submitted to this node under an agreement. The audit log gets a consultation entry.

    Raises:
        StoreError: a stored lead is damaged.
    """
    checks = []
    for row in node.store.checks(agreement_id, looked=True):
        content = json.loads(row.payload[1:].rstrip(b"\0"))
        leads = tuple(ResultLead.from_json(json.dumps(lead).encode()) for lead in content["leads"])
        checks.append(CheckResult(row.id, row.peer, row.came_at, leads, content["more"]))
    node.audit.append(
        AuditEvent.CONSULTATION,
        subject=f"checks under agreement {agreement_id.hex()}",
        recipient=node.agency,
        detail={"leads": sum(len(check.leads) for check in checks)},
    )
    return checks


def _leads(node: Node, row: CheckRow, epoch: StoredEpoch) -> list[ResultLead]:
    """The leads of one submission."""
    context, own = epoch.secrets.context, epoch.receiver_lists.own
    slots, width = epoch.agreed.sender_tokens, context.row_bytes
    rows = single_check.rows_of(row.payload[1 : 1 + slots * width], slots, width)
    elements = single_check.submission_hits(own, rows)
    if not len(elements):
        return []
    inputs = _compared_inputs(node, epoch)
    elements = elements[inputs.selected[elements // own.slots] >= 0]
    hits = Hits(elements)
    if context.with_facts:
        name = CheckHeader.of(epoch.secrets, row.id)
        facts, opened = single_check.submitted_facts(epoch.secrets, name, own, elements, rows)
        hits = Hits(elements, facts, ~opened)
    return build_leads(inputs, hits, agency=row.peer, edge=row.edge)


def _compared_inputs(node: Node, epoch: StoredEpoch) -> PreparedInputs:
    """The inputs for leads of the receiver's stored list: from the collection that was compared last, or from its successor.

    `selected` is -1 for records that the successor does not have.
    """
    own = epoch.receiver_lists.own
    last = node.store.edge(epoch.version, epoch.row.edge)
    stored = registry.find(node, epoch.row.agreement_id)
    collection = node.store.find_collection(last.collection_id) or epochs.collection_for(
        node, stored, last.edge
    )
    # No dummy element is needed here, and a closed round has no seed.
    row = replace(last, collection_id=collection.id, seed=bytes(SEED_BYTES))
    records = open_records(node, stored.agreement, row, epoch.agreed, epoch.secrets)
    inputs = records.prepared(own.key_index)
    if collection.id == last.collection_id:
        return inputs
    source = compare_digests(own.digests, records.digests).source
    places = np.full(len(own), -1, dtype=np.int64)
    places[source[source >= 0]] = records.selected[np.flatnonzero(source >= 0)]
    return replace(inputs, selected=places)


def _result_payload(leads: Sequence[ResultLead], size: int) -> bytes:
    """A result in exactly `size` bytes, with as many leads as fit."""
    for count in range(len(leads), -1, -1):
        content = {"leads": [asdict(lead) for lead in leads[:count]], "more": len(leads) - count}
        payload = _RESULT + json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        if len(payload) <= size:
            return payload.ljust(size, b"\0")
    raise StoreError("the row of a check is too small for its result")
