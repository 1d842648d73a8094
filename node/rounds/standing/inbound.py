"""Delta rounds on the sender's side: opened by a receiver whose epoch is in the same state as ours."""

import asyncio
from functools import partial

from blindmatch.node.node import Node
from blindmatch.node.rounds.inbound_edges import InboundEdges
from blindmatch.node.rounds.standing import epochs
from blindmatch.node.rounds.standing.codec import DeltaOpening
from blindmatch.node.rounds.standing.sender import DeltaSendingEdge
from blindmatch.node.storage.round_files import RoundFiles
from blindmatch.node.storage.store import DeltaRow, EdgeRow
from blindmatch.node.transport.identity import Caller
from blindmatch.protocol.agreement import Agreement
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.session.states import Role


async def open_delta(
    node: Node, edges: InboundEdges, caller: Caller, opening: DeltaOpening
) -> DeltaSendingEdge:
    """Start, or resume, a delta round; the changes are being prepared when this returns.

    Raises:
        PeerError: the agreement or the caller does not allow it; DIVERGED, when this node has no such epoch, or its
            epoch is in another state; UNAVAILABLE when too many edges are open.
    """
    create = partial(_create, node, edges, caller, opening)
    row, agreement = await edges.start(caller, opening.agreement, opening.header, create)
    await asyncio.to_thread(_check_epoch, node, row)
    edge = await edges.resume(row, agreement, DeltaSendingEdge)
    edge.prepare(opening.commitment)
    return edge


def _create(
    node: Node, edges: InboundEdges, caller: Caller, opening: DeltaOpening, agreement: Agreement
) -> EdgeRow:
    """Store a new delta round of an open epoch that is in the state that the receiver states."""
    edge = agreement.edge(opening.header.edge)
    if not epochs.is_standing(agreement, edge):
        raise PeerError(PeerCode.WRONG_STATE, "this edge does not disclose hits under a standing agreement")
    epoch = epochs.find_open(node, opening.agreement, edge.id, Role.SENDER)
    if epoch is None or (epoch.epoch, epoch.number + 1) != (opening.epoch, opening.number):
        if epoch is not None:
            epochs.end(node, epoch, "the receiver's epoch is in another state")
        raise PeerError(
            PeerCode.DIVERGED,
            f"{node.agency} has no epoch in this state",
            hint="The epoch has ended. The next round compares all records again.",
        )
    delta = DeltaRow(opening.header.round_id, edge.id, epoch.epoch, opening.number)
    return edges.create(caller, agreement, opening.agreement, opening.header, delta=delta)


def _check_epoch(node: Node, row: EdgeRow) -> None:
    """End a delta round whose epoch has ended or advanced without it."""
    delta = node.store.find_delta(row.round_id, row.edge)
    epoch = None if delta is None else node.store.find_epoch(delta.epoch, row.edge)
    if delta is None or not row.running or (epoch and epoch.open and epoch.number + 1 == delta.number):
        return
    error = PeerError(
        PeerCode.DIVERGED, f"the epoch of this round has ended at {node.agency}, or advanced without it"
    )
    node.store.fail(row.round_id, row.edge, code=error.code.value, reason=error.message)
    RoundFiles(node.rounds_dir, row.round_id, row.edge).erase()
    raise error
