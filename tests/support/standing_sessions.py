"""An epoch between two sides in memory: full round, delta rounds, crashes at any step; what the tests of standing agreements drive.

Collections are lists of `Person`s: numbers for tokens, a number for whose record it is, a number that is released.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
from tests.support.hits_sessions import CLOSED_AT, COUNCIL, OPENED_AT, POLICE, Edge, HitsChannel, Rows
from tests.support.lossy_channel import Message, Side, drive

from blindmatch.protocol.hits.messages import Hits
from blindmatch.protocol.hits.receiver import Receiver
from blindmatch.protocol.hits.sender import Sender
from blindmatch.protocol.linkage.compiled_keys import DUMMY
from blindmatch.protocol.linkage.shared_tokens import repeated_tokens, shared_too_often
from blindmatch.protocol.session.workspace import Workspace
from blindmatch.protocol.standing import list_updates
from blindmatch.protocol.standing.delta import DeltaReceiver, DeltaSender
from blindmatch.protocol.standing.epoch import Epoch, first_state
from blindmatch.protocol.standing.record_list import FreshSlots, compare_digests
from blindmatch.protocol.standing.statements import ChangeCounts, EpochState, ListSize

WIDTH = 16
FACTS = 40

Bytes2D = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Person:
    """A record: tokens as pairs of key and value, in the keys' order."""

    tokens: tuple[tuple[int, int], ...]
    entity: int = 0
    facts: int = 0


class PeopleList:
    """A collection of persons as `standing.Records`.

    Args:
        people: the records.
        epoch: keys the digests.
        slots: tokens per record; the first ones of a record stay.
        guarded: keys under the own-list guard.
    """

    def __init__(
        self, people: Sequence[Person], epoch: Epoch, slots: int, guarded: Sequence[int] = (1,)
    ) -> None:
        self.people = list(people)
        self.slots = slots
        self._with_facts = epoch.context.with_facts and bool(epoch.key_seed)
        said = [
            blake2b(repr((p.tokens, p.facts if self._with_facts else 0)).encode(), digest_size=32).digest()
            for p in people
        ]
        self.digests = epoch.digests(np.frombuffer(b"".join(said), dtype=np.uint8).reshape(-1, 32))
        alone = [p.entity or -1 - index for index, p in enumerate(people)]
        self.entities: Indices = np.array(alone, dtype=np.int64)
        self.guarded = np.isin(np.arange(DUMMY + 1), list(guarded))

    def __len__(self) -> int:
        return len(self.people)

    def inputs(self, records: Indices) -> tuple[Bytes2D, npt.NDArray[np.uint8]]:
        """See `standing.Records.inputs`."""
        rows, keys = [], []
        for record in records.tolist():
            tokens = self.people[record].tokens[: self.slots]
            for key, value in tokens:
                rows.append(_element(key, value))
                keys.append(key)
            for slot in range(len(tokens), self.slots):
                rows.append(_element(DUMMY, record * self.slots + slot))
                keys.append(DUMMY)
        made = np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(-1, WIDTH)
        return made, np.array(keys, dtype=np.uint8)

    def facts(self, holders: Sequence[Indices]) -> Bytes2D:
        """See `standing.Records.facts`."""
        made = np.zeros((len(holders), FACTS), dtype=np.uint8)
        for row, records in enumerate(holders):
            made[row] = np.frombuffer(packed([self.people[record] for record in records]), dtype=np.uint8)
        return made


def packed(people: Sequence[Person]) -> bytes:
    """Their facts, as many as fit."""
    return b",".join(b"%d" % person.facts for person in people)[:FACTS].ljust(FACTS, b"\0")


def _element(key: int, value: int) -> bytes:
    return blake2b(b"%d/%d" % (key, value), digest_size=WIDTH).digest()


class _Facts:
    """The facts of the opening round's elements."""

    def __init__(self, rows: Bytes2D) -> None:
        self._rows = rows

    def take(self, indices: Indices) -> Bytes2D:
        """See `match.FactSource`."""
        return self._rows[indices]


class StandingChannel(HitsChannel):
    """A line between the sides of a round under a standing agreement: the receiver keeps what came, and looks it up later."""

    keeping: Callable[[Any], None] = staticmethod(lambda _session: None)
    """What a node does once the channel is closed, before the receiver's secrets are wiped; perhaps twice."""

    def _look(self, side: Side[Receiver]) -> None:
        receipt = side.run(lambda live: live.receipt(OPENED_AT, CLOSED_AT))
        self._ask("close", 0, receipt)

    def _take(self, reply: Message) -> None:
        if isinstance(reply.body, bytes) and not self.closed:
            self.keeping(self.receiver.session)
        super()._take(reply)

    def finish(self, crash: tuple[str, int] | None = None) -> None:
        """Drive both sides to the end; one of them crashes at the step of that number, if it comes to it."""
        if crash is not None:
            (self.receiver if crash[0] == "receiver" else self.sender).crash_in = crash[1]
        drive([self], lambda: self.closed)


@dataclass
class SideInputs:
    """One side of a delta round: its collection, counts, session, and what else belongs to it."""

    listed: PeopleList
    counts: ChangeCounts
    side: Any
    """A `Side`."""
    keys: npt.NDArray[np.uint8] | None = None
    """The receiver's, by slot."""
    after: Any = None
    """The sender's list afterwards."""


class World:
    """Both sides of one epoch.

    Args:
        ours: the receiver's people.
        theirs: the sender's.
        facts: whether facts travel.
        verified: whether evaluation is proven.
        slots: tokens per record, of the receiver and of the sender.
        crash: which side crashes at which step of the opening round, or None.
    """

    def __init__(
        self,
        ours: Sequence[Person],
        theirs: Sequence[Person],
        *,
        facts: bool = False,
        verified: bool = False,
        slots: tuple[int, int] = (3, 3),
        crash: tuple[str, int] | None = None,
    ) -> None:
        plain = Edge.of([0], [0], facts=[0] if facts else None, verified=verified)
        context = replace(plain.context, fact_bytes=FACTS if facts else 0)
        self.limits = plain.limits
        self.slots = slots
        self.rounds = [context.round_id]
        self.networks: list[StandingChannel] = []
        self.ours = Epoch(context, b"o" * 32)
        self.theirs = Epoch(context, b"t" * 32, b"k" * 32)  # the key's seed comes with the opening
        self._open(PeopleList(ours, self.ours, slots[0]), PeopleList(theirs, self.theirs, slots[1]), crash)

    @property
    def with_facts(self) -> bool:
        """Whether facts travel."""
        return self.ours.context.with_facts

    def _open(self, ours: PeopleList, theirs: PeopleList, crash: tuple[str, int] | None) -> None:
        raw, keys = ours.inputs(np.arange(len(ours)))
        elements, released, holders = _released(theirs)
        edge = replace(
            Edge.of([0], [0]),
            context=self.ours.context,
            receiver_elements=Rows(raw),
            sender_elements=Rows(elements),
            facts=_Facts(theirs.facts(holders)) if self.with_facts else None,  # type: ignore[arg-type]
            limits=self.limits,
        )
        spaces = Workspace.in_memory(), Workspace.in_memory()
        network = StandingChannel(
            Side(lambda snapshot: edge.receiver(spaces[0], snapshot)),
            Side(lambda snapshot: edge.sender(spaces[1], snapshot)),
        )
        first: Sender = network.sender.session
        seed = first.key_seed()
        tags: list[Bytes2D] = []

        def keep(session: Receiver) -> None:
            outputs = session.own_outputs() if self.with_facts else np.zeros((0, 64), dtype=np.uint8)
            fresh = FreshSlots(session.own_tags(), keys, outputs)
            self.received = list_updates.open_receiver(ours, fresh, session.released())
            tags[:] = [spaces[1].array("rows", (len(elements), self.ours.context.row_bytes))[:, :16].copy()]

        network.keeping = keep
        network.finish(crash)
        self.theirs = Epoch(self.theirs.context, self.theirs.local, seed)
        self.sent = list_updates.open_sender(self.theirs, theirs, tags[0], released)
        receipt = network.receipts[-1].payload
        public = self.theirs.key_pair().public.tobytes()
        self.base = EpochState(
            epoch=self.rounds[0],
            number=0,
            state=first_state(self.ours.context, receipt),
            receiver=ListSize(len(ours), self.slots[0], 1_000),
            sender=ListSize(len(theirs), self.slots[1], 1_000),
            public_key=public if self.ours.context.verified else bytes(32),
        )
        self.networks.append(network)

    def sessions(
        self, ours: Sequence[Person], theirs: Sequence[Person], round_id: bytes = b"delta-0123456789"
    ) -> tuple[SideInputs, SideInputs]:
        """What both sides of the next delta round are made of."""
        context = self.ours.round_context(round_id)
        mine, yours = (
            PeopleList(ours, self.ours, self.slots[0]),
            PeopleList(theirs, self.theirs, self.slots[1]),
        )
        change = compare_digests(self.received.own.digests, mine.digests)
        if len(change.fresh):
            elements, keys = mine.inputs(change.fresh)
        else:
            elements, keys = PeopleList([Person(())], self.ours, self.slots[0]).inputs(np.arange(1))
        counts = ChangeCounts(len(change.fresh), len(change.gone))
        changed = list_updates.change_sender(self.sent, self.theirs, yours, context, b"S" * 32)
        space, other = Workspace.in_memory(), Workspace.in_memory()

        def receiver(snapshot: bytes | None) -> DeltaReceiver:
            return DeltaReceiver(
                context,
                epoch=self.ours,
                base=self.base,
                counts=counts,
                table=self.received.table,
                seed=b"R" * 32,
                signer=POLICE,
                peer_key=COUNCIL.public,
                elements=Rows(elements),
                workspace=space,
                limits=self.limits,
                snapshot=snapshot,
            )

        def sender(snapshot: bytes | None) -> DeltaSender:
            again = list_updates.change_sender(self.sent, self.theirs, yours, context, b"S" * 32)
            made = SideInputs(yours, again.counts, None)
            return self.sender_of(made, again.plan.removed, again.rows, other, snapshot, round_id=round_id)

        return (
            SideInputs(mine, counts, Side(receiver), keys=keys),
            SideInputs(yours, changed.counts, Side(sender), after=changed.plan.after),
        )

    def sender_of(
        self,
        made: "SideInputs",
        removed: Bytes2D,
        rows: Bytes2D,
        workspace: Workspace | None = None,
        snapshot: bytes | None = None,
        *,
        round_id: bytes = b"delta-0123456789",
    ) -> DeltaSender:
        """A sender that says that these tags go and these rows come."""
        return DeltaSender(
            self.theirs.round_context(round_id),
            epoch=self.theirs,
            base=self.base,
            counts=made.counts,
            removed=removed,
            seed=b"S" * 32,
            signer=COUNCIL,
            peer_key=POLICE.public,
            elements=Rows(rows),
            workspace=workspace or Workspace.in_memory(),
            limits=self.limits,
            snapshot=snapshot,
        )

    def delta(
        self, ours: Sequence[Person], theirs: Sequence[Person], *, crash: tuple[str, int] | None = None
    ) -> StandingChannel:
        """One delta round to its end."""
        round_id = b"delta-%010d" % len(self.rounds)
        mine, yours = self.sessions(ours, theirs, round_id)
        network = StandingChannel(mine.side, yours.side)
        after: list[list_updates.ReceiverList] = []

        def keep(session: DeltaReceiver) -> None:
            after[:] = [self.taken(session, mine)]

        network.keeping = keep
        network.finish(crash)
        states = {side.session.state_after() for side in (mine.side, yours.side)}
        if len(states) != 1:
            raise AssertionError("the sides left in different states")
        self.received, self.sent = after[0], yours.after
        self.rounds.append(round_id)
        self.base = replace(
            self.base,
            number=self.base.number + 1,
            state=states.pop(),
            receiver=replace(self.base.receiver, records=len(ours)),
            sender=replace(self.base.sender, records=len(theirs)),
        )
        self.networks.append(network)
        return network

    def taken(self, session: DeltaReceiver, mine: SideInputs) -> list_updates.ReceiverList:
        """The receiver's list and table after a delta round that has come to its end."""
        if mine.keys is None:
            raise AssertionError("the receiver's side has keys")
        outputs = session.own_outputs() if self.with_facts else np.zeros((0, 64), dtype=np.uint8)
        count = mine.counts.added * self.slots[0]
        fresh = FreshSlots(session.own_tags()[:count], mine.keys[:count], outputs[:count])
        removed, rows = session.released("removed").copy(), session.released("table").copy()
        change = compare_digests(self.received.own.digests, mine.listed.digests)
        news = list_updates.DeltaUpdate(self.base.number + 1, change, fresh, removed, rows)
        return list_updates.change_receiver(self.received, mine.listed, news)

    def hits(self) -> Hits:
        """What the receiver holds now."""
        return list_updates.current_hits(self.ours, self.received, self.rounds)


def _released(theirs: PeopleList) -> tuple[Bytes2D, npt.NDArray[np.uint8], list[Indices]]:
    """As a node makes a full round's elements: withheld, merged, filled up; and whom each stands for."""
    inputs, keys = theirs.inputs(np.arange(len(theirs)))
    inputs, keys = inputs.copy(), keys.copy()
    holders = [np.array([slot // theirs.slots]) for slot in range(len(inputs))]
    for order, starts in list(repeated_tokens(inputs, np.ascontiguousarray(inputs[:, :8]), keys)):
        common = shared_too_often(order, starts, theirs.entities[order // theirs.slots])
        ends = [*starts[1:].tolist(), len(order)]
        for start, end, many in zip(starts.tolist(), ends, common.tolist(), strict=True):
            group = order[start:end]
            withheld = many and theirs.guarded[keys[group[0]]]
            records = group // theirs.slots
            holders[group[0]] = records[np.lexsort(theirs.digests[records].T[::-1])]
            for slot in (group if withheld else group[1:]).tolist():
                inputs[slot] = np.frombuffer(_element(DUMMY, slot), dtype=np.uint8)
                keys[slot] = DUMMY
    return inputs, keys, holders
