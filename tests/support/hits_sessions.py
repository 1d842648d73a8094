"""Two sessions of an edge that lists hits, in memory: what the tests drive, and a model of what both nodes do. See `line`."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.support.lossy_channel import LossyChannel, Message, Side, drive

from blindmatch.protocol.aggregate.transitions import AggregateState
from blindmatch.protocol.agreement import Disclosure
from blindmatch.protocol.hits.computing import Computer, LocalComputing
from blindmatch.protocol.hits.messages import Hits, TagChunk
from blindmatch.protocol.hits.receiver import Receiver
from blindmatch.protocol.hits.sender import Sender
from blindmatch.protocol.hits.transitions import HitsState
from blindmatch.protocol.limits import LIMITS, Limits
from blindmatch.protocol.session.messages import BlindedChunk, EdgeContext, EvaluatedChunk, Receipt
from blindmatch.protocol.session.states import State
from blindmatch.protocol.session.workspace import Workspace
from blindmatch.protocol.transcript import Ed25519Signer, Signed

OPENED_AT, CLOSED_AT = 1_700_000_000, 1_700_000_060
POLICE = Ed25519Signer("police", Ed25519PrivateKey.from_private_bytes(b"p" * 32))
COUNCIL = Ed25519Signer("council", Ed25519PrivateKey.from_private_bytes(b"c" * 32))


class PreparingSession(Protocol):
    """What both sides of every kind of edge do first."""

    def snapshot(self) -> bytes:
        """The checkpoint."""

    @property
    def state(self) -> StrEnum:
        """Where it stands."""

    @property
    def chunks(self) -> int:
        """Chunks of its own elements."""

    @property
    def prepared(self) -> int:
        """Leading chunks that are prepared."""

    def prepare_chunk(self, index: int) -> None:
        """Prepare one."""

    def commit(self) -> Signed:
        """Its signed commitment."""

    def receive_commitment(self, signed: Signed) -> None:
        """Take the other side's."""


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


AnyReceiver = TypeVar("AnyReceiver", bound=PreparingSession)
AnySender = TypeVar("AnySender", bound=PreparingSession)


class EdgeChannel(LossyChannel[AnyReceiver, AnySender]):
    """The line of one edge: the receiver asks, the sender answers."""

    closing = frozenset({"close", "signature"})
    answered = frozenset({HitsState.COLLECTED, HitsState.MATCHED, AggregateState.INFORMED, HitsState.SIGNED})

    def __init__(
        self,
        receiver: Side[AnyReceiver],
        sender: Side[AnySender],
        names: tuple[str, str] = ("police", "council"),
    ) -> None:
        super().__init__(receiver, sender, names)
        self.receipts: list[Receipt] = []

    @property
    def receiver(self) -> Side[AnyReceiver]:
        """Who asks."""
        return self.caller

    @property
    def sender(self) -> Side[AnySender]:
        """Who answers."""
        return self.called

    @property
    def closed(self) -> bool:
        """Whether the receiver holds the doubly signed receipt."""
        return self.receiver.session.state == State.CLOSED

    def called_step(self) -> None:
        """One chunk of the sender's own elements, ahead of any request."""

        def work() -> None:
            session = self.sender.session
            if session.prepared < session.chunks and session.state in (
                HitsState.PREPARING,
                HitsState.OFFERED,
            ):
                self.sender.run(lambda live: live.prepare_chunk(live.prepared))

        self._guard(self.sender, work)

    def _begin(self) -> None:
        """What a receiver does before both commitments are there: every kind of edge begins alike."""
        side, session = self.receiver, self.receiver.session
        if session.state == HitsState.COMMITTED:
            self._ask("open", 0, side.run(lambda live: live.commit()))
        elif session.prepared < session.chunks:
            side.run(lambda live: live.prepare_chunk(live.prepared))
        else:
            side.run(lambda live: live.commit())

    def _open(self, commitment: Signed) -> None:
        """What a sender does with the receiver's commitment."""
        side = self.sender
        side.run(lambda live: live.receive_commitment(commitment))
        for _ in range(side.session.prepared, side.session.chunks):
            side.run(lambda live: live.prepare_chunk(live.prepared))
        self._answer("commitment", 0, side.run(lambda live: live.commit()))


class HitsChannel(EdgeChannel[Receiver, Sender]):
    """An edge that lists hits. `run` is a quiet day; tests call the steps one by one on a bad one."""

    hits: Hits | None = None

    def run(self) -> Hits:
        """Drive both sides to the end, restarting whichever crashes, and give the hits."""
        drive([self], lambda: self.closed)
        if self.hits is None:
            raise AssertionError("closed without hits")
        return self.hits

    def _work(self) -> None:
        side, session = self.receiver, self.receiver.session
        match session.state:
            case HitsState.PREPARING | HitsState.COMMITTED:
                self._begin()
            case HitsState.EXCHANGING:
                index = session.next_chunk
                self._ask("evaluate", index, side.run(lambda live: live.blinded_chunk(index)))
            case HitsState.COLLECTING:
                self._ask("tags", session.next_tag_chunk, session.next_tag_chunk)
            case HitsState.COLLECTED if session.unblinded < session.chunks:
                side.run(lambda live: live.unblind_chunk(live.unblinded))
            case HitsState.COLLECTED:
                self._look(side)
            case HitsState.MATCHED | HitsState.SIGNED:
                self._ask("close", 0, side.run(lambda live: live.receipt(OPENED_AT, CLOSED_AT)))
            case _:
                pass

    def _look(self, side: Side[Receiver]) -> None:
        side.run(lambda live: live.find_hits(), keep=self._keep_hits)

    def _keep_hits(self, hits: Hits) -> None:
        self.hits = hits

    def _handle(self, request: Message) -> None:
        side, body = self.sender, request.body
        if side.session.state is HitsState.CLOSED and request.kind != "close":
            return  # a node knows its finished edges and does not wake their sessions
        match body:
            case Signed() if request.kind == "open":
                self._open(body)
            case BlindedChunk():
                self._answer("evaluated", request.index, side.run(lambda live: live.evaluate(body)))
            case int():
                self._answer("tag chunk", body, side.run(lambda live: live.tag_chunk(body)))
            case Signed():
                receipt = side.run(lambda live: live.countersign(body, CLOSED_AT), keep=self.receipts.append)
                self._answer("signature", 0, receipt.sender_signature)
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
                    side.session.state is HitsState.EXCHANGING
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

    def connect(self) -> HitsChannel:
        """Both sides on one line, each with a workspace that outlives its crashes."""
        ours: Workspace = Workspace.in_memory()
        theirs: Workspace = Workspace.in_memory()
        return HitsChannel(
            Side(lambda snapshot: self.receiver(ours, snapshot)),
            Side(lambda snapshot: self.sender(theirs, snapshot)),
            (self.context.receiver, self.context.sender),
        )

    def prepared(self) -> tuple[Receiver, Sender]:
        """Two new sessions, every chunk of both prepared."""
        receiver, sender = self.receiver(), self.sender()
        prepare(receiver, sender)
        return receiver, sender

    def exchanging(self) -> tuple[Receiver, Sender]:
        """The same, with both commitments exchanged."""
        receiver, sender = self.receiver(), self.sender()
        exchange_commitments(receiver, sender)
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


def exchange_commitments(receiver: Receiver, sender: Sender) -> None:
    """Prepare both, then give each the other's commitment."""
    prepare(receiver, sender)
    sender.receive_commitment(receiver.commit())
    receiver.receive_commitment(sender.commit())
