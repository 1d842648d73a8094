"""The truth between lists: which records belong together, what links them, and the noise that hides the link."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from blindmatch.simulations.scenario.noise_kinds import NoiseKind, worst_kind
from blindmatch.simulations.world.council_records import Supplier
from blindmatch.simulations.world.police_records import Subject
from blindmatch.simulations.world.population import Company

NoiseKinds = frozenset[NoiseKind]
Entity = tuple[str, int | str]
"""A person or a company that two records can share: ("person", id) or ("company", number)."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A receiver's record and a sender's record that belong together.

    `via` is "person" (the same person, or one who controls the company by the register), "company" (both records
    name it), or both joined with "+"; `noise` are the kinds that can hide the pair.
    """

    receiver: str
    sender: str
    via: str
    noise: NoiseKinds

    @property
    def kind(self) -> str:
        """The pair's worst kind of noise, or "clean"."""
        return worst_kind(self.noise)


@dataclass(frozen=True)
class RecordLinks:
    """By reference, the people and companies that each record of a list belongs to in truth, with the noise that hides each."""

    records: Mapping[str, Mapping[Entity, NoiseKinds]]
    withheld: frozenset[str]
    """Records that their handling codes exclude."""
    values: Mapping[str, int] = field(default_factory=dict)
    """For suppliers: the values for a sum."""


def link_lists(
    subjects: Mapping[str, Sequence[Subject]],
    suppliers: Mapping[str, Sequence[Supplier]],
    companies: Mapping[str, Company],
) -> dict[str, RecordLinks]:
    """The links of every list, by its key."""
    people = {key: link_subjects(rows) for key, rows in subjects.items()}
    return people | {key: link_suppliers(rows, companies) for key, rows in suppliers.items()}


def link_subjects(subjects: Sequence[Subject]) -> RecordLinks:
    """The links of a list of people. A company's number on record links a record regardless of the noise in the name."""
    records: dict[str, dict[Entity, NoiseKinds]] = {}
    for subject in subjects:
        exclusion = subject.noise & {NoiseKind.WITHHELD}
        entities: dict[Entity, NoiseKinds] = {("person", subject.person): subject.noise}
        entities |= {("company", number): exclusion for number in subject.company_numbers}
        records[subject.reference] = entities
    withheld = frozenset(subject.reference for subject in subjects if subject.handling_code == "C")
    return RecordLinks(records, withheld)


def link_suppliers(suppliers: Sequence[Supplier], companies: Mapping[str, Company]) -> RecordLinks:
    """The links of a list of companies: each with its present controllers, by the register."""
    records: dict[str, dict[Entity, NoiseKinds]] = {}
    for supplier in suppliers:
        entities: dict[Entity, NoiseKinds] = {}
        if supplier.company:
            entities["company", supplier.company] = supplier.noise
            for control in companies[supplier.company].controls:
                if control.ceased is None:
                    entities["person", control.person] = supplier.noise | control.noise
        records[supplier.reference] = entities
    return RecordLinks(records, frozenset(), {each.reference: each.contract_value for each in suppliers})


def matching_pairs(receiver: RecordLinks, sender: RecordLinks) -> tuple[Pair, ...]:
    """Every pair of records with a person or a company in common, by reference."""
    holders: defaultdict[Entity, list[str]] = defaultdict(list)
    for reference, entities in sender.records.items():
        for entity in entities:
            holders[entity].append(reference)
    result = []
    for ours, entities in receiver.records.items():
        ways: defaultdict[str, dict[str, list[NoiseKinds]]] = defaultdict(lambda: defaultdict(list))
        for entity, noise in entities.items():
            for theirs in holders.get(entity, ()):
                ways[theirs][entity[0]].append(noise | sender.records[theirs][entity])
        for theirs, by in ways.items():
            # A number that both records have needs no name, date or place: noise in these does not hide it.
            open_ways = by["company"] if "company" in by else by["person"]
            easiest = min(open_ways, key=_severity)
            result.append(Pair(ours, theirs, "+".join(sorted(by, reverse=True)), easiest))
    return tuple(sorted(result, key=lambda pair: (pair.receiver, pair.sender)))


def _severity(noise: NoiseKinds) -> int:
    order = list(NoiseKind)
    return max((len(order) - order.index(kind) for kind in noise), default=0)


def threshold_pairs(lists: Mapping[str, RecordLinks], at_least: int) -> dict[str, tuple[Pair, ...]]:
    """For every agency, its records with a person or company that at least so many of the agencies hold.

    Args:
        lists: the list of each member, by agency.
        at_least: how many agencies must hold it, the agency itself among them.

    Returns:
        By agency: a pair per record, without a sender; its noise is that of the record and of the easiest others that are needed.
    """
    holders: defaultdict[Entity, dict[str, NoiseKinds]] = defaultdict(dict)
    for agency, links in lists.items():
        for entities in links.records.values():
            for entity, noise in entities.items():
                known = holders[entity].get(agency)
                holders[entity][agency] = noise if known is None else min(known, noise, key=_severity)
    result = {}
    for agency, links in lists.items():
        own = []
        for reference, entities in sorted(links.records.items()):
            ways = [
                (noise | _others(holders[entity], agency, at_least - 1), entity[0])
                for entity, noise in entities.items()
                if len(holders[entity]) >= at_least
            ]
            if ways:
                easiest = min((way for way, _ in ways), key=_severity)
                via = "+".join(sorted({by for _, by in ways}, reverse=True))
                own.append(Pair(reference, "", via, easiest))
        result[agency] = tuple(own)
    return result


def _others(holders: Mapping[str, NoiseKinds], agency: str, count: int) -> NoiseKinds:
    easiest = sorted((m for other, m in holders.items() if other != agency), key=_severity)[:count]
    return frozenset[NoiseKind]().union(*easiest)


def true_count(receiver: RecordLinks, sender: RecordLinks) -> int:
    """The number of the receiver's records that match in truth, without those that handling codes exclude."""
    return len({pair.receiver for pair in admissible_pairs(receiver, sender)})


def true_sum(receiver: RecordLinks, sender: RecordLinks) -> int:
    """The sum of the values of the sender's records that match in truth."""
    matched = {pair.sender for pair in admissible_pairs(receiver, sender)}
    return sum(sender.values[reference] for reference in matched)


def admissible_pairs(receiver: RecordLinks, sender: RecordLinks) -> Sequence[Pair]:
    """The pairs of records that no handling code excludes."""
    return [
        pair
        for pair in matching_pairs(receiver, sender)
        if pair.receiver not in receiver.withheld and pair.sender not in sender.withheld
    ]
