"""The receiver's side of an edge: what every disclosure shares in `edge`, and one module for each."""

from collections.abc import Callable, Mapping
from typing import Any

from blindmatch.node.receiving.edge import Progress, ReceivingEdge
from blindmatch.node.receiving.hits import HitsEdge
from blindmatch.protocol.agreement import Disclosure

__all__ = ["HitsEdge", "Progress", "ReceivingEdge", "kind_of"]

_KINDS: Mapping[Disclosure, Callable[..., ReceivingEdge[Any]]] = {
    Disclosure.HITS: HitsEdge,
    Disclosure.HITS_FACTS: HitsEdge,
}


def kind_of(disclosure: Disclosure) -> Callable[..., ReceivingEdge[Any]]:
    """The kind of edge that a disclosure needs; takes what `ReceivingEdge` takes."""
    return _KINDS[disclosure]
