"""The truth between lists: which records belong together, by what, and what stands in the way."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from blindmatch.simulations.world.council_records import Supplier
from blindmatch.simulations.world.noise import Mistake, worst
from blindmatch.simulations.world.police_records import Subject
from blindmatch.simulations.world.population import Company

Mistakes = frozenset[Mistake]
Bond = tuple[str, int | str]
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
    mistakes: Mistakes

    @property
    def kind(self) -> str:
        """The pair's worst mistake, or "clean"."""
        return worst(self.mistakes)


@dataclass(frozen=True)
class Bonds:
    """A list's records by reference: what each is tied to in truth, and the mistakes that hide it."""

    records: Mapping[str, Mapping[Bond, Mistakes]]
    withheld: frozenset[str]
    """Records that handling codes keep out."""
    values: Mapping[str, int] = field(default_factory=dict)
    """What a sum adds up, for suppliers."""


def list_bonds(
    subjects: Mapping[str, Sequence[Subject]],
    suppliers: Mapping[str, Sequence[Supplier]],
    companies: Mapping[str, Company],
) -> dict[str, Bonds]:
    """Of every list, by its key."""
    people = {key: subject_bonds(rows) for key, rows in subjects.items()}
    return people | {key: supplier_bonds(rows, companies) for key, rows in suppliers.items()}


def subject_bonds(subjects: Sequence[Subject]) -> Bonds:
    """Of a list of people. A company's number on record is a tie whatever is wrong with the name."""
    records: dict[str, dict[Bond, Mistakes]] = {}
    for subject in subjects:
        held = subject.mistakes & {Mistake.WITHHELD}
        ties: dict[Bond, Mistakes] = {("person", subject.person): subject.mistakes}
        ties |= {("company", number): held for number in subject.company_numbers}
        records[subject.reference] = ties
    withheld = frozenset(subject.reference for subject in subjects if subject.handling == "C")
    return Bonds(records, withheld)


def supplier_bonds(suppliers: Sequence[Supplier], companies: Mapping[str, Company]) -> Bonds:
    """Of a list of companies: each with those who control it now, by the register."""
    records: dict[str, dict[Bond, Mistakes]] = {}
    for supplier in suppliers:
        ties: dict[Bond, Mistakes] = {}
        if supplier.company:
            ties["company", supplier.company] = supplier.mistakes
            for control in companies[supplier.company].controls:
                if control.ceased is None:
                    ties["person", control.person] = supplier.mistakes | control.mistakes
        records[supplier.reference] = ties
    return Bonds(records, frozenset(), {each.reference: each.contract_value for each in suppliers})


def pairs(receiver: Bonds, sender: Bonds) -> tuple[Pair, ...]:
    """Every pair of records with a person or a company in common, by reference."""
    holders: defaultdict[Bond, list[str]] = defaultdict(list)
    for reference, ties in sender.records.items():
        for bond in ties:
            holders[bond].append(reference)
    found = []
    for ours, ties in receiver.records.items():
        ways: defaultdict[str, dict[str, list[Mistakes]]] = defaultdict(lambda: defaultdict(list))
        for bond, mistakes in ties.items():
            for theirs in holders.get(bond, ()):
                ways[theirs][bond[0]].append(mistakes | sender.records[theirs][bond])
        for theirs, by in ways.items():
            # A number that both name needs no name, date or place: nothing of these stands in its way.
            open_ways = by["company"] if "company" in by else by["person"]
            easiest = min(open_ways, key=_hindrance)
            found.append(Pair(ours, theirs, "+".join(sorted(by, reverse=True)), easiest))
    return tuple(sorted(found, key=lambda pair: (pair.receiver, pair.sender)))


def _hindrance(mistakes: Mistakes) -> int:
    order = list(Mistake)
    return max((len(order) - order.index(mistake) for mistake in mistakes), default=0)


def held_by(lists: Mapping[str, Bonds], at_least: int) -> dict[str, tuple[Pair, ...]]:
    """For every agency, its records of which at least so many of them hold one person or company.

    Args:
        lists: what each member brings, by agency.
        at_least: how many must hold it, the agency itself among them.

    Returns:
        By agency: a pair per record, with nobody as its sender; its mistakes are those of the record and of the easiest
        others that it takes.
    """
    holders: defaultdict[Bond, dict[str, Mistakes]] = defaultdict(dict)
    for agency, bonds in lists.items():
        for ties in bonds.records.values():
            for bond, mistakes in ties.items():
                known = holders[bond].get(agency)
                holders[bond][agency] = mistakes if known is None else min(known, mistakes, key=_hindrance)
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
                easiest = min((way for way, _ in ways), key=_hindrance)
                via = "+".join(sorted({by for _, by in ways}, reverse=True))
                found.append(Pair(reference, "", via, easiest))
        result[agency] = tuple(found)
    return result


def _others(holders: Mapping[str, Mistakes], agency: str, count: int) -> Mistakes:
    easiest = sorted((m for other, m in holders.items() if other != agency), key=_hindrance)[:count]
    return frozenset[Mistake]().union(*easiest)


def true_count(receiver: Bonds, sender: Bonds) -> int:
    """How many of the receiver's records match in truth, of those that may enter."""
    return len({pair.receiver for pair in open_pairs(receiver, sender)})


def true_sum(receiver: Bonds, sender: Bonds) -> int:
    """The values of the sender's records that match in truth, added up."""
    matched = {pair.sender for pair in open_pairs(receiver, sender)}
    return sum(sender.values[reference] for reference in matched)


def open_pairs(receiver: Bonds, sender: Bonds) -> Sequence[Pair]:
    """The pairs of records that no handling code keeps out."""
    return [
        pair
        for pair in pairs(receiver, sender)
        if pair.receiver not in receiver.withheld and pair.sender not in sender.withheld
    ]
