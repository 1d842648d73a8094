"""Members and a collector of one threshold, in memory: what the tests drive, and a model of what their nodes do.

The collector asks, on one `line` to each member; what members send each other it carries, and forgets when it crashes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.support.hits_sessions import Rows
from tests.support.lossy_channel import Side, drive
from tests.support.threshold_line import CollectorMemory, MemberChannel

from blindmatch.protocol.limits import Limits
from blindmatch.protocol.session.workspace import Workspace
from blindmatch.protocol.threshold.collector import Collector
from blindmatch.protocol.threshold.member import Member
from blindmatch.protocol.threshold.messages import ThresholdContext
from blindmatch.protocol.threshold.reconstruct import SharedElements
from blindmatch.protocol.threshold.transitions import ThresholdState
from blindmatch.protocol.transcript import Ed25519Signer

NAMES = tuple(f"agency-{letter}" for letter in "abcdefghij")
SIGNERS: Mapping[str, Ed25519Signer] = {
    name: Ed25519Signer(name, Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32, b".")))
    for name in (*NAMES, "collector")
}
KEYS: Mapping[str, bytes] = {name: signer.public for name, signer in SIGNERS.items()}


@dataclass(frozen=True)
class ThresholdInputs:
    """Everything that a threshold among lists of numbers is made from."""

    lists: tuple[tuple[int, ...], ...]
    at_least: int
    minimum_count: int = 1
    limits: Limits = field(default_factory=lambda: Limits(chunk_elements=4, chunk_tag_bytes=4096))
    collector_name: str = "collector"
    round_id: bytes = b"round-0123456789"
    salt: bytes = b""
    names: tuple[str, ...] = NAMES
    signers: Mapping[str, Ed25519Signer] = field(default_factory=lambda: SIGNERS)
    agreement: bytes = b"a" * 32
    threshold: str = "many"

    @property
    def context(self) -> ThresholdContext:
        """The threshold."""
        return ThresholdContext(
            agreement=self.agreement,
            round_id=self.round_id,
            threshold=self.threshold,
            members=self.names[: len(self.lists)],
            collector=self.collector_name,
            at_least=self.at_least,
            minimum_count=self.minimum_count,
            keys_digest=b"k" * 32,
            elements=tuple(len(values) for values in self.lists),
        )

    def member_seed(self, place: int) -> bytes:
        """The secret of one member, 32 bytes."""
        return (self.salt + bytes([place])).ljust(32, b"m")

    @property
    def collector_seed(self) -> bytes:
        """The collector's secret, 32 bytes."""
        return self.salt.ljust(32, b"c")

    @property
    def _keys(self) -> dict[str, bytes]:
        return {name: signer.public for name, signer in self.signers.items()}

    def member(self, place: int, workspace: Workspace | None = None, snapshot: bytes | None = None) -> Member:
        """A member, new or restored."""
        return Member(
            self.context,
            elements=Rows.of(self.lists[place]),
            seed=self.member_seed(place),
            signer=self.signers[self.names[place]],
            keys=self._keys,
            workspace=workspace or Workspace.in_memory(),
            limits=self.limits,
            snapshot=snapshot,
        )

    def collector(self, workspace: Workspace | None = None, snapshot: bytes | None = None) -> Collector:
        """The collector, new or restored."""
        return Collector(
            self.context,
            seed=self.collector_seed,
            signer=self.signers[self.collector_name],
            keys=self._keys,
            workspace=workspace or Workspace.in_memory(),
            limits=self.limits,
            snapshot=snapshot,
        )

    def connect(self) -> "ThresholdSessions":
        """All of them, each with a workspace that outlives its crashes."""
        return ThresholdSessions(self)

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


class ThresholdSessions:
    """The members, the collector, the lines between them, and what came of it."""

    def __init__(self, circle: ThresholdInputs) -> None:
        self.circle = circle
        self._known = CollectorMemory(circle.context, circle.limits)
        self._space: Workspace = Workspace.in_memory()
        self.collector = Side(self._made)
        self.members = [self._member(place) for place in range(len(circle.lists))]
        self.lines = [MemberChannel(self.collector, member, self._known) for member in self.members]

    def _member(self, place: int) -> Side[Member]:
        space: Workspace = Workspace.in_memory()
        return Side(lambda snapshot: self.circle.member(place, space, snapshot))

    def _made(self, snapshot: bytes | None) -> Collector:
        self._known.forget()
        return self.circle.collector(self._space, snapshot)

    @property
    def found(self) -> dict[str, list[int]]:
        """The elements that members were told of, by member."""
        return {line.member: line.found for line in self.lines if line.found is not None}

    @property
    def shared(self) -> SharedElements | None:
        """What the collector found."""
        return self._known.shared

    @property
    def closed(self) -> bool:
        """Whether the collector holds every signature."""
        return self.collector.session.state is ThresholdState.CLOSED

    def run(self) -> list[list[int]]:
        """Drive everybody to the end, restarting whoever crashes; the elements that each member was told of."""
        self._until(lambda: self.closed)
        found = self.found
        return [found[name] for name in self.circle.context.members]

    def commit(self) -> None:
        """Commitments to the collector, and from it to all."""
        self._until(lambda: self._all(ThresholdState.EXCHANGING))

    def exchange(self) -> None:
        """Blinded chunks of each member to all others, evaluated chunks back, and the signatures for them."""
        self._until(lambda: self._all(ThresholdState.EVALUATED))

    def collect(self) -> None:
        """Everybody's tables to the collector."""
        self._until(lambda: self.collector.session.state is ThresholdState.COLLECTED)

    def search(self) -> None:
        """The collector's work, alone."""
        self._until(lambda: self.collector.session.state is ThresholdState.MATCHED)

    def tell(self) -> None:
        """Each member its own outcome."""
        self._until(lambda: self._all(ThresholdState.MATCHED))

    def close(self) -> None:
        """Everybody signs the receipt."""
        self._until(lambda: self.closed)

    def _until(self, over: Callable[[], bool]) -> None:
        drive(self.lines, over)

    def _all(self, state: ThresholdState) -> bool:
        return all(side.session.state is state for side in self.members)
