"""One area of a scenario: its people, its companies, every agency's lists, and the truth between them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from blindmatch.simulations.scenario.scenario import Area, Scenario
from blindmatch.simulations.world.build_area import AreaBuilder
from blindmatch.simulations.world.council_records import Supplier
from blindmatch.simulations.world.excerpts import list_changes, request_lists
from blindmatch.simulations.world.police_records import Subject
from blindmatch.simulations.world.population import Company, Person, Population
from blindmatch.simulations.world.truth import Pair, RecordLinks, link_lists, matching_pairs

Row = TypeVar("Row", Subject, Supplier)


@dataclass(frozen=True)
class AreaData:
    """Everything about one area. Lists go by `Agency.key`."""

    area: Area
    towns: tuple[Population, ...]
    subjects: Mapping[str, tuple[Subject, ...]]
    companies: tuple[Company, ...]
    suppliers: Mapping[str, tuple[Supplier, ...]]
    later: "AreaData | None" = None
    """The same with every list as it is once the scenario's steps have changed it; None where nothing changes."""

    def changed(self, key: str) -> "AreaData":
        """The world once this list has changed."""
        later = self.later or self
        if key in self.subjects:
            return replace(self, subjects={**self.subjects, key: later.subjects[key]})
        return replace(self, suppliers={**self.suppliers, key: later.suppliers[key]})

    @cached_property
    def bonds(self) -> Mapping[str, RecordLinks]:
        """What every list's records are tied to in truth."""
        return link_lists(self.subjects, self.suppliers, {each.number: each for each in self.companies})

    def truth(self, receiver: str, sender: str) -> tuple[Pair, ...]:
        """The pairs of records of two lists that belong together."""
        return matching_pairs(self.bonds[receiver], self.bonds[sender])

    def references(self, agency: str) -> set[str]:
        """Every reference of an agency's lists."""
        mine = {key for key in self.bonds if key.partition("/")[0] == agency}
        return {reference for key in mine for reference in self.bonds[key].records}

    def person(self, number: int) -> Person:
        """Anybody of any town, by id."""
        return next(town for town in reversed(self.towns) if town.first <= number).person(number)


def build_area(scenario: Scenario, area: Area, *, seed: int, scale: float = 1.0) -> AreaData:
    """Make one area. It depends on nothing but scenario, area, seed and scale."""
    maker = AreaBuilder(scenario, area, seed, scale)
    supplying = maker.supplying()
    maker.unrelated()
    subjects, suppliers = maker.subjects(), maker.suppliers(supplying)
    asked = request_lists(area, subjects, link_lists(subjects, suppliers, maker.companies), maker.dice, scale)
    companies = tuple(maker.companies[number] for number in sorted(maker.companies))
    towns = tuple(maker.towns.values())

    def without(gone: Mapping[str, frozenset[str]], later: AreaData | None) -> AreaData:
        return AreaData(
            area=area,
            towns=towns,
            subjects={key: _without(rows, gone.get(key)) for key, rows in subjects.items()} | asked,
            companies=companies,
            suppliers={key: _without(rows, gone.get(key)) for key, rows in suppliers.items()},
            later=later,
        )

    changing = list_changes(area, {**subjects, **suppliers}, maker.dice, scale)
    if not changing:
        return without({}, None)
    later = without({key: change.leaving for key, change in changing.items()}, None)
    return without({key: change.joining for key, change in changing.items()}, later)


def _without(rows: tuple[Row, ...], gone: frozenset[str] | None) -> tuple[Row, ...]:
    return tuple(row for row in rows if row.reference not in gone) if gone else rows
