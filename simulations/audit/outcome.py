"""The outcome of a simulation beside the truth: one comparison per edge, counted the same way everywhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from blindmatch.simulations.audit.verdict import Verdict, Violation
from blindmatch.simulations.drivers.results import (
    CheckResult,
    EdgeResult,
    ReportedLead,
    RoundFigures,
    ThresholdResult,
)


@dataclass(frozen=True, kw_only=True)
class Comparison(RoundFigures):
    """One edge of one round, or one member of a threshold: its leads, and the pairs that there are in truth.

    A true pair that the agreement excludes from the round (handling code C) is `withheld`: neither true nor missed.
    """

    receiver: str
    sender: str
    disclosure: str
    verified: bool
    true: Mapping[str, ReportedLead]
    """True leads by the receiver's reference."""
    false: Mapping[str, ReportedLead]
    missed: Mapping[str, str]
    """The receiver's records with a counterpart and without a lead, with the kind of noise behind each."""
    true_kinds: Mapping[str, str]
    """The receiver's records with a true lead, with the kind of noise that did not prevent it."""
    withheld: int
    true_links: Mapping[str, str] = field(default_factory=dict)
    """The receiver's records with a true lead, with what links each to its counterpart, as in `Pair.via`."""
    missed_links: Mapping[str, str] = field(default_factory=dict)

    @property
    def how(self) -> str:
        """The disclosure and its manner, in words."""
        more = [", verified" if self.verified else "", f", delta round {self.delta}" if self.delta else ""]
        return self.disclosure + "".join(more)

    @property
    def leads(self) -> int:
        """Number of leads that the receiver sees."""
        return len(self.true) + len(self.false)


@dataclass(frozen=True)
class AreaOutcome:
    """The outcome of one area."""

    id: str
    name: str
    agreements: Mapping[str, str]
    """Agreement ids by exchange."""
    comparisons: tuple[Comparison, ...]
    receipts: int
    """Receipts that all parties signed and that verify."""
    seconds: Mapping[str, float]
    """Wall-clock seconds by step."""
    numbers: tuple[EdgeResult, ...] = ()
    """Counts and sums."""
    tallies: tuple[ThresholdResult, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    verdict: Verdict = field(default_factory=Verdict)
    """What every node holds, compared with its declarations."""


@dataclass(frozen=True)
class SimulationOutcome:
    """The outcome of a whole simulation."""

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
        """Every comparison of every area that discloses records."""
        return tuple(comparison for area in self.areas for comparison in area.comparisons)

    @property
    def numbers(self) -> tuple[EdgeResult, ...]:
        """Every count and sum of every area."""
        return tuple(number for area in self.areas for number in area.numbers)

    @property
    def tallies(self) -> tuple[ThresholdResult, ...]:
        """Every threshold of every area."""
        return tuple(tally for area in self.areas for tally in area.tallies)

    @property
    def violations(self) -> tuple[Violation, ...]:
        """Everything that a node holds and may not hold."""
        return tuple(violation for area in self.areas for violation in area.verdict.violations)

    @property
    def nodes(self) -> int:
        """Nodes that were audited."""
        return sum(area.verdict.nodes for area in self.areas)

    @property
    def receipts(self) -> int:
        """Receipts that all parties signed and that verify."""
        return sum(area.receipts for area in self.areas)

    @property
    def elements(self) -> int:
        """Elements compared."""
        return sum(
            each.receiver_elements + each.sender_elements for each in (*self.comparisons, *self.numbers)
        )
