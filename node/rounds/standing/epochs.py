"""The life of an epoch on this node: it opens with a full round, advances with delta rounds, and ends."""

import json
from typing import Any

from blindmatch.node.agreements import bindings, registry
from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.node import Node
from blindmatch.node.rounds.inputs import CompiledEdge
from blindmatch.node.rounds.standing import stored_epoch
from blindmatch.node.rounds.standing.epoch_files import leftovers
from blindmatch.node.rounds.standing.stored_epoch import StoredEpoch, files_of
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.store import CollectionRow, EdgeRow, EpochRow, ExtraWrites
from blindmatch.protocol import agreement as terms
from blindmatch.protocol.agreement import Agreement, Edge
from blindmatch.protocol.errors import BlindmatchError, ConfigError, StoreError
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.standing.epoch import first_state

DAY_SECONDS = 86_400

_EXPIRED = "the epoch has expired"


def is_standing(agreement: Agreement, edge: Edge) -> bool:
    """Whether the rounds of an edge open and advance epochs: it discloses hits under a standing agreement."""
    return agreement.standing is not None and edge.terms.lists_hits


def find_open(node: Node, agreement_id: bytes, edge: str, role: Role) -> EpochRow | None:
    """The epoch that is open on an edge, with its secret, or None. An expired epoch is ended first."""
    row = node.store.open_epoch(agreement_id, edge, role.value)
    if row is not None and node.clock() >= row.ends_at:
        end(node, row, _EXPIRED)
        return None
    return row


def load_of_round(node: Node, agreement: Agreement, row: EdgeRow) -> StoredEpoch:
    """The epoch of a delta round, if it is still in the state in which the round started.

    Raises:
        StoreError: the epoch has ended or advanced, or the round belongs to none.
    """
    delta = node.store.find_delta(row.round_id, row.edge)
    epoch = None if delta is None else node.store.find_epoch(delta.epoch, row.edge)
    if delta is None or epoch is None:
        raise StoreError("the round belongs to no epoch", hint="Start a new round.")
    if not epoch.open or epoch.number + 1 != delta.number:
        raise StoreError(
            "the epoch has ended or advanced since the round started",
            hint="Abandon the round (blindmatch round abandon) and start a new one.",
        )
    return stored_epoch.load(node, agreement, epoch)


def opening_writes(
    node: Node,
    agreement: Agreement,
    edge: EdgeRow,
    agreed: CompiledEdge,
    *,
    receipt: bytes,
    secret: bytes,
    public_key: bytes,
) -> ExtraWrites:
    """The writes that open an epoch, in the transaction that closes its full round.

    Args:
        node: this node.
        agreement: a standing one.
        edge: the round, as stored.
        agreed: its keys.
        receipt: of the round, the signed bytes.
        secret: this side's own secret, 32 bytes; on the sender's side followed by 32 bytes of the key's seed.
        public_key: the sender's.

    Raises:
        StoreError: the agreement is not a standing one.
    """
    if agreement.standing is None:
        raise StoreError("the agreement is not a standing one")
    now = int(node.clock())
    row = EpochRow(
        epoch=edge.round_id,
        edge=edge.edge,
        agreement_id=edge.agreement_id,
        role=edge.role,
        peer=edge.peer,
        collection=node.store.collection(edge.collection_id).name,
        opened_at=now,
        ends_at=min(now + agreement.standing.epoch_days * DAY_SECONDS, agreement.expires),
        number=0,
        rounds=(edge.round_id,),
        state=first_state(agreed.context, receipt),
        receiver_records=agreed.receiver_records,
        sender_records=agreed.sender_records,
        public_key=public_key,
        secret=secret,
    )
    return node.store.opening_epoch(row)


def advancing_writes(node: Node, epoch: StoredEpoch, row: EdgeRow, session: Any) -> ExtraWrites:
    """The writes that advance an epoch, in the transaction that closes a delta round; the same on both sides."""
    receiver, sender = session.counts_of(Role.RECEIVER), session.counts_of(Role.SENDER)
    before = epoch.row
    return node.store.advancing_epoch(
        before,
        row.round_id,
        state=session.state_after(),
        records=(
            before.receiver_records + receiver.added - receiver.removed,
            before.sender_records + sender.added - sender.removed,
        ),
        counts=(receiver.added, receiver.removed, sender.added, sender.removed),
        collection=node.store.collection(row.collection_id).name,
    )


def collection_for(node: Node, stored: StoredAgreement, edge_id: str) -> CollectionRow:
    """This node's collection for an edge of a standing agreement.

    When the bound collection was deleted and several of its kind exist, the collection with the name that was last compared
    replaces it.

    Raises:
        AgreementError, ConfigError: see `bindings.collection_for`.
    """
    try:
        return bindings.collection_for(node, stored, edge_id)
    except ConfigError:
        epochs = [row for row in node.store.epochs() if (row.agreement_id, row.edge) == (stored.id, edge_id)]
        successor = node.store.find_collection(epochs[-1].collection) if epochs else None
        edge = stored.agreement.edge(edge_id)
        if successor is None or successor.kind != edge.side(node.settings.agency).collection_kind:
            raise
        bindings.check_fit(node, stored.agreement, edge, successor)
        return successor


def lead_references(node: Node, row: EdgeRow) -> frozenset[str]:
    """Our own references in the leads of a round that have not expired."""
    return frozenset(
        str(json.loads(lead.payload)["reference"]) for lead in node.store.leads(row.round_id, row.edge)
    )


def end(node: Node, row: EpochRow, reason: str) -> bool:
    """End an epoch: erase its secret and its files, with an entry in the audit log. False when it had ended already.

    Raises:
        StoreError: the store cannot be written.
    """
    ended = node.store.end_epoch(row.epoch, row.edge, reason)
    if ended:
        node.audit.append(
            AuditEvent.ERASURE,
            subject=f"epoch {row.epoch.hex()} edge {row.edge}",
            detail={"action": "epoch ended", "agreement": row.agreement_id.hex(), "why": reason[:200]},
        )
    files_of(node, row.epoch, row.edge).erase()
    return ended


def end_all(node: Node, reason: str, agreement_id: bytes | None = None) -> int:
    """End every open epoch, or those of one agreement; the number that were ended. Raises as `end`."""
    rows = [row for row in node.store.epochs(still_open=True) if agreement_id in {None, row.agreement_id}]
    return sum(end(node, row, reason) for row in rows)


def erase_old_versions(node: Node, row: EpochRow) -> None:
    """Erase the versions of an epoch's lists that its last round has replaced."""
    if needed := _needed_versions(node, row.epoch, row.edge):
        files_of(node, row.epoch, row.edge).keep_only(needed)


def erase_ended(node: Node, row: EdgeRow) -> None:
    """Erase the files of the ended epochs of an edge, after a newer one has opened."""
    for epoch in node.store.epochs():
        same = (epoch.agreement_id, epoch.edge, epoch.role) == (row.agreement_id, row.edge, row.role)
        if same and not epoch.open:
            files_of(node, epoch.epoch, epoch.edge).erase()


def purge(node: Node) -> None:
    """End the epochs that have expired or whose agreement has ended, and erase files that belong to no open epoch.

    Raises:
        StoreError: the store cannot be written.
    """
    for row in node.store.epochs(still_open=True):
        if reason := _end_reason(node, row):
            end(node, row, reason)
    # List the folders first, then rounds, then epochs: what another process opens or closes meanwhile is not erased.
    folders = list(leftovers(node.epochs_dir))
    running = {(row.round_id, row.edge) for row in node.store.edges(running=True)}
    for key in folders:
        if needed := _needed_versions(node, *key):
            files_of(node, *key).keep_only(needed)
        elif key not in running:
            files_of(node, *key).erase()


def _needed_versions(node: Node, epoch: bytes, edge: str) -> set[bytes]:
    """The versions that an open epoch needs: of its last round, and of running rounds. Empty for an ended epoch."""
    # In this order: a round that another process closes in between appears in at least one of the two.
    running = node.store.running_deltas(epoch, edge)
    row = node.store.find_epoch(epoch, edge)
    return {row.rounds[-1], *running} if row is not None and row.open else set()


def _end_reason(node: Node, row: EpochRow) -> str:
    """Why an epoch must end now, or an empty text."""
    now = node.clock()
    if now >= row.ends_at:
        return _EXPIRED
    try:
        stored = registry.find(node, row.agreement_id)
    except BlindmatchError:
        return ""  # a damaged store is no reason to erase
    if stored.withdrawn:
        return f"withdrawn by {', '.join(sorted(stored.withdrawn))}"
    if now >= stored.agreement.expires:
        return f"the agreement expired on {terms.format_time(stored.agreement.expires)}"
    return ""
