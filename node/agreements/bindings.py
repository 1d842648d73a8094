"""Which of this node's collections is bound to which edge, and whether it may be."""

from blindmatch.node.agreements.registry import StoredAgreement, short_id
from blindmatch.node.imports import open_collection
from blindmatch.node.node import Node
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.store import CollectionRow
from blindmatch.protocol.agreement import Agreement, Edge, Threshold, within_marking
from blindmatch.protocol.errors import AgreementError, BlindmatchError, ConfigError


def own_edges(node: Node, agreement: Agreement) -> tuple[Edge | Threshold, ...]:
    """The edges on which this node is receiver or sender, and the thresholds of which it is a member."""
    return tuple(each for each in agreement.comparisons if node.agency in each.agencies)


def check_fit(node: Node, agreement: Agreement, edge: Edge | Threshold, collection: CollectionRow) -> None:
    """Check that a collection may enter an edge: kind, marking, schema, and the number of records that may enter.

    Raises:
        AgreementError: it may not; states the reason.
    """
    side = edge.side(node.agency)
    path = next(path for path, each in edge.sides.items() if each is side)
    field = f"{agreement.path(edge)}.{path}"
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


def bind(node: Node, stored: StoredAgreement, edge_id: str, name: str) -> CollectionRow:
    """Bind a collection to an edge.

    Raises:
        AgreementError: no such edge, not an edge of this node, or the collection does not fit.
        StoreError: no such collection.
    """
    edge = stored.agreement.comparison(edge_id)
    edge.side(node.agency)
    collection = node.store.collection(name)
    check_fit(node, stored.agreement, edge, collection)
    if node.store.binding(stored.id, edge_id) != collection.id:
        node.store.bind(stored.id, edge_id, collection.id)
        node.audit.append(
            AuditEvent.ALTERATION,
            subject=f"agreement {stored.id.hex()}",
            detail={"action": "bound", "edge": edge_id, "collection": collection.id},
        )
    return collection


def bind_defaults(node: Node, stored: StoredAgreement) -> dict[str, BlindmatchError]:
    """Bind the only suitable collection to each of our edges that has none yet.

    Returns:
        For each edge that remains without one, the reason.
    """
    problems: dict[str, BlindmatchError] = {}
    for edge in own_edges(node, stored.agreement):
        try:
            bind(node, stored, edge.id, collection_for(node, stored, edge.id).id)
        except BlindmatchError as error:
            problems[edge.id] = error
    return problems


def collection_for(node: Node, stored: StoredAgreement, edge_id: str) -> CollectionRow:
    """The collection of this node for an edge: the bound one, otherwise its only one of the right kind.

    Raises:
        AgreementError: it may not enter, or the edge is not one of ours.
        ConfigError: none is bound, and the node has none or more than one of the kind.
    """
    edge = stored.agreement.comparison(edge_id)
    side = edge.side(node.agency)
    every = node.store.collections()
    bound = node.store.binding(stored.id, edge_id)
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
            hint=f"Choose: blindmatch agreement sign {short_id(stored.id)} --collection {edge_id}=NAME",
        )
    check_fit(node, stored.agreement, edge, chosen[0])
    return chosen[0]
