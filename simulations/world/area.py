"""The data of one area: its people, its companies, every agency's lists, and the truth between them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

from blindmatch.simulations.scenario.scenario import Area, Scenario
from blindmatch.simulations.world.build_area import AreaBuilder
from blindmatch.simulations.world.council_records import Supplier
from blindmatch.simulations.world.excerpts import list_changes, request_lists
from blindmatch.simulations.world.police_records import Subject
from blindmatch.simulations.world.population import Company, Population
from blindmatch.simulations.world.truth import Pair, RecordLinks, link_lists, matching_pairs

Row = TypeVar("Row", Subject, Supplier)


@dataclass(frozen=True)
class AreaData:
    """The data of one area. The keys of lists are those of `Agency.key`."""

    area: Area
    towns: tuple[Population, ...]
    subjects: Mapping[str, tuple[Subject, ...]]
    companies: tuple[Company, ...]
    suppliers: Mapping[str, tuple[Supplier, ...]]
    later: "AreaData | None" = None
    """The data after the scenario's steps have changed all lists; None where no list changes."""

    def changed(self, key: str) -> "AreaData":
        """The data after this list has changed."""
        later = self.later or self
        if key in self.subjects:
            return replace(self, subjects={**self.subjects, key: later.subjects[key]})
        return replace(self, suppliers={**self.suppliers, key: later.suppliers[key]})

    @cached_property
    def links(self) -> Mapping[str, RecordLinks]:
        """By list: the people and companies that its records belong to in truth."""
        return link_lists(self.subjects, self.suppliers, {each.number: each for each in self.companies})

    def truth(self, receiver: str, sender: str) -> tuple[Pair, ...]:
        """The pairs of records of two lists that belong together."""
        return matching_pairs(self.links[receiver], self.links[sender])


def build_area(scenario: Scenario, area: Area, *, seed: int, scale: float = 1.0) -> AreaData:
    """Build one area. It depends on scenario, area, seed and scale only."""
    builder = AreaBuilder(scenario, area, seed, scale)
    supplying = builder.supplying()
    builder.unrelated()
    subjects, suppliers = builder.subjects(), builder.suppliers(supplying)
    requests = request_lists(
        area, subjects, link_lists(subjects, suppliers, builder.companies), builder.rng, scale
    )
    companies = tuple(builder.companies[number] for number in sorted(builder.companies))
    towns = tuple(builder.towns.values())

    def without(absent: Mapping[str, frozenset[str]], later: AreaData | None) -> AreaData:
        return AreaData(
            area=area,
            towns=towns,
            subjects={key: _without(rows, absent.get(key)) for key, rows in subjects.items()} | requests,
            companies=companies,
            suppliers={key: _without(rows, absent.get(key)) for key, rows in suppliers.items()},
            later=later,
        )

    changing = list_changes(area, {**subjects, **suppliers}, builder.rng, scale)
    if not changing:
        return without({}, None)
    later = without({key: change.removed for key, change in changing.items()}, None)
    return without({key: change.added for key, change in changing.items()}, later)


def _without(rows: tuple[Row, ...], absent: frozenset[str] | None) -> tuple[Row, ...]:
    return tuple(row for row in rows if row.reference not in absent) if absent else rows
