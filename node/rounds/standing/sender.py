"""Rounds of a standing agreement on the sender's side: the full round that opens an epoch, and delta rounds within it."""

from typing import Any

from blindmatch.node import imports
from blindmatch.node.node import Node
from blindmatch.node.rounds import standing
from blindmatch.node.rounds.hits.inputs import facts_source
from blindmatch.node.rounds.hits.sender import HitsSendingEdge
from blindmatch.node.rounds.inputs import CompiledEdge
from blindmatch.node.rounds.standing import CollectionRecords, StoredEpoch
from blindmatch.node.storage.store import EdgeRow, ExtraWrites
from blindmatch.protocol import standing as protocol
from blindmatch.protocol.agreement import Agreement
from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.hits.sender import Sender
from blindmatch.protocol.session.messages import Receipt
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.standing import DeltaSender, Epoch, SenderChange, Taken


def standing_records(
    node: Node, agreement: Agreement, row: EdgeRow, agreed: CompiledEdge, epoch: Epoch
) -> CollectionRecords:
    """The records that this side of an edge contributes.

    Args:
        node: this node.
        agreement: checked.
        row: the edge, with its seed.
        agreed: the keys that both sides compiled.
        epoch: the open epoch, or the one that the round opens.

    Raises:
        LocalError: the collection is gone, unreadable, or has no records that may enter.
    """
    collection = imports.open_collection(node, row.collection_id)
    return CollectionRecords(
        collection=collection,
        selected=collection.select(agreement.handling_codes),
        agreed=agreed,
        edge=agreement.edge(row.edge),
        role=Role(row.role),
        epoch=epoch,
        seed=row.seed,
    )


class OpeningSendingEdge(HitsSendingEdge):
    """A full round whose lists are stored: it opens an epoch."""

    _list: CollectionRecords | None = None

    @property
    def records(self) -> CollectionRecords:
        """The collection's records, once the session is built."""
        if self._list is None:
            raise SequenceError("the edge's session was not built")
        return self._list

    def _start_with(self, row: EdgeRow) -> Sender:
        epoch = Epoch(self.agreed.context, standing.local_secret(row.seed))
        records = self._list = standing_records(self._node, self._agreement, row, self.agreed, epoch)
        terms = self._terms(row)
        facts = facts_source(self.inputs, self._edge, records.in_order)
        return Sender(self.agreed.context, facts=facts, computer=self._engine.computing, **terms)

    def _before_release(self, session: Sender) -> None:
        files = standing.vault_of(self._node, *self.key)
        if files.has(self.row.round_id):
            return
        epoch = Epoch(self.agreed.context, self.records.epoch.local, session.key_seed())
        released = protocol.open_sender(epoch, self.records, session.own_tags(), self.inputs.tokens.key_index)
        standing.keep_sent(files, self.row.round_id, released, self.agreed)

    def _extra_writes(self, session: Sender, receipt: Receipt) -> ExtraWrites:
        context = self.agreed.context
        secret = protocol.opening_secret(self._node.store.edge(*self.key).seed, context)
        row = standing.begin(
            self._node,
            self._agreement,
            self.row,
            self.agreed,
            state=protocol.first_state(context, receipt.payload),
            secret=self.records.epoch.local + secret,
            public_key=session.shown_key,
        )
        return self._node.store.opening_epoch(row)

    def _after_close(self) -> None:
        standing.clear_others(self._node, self.row)


class DeltaSendingEdge(HitsSendingEdge):
    """A delta round: only changes are sent."""

    _epoch: StoredEpoch | None = None
    _change: SenderChange | None = None

    @property
    def epoch(self) -> StoredEpoch:
        """The epoch, once the session is built."""
        if self._epoch is None:
            raise SequenceError("the epoch was not read")
        return self._epoch

    def _start(self, row: EdgeRow) -> Any:
        epoch = self._epoch = standing.of_round(self._node, self._agreement, row)
        self._agreed = epoch.agreed
        context = epoch.epoch.within(row.round_id)
        records = standing_records(self._node, self._agreement, row, epoch.agreed, epoch.epoch)
        change = self._change = protocol.change_sender(epoch.sent(), epoch.epoch, records, context, row.seed)
        return DeltaSender(
            context,
            epoch=epoch.epoch,
            base=epoch.base,
            counts=change.counts,
            removed=change.plan.removed,
            **self._terms_with(row, Taken(change.rows)),
        )

    async def removed_chunks(self) -> int:
        """The number of leading chunks of `tags` that hold removed rows; the others hold added rows."""

        def work(session: Any) -> int:
            return int(session.going)

        return await self._answer(work, save=False)

    def _before_release(self, _session: Any) -> None:
        if self._change is None:
            raise SequenceError("the edge's session was not built")
        after = self._change.plan.after
        standing.keep_sent(self.epoch.vault, self.row.round_id, after, self.epoch.agreed)

    def _extra_writes(self, session: Any, _receipt: Receipt) -> ExtraWrites:
        return standing.advancing(self._node, self.epoch, self.row, session)

    def _after_close(self) -> None:
        standing.clear_versions(self._node, self.epoch.row)

    def _fail(self, error: PeerError) -> None:
        super()._fail(error)
        if self._epoch is not None and error.code is PeerCode.DIVERGED:
            standing.end(self._node, self._epoch.row, error.message)
