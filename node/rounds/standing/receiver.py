"""Rounds of a standing agreement on the receiver's side: the full round that opens an epoch, and delta rounds within it."""

from typing import Any

from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.node import Node
from blindmatch.node.rounds.driver import SetLater
from blindmatch.node.rounds.hits.receiver import HitsReceivingEdge
from blindmatch.node.rounds.inputs import PreparedInputs, prepare_inputs
from blindmatch.node.rounds.outbound import stream_seconds
from blindmatch.node.rounds.standing import codec, epochs
from blindmatch.node.rounds.standing.collection_records import CollectionRecords, open_records
from blindmatch.node.rounds.standing.stored_epoch import (
    StoredEpoch,
    derive_local_secret,
    files_of,
    write_receiver_lists,
)
from blindmatch.node.storage.store import CLOSED, DeltaRow, EdgeRow, ExtraWrites
from blindmatch.node.transport.client import Peer
from blindmatch.node.transport.error_status import RefusalError
from blindmatch.protocol.agreement import Edge
from blindmatch.protocol.errors import AgreementError, PeerCode, PeerError
from blindmatch.protocol.hits.messages import TagChunk
from blindmatch.protocol.hits.receiver import Receiver
from blindmatch.protocol.limits import OUTPUT_BYTES
from blindmatch.protocol.session.element_rows import RowSource
from blindmatch.protocol.session.messages import Receipt
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.standing import list_updates
from blindmatch.protocol.standing.delta import DeltaReceiver
from blindmatch.protocol.standing.epoch import Epoch, no_rows
from blindmatch.protocol.standing.list_updates import ReceiverList
from blindmatch.protocol.standing.record_list import FreshSlots, ListChange, compare_digests
from blindmatch.protocol.standing.statements import ChangeCounts
from blindmatch.protocol.transcript import Signed


class _StandingEdge(HitsReceivingEdge):
    """Both kinds of round: leads are computed from the stored lists, not from the messages of the round alone."""

    def _records(self, row: EdgeRow, epoch: Epoch) -> CollectionRecords:
        return open_records(self._node, self._agreement, row, self.agreed, epoch)

    def _outputs(self, session: Receiver) -> Any:
        return session.own_outputs() if self.agreed.context.with_facts else no_rows(OUTPUT_BYTES)

    def _store_all_leads(
        self, epoch: Epoch, lists: ReceiverList, records: CollectionRecords, rounds: tuple[bytes, ...]
    ) -> None:
        """Store the leads of all stored records; a lead is new if the last closed comparison did not give it."""
        inputs = records.prepared(lists.own.key_index)
        self._store_leads(list_updates.current_hits(epoch, lists, rounds), inputs, self._known())

    def _known(self) -> frozenset[str] | None:
        """Our references in the leads of the last closed round, or None without one."""
        rows = [
            row
            for row in self._node.store.edges(agreement_id=self.row.agreement_id)
            if (row.edge, row.role, row.state) == (self.row.edge, Role.RECEIVER.value, CLOSED)
            and row.round_id != self.row.round_id
        ]
        if not rows:
            return None
        last = max(rows, key=lambda row: row.finished_at or 0)
        return epochs.lead_references(self._node, last)


def next_delta(
    node: Node, stored: StoredAgreement, edge: Edge, round_id: bytes, *, full: bool
) -> DeltaRow | None:
    """The row of a new delta round in an edge's open epoch, or None for a full round, which compares all records.

    Args:
        node: this node, the receiver.
        stored: the agreement.
        edge: one of its edges.
        round_id: the new round.
        full: end the open epoch, if there is one.
    """
    if not epochs.is_standing(stored.agreement, edge):
        return None
    epoch = epochs.find_open(node, stored.id, edge.id, Role.RECEIVER)
    if epoch is not None and full:
        epochs.end(node, epoch, "an officer started a full round")
        return None
    return None if epoch is None else DeltaRow(round_id, edge.id, epoch.epoch, epoch.number + 1)


class OpeningReceivingEdge(_StandingEdge):
    """A full round whose lists are stored: it opens an epoch."""

    def _prepare_inputs(self, row: EdgeRow) -> PreparedInputs:
        return prepare_inputs(self._node, self._agreement, row, self.agreed, self._files.scratch, raw=True)

    def _store_result(self, session: Receiver) -> None:
        epoch = Epoch(self.agreed.context, derive_local_secret(self.row.seed))
        records = self._records(self.row, epoch)
        fresh = FreshSlots(session.own_tags(), self.inputs.tokens.key_index, self._outputs(session))
        lists = list_updates.open_receiver(records, fresh, session.released())
        files = files_of(self._node, self.row.round_id, self.row.edge)
        write_receiver_lists(files, self.row.round_id, lists, self.agreed)
        self._store_all_leads(epoch, lists, records, (self.row.round_id,))
        self._save(session)

    def _extra_writes(self, session: Receiver, receipt: Receipt) -> ExtraWrites:
        return epochs.opening_writes(
            self._node,
            self._agreement,
            self.row,
            self.agreed,
            receipt=receipt.payload,
            secret=derive_local_secret(self.row.seed),
            public_key=session.peer_key,
        )

    def _after_close(self) -> None:
        epochs.erase_ended(self._node, self.row)


class DeltaReceivingEdge(_StandingEdge):
    """A delta round: only changes are sent."""

    epoch = SetLater[StoredEpoch]("the epoch was not read")
    """The epoch, once `agree_keys` has read it."""
    _list = SetLater[CollectionRecords]("the epoch's lists were not read")
    _change = SetLater[ListChange]("the epoch's lists were not read")

    counts = ChangeCounts()

    @property
    def delta(self) -> dict[str, int]:
        """See `OutboundDriver.delta`; empty before it is known."""
        if not isinstance(self._session, DeltaReceiver):
            return {}
        return {"delta": self._session.number, "added": self.counts.added, "removed": self.counts.removed}

    async def agree_keys(self) -> None:
        """Read the epoch's keys, which do not change while it is open: nothing is exchanged.

        Raises:
            LocalError: the epoch has ended meanwhile.
        """
        self.epoch = await self._in_thread(epochs.load_of_round, self._node, self._agreement, self.row)
        self.agreed = self.epoch.agreed

    def _start(self, row: EdgeRow) -> DeltaReceiver:
        epoch = self.epoch
        records = self._list = self._records(row, epoch.secrets)
        lists = epoch.receiver_lists
        change = self._change = compare_digests(lists.own.digests, records.digests)
        inputs, keys = records.inputs(change.fresh) if len(change.fresh) else records.padding()
        self.counts = ChangeCounts(len(change.fresh), len(change.gone))
        taken: Any = RowSource(inputs)
        self.inputs = records.prepared(keys, taken)
        return DeltaReceiver(
            epoch.secrets.round_context(row.round_id),
            epoch=epoch.secrets,
            base=epoch.base,
            counts=self.counts,
            table=lists.table,
            **self._terms_with(row, taken),
        )

    def _open_call(self, peer: Peer, commitment: Signed) -> Any:
        epoch = self.epoch.row
        request = codec.delta_open_request(
            self._header(0), self.row.agreement_id, epoch.epoch, epoch.number + 1, commitment
        )
        return peer.standing.Open(request, timeout=stream_seconds(peer, self._edge.sender.max_elements))

    def _service(self, peer: Peer) -> Any:
        return peer.standing

    def _tags_method(self, peer: Peer) -> Any:
        return peer.standing.Changes

    def _read_tags(self, message: Any) -> TagChunk:
        return codec.read_changes_chunk(message, self.agreed.context)

    def _store_result(self, session: Receiver) -> None:
        epoch, records, change = self.epoch, self._list, self._change
        count = self.counts.added * records.slots
        outputs = self._outputs(session)
        fresh = FreshSlots(session.own_tags()[:count], self.inputs.tokens.key_index[:count], outputs[:count])
        removed, rows = session.released("removed"), session.released("table")
        update = list_updates.DeltaUpdate(epoch.row.number + 1, change, fresh, removed, rows)
        lists = list_updates.change_receiver(epoch.receiver_lists, records, update)
        write_receiver_lists(epoch.files, self.row.round_id, lists, self.agreed)
        self._store_all_leads(epoch.secrets, lists, records, (*epoch.row.rounds, self.row.round_id))
        self._save(session)

    def _extra_writes(self, session: Receiver, _receipt: Receipt) -> ExtraWrites:
        return epochs.advancing_writes(self._node, self.epoch, self.row, session)

    def _after_close(self) -> None:
        epochs.erase_old_versions(self._node, self.epoch.row)

    def fail(self, error: PeerError | AgreementError) -> None:
        """See `OutboundDriver.fail`; when the sides' lists differ, the epoch ends too."""
        super().fail(error)
        code = error.reason if isinstance(error, RefusalError) else getattr(error, "code", None)
        if "epoch" in vars(self) and code in ENDING:
            epochs.end(self._node, self.epoch.row, error.message)


ENDING = frozenset({PeerCode.DIVERGED, PeerCode.BAD_TAGS, PeerCode.BAD_RECEIPT})
"""Faults after which an epoch cannot continue."""
