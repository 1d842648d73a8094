"""Real processes that start at a fraction of the usual cost: a template that has imported the product forks one for each command.

A forked process is a process like any other: it has its own id, its own memory and its own end, and `kill -9` ends it. Only the
import of the product, which takes about a second of CPU time, is not repeated. Tests of the start-up itself must not use this.

The template imports gRPC and does not use it: gRPC and the native kernels start no thread before their first call, so the fork is safe.
"""

import contextlib
import gc
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import SimpleNamespace, TracebackType
from typing import IO, Any, Self

from tests.support import compile_cache
from tests.support.paths import ROOT

PROGRAM = "from blindmatch.node.cli import main; main()"
_TEMPLATE = "from tests.support.forked_processes import serve; serve({descriptor})"
_REQUEST_BYTES = 1 << 16
_END_SECONDS = 60


class ForkedProcess:
    """A process that the template has forked; the part of `subprocess.Popen` that the product and the tests use."""

    def __init__(self, args: Sequence[str], status: int, streams: Mapping[str, IO[Any]]) -> None:
        """Take over the pipes.

        Args:
            args: the command, for messages.
            status: a pipe from which the process id and then the exit status are read.
            streams: `stdin`, `stdout` and `stderr`, as far as they are pipes.
        """
        self.args = args
        self.returncode: int | None = None
        self.stdin, self.stdout, self.stderr = (streams.get(name) for name in ("stdin", "stdout", "stderr"))
        self._status = os.fdopen(status, "r", encoding="ascii")
        self._ended = threading.Event()
        self._outputs: dict[str, Any] = {}
        self._readers: list[threading.Thread] = []
        self.pid = int(self._status.readline())
        threading.Thread(target=self._watch, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self.wait()

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

    def communicate(self, timeout: float | None = None) -> tuple[Any, Any]:
        """Read both outputs to their end and wait for the process; may be called again after a timeout.

        Raises:
            subprocess.TimeoutExpired: it did not end in time.
        """
        if not self._readers:
            for name, stream in (("stdout", self.stdout), ("stderr", self.stderr)):
                if stream is not None:
                    self._readers.append(
                        threading.Thread(target=self._read, args=(name, stream), daemon=True)
                    )
            for reader in self._readers:
                reader.start()
        self.wait(timeout)
        for reader in self._readers:
            reader.join(timeout)
        return self._outputs.get("stdout"), self._outputs.get("stderr")

    def _read(self, name: str, stream: IO[Any]) -> None:
        with stream:
            self._outputs[name] = stream.read()

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
    """The process that forks; one for a test session. Call `close` at the end."""

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

    def popen(
        self,
        args: Sequence[str],
        *,
        env: Mapping[str, str],
        stdin: int = subprocess.DEVNULL,
        stdout: int | IO[Any] = subprocess.PIPE,
        stderr: int | IO[Any] = subprocess.PIPE,
        text: bool = False,
        prepare: str = "",
    ) -> ForkedProcess:
        """Fork a process that does what `python -c CODE WORDS` would.

        Args:
            args: a Python, `-c`, the code, the words; as for `subprocess.Popen`.
            env: the whole environment.
            stdin: a descriptor, `PIPE` or `DEVNULL`; so the outputs, which may be files too.
            stdout: see `stdin`.
            stderr: see `stdin`.
            text: whether pipes carry text.
            prepare: `module:function`, called in the new process before the code.
        """
        _, _, code, *words = args
        request = {"code": code, "argv": ["-c", *words], "env": dict(env), "prepare": prepare}
        with contextlib.ExitStack() as stack:
            status, report = os.pipe()
            stack.callback(os.close, report)
            theirs, streams = [report], {}
            for name, wanted in (("stdin", stdin), ("stdout", stdout), ("stderr", stderr)):
                if wanted == subprocess.PIPE:
                    reading, writing = os.pipe()
                    ours, child, mode = (
                        (writing, reading, "w") if name == "stdin" else (reading, writing, "r")
                    )
                    stack.callback(os.close, child)
                    streams[name] = os.fdopen(ours, mode if text else f"{mode}b")
                elif wanted == subprocess.DEVNULL:
                    child = os.open(os.devnull, os.O_RDWR)
                    stack.callback(os.close, child)
                else:
                    child = wanted if isinstance(wanted, int) else wanted.fileno()
                theirs.append(child)
            with self._lock:
                socket.send_fds(self._socket, [json.dumps(request).encode()], theirs)
        return ForkedProcess(args, status, streams)

    def as_subprocess_module(self) -> SimpleNamespace:
        """What a module of the product may use in place of `subprocess`."""
        names = ("PIPE", "DEVNULL", "TimeoutExpired")
        return SimpleNamespace(Popen=self.popen, **{name: getattr(subprocess, name) for name in names})

    def close(self) -> None:
        """End the template; it ends when its socket does."""
        self._socket.close()
        self._process.wait(_END_SECONDS)


def serve(descriptor: int) -> None:
    """The template's main loop: fork for each request, until the other end of the socket is closed."""
    from blindmatch import node  # noqa: PLC0415 - the test processes need no template's imports
    from blindmatch.node.pki import tls  # noqa: PLC0415 - before gRPC

    assert tls.CIPHERS_BELOW_TLS13
    for module in pkgutil.walk_packages(node.__path__, "blindmatch.node."):
        if ".compute." not in module.name:
            import_module(module.name)
    compile_cache.share_in_process()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system reaps the watchers
    with socket.socket(fileno=descriptor) as requests:
        while True:
            data, descriptors, _, _ = socket.recv_fds(requests, _REQUEST_BYTES, 4)
            if not data:
                return
            if os.fork() == 0:
                break
            for each in descriptors:
                os.close(each)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _watch_child(json.loads(data), *descriptors)


def _watch_child(request: Mapping[str, Any], report: int, *streams: int) -> None:
    """Fork the command itself, report its process id, wait for it, report its exit status."""
    child = os.fork()
    if child == 0:
        os.close(report)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        _close(streams)
        _run(request)
        return
    _close(streams)
    with os.fdopen(report, "w", encoding="ascii") as status, contextlib.suppress(BrokenPipeError):
        print(child, file=status, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=status)
    os._exit(0)


def _close(descriptors: Sequence[int]) -> None:
    for each in descriptors:
        os.close(each)


def _run(request: Mapping[str, Any]) -> None:
    """Run the code and end this process as `python -c` does."""
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = request["argv"]
    if request["prepare"]:
        module, _, function = request["prepare"].partition(":")
        getattr(import_module(module), function)()
    exec(compile(request["code"], "<string>", "exec"), {"__name__": "__main__"})
