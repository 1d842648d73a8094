"""The registry of disclosures: the only module of `rounds` that knows all of them.

A new disclosure adds one line to each table here.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.compute.engine import open_engine
from blindmatch.node.node import Node
from blindmatch.node.rounds.aggregate import sum_values
from blindmatch.node.rounds.aggregate.receiver import AggregateReceivingEdge
from blindmatch.node.rounds.aggregate.reports_service import ReportsService
from blindmatch.node.rounds.aggregate.sender import AggregateSendingEdge
from blindmatch.node.rounds.aggregate.service import AggregateService
from blindmatch.node.rounds.driver import Key, WorkerContext, threads
from blindmatch.node.rounds.hits.receiver import HitsReceivingEdge
from blindmatch.node.rounds.hits.sender import HitsSendingEdge
from blindmatch.node.rounds.hits.service import MatchService
from blindmatch.node.rounds.inbound_edges import EdgeKind, InboundEdges
from blindmatch.node.rounds.outbound import OutboundDriver
from blindmatch.node.rounds.standing import checked_record, epochs
from blindmatch.node.rounds.standing.inbound_checks import InboundChecks
from blindmatch.node.rounds.standing.receiver import DeltaReceivingEdge, OpeningReceivingEdge, next_delta
from blindmatch.node.rounds.standing.sender import DeltaSendingEdge, OpeningSendingEdge
from blindmatch.node.rounds.standing.service import StandingRoundsService
from blindmatch.node.rounds.threshold.collector import CollectorDriver
from blindmatch.node.rounds.threshold.membership import Membership
from blindmatch.node.rounds.threshold.service import ThresholdsService
from blindmatch.node.storage.store import CollectionRow, DeltaRow, EdgeRow
from blindmatch.node.transport.metrics import Metrics
from blindmatch.proto.v1 import match_pb2_grpc, number_pb2_grpc, standing_pb2_grpc, threshold_pb2_grpc
from blindmatch.protocol.agreement import Agreement, Disclosure, Edge
from blindmatch.protocol.limits import Limits
from blindmatch.protocol.threshold.transitions import ThresholdRole

_EDGES: Mapping[Disclosure, EdgeKind] = MappingProxyType(
    {
        Disclosure.HITS: EdgeKind(HitsReceivingEdge, HitsSendingEdge),
        Disclosure.HITS_FACTS: EdgeKind(HitsReceivingEdge, HitsSendingEdge),
        Disclosure.COUNT: EdgeKind(AggregateReceivingEdge, AggregateSendingEdge),
        Disclosure.SUM: EdgeKind(AggregateReceivingEdge, AggregateSendingEdge, sum_values.collection_for),
    }
)
"""Edges by their disclosure."""

_OPENING = EdgeKind(OpeningReceivingEdge, OpeningSendingEdge, epochs.collection_for)
_DELTA = EdgeKind(DeltaReceivingEdge, DeltaSendingEdge, epochs.collection_for)
"""Edges of standing agreements: the round that opens an epoch, and delta rounds."""

_ERASE_EXPIRED: tuple[Callable[[Node], object], ...] = (
    lambda node: node.store.erase_checks(int(node.clock())),
    epochs.purge,
    checked_record.erase_leftovers,
)
"""Erase what a disclosure stores besides leads and numbers, once its time has ended."""


def edge_kind(node: Node, agreement: Agreement, key: Key) -> EdgeKind:
    """The kind of an edge in a round."""
    edge = agreement.edge(key[1])
    if epochs.is_standing(agreement, edge):
        return _DELTA if node.store.find_delta(*key) else _OPENING
    return _EDGES[edge.disclosure]


def outbound_kind(node: Node, agreement: Agreement, row: EdgeRow) -> type[OutboundDriver[Any]]:
    """The driver of a comparison that this node runs."""
    if row.role == ThresholdRole.COLLECTOR.value:
        return CollectorDriver
    return edge_kind(node, agreement, (row.round_id, row.edge)).receiving


def new_round(
    node: Node, held: StoredAgreement, edge: Edge, round_id: bytes, *, full: bool
) -> tuple[CollectionRow, DeltaRow | None]:
    """This node's collection for a new round over an edge that it receives, and the delta round that it is, if it is one.

    Args:
        node: this node.
        held: the agreement.
        edge: one of its edges.
        round_id: 16 bytes.
        full: end the epoch, if one is open, and compare all records.

    Raises:
        AgreementError, ConfigError: no collection fits.
    """
    delta = next_delta(node, held, edge, round_id, full=full)
    kind = edge_kind(node, held.agreement, (round_id, edge.id))
    return kind.collection_for(node, held, edge.id), delta


def erase_expired(node: Node) -> None:
    """Erase what the disclosures store besides leads and numbers, once its time has ended.

    Raises:
        StoreError: the store cannot be written.
    """
    for erase in _ERASE_EXPIRED:
        erase(node)


class InboundRounds:
    """All that a server holds of rounds that other nodes run, and the services that answer for them.

    Args:
        node: this node.
        metrics: counts.
        limits: bounds on what is accepted.
    """

    def __init__(self, node: Node, *, metrics: Metrics, limits: Limits) -> None:
        self._node = node
        self._engine = open_engine(node.settings)
        self._pool = threads(node.settings, self._engine)
        context = WorkerContext(pool=self._pool, engine=self._engine, limits=limits)
        self._edges = InboundEdges(node, kind_of=edge_kind, metrics=metrics, context=context)
        self._thresholds = Membership(node, metrics=metrics, context=context)
        self.checks = InboundChecks(node)

    def register(self, server: Any) -> None:
        """Add the services of all disclosures to a server of gRPC."""
        node, edges = self._node, self._edges
        match_pb2_grpc.add_MatchServicer_to_server(MatchService(edges), server)  # type: ignore[no-untyped-call]
        number_pb2_grpc.add_NumberServicer_to_server(AggregateService(edges), server)  # type: ignore[no-untyped-call]
        number_pb2_grpc.add_ReportsServicer_to_server(ReportsService(node), server)  # type: ignore[no-untyped-call]
        thresholds = ThresholdsService(self._thresholds)
        threshold_pb2_grpc.add_ThresholdsServicer_to_server(thresholds, server)  # type: ignore[no-untyped-call]
        rounds = StandingRoundsService(node, edges, self.checks)
        standing_pb2_grpc.add_StandingRoundsServicer_to_server(rounds, server)  # type: ignore[no-untyped-call]

    async def stop(self) -> None:
        """Let the current steps end, and drop every session; the store keeps the rounds."""
        await self._thresholds.stop()
        await self._edges.stop()
        await self.checks.settle()

    def close(self) -> None:
        """Release the threads and the engine."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._engine.close()
