"""The cost of processes: CPU time to the microsecond as the operating system accounts for it, wall time, peak memory; and the bytes between them."""

import contextlib
import os
import signal
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
    START_SECONDS,
    STOP_SECONDS,
    NodeProcess,
    environment,
    free_ports,
    peak_bytes,
)

SAMPLE_SECONDS = 0.01
"""The interval at which the resident set is sampled, and the accuracy of the end of a process."""

_PIECE = 1 << 18


@dataclass(frozen=True)
class ProcessCost:
    """The cost of one process from its first instruction to its last, with the child processes that it waited for."""

    cpu: float = 0.0
    """Seconds, user and system."""
    wall: float = 0.0
    peak: int = 0
    """Largest resident set in bytes (Linux; 0 elsewhere)."""

    def __add__(self, later: "ProcessCost") -> "ProcessCost":
        """The cost of both, one after the other."""
        return ProcessCost(self.cpu + later.cpu, self.wall + later.wall, max(self.peak, later.peak))


class MeasuredProcess:
    """A running process whose cost is measured. Its output goes to two files in `folder`.

    Args:
        name: its name in messages and in file names.
        command: program and arguments.
        folder: its working folder, also for temporary files.
        environment: all its environment variables.
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
            ended, status, usage = os.wait4(pid, os.WNOHANG)
            if ended:
                break
            time.sleep(SAMPLE_SECONDS)
        wall = time.perf_counter() - self._started
        self._status = os.waitstatus_to_exitcode(status)
        self._process.returncode = self._status
        self._spent = ProcessCost(usage.ru_utime + usage.ru_stime, wall, peak)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._watcher.is_alive()

    @property
    def output(self) -> str:
        """Its standard output so far."""
        return self._out.read_text(encoding="utf-8", errors="replace")

    def until_listening(self, port: int) -> None:
        """Wait until a server listens at a port of this machine.

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
            LocalError: it failed, with the last lines of its output; or it did not end in time and was killed.
        """
        self._watcher.join(timeout)
        if self.running:
            self.kill()
            raise LocalError(f"{self.name} did not end within {timeout:.0f} s")
        if self._status != 0:
            lines = (self._err.read_text(encoding="utf-8", errors="replace") + self.output).splitlines()
            raise LocalError(
                f"{self.name} ended with status {self._status}: {' / '.join(lines[-3:]) or 'without output'}"
            )
        return self._spent

    def stop(self) -> ProcessCost:
        """Terminate it and wait; kill it after a timeout. Its status is ignored."""
        if self.running:
            self._signal(signal.SIGTERM)
            self._watcher.join(STOP_SECONDS)
        self.kill()
        return self._spent

    def kill(self) -> None:
        """Kill it if it still runs."""
        if self.running:
            self._signal(signal.SIGKILL)
            self._watcher.join()

    def _signal(self, number: signal.Signals) -> None:
        # Without Popen, which would reap an ended process itself, so that the watcher could not read its cost.
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, number)


def command(node: NodeProcess, *arguments: str) -> MeasuredProcess:
    """Start one command of the program on a node; its output is in a folder beside the node's."""
    name = f"{node.agency} {' '.join(arguments[:2])}"
    line = [*PROGRAM, *arguments, "--home", str(node.home)]
    return MeasuredProcess(
        name, line, node.home.parent / f"{node.agency}-output", environment(node.passphrase)
    )


@contextlib.contextmanager
def killed_on_exit(processes: Sequence[MeasuredProcess]) -> Iterator[None]:
    """Kill the processes that still run when the context ends."""
    try:
        yield
    finally:
        for process in processes:
            process.kill()


class Relay:
    """Forwards TCP connections to a port of this machine and counts their bytes, TLS included."""

    def __init__(self, target: int) -> None:
        self._target = target
        self.port = free_ports(1)[0]
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._counts: list[int] = []
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def count(self) -> int:
        """Bytes so far, in both directions."""
        return sum(self._counts)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                near, _ = self._listener.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self._target))
                except (
                    OSError
                ):  # no server listens there yet: the client sees a closed connection and tries again
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
        """Stop listening and close all connections."""
        for each in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                each.close()

    def __enter__(self) -> Self:
        """Close at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
