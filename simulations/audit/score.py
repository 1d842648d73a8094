"""Leads set beside the truth, and comparisons added up: by kind of mistake, by what links two records, all together."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from blindmatch.simulations.audit.outcome import Comparison
from blindmatch.simulations.drivers.results import ReportedLead
from blindmatch.simulations.scenario.noise_kinds import CLEAN, DESCRIPTIONS, NoiseKind
from blindmatch.simulations.world.truth import Pair


def kinds_by_record(truth: Iterable[Pair]) -> dict[str, str]:
    """For each of the receiver's records that belongs to one of the sender's, the kind of its easiest pair."""
    ranks = {mistake.value: rank for rank, mistake in enumerate(NoiseKind)} | {CLEAN: len(NoiseKind)}
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


def score_leads(truth: Sequence[Pair], leads: Sequence[ReportedLead], **rest: Any) -> Comparison:
    """Set leads beside the truth of both lists. `rest` are the remaining fields of the comparison."""
    kinds = kinds_by_record(truth)
    by_record = {lead.subject: lead for lead in sorted(leads, key=lambda lead: lead.subject)}
    links = links_by_record(truth)
    open_kinds = {record: kind for record, kind in kinds.items() if kind != NoiseKind.WITHHELD}
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
    order = [CLEAN, *(mistake.value for mistake in reversed(NoiseKind))]
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


def describe_kind(kind: str) -> str:
    """A kind of mistake as a reader understands it."""
    return "both files agree" if kind == CLEAN else DESCRIPTIONS[NoiseKind(kind)]
