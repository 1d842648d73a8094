"""What a collection needs of the node it lives in."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from blindmatch.node.storage.audit_log import AuditLog
from blindmatch.node.storage.keyring import KeyRing
from blindmatch.node.storage.store import Store


class NodeStorage(Protocol):
    """The parts of `blindmatch.node.node.Node` that collections use."""

    keys: KeyRing
    store: Store
    audit: AuditLog
    clock: Callable[[], float]

    @property
    def collections_dir(self) -> Path:
        """Where the sealed files are."""
