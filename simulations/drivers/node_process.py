"""Nodes as processes of their own: every step through the program's own command line, as an officer would."""

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
"""The program, which ends as if told to when its standard input does: when whoever started it is gone, however it went."""

LOOPBACK = "127.0.0.1"
PORTS = range(20_000, 32_000)
LOG_NAME = "serve.log"
START_SECONDS = 60.0
STOP_SECONDS = 30.0
_TRIES = 1_000
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class CommandResult:
    """What a command printed, and what it cost."""

    out: str
    cpu: float
    """Seconds, user and system."""
    wall: float
    peak: int
    """Largest resident set in bytes, sampled."""

    @property
    def data(self) -> Any:
        """The output of a command with --json."""
        return json.loads(self.out)


def environment(passphrase: str) -> dict[str, str]:
    """The environment of a command: the passphrase comes in here, never on the command line."""
    kept = {
        name: value
        for name, value in os.environ.items()
        # Where bytecode is never written, every command would compile the program anew: no installed one does.
        if not name.startswith("BLINDMATCH_") and name != "PYTHONDONTWRITEBYTECODE"
    }
    return kept | {
        "BLINDMATCH_PASSPHRASE": passphrase,
        "BLINDMATCH_USER": "simulation",
        "PYTHONUNBUFFERED": "1",
    }


def reserve_port(host: str = LOOPBACK) -> socket.socket:
    """A socket bound to a port of `host` that was free, which nobody else gets before it is closed.

    The port lies below those that the system gives to outgoing connections.

    Raises:
        LocalError: the host is none of this machine's addresses, or has no free port.
    """
    for _ in range(_TRIES):
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        try:
            listener.bind((host, PORTS.start + secrets.randbelow(len(PORTS))))
        except OSError as error:
            listener.close()
            if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                raise LocalError(f"nothing can listen at {host}: {error.strerror}") from None
        else:
            return listener
    raise LocalError(f"no free port at {host}")


def free_ports(count: int) -> list[int]:
    """Different ports of 127.0.0.1 that are free now."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(reserve_port()) for _ in range(count)]
        return [int(each.getsockname()[1]) for each in held]


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
        """Where it listens."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def run(self, *words: str, sample_seconds: float = 0.02) -> CommandResult:
        """Run one command of the program on this node.

        Raises:
            LocalError: it failed; the message is the command's own.
        """
        command = [*LEASHED_PROGRAM, *words, "--home", str(self.home)]
        started = time.perf_counter()
        with (
            _leash() as held,
            subprocess.Popen(  # noqa: S603 -- our own program
                command,
                env=environment(self.passphrase),
                stdin=held,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            ) as process,
        ):
            peak, cpu = 0, 0.0
            out = err = b""
            while True:
                peak, cpu = max(peak, peak_bytes(process.pid)), max(cpu, cpu_seconds(process.pid))
                with contextlib.suppress(subprocess.TimeoutExpired):
                    out, err = process.communicate(timeout=sample_seconds)
                    break
        wall = time.perf_counter() - started
        if process.returncode != 0:
            reason = (err + out).decode(errors="replace").strip() or f"status {process.returncode}"
            raise LocalError(f"{self.agency}: blindmatch {' '.join(words[:2])} failed: {reason}")
        return CommandResult(out.decode(), cpu, wall, peak)

    def start(self, *words: str) -> None:
        """Start `node serve`; its log goes to `serve.log` in the node's folder. `wait` until it answers."""
        with (self.home / LOG_NAME).open("ab") as err:
            self.server = subprocess.Popen(  # noqa: S603 -- our own program
                [*LEASHED_PROGRAM, "node", "serve", *words, "--home", str(self.home)],
                env=environment(self.passphrase),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=err,
            )

    def wait(self) -> None:
        """Wait until the server answers.

        Raises:
            LocalError: it ended, or does not answer in time.
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
        """Why a server that nobody stopped has ended, in words; blank while it runs."""
        server = self.server
        if server is None or server.poll() is None:
            return ""
        log = (self.home / LOG_NAME).read_text(encoding="utf-8", errors="replace")
        said = " ".join(log.splitlines()[-2:]) or f"status {server.returncode}"
        return f"{self.agency}: the server ended: {said}"

    def stop(self) -> None:
        """Ask the server to end, and wait; kill it when it does not."""
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
    """The reading end of a pipe that nobody writes to; it ends when the context or this process does."""
    reading, writing = os.pipe()
    try:
        yield reading
    finally:
        os.close(reading)
        os.close(writing)


@contextlib.contextmanager
def serving(nodes: Sequence[NodeProcess], *, records: Path | None = None) -> Iterator[None]:
    """All servers running while the context lasts; with `records`, each keeps its messages below it."""
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
