"""What both roles share: the guarded step, chunks, commitments, checkpoints, wiping.

Threads: every method runs to its end without waiting. `prepare_chunk` and the receiver's `unblind_chunk` may run in
worker threads, for different chunks, beside one other call: they touch rows of their own in the workspace, one flag
per chunk, and nothing else. All other methods belong to one thread at a time. A snapshot taken meanwhile counts only
chunks that are finished.
"""

import hmac
from abc import abstractmethod
from typing import NotRequired, TypedDict, Unpack

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.poly1305 import Poly1305

from blindmatch.protocol.errors import LocalError, PeerCode, PeerError, SequenceError, StoreError
from blindmatch.protocol.expand import Expander
from blindmatch.protocol.limits import DIGEST_BYTES, LIMITS, Limits
from blindmatch.protocol.session.checkpoint import Checkpoint
from blindmatch.protocol.session.computing import Computer, LocalComputing
from blindmatch.protocol.session.machine import Steps
from blindmatch.protocol.session.messages import (
    Bytes2D,
    EdgeContext,
    ElementSource,
    Header,
    Indices,
    Section,
    Sections,
    chunks_of,
)
from blindmatch.protocol.session.statements import Commitment, ReceiptTerms, check_count
from blindmatch.protocol.session.states import TRANSITIONS, Event, Machine, Role, State, Transitions
from blindmatch.protocol.session.workspace import Shapes, Workspace
from blindmatch.protocol.transcript import Signed, Signer, Transcript, digest, sign

NONE = bytes(DIGEST_BYTES)
_MAC_KEY_BYTES = 32


def collection_changed() -> LocalError:
    """The collection is not what it was when the round began."""
    return LocalError(
        "the collection changed since the round began",
        hint="Start a new round: this one is bound to the elements that it committed to.",
    )


def workspace_damaged() -> StoreError:
    """The workspace does not hold what the session put there."""
    return StoreError(
        "a round's working files were altered or lost", hint="Start a new round; check the disk of this node."
    )


def input_mac(expander: Expander, index: int, *parts: Bytes2D) -> bytes:
    """Poly1305 (RFC 8439 2.5) of chunk `index` under a key that serves it only: 16 bytes that tell nothing without the seed.

    Parts have the sizes that the edge gives them, so that no two lists of parts are one message.
    """
    authenticator = Poly1305(expander.stream("inputs", index, _MAC_KEY_BYTES))
    for part in parts:
        authenticator.update(np.ascontiguousarray(part).reshape(-1).data)
    return authenticator.finalize()


class SessionTerms(TypedDict):
    """What a session of either role is made of, beside the edge.

    seed: 32 secret random bytes, made once for this edge and round, kept sealed until it closes.
    signer: this agency's identity key.
    peer_key: the other side's identity key out of the agreement, 32 bytes.
    elements: this side's elements.
    workspace: arrays that outlive a crash.
    limits: chunk sizes; both sides must use the same.
    snapshot: what `snapshot` gave before a crash, or None for a new round.
    computer: who does the heavy steps; `LocalComputing` when it is left out.
    """

    seed: bytes
    signer: Signer
    peer_key: bytes
    elements: ElementSource
    workspace: Workspace
    limits: NotRequired[Limits]
    snapshot: NotRequired[bytes | None]
    computer: NotRequired[Computer]


class Session(Steps[State, Event]):
    """One side of one edge. Use `Receiver` or `Sender`, or those of another disclosure."""

    transitions: Transitions = TRANSITIONS
    checkpoint: type[Checkpoint] = Checkpoint

    def __init__(self, role: Role, context: EdgeContext, **terms: Unpack[SessionTerms]) -> None:
        signer, snapshot = terms["signer"], terms.get("snapshot")
        if signer.agency != (context.receiver if role is Role.RECEIVER else context.sender):
            raise SequenceError(f"{signer.agency} is not the {role} of this edge")
        self._role = role
        self._context = context
        self._limits = terms.get("limits", LIMITS)
        self._signer = signer
        self._peer_key = terms["peer_key"]
        self._elements = terms["elements"]
        self._workspace = terms["workspace"]
        self._shapes: Shapes = {}
        # Bound to the edge and round: a seed that is used twice by mistake still gives other blinds and another key.
        bound = hmac.digest(terms["seed"], context.digest, "sha256")
        self._expander = Expander(bound)
        self._computing = terms.get("computer", LocalComputing)(bound, context)
        self._binding = hmac.digest(self._expander.stream("checkpoint", 0, 32), context.digest, "sha256")
        count = len(self._elements)
        if snapshot is None:
            self._at = self.checkpoint(elements=count)
        else:
            self._at = self.checkpoint.unpack(snapshot, role, self._binding)
        if self._at.elements != count:
            raise collection_changed()
        try:
            check_count(count, role, context)
        except PeerError as error:
            raise LocalError(error.message, hint="Select fewer records, or agree on larger limits.") from None
        self._machine = Machine(role, self._at.state, self.transitions)
        self._chunks = chunks_of(count, self._chunk_rows())
        self._prepared: npt.NDArray[np.bool_] = np.arange(self._chunks) < self._at.prepared
        # Chunks whose elements this very session has compared with what was prepared: they cannot change under it.
        self._compared: npt.NDArray[np.bool_] = np.zeros(self._chunks, dtype=np.bool_)
        self._exchange = Transcript(self._at.exchange)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(edge={self._context.edge!r}, state={self.state.value!r})"

    @property
    def context(self) -> EdgeContext:
        """The edge."""
        return self._context

    @property
    def chunks(self) -> int:
        """Chunks of this side's own elements."""
        return self._chunks

    @property
    def prepared(self) -> int:
        """Leading chunks that are prepared: where to go on after a restart."""
        return leading(self._prepared)

    @property
    def next_chunk(self) -> int:
        """The next chunk of the exchange: blinded chunks answered, or evaluated chunks received."""
        return self._at.exchanged

    @property
    def peer_elements(self) -> int:
        """How many elements the peer committed to; 0 before its commitment."""
        return self._at.peer_elements

    @property
    def peer_key(self) -> bytes:
        """The sender's OPRF public key out of its commitment, where evaluation is verified; else 32 zeros."""
        return self._at.peer_key

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
            keyed = self._keyed(index, parts)
            self._prepare(index, *parts)
            self._array("inputs")[index] = np.frombuffer(keyed, dtype=np.uint8)
            self._compared[index] = self._prepared[index] = True

    def commit(self) -> Signed:
        """This side's signed commitment; the same bytes however often it is asked for.

        Raises:
            SequenceError: a chunk is not prepared.
            LocalError: what was prepared is not what was committed to before.
        """
        with self._step(Event.COMMIT):
            if not self._prepared.all():
                raise SequenceError(f"chunk {self.prepared} of {self._chunks} is not prepared")
            if self._at.own == NONE:
                self._build()
            said = self._commitment()
            payload = said.payload(self._context)
            if self._at.own not in (NONE, digest(payload)):
                raise collection_changed()
            self._at.own = digest(payload)
            self._open_exchange()
            return sign(self._signer, said.TYPE, payload)

    def receive_commitment(self, signed: Signed) -> None:
        """Take the peer's commitment; the same one again is accepted.

        Raises:
            PeerError: see `Commitment.check`; BAD_COMMITMENT when it is not the one that came before.
        """
        with self._step(Event.RECEIVE_COMMITMENT):
            said = self._read_commitment(signed)
            if self._at.peer not in (NONE, digest(signed.payload)):
                raise PeerError(PeerCode.BAD_COMMITMENT, "the peer committed to something else before")
            self._at.peer = digest(signed.payload)
            self._at.peer_elements = said.elements
            self._at.peer_contents = said.contents
            self._at.peer_key = said.public_key
            self._open_peer()
            self._open_exchange()

    def snapshot(self) -> bytes:
        """A checkpoint: constant size, nothing secret. Take it, flush the workspace, store it, then send: in this order."""
        self._at.state = self.state
        self._at.prepared = self.prepared
        self._at.exchange = self._exchange.value
        return self._at.pack(self._role, self._binding)

    @abstractmethod
    def _prepare(self, index: int, *parts: Bytes2D) -> None:
        """Turn what `_gather` gave for one chunk into what the workspace keeps."""

    def _build(self) -> None:
        """Whatever is left to do once every chunk is prepared, before the first commitment."""

    @abstractmethod
    def _commitment(self) -> Commitment:
        """What to commit to, from the workspace's digests."""

    def _read_commitment(self, signed: Signed) -> Commitment:
        """Verify and check the peer's commitment. PeerError: see `Commitment.check`."""
        return Commitment.check(signed, self._peer_key, self._role.other, self._context)

    def _chunk_rows(self) -> int:
        """Own elements in a full chunk."""
        return self._limits.chunk_elements

    def _sections(self) -> Sections:
        """What the sender releases: its tag table."""
        rows = self._at.elements if self._role is Role.SENDER else self._at.peer_elements
        return (Section("table", rows, self._context.row_bytes),)

    def _receipt(self, opened_at: int, closed_at: int) -> ReceiptTerms:
        """What the receipt says, as this side saw it."""
        ours, theirs = self._at.elements, self._at.peer_elements
        receiving = self._role is Role.RECEIVER
        return ReceiptTerms(
            receiver_elements=ours if receiving else theirs,
            sender_elements=theirs if receiving else ours,
            transcript=self._exchange.value,
            opened_at=opened_at,
            closed_at=closed_at,
        )

    @property
    def tag_chunks(self) -> int:
        """Chunks of the sender's tag table; on the receiver's side 0 before its commitment."""
        return sum(section.chunks(self._limits) for section in self._sections())

    @abstractmethod
    def _open_peer(self) -> None:
        """Make the arrays whose size the peer's commitment tells."""

    @abstractmethod
    def _indices(self, index: int) -> Indices:
        """Element indices of one chunk."""

    def _gather(self, indices: Indices) -> tuple[Bytes2D, ...]:
        """Everything that a chunk is prepared from; the elements come first."""
        return (np.ascontiguousarray(self._elements.take(indices)),)

    def _span(self, index: int) -> slice:
        size = self._chunk_rows()
        if not 0 <= index < self._chunks:
            raise SequenceError(f"chunk {index} of {self._chunks}")
        return slice(index * size, min((index + 1) * size, self._at.elements))

    def _take(self, index: int) -> tuple[Bytes2D, ...]:
        """What one chunk is, or was, prepared from.

        Raises:
            LocalError: it was prepared from something else.
        """
        self._span(index)
        parts = self._gather(self._indices(index))
        if self._prepared[index] and not self._compared[index]:
            kept = self._array("inputs")[index].tobytes()
            if not hmac.compare_digest(kept, self._keyed(index, parts)):
                raise collection_changed()
            self._compared[index] = True
        return parts

    def _keyed(self, index: int, parts: tuple[Bytes2D, ...]) -> bytes:
        return input_mac(self._expander, index, *parts)

    def _check_header(self, header: Header) -> None:
        if (header.round_id, header.edge) != (self._context.round_id, self._context.edge):
            raise PeerError(PeerCode.UNKNOWN_ROUND, "the message belongs to another round or edge")

    def _open_exchange(self) -> None:
        """Start the transcript once both commitments are there."""
        if self._at.exchanged == 0 and NONE not in (self._at.own, self._at.peer):
            pair = (self._at.own, self._at.peer)
            self._exchange = Transcript()
            self._exchange.add("commitments", *(pair if self._role is Role.RECEIVER else reversed(pair)))

    def _add_exchanged(self, blinded: bytes, evaluated: bytes) -> None:
        self._exchange.add("chunk", blinded, evaluated)
        self._at.exchanged += 1

    def _check_restored(self) -> None:
        """After a restart: do the workspace's digests still say what the checkpoint says?"""
        if self._at.peer != NONE:
            self._open_peer()
        if self.state in (State.CLOSED, State.FAILED):
            self._wipe()
            return
        if self._at.own != NONE and digest(self._commitment().payload(self._context)) != self._at.own:
            raise workspace_damaged()
        reached = self._at.exchange
        self._retrace()
        if self._exchange.value != reached:
            raise workspace_damaged()

    def _retrace(self) -> None:
        """The running transcript once more, out of the workspace's digests."""
        exchanged, self._at.exchanged = self._at.exchanged, 0
        if exchanged:
            self._open_exchange()
            blinded, evaluated = self._array("blinded_digests"), self._array("evaluated_digests")
            for index in range(exchanged):
                self._add_exchanged(blinded[index].tobytes(), evaluated[index].tobytes())

    def _wipe(self) -> None:
        self._expander.wipe()
        self._computing.wipe()


def check_size(points: Bytes2D, expected: int) -> None:
    """A chunk must hold exactly as many rows as the commitments make it hold. PeerError: BAD_COUNT."""
    if len(points) != expected:
        raise PeerError(PeerCode.BAD_COUNT, f"a chunk of {len(points)} rows where {expected} were due")


def check_order(index: int, following: int, total: int) -> None:
    """The next chunk or an earlier one, no other. PeerError: BAD_SEQUENCE."""
    if not 0 <= index <= following or index >= total:
        raise PeerError(PeerCode.BAD_SEQUENCE, f"chunk {index} came where {following} of {total} was due")


def check_repeat(kept: Bytes2D, now: bytes) -> None:
    """An earlier chunk may come again with the same bytes only. PeerError: ALTERED_CHUNK."""
    if kept.tobytes() != now:
        raise PeerError(PeerCode.ALTERED_CHUNK, "a chunk came again with other bytes")


def leading(flags: npt.NDArray[np.bool_]) -> int:
    """How many flags are set before the first that is not."""
    return len(flags) if flags.all() else int(np.argmin(flags))
