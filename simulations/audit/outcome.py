"""What a simulation found, beside the truth: one comparison per edge, counted the same way everywhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from blindmatch.simulations.audit.verdict import Verdict, Violation
from blindmatch.simulations.drivers.results import DisclosedNumber, ReportedLead
from blindmatch.simulations.drivers.traffic import Traffic


@dataclass(frozen=True)
class Comparison:
    """One edge of one round: who compared with whom, what was found, and what there was to find.

    A true pair that the agreement keeps out of the round (handling code C) is `withheld`: neither found nor missed.
    """

    receiver: str
    sender: str
    disclosure: str
    verified: bool
    receiver_records: int
    sender_records: int
    receiver_elements: int
    sender_elements: int
    found: Mapping[str, ReportedLead]
    """True leads by police reference."""
    false: Mapping[str, ReportedLead]
    missed: Mapping[str, str]
    """Subjects with a supplier that no lead names, and the kind of mistake behind it."""
    found_kinds: Mapping[str, str]
    """Subjects found, and the kind of mistake that did not prevent it."""
    withheld: int
    found_links: Mapping[str, str] = field(default_factory=dict)
    """Subjects with a supplier that the round found: what links them, as in `Truth.via`."""
    missed_links: Mapping[str, str] = field(default_factory=dict)
    traffic: Traffic = field(default_factory=Traffic)
    keys: int = 0
    """Match keys that both nodes compiled."""
    expected_true: float = 0.0
    """Leads that the model expected, by the agreed overlap."""
    expected_false: float = 0.0
    delta: int = 0
    """Which delta round of its epoch; 0: everything was compared."""

    @property
    def how(self) -> str:
        """What was disclosed, and in which manner, in words."""
        more = [", verified" if self.verified else "", f", delta round {self.delta}" if self.delta else ""]
        return self.disclosure + "".join(more)

    @property
    def leads(self) -> int:
        """Leads that the receiver sees."""
        return len(self.found) + len(self.false)

    @property
    def precision(self) -> float:
        """True leads per lead; 1 when there is none."""
        return len(self.found) / self.leads if self.leads else 1.0

    @property
    def recall(self) -> float:
        """Subjects found per subject with a supplier; 1 when there is none."""
        wanted = len(self.found) + len(self.missed)
        return len(self.found) / wanted if wanted else 1.0


@dataclass(frozen=True)
class AggregateComparison:
    """One edge of one round that told a count or a sum, beside what it is in the clear and in truth."""

    receiver: str
    sender: str
    disclosure: str
    value: str
    """Of a sum: the fact that was added up."""
    minimum: int
    band: int
    told: DisclosedNumber
    clear: int | None
    """By the same match keys in the clear; None where a node is on another machine."""
    truth: int
    reported_to: tuple[str, ...]
    receiver_records: int
    sender_records: int
    receiver_elements: int
    sender_elements: int
    keys: int
    traffic: Traffic


@dataclass(frozen=True)
class ThresholdComparison:
    """What the collector of a threshold was told, beside what it is in the clear."""

    threshold: str
    collector: str
    members: tuple[str, ...]
    at_least: int
    minimum: int
    band: int
    told: DisclosedNumber
    """How many match keys so many members hold."""
    clear: int | None
    keys: int
    expected_true: float
    expected_false: float
    """Over all pairs of members."""
    traffic: Traffic


@dataclass(frozen=True)
class SingleCheck:
    """One record that was compared by itself under a standing agreement."""

    agency: str
    """Who submitted it, or asked."""
    told: str
    """Who learned whether it hits: the receiver of the edge."""
    record: str
    """Its reference."""
    hits: tuple[str, ...]
    """The receiver's own references; of a question, one without a name per hit."""
    known: bool
    """In truth: the other has a record that belongs to it."""


@dataclass(frozen=True)
class AreaOutcome:
    """What came of one area."""

    id: str
    name: str
    agreements: Mapping[str, str]
    """Ids by pact."""
    comparisons: tuple[Comparison, ...]
    receipts: int
    """Receipts signed by both sides and verified."""
    seconds: Mapping[str, float]
    """Wall-clock seconds by step."""
    numbers: tuple[AggregateComparison, ...] = ()
    tallies: tuple[ThresholdComparison, ...] = ()
    checks: tuple[SingleCheck, ...] = ()
    verdict: Verdict = field(default_factory=Verdict)
    """What every node learned, held against its declaration."""


@dataclass(frozen=True)
class SimulationOutcome:
    """A whole simulation."""

    scenario: str
    title: str
    notice: str
    seed: int
    scale: float
    processes: bool
    areas: tuple[AreaOutcome, ...]
    seconds: float

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """Every edge of every area."""
        return tuple(comparison for area in self.areas for comparison in area.comparisons)

    @property
    def numbers(self) -> tuple[AggregateComparison, ...]:
        """Every count and sum of every area."""
        return tuple(number for area in self.areas for number in area.numbers)

    @property
    def tallies(self) -> tuple[ThresholdComparison, ...]:
        """Every threshold of every area."""
        return tuple(tally for area in self.areas for tally in area.tallies)

    @property
    def violations(self) -> tuple[Violation, ...]:
        """Everything that a node holds and may not."""
        return tuple(violation for area in self.areas for violation in area.verdict.violations)
