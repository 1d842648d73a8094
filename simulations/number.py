"""Two sessions of a count or a sum in memory, each with a workspace that outlives its crashes: what the tests drive.

Lists are numbers: equal numbers are equal tokens. A record or an entry is a list of them, padded with numbers that occur nowhere else.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any

import numpy as np

from blindmatch.protocol.agreement import Disclosure
from blindmatch.protocol.count import CountReceiver, CountSender
from blindmatch.protocol.limits import Limits
from blindmatch.protocol.match import EdgeContext, Receipt, State, Workspace
from blindmatch.protocol.number import Band, Brought, NumberReceiver, NumberSender, NumberTerms, RowsChunk
from blindmatch.protocol.sum import Opening, SumReceiver, SumSender
from blindmatch.protocol.transcript import Ed25519Signer, Signed
from blindmatch.simulations.network import CLOSED_AT, COUNCIL, OPENED_AT, POLICE, CrashError, Rows, Side

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


def padded(groups: Groups, width: int, fillers: Iterator[int]) -> list[list[int]]:
    """Every group with `width` numbers."""
    return [[*group, *(next(fillers) for _ in range(width - len(group)))] for group in groups]


@dataclass(frozen=True)
class Said:
    """One message on the line."""

    sender: str
    kind: str
    index: int
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class NumberEdge:
    """Everything that two sides of one edge are made from; all of it can be replaced in a test."""

    context: EdgeContext
    number: NumberTerms
    ours: Brought
    theirs: Brought
    limits: Limits
    receiver_seed: bytes = b"r" * 32
    sender_seed: bytes = b"s" * 32
    receiver_key: Ed25519Signer = POLICE
    sender_key: Ed25519Signer = COUNCIL

    @classmethod
    def count(
        cls, receiver: Groups, sender: Sequence[int], *, minimum: int = 3, band: int = 1, chunk: int = 4
    ) -> "NumberEdge":
        """How many of the receiver's records share a number with the sender's list of different ones."""
        width = max(1, *(len(group) for group in receiver))
        filled = padded(receiver, width, count(1 << 40))
        places, copies = copies_of(filled)
        flat = np.array(places, dtype=np.uint8).ravel()
        ours = Brought(Rows.of([*chain.from_iterable(filled)]), width, copies, flat)
        return cls(
            _context(Disclosure.COUNT),
            NumberTerms(minimum, band),
            ours,
            Brought(Rows.of(sender)),
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
    ) -> "NumberEdge":
        """The sum of the values of those of the sender's entries that share a number with the receiver's list."""
        places, copies = copies_of(sender)
        fillers = count(1 << 40)
        stretches = [
            [[t for t, p in zip(group, row, strict=True) if p == c] for c in range(copies)]
            for group, row in zip(sender, places, strict=True)
        ]
        width = max(1, *(len(stretch) for entry in stretches for stretch in entry))
        filled = [[*chain.from_iterable(padded(entry, width, fillers))] for entry in stretches]
        theirs = Brought(
            Rows.of([*chain.from_iterable(filled)]),
            width * copies,
            copies,
            values=np.array(values, dtype=np.int64),
        )
        return cls(
            _context(Disclosure.SUM),
            NumberTerms(minimum, band),
            Brought(Rows.of(receiver)),
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

    def connect(self) -> "Pair":
        """Both sides, each with a workspace that outlives its crashes."""
        ours: Workspace = Workspace.in_memory()
        theirs: Workspace = Workspace.in_memory()
        return Pair(
            Side(lambda snapshot: self.receiver(ours, snapshot)),
            Side(lambda snapshot: self.sender(theirs, snapshot)),
        )

    def at(self, state: State) -> "Pair":
        """Both sides, the receiver in this state."""
        pair = self.connect()
        while pair.receiver.session.state is not state:
            pair.step()
        return pair


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


class Pair:
    """Both sides of one edge, driven step by step; each checkpoints before it sends, and comes back when it crashes."""

    def __init__(self, receiver: Side[NumberReceiver], sender: Side[NumberSender]) -> None:
        self.receiver = receiver
        self.sender = sender
        self.said: list[Said] = []
        self.result: Band | Opening | None = None
        self.receipts: list[Receipt] = []

    def run(self) -> Band | Opening | None:
        """Drive both to the end; the number that the receiver is told."""
        while self.receiver.session.state is not State.CLOSED:
            self.step()
        return self.result

    def step(self) -> None:
        """One piece of the receiver's work, or one request and its answer; a side that crashes on the way comes back."""
        try:
            self._step()
        except CrashError:
            for side in (self.receiver, self.sender):
                if side.crash_in is not None and side.crash_in < 0:
                    side.restart()

    def _step(self) -> None:
        side, live = self.receiver, self.receiver.session
        match live.state:
            case State.PREPARING if live.prepared < live.chunks:
                side.run(lambda own: own.prepare_chunk(own.prepared))
            case State.PREPARING:
                side.run(lambda own: own.commit())
            case State.COMMITTED:
                self._open()
            case State.EXCHANGING:
                self._deliver("points", live.next_chunk)
            case State.COLLECTING:
                at = live.next_points
                chunk = self._tell("council", "returned", at, lambda own: own.points_chunk(at))
                side.run(lambda own: own.receive_points(chunk))
            case State.COLLECTED:
                if live.masked < live.returned_chunks:
                    side.run(lambda own: own.mask_chunk(own.masked))
                else:
                    side.run(lambda own: own.answer())
            case State.ANSWERING:
                self._deliver("masked", live.next_masked)
            case State.ASKING:
                outcome = self._tell("council", "outcome", 0, lambda own: own.outcome())
                side.run(lambda own: own.receive_outcome(outcome))
            case _:
                self._close()

    def _open(self) -> None:
        ours = self._tell("police", "commitment", 0, lambda own: own.commit())
        self.sender.run(lambda own: own.receive_commitment(ours))
        while self.sender.session.prepared < self.sender.session.chunks:
            self.sender.run(lambda own: own.prepare_chunk(own.prepared))
        theirs = self._tell("council", "commitment", 0, lambda own: own.commit())
        self.receiver.run(lambda own: own.receive_commitment(theirs))

    def _deliver(self, kind: str, at: int) -> None:
        if kind == "points":
            chunk = self._tell("police", kind, at, lambda own: own.points_chunk(at))
            self.sender.run(lambda own: own.receive_points(chunk))
            self.receiver.run(lambda own: own.points_taken(at))
        else:
            chunk = self._tell("police", kind, at, lambda own: own.masked_chunk(at))
            self.sender.run(lambda own: own.receive_masked(chunk))
            self.receiver.run(lambda own: own.masked_taken(at))

    def _close(self) -> None:
        receipt = self._tell("police", "receipt", 0, lambda own: own.receipt(OPENED_AT, CLOSED_AT))
        if self.sender.session.state is State.CLOSED and self.receipts:
            signed = self.receipts[0]
        else:
            signed = self.sender.run(
                lambda own: own.countersign(receipt, CLOSED_AT), keep=self.receipts.append
            )
        self.result = self.receiver.session.reveal()  # type: ignore[attr-defined] # of the count's, or the sum's
        self.receiver.run(lambda own: own.receive_receipt_signature(signed.sender_signature))

    def _tell(self, who: str, kind: str, index: int, call: Callable[[Any], Any]) -> Any:
        side: Side[Any] = self.receiver if who == "police" else self.sender
        body = side.run(call)
        content = body.rows.tobytes() if isinstance(body, RowsChunk) else _bytes(body)
        self.said.append(Said(who, kind, index, content))
        return body


def _bytes(signed: Signed) -> bytes:
    return signed.payload + signed.signature
