"""What the nodes of an area report after their rounds and single checks."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from blindmatch.simulations.drivers.traffic import Traffic
from blindmatch.simulations.scenario.plan import PlannedEdge, PlannedThreshold
from blindmatch.simulations.world.area import AreaData
from blindmatch.simulations.world.truth import RecordLinks, true_count, true_sum


@dataclass(frozen=True)
class ReportedLead:
    """A lead as the receiver's node stores it."""

    subject: str
    """The receiver's own reference."""
    keys: tuple[str, ...]
    """The match keys that agree, in words, strongest first."""
    score: float
    """Bits of the strongest key."""
    facts: tuple[Mapping[str, str], ...] = ()
    """Facts that the sender released: one mapping per record behind the hit; empty under `hits`."""
    posterior: float = 1.0
    """The model's lower bound for the probability that both records are of one person."""


@dataclass(frozen=True)
class DisclosedNumber:
    """A number as a party holds it: from `low` to `high`, or withheld because there are too few matches."""

    disclosed: bool
    low: int = 0
    high: int = 0

    @classmethod
    def of_aggregate(cls, data: Mapping[str, Any]) -> "DisclosedNumber":
        """A count or sum, from the data of an `AggregateResult`."""
        if not data["told"]:
            return WITHHELD
        low, high = (int(data.get("sum", data.get(name))) for name in ("low", "high"))
        return cls(True, low, high)

    @classmethod
    def of_tally(cls, count: int | None) -> "DisclosedNumber":
        """A collector's number as its officers see it; None: withheld."""
        return WITHHELD if count is None else cls(True, count, count)

    @property
    def words(self) -> str:
        """The text for a report."""
        if not self.disclosed:
            return "withheld: under the minimum"
        return f"{self.low:,}" if self.low == self.high else f"{self.low:,} to {self.high:,}"


WITHHELD = DisclosedNumber(False)


@dataclass(frozen=True)
class CleartextResult:
    """The result of a comparison in plaintext."""

    matching: Mapping[str, frozenset[str]]
    """By agency, the references of its own records that share a match key as the comparison requires."""
    shared: int = 0
    """For a threshold: the number of match keys that enough members hold."""


@dataclass(frozen=True, kw_only=True)
class RoundFigures:
    """Sizes, expectations and traffic of one comparison in one round."""

    receiver_records: int = 0
    sender_records: int = 0
    """For a threshold: of all members together."""
    receiver_elements: int = 0
    sender_elements: int = 0
    keys: int = 0
    """Match keys that the nodes compiled."""
    expected_true: float = 0.0
    """True leads that the model expects at the agreed overlap. For a threshold: over all pairs of members."""
    expected_false: float = 0.0
    """Leads on pairs of different people that the model expects."""
    delta: int = 0
    """Number of the delta round in its epoch; 0 for a full round."""
    traffic: Traffic = field(default_factory=Traffic)
    """Messages between the receiver and the sender, or between the collector and all members."""


def figures(source: object) -> dict[str, Any]:
    """The values of all `RoundFigures` that a result has, by name."""
    names = (each.name for each in fields(RoundFigures))
    return {name: getattr(source, name) for name in names if hasattr(source, name)}


@dataclass(frozen=True, kw_only=True)
class RoundResult(RoundFigures):
    """What edges and thresholds have in common."""

    area_data: AreaData = field(repr=False)
    """The lists as they were in the round."""
    agreement: str
    """The agreement's id, hexadecimal."""
    round_id: str
    """The round's id, hexadecimal."""
    receipt: bool
    """Whether every party has signed the receipt, and all signatures verify."""
    cleartext: CleartextResult | None
    """The result in plaintext; None where a node is on another machine."""


@dataclass(frozen=True, kw_only=True)
class EdgeResult(RoundResult):
    """One edge of one round as the receiver's node reports it."""

    edge: PlannedEdge
    leads: tuple[ReportedLead, ...]
    number: DisclosedNumber = WITHHELD
    """The disclosed count or sum; without a meaning under `hits`."""

    @property
    def links(self) -> tuple[RecordLinks, ...]:
        """The truth about the receiver's and the sender's list."""
        return tuple(self.area_data.links[end.list] for end in self.edge.ends)

    @cached_property
    def truth(self) -> int:
        """The sum in truth; for other disclosures, how many of the receiver's records match in truth."""
        return (true_sum if self.edge.group.disclosure == "sum" else true_count)(*self.links)

    @property
    def cleartext_figures(self) -> tuple[int, int]:
        """How many records match by the same keys in plaintext, and the sum of their values, each rounded to the band.

        A count is of the receiver's records, a sum is over the sender's. Both are 0 for hits, and where nothing was compared
        in plaintext.
        """
        group, cleartext = self.edge.group, self.cleartext
        if cleartext is None or not group.number:
            return 0, 0
        if group.disclosure == "count":
            return len(cleartext.matching[self.edge.receiver.agency]), 0
        matching, band = cleartext.matching[self.edge.sender.agency], group.band
        values = self.links[1].values
        return len(matching), sum((2 * values[each] + band) // (2 * band) * band for each in matching)

    @property
    def exact(self) -> int | None:
        """The exact count or sum by the same match keys in plaintext; None where a node is on another machine."""
        return None if self.cleartext is None else self.cleartext_figures[self.edge.group.disclosure == "sum"]


@dataclass(frozen=True, kw_only=True)
class ThresholdResult(RoundResult):
    """One threshold of one round: every member's leads, and the collector's number."""

    threshold: PlannedThreshold
    leads: Mapping[str, tuple[ReportedLead, ...]]
    """By member."""
    tally: DisclosedNumber
    """How many match keys so many members hold."""

    @property
    def exact(self) -> int | None:
        """The exact number in plaintext; None where a node is on another machine."""
        return None if self.cleartext is None else self.cleartext.shared


@dataclass(frozen=True)
class RecordCheck:
    """One record that an agency checks over an edge."""

    edge: PlannedEdge
    agency: str
    """The agency that submits it, or asks."""
    reference: str
    path: Path
    """A file with this record alone."""
    register: Path | None
    known: bool
    """The truth: whether the other agency has a record that belongs to it."""

    @property
    def submits(self) -> bool:
        """Whether the edge's sender submits the record; otherwise its receiver asks. The receiver gets the result in both cases."""
        return self.agency == self.edge.sender.agency


@dataclass(frozen=True)
class CheckResult:
    """The result of a check at the edge's receiver."""

    check: RecordCheck
    hits: tuple[str, ...]
    """For a submission, the receiver's own references; for a query, one empty text per hit."""


@dataclass(frozen=True)
class AreaResults:
    """Everything that an area's agencies did."""

    agreements: Mapping[str, str]
    """Agreement ids by exchange."""
    edges: tuple[EdgeResult, ...]
    thresholds: tuple[ThresholdResult, ...]
    checks: tuple[CheckResult, ...]
    seconds: Mapping[str, float]
    """Wall-clock seconds by step."""
