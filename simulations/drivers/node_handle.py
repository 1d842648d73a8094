"""One agency's node as processes of its own on this machine: created, certified, served, and driven by commands.

A simulation holds its handles itself, or each is held by an actor of a Ray cluster (`ray_nodes`).
"""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from blindmatch.node.node import Node
from blindmatch.node.pki import certificates
from blindmatch.node.storage.config_template import add_peer
from blindmatch.protocol.errors import SequenceError
from blindmatch.simulations.drivers.deploy import IssuedCertificate, Site, create_node, install
from blindmatch.simulations.drivers.node_process import LOOPBACK, NodeProcess, reserve_port
from blindmatch.simulations.drivers.traffic import Traffic, recorded_traffic


class NodeHandle(NodeProcess):
    """One agency's node.

    Args:
        site: its folder and its input files, on this machine.
        passphrase: the passphrase of its keys.
        host: the address of this machine at which it listens.
        wire: the folder for its messages; None: a temporary folder that is deleted with the handle.
    """

    def __init__(
        self, site: Site, passphrase: str, *, host: str = LOOPBACK, wire: Path | None = None
    ) -> None:
        self._stack = contextlib.ExitStack()
        self._site = site
        self._wire = wire or Path(
            self._stack.enter_context(
                TemporaryDirectory(prefix="blindmatch-wire-", ignore_cleanup_errors=True)
            )
        )
        self._port = self._stack.enter_context(reserve_port(host))
        super().__init__(site.agency, site.home, int(self._port.getsockname()[1]), passphrase, host=host)
        self._node: Node | None = None

    def create(self, cluster: Mapping[str, Any] | None) -> bytes:
        """Create the node with its keys; returns its certificate request (PEM). `certify` must follow."""
        node = create_node(self._site, self.passphrase, listen=self.address, cluster=cluster)
        self._stack.callback(node.close)
        self._node = node
        return certificates.make_request(node.keys)

    def certify(self, issued: IssuedCertificate, now: float) -> None:
        """Install the issued certificate."""
        if self._node is None:
            raise SequenceError("a node must be created before it is certified")
        install(self._node, issued, now)
        self._node.close()

    def introduce(self, addresses: Mapping[str, str]) -> None:
        """Write the other agencies' addresses into `node.toml`."""
        for agency, address in addresses.items():
            if agency != self.agency:
                add_peer(self.home / "node.toml", agency, address)

    def write_file(self, path: Path, content: bytes) -> None:
        """Write a file on this machine, unless it has this content already."""
        if path.exists() and path.read_bytes() == content:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{self.agency}")
        part.write_bytes(content)
        part.replace(path)

    def run_round(self, agreement: str, turn: int) -> Any:
        """Run a round, and record its messages for `traffic`; returns the output of the command.

        Args:
            agreement: its id.
            turn: the number of the scenario's step, by which the messages of rounds are stored separately.
        """
        return self.data("round", "run", agreement, "--record-wire", str(self._round(turn)))

    def traffic(self, peer: str, turn: int) -> Traffic:
        """The messages between the node and a peer in that round."""
        return recorded_traffic(self._round(turn), peer)

    def _round(self, turn: int) -> Path:
        return self._wire / f"round-{turn}"

    def serve(self) -> None:
        """Start the server, and wait until it answers.

        Raises:
            LocalError: the server ended, or does not answer in time.
        """
        self._port.close()
        self.start("--record-wire", str(self._wire))
        self.wait()

    def close(self) -> None:
        """Stop the server; the node's folder remains."""
        self.stop()
        self._stack.close()
