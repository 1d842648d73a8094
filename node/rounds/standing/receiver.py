"""Rounds of a standing agreement on the receiver's side: the full round that opens an epoch, and delta rounds within it."""

from typing import Any

from blindmatch.node import imports
from blindmatch.node.rounds import standing
from blindmatch.node.rounds.hits.receiver import HitsReceivingEdge
from blindmatch.node.rounds.inputs import CompiledEdge, EdgeInputs, prepare_inputs
from blindmatch.node.rounds.standing import CollectionRecords, StoredEpoch
from blindmatch.node.rounds.standing import codec as convert
from blindmatch.node.storage.store import CLOSED, EdgeRow, ExtraWrites
from blindmatch.node.transport.client import Peer
from blindmatch.node.transport.error_status import RefusalError
from blindmatch.protocol import standing as protocol
from blindmatch.protocol.errors import AgreementError, PeerCode, PeerError, SequenceError
from blindmatch.protocol.hits.receiver import Receiver
from blindmatch.protocol.limits import OUTPUT_BYTES
from blindmatch.protocol.linkage import Elements, Tokens
from blindmatch.protocol.session.messages import Receipt, TagChunk
from blindmatch.protocol.session.session import SessionTerms
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.standing import Counts, DeltaReceiver, Epoch, Fresh, Received, Taken
from blindmatch.protocol.standing.epoch import empty
from blindmatch.protocol.standing.record_list import Change
from blindmatch.protocol.transcript import Signed


class _Standing(HitsReceivingEdge):
    """What both kinds of round share: leads come out of what is held, not out of what travelled."""

    def _records(self, row: EdgeRow, agreed: CompiledEdge, epoch: Epoch) -> CollectionRecords:
        collection = imports.open_collection(self._node, row.collection_id)
        return CollectionRecords(
            collection=collection,
            selected=collection.select(self._agreement.handling_codes),
            agreed=agreed,
            edge=self._edge,
            role=Role.RECEIVER,
            epoch=epoch,
            seed=row.seed,
        )

    def _outputs(self, session: Receiver) -> Any:
        return session.own_outputs() if self.agreed.context.with_facts else empty(OUTPUT_BYTES)

    def _tell(
        self, epoch: Epoch, held: Received, records: CollectionRecords, rounds: tuple[bytes, ...]
    ) -> None:
        """Leads of all that is held now; new is what the last comparison that closed did not tell of."""
        made = prepared(held, records, self.agreed)
        self._keep_leads(protocol.found(epoch, held, rounds), made, self._known())

    def _known(self) -> frozenset[str] | None:
        rows = [
            row
            for row in self._node.store.edges(agreement_id=self.row.agreement_id)
            if (row.edge, row.role, row.state) == (self.row.edge, Role.RECEIVER.value, CLOSED)
            and row.round_id != self.row.round_id
        ]
        if not rows:
            return None
        last = max(rows, key=lambda row: row.finished_at or 0)
        return standing.told(self._node, last)


def prepared(held: Received, records: CollectionRecords, agreed: CompiledEdge) -> EdgeInputs:
    """What leads are put together from: the keys of every slot, and the collection."""
    tokens = Tokens(
        tokens=empty(32),
        key_index=held.own.key_index,
        records=len(records),
        tokens_per_record=records.slots,
        overflow=0,
        shared_records={},
    )
    elements = Elements(agreed.compiled, tokens)
    return EdgeInputs(agreed.compiled, tokens, elements, None, records.collection, records.selected)


class OpeningReceivingEdge(_Standing):
    """A full round whose lists are kept: it opens an epoch."""

    def _bring(self, row: EdgeRow, agreed: CompiledEdge) -> EdgeInputs:
        return prepare_inputs(self._node, self._agreement, row, agreed, self._files.scratch, raw=True)

    def _match(self, session: Receiver) -> None:
        epoch = Epoch(self.agreed.context, standing.local_secret(self.row.seed))
        records = self._records(self.row, self.agreed, epoch)
        fresh = Fresh(session.own_tags(), self.made.tokens.key_index, self._outputs(session))
        held = protocol.open_receiver(records, fresh, session.released())
        standing.keep_received(self._vault(), self.row.round_id, held, self.agreed)
        self._tell(epoch, held, records, (self.row.round_id,))
        self._save(session)

    def _closing(self, session: Receiver, receipt: Receipt) -> ExtraWrites:
        context = self.agreed.context
        row = standing.begin(
            self._node,
            self._agreement,
            self.row,
            self.agreed,
            state=protocol.first_state(context, receipt.payload),
            secret=standing.local_secret(self.row.seed),
            public_key=session.peer_key,
        )
        return self._node.store.opening_epoch(row)

    def _closed(self) -> None:
        standing.clear_others(self._node, self.row)

    def _vault(self) -> standing.EpochFiles:
        return standing.vault_of(self._node, self.row.round_id, self.row.edge)


class DeltaReceivingEdge(_Standing):
    """A delta round: only what changed travels."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._kept: StoredEpoch | None = None
        self._before: Received | None = None
        self._list: CollectionRecords | None = None
        self._change: Change | None = None
        self.counts = Counts()

    @property
    def kept(self) -> StoredEpoch:
        """The epoch, once `introduce` has read it."""
        if self._kept is None:
            raise SequenceError("the epoch was not read")
        return self._kept

    @property
    def elements(self) -> tuple[int, int]:
        """Elements and rows that travel; zeros before they are known."""
        if self._session is None:
            return 0, 0
        return len(self.made.elements), self._session.peer_elements

    @property
    def delta(self) -> dict[str, int]:
        """Which delta round it is, and how many records changed; empty before it is known."""
        if not isinstance(self._session, DeltaReceiver):
            return {}
        return {"delta": self._session.number, "added": self.counts.added, "removed": self.counts.removed}

    async def introduce(self) -> None:
        """The epoch's keys, frozen when it began: nothing is exchanged.

        Raises:
            LocalError: the epoch has ended meanwhile.
        """
        self._kept = await self._in_pool(standing.of_round, self._node, self._agreement, self.row)
        self._agreed = self._kept.agreed

    def _terms(self, row: EdgeRow, agreed: CompiledEdge) -> tuple[EdgeInputs, SessionTerms]:
        kept = self.kept
        records = self._list = self._records(row, agreed, kept.epoch)
        before = self._before = kept.received()
        change = self._change = protocol.compare(before.own.digests, records.digests)
        inputs, keys = records.inputs(change.fresh) if len(change.fresh) else records.padding()
        self.counts = Counts(len(change.fresh), len(change.gone))
        tokens = Tokens(empty(32), keys, len(records), records.slots, 0, {})
        taken: Any = Taken(inputs)
        made = EdgeInputs(agreed.compiled, tokens, taken, None, records.collection, records.selected)
        return made, self._session_terms(row, taken)

    def _start(self, terms: SessionTerms) -> DeltaReceiver:
        kept = self.kept
        if self._before is None:
            raise SequenceError("the epoch's lists were not read")
        return DeltaReceiver(
            kept.epoch.within(self.row.round_id),
            epoch=kept.epoch,
            base=kept.base,
            counts=self.counts,
            table=self._before.table,
            **terms,
        )

    def _opening(self, peer: Peer, commitment: Signed) -> Any:
        kept = self.kept
        opening = convert.DeltaOpening(
            self._header(0), self.row.agreement_id, kept.row.epoch, kept.row.number + 1, commitment
        )
        return peer.standing.Open(
            convert.delta_open_request(opening),
            timeout=self._stream_seconds(peer, self._edge.sender.max_elements),
        )

    def _service(self, peer: Peer) -> Any:
        return peer.standing

    def _released(self, peer: Peer) -> Any:
        return peer.standing.Changes

    def _read_released(self, message: Any) -> TagChunk:
        return convert.read_changes_chunk(message, self.agreed.context)

    def _match(self, session: Receiver) -> None:
        kept, records, before, change = self.kept, self._list, self._before, self._change
        if records is None or before is None or change is None:
            raise SequenceError("the epoch's lists were not read")
        count = self.counts.added * records.slots
        outputs = self._outputs(session)
        fresh = Fresh(session.own_tags()[:count], self.made.tokens.key_index[:count], outputs[:count])
        removed, rows = session.released("removed"), session.released("table")
        news = protocol.DeltaUpdate(kept.row.number + 1, change, fresh, removed, rows)
        held = protocol.change_receiver(before, records, news)
        standing.keep_received(kept.vault, self.row.round_id, held, self.agreed)
        self._tell(kept.epoch, held, records, (*kept.row.rounds, self.row.round_id))
        self._save(session)

    def _closing(self, session: Receiver, _receipt: Receipt) -> ExtraWrites:
        return standing.advancing(self._node, self.kept, self.row, session)

    def _closed(self) -> None:
        standing.clear_versions(self._node, self.kept.row)

    def give_up(self, error: PeerError | AgreementError) -> None:
        """See `ReceivingEdge.give_up`; when the sides do not hold the same, the epoch has ended too."""
        super().give_up(error)
        code = error.reason if isinstance(error, RefusalError) else getattr(error, "code", None)
        if self._kept is not None and code in ENDING:
            standing.end(self._node, self._kept.row, error.message)


ENDING = frozenset({PeerCode.DIVERGED, PeerCode.BAD_TAGS, PeerCode.BAD_RECEIPT})
"""What a peer says or does after which an epoch cannot go on."""
