"""Two sessions and a bad line between them, in memory: what the tests drive, and a model of what a node does.

Each side keeps its stored checkpoint apart from its running session, checkpoints before it sends, and can be made
to crash at any point: after a call and before the checkpoint, or after the checkpoint and before the send. Its workspace
outlives the crash, with everything that was written after the checkpoint. The line loses, repeats, delays and
reorders; like a node, the receiver asks for one thing at a time and asks again when no answer comes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from blindmatch.protocol.limits import LIMITS, Limits
from blindmatch.protocol.match import (
    BlindedChunk,
    Computer,
    Disclosure,
    EdgeContext,
    EvaluatedChunk,
    Hits,
    LocalComputing,
    Receipt,
    Receiver,
    Sender,
    State,
    TagChunk,
    Workspace,
)
from blindmatch.protocol.transcript import Ed25519Signer, Signed


class Live(Protocol):
    """What a `Side` needs of a session."""

    def snapshot(self) -> bytes:
        """The checkpoint."""


Session = TypeVar("Session", bound=Live)
Value = TypeVar("Value")
Body = Signed | BlindedChunk | EvaluatedChunk | TagChunk | int | bytes

OPENED_AT, CLOSED_AT = 1_700_000_000, 1_700_000_060
POLICE = Ed25519Signer("police", Ed25519PrivateKey.from_private_bytes(b"p" * 32))
COUNCIL = Ed25519Signer("council", Ed25519PrivateKey.from_private_bytes(b"c" * 32))


class CrashError(Exception):
    """A side stopped at this point; all that is left is its checkpoint and its workspace."""


class Rows:
    """Elements or facts out of one array (n, width)."""

    def __init__(self, rows: npt.NDArray[np.uint8]) -> None:
        self.rows = rows

    @classmethod
    def of(cls, values: Sequence[int], width: int = 16) -> "Rows":
        """One row per number: equal numbers, equal rows."""
        return cls(
            np.frombuffer(b"".join(value.to_bytes(width, "big") for value in values), dtype=np.uint8).reshape(
                len(values), width
            )
        )

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """The rows at these indices."""
        return self.rows[indices]


class Side(Generic[Session]):
    """One node: a session, its stored checkpoint, and a countdown to a crash."""

    def __init__(self, make: Callable[[bytes | None], Session]) -> None:
        self._make: Callable[[bytes | None], Session] = make
        self.session: Session = make(None)
        self.stored: bytes | None = None
        self.crash_in: int | None = None
        self.points = 0

    def run(self, call: Callable[[Session], Value], keep: Callable[[Value], None] | None = None) -> Value:
        """Call the session, keep what is to be kept, then checkpoint; only then may the caller send what came out."""
        value = call(self.session)
        self._point()
        if keep is not None:
            keep(value)
            self._point()
        self.stored = self.session.snapshot()
        self._point()
        return value

    def restart(self) -> None:
        """Come back after a crash, from the checkpoint alone."""
        self.crash_in = None
        self.session = self._make(self.stored)

    def _point(self) -> None:
        self.points += 1
        if self.crash_in is not None:
            self.crash_in -= 1
            if self.crash_in < 0:
                raise CrashError


@dataclass(frozen=True)
class Message:
    """Something on the line: what kind, its number, its content, and whether its side had checkpointed before."""

    kind: str
    index: int
    body: Body
    checkpointed: bool

    def content(self) -> bytes:
        """Its bytes, for comparison."""
        match self.body:
            case Signed():
                return self.body.payload + self.body.signature
            case BlindedChunk():
                return self.body.points.tobytes()
            case EvaluatedChunk():
                return self.body.points.tobytes() + self.body.proof
            case TagChunk():
                return self.body.rows.tobytes()
            case bytes():
                return self.body
            case _:
                return str(self.body).encode()


class Network:
    """The line and both sides. `run` is a quiet day; tests call the steps one by one on a bad one."""

    def __init__(self, receiver: Side[Receiver], sender: Side[Sender]) -> None:
        self.receiver = receiver
        self.sender = sender
        self.requests: list[Message] = []
        self.replies: list[Message] = []
        self.sent: list[Message] = []
        self.hits: Hits | None = None
        self.receipts: list[Receipt] = []

    @property
    def closed(self) -> bool:
        """Whether the receiver holds the doubly signed receipt."""
        return self.receiver.session.state is State.CLOSED

    def run(self) -> Hits:
        """Drive both sides to the end, restarting whichever crashes, and give the hits."""
        while not self.closed:
            if State.FAILED in (self.receiver.session.state, self.sender.session.state):
                raise AssertionError("a side failed")
            self.receiver_step()
            while self.requests:
                self.deliver_request(0)
            while self.replies:
                self.deliver_reply(0)
        if self.hits is None:
            raise AssertionError("closed without hits")
        return self.hits

    def receiver_step(self) -> None:
        """One piece of the receiver's own work, or one request for what it needs next."""
        self._guard(self.receiver, self._receiver_step)

    def sender_step(self) -> None:
        """One piece of the sender's own work, ahead of any request."""

        def work() -> None:
            session = self.sender.session
            if session.prepared < session.chunks and session.state in (State.PREPARING, State.OFFERED):
                self.sender.run(lambda live: live.prepare_chunk(live.prepared))

        self._guard(self.sender, work)

    def deliver_request(self, position: int) -> None:
        """Let the sender handle one of the requests on the line, whichever."""
        request = self.requests.pop(position)
        self._guard(self.sender, lambda: self._handle(request))

    def deliver_reply(self, position: int) -> None:
        """Let the receiver take one of the replies on the line, whichever."""
        reply = self.replies.pop(position)
        self._guard(self.receiver, lambda: self._take(reply))

    def _guard(self, side: Side[Session], work: Callable[[], None]) -> None:
        try:
            work()
        except CrashError:
            side.restart()

    def _send(self, side: Side[Session], line: list[Message], kind: str, index: int, body: Body) -> None:
        message = Message(kind, index, body, side.stored == side.session.snapshot())
        self.sent.append(message)
        line.append(message)

    def _receiver_step(self) -> None:
        side, session = self.receiver, self.receiver.session
        match session.state:
            case State.PREPARING if session.prepared < session.chunks:
                side.run(lambda live: live.prepare_chunk(live.prepared))
            case State.PREPARING:
                side.run(lambda live: live.commit())
            case State.COMMITTED:
                self._send(side, self.requests, "open", 0, side.run(lambda live: live.commit()))
            case State.EXCHANGING:
                index = session.next_chunk
                self._send(
                    side, self.requests, "evaluate", index, side.run(lambda live: live.blinded_chunk(index))
                )
            case State.COLLECTING:
                self._send(side, self.requests, "tags", session.next_tag_chunk, session.next_tag_chunk)
            case State.COLLECTED if session.unblinded < session.chunks:
                side.run(lambda live: live.unblind_chunk(live.unblinded))
            case State.COLLECTED:
                self._look(side)
            case State.MATCHED | State.SIGNED:
                receipt = side.run(lambda live: live.receipt(OPENED_AT, CLOSED_AT))
                self._send(side, self.requests, "close", 0, receipt)
            case _:
                pass

    def _look(self, side: Side[Receiver]) -> None:
        side.run(lambda live: live.find_hits(), keep=self._keep_hits)

    def _keep_hits(self, hits: Hits) -> None:
        self.hits = hits

    def _handle(self, request: Message) -> None:
        side, body = self.sender, request.body
        if side.session.state is State.CLOSED and request.kind != "close":
            return  # a node knows its finished edges and does not wake their sessions
        match body:
            case Signed() if request.kind == "open":
                side.run(lambda live: live.receive_commitment(body))
                while side.session.prepared < side.session.chunks:
                    side.run(lambda live: live.prepare_chunk(live.prepared))
                self._send(side, self.replies, "commitment", 0, side.run(lambda live: live.commit()))
            case BlindedChunk():
                answer = side.run(lambda live: live.evaluate(body))
                self._send(side, self.replies, "evaluated", request.index, answer)
            case int():
                self._send(side, self.replies, "tag chunk", body, side.run(lambda live: live.tag_chunk(body)))
            case Signed():
                receipt = side.run(lambda live: live.countersign(body, CLOSED_AT), keep=self.receipts.append)
                self._send(side, self.replies, "signature", 0, receipt.sender_signature)
            case _:
                raise AssertionError(request.kind)

    def _take(self, reply: Message) -> None:
        if self.closed:
            return
        side, body = self.receiver, reply.body
        match body:
            case Signed():
                side.run(lambda live: live.receive_commitment(body))
            case EvaluatedChunk():
                side.run(lambda live: live.receive_evaluated(body))
                if (
                    side.session.state is State.EXCHANGING
                ):  # the rest is left for later, as a slow worker would
                    side.run(lambda live: live.unblind_chunk(body.header.sequence))
            case TagChunk():
                side.run(lambda live: live.receive_tags(body))
            case bytes():
                side.run(lambda live: live.receive_receipt_signature(body), keep=self.receipts.append)
            case _:
                raise AssertionError(reply.kind)


@dataclass(frozen=True)
class Edge:
    """Everything that two sides of one edge are made from; all of it can be replaced in a test."""

    context: EdgeContext
    receiver_elements: Rows
    sender_elements: Rows
    facts: Rows | None = None
    limits: Limits = LIMITS
    receiver_seed: bytes = b"r" * 32
    sender_seed: bytes = b"s" * 32
    receiver_key: Ed25519Signer = POLICE
    sender_key: Ed25519Signer = COUNCIL
    computer: Computer = LocalComputing

    @classmethod
    def of(
        cls,
        receiver: Sequence[int],
        sender: Sequence[int],
        *,
        facts: Sequence[int] | None = None,
        verified: bool = False,
        chunk_elements: int = 4,
        round_id: bytes = b"round-0123456789",
    ) -> "Edge":
        """An edge between two lists of numbers; facts, one number per sender element, travel when given."""
        context = EdgeContext(
            agreement=b"a" * 32,
            round_id=round_id,
            edge="council-to-police",
            receiver="police",
            sender="council",
            disclosure=Disclosure.HITS if facts is None else Disclosure.HITS_FACTS,
            verified=verified,
            keys_digest=b"k" * 32,
            fact_bytes=0 if facts is None else 24,
        )
        return cls(
            context,
            Rows.of(receiver),
            Rows.of(sender),
            None if facts is None else Rows.of(facts, 24),
            Limits(chunk_elements=chunk_elements),
        )

    def receiver(self, workspace: Workspace | None = None, snapshot: bytes | None = None) -> Receiver:
        """A receiver, new or restored."""
        return Receiver(
            self.context,
            seed=self.receiver_seed,
            signer=self.receiver_key,
            peer_key=self.sender_key.public,
            elements=self.receiver_elements,
            workspace=workspace or Workspace.in_memory(),
            limits=self.limits,
            snapshot=snapshot,
            computer=self.computer,
        )

    def sender(self, workspace: Workspace | None = None, snapshot: bytes | None = None) -> Sender:
        """A sender, new or restored."""
        return Sender(
            self.context,
            seed=self.sender_seed,
            signer=self.sender_key,
            peer_key=self.receiver_key.public,
            elements=self.sender_elements,
            facts=self.facts,
            workspace=workspace or Workspace.in_memory(),
            limits=self.limits,
            snapshot=snapshot,
            computer=self.computer,
        )

    def connect(self) -> Network:
        """Both sides on one line, each with a workspace that outlives its crashes."""
        ours: Workspace = Workspace.in_memory()
        theirs: Workspace = Workspace.in_memory()
        return Network(
            Side(lambda snapshot: self.receiver(ours, snapshot)),
            Side(lambda snapshot: self.sender(theirs, snapshot)),
        )

    def prepared(self) -> tuple[Receiver, Sender]:
        """Two new sessions, every chunk of both prepared."""
        receiver, sender = self.receiver(), self.sender()
        prepare(receiver, sender)
        return receiver, sender

    def exchanging(self) -> tuple[Receiver, Sender]:
        """The same, with both commitments exchanged."""
        receiver, sender = self.receiver(), self.sender()
        meet(receiver, sender)
        return receiver, sender

    def collecting(self) -> tuple[Receiver, Sender]:
        """The same, with every chunk evaluated and unblinded: tags are next."""
        receiver, sender = self.exchanging()
        for index in range(receiver.chunks):
            receiver.receive_evaluated(sender.evaluate(receiver.blinded_chunk(index)))
            receiver.unblind_chunk(index)
        return receiver, sender

    def signed(self) -> tuple[Receiver, Sender, Signed]:
        """The same, with hits found and the receiver's receipt signed."""
        receiver, sender = self.collecting()
        for index in range(sender.tag_chunks):
            receiver.receive_tags(sender.tag_chunk(index))
        receiver.find_hits()
        return receiver, sender, receiver.receipt(OPENED_AT, CLOSED_AT)


def prepare(*sessions: Receiver | Sender) -> None:
    """Prepare every chunk of each."""
    for session in sessions:
        for index in range(session.chunks):
            session.prepare_chunk(index)


def meet(receiver: Receiver, sender: Sender) -> None:
    """Prepare both, then give each the other's commitment."""
    prepare(receiver, sender)
    sender.receive_commitment(receiver.commit())
    receiver.receive_commitment(sender.commit())
