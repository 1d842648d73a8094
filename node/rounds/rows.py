"""Stored rows of comparisons: which side runs the round, when everything has been disclosed, and how a row ends in failure."""

from blindmatch.node.node import Node
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.round_files import RoundFiles
from blindmatch.node.storage.store import EdgeRow
from blindmatch.protocol.aggregate.transitions import AggregateState
from blindmatch.protocol.agreement import Agreement
from blindmatch.protocol.hits.transitions import HitsState
from blindmatch.protocol.session.states import Role, State
from blindmatch.protocol.threshold import ThresholdRole

OUTBOUND_ROLES = frozenset({Role.RECEIVER.value, ThresholdRole.COLLECTOR.value})
"""Roles in which a node runs the round."""

INBOUND_ROLES = frozenset({Role.SENDER.value, ThresholdRole.MEMBER.value})
"""Roles in which a node waits to be called."""

DISCLOSED_TO_RECEIVER = frozenset(
    {HitsState.MATCHED.value, AggregateState.INFORMED.value, State.SIGNED.value}
)
"""States of a receiver in which everything has been disclosed and only the receipt is outstanding."""

_OTHER_SIDE = {Role.SENDER.value: "receiver", ThresholdRole.MEMBER.value: "collector"}
"""The name of the other side in the audit log; a side that runs a round has senders."""


def retained_until(node: Node, agreement: Agreement) -> int:
    """The end of the agreed retention of a result that is stored now: seconds since 1970."""
    return int(node.clock()) + agreement.retention_days * 86_400


def only_receipt_outstanding(row: EdgeRow) -> bool:
    """Whether everything has been disclosed: the agreement need not allow the rest.

    A collector discloses outcomes to members after it has matched, and signs when every member has its outcome.
    """
    if row.role == Role.RECEIVER.value:
        return row.state in DISCLOSED_TO_RECEIVER
    return row.state == State.SIGNED.value


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
