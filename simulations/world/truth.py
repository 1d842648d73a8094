"""The truth between lists: which records belong together, by what, and what stands in the way."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from blindmatch.simulations.scenario.noise_kinds import NoiseKind, worst_kind
from blindmatch.simulations.world.council_records import Supplier
from blindmatch.simulations.world.police_records import Subject
from blindmatch.simulations.world.population import Company

NoiseKinds = frozenset[NoiseKind]
Entity = tuple[str, int | str]
"""What two records can have in common: ("person", id) or ("company", number)."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A receiver's record and a sender's record that belong together.

    `via` is "person" (the same person, or one who controls the company, says the register), "company" (both records
    name it), or both joined with "+"; `mistakes` are those that stand in the way of the pair.
    """

    receiver: str
    sender: str
    via: str
    mistakes: NoiseKinds

    @property
    def kind(self) -> str:
        """The pair's worst mistake, or "clean"."""
        return worst_kind(self.mistakes)


@dataclass(frozen=True)
class RecordLinks:
    """A list's records by reference: what each is tied to in truth, and the mistakes that hide it."""

    records: Mapping[str, Mapping[Entity, NoiseKinds]]
    withheld: frozenset[str]
    """Records that handling codes keep out."""
    values: Mapping[str, int] = field(default_factory=dict)
    """What a sum adds up, for suppliers."""


def link_lists(
    subjects: Mapping[str, Sequence[Subject]],
    suppliers: Mapping[str, Sequence[Supplier]],
    companies: Mapping[str, Company],
) -> dict[str, RecordLinks]:
    """Of every list, by its key."""
    people = {key: link_subjects(rows) for key, rows in subjects.items()}
    return people | {key: link_suppliers(rows, companies) for key, rows in suppliers.items()}


def link_subjects(subjects: Sequence[Subject]) -> RecordLinks:
    """Of a list of people. A company's number on record is a tie whatever is wrong with the name."""
    records: dict[str, dict[Entity, NoiseKinds]] = {}
    for subject in subjects:
        held = subject.mistakes & {NoiseKind.WITHHELD}
        ties: dict[Entity, NoiseKinds] = {("person", subject.person): subject.mistakes}
        ties |= {("company", number): held for number in subject.company_numbers}
        records[subject.reference] = ties
    withheld = frozenset(subject.reference for subject in subjects if subject.handling == "C")
    return RecordLinks(records, withheld)


def link_suppliers(suppliers: Sequence[Supplier], companies: Mapping[str, Company]) -> RecordLinks:
    """Of a list of companies: each with those who control it now, by the register."""
    records: dict[str, dict[Entity, NoiseKinds]] = {}
    for supplier in suppliers:
        ties: dict[Entity, NoiseKinds] = {}
        if supplier.company:
            ties["company", supplier.company] = supplier.mistakes
            for control in companies[supplier.company].controls:
                if control.ceased is None:
                    ties["person", control.person] = supplier.mistakes | control.mistakes
        records[supplier.reference] = ties
    return RecordLinks(records, frozenset(), {each.reference: each.contract_value for each in suppliers})


def matching_pairs(receiver: RecordLinks, sender: RecordLinks) -> tuple[Pair, ...]:
    """Every pair of records with a person or a company in common, by reference."""
    holders: defaultdict[Entity, list[str]] = defaultdict(list)
    for reference, ties in sender.records.items():
        for bond in ties:
            holders[bond].append(reference)
    found = []
    for ours, ties in receiver.records.items():
        ways: defaultdict[str, dict[str, list[NoiseKinds]]] = defaultdict(lambda: defaultdict(list))
        for bond, mistakes in ties.items():
            for theirs in holders.get(bond, ()):
                ways[theirs][bond[0]].append(mistakes | sender.records[theirs][bond])
        for theirs, by in ways.items():
            # A number that both name needs no name, date or place: nothing of these stands in its way.
            open_ways = by["company"] if "company" in by else by["person"]
            easiest = min(open_ways, key=_severity)
            found.append(Pair(ours, theirs, "+".join(sorted(by, reverse=True)), easiest))
    return tuple(sorted(found, key=lambda pair: (pair.receiver, pair.sender)))


def _severity(mistakes: NoiseKinds) -> int:
    order = list(NoiseKind)
    return max((len(order) - order.index(mistake) for mistake in mistakes), default=0)


def threshold_pairs(lists: Mapping[str, RecordLinks], at_least: int) -> dict[str, tuple[Pair, ...]]:
    """For every agency, its records of which at least so many of them hold one person or company.

    Args:
        lists: what each member brings, by agency.
        at_least: how many must hold it, the agency itself among them.

    Returns:
        By agency: a pair per record, with nobody as its sender; its mistakes are those of the record and of the easiest
        others that it takes.
    """
    holders: defaultdict[Entity, dict[str, NoiseKinds]] = defaultdict(dict)
    for agency, bonds in lists.items():
        for ties in bonds.records.values():
            for bond, mistakes in ties.items():
                known = holders[bond].get(agency)
                holders[bond][agency] = mistakes if known is None else min(known, mistakes, key=_severity)
    result = {}
    for agency, bonds in lists.items():
        found = []
        for reference, ties in sorted(bonds.records.items()):
            ways = [
                (mistakes | _others(holders[bond], agency, at_least - 1), bond[0])
                for bond, mistakes in ties.items()
                if len(holders[bond]) >= at_least
            ]
            if ways:
                easiest = min((way for way, _ in ways), key=_severity)
                via = "+".join(sorted({by for _, by in ways}, reverse=True))
                found.append(Pair(reference, "", via, easiest))
        result[agency] = tuple(found)
    return result


def _others(holders: Mapping[str, NoiseKinds], agency: str, count: int) -> NoiseKinds:
    easiest = sorted((m for other, m in holders.items() if other != agency), key=_severity)[:count]
    return frozenset[NoiseKind]().union(*easiest)


def true_count(receiver: RecordLinks, sender: RecordLinks) -> int:
    """How many of the receiver's records match in truth, of those that may enter."""
    return len({pair.receiver for pair in admissible_pairs(receiver, sender)})


def true_sum(receiver: RecordLinks, sender: RecordLinks) -> int:
    """The values of the sender's records that match in truth, added up."""
    matched = {pair.sender for pair in admissible_pairs(receiver, sender)}
    return sum(sender.values[reference] for reference in matched)


def admissible_pairs(receiver: RecordLinks, sender: RecordLinks) -> Sequence[Pair]:
    """The pairs of records that no handling code keeps out."""
    return [
        pair
        for pair in matching_pairs(receiver, sender)
        if pair.receiver not in receiver.withheld and pair.sender not in sender.withheld
    ]
