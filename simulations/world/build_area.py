"""Makes an area: chooses who stands on which list, gives companies their controllers, and has every list written."""

from collections.abc import Iterable, Mapping

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
"""Share of a list of suppliers that stands on the earlier lists of its place too."""


class AreaBuilder:
    """One area in the making. Every part throws dice of its own, so that none disturbs another."""

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
        self.mapped = self._choose()
        self.known: dict[str, dict[int, list[str]]] = {key: {} for key in self.mapped}
        self.ids = {person.id for people in self.mapped.values() for person in people}
        self.others = {
            name: [person for person in town.people if person.id not in self.ids]
            for name, town in {**self.towns, "": self.nation}.items()
        }

    def dice(self, *part: str) -> SeededRandom:
        """Throws for one part of the area."""
        return SeededRandom(*self.seed, *part)

    def _size(self, collection: Collection) -> int:
        return scaled(collection.records, self.scale, 6 if collection.kind == "subjects" else 12)

    def _build_towns(self) -> dict[str, Population]:
        """As many people in every place as its own lists and its share of the area's need."""
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
                self.dice("people", *([place.id] if self.area.places else [])),
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
        """Who is on which list of subjects: some from other lists, as the scenario says, the rest of the place."""
        chosen: dict[str, list[Person]] = {}
        everywhere = self._common()
        for number, (agency, collection) in enumerate(self.subject_lists):
            key, count = agency.key(collection), self._size(collection)
            dice = self.dice("subjects", *([key] if number else []))
            people = {person.id: person for person in everywhere.get(key, ())}
            for other, share in collection.shares.items():
                if other not in chosen:
                    raise ConfigError(
                        f"{key} shares people with {other}, which is no earlier list of subjects"
                    )
                for person in dice.sample(chosen[other], max(1, round(share * count))):
                    people.setdefault(person.id, person)
            for person in choose_subjects(dice, self._town(agency), count):
                if len(people) >= count:
                    break
                people.setdefault(person.id, person)
            chosen[key] = list(people.values())
        return chosen

    def _common(self) -> dict[str, list[Person]]:
        """People whom several lists hold; their number shrinks with the scenario's scale."""
        keys = {agency.key(collection) for agency, collection in self.subject_lists}
        found: dict[str, list[Person]] = {}
        for number, common in enumerate(self.area.common):
            people = choose_subjects(
                self.dice("common", str(number)), self.nation, scaled(common.people, self.scale, 1)
            )
            for key in common.lists:
                if key not in keys:
                    raise ConfigError(f"{self.area.id}: {key} is no list of subjects")
                found.setdefault(key, []).extend(people)
        return found

    def _appoint(
        self, dice: SeededRandom, company: Company, people: Iterable[Person], *, ceased: bool = False
    ) -> None:
        add_controllers(
            dice,
            company,
            people,
            today=self.scenario.today,
            office=self.scenario.register_.service_address,
            typo=self.scenario.mistakes.get(NoiseKind.REGISTER_TYPO, 0.0),
            ceased=ceased,
        )

    def _innocent(self, dice: SeededRandom, place: str) -> list[Person]:
        """One to three people who control a company together, none of them on any list of subjects."""
        first = dice.pick(self.others[place])
        people = {first.id: first}
        if dice.chance(0.4):
            family = [person for person in self.nation.household(first) if person.id not in self.ids]
            people.update((person.id, person) for person in (dice.pick(family),))
        if dice.chance(0.2):
            other = dice.pick(self.others[place])
            people[other.id] = other
        return list(people.values())

    def _register(self, dice: SeededRandom, companies: list[Company], place: str) -> None:
        """Give companies controllers who have nothing to do with any subject, and the register's odd entries."""
        rates = self.scenario.register_
        for company in companies:
            if company.controls:
                continue
            if dice.chance(rates.corporate):
                company.parent = dice.pick(companies).number
                continue
            self._appoint(dice, company, self._innocent(dice, place))
            if dice.chance(rates.ceased):
                self._appoint(dice, company, [dice.pick(self.others[place])], ceased=True)

    def supplying(self) -> dict[str, list[Company]]:
        """Which companies stand on which list of suppliers, with subjects in their places."""
        result: dict[str, list[Company]] = {}
        shared: dict[str, list[Company]] = {}
        for agency, collection in self.supplier_lists:
            key, place = agency.key(collection), agency.place
            dice = self.dice("companies", key)
            count = self._size(collection)
            # A body for the whole area knows companies of every place.
            pool = shared.get(place, []) if place else [c for each in shared.values() for c in each]
            fresh = count - round(count * SOLE_TRADER) - min(len(pool), round(count * SHARED_SUPPLIER))
            own = build_companies(dice, self._town(agency), count=fresh, taken=self.taken)
            free = dice.sample(own, len(own))
            for other, each in self.subject_lists:
                if place in ("", other.place) or not other.place:
                    self._link(dice, free, other.key(each), collection.linked, place)
            self._register(dice, own, place)
            self.companies.update((company.number, company) for company in own)
            result[key] = own + dice.sample(pool, round(count * SHARED_SUPPLIER))
            shared.setdefault(place, []).extend(own)
        return result

    def _link(self, dice: SeededRandom, free: list[Company], listed: str, share: float, place: str) -> None:
        """Make subjects controllers of suppliers, or note suppliers on their records."""
        links, mapped, known = self.scenario.links, self.mapped[listed], self.known[listed]
        for person in dice.sample(mapped, max(2, round(share * links.controllers * len(mapped)))):
            if not free:
                break
            company = free.pop()
            partners = [person]
            if dice.chance(0.35):
                partners += [p for p in self.nation.household(person) if p.id != person.id][:1]
            self._appoint(dice, company, partners)
            if dice.chance(links.company_known):
                known.setdefault(person.id, []).append(company.number)
        for person in dice.sample(mapped, max(1, round(share * links.company_only * len(mapped)))):
            if not free:
                break
            company = free.pop()
            family = [p for p in self.nation.household(person) if p.id != person.id]
            self._appoint(dice, company, family[:1] or self._innocent(dice, place))
            known.setdefault(person.id, []).append(company.number)

    def unrelated(self) -> None:
        """Companies that supply nobody here; a few subjects control one."""
        dice = self.dice("unrelated")
        count = round(len(self.companies) * self.scenario.register_.unrelated)
        companies = build_companies(dice, self.nation, count=count, taken=self.taken)
        free = dice.sample(companies, len(companies))
        for listed, mapped in self.mapped.items():
            for person in dice.sample(mapped, round(self.scenario.links.elsewhere * len(mapped))):
                if not free:
                    break
                company = free.pop()
                self._appoint(dice, company, [person])
                self.known[listed].setdefault(person.id, []).append(company.number)
        self._register(dice, companies, "")
        self.companies.update((company.number, company) for company in companies)

    def subjects(self) -> dict[str, tuple[Subject, ...]]:
        """Every list of people, in the order of its references; each with mistakes of its own."""
        result = {}
        for number, (agency, collection) in enumerate(self.subject_lists):
            key = agency.key(collection)
            dice, mapped = self.dice("police", *([key] if number else [])), self.mapped[key]
            letters = next(
                (p.postcodes for p in self.area.towns if p.id == agency.place), self.area.postcodes
            )
            begin = collection.prefix or letters or "XX"
            officer = SubjectWriter(dice, self._town(agency), self.scenario.mistakes, begin)
            serials = sorted(dice.sample(range(100_000, 100_000 + 20 * len(mapped)), len(mapped)))
            result[key] = tuple(
                officer.write(serial, person, self.known[key].get(person.id, ()))
                for serial, person in zip(serials, dice.sample(mapped, len(mapped)), strict=True)
            )
        return result

    def suppliers(self, supplying: Mapping[str, list[Company]]) -> dict[str, tuple[Supplier, ...]]:
        """Every list of suppliers."""
        result = {}
        for agency, collection in self.supplier_lists:
            key = agency.key(collection)
            clerk = SupplierWriter(
                self.dice("suppliers", key),
                self._town(agency),
                self.others[agency.place],
                self.scenario.mistakes,
                collection.prefix,
            )
            result[key] = clerk.rows(supplying[key], round(self._size(collection) * SOLE_TRADER))
        return result
