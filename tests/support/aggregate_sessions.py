"""Two sessions of a count or a sum in memory, each with a workspace that outlives its crashes: what the tests drive.

Lists are numbers: equal numbers are equal tokens. A record or an entry is a list of them, padded with numbers that occur nowhere else.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

import numpy as np
from tests.support.hits_sessions import CLOSED_AT, COUNCIL, OPENED_AT, POLICE, EdgeChannel, Rows
from tests.support.lossy_channel import Message, Side, drive

from blindmatch.protocol.aggregate.count import CountReceiver, CountSender
from blindmatch.protocol.aggregate.disclosure_control import AggregateTerms, Band
from blindmatch.protocol.aggregate.elgamal import Opening
from blindmatch.protocol.aggregate.messages import AggregateInputs
from blindmatch.protocol.aggregate.receiver import AggregateReceiver
from blindmatch.protocol.aggregate.sender import AggregateSender
from blindmatch.protocol.aggregate.sum import SumReceiver, SumSender
from blindmatch.protocol.aggregate.transitions import AggregateState
from blindmatch.protocol.agreement import Disclosure
from blindmatch.protocol.limits import Limits
from blindmatch.protocol.session.messages import EdgeContext
from blindmatch.protocol.session.workspace import Workspace
from blindmatch.protocol.transcript import Ed25519Signer

Groups = Sequence[Sequence[int]]


def copies_of(groups: Groups) -> tuple[list[list[int]], int]:
    """Which occurrence each number is (0 for the first), and the power of two that has room for all of them."""
    seen: dict[int, int] = {}
    places = []
    for group in groups:
        row = []
        for token in group:
            row.append(seen.get(token, 0))
            seen[token] = row[-1] + 1
        places.append(row)
    most = max(chain.from_iterable(places), default=0) + 1
    return places, 1 << (most - 1).bit_length()


def cleartext_count(ours: Groups, theirs: Sequence[int], minimum: int, band: int) -> Band | None:
    """What a count of these lists tells."""
    found = sum(bool(set(record) & set(theirs)) for record in ours)
    if found < minimum:
        return None
    low = found - found % band
    return Band(max(low, minimum), low + band - 1)


def cleartext_sum(ours: Sequence[int], theirs: Groups, values: Sequence[int], minimum: int) -> int | None:
    """What a sum over these lists tells."""
    matching = [bool(set(entry) & set(ours)) for entry in theirs]
    if sum(matching) < minimum:
        return None
    return sum(value for value, matches in zip(values, matching, strict=True) if matches)


def padded(groups: Groups, width: int, fillers: Iterator[int]) -> list[list[int]]:
    """Every group with `width` numbers."""
    return [[*group, *(next(fillers) for _ in range(width - len(group)))] for group in groups]


@dataclass(frozen=True)
class AggregateEdge:
    """Everything that two sides of one edge are made from; all of it can be replaced in a test."""

    context: EdgeContext
    number: AggregateTerms
    ours: AggregateInputs
    theirs: AggregateInputs
    limits: Limits
    receiver_seed: bytes = b"r" * 32
    sender_seed: bytes = b"s" * 32
    receiver_key: Ed25519Signer = POLICE
    sender_key: Ed25519Signer = COUNCIL

    @classmethod
    def count(
        cls, receiver: Groups, sender: Sequence[int], *, minimum: int = 3, band: int = 1, chunk: int = 4
    ) -> "AggregateEdge":
        """How many of the receiver's records share a number with the sender's list of different ones."""
        width = max(1, *(len(group) for group in receiver))
        filled = padded(receiver, width, count(1 << 40))
        places, copies = copies_of(filled)
        flat = np.array(places, dtype=np.uint8).ravel()
        ours = AggregateInputs(Rows.of([*chain.from_iterable(filled)]), width, copies, flat)
        return cls(
            _context(Disclosure.COUNT),
            AggregateTerms(minimum, band),
            ours,
            AggregateInputs(Rows.of(sender)),
            Limits(chunk_elements=chunk),
        )

    @classmethod
    def sum(
        cls,
        receiver: Sequence[int],
        sender: Groups,
        values: Sequence[int],
        *,
        minimum: int = 3,
        band: int = 1,
        chunk: int = 4,
    ) -> "AggregateEdge":
        """The sum of the values of those of the sender's entries that share a number with the receiver's list."""
        places, copies = copies_of(sender)
        fillers = count(1 << 40)
        stretches = [
            [[t for t, p in zip(group, row, strict=True) if p == c] for c in range(copies)]
            for group, row in zip(sender, places, strict=True)
        ]
        width = max(1, *(len(stretch) for entry in stretches for stretch in entry))
        filled = [[*chain.from_iterable(padded(entry, width, fillers))] for entry in stretches]
        theirs = AggregateInputs(
            Rows.of([*chain.from_iterable(filled)]),
            width * copies,
            copies,
            values=np.array(values, dtype=np.int64),
        )
        return cls(
            _context(Disclosure.SUM),
            AggregateTerms(minimum, band),
            AggregateInputs(Rows.of(receiver)),
            theirs,
            Limits(chunk_elements=max(chunk, 1)),
        )

    def receiver(self, workspace: Workspace | None = None, snapshot: bytes | None = None) -> Any:
        """A receiver, new or restored."""
        made = CountReceiver if self.context.disclosure is Disclosure.COUNT else SumReceiver
        return made(
            self.context,
            self.number,
            self.ours,
            seed=self.receiver_seed,
            signer=self.receiver_key,
            peer_key=self.sender_key.public,
            elements=self.ours.elements,
            workspace=workspace or Workspace.in_memory(),
            limits=self.limits,
            snapshot=snapshot,
        )

    def sender(self, workspace: Workspace | None = None, snapshot: bytes | None = None) -> Any:
        """A sender, new or restored."""
        made = CountSender if self.context.disclosure is Disclosure.COUNT else SumSender
        return made(
            self.context,
            self.number,
            self.theirs,
            seed=self.sender_seed,
            signer=self.sender_key,
            peer_key=self.receiver_key.public,
            elements=self.theirs.elements,
            workspace=workspace or Workspace.in_memory(),
            limits=self.limits,
            snapshot=snapshot,
        )

    def connect(self) -> "AggregateChannel":
        """Both sides, each with a workspace that outlives its crashes."""
        ours: Workspace = Workspace.in_memory()
        theirs: Workspace = Workspace.in_memory()
        return AggregateChannel(
            Side(lambda snapshot: self.receiver(ours, snapshot)),
            Side(lambda snapshot: self.sender(theirs, snapshot)),
            (self.context.receiver, self.context.sender),
        )

    def at(self, state: AggregateState) -> "AggregateChannel":
        """Both sides, the receiver in this state."""
        network = self.connect()
        drive([network], lambda: network.receiver.session.state is state)
        return network


def _context(disclosure: Disclosure) -> EdgeContext:
    return EdgeContext(
        agreement=b"a" * 32,
        round_id=b"round-0123456789",
        edge="council-to-police",
        receiver="police",
        sender="council",
        disclosure=disclosure,
        verified=False,
        keys_digest=b"k" * 32,
    )


class AggregateChannel(EdgeChannel[AggregateReceiver, AggregateSender]):
    """An edge that tells a number. A reply that answers no question of now is dropped: its call is long over."""

    said = False
    """Whether the receiver has looked at what it was told."""
    result: Band | Opening | None = None

    def run(self) -> Band | Opening | None:
        """Drive both sides to the end; the number that the receiver is told."""
        drive([self], lambda: self.closed)
        return self.result

    @property
    def question(self) -> tuple[str, int] | None:
        """What the receiver has to ask now; None while there is work of its own, or none left."""
        live = self.receiver.session
        asked = {
            AggregateState.COMMITTED: ("open", 0),
            AggregateState.EXCHANGING: ("points", live.next_chunk),
            AggregateState.COLLECTING: ("fetch", live.next_points),
            AggregateState.ANSWERING: ("masked", live.next_masked),
            AggregateState.ASKING: ("ask", 0),
            AggregateState.INFORMED: ("close", 0),
            AggregateState.SIGNED: ("close", 0),
        }
        return asked.get(live.state)

    def _work(self) -> None:
        side, live = self.receiver, self.receiver.session
        kind, index = self.question or ("", 0)
        match kind:
            case "points":
                self._ask(kind, index, side.run(lambda own: own.points_chunk(index)))
            case "masked":
                self._ask(kind, index, side.run(lambda own: own.masked_chunk(index)))
            case "fetch" | "ask":
                self._ask(kind, index, index)
            case "close":
                self._ask(kind, 0, side.run(lambda own: own.receipt(OPENED_AT, CLOSED_AT)))
            case _ if live.state in (AggregateState.PREPARING, AggregateState.COMMITTED):
                self._begin()
            case _ if live.state is not AggregateState.COLLECTED:
                pass
            case _ if live.masked < live.returned_chunks:
                side.run(lambda own: own.mask_chunk(own.masked))
            case _:
                side.run(lambda own: own.arrange_masked())

    def _handle(self, request: Message) -> None:
        side, body, index = self.sender, request.body, request.index
        if side.session.state is AggregateState.CLOSED and request.kind != "close":
            return  # a node knows its finished edges and does not wake their sessions
        match request.kind:
            case "open":
                self._open(body)
            case "points":
                side.run(lambda own: own.receive_points(body))
                self._answer("points taken", index, index)
            case "fetch":
                self._answer("returned", index, side.run(lambda own: own.points_chunk(body)))
            case "masked":
                side.run(lambda own: own.receive_masked(body))
                self._answer("masked taken", index, index)
            case "ask":
                self._answer("outcome", 0, side.run(lambda own: own.outcome()))
            case _:
                receipt = side.run(lambda own: own.countersign(body, CLOSED_AT), keep=self.receipts.append)
                self._answer("signature", 0, receipt.sender_signature)

    def _take(self, reply: Message) -> None:
        side, body = self.receiver, reply.body
        if self.question != (_QUESTIONS[reply.kind], reply.index):
            return
        match reply.kind:
            case "commitment":
                side.run(lambda own: own.receive_commitment(body))
            case "points taken":
                side.run(lambda own: own.acknowledge_points(body))
            case "returned":
                side.run(lambda own: own.receive_points(body))
            case "masked taken":
                side.run(lambda own: own.acknowledge_masked(body))
            case "outcome":
                side.run(lambda own: own.receive_outcome(body))
            case _:
                side.run(lambda own: own.reveal(), keep=self._keep_result)  # type: ignore[attr-defined] # of a count, or a sum
                side.run(lambda own: own.receive_receipt_signature(body), keep=self.receipts.append)

    def _keep_result(self, result: Band | Opening | None) -> None:
        self.result, self.said = result, True


_QUESTIONS = {
    "commitment": "open",
    "points taken": "points",
    "returned": "fetch",
    "masked taken": "masked",
    "outcome": "ask",
    "signature": "close",
}
