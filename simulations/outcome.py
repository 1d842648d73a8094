"""What a simulation found, beside the truth: one comparison per edge, counted the same way everywhere."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from blindmatch.simulations.mistakes import CLEAN, WORDS, Mistake
from blindmatch.simulations.world import Truth, World


@dataclass(frozen=True)
class FoundLead:
    """A lead as the receiver's node stored it: its own reference, and why."""

    subject: str
    keys: tuple[str, ...]
    """The keys that matched, in words, strongest first."""
    score: float
    facts: tuple[Mapping[str, str], ...] = ()
    """What the sender released: one mapping per record behind the hit; empty under `hits`."""


@dataclass(frozen=True)
class Traffic:
    """What crossed one node's edge, counted by its own wire recorder or its own statistics."""

    messages: Mapping[str, int] = field(default_factory=dict)
    """Messages by direction and type, such as `sent BlindedChunk`."""
    octets: Mapping[str, int] = field(default_factory=dict)
    """Bytes by the same names."""

    def __add__(self, other: "Traffic") -> "Traffic":
        return Traffic(_sum(self.messages, other.messages), _sum(self.octets, other.octets))

    def total(self, direction: str) -> int:
        """All bytes `sent` or `received`."""
        return sum(count for name, count in self.octets.items() if name.startswith(direction))


def _sum(one: Mapping[str, int], two: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + two.get(name, 0) for name in sorted({*one, *two})}


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
    found: Mapping[str, FoundLead]
    """True leads by police reference."""
    false: Mapping[str, FoundLead]
    missed: Mapping[str, str]
    """Subjects with a supplier that no lead names, and the kind of mistake behind it."""
    found_kinds: Mapping[str, str]
    """Subjects found, and the kind of mistake that did not prevent it."""
    withheld: int
    traffic: Traffic = field(default_factory=Traffic)

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


def kinds_by_subject(truth: Iterable[Truth], council: str) -> dict[str, str]:
    """For each subject linked to this council, the kind of its easiest pair."""
    ranks = {mistake.value: rank for rank, mistake in enumerate(Mistake)} | {CLEAN: len(Mistake)}
    best: dict[str, str] = {}
    for pair in truth:
        if pair.council == council and ranks[pair.kind] > ranks.get(best.get(pair.subject, ""), -1):
            best[pair.subject] = pair.kind
    return best


def judge(world: World, council: str, leads: Sequence[FoundLead], **rest: Any) -> Comparison:
    """Set leads beside the truth. `rest` are the remaining fields of the comparison."""
    kinds = kinds_by_subject(world.truth, council)
    by_subject = {lead.subject: lead for lead in sorted(leads, key=lambda lead: lead.subject)}
    open_kinds = {subject: kind for subject, kind in kinds.items() if kind != Mistake.WITHHELD}
    return Comparison(
        receiver=world.area.police.id,
        sender=council,
        found={subject: lead for subject, lead in by_subject.items() if subject in open_kinds},
        false={subject: lead for subject, lead in by_subject.items() if subject not in open_kinds},
        missed={subject: kind for subject, kind in sorted(open_kinds.items()) if subject not in by_subject},
        found_kinds={subject: kind for subject, kind in sorted(open_kinds.items()) if subject in by_subject},
        withheld=len(kinds) - len(open_kinds),
        **rest,
    )


@dataclass(frozen=True)
class Score:
    """Comparisons added up."""

    comparisons: int
    elements: int
    true: int
    false: int
    missed: int
    withheld: int

    @classmethod
    def of(cls, comparisons: Sequence[Comparison]) -> "Score":
        """The sum of these."""
        return cls(
            comparisons=len(comparisons),
            elements=sum(c.receiver_elements + c.sender_elements for c in comparisons),
            true=sum(len(c.found) for c in comparisons),
            false=sum(len(c.false) for c in comparisons),
            missed=sum(len(c.missed) for c in comparisons),
            withheld=sum(c.withheld for c in comparisons),
        )

    @property
    def precision(self) -> float:
        """True leads per lead."""
        return self.true / (self.true + self.false) if self.true + self.false else 1.0

    @property
    def recall(self) -> float:
        """Found per pair that could be found."""
        return self.true / (self.true + self.missed) if self.true + self.missed else 1.0


def by_kind(comparisons: Iterable[Comparison]) -> dict[str, tuple[int, int]]:
    """Per kind of mistake: subjects found, and subjects there were; in the order of rank, clean first."""
    found: dict[str, int] = {}
    total: dict[str, int] = {}
    for comparison in comparisons:
        for kind in comparison.found_kinds.values():
            found[kind] = found.get(kind, 0) + 1
            total[kind] = total.get(kind, 0) + 1
        for kind in comparison.missed.values():
            total[kind] = total.get(kind, 0) + 1
    order = [CLEAN, *(mistake.value for mistake in reversed(Mistake))]
    return {kind: (found.get(kind, 0), total[kind]) for kind in order if kind in total}


def kind_words(kind: str) -> str:
    """A kind of mistake as a reader understands it."""
    return "both files agree" if kind == CLEAN else WORDS[Mistake(kind)]


@dataclass(frozen=True)
class AreaOutcome:
    """One area's round."""

    id: str
    name: str
    agreement: str
    comparisons: tuple[Comparison, ...]
    receipts: int
    """Receipts signed by both sides and verified."""
    seconds: Mapping[str, float]
    """Wall-clock seconds by step."""


@dataclass(frozen=True)
class Outcome:
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
