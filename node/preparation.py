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
from blindmatch.protocol.agreement import Agreement, Edge, Side
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
