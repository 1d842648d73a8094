"""Real processes that start at a fraction of the usual cost: a template that has imported the product forks one for each command.

A forked process is a process like any other: it has its own id, its own memory and its own end, and `kill -9` ends it. Only the
import of the product, which takes about a second of CPU time, is not repeated. Tests of the start-up itself must not use this.

The template imports gRPC and does not use it: gRPC and the native kernels start no thread before their first call, so the fork is safe.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import IO, Any

from tests.support.paths import ROOT

_TEMPLATE = "from tests.support.forked_processes import serve; serve({descriptor})"
_REQUEST_BYTES = 1 << 16
_STARTUP_SECONDS = 60


class ForkedProcess:
    """A process that the template has forked; the part of `subprocess.Popen` that the tests need."""

    def __init__(self, args: Sequence[str], status: int, stdout: int, stderr: int) -> None:
        self.args = args
        self.returncode: int | None = None
        self.stdout: IO[str] = os.fdopen(stdout, "r", encoding="utf-8")
        self.stderr: IO[str] = os.fdopen(stderr, "r", encoding="utf-8")
        self._status = os.fdopen(status, "r", encoding="ascii")
        self._ended = threading.Event()
        self.pid = int(self._status.readline())
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        with self._status as status:
            self.returncode = int(status.readline())
        self._ended.set()

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while the process runs."""
        return self.returncode if self._ended.is_set() else None

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for the end.

        Raises:
            subprocess.TimeoutExpired: it did not come in time.
        """
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Read both outputs to their end and wait for the process.

        Raises:
            subprocess.TimeoutExpired: it did not end in time.
        """
        outputs = {"stdout": "", "stderr": ""}

        def read(name: str, stream: IO[str]) -> None:
            with stream:
                outputs[name] = stream.read()

        readers = [threading.Thread(target=read, args=(n, getattr(self, n)), daemon=True) for n in outputs]
        for reader in readers:
            reader.start()
        self.wait(timeout)
        for reader in readers:
            reader.join(timeout)
        return outputs["stdout"], outputs["stderr"]

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


class Template:
    """The process that forks; started once per test session. Use it in a `with`, or call `close`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _TEMPLATE.format(descriptor=theirs.fileno())],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def start(self, words: Sequence[str], environment: Mapping[str, str], prepare: str = "") -> ForkedProcess:
        """Fork a `blindmatch` command.

        Args:
            words: its arguments.
            environment: variables to set in addition to this process's own.
            prepare: `module:function`, called in the new process before the command.
        """
        request = {
            "words": list(words),
            "environment": dict(os.environ) | dict(environment),
            "prepare": prepare,
        }
        status, out, err = (os.pipe() for _ in range(3))
        theirs = [status[1], out[1], err[1]]
        try:
            with self._lock:
                socket.send_fds(self._socket, [json.dumps(request).encode()], theirs)
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        return ForkedProcess(words, status[0], out[0], err[0])

    def close(self) -> None:
        """End the template; it ends when its socket does."""
        self._socket.close()
        self._process.wait(_STARTUP_SECONDS)


def serve(descriptor: int) -> None:
    """The template's main loop: fork for each request, until the other end of the socket is closed."""
    for name in ("node.pki.tls", "node.cli", "node.server", "node.rounds.runner"):
        import_module(f"blindmatch.{name}")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system reaps the watchers
    with socket.socket(fileno=descriptor) as requests:
        while True:
            data, descriptors, _, _ = socket.recv_fds(requests, _REQUEST_BYTES, 3)
            if not data:
                return
            if os.fork() == 0:
                break
            for each in descriptors:
                os.close(each)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _watch_child(json.loads(data), *descriptors)


def _watch_child(request: Mapping[str, Any], status: int, out: int, err: int) -> None:
    """Fork the command itself, report its process id, wait for it, report its exit status."""
    child = os.fork()
    if child == 0:
        os.close(status)
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.close(out)
        os.close(err)
        _run(request)
    os.close(out)
    os.close(err)
    with os.fdopen(status, "w", encoding="ascii") as report, contextlib.suppress(BrokenPipeError):
        print(child, file=report, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=report)
    os._exit(0)


def _run(request: Mapping[str, Any]) -> None:
    """Run the command and end this process as the program does."""
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["blindmatch", *request["words"]]
    if request["prepare"]:
        module, _, function = request["prepare"].partition(":")
        getattr(import_module(module), function)()
    import_module("blindmatch.node.cli").main()
