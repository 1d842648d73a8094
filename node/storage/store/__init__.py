"""The node's control state: SQLite in the data folder by default, PostgreSQL by URL.

Large arrays are files beside it. Sensitive columns are sealed with the node's own key and bound to their row.
Safe for threads, and for several processes on one database: the server and the commands.
"""

from blindmatch.node.storage.store.agreements import Agreements
from blindmatch.node.storage.store.audit import Audit
from blindmatch.node.storage.store.checks import Checks
from blindmatch.node.storage.store.collections import Collections
from blindmatch.node.storage.store.edges import CLOSED, FAILED, Edges
from blindmatch.node.storage.store.epochs import Epochs, ExtraWrites
from blindmatch.node.storage.store.results import Results
from blindmatch.node.storage.store.rows import (
    AggregateRow,
    AgreementRow,
    AuditRow,
    CheckRow,
    CollectionRow,
    Contact,
    DeltaRow,
    EdgeRow,
    EpochRow,
    LeadRow,
    Withdrawal,
)

__all__ = [
    "CLOSED",
    "FAILED",
    "AggregateRow",
    "AgreementRow",
    "AuditRow",
    "CheckRow",
    "CollectionRow",
    "Contact",
    "DeltaRow",
    "EdgeRow",
    "EpochRow",
    "ExtraWrites",
    "LeadRow",
    "Store",
    "Withdrawal",
]


class Store(Collections, Agreements, Edges, Epochs, Checks, Results, Audit):
    """All tables of one node behind one object."""
