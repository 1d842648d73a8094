"""Rounds of a standing agreement on the sender's side: the full round that opens an epoch, and delta rounds within it."""

from typing import Any

from blindmatch.node import imports
from blindmatch.node.rounds import standing
from blindmatch.node.rounds.hits.sender import HitsSendingEdge
from blindmatch.node.rounds.inputs import CompiledEdge, EdgeInputs, prepare_inputs
from blindmatch.node.rounds.standing import CollectionRecords, StoredEpoch
from blindmatch.node.storage.store import EdgeRow, ExtraWrites
from blindmatch.protocol import standing as protocol
from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.hits.sender import Sender
from blindmatch.protocol.session.messages import Receipt
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.standing import DeltaSender, Epoch, SenderChange, Taken


class OpeningSendingEdge(HitsSendingEdge):
    """A full round whose lists are kept: it opens an epoch."""

    _brought: EdgeInputs | None = None
    _agreed: CompiledEdge | None = None
    _list: CollectionRecords | None = None

    def _start(self, row: EdgeRow, agreed: CompiledEdge) -> Sender:
        self._agreed = agreed
        epoch = Epoch(agreed.context, standing.local_secret(row.seed))
        self._list = _records(self, row, agreed, epoch)
        self._brought, terms = self._terms(row, agreed)
        return Sender(agreed.context, facts=self._brought.facts, **terms)

    def _bring(self, row: EdgeRow, agreed: CompiledEdge) -> EdgeInputs:
        order = self._list.in_order if self._list is not None else None
        return prepare_inputs(self._node, self._agreement, row, agreed, self._files.scratch, order=order)

    def _ready(self, session: Sender) -> None:
        vault = standing.vault_of(self._node, *self.key)
        if vault.has(self.row.round_id):
            return
        if self._brought is None or self._list is None or self._agreed is None:
            raise SequenceError("the edge's session was not built")
        epoch = Epoch(self._agreed.context, self._list.epoch.local, session.key_seed())
        sent = protocol.open_sender(epoch, self._list, session.own_tags(), self._brought.tokens.key_index)
        standing.keep_sent(vault, self.row.round_id, sent, self._agreed)

    def _closing(self, session: Sender, receipt: Receipt) -> ExtraWrites:
        if self._list is None or self._agreed is None:
            raise SequenceError("the edge's session was not built")
        context = self._agreed.context
        secret = protocol.opening_secret(self._node.store.edge(*self.key).seed, context)
        row = standing.begin(
            self._node,
            self._agreement,
            self.row,
            self._agreed,
            state=protocol.first_state(context, receipt.payload),
            secret=self._list.epoch.local + secret,
            public_key=session.shown_key,
        )
        return self._node.store.opening_epoch(row)

    def _closed(self) -> None:
        standing.clear_others(self._node, self.row)


class DeltaSendingEdge(HitsSendingEdge):
    """A delta round: only what changed travels."""

    _kept: StoredEpoch | None = None
    _change: SenderChange | None = None

    @property
    def kept(self) -> StoredEpoch:
        """The epoch, once the session is built."""
        if self._kept is None:
            raise SequenceError("the epoch was not read")
        return self._kept

    def _made(self, row: EdgeRow) -> Any:
        kept = self._kept = standing.of_round(self._node, self._agreement, row)
        context = kept.epoch.within(row.round_id)
        records = _records(self, row, kept.agreed, kept.epoch)
        change = self._change = protocol.change_sender(kept.sent(), kept.epoch, records, context, row.seed)
        return DeltaSender(
            context,
            epoch=kept.epoch,
            base=kept.base,
            counts=change.counts,
            removed=change.plan.removed,
            **self._session_terms(row, Taken(change.rows)),
        )

    async def going(self) -> int:
        """How many of the chunks that `tags` gives are of what goes; the rest are of what comes."""

        def work(session: Any) -> int:
            return int(session.going)

        return await self._asked(work, save=False)

    def _ready(self, _session: Any) -> None:
        if self._change is None:
            raise SequenceError("the edge's session was not built")
        standing.keep_sent(self.kept.vault, self.row.round_id, self._change.plan.after, self.kept.agreed)

    def _closing(self, session: Any, _receipt: Receipt) -> ExtraWrites:
        return standing.advancing(self._node, self.kept, self.row, session)

    def _closed(self) -> None:
        standing.clear_versions(self._node, self.kept.row)

    def _give_up(self, error: PeerError) -> None:
        super()._give_up(error)
        if self._kept is not None and error.code is PeerCode.DIVERGED:
            standing.end(self._node, self._kept.row, error.message)


def _records(edge: Any, row: EdgeRow, agreed: CompiledEdge, epoch: Epoch) -> CollectionRecords:
    node, agreement = edge._node, edge._agreement  # noqa: SLF001 - of both classes here
    collection = imports.open_collection(node, row.collection_id)
    return CollectionRecords(
        collection=collection,
        selected=collection.select(agreement.handling_codes),
        agreed=agreed,
        edge=agreement.edge(row.edge),
        role=Role.SENDER,
        epoch=epoch,
        seed=row.seed,
    )
