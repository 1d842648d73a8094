"""What a node clears away by itself: results past their retention, and what crashes and vanished peers left behind."""

from blindmatch.node import numbers, results, standing
from blindmatch.node.audit import AuditEvent
from blindmatch.node.home import Node
from blindmatch.node.workspace import RoundFiles, leftovers

STALE_SECONDS = 14 * 86_400
"""A receiver that has not come back for so long has given the round up."""


def sweep(node: Node) -> None:
    """Erase expired leads and numbers, working files of edges that have ended, and edges whose receiver has vanished.

    Raises:
        StoreError: the store cannot be written.
    """
    results.erase_expired(node)
    numbers.erase_expired(node)
    node.store.erase_checks(int(node.clock()))
    standing.retire(node)
    stale = node.clock() - STALE_SECONDS
    for row in node.store.edges(running=True):
        if row.role in {"sender", "member"} and row.updated_at < stale:
            node.audit.append(
                AuditEvent.ERASURE,
                subject=f"round {row.round_id.hex()} edge {row.edge}",
                detail={"action": "abandoned", "collector" if row.role == "member" else "receiver": row.peer},
            )
            node.store.fail(row.round_id, row.edge, code="abandoned", reason=f"{row.peer} did not come back")
    running = {(row.round_id, row.edge) for row in node.store.edges(running=True)}
    for key in leftovers(node.rounds_dir):
        # A folder is made after its row, so one without a running row belongs to nobody.
        if key not in running:
            RoundFiles(node.rounds_dir, *key).erase()
