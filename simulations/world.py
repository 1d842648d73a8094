"""One area of a scenario: its people, its companies, every agency's lists, and the truth between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from blindmatch.simulations.caseload import Subject
from blindmatch.simulations.ledger import Supplier
from blindmatch.simulations.making import Maker
from blindmatch.simulations.population import Company, Person, Population
from blindmatch.simulations.scenario import Area, Scenario
from blindmatch.simulations.truth import Bonds, Pair, list_bonds, pairs


@dataclass(frozen=True)
class World:
    """Everything about one area. Lists go by `Agency.key`."""

    area: Area
    towns: tuple[Population, ...]
    subjects: Mapping[str, tuple[Subject, ...]]
    companies: tuple[Company, ...]
    suppliers: Mapping[str, tuple[Supplier, ...]]

    @cached_property
    def bonds(self) -> Mapping[str, Bonds]:
        """What every list's records are tied to in truth."""
        return list_bonds(self.subjects, self.suppliers, {each.number: each for each in self.companies})

    def truth(self, receiver: str, sender: str) -> tuple[Pair, ...]:
        """The pairs of records of two lists that belong together."""
        return pairs(self.bonds[receiver], self.bonds[sender])

    def references(self, agency: str) -> set[str]:
        """Every reference of an agency's lists."""
        mine = {key for key in self.bonds if key.partition("/")[0] == agency}
        return {reference for key in mine for reference in self.bonds[key].records}

    def person(self, number: int) -> Person:
        """Anybody of any town, by id."""
        return next(town for town in reversed(self.towns) if town.first <= number).person(number)


def build_world(scenario: Scenario, area: Area, *, seed: int, scale: float = 1.0) -> World:
    """Make one area. It depends on nothing but scenario, area, seed and scale."""
    maker = Maker(scenario, area, seed, scale)
    supplying = maker.supplying()
    maker.unrelated()
    subjects, suppliers = maker.subjects(), maker.suppliers(supplying)
    return World(
        area=area,
        towns=tuple(maker.towns.values()),
        subjects=subjects | maker.requests(subjects, suppliers),
        companies=tuple(maker.companies[number] for number in sorted(maker.companies)),
        suppliers=suppliers,
    )
