"""Operations on this agency's node: create it, open it, read its status and its public entry, add a peer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from blindmatch.node.operations import keys
from blindmatch.node.operations.keys import NodeKeys
from blindmatch.node.storage import config_template
from blindmatch.node.storage.config import FILE_NAME, load_settings
from blindmatch.protocol.errors import LocalError

if TYPE_CHECKING:
    from pathlib import Path

    from blindmatch.node.node import Node
    from blindmatch.node.pki.certificates import CertificateInfo
    from blindmatch.node.storage.config import Settings

SECONDS_PER_DAY = 86_400


def create(home: Path, settings: Settings, passphrase: Callable[[], str]) -> NodeKeys:
    """Create a data folder: settings, keys encrypted under a passphrase, an empty database.

    The audit log gets an alteration entry, its first.

    Raises:
        KeysError: the folder holds a node already, or the new passphrase is too short.
        ConfigError: the folder cannot be written.
        StoreError: the database belongs to another node.
    """
    from blindmatch.node.node import Node, check_new  # noqa: PLC0415 - `card` needs no database

    check_new(home)
    Node.create(home, settings, passphrase()).close()
    return keys.public_keys(home)


def open_node(home: Path, passphrase: Callable[[], str], *, record_wire: Path | None = None) -> Node:
    """Open a data folder; the caller closes it. For trials, `record_wire` is a folder for every decrypted message."""
    load_settings(home / FILE_NAME)  # report a wrong folder before asking for a passphrase
    from blindmatch.node.node import Node  # noqa: PLC0415 - see `create`

    node = Node.open(home, passphrase())
    if record_wire is not None:
        from blindmatch.node.transport.message_recorder import WireRecorder  # noqa: PLC0415 - rarely needed

        node.wire = WireRecorder(record_wire)
    return node


@dataclass(frozen=True)
class NodeStatus:
    """Whether a node can work now, and what it holds."""

    agency: str
    name: str
    role: str
    listen: str
    healthy: bool
    problem: str
    """The reason why the node cannot work; empty when it is healthy."""
    hint: str
    certificate: CertificateInfo | None
    """None when it is missing or wrong."""
    days_left: int
    """Of the certificate; 0 without one."""
    peers: Mapping[str, str]
    """Addresses by agency."""
    collections: int
    agreements: int
    running_edges: int
    curve: str
    hashing: str
    engine: str
    audit_entries: int

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        data, certificate = asdict(self), self.certificate
        days_left = data.pop("days_left")
        if certificate is not None:
            serial, until = f"{certificate.serial:x}", certificate.not_after.isoformat()
            data["certificate"] = {"serial": serial, "not_after": until, "days_left": days_left}
        return data


def status(node: Node) -> NodeStatus:
    """Inspect the data folder. The network is not used, and the server need not be running."""
    from blindmatch.node.compute import engine  # noqa: PLC0415 - the protocol is slow to import
    from blindmatch.protocol import group, hashing  # noqa: PLC0415 - see above

    problem = hint = ""
    certificate, days_left = None, 0
    try:
        certificate = node.certificate()
        days_left = int((certificate.not_after.timestamp() - node.clock()) // SECONDS_PER_DAY)
        node.health()
    except LocalError as error:
        problem, hint = error.message, error.hint
    settings, newest = node.settings, node.store.last_audit()
    return NodeStatus(
        agency=settings.agency,
        name=settings.name,
        role=settings.role,
        listen=settings.listen,
        healthy=not problem,
        problem=problem,
        hint=hint,
        certificate=certificate,
        days_left=days_left,
        peers={agency: peer.address for agency, peer in sorted(settings.peers.items())},
        collections=len(node.store.collections()),
        agreements=len(node.store.agreements()),
        running_edges=len(node.store.edges(running=True)),
        curve=group.backend_description(),
        hashing=hashing.backend_name(),
        engine=engine.describe(settings),
        audit_entries=0 if newest is None else newest.seq,
    )


@dataclass(frozen=True)
class NodeCard:
    """A node's public entry, as other agencies put it into an agreement. Keys are hexadecimal."""

    agency: str
    name: str
    role: str
    identity_key: str
    certificate_key: str
    legal_basis: str
    contact: str

    def data(self) -> dict[str, str]:
        """Plain values, as JSON has them."""
        return asdict(self)


def card(home: Path) -> NodeCard:
    """The public entry of the node in a folder. No passphrase is needed."""
    settings = load_settings(home / FILE_NAME)
    return NodeCard(
        name=settings.name,
        role=settings.role,
        legal_basis=settings.legal_basis,
        contact=settings.contact,
        **keys.public_keys(home).data(),
    )


def add_peer(home: Path, agency: str, address: str, server_name: str = "") -> None:
    """Add the address of another agency's node to node.toml.

    Raises:
        ConfigError: the entry is wrong, it names this node itself, or the agency has one already.
    """
    config_template.add_peer(home / FILE_NAME, agency, address, server_name)
