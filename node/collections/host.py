"""What a collection needs of the node it lives in."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from blindmatch.node.audit import AuditLog
from blindmatch.node.keys import KeyRing
from blindmatch.node.store import Store


class Host(Protocol):
    """The parts of `blindmatch.node.home.Node` that collections use."""

    keys: KeyRing
    store: Store
    audit: AuditLog
    clock: Callable[[], float]

    @property
    def collections_dir(self) -> Path:
        """Where the sealed files are."""
