"""Which of this node's collections goes into which edge, and whether it may."""

from blindmatch.node.agreements.registry import StoredAgreement, short
from blindmatch.node.imports import open_collection
from blindmatch.node.node import Node
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.store import CollectionRow
from blindmatch.protocol.agreement import Agreement, Edge, Side, Threshold, within_marking
from blindmatch.protocol.errors import AgreementError, BlindmatchError, ConfigError


def own_edges(node: Node, agreement: Agreement) -> tuple[Edge | Threshold, ...]:
    """The edges on which this node is receiver or sender, and the thresholds of which it is a member."""
    agency = node.settings.agency
    return (
        *(edge for edge in agreement.edges if agency in (edge.receiver.agency, edge.sender.agency)),
        *(threshold for threshold in agreement.thresholds if agency in threshold.agencies),
    )


def _path(agreement: Agreement, comparison: Edge | Threshold, side: Side) -> str:
    """Where a side stands in the agreement."""
    if isinstance(comparison, Threshold):
        place = comparison.members.index(side)
        return f"thresholds[{agreement.thresholds.index(comparison)}].members[{place}]"
    role = "receiver" if side is comparison.receiver else "sender"
    return f"edges[{agreement.edges.index(comparison)}].{role}"


def check_fit(node: Node, agreement: Agreement, edge: Edge | Threshold, collection: CollectionRow) -> None:
    """Whether a collection may enter an edge: kind, marking, schema, and how many records its codes let in.

    Raises:
        AgreementError: it may not; says why.
    """
    side = edge.side(node.settings.agency)
    field = _path(agreement, edge, side)
    name = collection.name
    if collection.kind != side.collection_kind:
        raise AgreementError(
            f"{field}.collection_kind",
            f"is {side.collection_kind}, but collection {name} holds {collection.kind}",
        )
    if not within_marking(collection.marking, agreement.marking):
        raise AgreementError(
            "marking",
            f"collection {name} is {collection.marking}, above the agreement's {agreement.marking}",
            hint="Draft an agreement with a higher marking, or use another collection.",
        )
    if collection.schema != agreement.schema:
        raise AgreementError(
            "schema",
            f"is {agreement.schema}, but collection {name} was imported for {collection.schema}",
            hint="Import the collection again with the agreement's schema.",
        )
    count = len(open_collection(node, collection.id).select(agreement.handling_codes))
    if count > side.max_records:
        raise AgreementError(
            f"{field}.max_records",
            f"is {side.max_records}, but {count} records of collection {name} would enter",
            hint="Draft an agreement with a larger size, or import fewer records.",
        )
    if count == 0:
        raise AgreementError(
            "handling_codes",
            f"are {', '.join(agreement.handling_codes)}: no record of collection {name} may enter",
        )


def bind(node: Node, held: StoredAgreement, edge_id: str, name: str) -> CollectionRow:
    """Bring a collection to an edge from now on.

    Raises:
        AgreementError: no such edge, not an edge of this node, or the collection does not fit.
        StoreError: no such collection.
    """
    edge = held.agreement.comparison(edge_id)
    edge.side(node.settings.agency)
    collection = node.store.collection(name)
    check_fit(node, held.agreement, edge, collection)
    if node.store.binding(held.id, edge_id) != collection.id:
        node.store.bind(held.id, edge_id, collection.id)
        node.audit.append(
            AuditEvent.ALTERATION,
            subject=f"agreement {held.id.hex()}",
            detail={"action": "bound", "edge": edge_id, "collection": collection.id},
        )
    return collection


def bind_defaults(node: Node, held: StoredAgreement) -> dict[str, BlindmatchError]:
    """Bind the only fitting collection to each of our edges that has none yet.

    Returns:
        The edges that stay without one, and why.
    """
    problems: dict[str, BlindmatchError] = {}
    for edge in own_edges(node, held.agreement):
        try:
            bind(node, held, edge.id, collection_for(node, held, edge.id).id)
        except BlindmatchError as error:
            problems[edge.id] = error
    return problems


def collection_for(node: Node, held: StoredAgreement, edge_id: str) -> CollectionRow:
    """The collection that this node brings to an edge: the bound one, else its only one of the right kind.

    Raises:
        AgreementError: it does not fit, or the edge is none of ours.
        ConfigError: none is bound, and there is none or more than one to choose from.
    """
    edge = held.agreement.comparison(edge_id)
    side = edge.side(node.settings.agency)
    every = node.store.collections()
    bound = node.store.binding(held.id, edge_id)
    chosen = [row for row in every if row.id == bound]
    if not chosen:
        chosen = [row for row in every if row.kind == side.collection_kind]
    if not chosen:
        raise ConfigError(
            f"edge {edge_id} needs {side.collection_kind}, and this node has no such collection",
            hint=f"Import one: blindmatch collection import NAME --kind {side.collection_kind} ...",
        )
    if len(chosen) > 1:
        raise ConfigError(
            f"edge {edge_id} needs {side.collection_kind}, and there are {len(chosen)}: "
            + ", ".join(row.name for row in chosen),
            hint=f"Choose: blindmatch agreement sign {short(held.id)} --collection {edge_id}=NAME",
        )
    check_fit(node, held.agreement, edge, chosen[0])
    return chosen[0]
