"""What a disclosure provides for its edges: both sides' drivers, and the choice of this node's collection."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from blindmatch.node.agreements import bindings
from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.node import Node
from blindmatch.node.rounds.driver import Key
from blindmatch.node.rounds.receiver import ReceivingEdge
from blindmatch.node.rounds.sender import SendingEdge
from blindmatch.node.storage.store import CollectionRow
from blindmatch.protocol.agreement import Agreement


@dataclass(frozen=True)
class EdgeKind:
    """The code for one kind of edge."""

    receiving: type[ReceivingEdge[Any]]
    sending: type[SendingEdge[Any]]
    collection_for: Callable[[Node, StoredAgreement, str], CollectionRow] = bindings.collection_for
    """This node's collection for an edge; raises LocalError or AgreementError if none is ready."""


KindOf = Callable[[Node, Agreement, Key], EdgeKind]
"""The kind of an edge in a round."""
