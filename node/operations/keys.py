"""Operations on the node's keys: read the public ones, change the passphrase. Light: no database is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blindmatch.node.storage import keyring
from blindmatch.node.storage.audit_events import AuditEvent

if TYPE_CHECKING:
    from pathlib import Path

    from blindmatch.node.node import Node


@dataclass(frozen=True)
class NodeKeys:
    """A node's public keys."""

    agency: str
    identity_key: bytes
    """Ed25519, 32 bytes."""
    certificate_key: bytes
    """SHA-256 of the TLS key's SubjectPublicKeyInfo, 32 bytes."""

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        return {
            "agency": self.agency,
            "identity_key": self.identity_key.hex(),
            "certificate_key": self.certificate_key.hex(),
        }


def public_keys(home: Path) -> NodeKeys:
    """The public keys of the node in a folder. No passphrase is needed, and nothing is written to the audit log."""
    public = keyring.PublicKeys.read(home / keyring.FILE_NAME)
    return NodeKeys(public.agency, public.identity, public.certificate_key)


def change_passphrase(node: Node, old: str, new: str) -> None:
    """Change the passphrase of the key file. The keys stay the same. The audit log gets an alteration entry.

    Raises:
        KeysError: `old` is wrong, `new` is empty, or the file is damaged.
    """
    keyring.change_passphrase(node.home / keyring.FILE_NAME, old, new)
    node.audit.append(AuditEvent.ALTERATION, subject="keys", detail={"action": "passphrase"})
