"""Members and a collector of one threshold, in memory: what the tests drive, and a model of what the collector's node does.

Each side keeps its stored checkpoint apart from its running session, checkpoints before it sends, and can be made to
crash at any point, as in `network`; its workspace outlives the crash.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from blindmatch.protocol.limits import Limits
from blindmatch.protocol.match import Workspace
from blindmatch.protocol.threshold import Collector, Member, Shared, State, ThresholdContext
from blindmatch.protocol.threshold.tables import PAIRS
from blindmatch.protocol.transcript import Ed25519Signer
from blindmatch.simulations.network import CLOSED_AT, OPENED_AT, CrashError, Rows

NAMES = tuple(f"agency-{letter}" for letter in "abcdefghij")
SIGNERS = {
    name: Ed25519Signer(name, Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32, b".")))
    for name in (*NAMES, "collector")
}
_PAIRS_PER_CHECKPOINT = 9
KEYS = {name: signer.public for name, signer in SIGNERS.items()}


@dataclass
class Party:
    """A session, its stored checkpoint, and a countdown to a crash."""

    make: Callable[[bytes | None], Member | Collector]
    stored: bytes | None = None
    crash_in: int | None = None
    points: int = 0
    session: Member | Collector = field(init=False)

    def __post_init__(self) -> None:
        self.session = self.make(None)

    @property
    def member(self) -> Member:
        """The session of a member."""
        assert isinstance(self.session, Member)  # noqa: S101 - for the type checker
        return self.session

    @property
    def collector(self) -> Collector:
        """The session of the collector."""
        assert isinstance(self.session, Collector)  # noqa: S101
        return self.session

    def save(self) -> None:
        """What was done is kept; only then may it be sent. A crash strikes before or after."""
        self._point()
        self.stored = self.session.snapshot()
        self._point()

    def restart(self) -> None:
        """Come back from the checkpoint alone."""
        self.crash_in = None
        self.session = self.make(self.stored)

    def _point(self) -> None:
        self.points += 1
        if self.crash_in is not None:
            self.crash_in -= 1
            if self.crash_in < 0:
                raise CrashError


@dataclass(frozen=True)
class Circle:
    """Everything that a threshold among lists of numbers is made from."""

    lists: tuple[tuple[int, ...], ...]
    at_least: int
    minimum_count: int = 1
    limits: Limits = field(default_factory=lambda: Limits(chunk_elements=4, chunk_tag_bytes=4096))
    collector_name: str = "collector"
    round_id: bytes = b"round-0123456789"
    salt: bytes = b""

    @property
    def context(self) -> ThresholdContext:
        """The threshold."""
        return ThresholdContext(
            agreement=b"a" * 32,
            round_id=self.round_id,
            threshold="many",
            members=NAMES[: len(self.lists)],
            collector=self.collector_name,
            at_least=self.at_least,
            minimum_count=self.minimum_count,
            keys_digest=b"k" * 32,
            elements=tuple(len(values) for values in self.lists),
        )

    def member(self, place: int, workspace: Workspace | None = None, snapshot: bytes | None = None) -> Member:
        """A member, new or restored."""
        return Member(
            self.context,
            elements=Rows.of(self.lists[place]),
            seed=(self.salt + bytes([place])).ljust(32, b"m"),
            signer=SIGNERS[NAMES[place]],
            keys=KEYS,
            workspace=workspace or Workspace.in_memory(),
            limits=self.limits,
            snapshot=snapshot,
        )

    def collector(self, workspace: Workspace | None = None, snapshot: bytes | None = None) -> Collector:
        """The collector, new or restored."""
        return Collector(
            self.context,
            seed=self.salt.ljust(32, b"c"),
            signer=SIGNERS[self.collector_name],
            keys=KEYS,
            workspace=workspace or Workspace.in_memory(),
            limits=self.limits,
            snapshot=snapshot,
        )

    def connect(self) -> "Ring":
        """All of them, each with a workspace that outlives its crashes."""
        spaces: list[Workspace] = [Workspace.in_memory() for _ in range(len(self.lists) + 1)]

        def member(place: int) -> Party:
            return Party(lambda snapshot: self.member(place, spaces[place], snapshot))

        return Ring(
            [member(place) for place in range(len(self.lists))],
            Party(lambda snapshot: self.collector(spaces[-1], snapshot)),
        )

    def expected(self) -> list[list[int]]:
        """Which elements of each list stand in at least `at_least` lists: in the clear, without a minimum."""
        return [
            [
                index
                for index, value in enumerate(values)
                if sum(value in other for other in self.lists) >= self.at_least
            ]
            for values in self.lists
        ]


class Ring:
    """The members, the collector, and what came of it."""

    def __init__(self, members: Sequence[Party], collector: Party) -> None:
        self.members = list(members)
        self.collector = collector
        self.found: dict[str, list[int]] = {}
        self.shared: Shared | None = None

    def run(self) -> list[list[int]]:
        """Drive everybody to the end, restarting whoever crashes; the elements that each member was told of."""
        while self.collector.session.state is not State.CLOSED:
            if any(party.session.state is State.FAILED for party in (*self.members, self.collector)):
                raise AssertionError("a side failed")
            try:
                self.once()
            except CrashError:
                for party in (*self.members, self.collector):
                    if party.crash_in is not None and party.crash_in < 0:
                        party.restart()
        return [self.found[party.member.agency] for party in self.members]

    def once(self) -> None:
        """Everything from where it stands; repeats are what a restart makes of it."""
        self.commit()
        self.exchange()
        self.collect()
        self.search()
        self.tell()
        self.close()

    def commit(self) -> None:
        """Commitments to the collector, and from it to all."""
        for party in self.members:
            session = party.member
            while session.prepared < session.chunks:
                session.prepare_chunk(session.prepared)
                party.save()
            if session.state in {State.PREPARING, State.COMMITTED, State.EXCHANGING}:
                committed = session.commit()
                party.save()
                self.collector.collector.receive_commitment(session.agency, committed)
                self.collector.save()
        everybody = self.collector.collector.commitments()
        for party in self.members:
            if party.session.state in {State.COMMITTED, State.EXCHANGING}:
                party.member.receive_commitments(everybody)
                party.save()

    def exchange(self) -> None:
        """Blinded chunks of each member to all others, evaluated chunks back, and the signatures for them."""
        for mine in self.members:
            for other in self.members:
                if other is mine or mine.session.state is not State.EXCHANGING:
                    continue
                self.carry(mine, other)

    def carry(self, mine: Party, other: Party) -> None:
        """What is left between one member and one that evaluates for it."""
        evaluator = other.member.agency
        done, attested = mine.member.received(evaluator)
        for index in range(done, mine.member.chunks):
            chunk = mine.member.blinded_chunk(index)
            if self.collector.session.state is State.EXCHANGING:
                self.collector.collector.check_blinded(mine.member.agency, chunk)
            answer = other.member.evaluate(mine.member.agency, chunk)
            other.save()
            if self.collector.session.state is State.EXCHANGING:
                self.collector.collector.check_evaluated(evaluator, mine.member.agency, answer)
            mine.member.receive_evaluated(evaluator, answer)
            mine.save()
        if not attested:
            signed = other.member.attest(mine.member.agency)
            other.save()
            if self.collector.session.state is State.EXCHANGING:
                self.collector.collector.check_attestation(evaluator, mine.member.agency, signed)
            mine.member.receive_attestation(evaluator, signed)
            mine.save()

    def collect(self) -> None:
        """Everybody's tables to the collector."""
        for party in self.members:
            session, collector = party.member, self.collector.collector
            if session.state is State.EVALUATED:
                build(session, party.save)
            if collector.state is State.EXCHANGING:
                collector.receive_tables(session.agency, session.commit_tables())
                party.save()
                self.collector.save()
                for index in range(collector.received(session.agency), collector.table_chunks):
                    collector.receive_table_chunk(session.agency, session.table_chunk(index))
                    self.collector.save()

    def search(self) -> None:
        """The collector's work, alone."""
        collector = self.collector.collector
        if collector.state is State.COLLECTED:
            for index in range(collector.table_chunks):
                collector.search_chunk(index)
            self.shared = collector.find()
            self.collector.save()

    def tell(self) -> None:
        """Each member its own outcome."""
        collector = self.collector.collector
        for party in self.members:
            session = party.member
            if session.state is State.COLLECTING:
                session.receive_outcome(collector.outcome(session.agency))
                party.save()
                for index in range(session.outcome_chunks, collector.outcome_chunks):
                    session.receive_outcome_chunk(collector.outcome_chunk(session.agency, index))
                    party.save()
            if session.state is State.MATCHED:
                self.found[session.agency] = session.find().tolist()
                party.save()

    def close(self) -> None:
        """Everybody signs the receipt."""
        collector = self.collector.collector
        receipt = collector.receipt(OPENED_AT, CLOSED_AT)
        self.collector.save()
        tables = collector.table_statements()
        for party in self.members:
            signature = party.member.countersign(receipt, tables, CLOSED_AT)
            party.save()
            collector.receive_signature(party.member.agency, signature)
        self.collector.save()


def build(session: Member, save: Callable[[], None] = lambda: None) -> None:
    """Unblind every chunk and build every table, from where a member stands."""
    for index in range(session.finished, session.chunks):
        session.finish_chunk(index)
        save()
    for pair in range(session.built, PAIRS):
        session.build_pair(pair)
        if (pair + 1) % _PAIRS_PER_CHECKPOINT == 0:
            save()
    session.commit_tables()
    save()
