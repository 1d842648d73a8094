"""One agency's node as processes of its own, on the machine where this object is: made, certified, served, told commands.

A simulation holds its stations itself, or has each held by an actor of a Ray cluster (`placed`).
"""

import contextlib
import socket
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


class NodeHandle:
    """One agency's node.

    Args:
        site: its folder and its input, on this machine.
        passphrase: its keys'.
        host: the address of this machine at which it listens.
        wire: the folder for its messages; None: one that goes with the station.
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
        self._port: socket.socket = self._stack.enter_context(reserve_port(host))
        self._process = NodeProcess(
            site.agency, site.home, int(self._port.getsockname()[1]), passphrase, host=host
        )
        self._made: Node | None = None

    def __repr__(self) -> str:
        return f"Station({self._site.agency} at {self._process.address})"

    def address(self) -> str:
        """Where it listens, for the other nodes."""
        return self._process.address

    def create(self, cluster: Mapping[str, Any] | None) -> bytes:
        """Make the node, its keys among it; returns its certificate request (PEM). `certify` must follow."""
        node = create_node(
            self._site, self._process.passphrase, listen=self._process.address, cluster=cluster
        )
        self._stack.callback(node.close)
        self._made = node
        return certificates.make_request(node.keys)

    def certify(self, papers: IssuedCertificate, now: float) -> None:
        """Install what the authority gave out."""
        if self._made is None:
            raise SequenceError("a node is certified before it was created")
        install(self._made, papers, now)
        self._made.close()

    def introduce(self, addresses: Mapping[str, str]) -> None:
        """Write the other agencies' addresses into `node.toml`."""
        for agency, address in addresses.items():
            if agency != self._site.agency:
                add_peer(self._site.home / "node.toml", agency, address)

    def keep(self, path: Path, content: bytes) -> None:
        """Have a file on this machine; one that says the same already stays."""
        if path.exists() and path.read_bytes() == content:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{self._site.agency}")
        part.write_bytes(content)
        part.replace(path)

    def run(self, *words: str) -> Any:
        """Run one command of the program, with --json; returns what it printed.

        Raises:
            LocalError: it failed; the message is the command's own.
        """
        return self._process.run(*words, "--json").data

    def run_round(self, agreement: str, turn: int) -> Any:
        """Run a round, and keep its messages for `traffic`; returns what the command printed.

        Args:
            agreement: its id.
            turn: the scenario's step, so that the messages of several rounds stay apart.
        """
        return self.run("round", "run", agreement, "--record-wire", str(self._round(turn)))

    def traffic(self, peer: str, turn: int) -> Traffic:
        """What that round sent to a peer and received from it."""
        return recorded_traffic(self._round(turn), peer)

    def _round(self, turn: int) -> Path:
        return self._wire / f"round-{turn}"

    def serve(self) -> None:
        """Start the server, and wait until it answers.

        Raises:
            LocalError: it ended, or does not answer in time.
        """
        self._port.close()
        self._process.start("--record-wire", str(self._wire))
        self._process.wait()

    def ended(self) -> str:
        """Why a server that nobody stopped has ended, in words; blank while all is well."""
        return self._process.ended()

    def close(self) -> None:
        """Stop the server; the node's folder stays."""
        self._process.stop()
        self._stack.close()
