"""Nodes on the machines of a Ray cluster: each agency's is held by an actor there, and told what to do from here.

Keys are made where the node is, and stay there with all of its files. What Ray carries is in docs/simulating.md.
A node's server is a child of its actor and ends with it, however the actor ends.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from blindmatch.simulations.drivers.deploy import IssuedCertificate, Site, share_folder
from blindmatch.simulations.drivers.node_handle import NodeHandle
from blindmatch.simulations.drivers.node_process import STOP_SECONDS
from blindmatch.simulations.drivers.setup import AreaSetup
from blindmatch.simulations.drivers.traffic import Traffic

LOCAL_AT_ONCE: Final = 2
_LOOK_SECONDS: Final = 0.2
_CALLS_AT_ONCE: Final = 4
"""The watch, a command, and the end of both."""


@dataclass(frozen=True)
class _StepResult:
    """What a step gave, or why it failed: an exception's text might hold anything, so only our own leave the actor."""

    value: Any = field(default=None, repr=False)
    error: tuple[str, str] | None = None


class NodeActor:
    """An actor: holds one station, on the machine where Ray put it."""

    def __init__(self) -> None:
        self._station: NodeHandle | None = None
        self._closed = threading.Event()

    def greet(self) -> tuple[str, str]:
        """This machine's address in the cluster, and the version of blindmatch here."""
        return load_ray().util.get_node_ip_address(), version("blindmatch")

    def settle(self, site: Site, out: Path, host: str, wire: Path | None) -> _StepResult:
        """Make the station's place on this machine."""

        def made() -> str:
            self._station = NodeHandle(site, share_folder(out, site.home), host=host, wire=wire)
            return self._station.address()

        return _tried(site.agency, "settle", made)

    def do(self, agency: str, step: str, *given: Any) -> _StepResult:
        """One of the station's methods."""
        return _tried(agency, step, lambda: getattr(self._station, step)(*given))

    def watch(self) -> str:
        """Returns when the server ends by itself, with the reason, or when the station is closed."""
        while not self._closed.wait(_LOOK_SECONDS):
            if self._station is not None and (reason := self._station.ended()):
                return reason
        return ""

    def close(self) -> None:
        """Stop the server."""
        self._closed.set()
        if self._station is not None:
            self._station.close()


def _tried(agency: str, step: str, work: Callable[[], Any]) -> _StepResult:
    try:
        return _StepResult(work())
    except BlindmatchError as error:
        return _StepResult(error=(error.message, error.hint))
    except OSError as error:
        return _StepResult(error=(f"{agency}: {step}: {error.filename}: {error.strerror}", ""))
    except Exception as error:  # noqa: BLE001 - whatever it is
        return _StepResult(error=(f"{agency}: {step} failed: {type(error).__name__}", ""))


class ActorWatch:
    """Waits for answers of an area's actors, and notices when any of them, or its server, is gone."""

    def __init__(self) -> None:
        self._lives: dict[Any, tuple[str, str]] = {}

    def add(self, handle: Any, agency: str, host: str) -> None:
        """Look after one more."""
        self._lives[handle.watch.remote()] = (agency, host)

    def answer(self, reference: Any) -> Any:
        """What an actor answers.

        Raises:
            LocalError: it failed; or a node of the area is gone, with the agency and the reason.
        """
        ray = load_ray()
        with reaching():
            done, _ = ray.wait([reference, *self._lives], num_returns=1)
        self._mourn(life for life in done if life in self._lives)
        try:
            answer: _StepResult = ray.get(reference)
        except ray.exceptions.RayActorError:
            done, _ = ray.wait(list(self._lives), num_returns=1, timeout=STOP_SECONDS)
            self._mourn(done)
            raise LocalError("an actor of the simulation died before it could say which") from None
        if answer.error is not None:
            message, hint = answer.error
            raise LocalError(message, hint=hint)
        return answer.value

    def _mourn(self, lives: Iterable[Any]) -> None:
        """Raise for the first of these watches, all of which have ended, that did not end well."""
        ray = load_ray()
        for life in lives:
            agency, host = self._lives[life]
            try:
                reason = ray.get(life)
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
    """The telling line of what Ray says about a death."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "exit detail" in line or ("node" in line and "died" in line)]
    return (telling or lines or [type(error).__name__])[-1]


class RayNode:
    """A station that an actor holds; its methods are those of `Station`."""

    def __init__(self, handle: Any, site: Site, watch: ActorWatch) -> None:
        self._handle = handle
        self._site = site
        self._watch = watch
        self._address = ""

    def settle(self, out: Path, host: str, wire: Path | None) -> None:
        """Make its place."""
        self._address = self._watch.answer(self._handle.settle.remote(self._site, out, host, wire))

    def _do(self, step: str, *given: Any) -> Any:
        with reaching():
            reference = self._handle.do.remote(self._site.agency, step, *given)
        return self._watch.answer(reference)

    def address(self) -> str:
        """See `Station`."""
        return self._address

    def create(self, cluster: Mapping[str, Any] | None) -> bytes:
        """See `Station`."""
        return bytes(self._do("create", cluster))

    def certify(self, papers: IssuedCertificate, now: float) -> None:
        """See `Station`."""
        self._do("certify", papers, now)

    def introduce(self, addresses: Mapping[str, str]) -> None:
        """See `Station`."""
        self._do("introduce", dict(addresses))

    def keep(self, path: Path, content: Any) -> None:
        """See `Station`; `content` may lie in the cluster's store."""
        self._do("keep", path, content)

    def run(self, *words: str) -> Any:
        """See `Station`."""
        return self._do("run", *words)

    def run_round(self, agreement: str, turn: int) -> Any:
        """See `Station`."""
        return self._do("run_round", agreement, turn)

    def traffic(self, peer: str, turn: int) -> Traffic:
        """See `Station`."""
        traffic: Traffic = self._do("traffic", peer, turn)
        return traffic

    def serve(self) -> None:
        """See `Station`."""
        self._do("serve")

    def close(self) -> None:
        """Stop the server, and dismiss the actor, dead or alive."""
        ray = load_ray()
        # A dead actor's server ended with it.
        with suppress(ray.exceptions.RayError, ConnectionError, TimeoutError):
            ray.get(self._handle.close.remote(), timeout=STOP_SECONDS + _LOOK_SECONDS)
        dismiss(self._handle)


class RayMachines:
    """The machines of the cluster that this process is connected to; agencies go to them in turn.

    Args:
        out: the simulation's folder; its path is the same on every machine.
        note: told where each agency's node is.
    """

    def __init__(self, out: Path, note: Callable[[str], None]) -> None:
        with reaching():
            found = places(load_ray().nodes())
        self._ids = list(dict.fromkeys(found))
        self.at_once = max(LOCAL_AT_ONCE, len(found))
        """Commands at the same time: one for each processor."""
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
    def stations(self, setup: AreaSetup) -> Iterator[list[RayNode]]:
        """A station for each of an area's sites, with its input files, while the context lasts.

        Raises:
            LocalError: an actor does not start, or has another version of blindmatch.
        """
        watch, placed = ActorWatch(), list[RayNode]()
        try:
            for site in setup.sites:
                placed.append(self._place(site, setup, watch))
            self._send_inputs(setup, placed)
            yield placed
        finally:
            with ThreadPoolExecutor(max(1, len(placed))) as pool:
                list(pool.map(RayNode.close, placed))

    def _place(self, site: Site, setup: AreaSetup, watch: ActorWatch) -> RayNode:
        ray = load_ray()
        pin = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        chosen = self._ids[next(self._turn) % len(self._ids)]
        # No processor is reserved: an area with more agencies than processors would wait for ever.
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
            made = RayNode(handle, site, watch)
            made.settle(self._out, host, setup.wire_folder(site.agency))
        except BlindmatchError as error:
            if handle is not None:
                dismiss(handle)
            raise LocalError(f"{site.agency}: {error.message}", hint=error.hint) from None
        self._note(f"{site.agency}: {site.home} on {host}")
        return made

    @staticmethod
    def _send_inputs(setup: AreaSetup, placed: Sequence[RayNode]) -> None:
        """The agencies' files; a register that several agencies read is put into the cluster's store once."""
        ray = load_ray()
        kept: dict[Path, Any] = {}
        for site, station in zip(setup.sites, placed, strict=True):
            for path in (path for each in site.inputs for path in each.files):
                if path not in kept:
                    with reaching():
                        kept[path] = ray.put(path.read_bytes())
                station.keep(path, kept[path])
