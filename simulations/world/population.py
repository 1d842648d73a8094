"""Synthetic people in households, and companies with the people who control them. All people are invented."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from blindmatch.simulations.scenario.noise_kinds import NoiseKind
from blindmatch.simulations.world.names import Names, load_names
from blindmatch.simulations.world.noise import typing_error
from blindmatch.simulations.world.rng import SeededRandom

INWARD = "ABDEFGHJLNPQRSTUWXYZ"
"""Letters that the second half of a postcode uses."""

HOUSEHOLDS_PER_POSTCODE = 15
VAT_WEIGHTS = (8, 7, 6, 5, 4, 3, 2)
COMPANY_FORMATS = ((0.92, ""), (0.95, "SC"), (0.965, "NI"), (1.0, "OC"))
"""Cumulative share of companies by the prefix of their number."""


@dataclass(frozen=True, slots=True)
class Person:
    """An invented person. `former` is the surname before marriage, or empty."""

    id: int
    forename: str
    middle: str
    surname: str
    former: str
    sex: str
    born: date
    household: int
    address: str
    postcode: str


@dataclass(frozen=True, slots=True)
class Control:
    """A person with significant control, as the register writes it."""

    person: int
    forename: str
    middle: str
    surname: str
    address: str
    postcode: str
    notified: date
    ceased: date | None = None
    noise: frozenset[NoiseKind] = frozenset()


@dataclass(slots=True)
class Company:
    """An invented company; `parent` is a controlling company's number, or empty."""

    number: str
    name: str
    address: str
    postcode: str
    vat: str
    controls: list[Control] = field(default_factory=list)
    parent: str = ""


@dataclass(frozen=True)
class Population:
    """The people of one town, or of several together; `people[i].id == first + i`."""

    town: str
    """Empty for several towns."""
    people: tuple[Person, ...]
    postcodes: tuple[str, ...]
    first: int = 0

    def person(self, number: int) -> Person:
        """One of these people, by id."""
        return self.people[number - self.first]

    def household(self, person: Person) -> tuple[Person, ...]:
        """The people at this person's address, including that person. Ids of a household are consecutive."""
        members = []
        for step in (-1, 1):
            place = person.id - self.first + max(0, step)
            while 0 <= place < len(self.people) and self.people[place].household == person.household:
                members.append(self.people[place])
                place += step
            if step < 0:
                members.reverse()
        return tuple(members)


def postcode(rng: SeededRandom, letters: str, districts: int) -> str:
    """A postcode in an area that the Post Office has not assigned."""
    return f"{letters}{rng.number(1, districts)} {rng.number(0, 9)}{rng.letters(INWARD, 2)}"


def vat_number(rng: SeededRandom) -> str:
    """Nine digits whose last two are the modulus-97 check."""
    digits = [rng.number(1, 9), *(rng.number(0, 9) for _ in range(6))]
    total = sum(weight * digit for weight, digit in zip(VAT_WEIGHTS, digits, strict=True))
    return "".join(map(str, digits)) + f"{97 - total % 97:02d}"


def company_number(rng: SeededRandom) -> str:
    """Eight characters: digits for England and Wales, SC Scotland, NI Northern Ireland, OC partnerships."""
    place = rng.unit()
    prefix = next(prefix for share, prefix in COMPANY_FORMATS if place < share)
    if prefix:
        return f"{prefix}{rng.number(100_000, 799_999)}"
    return f"{rng.number(1_000_000, 15_999_999):08d}"


class _PopulationBuilder:
    """Builds households one after another until there are enough people."""

    def __init__(
        self, rng: SeededRandom, names: Names, *, letters: str, count: int, today: date, first: int
    ) -> None:
        self.rng = rng
        self.names = names
        self.year = today.year
        self.first = first
        self.people: list[Person] = []
        self.postcodes = tuple(
            dict.fromkeys(
                postcode(rng, letters, 24) for _ in range(max(4, count // (2 * HOUSEHOLDS_PER_POSTCODE)))
            )
        )
        self._household = 0

    def household(self) -> None:
        """One address: a single person, a couple, a family with a grown child, or sharers."""
        rng = self.rng
        home = (
            f"{rng.number(1, 180)} {rng.pick(self.names.streets)} {rng.pick(self.names.street_kinds)}",
            rng.pick(self.postcodes),
        )
        self._household += 1
        community = rng.draw(self.names.share)
        surname = self.names.communities[community].surname(rng)
        kind = rng.unit()
        year = self.year - rng.number(24, 78)
        if kind < 0.32:
            self._add(community, rng.pick(("female", "male")), surname, year, home)
        elif kind < 0.90:
            first = self._add(community, "male", surname, year, home)
            married = rng.chance(0.72)
            own = self.names.communities[community].surname(rng)
            partner_year = min(year + rng.number(-6, 6), self.year - 20)
            second = self._add(
                community,
                "female",
                surname if married else own,
                partner_year,
                home,
                former=own if married else "",
            )
            oldest_child = max(first.born.year, second.born.year) + 18
            while oldest_child <= self.year - 19 and rng.chance(0.28):
                self._child(community, first if rng.chance(0.5) else second, surname, oldest_child, home)
        else:
            for _ in range(rng.number(2, 3)):
                other = rng.draw(self.names.share)
                name = self.names.communities[other].surname(rng)
                self._add(other, rng.pick(("female", "male")), name, self.year - rng.number(20, 45), home)

    def _child(
        self, community: str, parent: Person, surname: str, oldest: int, home: tuple[str, str]
    ) -> None:
        year = self.rng.number(oldest, self.year - 19)
        forename = parent.forename if self.rng.chance(0.06) else ""
        self._add(community, parent.sex, surname, year, home, forename=forename)

    def _add(
        self,
        community: str,
        sex: str,
        surname: str,
        year: int,
        home: tuple[str, str],
        *,
        former: str = "",
        forename: str = "",
    ) -> Person:
        rng = self.rng
        table = self.names.communities[community]
        forename = forename or table.forename(rng, sex, year)
        middle = table.forename(rng, sex, year) if rng.chance(0.62) else ""
        person = Person(
            id=self.first + len(self.people),
            forename=forename,
            middle="" if middle == forename else middle,
            surname=surname,
            former=former,
            sex=sex,
            born=date(year, rng.number(1, 12), rng.number(1, 28)),
            household=self._household,
            address=home[0],
            postcode=home[1],
        )
        self.people.append(person)
        return person


def build_population(
    rng: SeededRandom, *, count: int, letters: str, town: str, today: date, first: int = 0
) -> Population:
    """At least `count` adults in households.

    Args:
        rng: the random sequence.
        count: adults wanted; the last household may add a few.
        letters: the first two letters of the area's postcodes.
        town: the area's name, for addresses.
        today: the date of the files.
        first: the first person's id.
    """
    builder = _PopulationBuilder(rng, load_names(), letters=letters, count=count, today=today, first=first)
    while len(builder.people) < count:
        builder.household()
    return Population(town=town, people=tuple(builder.people), postcodes=builder.postcodes, first=first)


def merge_populations(towns: Sequence[Population]) -> Population:
    """Several towns as one population; a single one is returned as it is. Ids must be consecutive from town to town."""
    if len(towns) == 1:
        return towns[0]
    people = tuple(person for town in towns for person in town.people)
    return Population("", people, tuple(code for town in towns for code in town.postcodes), towns[0].first)


def build_companies(
    rng: SeededRandom, population: Population, *, count: int, taken: set[str]
) -> list[Company]:
    """Companies without controllers yet.

    Args:
        rng: the random sequence.
        population: the source of addresses and founders' names.
        count: companies wanted.
        taken: numbers already in use; the new ones are added.
    """
    names = load_names()
    companies = []
    for _ in range(count):
        number = company_number(rng)
        while number in taken:
            number = company_number(rng)
        taken.add(number)
        founder = rng.pick(population.people).surname
        first = (
            f"{founder} & Sons"
            if rng.chance(0.08)
            else founder
            if rng.chance(0.4)
            else rng.pick(names.company_words)
        )
        form = "LLP" if number.startswith("OC") else rng.pick(names.company_forms)
        companies.append(
            Company(
                number=number,
                name=f"{first} {rng.pick(names.trades)} {form}",
                address=f"Unit {rng.number(1, 60)}, {rng.pick(names.streets)} Business Park",
                postcode=rng.pick(population.postcodes),
                vat=vat_number(rng),
            )
        )
    return companies


def add_controllers(
    rng: SeededRandom,
    company: Company,
    people: Iterable[Person],
    *,
    today: date,
    office: float,
    typo: float,
    ceased: bool = False,
) -> None:
    """Enter people in the register as controlling a company, with home or office as service address.

    Args:
        rng: the random sequence.
        company: the company that gets the entries.
        people: its controllers.
        today: no appointment is later.
        office: share of entries that show an office instead of the home.
        typo: share of entries with a typing error in a name.
        ceased: the entries are of former controllers.
    """
    for person in people:
        noise = set()
        forename, surname = person.forename, person.surname
        address, code = person.address, person.postcode
        if rng.chance(office):
            noise.add(NoiseKind.SERVICE_ADDRESS)
            address, code = company.address, company.postcode
        if rng.chance(typo):
            noise.add(NoiseKind.REGISTER_TYPO)
            if rng.chance(0.5):
                forename = typing_error(rng, forename)
            else:
                surname = typing_error(rng, surname)
        first_year = min(max(2016, person.born.year + 18), today.year - 1)
        company.controls.append(
            Control(
                person=person.id,
                forename=forename,
                middle=person.middle,
                surname=surname,
                address=address,
                postcode=code,
                notified=date(rng.number(first_year, today.year - 1), rng.number(1, 6), rng.number(1, 28)),
                ceased=date(today.year - 1, 12, rng.number(1, 28)) if ceased else None,
                noise=frozenset(noise),
            )
        )
