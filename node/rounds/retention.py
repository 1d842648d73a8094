"""What a node clears away: results past their retention, rounds that nobody goes on with, what crashes left behind."""

from collections.abc import Container

from blindmatch.node.node import Node
from blindmatch.node.rounds import standing
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.round_files import RoundFiles, leftovers
from blindmatch.node.storage.store import EdgeRow

STALE_SECONDS = 14 * 86_400
"""A receiver that has not come back for so long has given the round up."""

UNFINISHED = 16
"""Rounds of one comparison that may wait for whoever runs them to come back; beyond it the oldest is given up."""

_EXPIRED = {"leads": "leads past their retention", "numbers": "counts and sums past their retention"}
"""How the audit log names what was erased."""

_OTHER_SIDE = {"sender": "receiver", "member": "collector"}
"""What the other side of a role is called in the log; those who run a round have senders."""


def purge_expired(node: Node) -> None:
    """Erase expired leads and numbers, working files of edges that have ended, and edges whose receiver has vanished.

    Raises:
        StoreError: the store cannot be written.
    """
    for name, erased in node.store.erase_expired(int(node.clock())).items():
        if erased:
            node.audit.append(AuditEvent.ERASURE, subject=_EXPIRED[name], detail={name: erased})
    node.store.erase_checks(int(node.clock()))
    standing.retire(node)
    stale = node.clock() - STALE_SECONDS
    for row in node.store.edges(running=True):
        if row.role in {"sender", "member"} and row.updated_at < stale:
            give_up(node, row, f"{row.peer} did not come back")
    running = {(row.round_id, row.edge) for row in node.store.edges(running=True)}
    for key in leftovers(node.rounds_dir):
        # A folder is made after its row, so one without a running row belongs to nobody.
        if key not in running:
            RoundFiles(node.rounds_dir, *key).erase()


def give_up(node: Node, row: EdgeRow, reason: str) -> None:
    """Give up one side of an unfinished comparison: its secrets are wiped, its working files erased.

    Raises:
        StoreError: it has ended meanwhile.
    """
    node.audit.append(
        AuditEvent.ERASURE,
        subject=f"round {row.round_id.hex()} edge {row.edge}",
        detail={"action": "abandoned", _OTHER_SIDE.get(row.role, "sender"): row.peer},
    )
    node.store.fail(row.round_id, row.edge, code="abandoned", reason=reason)
    RoundFiles(node.rounds_dir, row.round_id, row.edge).erase()


def evict_oldest(
    node: Node, agreement_id: bytes, name: str, role: str, at_work: Container[tuple[bytes, str]]
) -> None:
    """Make room for one more round of a comparison that others run: each that waits keeps tables on our disk.

    Only rounds of the same comparison make room for it, the oldest first, and none that is at work.
    """
    waiting = [
        row
        for row in node.store.edges(agreement_id=agreement_id, running=True)
        if (row.edge, row.role) == (name, role) and (row.round_id, row.edge) not in at_work
    ]
    for row in waiting[: max(0, len(waiting) + 1 - UNFINISHED)]:
        give_up(node, row, f"{row.peer} left it and began newer rounds")
