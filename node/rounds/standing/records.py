"""The records of this node that enter a round of a standing agreement."""

from blindmatch.node import imports
from blindmatch.node.node import Node
from blindmatch.node.rounds.inputs import CompiledEdge
from blindmatch.node.rounds.standing.collection_records import CollectionRecords
from blindmatch.node.storage.store import EdgeRow
from blindmatch.protocol.agreement import Agreement
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.standing import Epoch


def standing_records(
    node: Node, agreement: Agreement, row: EdgeRow, agreed: CompiledEdge, epoch: Epoch
) -> CollectionRecords:
    """The records that this side of an edge contributes.

    Args:
        node: this node.
        agreement: checked.
        row: the edge, with its seed.
        agreed: the keys that both sides compiled.
        epoch: the open epoch, or the one that the round opens.

    Raises:
        LocalError: the collection is gone, unreadable, or has no records that may enter.
    """
    collection = imports.open_collection(node, row.collection_id)
    return CollectionRecords(
        collection=collection,
        selected=collection.select(agreement.handling_codes),
        agreed=agreed,
        edge=agreement.edge(row.edge),
        role=Role(row.role),
        epoch=epoch,
        seed=row.seed,
    )
