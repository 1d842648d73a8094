"""Agreements on this node: drafted, exchanged, signed, kept, and asked before every round."""

from blindmatch.node.agreements.bindings import bind, check_fit, collection_for, own_edges
from blindmatch.node.agreements.exchange import (
    Connect,
    ExchangeOutcome,
    Link,
    describe,
    fetch,
    gather,
    push,
    push_withdrawal,
)
from blindmatch.node.agreements.registry import (
    StoredAgreement,
    adopt,
    decline,
    everything,
    find,
    own_party,
    ready,
    sign,
    withdraw,
)

__all__ = [
    "Connect",
    "ExchangeOutcome",
    "Link",
    "StoredAgreement",
    "adopt",
    "bind",
    "check_fit",
    "collection_for",
    "decline",
    "describe",
    "everything",
    "fetch",
    "find",
    "gather",
    "own_edges",
    "own_party",
    "push",
    "push_withdrawal",
    "ready",
    "sign",
    "withdraw",
]
