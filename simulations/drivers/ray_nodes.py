"""Nodes on the machines of a Ray cluster: each is held by an actor there, and driven from this process.

Keys are created where the node is, and remain there with all of its files. docs/simulating.md states what Ray transfers.
A node's server is a child of its actor and ends with it, however the actor ends.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any, Final

from blindmatch.node.compute.cluster import GREET_SECONDS, dismiss, places, reaching
from blindmatch.node.compute.connection import load_ray
from blindmatch.protocol.errors import BlindmatchError, LocalError
from blindmatch.simulations.drivers.deploy import Site, share_folder
from blindmatch.simulations.drivers.node_handle import NodeHandle
from blindmatch.simulations.drivers.node_process import STOP_SECONDS
from blindmatch.simulations.drivers.setup import AreaSetup

LOCAL_AT_ONCE: Final = 2
_LOOK_SECONDS: Final = 0.2
_CALLS_AT_ONCE: Final = 4
"""For the watch, a command, and the end of both."""


@dataclass(frozen=True)
class _StepResult:
    """The result of a step, or its error. Only our own errors leave the actor with their text, because others can contain anything."""

    value: Any = field(default=None, repr=False)
    error: tuple[str, str] | None = None


class NodeActor:
    """An actor that holds one node handle, on the machine where Ray started it."""

    def __init__(self) -> None:
        self._node: NodeHandle | None = None
        self._closed = threading.Event()

    def greet(self) -> tuple[str, str]:
        """This machine's address in the cluster, and the version of blindmatch here."""
        return load_ray().util.get_node_ip_address(), version("blindmatch")

    def start(self, site: Site, out: Path, host: str, wire: Path | None) -> _StepResult:
        """Create the node's folder on this machine; returns the address at which it listens."""

        def start() -> str:
            self._node = NodeHandle(site, share_folder(out, site.home), host=host, wire=wire)
            return self._node.address

        return _tried(site.agency, "start", start)

    def do(self, agency: str, step: str, *arguments: Any) -> _StepResult:
        """Call one method of the node handle."""
        return _tried(agency, step, lambda: getattr(self._node, step)(*arguments))

    def watch(self) -> str:
        """Returns when the server ends by itself, with the reason, or when the node is closed."""
        while not self._closed.wait(_LOOK_SECONDS):
            if self._node is not None and (reason := self._node.ended()):
                return reason
        return ""

    def close(self) -> None:
        """Stop the server."""
        self._closed.set()
        if self._node is not None:
            self._node.close()


def _tried(agency: str, step: str, work: Callable[[], Any]) -> _StepResult:
    try:
        return _StepResult(work())
    except BlindmatchError as error:
        return _StepResult(error=(error.message, error.hint))
    except OSError as error:
        return _StepResult(error=(f"{agency}: {step}: {error.filename}: {error.strerror}", ""))
    except Exception as error:  # noqa: BLE001 - of any kind
        return _StepResult(error=(f"{agency}: {step} failed: {type(error).__name__}", ""))


class ActorWatch:
    """Waits for answers of an area's actors, and detects the end of any of them or of its server."""

    def __init__(self) -> None:
        self._watched: dict[Any, tuple[str, str]] = {}

    def add(self, handle: Any, agency: str, host: str) -> None:
        """Watch one more actor."""
        self._watched[handle.watch.remote()] = (agency, host)

    def answer(self, reference: Any) -> Any:
        """The answer of an actor.

        Raises:
            LocalError: the step failed; or a node of the area has ended, with the agency and the reason.
        """
        ray = load_ray()
        with reaching():
            done, _ = ray.wait([reference, *self._watched], num_returns=1)
        self._check_ended(watch for watch in done if watch in self._watched)
        try:
            answer: _StepResult = ray.get(reference)
        except ray.exceptions.RayActorError:
            done, _ = ray.wait(list(self._watched), num_returns=1, timeout=STOP_SECONDS)
            self._check_ended(done)
            raise LocalError("an actor of the simulation died, and Ray does not report which") from None
        if answer.error is not None:
            message, hint = answer.error
            raise LocalError(message, hint=hint)
        return answer.value

    def _check_ended(self, ended: Iterable[Any]) -> None:
        """Raise the error of the first of these ended watches that did not end normally."""
        ray = load_ray()
        for watch in ended:
            agency, host = self._watched[watch]
            try:
                reason = ray.get(watch)
            except ray.exceptions.RayActorError as error:
                raise LocalError(
                    f"{agency}: the actor with its node on {host} died: {_cause(error)}",
                    hint="See `ray list actors --detail` on the cluster, and the memory of that machine.",
                ) from None
            if reason:
                raise LocalError(
                    f"{reason} (on {host})", hint=f"Its log is serve.log in the node's folder on {host}."
                )


def _cause(error: Exception) -> str:
    """The most specific line of Ray's message about the end of an actor."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    specific = [line for line in lines if "exit detail" in line or ("node" in line and "died" in line)]
    return (specific or lines or [type(error).__name__])[-1]


class RayNode:
    """A node that an actor holds. It has the methods of `NodeHandle`; an argument of `write_file` can be in the cluster's store."""

    def __init__(self, handle: Any, agency: str, address: str, watch: ActorWatch) -> None:
        self.address = address
        self._handle = handle
        self._agency = agency
        self._watch = watch

    def __getattr__(self, step: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            with reaching():
                reference = self._handle.do.remote(self._agency, step, *arguments)
            return self._watch.answer(reference)

        return call

    def close(self) -> None:
        """Stop the server, and end the actor if it still runs."""
        ray = load_ray()
        # A dead actor's server ended with it.
        with suppress(ray.exceptions.RayError, ConnectionError, TimeoutError):
            ray.get(self._handle.close.remote(), timeout=STOP_SECONDS + _LOOK_SECONDS)
        dismiss(self._handle)


class RayMachines:
    """The machines of the cluster that this process is connected to; agencies are assigned to them in turn.

    Args:
        out: the simulation's folder; its path is the same on every machine.
        note: receives the location of each agency's node.
    """

    def __init__(self, out: Path, note: Callable[[str], None]) -> None:
        with reaching():
            machines = places(load_ray().nodes())
        self._ids = list(dict.fromkeys(machines))
        self.at_once = max(LOCAL_AT_ONCE, len(machines))
        """The number of commands at the same time: one for each processor."""
        if not self._ids:
            raise LocalError(
                "the Ray cluster has no machine with a processor", hint="See `ray status` there."
            )
        self._out = out
        self._note = note
        self._turn = count()

    def __len__(self) -> int:
        return len(self._ids)

    @contextmanager
    def nodes(self, setup: AreaSetup) -> Iterator[list[RayNode]]:
        """A node for each of an area's sites, with its input files, while the context lasts.

        Raises:
            LocalError: an actor does not start, or has another version of blindmatch.
        """
        watch, nodes = ActorWatch(), list[RayNode]()
        try:
            for site in setup.sites:
                nodes.append(self._place(site, setup, watch))
            self._send_inputs(setup, nodes)
            yield nodes
        finally:
            with ThreadPoolExecutor(max(1, len(nodes))) as pool:
                list(pool.map(RayNode.close, nodes))

    def _place(self, site: Site, setup: AreaSetup, watch: ActorWatch) -> RayNode:
        ray = load_ray()
        pin = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        chosen = self._ids[next(self._turn) % len(self._ids)]
        # No processor is reserved: an area with more agencies than processors would wait forever.
        actor = ray.remote(NodeActor).options(
            num_cpus=0,
            max_restarts=0,
            max_concurrency=_CALLS_AT_ONCE,
            scheduling_strategy=pin(chosen, soft=False),
        )
        handle = None
        try:
            with reaching():
                handle = actor.remote()
                host, installed = ray.get(handle.greet.remote(), timeout=GREET_SECONDS)
            if installed != version("blindmatch"):
                raise LocalError(
                    f"{host} of the cluster has blindmatch {installed}, this machine {version('blindmatch')}",
                    hint="Install the same version on every machine of the cluster.",
                )
            watch.add(handle, site.agency, host)
            wire = setup.wire_folder(site.agency)
            address = watch.answer(handle.start.remote(site, self._out, host, wire))
        except BlindmatchError as error:
            if handle is not None:
                dismiss(handle)
            raise LocalError(f"{site.agency}: {error.message}", hint=error.hint) from None
        self._note(f"{site.agency}: {site.home} on {host}")
        return RayNode(handle, site.agency, address, watch)

    @staticmethod
    def _send_inputs(setup: AreaSetup, nodes: Sequence[RayNode]) -> None:
        """The agencies' files; a register that several agencies read is put into the cluster's store once."""
        ray = load_ray()
        stored: dict[Path, Any] = {}
        for site, node in zip(setup.sites, nodes, strict=True):
            for path in (path for each in site.inputs for path in each.files):
                if path not in stored:
                    with reaching():
                        stored[path] = ray.put(path.read_bytes())
                node.write_file(path, stored[path])
