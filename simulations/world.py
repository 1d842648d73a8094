"""One area of a scenario: its people, its companies, both agencies' files, and the truth between them."""

from collections.abc import Iterable
from dataclasses import dataclass

from blindmatch.simulations.caseload import Officer, Subject, choose_subjects
from blindmatch.simulations.dice import Dice
from blindmatch.simulations.mistakes import Mistake, worst, wrong_digit
from blindmatch.simulations.population import (
    Company,
    Person,
    Population,
    appoint,
    build_companies,
    build_population,
)
from blindmatch.simulations.scenario import Area, Council, Scenario

SHARED_SUPPLIER = 0.15
"""Share of a council's suppliers that also supply the area's other councils."""

LISTED_TWICE = 0.02
"""Share of suppliers with two rows: two departments, two references."""

SOLE_TRADER = 0.06
"""Share of suppliers that are no company."""


@dataclass(frozen=True, slots=True)
class Supplier:
    """One row of a council's supplier file, as written there; `company` is the true number, or empty."""

    reference: str
    company: str
    name: str
    company_number: str
    vat_number: str
    postcode: str
    contract_reference: str
    contract_value: int
    mistakes: frozenset[Mistake]


@dataclass(frozen=True, slots=True)
class Truth:
    """A subject and a supplier that belong together.

    `via` is "person" (he controls it, says the register), "company" (the police know its number), or both joined
    with "+"; `mistakes` are those that stand in the way of the pair.
    """

    council: str
    subject: str
    supplier: str
    via: str
    mistakes: frozenset[Mistake]

    @property
    def kind(self) -> str:
        """The pair's worst mistake, or "clean"."""
        return worst(self.mistakes)


@dataclass(frozen=True)
class World:
    """Everything about one area."""

    area: Area
    population: Population
    subjects: tuple[Subject, ...]
    companies: tuple[Company, ...]
    suppliers: dict[str, tuple[Supplier, ...]]
    truth: tuple[Truth, ...]


def scaled(size: int, scale: float, least: int) -> int:
    """A scenario's size times the scale, never under `least`."""
    return max(least, round(size * scale))


class _Maker:
    def __init__(self, scenario: Scenario, area: Area, seed: int, scale: float) -> None:
        self.scenario, self.area, self.scale = scenario, area, scale
        self.seed = (scenario.name, seed, f"{scale:.6f}", area.id)
        self.companies: dict[str, Company] = {}
        self.known: dict[int, list[str]] = {}  # person -> company numbers on his police record
        self.taken: set[str] = set()
        subjects = scaled(area.police.subjects, scale, 6)
        suppliers = sum(scaled(council.suppliers, scale, 12) for council in area.councils)
        self.population = build_population(
            self._dice("people"),
            count=6 * subjects + 3 * suppliers,
            letters=area.postcodes,
            town=area.name,
            today=scenario.today,
        )
        self.mapped = choose_subjects(self._dice("subjects"), self.population, subjects)
        ids = {person.id for person in self.mapped}
        self.others = [person for person in self.population.people if person.id not in ids]

    def _dice(self, *part: str) -> Dice:
        return Dice(*self.seed, *part)

    def _appoint(
        self, dice: Dice, company: Company, people: Iterable[Person], *, ceased: bool = False
    ) -> None:
        appoint(
            dice,
            company,
            people,
            today=self.scenario.today,
            office=self.scenario.register_.service_address,
            typo=self.scenario.mistakes.get(Mistake.REGISTER_TYPO, 0.0),
            ceased=ceased,
        )

    def _innocent(self, dice: Dice) -> list[Person]:
        """One to three people who control a company together, none of them a subject."""
        first = dice.pick(self.others)
        ids = {person.id for person in self.mapped}
        people = {first.id: first}
        if dice.chance(0.4):
            family = [person for person in self.population.household(first) if person.id not in ids]
            people.update((person.id, person) for person in (dice.pick(family),))
        if dice.chance(0.2):
            other = dice.pick(self.others)
            people[other.id] = other
        return list(people.values())

    def _register(self, dice: Dice, companies: list[Company]) -> None:
        """Give companies controllers who have nothing to do with any subject, and the register's odd entries."""
        rates = self.scenario.register_
        for company in companies:
            if company.controls:
                continue
            if dice.chance(rates.corporate):
                company.parent = dice.pick(companies).number
                continue
            self._appoint(dice, company, self._innocent(dice))
            if dice.chance(rates.ceased):
                self._appoint(dice, company, [dice.pick(self.others)], ceased=True)

    def council_companies(self) -> dict[str, list[Company]]:
        """Which companies supply which council, with subjects in their places."""
        result: dict[str, list[Company]] = {}
        shared: list[Company] = []
        for council in self.area.councils:
            dice = self._dice("companies", council.id)
            count = scaled(council.suppliers, self.scale, 12)
            fresh = count - round(count * SOLE_TRADER) - min(len(shared), round(count * SHARED_SUPPLIER))
            own = build_companies(dice, self.population, count=fresh, taken=self.taken)
            self._link(dice, own)
            self._register(dice, own)
            self.companies.update((company.number, company) for company in own)
            result[council.id] = own + dice.sample(shared, round(count * SHARED_SUPPLIER))
            shared = shared + own
        return result

    def _link(self, dice: Dice, companies: list[Company]) -> None:
        """Make subjects controllers of suppliers, or note suppliers on their police records."""
        links = self.scenario.links
        free = dice.sample(companies, len(companies))
        for person in dice.sample(self.mapped, max(2, round(links.controllers * len(self.mapped)))):
            company = free.pop()
            partners = [person]
            if dice.chance(0.35):
                partners += [p for p in self.population.household(person) if p.id != person.id][:1]
            self._appoint(dice, company, partners)
            if dice.chance(links.company_known):
                self.known.setdefault(person.id, []).append(company.number)
        for person in dice.sample(self.mapped, max(1, round(links.company_only * len(self.mapped)))):
            company = free.pop()
            family = [p for p in self.population.household(person) if p.id != person.id]
            self._appoint(dice, company, family[:1] or self._innocent(dice))
            self.known.setdefault(person.id, []).append(company.number)

    def unrelated(self) -> None:
        """Companies that supply nobody here; a few subjects control one."""
        dice = self._dice("unrelated")
        count = round(len(self.companies) * self.scenario.register_.unrelated)
        companies = build_companies(dice, self.population, count=count, taken=self.taken)
        free = dice.sample(companies, len(companies))
        for person in dice.sample(self.mapped, round(self.scenario.links.elsewhere * len(self.mapped))):
            if not free:
                break
            company = free.pop()
            self._appoint(dice, company, [person])
            self.known.setdefault(person.id, []).append(company.number)
        self._register(dice, companies)
        self.companies.update((company.number, company) for company in companies)

    def subjects(self) -> tuple[Subject, ...]:
        """The police extract, in the order of its references."""
        dice = self._dice("police")
        officer = Officer(dice, self.population, self.scenario.mistakes, self.area.postcodes)
        serials = sorted(dice.sample(range(100_000, 100_000 + 20 * len(self.mapped)), len(self.mapped)))
        return tuple(
            officer.write(serial, person, self.known.get(person.id, ()))
            for serial, person in zip(serials, dice.sample(self.mapped, len(self.mapped)), strict=True)
        )

    def suppliers(self, council: Council, companies: list[Company]) -> tuple[Supplier, ...]:
        """A council's supplier list."""
        dice = self._dice("suppliers", council.id)
        entries: list[Company | None] = [*companies]
        entries += [company for company in companies if dice.chance(LISTED_TWICE)]
        entries += [None] * round(scaled(council.suppliers, self.scale, 12) * SOLE_TRADER)
        entries = dice.sample(entries, len(entries))
        return tuple(self._row(dice, 100_000 + 3 * place, company) for place, company in enumerate(entries))

    def _row(self, dice: Dice, serial: int, company: Company | None) -> Supplier:
        made: set[Mistake] = set()
        number, vat, code = "", "", dice.pick(self.population.postcodes)
        if company is None:
            trader = dice.pick(self.others)
            name = f"{trader.forename[0]} {trader.surname} Services"
        else:
            name = company.name.upper() if dice.chance(0.3) else company.name
            number = company.number
            vat = company.vat if dice.chance(0.75) else ""
            code = company.postcode
            if dice.chance(self.scenario.mistakes.get(Mistake.SUPPLIER_UNNUMBERED, 0.0)):
                made.add(Mistake.SUPPLIER_UNNUMBERED)
                number = ""
            elif dice.chance(self.scenario.mistakes.get(Mistake.SUPPLIER_MISNUMBERED, 0.0)):
                made.add(Mistake.SUPPLIER_MISNUMBERED)
                number = wrong_digit(dice, number)
            elif number.startswith("0") and dice.chance(0.1):
                number = number.lstrip("0")  # a spreadsheet took it for a quantity
        return Supplier(
            reference=f"V{serial}",
            company="" if company is None else company.number,
            name=name,
            company_number=number,
            vat_number=vat,
            postcode=code,
            contract_reference=f"C{serial + 400_000}",
            contract_value=round(10 ** (3 + 3 * dice.unit())),
            mistakes=frozenset(made),
        )


def _truth(
    council: str,
    subjects: tuple[Subject, ...],
    suppliers: tuple[Supplier, ...],
    companies: dict[str, Company],
) -> Iterable[Truth]:
    by_person = {subject.person: subject for subject in subjects}
    by_company: dict[str, list[Subject]] = {}
    for subject in subjects:
        for number in subject.company_numbers:
            by_company.setdefault(number, []).append(subject)
    for supplier in suppliers:
        if not supplier.company:
            continue
        found: dict[str, tuple[Subject, list[str], frozenset[Mistake]]] = {}
        for control in companies[supplier.company].controls:
            known = by_person.get(control.person)
            if known is not None and control.ceased is None:
                found[known.reference] = (known, ["person"], known.mistakes | control.mistakes)
        for subject in by_company.get(supplier.company, ()):
            via = found[subject.reference][1] if subject.reference in found else []
            withheld = subject.mistakes & {Mistake.WITHHELD}
            found[subject.reference] = (subject, [*via, "company"], withheld)
        for subject, via, mistakes in found.values():
            yield Truth(
                council, subject.reference, supplier.reference, "+".join(via), mistakes | supplier.mistakes
            )


def build_world(scenario: Scenario, area: Area, *, seed: int, scale: float = 1.0) -> World:
    """Make one area. It depends on nothing but scenario, area, seed and scale."""
    maker = _Maker(scenario, area, seed, scale)
    supplying = maker.council_companies()
    maker.unrelated()
    subjects = maker.subjects()
    suppliers = {council.id: maker.suppliers(council, supplying[council.id]) for council in area.councils}
    truth = [
        pair
        for council in area.councils
        for pair in _truth(council.id, subjects, suppliers[council.id], maker.companies)
    ]
    return World(
        area=area,
        population=maker.population,
        subjects=subjects,
        companies=tuple(maker.companies[number] for number in sorted(maker.companies)),
        suppliers=suppliers,
        truth=tuple(sorted(truth, key=lambda pair: (pair.council, pair.subject, pair.supplier))),
    )
