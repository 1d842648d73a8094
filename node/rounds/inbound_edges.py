"""The edges on which this node is the sender and a receiver is at work."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from blindmatch.node.agreements import bindings, registry
from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.node import Node
from blindmatch.node.rounds.driver import Key, WorkerContext
from blindmatch.node.rounds.inbound import InboundComparisons
from blindmatch.node.rounds.inputs import check_rates, compile_edge, edge_context, state_rates
from blindmatch.node.rounds.receiver import ReceivingEdge
from blindmatch.node.rounds.sender import SendingEdge
from blindmatch.node.storage.store import CollectionRow, DeltaRow, EdgeRow
from blindmatch.node.transport.identity import Caller
from blindmatch.node.transport.metrics import Metrics
from blindmatch.protocol.agreement import Agreement
from blindmatch.protocol.errors import AgreementError, PeerCode, PeerError
from blindmatch.protocol.session.messages import Header
from blindmatch.protocol.session.states import Role, State
from blindmatch.protocol.transcript import Signed


@dataclass(frozen=True)
class EdgeKind:
    """The code for one kind of edge."""

    receiving: type[ReceivingEdge[Any]]
    sending: type[SendingEdge[Any]]
    collection_for: Callable[[Node, StoredAgreement, str], CollectionRow] = bindings.collection_for
    """This node's collection for an edge; raises LocalError or AgreementError if none is ready."""


KindOf = Callable[[Node, Agreement, Key], EdgeKind]
"""The kind of an edge in a round."""


_LEAST_SHARE = 2
"""Edges that one receiver may have open, even if the settings allow fewer than four; otherwise half of what they allow."""

Kind = TypeVar("Kind", bound=SendingEdge[Any])


class InboundEdges(InboundComparisons[SendingEdge[Any]]):
    """All edges on which this node is the sender and a receiver is at work. See `InboundComparisons`.

    Args:
        kind_of: the registry of disclosures.
    """

    role = Role.SENDER.value
    noun = "edge"

    def __init__(self, node: Node, *, kind_of: KindOf, metrics: Metrics, context: WorkerContext) -> None:
        super().__init__(node, metrics=metrics, context=context)
        self._kind_of = kind_of

    async def exchange_rates(
        self, caller: Caller, header: Header, agreement_id: bytes, rates: Signed
    ) -> Signed:
        """Start an edge with the receiver's rates and answer with ours; the same answer to the same statement.

        Raises:
            PeerError: the agreement, the caller or the receiver's statement does not allow it; BAD_COMMITMENT when
                the round began with other rates.
        """
        create = partial(self._create, caller, header, agreement_id, rates)
        row, agreement = await self.start(caller, agreement_id, header, create)
        if row.receiver_rates != rates:
            raise PeerError(PeerCode.BAD_COMMITMENT, "this round began with other rates of the receiver")
        if row.sender_rates is not None:
            return row.sender_rates
        return await self._in_thread(self._state_rates, agreement, row)

    async def open(
        self, caller: Caller, header: Header, agreement_id: bytes, commitment: Signed
    ) -> SendingEdge[Any]:
        """Resume an edge whose rates were exchanged; its table is being prepared when this returns.

        Raises:
            PeerError: the agreement, the caller or the receiver's commitment does not allow it; WRONG_STATE before
                the rates were exchanged; UNAVAILABLE when too many edges are open.
        """
        row, agreement = await self.find(caller, header, agreement_id=agreement_id)
        if row.sender_rates is None:
            raise PeerError(PeerCode.WRONG_STATE, "the exchange of rates of this edge is not complete")
        kind = await self._kind(row, agreement)
        # Refuse a commitment that cannot be this edge's before the edge depends on it.
        await asyncio.to_thread(self._check_commitment, agreement, row, kind, commitment)
        edge = await self.driver(row, agreement, kind)
        edge.prepare(commitment)
        return edge

    async def edge(
        self, caller: Caller, header: Header, kind: type[Kind], *, disclosing: bool = True
    ) -> Kind:
        """An edge that was opened before, perhaps by an earlier process.

        Args:
            caller: must be the edge's receiver.
            header: names round and edge.
            kind: the kind that the caller's step needs; `SendingEdge` for steps of all kinds.
            disclosing: the agreement must still allow a round now.

        Raises:
            PeerError: see `find`; WRONG_STATE for an edge of another kind.
        """
        row, agreement = await self.find(caller, header, disclosing=disclosing)
        edge = await self.resume(row, agreement, kind)
        edge.prepare(None)
        return edge

    async def resume(self, row: EdgeRow, agreement: Agreement, kind: type[Kind]) -> Kind:
        """The session of a stored edge; its preparation is not started here.

        Raises:
            PeerError: WRONG_STATE for an edge of another kind, and those of `driver`.
        """
        needed = await self._kind(row, agreement)
        edge = await self.driver(row, agreement, needed) if issubclass(needed, kind) else None
        if not isinstance(edge, kind):
            raise PeerError(PeerCode.WRONG_STATE, "this edge uses a different protocol for this round")
        return edge

    async def close_edge(self, caller: Caller, header: Header, receipt: Signed) -> bytes:
        """Countersign the receiver's receipt; the same receipt again gets the same 64 bytes.

        Raises:
            PeerError: BAD_RECEIPT, and those of `edge`.
        """
        signature = await self.repeated_signature(caller, header, receipt)
        if signature is not None:
            return signature
        edge = await self.edge(caller, header, SendingEdge, disclosing=False)  # type: ignore[type-abstract] # only looked up
        return await edge.countersign(receipt)

    def create(
        self,
        caller: Caller,
        agreement: Agreement,
        agreement_id: bytes,
        header: Header,
        *,
        rates: Signed | None = None,
        delta: DeltaRow | None = None,
    ) -> EdgeRow:
        """Store an edge that the receiver starts.

        Raises:
            PeerError: REFUSED when no collection is ready; BUDGET_SPENT.
        """
        node, edge = self._node, agreement.edge(header.edge)
        with self.own_collection(caller, edge.id):
            kind = self._kind_of(node, agreement, (header.round_id, edge.id))
            collection = kind.collection_for(node, registry.find(node, agreement_id), edge.id)
        row = EdgeRow(
            round_id=header.round_id,
            edge=edge.id,
            agreement_id=agreement_id,
            role=self.role,
            peer=caller.agency,
            collection_id=collection.id,
            state=State.PREPARING.value,
            started_at=int(node.clock()),
            receiver_rates=rates,
        )
        return self.store_new(row, agreement, disclosure=edge.disclosure.value, delta=delta)

    def _create(
        self, caller: Caller, header: Header, agreement_id: bytes, rates: Signed, agreement: Agreement
    ) -> EdgeRow:
        """Store an edge with the receiver's statement, once that is checked."""
        context = edge_context(agreement_id, agreement.edge(header.edge), header.round_id)
        check_rates(agreement, context, Role.RECEIVER, rates, None)
        return self.create(caller, agreement, agreement_id, header, rates=rates)

    def _state_rates(self, agreement: Agreement, row: EdgeRow) -> Signed:
        """Our statement, stored before it is sent."""
        node, key = self._node, (row.round_id, row.edge)
        signed = state_rates(node, agreement, row, answers=row.receiver_rates)
        node.store.put_rates(*key, Role.SENDER, signed)
        try:
            compile_edge(agreement, node.store.edge(*key))
        except AgreementError as error:
            # No key is specific enough: the receiver computes the same from the two statements and ends the round.
            node.store.fail(*key, code="agreement", reason=error.message)
            self._log.warning("a round cannot continue", edge=row.edge, peer=row.peer, reason=error.message)
        return signed

    async def _kind(self, row: EdgeRow, agreement: Agreement) -> type[SendingEdge[Any]]:
        key = (row.round_id, row.edge)
        return (await asyncio.to_thread(self._kind_of, self._node, agreement, key)).sending

    def _check_commitment(
        self, agreement: Agreement, row: EdgeRow, kind: type[SendingEdge[Any]], commitment: Signed
    ) -> None:
        key = agreement.party(row.peer).identity_key
        context = compile_edge(agreement, row).context
        kind.commitment_kind.check(commitment, key, Role.RECEIVER, context)

    def _check_parties(self, agreement: Agreement, name: str, caller: Caller) -> None:
        edge = agreement.edge(name)
        if edge.receiver.agency != caller.agency:
            raise PeerError(PeerCode.WRONG_AGENCY, f"the receiver of this edge is not {caller.agency}")
        if edge.sender.agency != self._node.agency:
            raise PeerError(PeerCode.WRONG_AGENCY, f"the sender of this edge is not {self._node.agency}")

    @property
    def _capacity(self) -> tuple[int, int]:
        # Half at most for one receiver: others must find room too.
        sessions = self._node.settings.service.sessions
        return sessions, max(_LEAST_SHARE, sessions // 2)

    def _count(self) -> None:
        self._metrics.rounds.set(len(self._drivers))
