"""What processes cost: CPU to the microsecond from the system's own account, wall time, peak memory; and the bytes between them."""

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from blindmatch.protocol.errors import LocalError
from blindmatch.simulations.drivers.node_process import (
    PROGRAM,
    NodeProcess,
    environment,
    free_ports,
    peak_bytes,
)

SAMPLE_SECONDS = 0.01
"""How often the resident set is looked at, and how exactly the end of a process is timed."""

START_SECONDS = 60.0
STOP_SECONDS = 30.0
_PIECE = 1 << 18


@dataclass(frozen=True)
class ProcessCost:
    """What one process cost, from its first instruction to its last, with the children that it waited for."""

    cpu: float = 0.0
    """Seconds, user and system."""
    wall: float = 0.0
    peak: int = 0
    """Largest resident set in bytes (Linux; 0 elsewhere)."""

    def __add__(self, later: "ProcessCost") -> "ProcessCost":
        """One after the other."""
        return ProcessCost(self.cpu + later.cpu, self.wall + later.wall, max(self.peak, later.peak))


class MeasuredProcess:
    """A running process whose cost is counted. Its output goes to two files in `folder`.

    Args:
        name: what it is called in messages and in the names of the files.
        command: program and arguments.
        folder: its working folder, where temporary files go too.
        environment: all of it.
    """

    def __init__(
        self, name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self._out, self._err = folder / f"{name}.out", folder / f"{name}.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._started = time.perf_counter()
            self._process = subprocess.Popen(  # noqa: S603 -- our own program, or a measured package's Python
                list(command),
                cwd=folder,
                env=dict(environment) | {"TMPDIR": str(folder)},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        self._spent = ProcessCost()
        self._status = 0
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def _watch(self) -> None:
        pid, peak = self._process.pid, 0
        while True:
            peak = max(peak, peak_bytes(pid))
            found, status, usage = os.wait4(pid, os.WNOHANG)
            if found:
                break
            time.sleep(SAMPLE_SECONDS)
        wall = time.perf_counter() - self._started
        self._status = os.waitstatus_to_exitcode(status)
        self._process.returncode = self._status
        self._spent = ProcessCost(usage.ru_utime + usage.ru_stime, wall, peak)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._watcher.is_alive()

    @property
    def output(self) -> str:
        """What it has printed on stdout."""
        return self._out.read_text(encoding="utf-8", errors="replace")

    def until_listening(self, port: int) -> None:
        """Wait until something listens at a port of this machine.

        Raises:
            LocalError: the process ended first, or takes too long.
        """
        deadline = time.monotonic() + START_SECONDS
        while self.running and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return
            time.sleep(SAMPLE_SECONDS)
        raise LocalError(f"{self.name} does not listen")

    def wait(self, timeout: float | None = None) -> ProcessCost:
        """Wait for its end.

        Raises:
            LocalError: it failed, with the last lines that it wrote; or it did not end in time, and was killed.
        """
        self._watcher.join(timeout)
        if self.running:
            self.kill()
            raise LocalError(f"{self.name} did not end within {timeout:.0f} s")
        if self._status != 0:
            said = (self._err.read_text(encoding="utf-8", errors="replace") + self.output).splitlines()
            raise LocalError(
                f"{self.name} ended with status {self._status}: {' / '.join(said[-3:]) or 'it said nothing'}"
            )
        return self._spent

    def stop(self) -> ProcessCost:
        """Ask it to end, and wait; kill it when it does not. Its status does not matter."""
        if self.running:
            self._process.terminate()
            self._watcher.join(STOP_SECONDS)
        self.kill()
        return self._spent

    def kill(self) -> None:
        """End it at once, if it still runs."""
        if self.running:
            self._process.kill()
            self._watcher.join()


def command(node: NodeProcess, *words: str) -> MeasuredProcess:
    """Start one command of the program on a node; its output lies beside the node's folder."""
    name = f"{node.agency} {' '.join(words[:2])}"
    line = [*PROGRAM, *words, "--home", str(node.home)]
    return MeasuredProcess(
        name, line, node.home.parent / f"{node.agency}-output", environment(node.passphrase)
    )


@contextlib.contextmanager
def killed_on_exit(processes: Sequence[MeasuredProcess]) -> Iterator[None]:
    """Whatever happens inside, none of the processes outlives it."""
    try:
        yield
    finally:
        for process in processes:
            process.kill()


class Relay:
    """Passes TCP connections on to a port of this machine and counts their bytes: what really is on the wire."""

    def __init__(self, target: int) -> None:
        self._target = target
        self.port = free_ports(1)[0]
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._counts: list[int] = []
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def count(self) -> int:
        """Bytes so far, both ways."""
        return sum(self._counts)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                near, _ = self._listener.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self._target))
                except (
                    OSError
                ):  # nobody listens there yet: the caller sees a closed connection and tries again
                    near.close()
                    continue
                self._sockets += [near, far]
                for source, sink in ((near, far), (far, near)):
                    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    place = len(self._counts)
                    self._counts.append(0)
                    threading.Thread(target=self._pump, args=(source, sink, place), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, place: int) -> None:
        piece = bytearray(_PIECE)
        view = memoryview(piece)
        with contextlib.suppress(OSError):
            while size := source.recv_into(piece):
                self._counts[place] += size
                sink.sendall(view[:size])
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Stop listening and drop what is open."""
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                each.close()

    def __enter__(self) -> Self:
        """Close at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
