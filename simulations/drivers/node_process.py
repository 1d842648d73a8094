"""Nodes as processes of their own: every step goes through the program's own command line."""

import contextlib
import errno
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blindmatch.protocol.errors import BlindmatchError, LocalError

PROGRAM = (sys.executable, "-c", "from blindmatch.node.cli import main; main()")
_LEASHED = """
import os, signal, threading

def watch():
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=watch, daemon=True).start()
from blindmatch.node.cli import main
main()
"""
LEASHED_PROGRAM = (sys.executable, "-c", _LEASHED)
"""The program, which also ends when its standard input does: when the process that started it has ended for any reason."""

LOOPBACK = "127.0.0.1"
PORTS = range(20_000, 32_000)
LOG_NAME = "serve.log"
START_SECONDS = 60.0
STOP_SECONDS = 30.0
_TRIES = 1_000
_TICKS = os.sysconf("SC_CLK_TCK")


def environment(passphrase: str) -> dict[str, str]:
    """The environment of a command: it holds the passphrase, which never appears on the command line."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        # Without written bytecode every command would compile the program again, which an installed program does not.
        if not name.startswith("BLINDMATCH_") and name != "PYTHONDONTWRITEBYTECODE"
    }
    return inherited | {
        "BLINDMATCH_PASSPHRASE": passphrase,
        "BLINDMATCH_USER": "simulation",
        "PYTHONUNBUFFERED": "1",
    }


def reserve_port(host: str = LOOPBACK) -> socket.socket:
    """A socket bound to a free port of `host`, which no other process gets before the socket is closed.

    The port is below those that the system assigns to outgoing connections.

    Raises:
        LocalError: the host is not an address of this machine, or has no free port.
    """
    for _ in range(_TRIES):
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        try:
            listener.bind((host, PORTS.start + secrets.randbelow(len(PORTS))))
        except OSError as error:
            listener.close()
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise LocalError(f"no node can listen at {host}: {error.strerror}") from None
        else:
            return listener
    raise LocalError(f"no free port at {host}")


def free_ports(count: int) -> list[int]:
    """Different free ports of 127.0.0.1."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(reserve_port()) for _ in range(count)]
        return [int(each.getsockname()[1]) for each in sockets]


def peak_bytes(process: int) -> int:
    """The largest resident set of a running process in bytes (Linux; 0 elsewhere or when it has ended)."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def cpu_seconds(process: int) -> float:
    """User and system seconds of a running process and its threads (Linux; 0 elsewhere)."""
    with contextlib.suppress(OSError, ValueError):
        fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS
    return 0.0


@dataclass
class NodeProcess:
    """One node: its folder, its address, and the server while it runs."""

    agency: str
    home: Path
    port: int
    passphrase: str = field(repr=False)
    server: subprocess.Popen[bytes] | None = None
    host: str = LOOPBACK

    @property
    def address(self) -> str:
        """The address at which it listens."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def run(self, *arguments: str) -> str:
        """Run one command of the program on this node; returns its output.

        Raises:
            LocalError: the command failed; the message is its own.
        """
        with (
            _leash() as leash,
            subprocess.Popen(  # noqa: S603 -- our own program
                [*LEASHED_PROGRAM, *arguments, "--home", str(self.home)],
                env=environment(self.passphrase),
                stdin=leash,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            ) as process,
        ):
            out, err = process.communicate()
        if process.returncode != 0:
            reason = (err + out).decode(errors="replace").strip() or f"status {process.returncode}"
            raise LocalError(f"{self.agency}: blindmatch {' '.join(arguments[:2])} failed: {reason}")
        return out.decode()

    def data(self, *arguments: str) -> Any:
        """The data that a command prints with --json; errors as for `run`."""
        return json.loads(self.run(*arguments, "--json"))

    def start(self, *arguments: str) -> None:
        """Start `node serve`; its log goes to `serve.log` in the node's folder. Call `wait` before using it."""
        with (self.home / LOG_NAME).open("ab") as err:
            self.server = subprocess.Popen(  # noqa: S603 -- our own program
                [*LEASHED_PROGRAM, "node", "serve", *arguments, "--home", str(self.home)],
                env=environment(self.passphrase),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=err,
            )

    def wait(self) -> None:
        """Wait until the server answers.

        Raises:
            LocalError: the server ended, or does not answer in time.
        """
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.server is None or (reason := self.ended()):
                raise LocalError(reason if self.server else f"{self.agency}: no server was started")
            with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), timeout=1):
                return
            time.sleep(0.05)
        raise LocalError(f"{self.agency}: the server does not answer at {self.address}")

    def ended(self) -> str:
        """The reason why the server ended by itself; empty while it runs."""
        server = self.server
        if server is None or server.poll() is None:
            return ""
        log = (self.home / LOG_NAME).read_text(encoding="utf-8", errors="replace")
        reason = " ".join(log.splitlines()[-2:]) or f"status {server.returncode}"
        return f"{self.agency}: the server ended: {reason}"

    def stop(self) -> None:
        """Terminate the server and wait for its end; kill it after a timeout."""
        server, self.server = self.server, None
        if server is None:
            return
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        if server.stdin is not None:
            server.stdin.close()


@contextlib.contextmanager
def _leash() -> Iterator[int]:
    """The reading end of a pipe without content; it ends when the context or this process does."""
    reading, writing = os.pipe()
    try:
        yield reading
    finally:
        os.close(reading)
        os.close(writing)


@contextlib.contextmanager
def serving(nodes: Sequence[NodeProcess], *, records: Path | None = None) -> Iterator[None]:
    """All servers, running while the context lasts; with `records`, each records its messages below this folder."""
    try:
        for node in nodes:
            node.start(*(("--record-wire", str(records / node.agency)) if records else ()))
        for node in nodes:
            node.wait()
        yield
    finally:
        for node in nodes:
            with contextlib.suppress(BlindmatchError, OSError):
                node.stop()
