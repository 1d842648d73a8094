"""Rounds of a standing agreement on the sender's side: the full round that opens an epoch, and delta rounds within it."""

from typing import Any

from blindmatch.node.rounds.driver import SetLater
from blindmatch.node.rounds.hits.inputs import facts_source
from blindmatch.node.rounds.hits.sender import HitsSendingEdge
from blindmatch.node.rounds.standing import epochs
from blindmatch.node.rounds.standing.collection_records import CollectionRecords, open_records
from blindmatch.node.rounds.standing.stored_epoch import (
    StoredEpoch,
    derive_local_secret,
    files_of,
    write_sender_list,
)
from blindmatch.node.storage.store import EdgeRow, ExtraWrites
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.hits.sender import Sender
from blindmatch.protocol.session.element_rows import RowSource
from blindmatch.protocol.session.messages import Receipt
from blindmatch.protocol.standing import list_updates
from blindmatch.protocol.standing.delta import DeltaSender
from blindmatch.protocol.standing.epoch import Epoch, opening_key_seed
from blindmatch.protocol.standing.list_updates import SenderChange


class OpeningSendingEdge(HitsSendingEdge):
    """A full round whose lists are stored: it opens an epoch."""

    records = SetLater[CollectionRecords]("the edge's session was not built")
    """The collection's records."""

    def _start_with(self, row: EdgeRow) -> Sender:
        epoch = Epoch(self.agreed.context, derive_local_secret(row.seed))
        records = self.records = open_records(self._node, self._agreement, row, self.agreed, epoch)
        terms = self._terms(row)
        facts = facts_source(self.inputs, self._edge, records.in_order)
        return Sender(self.agreed.context, facts=facts, computer=self._engine.computing, **terms)

    def _before_release(self, session: Sender) -> None:
        files = files_of(self._node, *self.key)
        if files.has(self.row.round_id):
            return
        epoch = Epoch(self.agreed.context, self.records.epoch.local, session.key_seed())
        released = list_updates.open_sender(
            epoch, self.records, session.own_tags(), self.inputs.tokens.key_index
        )
        write_sender_list(files, self.row.round_id, released, self.agreed)

    def _extra_writes(self, session: Sender, receipt: Receipt) -> ExtraWrites:
        context = self.agreed.context
        secret = opening_key_seed(self._node.store.edge(*self.key).seed, context)
        return epochs.opening_writes(
            self._node,
            self._agreement,
            self.row,
            self.agreed,
            receipt=receipt.payload,
            secret=self.records.epoch.local + secret,
            public_key=session.committed_key,
        )

    def _after_close(self) -> None:
        epochs.erase_ended(self._node, self.row)


class DeltaSendingEdge(HitsSendingEdge):
    """A delta round: only changes are sent."""

    epoch = SetLater[StoredEpoch]("the epoch was not read")
    """The epoch, once the session is built."""
    _change = SetLater[SenderChange]("the edge's session was not built")

    def _start(self, row: EdgeRow) -> Any:
        epoch = self.epoch = epochs.load_of_round(self._node, self._agreement, row)
        self.agreed = epoch.agreed
        context = epoch.secrets.round_context(row.round_id)
        records = open_records(self._node, self._agreement, row, epoch.agreed, epoch.secrets)
        change = self._change = list_updates.change_sender(
            epoch.sender_list(), epoch.secrets, records, context, row.seed
        )
        return DeltaSender(
            context,
            epoch=epoch.secrets,
            base=epoch.base,
            counts=change.counts,
            removed=change.plan.removed,
            **self._terms_with(row, RowSource(change.rows)),
        )

    async def removed_chunks(self) -> int:
        """The number of leading chunks of `tags` that hold removed rows; the others hold added rows."""

        def work(session: Any) -> int:
            return int(session.removed_chunks)

        return await self._answer(work, save=False)

    def _before_release(self, _session: Any) -> None:
        after = self._change.plan.after
        write_sender_list(self.epoch.files, self.row.round_id, after, self.epoch.agreed)

    def _extra_writes(self, session: Any, _receipt: Receipt) -> ExtraWrites:
        return epochs.advancing_writes(self._node, self.epoch, self.row, session)

    def _after_close(self) -> None:
        epochs.erase_old_versions(self._node, self.epoch.row)

    def _fail(self, error: PeerError) -> None:
        super()._fail(error)
        if "epoch" in vars(self) and error.code is PeerCode.DIVERGED:
            epochs.end(self._node, self.epoch.row, error.message)
