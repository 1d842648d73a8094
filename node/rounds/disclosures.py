"""The receiver's side of an edge: what every disclosure shares in `edge`, and one module for each."""

from collections.abc import Callable, Mapping
from typing import Any

from blindmatch.node.node import Node
from blindmatch.node.rounds.aggregate.receiver import AggregateReceivingEdge
from blindmatch.node.rounds.hits.receiver import HitsReceivingEdge
from blindmatch.node.rounds.receiver import Progress, ReceivingEdge
from blindmatch.node.rounds.standing import stands
from blindmatch.node.rounds.standing.receiver import DeltaReceivingEdge, OpeningReceivingEdge
from blindmatch.node.storage.store import EdgeRow
from blindmatch.protocol.agreement import Agreement, Disclosure

__all__ = [
    "AggregateReceivingEdge",
    "DeltaReceivingEdge",
    "HitsReceivingEdge",
    "OpeningReceivingEdge",
    "Progress",
    "ReceivingEdge",
    "kind_of",
]

_KINDS: Mapping[Disclosure, Callable[..., ReceivingEdge[Any]]] = {
    Disclosure.HITS: HitsReceivingEdge,
    Disclosure.HITS_FACTS: HitsReceivingEdge,
    Disclosure.COUNT: AggregateReceivingEdge,
    Disclosure.SUM: AggregateReceivingEdge,
}


def kind_of(node: Node, agreement: Agreement, row: EdgeRow) -> Callable[..., ReceivingEdge[Any]]:
    """The kind of edge that a round needs; takes what `ReceivingEdge` takes."""
    edge = agreement.edge(row.edge)
    if stands(agreement, edge):
        return DeltaReceivingEdge if node.store.find_delta(row.round_id, row.edge) else OpeningReceivingEdge
    return _KINDS[edge.disclosure]
