"""Stored rows of comparisons: which side runs the round, when everything has been disclosed, and how a row ends in failure."""

from blindmatch.node.node import Node
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.round_files import RoundFiles
from blindmatch.node.storage.store import EdgeRow
from blindmatch.protocol.aggregate import transitions as aggregate
from blindmatch.protocol.agreement import Agreement
from blindmatch.protocol.errors import BlindmatchError, LocalError, PeerError
from blindmatch.protocol.hits import transitions as hits
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.threshold import transitions as threshold
from blindmatch.protocol.threshold.transitions import ThresholdRole

OUTBOUND_ROLES = frozenset({Role.RECEIVER.value, ThresholdRole.COLLECTOR.value})
"""Roles in which a node runs the round."""

INBOUND_ROLES = frozenset({Role.SENDER.value, ThresholdRole.MEMBER.value})
"""Roles in which a node waits to be called."""

_RULES = (hits.RULES, aggregate.RULES, threshold.RULES)
"""The rules of every disclosure; a new disclosure adds its own."""

_DISCLOSED = {
    (role.value, state.value) for rules in _RULES for role, rule in rules.items() for state in rule.disclosed
}

DISCLOSED_STATES = frozenset(state for _, state in _DISCLOSED)
"""States, of any role, in which everything has been disclosed, or may have been: only the receipt is outstanding, which a
withdrawal does not stop."""

_OTHER_SIDE = {Role.SENDER.value: "receiver", ThresholdRole.MEMBER.value: "collector"}
"""The name of the other side in the audit log; a side that runs a round has senders."""


def retained_until(node: Node, agreement: Agreement) -> int:
    """The end of the agreed retention of a result that is stored now: seconds since 1970."""
    return int(node.clock()) + agreement.retention_days * 86_400


def code_of(error: BlindmatchError) -> str:
    """The code of a failure as it is stored: that of a peer's fault, else `local` or `agreement`."""
    if isinstance(error, PeerError):
        return error.code.value
    return "local" if isinstance(error, LocalError) else "agreement"


def only_receipt_outstanding(row: EdgeRow) -> bool:
    """Whether everything has been disclosed: the agreement need not allow the rest."""
    return (row.role, row.state) in _DISCLOSED


def abandon_row(node: Node, row: EdgeRow, reason: str) -> None:
    """Abandon one side of an unfinished comparison: wipe its secrets and erase its working files.

    Raises:
        StoreError: it has ended meanwhile.
    """
    key = (row.round_id, row.edge)
    other = {_OTHER_SIDE.get(row.role, "sender"): row.peer}
    node.audit.round_event(AuditEvent.ERASURE, "abandoned", key, **other)
    node.store.fail(*key, code="abandoned", reason=reason)
    RoundFiles(node.rounds_dir, *key).erase()
