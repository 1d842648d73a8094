"""What a node erases: results past their retention, abandoned rounds, and leftovers of crashes."""

from blindmatch.node.node import Node
from blindmatch.node.rounds import disclosures
from blindmatch.node.rounds.rows import INBOUND_ROLES, abandon_row
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.round_files import RoundFiles, leftovers

DAY_SECONDS = 86_400
STALE_SECONDS = 14 * DAY_SECONDS
"""A round whose receiver or collector does not return for so long is abandoned."""


_EXPIRED = {"leads": "leads past their retention", "numbers": "counts and sums past their retention"}
"""The name of erased results in the audit log."""


def purge_expired(node: Node) -> None:
    """Erase expired results, files of rounds that have ended, and rounds whose receiver or collector does not return.

    Raises:
        StoreError: the store cannot be written.
    """
    for name, erased in node.store.erase_expired(int(node.clock())).items():
        if erased:
            node.audit.append(AuditEvent.ERASURE, subject=_EXPIRED[name], detail={name: erased})
    disclosures.erase_expired(node)
    stale = node.clock() - STALE_SECONDS
    for row in node.store.edges(running=True):
        if row.role in INBOUND_ROLES and row.updated_at < stale:
            abandon_row(node, row, f"{row.peer} did not return for {STALE_SECONDS // DAY_SECONDS} days")
    running = {(row.round_id, row.edge) for row in node.store.edges(running=True)}
    for key in leftovers(node.rounds_dir):
        # A folder is created after its row: one without a running row belongs to no round.
        if key not in running:
            RoundFiles(node.rounds_dir, *key).erase()
