"""What a simulation found, beside the truth: one comparison per edge, counted the same way everywhere."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from blindmatch.simulations.mistakes import CLEAN, WORDS, Mistake
from blindmatch.simulations.truth import Pair
from blindmatch.simulations.verdict import Verdict, Violation


@dataclass(frozen=True)
class FoundLead:
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
class Traffic:
    """What crossed one node's edge, counted by its own wire recorder or its own statistics."""

    messages: Mapping[str, int] = field(default_factory=dict)
    """Messages by direction and type, such as `sent BlindedChunk`."""
    octets: Mapping[str, int] = field(default_factory=dict)
    """Bytes by the same names."""

    def __add__(self, other: "Traffic") -> "Traffic":
        return Traffic(_sum(self.messages, other.messages), _sum(self.octets, other.octets))

    def __sub__(self, other: "Traffic") -> "Traffic":
        return Traffic(_less(self.messages, other.messages), _less(self.octets, other.octets))

    def total(self, direction: str) -> int:
        """All bytes `sent` or `received`."""
        return sum(count for name, count in self.octets.items() if name.startswith(direction))


def _sum(one: Mapping[str, int], two: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + two.get(name, 0) for name in sorted({*one, *two})}


def _less(one: Mapping[str, int], two: Mapping[str, int]) -> dict[str, int]:
    return {name: count - two.get(name, 0) for name, count in one.items() if count > two.get(name, 0)}


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
    found_links: Mapping[str, str] = field(default_factory=dict)
    """Subjects with a supplier that the round found: what links them, as in `Truth.via`."""
    missed_links: Mapping[str, str] = field(default_factory=dict)
    traffic: Traffic = field(default_factory=Traffic)
    keys: int = 0
    """Match keys that both nodes compiled."""
    expected_true: float = 0.0
    """Leads that the model expected, by the agreed overlap."""
    expected_false: float = 0.0

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


def kinds_by_record(truth: Iterable[Pair]) -> dict[str, str]:
    """For each of the receiver's records that belongs to one of the sender's, the kind of its easiest pair."""
    ranks = {mistake.value: rank for rank, mistake in enumerate(Mistake)} | {CLEAN: len(Mistake)}
    best: dict[str, str] = {}
    for pair in truth:
        if ranks[pair.kind] > ranks.get(best.get(pair.receiver, ""), -1):
            best[pair.receiver] = pair.kind
    return best


def links_by_record(truth: Iterable[Pair]) -> dict[str, str]:
    """For each such record, all that links it: "person", "company", or both with "+"."""
    links: dict[str, set[str]] = {}
    for pair in truth:
        links.setdefault(pair.receiver, set()).update(pair.via.split("+"))
    return {reference: "+".join(sorted(ways, reverse=True)) for reference, ways in links.items()}


def judge(truth: Sequence[Pair], leads: Sequence[FoundLead], **rest: Any) -> Comparison:
    """Set leads beside the truth of both lists. `rest` are the remaining fields of the comparison."""
    kinds = kinds_by_record(truth)
    by_record = {lead.subject: lead for lead in sorted(leads, key=lambda lead: lead.subject)}
    links = links_by_record(truth)
    open_kinds = {record: kind for record, kind in kinds.items() if kind != Mistake.WITHHELD}
    return Comparison(
        found={record: lead for record, lead in by_record.items() if record in open_kinds},
        false={record: lead for record, lead in by_record.items() if record not in open_kinds},
        missed={record: kind for record, kind in sorted(open_kinds.items()) if record not in by_record},
        found_kinds={record: kind for record, kind in sorted(open_kinds.items()) if record in by_record},
        found_links={record: links[record] for record in sorted(open_kinds) if record in by_record},
        missed_links={record: links[record] for record in sorted(open_kinds) if record not in by_record},
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
    expected_true: float = 0.0
    expected_false: float = 0.0

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
            expected_true=sum(c.expected_true for c in comparisons),
            expected_false=sum(c.expected_false for c in comparisons),
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
    order = [CLEAN, *(mistake.value for mistake in reversed(Mistake))]
    return _counted(order, [(c.found_kinds.values(), c.missed.values()) for c in comparisons])


def by_link(comparisons: Iterable[Comparison]) -> dict[str, tuple[int, int]]:
    """Per way of being linked to a supplier: subjects found, and subjects there were."""
    return _counted(LINKS, [(c.found_links.values(), c.missed_links.values()) for c in comparisons])


def _counted(
    order: Iterable[str], parts: Iterable[tuple[Iterable[str], Iterable[str]]]
) -> dict[str, tuple[int, int]]:
    found, missed = Counter[str](), Counter[str]()
    for here, there in parts:
        found.update(here)
        missed.update(there)
    return {name: (found[name], found[name] + missed[name]) for name in order if found[name] + missed[name]}


LINKS = {
    "person": "the person only: on both lists, or behind the company by the register",
    "person+company": "the person, and the company's number on record",
    "company": "a company's number on record only",
}
"""Ways in which two records belong together, in words."""


def kind_words(kind: str) -> str:
    """A kind of mistake as a reader understands it."""
    return "both files agree" if kind == CLEAN else WORDS[Mistake(kind)]


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
    verdict: Verdict = field(default_factory=Verdict)
    """What every node learned, held against its declaration."""


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

    @property
    def violations(self) -> tuple[Violation, ...]:
        """Everything that a node holds and may not."""
        return tuple(violation for area in self.areas for violation in area.verdict.violations)
