"""Records of people whom a police force maps, as it writes them, with their noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blindmatch.simulations.scenario.noise_kinds import NoiseKind
from blindmatch.simulations.world.names import load_names
from blindmatch.simulations.world.noise import swapped_birth, typing_error, wrong_birth
from blindmatch.simulations.world.population import Person, Population
from blindmatch.simulations.world.rng import SeededRandom


@dataclass(frozen=True, slots=True)
class Subject:
    """One record of the police extract; `person` and `noise` are the truth behind it."""

    reference: str
    person: int
    forenames: str
    surname: str
    aliases: tuple[str, ...]
    date_of_birth: str
    postcodes: tuple[str, ...]
    phones: tuple[str, ...]
    company_numbers: tuple[str, ...]
    group_reference: str
    grading: str
    handling_code: str
    noise: frozenset[NoiseKind]


class SubjectWriter:
    """Writes subjects' records with the scenario's rates of noise."""

    def __init__(
        self, rng: SeededRandom, population: Population, rates: Mapping[NoiseKind, float], letters: str
    ) -> None:
        self._rng = rng
        self._population = population
        self._rates = rates
        self._letters = letters  # the prefix of references
        self._names = load_names()

    def write(self, serial: int, person: Person, company_numbers: Sequence[str]) -> Subject:
        """The record of one person. The reference is built from `serial`."""
        rng = self._rng
        noise: set[NoiseKind] = set()
        forenames, surname, aliases = self._name(person, noise)
        handling = "C" if self._happens(NoiseKind.WITHHELD, noise) else "P"
        return Subject(
            reference=f"{self._letters}-N-{serial:06d}",
            person=person.id,
            forenames=forenames,
            surname=surname,
            aliases=aliases,
            date_of_birth=self._birth(person, noise),
            postcodes=self._postcodes(person, noise),
            phones=(f"07700 900{rng.number(0, 999):03d}",) if rng.chance(0.2) else (),
            company_numbers=tuple(company_numbers),
            group_reference=f"{self._letters}-OCG-{rng.number(1, max(2, len(self._population.people) // 200)):03d}",
            grading=f"{rng.number(1, 3)}{rng.pick('AABBBCCDE')}",
            handling_code=handling,
            noise=frozenset(noise),
        )

    def _happens(self, kind: NoiseKind, noise: set[NoiseKind]) -> bool:
        happened = self._rng.chance(self._rates.get(kind, 0.0))
        if happened:
            noise.add(kind)
        return happened

    def _another_name(self, person: Person) -> tuple[str, str]:
        """An invented name of the same community's kind."""
        community = self._names.communities[self._rng.draw(self._names.share)]
        return community.forename(self._rng, person.sex, person.born.year), community.surname(self._rng)

    def _name(self, person: Person, noise: set[NoiseKind]) -> tuple[str, str, tuple[str, ...]]:
        rng = self._rng
        legal = f"{person.forename} {person.surname}"
        if self._happens(NoiseKind.ASSUMED_NAME, noise):
            return (*self._another_name(person), ())
        if self._happens(NoiseKind.ALIAS, noise):
            return (*self._another_name(person), (legal,))
        forename, surname = person.forename, person.surname
        if person.former and self._happens(NoiseKind.FORMER_NAME, noise):
            surname = person.former
        short = self._names.nicknames.get(forename, ())
        forename = self._forename(forename, short, noise)
        if (other := self._names.spellings.get(surname)) and self._happens(NoiseKind.TRANSLITERATION, noise):
            surname = rng.pick(other)
        elif self._happens(NoiseKind.SURNAME_TYPO, noise):
            surname = typing_error(rng, surname)
        if person.middle and len(forename) > 1 and rng.chance(0.5):
            forename = f"{forename} {person.middle}"
        aliases: tuple[str, ...] = ()
        if rng.chance(0.15):
            aliases = (
                f"{rng.pick(short) if short else forename.split()[0]} {self._another_name(person)[1]}",
            )
        if self._happens(NoiseKind.SWAPPED_NAMES, noise):
            return surname, forename, aliases
        return forename, surname, aliases

    def _forename(self, forename: str, short: Sequence[str], noise: set[NoiseKind]) -> str:
        if (other := self._names.spellings.get(forename)) and self._happens(NoiseKind.TRANSLITERATION, noise):
            return self._rng.pick(other)
        if short and self._happens(NoiseKind.NICKNAME, noise):
            return self._rng.pick(short)
        if self._happens(NoiseKind.INITIAL, noise):
            return forename[0]
        if self._happens(NoiseKind.FORENAME_TYPO, noise):
            return typing_error(self._rng, forename)
        return forename

    def _birth(self, person: Person, noise: set[NoiseKind]) -> str:
        if self._happens(NoiseKind.MISSING_BIRTH, noise):
            return ""
        if self._happens(NoiseKind.YEAR_ONLY, noise):
            return str(person.born.year)
        if self._happens(NoiseKind.BIRTH_TYPO, noise):
            return wrong_birth(self._rng, person.born).isoformat()
        swapped = swapped_birth(person.born)
        if swapped and self._happens(NoiseKind.BIRTH_SWAPPED, noise):
            return swapped.isoformat()
        return person.born.isoformat()

    def _postcodes(self, person: Person, noise: set[NoiseKind]) -> tuple[str, ...]:
        other = self._rng.pick(self._population.postcodes)
        if self._happens(NoiseKind.MISSING_POSTCODE, noise):
            return ()
        if self._happens(NoiseKind.OLD_POSTCODE, noise):
            return (other,)
        return (person.postcode, other) if self._rng.chance(0.25) else (person.postcode,)


def choose_subjects(rng: SeededRandom, population: Population, count: int) -> list[Person]:
    """People whom a force maps: of working age, mostly men, now and then two of one household."""
    chosen: dict[int, Person] = {}
    eldest = max(person.born.year for person in population.people) - 47
    for person in rng.sample(population.people, len(population.people)):
        if len(chosen) >= count:
            break
        if person.born.year < eldest or (person.sex == "female" and not rng.chance(0.18)):
            continue
        chosen.setdefault(person.id, person)
        if len(chosen) < count and rng.chance(0.12):
            other = rng.pick(population.household(person))
            chosen.setdefault(other.id, other)
    return list(chosen.values())
