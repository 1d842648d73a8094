"""The heavy steps on a Ray cluster: workers, chunks handed to them, and what happens when a worker dies.

A chunk is a pure function of its inputs, so a lost chunk is computed again on another worker, with the same result.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import chain, zip_longest
from typing import Any

import numpy as np

from blindmatch.node.compute.channel import Channel, Handshake, shapes_of
from blindmatch.node.compute.connection import connected, load_ray
from blindmatch.node.compute.worker import Answer, Greeting, Request, Worker, bound
from blindmatch.node.storage.config import Cluster
from blindmatch.node.storage.logs import logger
from blindmatch.protocol.errors import BlindmatchError, LocalError, SequenceError
from blindmatch.protocol.group import Bytes2D
from blindmatch.protocol.hits.computing import Computing
from blindmatch.protocol.session.chunks import chunk_digest
from blindmatch.protocol.session.messages import EdgeContext

ATTEMPTS = 5
"""How often one chunk is given to a worker before the edge stops; it can be resumed."""

GREET_SECONDS = 60.0
"""For a worker's process to start and answer."""

CHUNK_SECONDS = 600.0
"""A worker that is silent on one chunk for so long is given up."""

_MOST_AHEAD = 32
"""Chunks computed before they are asked for, at most; more would only take memory."""

_THREADS = 64


@dataclass(eq=False)
class _Hired:
    """A worker of this node."""

    handle: Any
    place: str
    channel: Channel
    greeting: Greeting
    busy: int = 0


@dataclass(eq=False)
class _Job:
    """A chunk with a worker."""

    context: EdgeContext
    step: str
    index: int
    seed: bytearray = field(repr=False)
    parts: Sequence[Bytes2D] = field(repr=False)
    worker: _Hired | None = None
    answer: Any = None


class RayEngine:
    """Workers on a cluster: one for each processor of each of its machines, unless the settings say how many. See `Engine`."""

    threads = _THREADS

    def __init__(self, settings: Cluster) -> None:
        self._settings = settings
        self._starting = threading.Lock()
        self._changed = threading.Condition()
        self._workers: list[_Hired] = []
        self._hiring = 0
        self._stack = ExitStack()
        self._connected = False
        self._log = logger(engine="ray")

    def __repr__(self) -> str:
        return f"RayEngine({len(self._workers)} workers)"

    @property
    def workers(self) -> tuple[Greeting, ...]:
        """Who works now."""
        return tuple(worker.greeting for worker in self._workers)

    @property
    def lanes(self) -> int:
        """Two chunks for each worker: it finds the next when it has done one."""
        return max(8, 2 * len(self._workers))

    @property
    def backlog(self) -> int:
        """As many as are prepared side by side."""
        return self.lanes

    def computing(self, seed: bytes, context: EdgeContext) -> Computing:
        self.start()
        return RemoteComputing(self, seed, context)

    def start(self) -> None:
        """Connect and hire the workers, unless that was done.

        Raises:
            LocalError: the cluster cannot be reached, or has no worker for us.
        """
        with self._starting:
            if self._connected:
                return
            self._stack.enter_context(connected(self._settings.address, self._settings.workers))
            try:
                self._hire_all()
            except BaseException:
                self._stack.close()
                raise
            self._connected = True

    def close(self) -> None:
        """Dismiss the workers, and the connection when no other engine of this process needs it."""
        with self._starting:
            self._connected = False
            with self._changed:
                leaving, self._workers = self._workers, []
            for worker in leaving:
                dismiss(worker.handle)
            self._stack.close()

    def submit(self, job: _Job) -> None:
        """Give a chunk to the worker that has the least to do."""
        worker = self._choose()
        where = bound(job.context, job.step, job.index)
        sealed = worker.channel.seal(job.seed, job.parts, where)
        request = Request(job.context, job.step, job.index, shapes_of(job.parts), sealed)
        with reaching():
            job.worker, job.answer = worker, worker.handle.compute.remote(request)

    def forget(self, job: _Job) -> None:
        """Cancel a chunk whose result is not needed."""
        with self._changed:
            if job.worker is not None:
                job.worker.busy -= 1

    def result(self, job: _Job) -> list[Bytes2D]:
        """Wait for a chunk; assign it to another worker when its worker dies.

        Raises:
            PeerError: as the step raises.
            LocalError: no worker of the cluster can compute it.
        """
        ray = load_ray()
        for _ in range(ATTEMPTS):
            worker, reference = job.worker, job.answer
            if worker is None:
                raise SequenceError("a chunk was waited for that no worker has")
            try:
                answer: Answer = ray.get(reference, timeout=CHUNK_SECONDS)
            except ray.exceptions.RayTaskError as error:
                kind = (
                    str(error.cause) if isinstance(error.cause, RuntimeError) else type(error.cause).__name__
                )
                raise LocalError(f"a worker of the cluster failed: {kind}") from None
            except (ray.exceptions.RayError, ConnectionError, TimeoutError) as error:
                self._lost(worker, type(error).__name__)
                self.submit(job)
                continue
            finally:
                with self._changed:
                    worker.busy -= 1
            fault = answer.error()
            if fault is not None:
                raise fault
            where = bound(job.context, job.step, job.index)
            return worker.channel.open(answer.sealed, answer.shapes, where)[1]
        self.forget(job)
        raise LocalError(
            f"{ATTEMPTS} workers of the cluster died over one chunk",
            hint="See the cluster's memory and logs. The round can be resumed.",
        )

    def _choose(self) -> _Hired:
        with self._changed:
            while not self._workers and self._hiring:
                self._changed.wait()
            if not self._workers:
                raise LocalError(
                    "the Ray cluster has no worker left",
                    hint="See `ray status` on the cluster. The round can be resumed.",
                )
            worker = min(self._workers, key=lambda each: each.busy)
            worker.busy += 1
            return worker

    def _lost(self, worker: _Hired, reason: str) -> None:
        """Strike a worker off and hire another in its place; the first thread that notices does."""
        with self._changed:
            if worker not in self._workers:
                return
            self._workers.remove(worker)
            self._hiring += 1
        self._log.warning("a worker was lost; its chunks are computed again", reason=reason)
        dismiss(worker.handle)
        hired: list[_Hired] = []
        try:
            hired = self._hire([worker.place])
        finally:
            with self._changed:
                self._hiring -= 1
                self._workers += hired
                self._changed.notify_all()

    def _hire_all(self) -> None:
        with reaching():
            found = places(load_ray().nodes())
        wanted = self._settings.workers or len(found)
        if found:
            found = (found * (-(-wanted // len(found))))[:wanted]
        self._workers = self._hire(found)
        if not self._workers:
            raise LocalError(
                "the Ray cluster has no worker for this node", hint="See `ray status` on the cluster."
            )
        backends = sorted({worker.greeting.backend for worker in self._workers})
        self._log.info("workers hired", workers=len(self._workers), curve=", ".join(backends))

    def _hire(self, where: Sequence[str]) -> list[_Hired]:
        """Start all workers at once; those that do not answer in time are not used.

        Raises:
            LocalError: a worker has another version of blindmatch, or none.
        """
        ray = load_ray()
        pin = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        begun = []
        for place in where:
            # No processor is reserved: nodes that share a cluster would wait for each other's workers for ever.
            hire = ray.remote(Worker).options(
                num_cpus=0, max_restarts=0, scheduling_strategy=pin(place, soft=True)
            )
            handshake = Handshake()
            with reaching():
                handle = hire.remote()
                begun.append((place, handshake, handle, handle.greet.remote(handshake.public)))
        hired = []
        for place, handshake, handle, answer in begun:
            try:
                greeting: Greeting = ray.get(answer, timeout=GREET_SECONDS)
            except (ray.exceptions.RayError, ConnectionError, TimeoutError) as error:
                self._log.warning("a worker does not start", reason=type(error).__name__)
                dismiss(handle)
                continue
            if greeting.version != version("blindmatch"):
                raise LocalError(
                    f"a worker of the cluster has blindmatch {greeting.version}, this node {version('blindmatch')}",
                    hint="Install the same version on every machine of the cluster.",
                )
            hired.append(_Hired(handle, place, handshake.node_side(greeting.public), greeting))
        return hired


class RemoteComputing:
    """The heavy steps of one edge, done by the workers. See `Computing`, also for every method."""

    def __init__(self, engine: RayEngine, seed: bytes, context: EdgeContext) -> None:
        self._engine = engine
        self._context = context
        self._seed = bytearray(seed)
        self._wiped = False
        self._ahead: dict[bytes, _Job] = {}

    def __repr__(self) -> str:
        return f"RemoteComputing(edge={self._context.edge!r})"

    def blind(self, index: int, inputs: Bytes2D) -> Bytes2D:
        (blinded,) = self._do("blind", index, inputs)
        return blinded

    def verify(self, public: bytes, blinded: Bytes2D, evaluated: Bytes2D, proof: bytes) -> None:
        self._do("verify", 0, _row(public), blinded, evaluated, _row(proof))

    def tags(self, index: int, inputs: Bytes2D, evaluated: Bytes2D) -> Bytes2D:
        (tags,) = self._do("tags", index, inputs, evaluated)
        return tags

    def rows(self, inputs: Bytes2D, *facts: Bytes2D) -> Bytes2D:
        (rows,) = self._do("rows", 0, inputs, *facts)
        return rows

    def evaluate(self, index: int, points: Bytes2D) -> tuple[Bytes2D, bytes]:
        job = self._ahead.pop(chunk_digest("ahead", index, points), None)
        evaluated, proof = self._end(self._begin("evaluate", index, points) if job is None else job)
        return evaluated, proof.tobytes()

    def evaluate_ahead(self, index: int, points: Bytes2D) -> None:
        name = chunk_digest("ahead", index, points)
        if name in self._ahead or len(self._ahead) >= _MOST_AHEAD:
            return
        try:
            self._ahead[name] = self._begin("evaluate", index, points)
        except BlindmatchError:
            return  # it shows when the chunk is asked for

    def wipe(self) -> None:
        self._wiped = True
        self._seed[:] = bytes(len(self._seed))
        while self._ahead:
            self._engine.forget(self._ahead.popitem()[1])

    def _begin(self, step: str, index: int, *parts: Bytes2D) -> _Job:
        job = _Job(self._context, step, index, self._seed, parts)
        if self._wiped:
            raise SequenceError("the edge's seed was wiped")
        self._engine.submit(job)
        return job

    def _do(self, step: str, index: int, *parts: Bytes2D) -> list[Bytes2D]:
        return self._end(self._begin(step, index, *parts))

    def _end(self, job: _Job) -> list[Bytes2D]:
        made = self._engine.result(job)
        if self._wiped:  # a chunk given out again meanwhile may have gone with a seed of zeros
            raise SequenceError("the edge's seed was wiped")
        return made


@contextmanager
def reaching() -> Iterator[None]:
    """Translate the errors of an unreachable cluster into `LocalError`."""
    ray = load_ray()
    try:
        yield
    except (ray.exceptions.RayError, ConnectionError) as error:
        raise LocalError(
            f"the Ray cluster cannot be reached ({type(error).__name__})",
            hint="See `ray status` on the cluster. The round can be resumed.",
        ) from None


def _row(text: bytes) -> Bytes2D:
    return np.frombuffer(text, dtype=np.uint8).reshape(1, -1)


def places(nodes: Sequence[dict[str, Any]]) -> list[str]:
    """The id of each machine of the cluster, once for each of its processors, machines taking turns."""
    alive = [node for node in nodes if node["Alive"]]
    each = [[str(node["NodeID"])] * int(node["Resources"].get("CPU", 0)) for node in alive]
    return [place for place in chain.from_iterable(zip_longest(*each)) if place is not None]


def dismiss(handle: Any) -> None:
    """End an actor, dead or alive."""
    ray = load_ray()
    try:
        ray.kill(handle)
    except (ray.exceptions.RayError, ConnectionError, RuntimeError, ValueError):
        return  # the worker or the cluster has stopped
