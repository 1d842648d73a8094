"""Pairs of lists whose truth is known: families, duplicates, few people in both, gaps and slips. Nobody here is real.

They are harder than two exports of one register in the ways that cost precision: members of one household stand on
different lists, a child bears a parent's name, a list holds a person twice, and nearly everybody is on one list only.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from pathlib import Path
from typing import Final

from blindmatch.simulations.world.names import load_names
from blindmatch.simulations.world.noise import swapped_birth, typing_error, wrong_birth
from blindmatch.simulations.world.population import Person, Population, build_population
from blindmatch.simulations.world.rng import SeededRandom

TODAY: Final = date(2026, 1, 5)
_TOWNS: Final = {"QZ": "Ashmoor", "XQ": "Fernleigh"}
"""By the letters that their postcodes begin with."""
MAPPING: Final = """\
[columns]
reference = "reference"
forenames = "forenames"
surname = "surname"
date_of_birth = "date_of_birth"
address = "address"
town = "town"
postcode = "postcode"
"""
"""A mapping file for the lists' columns."""


@dataclass(frozen=True)
class Dirt:
    """How often an entry of a list differs from the person, as shares of entries."""

    typing: float = 0.06
    """Of each name: a slip of the hand."""
    nickname: float = 0.08
    initial: float = 0.03
    second_forename: float = 0.35
    """Forenames in full, where the person has two."""
    swapped_names: float = 0.01
    wrong_birth: float = 0.03
    swapped_birth: float = 0.02
    year_only: float = 0.02
    missing_birth: float = 0.05
    missing_address: float = 0.08
    missing_town: float = 0.04
    moved: float = 0.12
    """Another address altogether: an old one."""


CLEAN: Final = Dirt(**dict.fromkeys((entry.name for entry in fields(Dirt)), 0.0))
"""No differences at all."""


@dataclass(frozen=True)
class Entry:
    """One row of a list; every value as the file has it."""

    reference: str
    forenames: str
    surname: str
    date_of_birth: str
    address: str
    town: str
    postcode: str


@dataclass(frozen=True)
class ListPair:
    """Two lists, and the pairs of references that are one person."""

    left: tuple[Entry, ...]
    right: tuple[Entry, ...]
    truth: tuple[tuple[str, str], ...]

    def write(self, folder: Path) -> tuple[Path, Path, Path, Path]:
        """`left.csv`, `right.csv`, `truth.csv` and `mapping.toml` in a folder that exists."""
        paths = [folder / name for name in ("left.csv", "right.csv", "truth.csv", "mapping.toml")]
        names = [entry.name for entry in fields(Entry)]
        for path, entries in zip(paths[:2], (self.left, self.right), strict=True):
            _write(path, names, [[getattr(entry, name) for name in names] for entry in entries])
        _write(paths[2], ["left_reference", "right_reference"], self.truth)
        paths[3].write_text(MAPPING, encoding="utf-8")
        return paths[0], paths[1], paths[2], paths[3]


def _write(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def build_lists(
    seed: int,
    *,
    left: int,
    right: int,
    overlap: float = 0.05,
    relatives: float = 0.3,
    duplicates: float = 0.03,
    dirt: Dirt = Dirt(),
    one_town: bool = True,
) -> ListPair:
    """Two lists of one town's people.

    Args:
        seed: the same seed, the same lists.
        left: rows of the left list.
        right: rows of the right list.
        overlap: share of the shorter list's people who are on the other list too.
        relatives: share of the shorter list's people of whom the other list has somebody from the same household.
        duplicates: share of each list's rows that repeat a person of the list, entered anew.
        dirt: how entries differ from people.
        one_town: both lists are from one town; otherwise the right one is from another, but for the shared households.
    """
    rng = SeededRandom("lists", seed)
    people = [_people(left, duplicates), _people(right, duplicates)]
    shorter = min(people)
    both = round(overlap * shorter)
    town = build_population(
        rng, count=round(1.35 * sum(people)) + 20, letters="QZ", town=_TOWNS["QZ"], today=TODAY
    )
    elsewhere = town
    if not one_town:
        elsewhere = build_population(
            rng, count=round(1.2 * people[1]) + 20, letters="XQ", town=_TOWNS["XQ"], today=TODAY
        )
    chosen = _choose(rng, (town, elsewhere), people, both=both, related=round(relatives * shorter))
    writers = [_Writer(rng, town, dirt, "L", left), _Writer(rng, elsewhere, dirt, "R", right)]
    entries = [
        writer.entries(members, rows)
        for writer, members, rows in zip(writers, chosen, (left, right), strict=True)
    ]
    of_person: dict[tuple[str, int], list[str]] = {}
    for entry, person in entries[1]:
        of_person.setdefault((person.postcode, person.id), []).append(entry.reference)
    truth = [
        (entry.reference, other)
        for entry, person in entries[0]
        for other in of_person.get((person.postcode, person.id), ())
    ]
    return ListPair(
        tuple(entry for entry, _ in entries[0]), tuple(entry for entry, _ in entries[1]), tuple(truth)
    )


def _people(rows: int, duplicates: float) -> int:
    return max(1, rows - round(rows * duplicates))


def _choose(
    rng: SeededRandom,
    places: tuple[Population, Population],
    people: Sequence[int],
    *,
    both: int,
    related: int,
) -> tuple[list[Person], list[Person]]:
    """Who is on which list: those on both, relatives split between the two, then strangers."""
    town = places[0]
    shared = rng.sample(town.people, both)
    lists: tuple[list[Person], list[Person]] = (list(shared), list(shared))
    taken = {person.id for person in shared}
    for person in rng.sample(town.people, len(town.people)):
        if related <= 0 or min(len(lists[0]) - people[0], len(lists[1]) - people[1]) >= 0:
            break
        others = [member for member in town.household(person) if member.id not in taken and member != person]
        if person.id in taken or not others or len(lists[0]) >= people[0] or len(lists[1]) >= people[1]:
            continue
        relative = rng.pick(others)
        lists[0].append(person)
        lists[1].append(relative)
        taken |= {person.id, relative.id}
        related -= 1
    for place, source in enumerate(places):
        # A town of its own shares no person with the first, whatever the numbers.
        barred = taken if source is town else set()
        missing = people[place] - len(lists[place])
        free = [person for person in source.people if person.id not in barred]
        extra = rng.sample(free, missing)
        lists[place].extend(extra)
        if source is town:
            taken |= {person.id for person in extra}
    return lists


class _Writer:
    """Enters people in one list, each entry with its own slips."""

    def __init__(self, rng: SeededRandom, town: Population, dirt: Dirt, prefix: str, rows: int) -> None:
        self._dice = rng
        self._town = town
        self._dirt = dirt
        self._prefix = prefix
        self._numbers = rng.sample(range(100_000, 100_000 + 3 * rows), rows)
        self._names = load_names()

    def entries(self, people: Sequence[Person], rows: int) -> list[tuple[Entry, Person]]:
        """One entry each, the rest of the rows by people chosen again, all in random order."""
        again = [self._dice.pick(people) for _ in range(rows - len(people))]
        everybody = self._dice.sample([*people, *again], rows)
        return [(self._entry(person), person) for person in everybody]

    def _entry(self, person: Person) -> Entry:
        rng, dirt = self._dice, self._dirt
        forename, surname = person.forename, person.surname
        if rng.chance(dirt.nickname) and forename in self._names.nicknames:
            forename = rng.pick(self._names.nicknames[forename])
        if rng.chance(dirt.typing):
            forename = typing_error(rng, forename)
        if rng.chance(dirt.typing):
            surname = typing_error(rng, surname)
        if rng.chance(dirt.initial):
            forename = forename[:1]
        elif person.middle and rng.chance(dirt.second_forename):
            forename = f"{forename} {person.middle}"
        if rng.chance(dirt.swapped_names):
            forename, surname = surname, forename
        return replace(
            self._place(person),
            reference=f"{self._prefix}{self._numbers.pop()}",
            forenames=forename,
            surname=surname,
            date_of_birth=self._born(person),
        )

    def _born(self, person: Person) -> str:
        rng, dirt = self._dice, self._dirt
        born = person.born
        if rng.chance(dirt.missing_birth):
            return ""
        if rng.chance(dirt.wrong_birth):
            born = wrong_birth(rng, born)
        elif rng.chance(dirt.swapped_birth):
            born = swapped_birth(born) or born
        return str(born.year) if rng.chance(dirt.year_only) else born.isoformat()

    def _place(self, person: Person) -> Entry:
        rng, dirt = self._dice, self._dirt
        home = rng.pick(self._town.people) if rng.chance(dirt.moved) else person
        missing = rng.chance(dirt.missing_address)
        return Entry(
            reference="",
            forenames="",
            surname="",
            date_of_birth="",
            address="" if missing else home.address,
            town="" if rng.chance(dirt.missing_town) else _TOWNS[home.postcode[:2]],
            postcode="" if missing else home.postcode,
        )
