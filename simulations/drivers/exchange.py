"""What either way of running an area gives back, and how messages are counted on the way."""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from blindmatch.node.transport.message_recorder import Direction, WireRecorder
from blindmatch.simulations.audit.allowed import Told
from blindmatch.simulations.audit.cleartext import Clear
from blindmatch.simulations.audit.outcome import FoundLead, Traffic
from blindmatch.simulations.drivers.deploy import INPUTS, REGISTER, Input, Site, write_list
from blindmatch.simulations.scenario.exchanges import Step
from blindmatch.simulations.scenario.plan import Plan, PlannedEdge, PlannedThreshold, plans, steps
from blindmatch.simulations.scenario.scenario import Scenario
from blindmatch.simulations.world.area import World

ROUND_SERVICES = tuple(
    f"/blindmatch.v1.{name}/" for name in ("Match", "Number", "Thresholds", "StandingRounds")
)
"""Services of a round; the others belong to agreements and health."""


@dataclass(frozen=True)
class Setup:
    """An area that is ready to be deployed: input files are written, nothing else exists."""

    scenario: Scenario
    world: World
    """As it begins."""
    sites: tuple[Site, ...]
    authority: Path
    """The authority's folder."""
    passphrase: str = field(repr=False)
    record_wire: Path | None = None
    """Where every node's messages go, a folder per agency."""
    cluster: Mapping[str, str | int] | None = None
    """The Ray cluster that does every node's heavy arithmetic, as in `node.toml`; None: each node does its own."""

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The area's agreements."""
        return plans(self.world.area)

    @property
    def steps(self) -> tuple[tuple[Step, Plan | None], ...]:
        """What is done once all have signed."""
        return steps(self.world.area, self.plans)

    def change(self, world: World, step: Step) -> tuple[World, Input]:
        """Write a list's file again as a step has changed it; the world after that, and what is to be imported."""
        agency = world.area.agency(step.agency)
        collection = agency.collection(step.collection)
        after = world.changed(agency.key(collection))
        return after, write_list(after, agency, collection, self.register)

    @property
    def register(self) -> Path:
        """The area's register, beside its agencies' files."""
        return self.sites[0].home.parent / INPUTS / REGISTER

    def site(self, agency: str) -> Site:
        """One agency's node and input."""
        return next(site for site in self.sites if site.agency == agency)


@dataclass(frozen=True)
class EdgeResult:
    """One edge of one round as the receiver's node reports it."""

    edge: PlannedEdge
    world: World = field(repr=False)
    """With the lists as they were then."""
    agreement: str
    """Its id, hexadecimal; so `round_id`."""
    round_id: str
    receiver_records: int
    sender_records: int
    receiver_elements: int
    sender_elements: int
    leads: tuple[FoundLead, ...]
    traffic: Traffic
    receipt: bool
    """Signed by both sides, and both signatures verify."""
    clear: Clear | None
    """The result as both files give it in the clear; None where a node is on another machine."""
    number: Told | None = None
    """What a count or a sum told."""
    delta: int = 0
    """Which delta round of its epoch; 0: everything was compared."""
    keys: int = 0
    """Match keys that both nodes compiled."""
    expected_true: float = 0.0
    """Leads that the model expected, by the agreed overlap; `expected_false`: pairs of two people among them."""
    expected_false: float = 0.0


@dataclass(frozen=True)
class ThresholdResult:
    """One threshold of one round: every member's leads, and what the collector was told."""

    threshold: PlannedThreshold
    world: World = field(repr=False)
    agreement: str
    round_id: str
    leads: Mapping[str, tuple[FoundLead, ...]]
    """By member."""
    tally: Told
    traffic: Traffic
    """Between the collector and all members."""
    receipt: bool
    clear: Clear | None
    keys: int
    sender_records: int
    """Of all members together."""
    expected_true: float
    expected_false: float
    """Over all pairs of members."""


@dataclass(frozen=True)
class Question:
    """One record that an agency checks over an edge."""

    edge: PlannedEdge
    agency: str
    reference: str
    path: Path
    """A file with this record alone."""
    register: Path | None
    known: bool
    """In truth: the other agency has a record that belongs to it."""

    @property
    def submits(self) -> bool:
        """The edge's sender submits, and its receiver learns; the receiver asks, and learns itself."""
        return self.agency == self.edge.sender.agency


@dataclass(frozen=True)
class Answer:
    """What the edge's receiver learned of it."""

    question: Question
    leads: tuple[str, ...]
    """Of a submission: the receiver's own references. Of a question: one per hit, without a name."""

    @property
    def hit(self) -> bool:
        """The two agencies hold the same."""
        return bool(self.leads)


@dataclass(frozen=True)
class Exchange:
    """Everything that an area's agencies did."""

    agreements: Mapping[str, str]
    """Ids by pact."""
    edges: tuple[EdgeResult, ...]
    thresholds: tuple[ThresholdResult, ...]
    checks: tuple[Answer, ...]
    seconds: Mapping[str, float]


class Clock:
    """Wall-clock seconds by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Add the time that the context takes to a step."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


class Meter:
    """Counts a node's messages of rounds by peer, direction and type; hands all messages on to a recorder if there is one.

    Stands where a node takes its `WireRecorder`; may be called from several threads.
    """

    def __init__(self, recorder: WireRecorder | None = None) -> None:
        self._recorder = recorder
        self._lock = threading.Lock()
        self._messages: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._octets: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))

    def record(self, direction: Direction, peer: str, method: str, kind: str, message: bytes) -> None:
        """Count one message; arguments as for `WireRecorder.record`."""
        if method.startswith(ROUND_SERVICES):
            name = f"{direction} {kind.rpartition('.')[2]}"
            with self._lock:
                self._messages[peer][name] += 1
                self._octets[peer][name] += len(message)
        if self._recorder is not None:
            self._recorder.record(direction, peer, method, kind, message)

    def traffic(self, peer: str) -> Traffic:
        """What was counted with one peer."""
        with self._lock:
            return Traffic(
                dict(sorted(self._messages[peer].items())), dict(sorted(self._octets[peer].items()))
            )


def recorded_traffic(folder: Path, peer: str) -> Traffic:
    """The same counts from a recorder's `index.jsonl`."""
    traffic = Traffic()
    index = folder / "index.jsonl"
    for line in index.read_text(encoding="ascii").splitlines() if index.exists() else ():
        entry = json.loads(line)
        if entry["peer"] == peer and entry["method"].startswith(ROUND_SERVICES):
            name = f"{entry['direction']} {entry['type'].rpartition('.')[2]}"
            traffic += Traffic({name: 1}, {name: entry["bytes"]})
    return traffic


def recorder_for(setup: Setup, site: Site) -> WireRecorder | None:
    """Where a node's messages go, when they are to be kept."""
    return None if setup.record_wire is None else WireRecorder(setup.record_wire / site.agency)
