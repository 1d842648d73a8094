"""The receiver's side of an edge: what every disclosure shares in `edge`, and one module for each."""

from collections.abc import Callable, Mapping
from typing import Any

from blindmatch.node.node import Node
from blindmatch.node.rounds.aggregate.receiver import NumberEdge
from blindmatch.node.rounds.hits.receiver import HitsEdge
from blindmatch.node.rounds.receiver import Progress, ReceivingEdge
from blindmatch.node.rounds.standing import stands
from blindmatch.node.rounds.standing.receiver import DeltaEdge, OpeningEdge
from blindmatch.node.storage.store import EdgeRow
from blindmatch.protocol.agreement import Agreement, Disclosure

__all__ = ["DeltaEdge", "HitsEdge", "NumberEdge", "OpeningEdge", "Progress", "ReceivingEdge", "kind_of"]

_KINDS: Mapping[Disclosure, Callable[..., ReceivingEdge[Any]]] = {
    Disclosure.HITS: HitsEdge,
    Disclosure.HITS_FACTS: HitsEdge,
    Disclosure.COUNT: NumberEdge,
    Disclosure.SUM: NumberEdge,
}


def kind_of(node: Node, agreement: Agreement, row: EdgeRow) -> Callable[..., ReceivingEdge[Any]]:
    """The kind of edge that a round needs; takes what `ReceivingEdge` takes."""
    edge = agreement.edge(row.edge)
    if stands(agreement, edge):
        return DeltaEdge if node.store.find_delta(row.round_id, row.edge) else OpeningEdge
    return _KINDS[edge.disclosure]
