"""What the nodes of an area report after their rounds and single checks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from blindmatch.node.rounds.aggregate.results import AggregateResult
from blindmatch.node.rounds.leads import Tally
from blindmatch.protocol.agreement import Disclosure
from blindmatch.simulations.drivers.traffic import Traffic
from blindmatch.simulations.scenario.plan import PlannedEdge, PlannedThreshold
from blindmatch.simulations.world.area import AreaData


@dataclass(frozen=True)
class ReportedLead:
    """A lead as the receiver's node stored it: its own reference, and why."""

    subject: str
    keys: tuple[str, ...]
    """The keys that matched, in words, strongest first."""
    score: float
    facts: tuple[Mapping[str, str], ...] = ()
    """What the sender released: one mapping per record behind the hit; empty under `hits`."""
    posterior: float = 1.0
    """By the model, how likely at least that both records are of one person."""


@dataclass(frozen=True)
class DisclosedNumber:
    """A number as a party has it: from `low` to `high`, or that there are too few matches to say."""

    told: bool
    low: int = 0
    high: int = 0

    @property
    def words(self) -> str:
        """For a report."""
        if not self.told:
            return "withheld: under the minimum"
        return f"{self.low:,}" if self.low == self.high else f"{self.low:,} to {self.high:,}"


WITHHELD = DisclosedNumber(False)


def aggregate_number(result: AggregateResult) -> DisclosedNumber:
    """A kept count or sum as it was told."""
    if result.disclosure == Disclosure.SUM.value:
        amount = result.total * result.band
        return DisclosedNumber(result.told, amount, amount)
    return DisclosedNumber(result.told, result.low, result.high)


def tally_number(tally: Tally) -> DisclosedNumber:
    """A collector's number as its officers are told it."""
    return WITHHELD if tally.count is None else DisclosedNumber(True, tally.count, tally.count)


@dataclass(frozen=True)
class CleartextResult:
    """Which of every party's own records share a match key as the comparison asks, by agency and reference."""

    matching: Mapping[str, frozenset[str]]
    shared: int = 0
    """Of a threshold: the keys that enough members hold."""


@dataclass(frozen=True)
class EdgeResult:
    """One edge of one round as the receiver's node reports it."""

    edge: PlannedEdge
    world: AreaData = field(repr=False)
    """With the lists as they were then."""
    agreement: str
    """Its id, hexadecimal; so `round_id`."""
    round_id: str
    receiver_records: int
    sender_records: int
    receiver_elements: int
    sender_elements: int
    leads: tuple[ReportedLead, ...]
    traffic: Traffic
    receipt: bool
    """Signed by both sides, and both signatures verify."""
    clear: CleartextResult | None
    """The result as both files give it in the clear; None where a node is on another machine."""
    number: DisclosedNumber | None = None
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
    world: AreaData = field(repr=False)
    agreement: str
    round_id: str
    leads: Mapping[str, tuple[ReportedLead, ...]]
    """By member."""
    tally: DisclosedNumber
    traffic: Traffic
    """Between the collector and all members."""
    receipt: bool
    clear: CleartextResult | None
    keys: int
    sender_records: int
    """Of all members together."""
    expected_true: float
    expected_false: float
    """Over all pairs of members."""


@dataclass(frozen=True)
class RecordCheck:
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
class CheckResult:
    """What the edge's receiver learned of it."""

    question: RecordCheck
    leads: tuple[str, ...]
    """Of a submission: the receiver's own references. Of a question: one per hit, without a name."""

    @property
    def hit(self) -> bool:
        """The two agencies hold the same."""
        return bool(self.leads)


@dataclass(frozen=True)
class AreaResults:
    """Everything that an area's agencies did."""

    agreements: Mapping[str, str]
    """Ids by pact."""
    edges: tuple[EdgeResult, ...]
    thresholds: tuple[ThresholdResult, ...]
    checks: tuple[CheckResult, ...]
    seconds: Mapping[str, float]
