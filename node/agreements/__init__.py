"""Agreements on this node: drafted, exchanged, signed, kept, and asked before every round."""

from blindmatch.node.agreements.bindings import bind, check_fit, collection_for, own_edges
from blindmatch.node.agreements.exchange import (
    Connect,
    ExchangeOutcome,
    Link,
    collect_signatures,
    fetch,
    fetch_entry,
    push,
    push_withdrawal,
)
from blindmatch.node.agreements.registry import (
    StoredAgreement,
    adopt,
    decline,
    find,
    list_agreements,
    own_party,
    sign,
    usable_agreement,
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
    "collect_signatures",
    "collection_for",
    "decline",
    "fetch",
    "fetch_entry",
    "find",
    "list_agreements",
    "own_edges",
    "own_party",
    "push",
    "push_withdrawal",
    "sign",
    "usable_agreement",
    "withdraw",
]
