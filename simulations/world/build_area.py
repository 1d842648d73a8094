"""Builds an area: chooses the people of every list, assigns controllers to companies, and writes every list."""

from collections.abc import Iterable, Iterator, Mapping

from blindmatch.protocol.errors import ConfigError
from blindmatch.simulations.scenario.noise_kinds import NoiseKind
from blindmatch.simulations.scenario.scenario import Agency, Area, Collection, Scenario
from blindmatch.simulations.world.council_records import SOLE_TRADER, Supplier, SupplierWriter
from blindmatch.simulations.world.excerpts import scaled
from blindmatch.simulations.world.police_records import Subject, SubjectWriter, choose_subjects
from blindmatch.simulations.world.population import (
    Company,
    Person,
    Population,
    add_controllers,
    build_companies,
    build_population,
    merge_populations,
)
from blindmatch.simulations.world.rng import SeededRandom

SHARED_SUPPLIER = 0.15
"""Share of a list of suppliers that is also on the earlier lists of its place."""


def _paired(people: Iterable[Person], free: list[Company]) -> Iterator[tuple[Person, Company]]:
    """Each person with a company from the end of `free`, until there is none."""
    for person in people:
        if not free:
            return
        yield person, free.pop()


class AreaBuilder:
    """Builds one area. Every part uses a random sequence of its own, so that a change of one part does not affect another."""

    def __init__(self, scenario: Scenario, area: Area, seed: int, scale: float) -> None:
        self.scenario, self.area, self.scale = scenario, area, scale
        self.seed = (scenario.name, seed, f"{scale:.6f}", area.id)
        self.companies: dict[str, Company] = {}
        self.taken: set[str] = set()
        lists = [(agency, each) for agency in area.agencies for each in agency.collections if not each.of]
        self.subject_lists = [(agency, each) for agency, each in lists if each.kind == "subjects"]
        self.supplier_lists = [(agency, each) for agency, each in lists if each.kind == "suppliers"]
        self.towns = self._build_towns()
        self.nation = merge_populations(list(self.towns.values()))
        self.listed_people = self._choose()
        self.known: dict[str, dict[int, list[str]]] = {key: {} for key in self.listed_people}
        self.ids = {person.id for people in self.listed_people.values() for person in people}
        self.others = {
            name: [person for person in town.people if person.id not in self.ids]
            for name, town in {**self.towns, "": self.nation}.items()
        }

    def rng(self, *part: str) -> SeededRandom:
        """The random sequence of one part of the area."""
        return SeededRandom(*self.seed, *part)

    def _size(self, collection: Collection) -> int:
        return scaled(collection.records, self.scale, 6 if collection.kind == "subjects" else 12)

    def _build_towns(self) -> dict[str, Population]:
        """People in every place, in proportion to the lists of the place and of the whole area."""
        towns: dict[str, Population] = {}
        places = self.area.towns
        first = 0
        for place in places:
            count = 0
            for weight, lists in ((6, self.subject_lists), (3, self.supplier_lists)):
                count += weight * sum(self._size(c) for agency, c in lists if agency.place == place.id)
                wide = sum(self._size(c) for agency, c in lists if not agency.place)
                count += -(-weight * wide // len(places))
            towns[place.id] = build_population(
                self.rng("people", *([place.id] if self.area.places else [])),
                count=count,
                letters=place.postcodes,
                town=place.name,
                today=self.scenario.today,
                first=first,
            )
            first += len(towns[place.id].people)
        return towns

    def _town(self, agency: Agency) -> Population:
        return self.towns[agency.place] if agency.place else self.nation

    def _choose(self) -> dict[str, list[Person]]:
        """The people of each list of subjects: some from other lists, as the scenario states, the rest from the place."""
        chosen: dict[str, list[Person]] = {}
        everywhere = self._common()
        for number, (agency, collection) in enumerate(self.subject_lists):
            key, count = agency.key(collection), self._size(collection)
            rng = self.rng("subjects", *([key] if number else []))
            people = {person.id: person for person in everywhere.get(key, ())}
            for other, share in collection.shares.items():
                if other not in chosen:
                    raise ConfigError(
                        f"{key} shares people with {other}, which is not an earlier list of subjects"
                    )
                for person in rng.sample(chosen[other], max(1, round(share * count))):
                    people.setdefault(person.id, person)
            for person in choose_subjects(rng, self._town(agency), count):
                if len(people) >= count:
                    break
                people.setdefault(person.id, person)
            chosen[key] = list(people.values())
        return chosen

    def _common(self) -> dict[str, list[Person]]:
        """People who are on several lists, by list; their number depends on the scale."""
        keys = {agency.key(collection) for agency, collection in self.subject_lists}
        result: dict[str, list[Person]] = {}
        for number, common in enumerate(self.area.common):
            people = choose_subjects(
                self.rng("common", str(number)), self.nation, scaled(common.people, self.scale, 1)
            )
            for key in common.lists:
                if key not in keys:
                    raise ConfigError(f"{self.area.id}: {key} is not a list of subjects")
                result.setdefault(key, []).extend(people)
        return result

    def _appoint(
        self, rng: SeededRandom, company: Company, people: Iterable[Person], *, ceased: bool = False
    ) -> None:
        add_controllers(
            rng,
            company,
            people,
            today=self.scenario.today,
            office=self.scenario.register_.service_address,
            typo=self.scenario.noise.get(NoiseKind.REGISTER_TYPO, 0.0),
            ceased=ceased,
        )

    def _unlisted_controllers(self, rng: SeededRandom, place: str) -> list[Person]:
        """One to three people who control a company together, none of them on any list of subjects."""
        first = rng.pick(self.others[place])
        people = {first.id: first}
        if rng.chance(0.4):
            family = [person for person in self.nation.household(first) if person.id not in self.ids]
            people.update((person.id, person) for person in (rng.pick(family),))
        if rng.chance(0.2):
            other = rng.pick(self.others[place])
            people[other.id] = other
        return list(people.values())

    def _register(self, rng: SeededRandom, companies: list[Company], place: str) -> None:
        """Assign controllers without any relation to a subject, and add the register's special entries."""
        rates = self.scenario.register_
        for company in companies:
            if company.controls:
                continue
            if rng.chance(rates.corporate):
                company.parent = rng.pick(companies).number
                continue
            self._appoint(rng, company, self._unlisted_controllers(rng, place))
            if rng.chance(rates.ceased):
                self._appoint(rng, company, [rng.pick(self.others[place])], ceased=True)

    def supplying(self) -> dict[str, list[Company]]:
        """The companies of each list of suppliers; subjects control some of them."""
        result: dict[str, list[Company]] = {}
        shared: dict[str, list[Company]] = {}
        for agency, collection in self.supplier_lists:
            key, place = agency.key(collection), agency.place
            rng = self.rng("companies", key)
            count = self._size(collection)
            # An agency of the whole area has companies of every place.
            pool = shared.get(place, []) if place else [c for each in shared.values() for c in each]
            fresh = count - round(count * SOLE_TRADER) - min(len(pool), round(count * SHARED_SUPPLIER))
            own = build_companies(rng, self._town(agency), count=fresh, taken=self.taken)
            free = rng.sample(own, len(own))
            for other, each in self.subject_lists:
                if place in ("", other.place) or not other.place:
                    self._link(rng, free, other.key(each), collection.linked, place)
            self._register(rng, own, place)
            self.companies.update((company.number, company) for company in own)
            result[key] = own + rng.sample(pool, round(count * SHARED_SUPPLIER))
            shared.setdefault(place, []).extend(own)
        return result

    def _link(self, rng: SeededRandom, free: list[Company], key: str, share: float, place: str) -> None:
        """Make subjects controllers of suppliers, or enter suppliers on their records."""
        links, listed_people, known = self.scenario.links, self.listed_people[key], self.known[key]
        controllers = rng.sample(listed_people, max(2, round(share * links.controllers * len(listed_people))))
        for person, company in _paired(controllers, free):
            partners = [person]
            if rng.chance(0.35):
                partners += [p for p in self.nation.household(person) if p.id != person.id][:1]
            self._appoint(rng, company, partners)
            if rng.chance(links.company_known):
                known.setdefault(person.id, []).append(company.number)
        connected = rng.sample(listed_people, max(1, round(share * links.company_only * len(listed_people))))
        for person, company in _paired(connected, free):
            family = [p for p in self.nation.household(person) if p.id != person.id]
            self._appoint(rng, company, family[:1] or self._unlisted_controllers(rng, place))
            known.setdefault(person.id, []).append(company.number)

    def unrelated(self) -> None:
        """Add companies that supply none of the agencies; a few subjects control one."""
        rng = self.rng("unrelated")
        count = round(len(self.companies) * self.scenario.register_.unrelated)
        companies = build_companies(rng, self.nation, count=count, taken=self.taken)
        free = rng.sample(companies, len(companies))
        for listed, listed_people in self.listed_people.items():
            people = rng.sample(listed_people, round(self.scenario.links.elsewhere * len(listed_people)))
            for person, company in _paired(people, free):
                self._appoint(rng, company, [person])
                self.known[listed].setdefault(person.id, []).append(company.number)
        self._register(rng, companies, "")
        self.companies.update((company.number, company) for company in companies)

    def subjects(self) -> dict[str, tuple[Subject, ...]]:
        """Every list of people, in the order of its references; each with noise of its own."""
        result = {}
        for number, (agency, collection) in enumerate(self.subject_lists):
            key = agency.key(collection)
            rng, listed_people = self.rng("police", *([key] if number else [])), self.listed_people[key]
            letters = next(
                (p.postcodes for p in self.area.towns if p.id == agency.place), self.area.postcodes
            )
            prefix = collection.prefix or letters or "XX"
            writer = SubjectWriter(rng, self._town(agency), self.scenario.noise, prefix)
            serials = sorted(
                rng.sample(range(100_000, 100_000 + 20 * len(listed_people)), len(listed_people))
            )
            result[key] = tuple(
                writer.write(serial, person, self.known[key].get(person.id, ()))
                for serial, person in zip(serials, rng.sample(listed_people, len(listed_people)), strict=True)
            )
        return result

    def suppliers(self, supplying: Mapping[str, list[Company]]) -> dict[str, tuple[Supplier, ...]]:
        """Every list of suppliers."""
        result = {}
        for agency, collection in self.supplier_lists:
            key = agency.key(collection)
            writer = SupplierWriter(
                self.rng("suppliers", key),
                self._town(agency),
                self.others[agency.place],
                self.scenario.noise,
                collection.prefix,
            )
            result[key] = writer.rows(supplying[key], round(self._size(collection) * SOLE_TRADER))
        return result
