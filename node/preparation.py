"""From an agreement and a collection to what a session takes: keys, tokens, elements, facts.

The same seed and the same collection give the same elements, so a crash repeats nothing that was sent with other bytes.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from blindmatch.node import collections
from blindmatch.node.collections import Collection
from blindmatch.node.facts import Facts
from blindmatch.node.home import Node
from blindmatch.protocol.agreement import MARKINGS, Agreement, Edge, Side
from blindmatch.protocol.errors import AgreementError, LocalError, PeerCode, PeerError
from blindmatch.protocol.expand import Expander
from blindmatch.protocol.linkage import (
    CompiledKeys,
    Elements,
    Tokens,
    compile_keys,
    load_schema,
)
from blindmatch.protocol.match import EdgeContext


@dataclass(frozen=True)
class Prepared:
    """One side of one edge, ready for a session."""

    compiled: CompiledKeys
    tokens: Tokens
    elements: Elements
    facts: Facts | None
    collection: Collection
    selected: npt.NDArray[np.int64]
    """The collection's records that the agreement lets in; token record `i` is `selected[i]`."""


def keys_of(agreement: Agreement) -> CompiledKeys:
    """The agreement's match keys."""
    return compile_keys(load_schema(agreement.schema))


def edge_context(agreement: Agreement, agreement_id: bytes, edge: Edge, round_id: bytes) -> EdgeContext:
    """What both sides know of the edge."""
    return EdgeContext(
        agreement=agreement_id,
        round_id=round_id,
        edge=edge.id,
        receiver=edge.receiver.agency,
        sender=edge.sender.agency,
        disclosure=edge.disclosure,
        verified=edge.verified,
        keys_digest=keys_of(agreement).digest,
        receiver_elements=edge.receiver.max_elements,
        sender_elements=edge.sender.max_elements,
        fact_bytes=edge.fact_bytes,
    )


def collection_for(
    node: Node, agreement: Agreement, agreement_id: bytes, edge: Edge, side: Side
) -> Collection:
    """The collection that this node bound to its side of the edge, checked against the agreement.

    Raises:
        PeerError: OVER_LIMIT or REFUSED; the text says no more than the other side may know.
        AgreementError: the collection's marking or kind is not allowed.
    """
    bound = node.store.binding(agreement_id, edge.id)
    if bound is None:
        raise PeerError(
            PeerCode.REFUSED,
            f"{side.agency} has not bound a collection to edge {edge.id} yet",
            hint="Bind one with `blindmatch agreement sign --bind` or `blindmatch agreement bind`.",
        )
    collection = collections.open_collection(node, bound)
    check_collection(collection, agreement, edge, side)
    return collection


def check_collection(collection: Collection, agreement: Agreement, edge: Edge, side: Side) -> None:
    """Kind, marking and number of records must be within the agreement.

    Raises:
        PeerError: OVER_LIMIT.
        AgreementError: kind or marking.
    """
    where = f"edges[{edge.id}].{side.agency}"
    if collection.kind != side.collection_kind:
        raise AgreementError(
            f"{where}.collection_kind", f"is {side.collection_kind}, the collection holds {collection.kind}"
        )
    if MARKINGS.index(collection.marking) > MARKINGS.index(agreement.marking):
        raise AgreementError(
            "marking", f"is {agreement.marking}; the bound collection is marked {collection.marking}"
        )
    count = len(collection.select(agreement.handling_codes))
    if count > side.max_records:
        raise PeerError(
            PeerCode.OVER_LIMIT,
            f"{side.agency} brings {count} records to edge {edge.id}; the agreement allows {side.max_records}",
            hint="Import fewer records, or agree on a larger limit.",
        )
    if count == 0:
        raise LocalError(
            f"no record of the collection may enter edge {edge.id}",
            hint="Look at the handling codes in the agreement and in the collection.",
        )


def prepare(
    node: Node,
    agreement: Agreement,
    edge: Edge,
    side: Side,
    collection_id: str,
    *,
    seed: bytes,
    sending: bool,
) -> Prepared:
    """Tokens and elements of one side; on the sender's side each token once, and the facts with it.

    Raises:
        LocalError: the collection is gone, unreadable, or has no records that may enter.
    """
    collection = collections.open_collection(node, collection_id)
    check_collection(collection, agreement, edge, side)
    compiled = keys_of(agreement)
    selected = collection.select(agreement.handling_codes)
    expander = Expander(seed)
    tokens = collection.tokens(
        compiled,
        selected,
        side.tokens_per_record,
        lambda count: expander.stream("fillers", 0, count),
        distinct=sending,
    )
    expander.wipe()
    facts = None
    if sending and edge.fact_bytes:
        facts = Facts(
            tokens, lambda record: collection.record(int(selected[record])).facts, edge.facts, edge.fact_bytes
        )
    return Prepared(compiled, tokens, Elements(compiled, tokens), facts, collection, selected)
