"""An epoch on this node: its row and its vault together; how it begins, and the ways in which it ends."""

import json
import shutil
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from blindmatch.node.agreements import bindings, registry
from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.node import Node
from blindmatch.node.rounds.inputs import CompiledEdge, compile_edge
from blindmatch.node.rounds.standing.epoch_files import Arrays, EpochFiles, leftovers
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.store import CollectionRow, EdgeRow, EpochRow, ExtraWrites
from blindmatch.protocol import agreement as terms
from blindmatch.protocol.agreement import Agreement, Edge
from blindmatch.protocol.errors import BlindmatchError, ConfigError, StoreError
from blindmatch.protocol.expand import Expander
from blindmatch.protocol.limits import OUTPUT_BYTES, SEED_BYTES
from blindmatch.protocol.linkage import load_schema
from blindmatch.protocol.linkage.compiled_keys import dump as dump_keys
from blindmatch.protocol.linkage.compiled_keys import load as load_keys
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.standing import Base, Epoch, ListSize, Received, RecordList, ReleasedList, TagTable

DAY_SECONDS = 86_400

ASIDE = ".check-"
"""How the folders begin in which single records are read, sealed; one that is left behind by a crash is cleared away."""

_ASIDE_SECONDS = 3_600

_KEYS = "keys"
"""Compiling takes a third of a second, as long as a small delta round: the result is kept."""


def stands(agreement: Agreement, edge: Edge) -> bool:
    """Whether rounds over this edge are those of a standing agreement."""
    return agreement.standing is not None and edge.terms.lists_hits


def local_secret(seed: bytes) -> bytes:
    """This side's own secret of the epoch that the round of this seed opens."""
    expander = Expander(seed)
    try:
        return expander.stream("epoch-local", 0, SEED_BYTES)
    finally:
        expander.wipe()


@dataclass(frozen=True)
class StoredEpoch:
    """An open epoch: its row, its keys, its secrets. Lists are read when they are wanted."""

    row: EpochRow
    agreed: CompiledEdge
    epoch: Epoch
    edge: Edge
    vault: EpochFiles

    @property
    def version(self) -> bytes:
        """Which version of the lists counts: that of the last round."""
        return self.row.rounds[-1]

    @property
    def base(self) -> Base:
        """Where the epoch stands, for a session."""
        row, agreed = self.row, self.agreed
        return Base(
            epoch=row.epoch,
            number=row.number,
            state=row.state,
            receiver=ListSize(row.receiver_records, agreed.receiver_tokens, self.edge.receiver.max_records),
            sender=ListSize(row.sender_records, agreed.sender_tokens, self.edge.sender.max_records),
            public_key=row.public_key,
        )

    def sent(self) -> ReleasedList:
        """The sender's list."""
        arrays = self.vault.read(self.version)
        return ReleasedList(_own(arrays, self.agreed.sender_tokens), arrays["fillers"])

    def received(self) -> Received:
        """The receiver's list and the sender's table."""
        arrays = self.vault.read(self.version)
        own = _own(arrays, self.agreed.receiver_tokens)
        return Received(own, TagTable(arrays["table"], arrays["came"]))


def keep_sent(vault: EpochFiles, version: bytes, sent: ReleasedList, agreed: CompiledEdge) -> None:
    """Write a version of the sender's list, and the epoch's match keys."""
    vault.write(version, {**_arrays(sent.own), "fillers": sent.fillers, _KEYS: _keys(agreed)})


def keep_received(vault: EpochFiles, version: bytes, received: Received, agreed: CompiledEdge) -> None:
    """Write a version of the receiver's list and the sender's table, and the epoch's match keys."""
    table = received.table
    arrays = {**_arrays(received.own), "table": table.rows, "came": table.came, _KEYS: _keys(agreed)}
    vault.write(version, arrays)


def vault_of(node: Node, epoch: bytes, edge: str) -> EpochFiles:
    """An epoch's vault."""
    return EpochFiles(node.epochs_dir, node.keys.sealer, epoch, edge)


def kept(node: Node, agreement: Agreement, row: EpochRow) -> StoredEpoch:
    """An open epoch with all that belongs to it.

    Raises:
        StoreError: it has ended, or its opening round is not in the store.
    """
    if not row.secret:
        raise StoreError("the epoch has ended", hint="Run a round: it begins a new one.")
    vault = vault_of(node, row.epoch, row.edge)
    keys = load_keys(vault.read_one(row.rounds[-1], _KEYS).tobytes(), load_schema(agreement.schema))
    agreed = compile_edge(agreement, node.store.edge(row.epoch, row.edge), keys)
    local, seed = row.secret[:SEED_BYTES], row.secret[SEED_BYTES:]
    return StoredEpoch(
        row=row,
        agreed=agreed,
        epoch=Epoch(agreed.context, local, seed),
        edge=agreement.edge(row.edge),
        vault=vault,
    )


def begin(node: Node, agreement: Agreement, edge: EdgeRow, agreed: CompiledEdge, **made: bytes) -> EpochRow:
    """The row of an epoch that a full round opens.

    Args:
        node: this node.
        agreement: a standing one.
        edge: the round, as stored.
        agreed: its keys.
        made: `state`; `secret`; and `public_key`.
    """
    if agreement.standing is None:
        raise StoreError("the agreement is not a standing one")
    now = int(node.clock())
    ends = min(now + agreement.standing.epoch_days * DAY_SECONDS, agreement.expires)
    return EpochRow(
        epoch=edge.round_id,
        edge=edge.edge,
        agreement_id=edge.agreement_id,
        role=edge.role,
        peer=edge.peer,
        collection=node.store.collection(edge.collection_id).name,
        opened_at=now,
        ends_at=ends,
        number=0,
        rounds=(edge.round_id,),
        state=made["state"],
        receiver_records=agreed.receiver_records,
        sender_records=agreed.sender_records,
        public_key=made["public_key"],
        secret=made["secret"],
    )


def collection_for(node: Node, held: StoredAgreement, edge_id: str) -> CollectionRow:
    """The collection that this node brings to an edge; under a standing agreement a new import takes an older one's place.

    Where the bound collection is gone and several are of its kind, the one of the name that was compared last is meant.

    Raises:
        AgreementError, ConfigError: see `bindings.collection_for`.
    """
    try:
        return bindings.collection_for(node, held, edge_id)
    except ConfigError:
        own = [row for row in node.store.epochs() if (row.agreement_id, row.edge) == (held.id, edge_id)]
        again = node.store.find_collection(own[-1].collection) if own else None
        edge = held.agreement.edge(edge_id)
        if again is None or again.kind != edge.side(node.settings.agency).collection_kind:
            raise
        bindings.check_fit(node, held.agreement, edge, again)
        return again


def current(node: Node, agreement_id: bytes, edge: str, role: Role) -> EpochRow | None:
    """The epoch that is open on an edge now; one whose time is over is ended first."""
    row = node.store.open_epoch(agreement_id, edge, role.value)
    if row is not None and node.clock() >= row.ends_at:
        end(node, row, "its time is over")
        return None
    return row


def end(node: Node, row: EpochRow, reason: str) -> bool:
    """End an epoch: its secret and everything that it kept are erased, and the log says so. False when it had ended."""
    ended = node.store.end_epoch(row.epoch, row.edge, reason)
    if ended:
        node.audit.append(
            AuditEvent.ERASURE,
            subject=f"epoch {row.epoch.hex()} edge {row.edge}",
            detail={"action": "epoch ended", "agreement": row.agreement_id.hex(), "why": reason[:200]},
        )
    vault_of(node, row.epoch, row.edge).erase()
    return ended


def end_all(node: Node, reason: str, agreement_id: bytes | None = None) -> int:
    """End every open epoch, or those of one agreement; how many they were."""
    rows = [row for row in node.store.epochs(still_open=True) if agreement_id in {None, row.agreement_id}]
    return sum(end(node, row, reason) for row in rows)


def advancing(node: Node, kept: StoredEpoch, row: EdgeRow, session: Any) -> ExtraWrites:
    """The epoch's step, stored with the receipt: the same on both sides."""
    receiver, sender = session.counts_of(Role.RECEIVER), session.counts_of(Role.SENDER)
    also: ExtraWrites = node.store.advancing_epoch(
        kept.row,
        row.round_id,
        state=session.state_after(),
        records=(
            kept.row.receiver_records + receiver.added - receiver.removed,
            kept.row.sender_records + sender.added - sender.removed,
        ),
        counts=(receiver.added, receiver.removed, sender.added, sender.removed),
        collection=node.store.collection(row.collection_id).name,
    )
    return also


def of_round(node: Node, agreement: Agreement, row: EdgeRow) -> StoredEpoch:
    """The epoch of a delta round, if it stands where the round began.

    Raises:
        StoreError: it has ended, or gone on.
    """
    delta = node.store.find_delta(row.round_id, row.edge)
    epoch = None if delta is None else node.store.find_epoch(delta.epoch, row.edge)
    if delta is None or epoch is None:
        raise StoreError("the round belongs to no epoch", hint="Start a new round.")
    if not epoch.open or epoch.number + 1 != delta.number:
        raise StoreError(
            "the epoch has ended or gone on since the round began",
            hint="Give the round up (blindmatch round abandon) and start a new one.",
        )
    return kept(node, agreement, epoch)


def told(node: Node, row: EdgeRow) -> frozenset[str]:
    """Our references that a round's leads told of, while they are kept."""
    return frozenset(
        str(json.loads(lead.payload)["reference"]) for lead in node.store.leads(row.round_id, row.edge)
    )


def clear_versions(node: Node, row: EpochRow) -> None:
    """Erase the versions that an epoch's last round made old."""
    if needed := versions(node, row.epoch, row.edge):
        vault_of(node, row.epoch, row.edge).keep_only(needed)


def clear_others(node: Node, row: EdgeRow) -> None:
    """Erase what the epochs kept that a newer one of the edge has ended."""
    for other in node.store.epochs():
        same = (other.agreement_id, other.edge, other.role) == (row.agreement_id, row.edge, row.role)
        if same and not other.open:
            vault_of(node, other.epoch, other.edge).erase()


def versions(node: Node, epoch: bytes, edge: str) -> set[bytes]:
    """The versions that an open epoch needs: that of its last round, and those of rounds under way. None, when it has ended."""
    # In this order: a round that closes in between, in another process, is in one of both.
    running = node.store.running_deltas(epoch, edge)
    row = node.store.find_epoch(epoch, edge)
    return {row.rounds[-1], *running} if row is not None and row.open else set()


def retire(node: Node) -> None:
    """End the epochs whose time, agreement or parties' will is over, and erase what belongs to none.

    Raises:
        StoreError: the store cannot be written.
    """
    now = node.clock()
    for row in node.store.epochs(still_open=True):
        if why := _over(node, row, now):
            end(node, row, why)
    # The folders first, then rounds, then epochs: what begins or closes meanwhile, in another process, is kept.
    folders = list(leftovers(node.epochs_dir))
    opening = {(row.round_id, row.edge) for row in node.store.edges(running=True)}
    for key in folders:
        vault = vault_of(node, *key)
        if needed := versions(node, *key):
            vault.keep_only(needed)
        elif key not in opening:
            vault.erase()
    for left in node.home.glob(f"{ASIDE}*"):
        if left.stat().st_mtime < now - _ASIDE_SECONDS:
            shutil.rmtree(left, ignore_errors=True)


def _over(node: Node, row: EpochRow, now: float) -> str:
    if now >= row.ends_at:
        return "its time is over"
    try:
        held = registry.find(node, row.agreement_id)
    except BlindmatchError:
        return ""  # a damaged store is no reason to erase
    if held.withdrawn:
        return f"withdrawn by {', '.join(sorted(held.withdrawn))}"
    if now >= held.agreement.expires:
        return f"the agreement expired on {terms.format_time(held.agreement.expires)}"
    return ""


def _keys(agreed: CompiledEdge) -> npt.NDArray[np.uint8]:
    """The match keys as they were compiled when the epoch began."""
    return np.frombuffer(dump_keys(agreed.compiled), dtype=np.uint8)


def _arrays(own: RecordList) -> Arrays:
    return {
        "digests": own.digests,
        "tags": own.tags,
        "key_index": own.key_index,
        "flags": own.flags,
        "outputs": own.outputs,
    }


def _own(arrays: Arrays, slots: int) -> RecordList:
    return RecordList(
        slots=slots,
        digests=arrays["digests"],
        tags=arrays["tags"],
        key_index=arrays["key_index"],
        flags=arrays["flags"],
        outputs=arrays["outputs"].reshape(-1, OUTPUT_BYTES),
    )
