"""Leads beside the truth, and the totals of several comparisons: by kind of noise, by link between the records, all together."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from blindmatch.simulations.audit.outcome import Comparison
from blindmatch.simulations.drivers.results import ReportedLead
from blindmatch.simulations.scenario.noise_kinds import CLEAN, NoiseKind
from blindmatch.simulations.world.truth import Pair

LINKS = {
    "person": "the person only: on both lists, or behind the company by the register",
    "person+company": "the person, and the company's number on record",
    "company": "a company's number on record only",
}
"""What links two records that belong together, in words."""


def kinds_by_record(truth: Iterable[Pair]) -> dict[str, str]:
    """For each of the receiver's records that has a counterpart, the kind of noise of its easiest pair."""
    ranks = {kind.value: rank for rank, kind in enumerate(NoiseKind)} | {CLEAN: len(NoiseKind)}
    best: dict[str, str] = {}
    for pair in truth:
        if ranks[pair.kind] > ranks.get(best.get(pair.receiver, ""), -1):
            best[pair.receiver] = pair.kind
    return best


def links_by_record(truth: Iterable[Pair]) -> dict[str, str]:
    """For each such record, everything that links it: "person", "company", or both joined with "+"."""
    links: dict[str, set[str]] = {}
    for pair in truth:
        links.setdefault(pair.receiver, set()).update(pair.via.split("+"))
    return {reference: "+".join(sorted(ways, reverse=True)) for reference, ways in links.items()}


def score_leads(truth: Sequence[Pair], leads: Sequence[ReportedLead], **rest: Any) -> Comparison:
    """Compare leads with the truth between two lists. `rest` holds the other fields of the comparison."""
    kinds = kinds_by_record(truth)
    links = links_by_record(truth)
    by_record = {lead.subject: lead for lead in sorted(leads, key=lambda lead: lead.subject)}
    admissible = {record: kind for record, kind in sorted(kinds.items()) if kind != NoiseKind.WITHHELD}
    return Comparison(
        true={record: lead for record, lead in by_record.items() if record in admissible},
        false={record: lead for record, lead in by_record.items() if record not in admissible},
        missed={record: kind for record, kind in admissible.items() if record not in by_record},
        true_kinds={record: kind for record, kind in admissible.items() if record in by_record},
        true_links={record: links[record] for record in admissible if record in by_record},
        missed_links={record: links[record] for record in admissible if record not in by_record},
        withheld=len(kinds) - len(admissible),
        **rest,
    )


@dataclass(frozen=True)
class Score:
    """The totals of comparisons."""

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
        """The totals of these comparisons."""
        return cls(
            comparisons=len(comparisons),
            elements=sum(c.receiver_elements + c.sender_elements for c in comparisons),
            true=sum(len(c.true) for c in comparisons),
            false=sum(len(c.false) for c in comparisons),
            missed=sum(len(c.missed) for c in comparisons),
            withheld=sum(c.withheld for c in comparisons),
            expected_true=sum(c.expected_true for c in comparisons),
            expected_false=sum(c.expected_false for c in comparisons),
        )

    @property
    def leads(self) -> int:
        """True and false leads."""
        return self.true + self.false

    @property
    def precision(self) -> float:
        """True leads per lead; 1 without leads."""
        return self.true / self.leads if self.leads else 1.0

    @property
    def recall(self) -> float:
        """True leads per record with an admissible counterpart; 1 without such records."""
        return self.true / (self.true + self.missed) if self.true + self.missed else 1.0


def by_kind(comparisons: Iterable[Comparison]) -> dict[str, tuple[int, int]]:
    """Per kind of noise: records with a lead, and all records with a counterpart; by rank, clean first."""
    order = [CLEAN, *(kind.value for kind in reversed(NoiseKind))]
    return _counted(order, [(c.true_kinds.values(), c.missed.values()) for c in comparisons])


def by_link(comparisons: Iterable[Comparison]) -> dict[str, tuple[int, int]]:
    """Per link between records: records with a lead, and all records with a counterpart."""
    return _counted(LINKS, [(c.true_links.values(), c.missed_links.values()) for c in comparisons])


def _counted(
    order: Iterable[str], parts: Iterable[tuple[Iterable[str], Iterable[str]]]
) -> dict[str, tuple[int, int]]:
    true, missed = Counter[str](), Counter[str]()
    for with_lead, without in parts:
        true.update(with_lead)
        missed.update(without)
    return {name: (true[name], true[name] + missed[name]) for name in order if true[name] + missed[name]}


def describe_kind(kind: str) -> str:
    """A kind of noise in words."""
    return "both files agree" if kind == CLEAN else NoiseKind(kind).words
