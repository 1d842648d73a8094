"""The collector's line to one member of a threshold, in memory: a model of what both nodes do. See `line` and `ring`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.hits_sessions import CLOSED_AT, OPENED_AT
from tests.support.lossy_channel import LossyChannel, Message, Side

from blindmatch.protocol.limits import Limits
from blindmatch.protocol.session.messages import BlindedChunk, EvaluatedChunk, RowsChunk
from blindmatch.protocol.threshold.collector import Collector
from blindmatch.protocol.threshold.member import Member
from blindmatch.protocol.threshold.messages import CommittedChunks, ThresholdContext
from blindmatch.protocol.threshold.reconstruct import SharedElements
from blindmatch.protocol.threshold.share_tables import PAIRS
from blindmatch.protocol.threshold.transitions import ThresholdState
from blindmatch.protocol.transcript import Signed

_PAIRS_PER_CHECKPOINT = 9


@dataclass
class _VolatileMemory:
    """What the collector's node only remembers."""

    joined: set[str] = field(default_factory=set)
    tabled: set[str] = field(default_factory=set)
    told: dict[str, int] = field(default_factory=dict)
    """Parts of the outcome, its statement first, by member."""
    there: dict[str, dict[str, tuple[int, bool]]] = field(default_factory=dict)
    """Per member and other: chunks evaluated and delivered, and whether the signature for them was."""
    blinded: dict[tuple[str, int], BlindedChunk] = field(default_factory=dict)
    answers: dict[tuple[str, str, int], EvaluatedChunk | Signed] = field(default_factory=dict)
    """By who evaluated, for whom, and the chunk; the signature stands after the last."""


class CollectorMemory(_VolatileMemory):
    """What the collector's node knows beside its session: what it found, and what it carries and forgets in a crash."""

    def __init__(self, context: ThresholdContext, limits: Limits) -> None:
        super().__init__()
        self.context = context
        self.limits = limits
        self.shared: SharedElements | None = None

    def forget(self) -> None:
        """A crash."""
        _VolatileMemory.__init__(self)

    def keep(self, shared: SharedElements) -> None:
        """Keep what was found."""
        self.shared = shared

    def others(self, member: str) -> list[str]:
        """All members but one."""
        return [name for name in self.context.members if name != member]

    def chunks(self, member: str) -> int:
        """Chunks of a member's elements."""
        return self.context.blinded(member, self.limits).chunks

    @property
    def met(self) -> bool:
        """Whether every member said what is there."""
        return len(self.there) == len(self.context.members)

    @property
    def exchanged(self) -> bool:
        """Whether every evaluation and every signature for them is where it belongs."""
        return all(signed for has in self.there.values() for _, signed in has.values())


class MemberChannel(LossyChannel[Collector, Member]):
    """The collector's line to one member. A reply that answers no question of now is dropped: its call is long over."""

    closing = frozenset({"sign", "signature"})
    answered = frozenset({ThresholdState.COLLECTED, ThresholdState.SIGNED})

    def __init__(self, collector: Side[Collector], member: Side[Member], known: CollectorMemory) -> None:
        super().__init__(collector, member, (known.context.collector, member.session.agency))
        self.known = known
        self.found: list[int] | None = None
        """The elements that the member was told of."""
        self.receipt: bytes | None = None
        """The receipt that the member has signed."""
        run = member.run
        self._said: Mapping[str, Callable[[Any, int, str], Any]] = {
            "join": lambda *_: self._joined(),
            "meet": lambda body, *_: self._met(body),
            "blind": lambda _, index, __: run(lambda live: live.blinded_chunk(index)),
            "evaluate": lambda body, _, about: run(lambda live: live.evaluate(about, body)),
            "attest": lambda *of: run(lambda live: live.attest(of[2])),
            "deliver": lambda body, _, about: run(lambda live: _receive_delivery(live, about, body)),
            "build": lambda *_: build(member),
            "collect": lambda _, index, __: run(lambda live: live.table_chunk(index)),
            "tell": lambda body, *_: self._told(body),
            "sign": lambda body, *_: self._sign(*body),
        }

    @property
    def member(self) -> str:
        """The member."""
        return self.names[1]

    def questions(self) -> list[tuple[str, int, str]]:
        """Kind, number and third party of everything that the collector may ask this member now, in any order."""
        known, me, live = self.known, self.member, self.caller.session
        match live.state:
            case ThresholdState.PREPARING if me not in known.joined:
                return [("join", 0, "")]
            case ThresholdState.EXCHANGING:
                return self._exchanging()
            case ThresholdState.MATCHED if known.told.get(me, -1) < live.outcome_chunks:
                return [("tell", known.told.get(me, -1) + 1, "")]
            case ThresholdState.SIGNED if me not in live.signatures:
                return [("sign", 0, "")]
            case _:
                return []

    def _exchanging(self) -> list[tuple[str, int, str]]:
        """Everybody meets; then everything is carried; then the tables are collected."""
        known, me, live = self.known, self.member, self.caller.session
        if not known.met:
            return [] if me in known.there else [("meet", 0, "")]
        if not known.exchanged:
            return [each for other in known.others(me) for each in self._carrying(other)]
        if me not in known.tabled:
            return [("build", 0, "")]
        index = live.received(me)
        return [("collect", index, "")] if index < live.table_chunks else []

    def _carrying(self, other: str) -> list[tuple[str, int, str]]:
        """What this member is to give to another or take from it, and what it is to evaluate for that one."""
        known, me = self.known, self.member
        found: list[tuple[str, int, str]] = []
        index, signed = known.there[me][other]
        if index < known.chunks(me) and (me, index) not in known.blinded:
            found.append(("blind", index, ""))
        if not signed and (other, me, index) in known.answers:
            found.append(("deliver", index, other))
        index, signed = known.there[other][me]
        if index < known.chunks(other):
            if (other, index) in known.blinded and (me, other, index) not in known.answers:
                found.append(("evaluate", index, other))
        elif not signed and (me, other, index) not in known.answers:
            found.append(("attest", index, other))
        return found

    def _work(self) -> None:
        """The first question. Other lines go on beside this one: together they take every turn."""
        side, known, live = self.caller, self.known, self.caller.session
        questions = self.questions()
        if questions:
            self._put_question(*questions[0])
        elif live.state is ThresholdState.COLLECTED:
            for index in range(live.table_chunks):
                live.search_chunk(index)
            side.run(lambda own: own.find(), keep=known.keep)
        elif live.state is ThresholdState.MATCHED and all(
            known.told.get(name, -1) >= live.outcome_chunks for name in known.context.members
        ):
            side.run(lambda own: own.receipt(OPENED_AT, CLOSED_AT))

    def _put_question(self, kind: str, index: int, about: str) -> None:
        side, known, me = self.caller, self.known, self.member
        body: Any = None
        match kind:
            case "join":
                side.run(lambda _: None)  # that there is a round is kept before anybody hears of it
            case "meet":
                body = side.run(lambda live: live.commitments())
            case "evaluate":
                side.run(lambda live: live.begin_relay())
                body = known.blinded[about, index]
            case "deliver":
                body = known.answers[about, me, index]
            case "tell" if index == 0:
                body = side.run(lambda live: live.outcome(me))
            case "tell":
                body = side.run(lambda live: live.outcome_chunk(me, index - 1))
            case "sign":
                receipt = side.run(lambda live: live.receipt(OPENED_AT, CLOSED_AT))
                body = (receipt, side.run(lambda live: live.table_statements()))
        self._ask(kind, index, body, about)

    def _handle(self, request: Message) -> None:
        if self.called.session.state is ThresholdState.CLOSED and request.kind != "sign":
            return  # a node knows its finished thresholds and does not wake their sessions
        said = self._said[request.kind](request.body, request.index, request.about)
        self._answer(_ANSWERS.get(request.kind, "taken"), request.index, said, request.about)

    def _joined(self) -> CommittedChunks:
        side = self.called
        for _ in range(side.session.prepared, side.session.chunks):
            side.run(lambda live: live.prepare_chunk(live.prepared))
        return side.run(lambda live: live.commit())

    def _met(self, everybody: list[CommittedChunks]) -> list[int]:
        """How much of what each other member evaluates for this one is here already."""
        side = self.called
        if side.session.state in {
            ThresholdState.COMMITTED,
            ThresholdState.EXCHANGING,
            ThresholdState.EVALUATED,
        }:
            side.run(lambda live: live.receive_commitments(everybody))
        return [int(each) for other in side.session.others for each in side.session.received(other)]

    def _told(self, body: Any) -> None:
        side = self.called
        side.run(lambda live: _receive_outcome(live, body))
        if side.session.state is ThresholdState.MATCHED:
            side.run(lambda live: live.find().tolist(), keep=self._keep_found)

    def _sign(self, receipt: Signed, tables: list[Signed]) -> bytes:
        def keep(_: bytes) -> None:
            self.receipt = receipt.payload

        return self.called.run(lambda live: live.countersign(receipt, tables, CLOSED_AT), keep=keep)

    def _keep_found(self, elements: list[int]) -> None:
        self.found = elements

    def _take(self, reply: Message) -> None:
        for kind, index, about in self.questions():
            if (_ANSWERS.get(kind, "taken"), index, about) == (reply.kind, reply.index, reply.about):
                self._use(kind, index, about, reply.body)
                return

    def _use(self, kind: str, index: int, about: str, body: Any) -> None:
        side, known, me = self.caller, self.known, self.member
        match kind:
            case "join":
                side.run(lambda live: live.receive_commitment(me, body), keep=lambda _: known.joined.add(me))
            case "meet":
                others = known.others(me)
                pairs = zip(body[::2], body[1::2], strict=True)
                known.there[me] = {
                    name: (chunks, bool(signed)) for name, (chunks, signed) in zip(others, pairs, strict=True)
                }
            case "blind":
                side.run(lambda live: live.check_blinded(me, body))
                known.blinded[me, index] = body
            case "evaluate":
                side.run(lambda live: live.check_evaluated(me, about, body))
                known.answers[me, about, index] = body
            case "attest":
                side.run(lambda live: live.check_attestation(me, about, body))
                known.answers[me, about, index] = body
            case "deliver":
                done = index == known.chunks(me)
                known.there[me][about] = (index, True) if done else (index + 1, False)
            case "build":
                side.run(lambda live: live.receive_tables(me, body), keep=lambda _: known.tabled.add(me))
            case "collect":
                side.run(lambda live: live.receive_table_chunk(me, body))
            case "tell":
                known.told[me] = index
            case _:
                side.run(lambda live: live.receive_signature(me, body))


_ANSWERS = {
    "join": "commitment",
    "meet": "received",
    "blind": "blinded",
    "evaluate": "evaluated",
    "attest": "attestation",
    "build": "tables",
    "collect": "cells",
    "sign": "signature",
}


def _receive_delivery(live: Member, evaluator: str, body: EvaluatedChunk | Signed) -> None:
    if isinstance(body, Signed):
        live.receive_attestation(evaluator, body)
    else:
        live.receive_evaluated(evaluator, body)


def _receive_outcome(live: Member, body: RowsChunk | Signed) -> None:
    if isinstance(body, Signed):
        live.receive_outcome(body)
    else:
        live.receive_outcome_chunk(body)


def build(side: Side[Member]) -> Signed:
    """A member unblinds every chunk and builds every table, from where it stands; its commitment to them."""
    for _ in range(side.session.unblinded, side.session.chunks):
        side.run(lambda live: live.unblind_chunk(live.unblinded))
    for _ in range(side.session.built, PAIRS, _PAIRS_PER_CHECKPOINT):
        side.run(_build_pairs)
    return side.run(lambda live: live.commit_tables())


def _build_pairs(live: Member) -> None:
    for pair in range(live.built, min(live.built + _PAIRS_PER_CHECKPOINT, PAIRS)):
        live.build_pair(pair)
