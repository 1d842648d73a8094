"""What a police force writes about the people it maps: the record, and what is wrong with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blindmatch.simulations.scenario.noise_kinds import NoiseKind
from blindmatch.simulations.world.names import load_names
from blindmatch.simulations.world.noise import swapped_birth, typing_error, wrong_birth
from blindmatch.simulations.world.population import Person, Population
from blindmatch.simulations.world.rng import SeededRandom

GROUP_SIZE = 8
"""Mean number of people in a mapped group."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One record of the police extract, as written there; `person` and `mistakes` are the truth behind it."""

    reference: str
    person: int
    forenames: str
    surname: str
    aliases: tuple[str, ...]
    date_of_birth: str
    postcodes: tuple[str, ...]
    phones: tuple[str, ...]
    company_numbers: tuple[str, ...]
    group: str
    grading: str
    handling: str
    mistakes: frozenset[NoiseKind]


class SubjectWriter:
    """Writes subjects' records with the scenario's rates of mistakes."""

    def __init__(
        self, dice: SeededRandom, population: Population, rates: Mapping[NoiseKind, float], letters: str
    ) -> None:
        self._dice = dice
        self._population = population
        self._rates = rates
        self._letters = letters  # they begin references
        self._names = load_names()

    def write(self, serial: int, person: Person, company_numbers: Sequence[str]) -> Subject:
        """The record of one person. `serial` makes the reference."""
        dice = self._dice
        made: set[NoiseKind] = set()
        forenames, surname, aliases = self._name(person, made)
        handling = "C" if self._slip(NoiseKind.WITHHELD, made) else "P"
        return Subject(
            reference=f"{self._letters}-N-{serial:06d}",
            person=person.id,
            forenames=forenames,
            surname=surname,
            aliases=aliases,
            date_of_birth=self._birth(person, made),
            postcodes=self._postcodes(person, made),
            phones=(f"07700 900{dice.number(0, 999):03d}",) if dice.chance(0.2) else (),
            company_numbers=tuple(company_numbers),
            group=f"{self._letters}-OCG-{dice.number(1, max(2, len(self._population.people) // 200)):03d}",
            grading=f"{dice.number(1, 3)}{dice.pick('AABBBCCDE')}",
            handling=handling,
            mistakes=frozenset(made),
        )

    def _slip(self, mistake: NoiseKind, made: set[NoiseKind]) -> bool:
        happened = self._dice.chance(self._rates.get(mistake, 0.0))
        if happened:
            made.add(mistake)
        return happened

    def _another_name(self, person: Person) -> tuple[str, str]:
        """An invented name of the same community's kind."""
        community = self._names.communities[self._dice.draw(self._names.share)]
        return community.forename(self._dice, person.sex, person.born.year), community.surname(self._dice)

    def _name(self, person: Person, made: set[NoiseKind]) -> tuple[str, str, tuple[str, ...]]:
        dice = self._dice
        legal = f"{person.forename} {person.surname}"
        if self._slip(NoiseKind.ASSUMED_NAME, made):
            return (*self._another_name(person), ())
        if self._slip(NoiseKind.ALIAS, made):
            return (*self._another_name(person), (legal,))
        forename, surname = person.forename, person.surname
        if person.former and self._slip(NoiseKind.FORMER_NAME, made):
            surname = person.former
        short = self._names.nicknames.get(forename, ())
        forename = self._forename(forename, short, made)
        if (other := self._names.spellings.get(surname)) and self._slip(NoiseKind.TRANSLITERATION, made):
            surname = dice.pick(other)
        elif self._slip(NoiseKind.SURNAME_TYPO, made):
            surname = typing_error(dice, surname)
        if person.middle and len(forename) > 1 and dice.chance(0.5):
            forename = f"{forename} {person.middle}"
        aliases: tuple[str, ...] = ()
        if dice.chance(0.15):
            aliases = (
                f"{dice.pick(short) if short else forename.split()[0]} {self._another_name(person)[1]}",
            )
        if self._slip(NoiseKind.SWAPPED_NAMES, made):
            return surname, forename, aliases
        return forename, surname, aliases

    def _forename(self, forename: str, short: Sequence[str], made: set[NoiseKind]) -> str:
        if (other := self._names.spellings.get(forename)) and self._slip(NoiseKind.TRANSLITERATION, made):
            return self._dice.pick(other)
        if short and self._slip(NoiseKind.NICKNAME, made):
            return self._dice.pick(short)
        if self._slip(NoiseKind.INITIAL, made):
            return forename[0]
        if self._slip(NoiseKind.FORENAME_TYPO, made):
            return typing_error(self._dice, forename)
        return forename

    def _birth(self, person: Person, made: set[NoiseKind]) -> str:
        if self._slip(NoiseKind.MISSING_BIRTH, made):
            return ""
        if self._slip(NoiseKind.YEAR_ONLY, made):
            return str(person.born.year)
        if self._slip(NoiseKind.BIRTH_TYPO, made):
            return wrong_birth(self._dice, person.born).isoformat()
        swapped = swapped_birth(person.born)
        if swapped and self._slip(NoiseKind.BIRTH_SWAPPED, made):
            return swapped.isoformat()
        return person.born.isoformat()

    def _postcodes(self, person: Person, made: set[NoiseKind]) -> tuple[str, ...]:
        other = self._dice.pick(self._population.postcodes)
        if self._slip(NoiseKind.MISSING_POSTCODE, made):
            return ()
        if self._slip(NoiseKind.OLD_POSTCODE, made):
            return (other,)
        return (person.postcode, other) if self._dice.chance(0.25) else (person.postcode,)


def choose_subjects(dice: SeededRandom, population: Population, count: int) -> list[Person]:
    """People whom a force maps: of working age, mostly men, now and then two of one household."""
    chosen: dict[int, Person] = {}
    eldest = max(person.born.year for person in population.people) - 47
    for person in dice.sample(population.people, len(population.people)):
        if len(chosen) >= count:
            break
        if person.born.year < eldest or (person.sex == "female" and not dice.chance(0.18)):
            continue
        chosen.setdefault(person.id, person)
        if len(chosen) < count and dice.chance(0.12):
            other = dice.pick(population.household(person))
            chosen.setdefault(other.id, other)
    return list(chosen.values())
