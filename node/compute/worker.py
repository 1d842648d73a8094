"""A worker's process, on any machine of the cluster: the heavy steps of every edge of the one node that it serves.

Between two chunks a worker stores only the keys of its connection. Each chunk carries its edge's sealed seed, so a chunk
that is lost with its worker can be assigned to any other.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from blindmatch.node.compute.channel import Channel, Handshake, Shapes, shapes_of
from blindmatch.protocol import group, hashing
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.group import Bytes2D
from blindmatch.protocol.hits.computing import LocalComputing
from blindmatch.protocol.limits import PROOF_BYTES, SEED_BYTES
from blindmatch.protocol.session.messages import EdgeContext

Parts = tuple[Bytes2D, ...]


@dataclass(frozen=True)
class Greeting:
    """A worker's answer to a node."""

    public: bytes
    version: str
    """Of blindmatch: another might compute something else."""
    backend: str
    process: int


@dataclass(frozen=True)
class Request:
    """One heavy step on one chunk."""

    context: EdgeContext
    step: str
    index: int
    shapes: Shapes
    sealed: bytes

    def bound(self) -> bytes:
        """The context to which the sealed parts of a request and of its answer are bound."""
        return bound(self.context, self.step, self.index)


@dataclass(frozen=True)
class Answer:
    """The result: sealed batches, or the fault of the other agency's node."""

    shapes: Shapes = ()
    sealed: bytes = b""
    fault: tuple[str, str, str] | None = None
    """The code, message and hint of a `PeerError`."""

    def error(self) -> PeerError | None:
        """The fault as an exception."""
        if self.fault is None:
            return None
        code, message, hint = self.fault
        return PeerError(PeerCode(code), message, hint=hint)


def bound(context: EdgeContext, step: str, index: int) -> bytes:
    """Which step of which chunk of which edge, as bytes."""
    return context.digest + index.to_bytes(8, "big") + step.encode()


def _verify(computing: LocalComputing, _index: int, parts: Parts) -> Parts:
    public, blinded, evaluated, proof = parts
    computing.verify(public.tobytes(), blinded, evaluated, proof.tobytes())
    return ()


def _evaluate(computing: LocalComputing, index: int, parts: Parts) -> Parts:
    evaluated, proof = computing.evaluate(index, *parts)
    return evaluated, np.frombuffer(proof, dtype=np.uint8).reshape(-1, PROOF_BYTES)


STEPS: Mapping[str, Callable[[LocalComputing, int, Parts], Parts]] = {
    "blind": lambda computing, index, parts: (computing.blind(index, *parts),),
    "verify": _verify,
    "tags": lambda computing, index, parts: (computing.tags(index, *parts),),
    "rows": lambda computing, _index, parts: (computing.rows(*parts),),
    "evaluate": _evaluate,
}


class Worker:
    """One process, one core. Its methods are called from afar, one at a time."""

    def __init__(self) -> None:
        group.use_threads(1)
        hashing.use_threads(1)
        self._channel: Channel | None = None

    def greet(self, nodes_public: bytes) -> Greeting:
        """Agree on keys with the node."""
        handshake = Handshake()
        self._channel = handshake.worker_side(nodes_public)
        return Greeting(handshake.public, version("blindmatch"), group.backend_description(), os.getpid())

    def compute(self, request: Request) -> Answer:
        """Perform one step. An exception's text may contain secrets, so only its type leaves the worker."""
        try:
            return self._compute(request)
        except PeerError as error:
            return Answer(fault=(error.code.value, error.message, error.hint))
        except Exception as error:  # noqa: BLE001 - any exception must become an answer
            raise RuntimeError(f"{request.step} failed: {type(error).__name__}") from None

    def _compute(self, request: Request) -> Answer:
        if self._channel is None:
            raise RuntimeError("this worker has no connection to a node")
        bound = request.bound()
        seed, parts = self._channel.open(request.sealed, request.shapes, bound, secret_bytes=SEED_BYTES)
        computing = LocalComputing(seed, request.context)
        try:
            made = STEPS[request.step](computing, request.index, tuple(parts))
        finally:
            computing.wipe()
        return Answer(shapes_of(made), self._channel.seal(b"", made, bound))
