"""The base of every session: a state, a checkpoint, arrays that outlive a crash, and steps that complete or fail the session."""

import hmac
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, ClassVar, Generic, NotRequired, Protocol, TypedDict

import numpy as np

from blindmatch.protocol.errors import LocalError, PeerCode, PeerError, SequenceError, StoreError
from blindmatch.protocol.expand import Expander
from blindmatch.protocol.limits import LIMITS, Limits
from blindmatch.protocol.session.checkpoint import NONE, Checkpoint
from blindmatch.protocol.session.chunks import (
    MAC_BYTES,
    Bytes2D,
    ElementSource,
    Flags,
    Indices,
    Layout,
    check_order,
    check_repeat,
    check_rows,
    chunk_digest,
    chunks_of,
    input_mac,
    leading,
)
from blindmatch.protocol.session.machine import Rules, StateMachine
from blindmatch.protocol.session.messages import Header, RowsChunk
from blindmatch.protocol.session.states import AnyState, Event
from blindmatch.protocol.session.workspace import Shapes, Workspace
from blindmatch.protocol.transcript import Signer, digest


def collection_changed() -> LocalError:
    """The collection is not what it was when the round began."""
    return LocalError(
        "the collection changed since the round began",
        hint="Start a new round: this one is bound to the elements that it committed to.",
    )


def workspace_damaged() -> StoreError:
    """The workspace does not hold what the session stored there."""
    return StoreError(
        "a round's working files were altered or lost", hint="Start a new round; check the disk of this node."
    )


class Context(Protocol):
    """The subject of a session: an edge or a threshold of one round."""

    @property
    def digest(self) -> bytes:
        """32 bytes over every term."""

    def header(self, sequence: int) -> Header:
        """The header of a message about it."""


def bound_seed(seed: bytes, context: Context) -> bytes:
    """The secret of one session, 32 bytes: a seed that is used twice by mistake still gives other secrets in another round."""
    return hmac.digest(seed, context.digest, "sha256")


class BaseTerms(TypedDict):
    """The arguments of every session, besides its context.

    seed: 32 secret random bytes, drawn once for this context, stored sealed until the session closes.
    signer: this agency's identity key.
    workspace: arrays that outlive a crash.
    limits: chunk sizes; all parties must use the same.
    snapshot: what `snapshot` returned before a crash, or None for a new round.
    """

    seed: bytes
    signer: Signer
    workspace: Workspace
    limits: NotRequired[Limits]
    snapshot: NotRequired[bytes | None]


class BaseSession(ABC, Generic[AnyState]):
    """One party's session: restored from a checkpoint or new, driven step by step, wiped at its end."""

    rules: ClassVar[Mapping[StrEnum, Rules[Any]]]
    """By role."""
    checkpoint: ClassVar[type[Checkpoint]]
    _at: Any

    def __init__(self, role: StrEnum, context: Context, secret: bytes, terms: BaseTerms) -> None:
        """`secret`: the seed, bound to the context."""
        self._role = role
        self._context = context
        self._limits = terms.get("limits", LIMITS)
        self._signer = terms["signer"]
        self._workspace = terms["workspace"]
        self._shapes: Shapes = {}
        self._expander = Expander(secret)
        self._binding = hmac.digest(self._expander.stream("checkpoint", 0, 32), context.digest, "sha256")
        snapshot = terms.get("snapshot")
        self._at = (
            self.checkpoint() if snapshot is None else self.checkpoint.unpack(snapshot, role, self._binding)
        )
        self._machine: StateMachine[AnyState] = StateMachine(role, self._at.state, self.rules[role])

    @property
    def state(self) -> AnyState:
        """This side's state."""
        return self._machine.state

    @property
    def failure(self) -> BaseException | None:
        """The exception that made the session fail, if any."""
        return self._machine.failure

    def abort(self, reason: BaseException) -> None:
        """Give up: FAILED, with everything secret wiped."""
        self._machine.fail(reason)
        self._wipe()

    def snapshot(self) -> bytes:
        """A checkpoint: constant size, nothing secret. Take it, flush the workspace, store it, then send: in this order."""
        self._at.state = self.state
        data: bytes = self._at.pack(self._role, self._binding)
        return data

    @contextmanager
    def _step(self, event: StrEnum) -> Iterator[None]:
        """One event: refused by the table, or done and fired. Any exception is final."""
        try:
            self._machine.check(event)
            yield
            self._machine.fire(event)
        except BaseException as failure:
            self.abort(failure)
            raise

    def _restored(self) -> bool:
        """Whether there is a session to continue: one in a terminal state is wiped instead."""
        if self._machine.over:
            self._wipe()
        return not self._machine.over

    def _fix_own(self, payload: bytes) -> bytes:
        """Fix this side's commitment; a second one must be the same. LocalError: the collection changed."""
        if self._at.own not in (NONE, digest(payload)):
            raise collection_changed()
        self._at.own = digest(payload)
        return payload

    def _header(self, sequence: int) -> Header:
        return self._context.header(sequence)

    def _check_header(self, header: Header) -> None:
        if header != self._header(header.sequence):
            raise PeerError(
                PeerCode.UNKNOWN_ROUND, f"the message belongs to another round or {self.checkpoint.subject}"
            )

    def _array(self, name: str) -> Bytes2D:
        return self._workspace.array(name, self._shapes[name])

    def _contents(self, name: str) -> bytes:
        """One digest over an array of chunk digests."""
        return digest(name.encode(), self._array(name).tobytes())

    def _put_digest(self, digests: str, index: int, seen: bytes) -> None:
        """Store a chunk's digest into its row of an array."""
        self._array(digests)[index] = np.frombuffer(seen, dtype=np.uint8)

    def _is_repeat(self, digests: str, index: int, following: int, seen: bytes) -> bool:
        """Whether a chunk is a retransmission of an earlier one. PeerError: ALTERED_CHUNK."""
        stored = self._array(digests)[index]
        if index < following:
            check_repeat(stored, seen)
        return index < following

    def _check_chunk(
        self, label: str, chunk: RowsChunk, layout: Layout, following: int, digests: str
    ) -> bytes | None:
        """Check a chunk that came. Returns its digest, 32 bytes, to be stored; None for a retransmission.

        Args:
            label: the kind of chunk, as for `chunk_digest`.
            chunk: the chunk.
            layout: of the rows that it is part of.
            following: the number of the chunk that is due.
            digests: the array of digests.

        Raises:
            PeerError: UNKNOWN_ROUND, BAD_SEQUENCE, BAD_COUNT, BAD_MESSAGE, ALTERED_CHUNK.
        """
        index = chunk.header.sequence
        self._check_header(chunk.header)
        check_order(index, following, layout.chunks)
        check_rows(chunk.rows, layout.size(index), layout.width)
        seen = chunk_digest(label, index, chunk.rows)
        if index == following:
            return seen
        check_repeat(self._array(digests)[index], seen)
        return None

    def _intact(
        self, label: str, index: int, rows: Bytes2D, *more: bytes, digests: str | None = None
    ) -> Bytes2D:
        """A chunk out of the workspace. StoreError: it is not what its digest in `digests` states.

        Args:
            label: the kind of chunk, as for `chunk_digest`.
            index: the chunk's number.
            rows: the chunk.
            more: further parts of its digest.
            digests: the array of digests; `label` and "_digests" by default.
        """
        stored = self._array(digests or f"{label}_digests")[index].tobytes()
        if chunk_digest(label, index, rows, *more) != stored:
            raise workspace_damaged()
        return rows

    def _wipe(self) -> None:
        """Overwrite every secret."""
        self._expander.wipe()


class PreparingSession(BaseSession[AnyState]):
    """A session that prepares elements of its own, a chunk at a time; its checkpoint counts them in `prepared`.

    A subclass calls `_set_elements` in its constructor.
    """

    _elements: ElementSource
    _chunks: int
    _prepared: Flags
    _compared: Flags

    def _set_elements(self, elements: ElementSource) -> None:
        self._elements = elements
        self._chunks = chunks_of(len(elements), self._chunk_rows())
        self._shapes["inputs"] = (
            self._chunks,
            MAC_BYTES,
        )  # authenticator per chunk: did the collection change?
        self._prepared = np.arange(self._chunks) < self._at.prepared
        # Chunks whose elements this very session has compared with what was prepared: they cannot change under it.
        self._compared = np.zeros(self._chunks, dtype=np.bool_)

    @property
    def chunks(self) -> int:
        """Chunks of this side's own elements."""
        return self._chunks

    @property
    def prepared(self) -> int:
        """Leading chunks that are prepared: where to continue after a restart."""
        return leading(self._prepared)

    def snapshot(self) -> bytes:
        """See `BaseSession.snapshot`."""
        self._at.prepared = self.prepared
        return super().snapshot()

    def prepare_chunk(self, index: int) -> None:
        """Prepare chunk `index` of the own elements; a chunk that is prepared is only checked for change.

        Heavy; may run in a worker thread.

        Raises:
            LocalError: the elements are not those that this chunk was prepared from.
            SequenceError: no such chunk, or not now.
        """
        with self._step(Event.PREPARE):
            parts = self._take(index)
            if self._prepared[index]:
                return
            mac = input_mac(self._expander, index, *parts)
            self._prepare(index, *parts)
            self._put_digest("inputs", index, mac)
            self._compared[index] = self._prepared[index] = True

    @abstractmethod
    def _prepare(self, index: int, *parts: Bytes2D) -> None:
        """Turn what `_gather` returned for one chunk into what the workspace stores."""

    def _require(self, flags: Flags, done: str) -> None:
        """SequenceError: a chunk is not `done`."""
        if not flags.all():
            raise SequenceError(f"chunk {leading(flags)} of {len(flags)} is not {done}")

    def _chunk_rows(self) -> int:
        """Own elements in a full chunk."""
        return self._limits.chunk_elements

    def _indices(self, index: int) -> Indices:
        """Element indices of one chunk."""
        span = self._span(index)
        return np.arange(span.start, span.stop, dtype=np.int64)

    def _gather(self, indices: Indices) -> tuple[Bytes2D, ...]:
        """Everything that a chunk is prepared from; the elements come first."""
        return (np.ascontiguousarray(self._elements.take(indices)),)

    def _span(self, index: int) -> slice:
        size = self._chunk_rows()
        if not 0 <= index < self._chunks:
            raise SequenceError(f"chunk {index} of {self._chunks}")
        return slice(index * size, min((index + 1) * size, len(self._elements)))

    def _take(self, index: int) -> tuple[Bytes2D, ...]:
        """What one chunk is, or was, prepared from.

        Raises:
            LocalError: it was prepared from something else.
        """
        self._span(index)
        parts = self._gather(self._indices(index))
        if self._prepared[index] and not self._compared[index]:
            stored = self._array("inputs")[index].tobytes()
            if not hmac.compare_digest(stored, input_mac(self._expander, index, *parts)):
                raise collection_changed()
            self._compared[index] = True
        return parts
