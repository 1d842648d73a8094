"""Checks that this node runs: records that it submits as the sender of an edge, or queries as its receiver.

The audit entry is written before the message is sent.
"""

import os
from dataclasses import replace

from blindmatch.node.agreements import registry
from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.node import Node
from blindmatch.node.rounds.leads import ResultLead, build_leads
from blindmatch.node.rounds.standing import codec, epochs, stored_epoch
from blindmatch.node.rounds.standing.codec import CheckRequest
from blindmatch.node.rounds.standing.collection_records import CollectionRecords
from blindmatch.node.rounds.standing.stored_epoch import StoredEpoch
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.transport.client import Peer
from blindmatch.protocol.errors import LocalError, PeerCode, PeerError
from blindmatch.protocol.limits import POINT_BYTES, SEED_BYTES
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.standing import single_check
from blindmatch.protocol.standing.single_check import (
    CHECK_BYTES,
    CheckHeader,
    Query,
    SingleRecord,
    Withholding,
)


def load_epoch(node: Node, stored: StoredAgreement, edge_id: str) -> StoredEpoch:
    """The open epoch in which this node can check records over an edge.

    Raises:
        LocalError: the agreement allows no checks on this edge, or no epoch is open.
        PeerError, AgreementError: no round may run under the agreement now.
    """
    edge = stored.agreement.edge(edge_id)
    role = Role.RECEIVER if edge.side(node.agency) is edge.receiver else Role.SENDER
    if not epochs.is_standing(stored.agreement, edge):
        raise LocalError(f"edge {edge_id} does not disclose hits under a standing agreement")
    if stored.agreement.standing is None or not stored.agreement.standing.checks_per_day:
        raise LocalError("the agreement allows no checks of single records")
    row = epochs.find_open(node, stored.id, edge_id, role)
    if row is None:
        raise LocalError(
            "no epoch is open on this edge", hint="A full round opens an epoch: blindmatch round run."
        )
    registry.usable_agreement(node, stored.id, node.clock(), edge=edge_id, resuming=row.epoch)
    return stored_epoch.load(node, stored.agreement, row)


class _Checks:
    """Checks of some records, one call each, over one edge.

    Args:
        node: this node.
        epoch: the edge's open epoch.
        records: the records.
    """

    _event: AuditEvent
    _action: str

    def __init__(self, node: Node, epoch: StoredEpoch, records: CollectionRecords) -> None:
        self._node = node
        self._epoch = epoch
        self._records = records
        self._singles = [records.single(record) for record in range(len(records))]

    def _new_check(self) -> CheckHeader:
        return CheckHeader.of(self._epoch.secrets, os.urandom(CHECK_BYTES))

    def _request(self, name: CheckHeader, content: bytes, recipient: str) -> CheckRequest:
        """A request, once the audit log has an entry on it."""
        row = self._epoch.row
        self._node.audit.append(
            self._event,
            subject=f"check {name.check.hex()} edge {row.edge}",
            recipient=recipient,
            detail={"action": self._action, "agreement": row.agreement_id.hex(), "other": row.peer},
        )
        return CheckRequest(name, row.agreement_id, content)

    @staticmethod
    def _expect(name: CheckHeader, reply: CheckHeader) -> None:
        if reply != name:
            raise PeerError(PeerCode.UNKNOWN_ROUND, "the answer belongs to another check")


class Submissions(_Checks):
    """Submits records to the receiver of an edge; see `_Checks`. Reads this node's list from the disk when it is built."""

    _event, _action = AuditEvent.DISCLOSURE, "submitted"

    def __init__(self, node: Node, epoch: StoredEpoch, records: CollectionRecords) -> None:
        super().__init__(node, epoch, records)
        self._withholding = Withholding(epoch.sender_list().own, records.guarded)

    async def run(self, peer: Peer) -> tuple[bytes, ...]:
        """Submit every record; the ids of the checks, 16 bytes each, which both sides store or log.

        Raises:
            PeerError: the receiver refused a check.
        """
        return tuple([await self._submit(peer, single) for single in self._singles])

    async def _submit(self, peer: Peer, single: SingleRecord) -> bytes:
        name, secrets = self._new_check(), self._epoch.secrets
        rows = single_check.submission(secrets, name, single, self._withholding, os.urandom(SEED_BYTES))
        request = self._request(name, rows.tobytes(), self._epoch.row.peer)
        reply = await peer.call(peer.standing.Submit, codec.submit_request(*request.fields))
        self._expect(name, CheckHeader(*codec.submit_reply.read(reply)))
        return name.check


class Queries(_Checks):
    """Queries records at the sender of an edge; see `_Checks`. Reads the stored lists from the disk when it is built."""

    _event, _action = AuditEvent.COMBINATION, "asked"

    def __init__(self, node: Node, epoch: StoredEpoch, records: CollectionRecords) -> None:
        super().__init__(node, epoch, records)
        self._lists = epoch.receiver_lists

    async def run(self, peer: Peer) -> tuple[ResultLead, ...]:
        """Query every record; the leads of those that the sender holds too.

        Raises:
            PeerError: the sender refused a check, or its answer is not valid.
        """
        leads: list[ResultLead] = []
        for record, single in enumerate(self._singles):
            leads += await self._query(peer, record, single)
        return tuple(leads)

    async def _query(self, peer: Peer, record: int, single: SingleRecord) -> list[ResultLead]:
        name, epoch = self._new_check(), self._epoch
        row = epoch.row
        query = Query(epoch.secrets, name, single, row.public_key, os.urandom(SEED_BYTES))
        points = query.blind()
        request = self._request(name, points.tobytes(), self._node.agency)
        reply = await peer.call(peer.standing.Ask, codec.ask_request(*request.fields))
        header, check, evaluated, proof = codec.ask_reply.read(reply)
        self._expect(name, CheckHeader(header, check))
        outputs = query.receive_answer(single_check.rows_of(evaluated, len(points), POINT_BYTES), proof)
        guarded = self._records.guarded
        hits = single_check.query_hits(
            epoch.secrets, self._lists, guarded, single, outputs, rounds=row.rounds
        )
        selected = self._records.selected[record : record + 1]
        inputs = replace(self._records.prepared(single.key_index), selected=selected)
        return build_leads(inputs, hits, agency=row.peer, edge=row.edge)
