"""The sender's edges that are open now: prepared once, resumed from the store after a crash, bounded in number.

Nothing here depends on which elements match: the sender never learns it.
"""

import asyncio
import os
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

from blindmatch.node.agreements import registry
from blindmatch.node.compute.engine import open_engine
from blindmatch.node.imports import open_collection
from blindmatch.node.node import Node
from blindmatch.node.rounds import standing
from blindmatch.node.rounds.aggregate.sender import AggregateSendingEdge
from blindmatch.node.rounds.aggregate.sum_values import read_values
from blindmatch.node.rounds.driver import Key, WorkerContext, threads
from blindmatch.node.rounds.edge_codec import OpenRequest, PrepareRequest
from blindmatch.node.rounds.hits.sender import HitsSendingEdge
from blindmatch.node.rounds.inputs import check_rates, compile_edge, edge_context, state_rates
from blindmatch.node.rounds.retention import evict_oldest
from blindmatch.node.rounds.sender import SendingEdge
from blindmatch.node.rounds.standing.codec import DeltaOpening
from blindmatch.node.rounds.standing.sender import DeltaSendingEdge, OpeningSendingEdge
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.logs import logger
from blindmatch.node.storage.round_files import RoundFiles
from blindmatch.node.storage.store import CLOSED, CollectionRow, DeltaRow, EdgeRow
from blindmatch.node.transport.identity import Caller
from blindmatch.node.transport.metrics import Metrics
from blindmatch.protocol.agreement import Agreement, Disclosure, Edge
from blindmatch.protocol.errors import AgreementError, LocalError, PeerCode, PeerError, SequenceError
from blindmatch.protocol.limits import LIMITS, SEED_BYTES, Limits
from blindmatch.protocol.session.messages import Header
from blindmatch.protocol.session.states import Role, State
from blindmatch.protocol.transcript import Signed

IDLE_SECONDS = 600.0
"""An edge that nobody asked about for this long leaves memory; the store keeps it."""


_LEAST_SHARE = 2
"""Edges that one receiver may have open, however few the settings allow; else half of them."""


_KINDS: Mapping[Disclosure, type[SendingEdge[Any]]] = {
    Disclosure.HITS: HitsSendingEdge,
    Disclosure.HITS_FACTS: HitsSendingEdge,
    Disclosure.COUNT: AggregateSendingEdge,
    Disclosure.SUM: AggregateSendingEdge,
}
"""The kind of edge that a disclosure needs."""

Kind = TypeVar("Kind", bound=SendingEdge[Any])


class _Begun(NamedTuple):
    """What a receiver began."""

    agreement_id: bytes
    header: Header
    collection: CollectionRow
    rates: Signed | None = None
    delta: DeltaRow | None = None


class InboundEdges:
    """All edges on which this node is the sender and somebody is at work."""

    def __init__(self, node: Node, *, metrics: Metrics, limits: Limits = LIMITS) -> None:
        self._node = node
        self._metrics = metrics
        self._limits = limits
        self._engine = open_engine(node.settings)
        self._pool = threads(node.settings, self._engine)
        self._edges: dict[Key, SendingEdge[Any]] = {}
        self._door = asyncio.Lock()
        self._log = logger(agency=node.agency)

    @property
    def means(self) -> WorkerContext:
        """What the work is done with: one pool of threads serves the whole server."""
        return WorkerContext(pool=self._pool, engine=self._engine, limits=self._limits)

    async def open(self, caller: Caller, opening: OpenRequest) -> SendingEdge[Any]:
        """Go on with an edge whose rates were exchanged; its table is being prepared when this returns.

        Raises:
            PeerError: the agreement, the caller or the receiver's commitment does not allow it; WRONG_STATE before
                the rates were exchanged; UNAVAILABLE when too many edges are open.
        """
        key = (opening.header.round_id, opening.header.edge)
        agreement = await asyncio.to_thread(self._allowed, caller, opening.agreement, *key)
        await asyncio.to_thread(self._check_opening, caller, agreement, opening)
        async with self._door:  # two equal calls at once enter one edge
            edge = self._edges.get(key)
            if edge is None:
                row = await asyncio.to_thread(self._node.store.edge, *key)
                edge = self._enter(row, agreement, await asyncio.to_thread(self._kind, row, agreement))
        edge.prepare(opening.commitment)
        return edge

    async def open_delta(self, caller: Caller, opening: DeltaOpening) -> SendingEdge[Any]:
        """Begin, or go on with, a delta round; what changed is being prepared when this returns.

        Raises:
            PeerError: the agreement or the caller does not allow it; DIVERGED, when this node holds no such epoch, or
                it stands elsewhere; UNAVAILABLE when too many edges are open.
        """
        key = (opening.header.round_id, opening.header.edge)
        async with self._door:  # two equal calls at once enter one edge
            agreement = await asyncio.to_thread(self._allowed, caller, opening.agreement, *key)
            row = await asyncio.to_thread(self._node.store.find_edge, *key)
            if row is None:
                row = await asyncio.to_thread(self._start_delta, caller, agreement, opening)
            self._still_ours(row, caller)
            await asyncio.to_thread(self._check_epoch, row)
            check_running(row, opening.agreement)
            kind = await asyncio.to_thread(self._kind, row, agreement)
            if kind is not DeltaSendingEdge:
                raise PeerError(PeerCode.WRONG_STATE, "this round of this edge goes by other steps")
            edge = self._edges.get(key)
            if edge is None:
                edge = self._enter(row, agreement, kind)
        edge.prepare(opening.commitment)
        return edge

    async def exchange_rates(self, caller: Caller, request: PrepareRequest) -> Signed:
        """Start an edge with the receiver's rates and give ours; the same again for the same statement.

        Raises:
            PeerError: the agreement, the caller or the receiver's statement does not allow it; BAD_COMMITMENT when
                the round began with other rates.
        """
        key = (request.header.round_id, request.header.edge)
        async with self._door:  # two equal calls at once start one edge
            agreement = await asyncio.to_thread(self._allowed, caller, request.agreement, *key)
            row = await asyncio.to_thread(self._node.store.find_edge, *key)
            if row is None:
                row = await asyncio.to_thread(self._start, caller, agreement, request)
        self._still_ours(row, caller)
        check_running(row, request.agreement)
        if row.receiver_rates != request.rates:
            raise PeerError(PeerCode.BAD_COMMITMENT, "this round began with other rates of the receiver")
        if row.sender_rates is not None:
            return row.sender_rates
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._answer, agreement, row)

    async def edge(
        self, caller: Caller, header: Header, kind: type[Kind], *, disclosing: bool = True
    ) -> Kind:
        """An edge that was opened before, perhaps by an earlier process.

        Args:
            caller: must be the edge's receiver.
            header: names round and edge.
            kind: what the caller takes it for; `SendingEdge` for steps that all kinds have.
            disclosing: the agreement must still allow a round now.

        Raises:
            PeerError: UNKNOWN_ROUND, WRONG_STATE, WRONG_AGENCY, or what the agreement's check raises.
        """
        key = (header.round_id, header.edge)
        async with self._door:
            edge = self._edges.get(key)
            row = edge.row if edge else await asyncio.to_thread(self._node.store.find_edge, *key)
            if row is None or row.role != Role.SENDER.value:
                raise PeerError(PeerCode.UNKNOWN_ROUND, "this node knows no such round and edge")
            self._still_ours(row, caller)
            if disclosing:
                agreement = await asyncio.to_thread(self._allowed, caller, row.agreement_id, *key)
            else:
                agreement = (await asyncio.to_thread(registry.find, self._node, row.agreement_id)).agreement
                check_pin(caller, agreement)
            needed = await asyncio.to_thread(self._kind, row, agreement)
            if not issubclass(needed, kind):
                raise PeerError(PeerCode.WRONG_STATE, "this round of this edge goes by other steps")
            if edge is None:
                edge = self._enter(row, agreement, needed)
        edge.prepare(None)
        if not isinstance(edge, kind):
            raise SequenceError(f"an edge of the kind {needed.__name__} is a {type(edge).__name__}")
        return edge

    async def close_edge(self, caller: Caller, header: Header, receipt: Signed) -> bytes:
        """Countersign the receiver's receipt; the same receipt again gets the same 64 bytes.

        Raises:
            PeerError: BAD_RECEIPT, and those of `edge`.
        """
        row = await asyncio.to_thread(self._node.store.find_edge, header.round_id, header.edge)
        if row is not None and row.role == Role.SENDER.value and row.state == CLOSED:
            self._still_ours(row, caller, closed=True)
            if (row.receipt, row.signatures.get(row.peer)) != (receipt.payload, receipt.signature):
                raise PeerError(PeerCode.BAD_RECEIPT, "this edge was closed with another receipt")
            return row.signatures[self._node.agency]
        edge = await self.edge(caller, header, SendingEdge, disclosing=False)  # type: ignore[type-abstract] # only looked up
        return await edge.countersign(receipt)

    async def stop(self) -> None:
        """Let the steps under way end, and forget every edge; the store keeps them."""
        for edge in list(self._edges.values()):
            await edge.stop()
        self._edges.clear()

    def close(self) -> None:
        """Give the threads back, and what the engine holds."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._engine.close()

    def _allowed(self, caller: Caller, agreement_id: bytes, round_id: bytes, edge_id: str) -> Agreement:
        """The agreement, if the caller may have this edge of this round now."""
        node = self._node
        row = node.store.find_agreement(agreement_id)
        if row is None or caller.agency not in registry.open_stored(row).agreement.agencies:
            # As from `Fetch`: who is no party cannot tell whether it exists, let alone how it stands.
            raise PeerError(PeerCode.UNKNOWN_AGREEMENT, "this node holds no such agreement with the caller")
        try:
            agreement, _ = registry.usable_agreement(
                node, agreement_id, node.clock(), edge=edge_id, resuming=round_id
            )
        except AgreementError as error:
            raise PeerError(PeerCode.UNKNOWN_ROUND, error.message, hint=error.hint) from None
        edge = agreement.edge(edge_id)
        if edge.receiver.agency != caller.agency:
            raise PeerError(PeerCode.WRONG_AGENCY, f"the receiver of this edge is not {caller.agency}")
        if edge.sender.agency != node.agency:
            raise PeerError(PeerCode.WRONG_AGENCY, f"the sender of this edge is not {node.agency}")
        check_pin(caller, agreement)
        return agreement

    def _check_opening(self, caller: Caller, agreement: Agreement, opening: OpenRequest) -> None:
        """Refuse a commitment that cannot be this edge's before the edge takes notice of it."""
        row = self._node.store.find_edge(opening.header.round_id, opening.header.edge)
        if row is None:
            raise PeerError(
                PeerCode.UNKNOWN_ROUND, "this node knows no such round and edge: rates come first"
            )
        self._still_ours(row, caller)
        check_running(row, opening.agreement)
        if row.sender_rates is None:
            raise PeerError(PeerCode.WRONG_STATE, "the rates of this edge were not exchanged to the end")
        key = agreement.party(caller.agency).identity_key
        kind = _KINDS[agreement.edge(row.edge).disclosure]
        kind.commitment_kind.check(
            opening.commitment, key, Role.RECEIVER, compile_edge(agreement, row).context
        )

    def _answer(self, agreement: Agreement, row: EdgeRow) -> Signed:
        """Our statement, kept before it is sent."""
        node, key = self._node, (row.round_id, row.edge)
        signed = state_rates(node, node.keys.identity, agreement, row, answers=row.receiver_rates)
        node.store.put_rates(*key, Role.SENDER, signed)
        try:
            compile_edge(agreement, node.store.edge(*key))
        except AgreementError as error:
            # No key is specific enough: the receiver finds the same from the two statements, and so ends the round.
            node.store.fail(*key, code="agreement", reason=error.message)
            self._log.warning("a round cannot go on", edge=row.edge, peer=row.peer, reason=error.message)
        return signed

    def _kind(self, row: EdgeRow, agreement: Agreement) -> type[SendingEdge[Any]]:
        """The kind of edge that a round needs."""
        edge = agreement.edge(row.edge)
        if standing.stands(agreement, edge):
            return (
                DeltaSendingEdge
                if self._node.store.find_delta(row.round_id, row.edge)
                else OpeningSendingEdge
            )
        return _KINDS[edge.disclosure]

    def _start(self, caller: Caller, agreement: Agreement, request: PrepareRequest) -> EdgeRow:
        """Check all that can be checked before work begins, then store the new edge, its seed and the rates."""
        edge = agreement.edge(request.header.edge)
        context = edge_context(request.agreement, edge, request.header.round_id)
        check_rates(agreement, context, Role.RECEIVER, request.rates, None)
        collection = self._collection(caller, request.agreement, agreement, edge)
        begun = _Begun(request.agreement, request.header, collection, request.rates)
        return self._store_edge(caller, agreement, begun)

    def _start_delta(self, caller: Caller, agreement: Agreement, opening: DeltaOpening) -> EdgeRow:
        """Store a new delta round of an epoch that is open, and stands where the receiver believes it does."""
        node, edge = self._node, agreement.edge(opening.header.edge)
        agreement_id = opening.agreement
        if not standing.stands(agreement, edge):
            raise PeerError(PeerCode.WRONG_STATE, "the agreement is not a standing one, or not for this edge")
        epoch = standing.current(node, agreement_id, edge.id, Role.SENDER)
        if epoch is None or (epoch.epoch, epoch.number + 1) != (opening.epoch, opening.number):
            if epoch is not None:
                standing.end(node, epoch, "the receiver holds another state of it")
            raise PeerError(
                PeerCode.DIVERGED,
                f"{node.agency} holds no epoch that stands so",
                hint="The epoch has ended. The next round compares everything anew.",
            )
        collection = self._collection(caller, agreement_id, agreement, edge)
        delta = DeltaRow(opening.header.round_id, edge.id, epoch.epoch, opening.number)
        begun = _Begun(agreement_id, opening.header, collection, delta=delta)
        return self._store_edge(caller, agreement, begun)

    def _check_epoch(self, row: EdgeRow) -> None:
        """A delta round that its epoch has left behind is over, whenever that is found out."""
        node = self._node
        delta = node.store.find_delta(row.round_id, row.edge)
        epoch = None if delta is None else node.store.find_epoch(delta.epoch, row.edge)
        if delta is None or not row.running or (epoch and epoch.open and epoch.number + 1 == delta.number):
            return
        error = PeerError(
            PeerCode.DIVERGED, f"the epoch of this round has ended at {node.agency}, or gone on without it"
        )
        node.store.fail(row.round_id, row.edge, code=error.code.value, reason=error.message)
        RoundFiles(node.rounds_dir, row.round_id, row.edge).erase()
        raise error

    def _collection(
        self, caller: Caller, agreement_id: bytes, agreement: Agreement, edge: Edge
    ) -> CollectionRow:
        """What this node brings; its own troubles are for its own log."""
        node = self._node
        try:
            collection = standing.collection_for(node, registry.find(node, agreement_id), edge.id)
            if edge.terms.reads_values:  # what cannot be added up shall stop the round here
                opened = open_collection(node, collection.id)
                read_values(opened, opened.select(agreement.handling_codes), edge)
        except (LocalError, AgreementError) as error:
            # Our own collection's troubles are for our own log.
            self._log.warning("a round cannot begin", edge=edge.id, peer=caller.agency, reason=error.message)
            raise PeerError(
                PeerCode.REFUSED,
                f"{node.agency} has no collection ready for this edge",
                hint="Its operator finds the reason in its log.",
            ) from None
        return collection

    def _store_edge(self, caller: Caller, agreement: Agreement, begun: "_Begun") -> EdgeRow:
        node, edge, collection = self._node, agreement.edge(begun.header.edge), begun.collection
        evict_oldest(self._node, begun.agreement_id, edge.id, Role.SENDER.value, self._edges)
        now = int(node.clock())
        row = EdgeRow(
            round_id=begun.header.round_id,
            edge=edge.id,
            agreement_id=begun.agreement_id,
            role=Role.SENDER.value,
            peer=caller.agency,
            collection_id=collection.id,
            state=State.PREPARING.value,
            started_at=now,
            receiver_rates=begun.rates,
        )
        # The log first: were it written second and could not be, the receiver would only have to ask again.
        node.audit.round_event(
            AuditEvent.DISCLOSURE,
            "opened",
            (row.round_id, row.edge),
            recipient=caller.agency,
            agreement=row.agreement_id.hex(),
            collection=row.collection_id,
            disclosure=edge.disclosure.value,
        )
        budget = agreement.rounds_budget
        node.store.start_edge(row, os.urandom(SEED_BYTES), rounds_budget=budget, delta=begun.delta)
        return node.store.edge(row.round_id, row.edge)

    def _enter(self, row: EdgeRow, agreement: Agreement, kind: type[SendingEdge[Any]]) -> SendingEdge[Any]:
        check_running(row, row.agreement_id)
        self._make_room(row.peer)
        edge = kind(
            self._node,
            row,
            agreement,
            pool=self._pool,
            engine=self._engine,
            metrics=self._metrics,
            limits=self._limits,
            gone=self._leave,
        )
        self._edges[edge.key] = edge
        self._metrics.rounds.set(len(self._edges))
        return edge

    def _leave(self, edge: SendingEdge[Any]) -> None:
        if self._edges.get(edge.key) is edge:
            del self._edges[edge.key]
        self._metrics.rounds.set(len(self._edges))

    def _make_room(self, receiver: str) -> None:
        for edge in list(self._edges.values()):
            if edge.idle_seconds > IDLE_SECONDS:
                # A caller that has merely stopped reading still holds it: without a session it is of no use any more.
                edge.retire()
                self._leave(edge)
        if len(self._edges) >= self._node.settings.service.sessions:
            raise PeerError(PeerCode.UNAVAILABLE, "as many rounds as this node allows are running")
        # The others shall find room too.
        share = max(_LEAST_SHARE, self._node.settings.service.sessions // 2)
        if sum(edge.row.peer == receiver for edge in self._edges.values()) >= share:
            raise PeerError(
                PeerCode.UNAVAILABLE, "as many rounds as this node allows are running with one agency"
            )

    def _still_ours(self, row: EdgeRow, caller: Caller, *, closed: bool = False) -> None:
        if row.peer != caller.agency or row.role != Role.SENDER.value:
            raise PeerError(PeerCode.WRONG_AGENCY, f"this round is not {caller.agency}'s")
        if closed:
            held = registry.find(self._node, row.agreement_id)
            check_pin(caller, held.agreement)


def check_running(row: EdgeRow, agreement_id: bytes) -> None:
    """PeerError: UNKNOWN_ROUND for a round of another agreement, WRONG_STATE for one that has ended."""
    if row.agreement_id != agreement_id:
        raise PeerError(PeerCode.UNKNOWN_ROUND, "this round runs under another agreement")
    if not row.running:
        raise PeerError(
            PeerCode.WRONG_STATE,
            f"this edge of the round is {row.state}" + (f" ({row.code})" if row.code else ""),
            hint="Start a new round.",
        )


def check_pin(caller: Caller, agreement: Agreement) -> None:
    """PeerError: WRONG_CERTIFICATE, when the caller's certificate has another key than the agreement names."""
    if agreement.party(caller.agency).certificate_key != caller.certificate_key:
        raise PeerError(
            PeerCode.WRONG_CERTIFICATE,
            f"{caller.agency} shows another certificate key than the agreement names",
            hint="After a change of keys, draft and sign the agreement again.",
        )
