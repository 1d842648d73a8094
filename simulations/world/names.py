"""The name tables of `names.toml`, with their frequencies."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from blindmatch.simulations.world.rng import SeededRandom, WeightedTable

RARE_FORENAME = 0.10
"""Share of the largest community with a forename from the long tail."""

RARE_SURNAME = 0.42
"""Share of the largest community with a surname that a few dozen people bear."""

DOUBLE_SURNAME = 0.03
"""Share with two surnames joined by a hyphen."""

SMALL_COMMUNITY_SHIFT = 3.0
"""Smaller communities: fewer names, the first of them more common."""


@dataclass(frozen=True)
class Community:
    """Names that occur together. Forenames by sex ("female", "male") and, where known, decade of birth."""

    forenames: Mapping[str, tuple[WeightedTable, ...]]
    surnames: WeightedTable
    rare_forenames: Mapping[str, WeightedTable]
    beginnings: tuple[str, ...]
    endings: tuple[str, ...]

    def forename(self, rng: SeededRandom, sex: str, year: int) -> str:
        """A forename for someone of this sex born in this year."""
        if sex in self.rare_forenames and rng.chance(RARE_FORENAME):
            return rng.draw(self.rare_forenames[sex])
        by_birth = self.forenames[sex]
        if len(by_birth) == 1:
            return rng.draw(by_birth[0])
        return rng.draw(by_birth[0 if year < 1965 else 1 if year < 1985 else 2])

    def surname(self, rng: SeededRandom) -> str:
        """A surname: frequent, or one of thousands of rare ones."""
        if not self.beginnings:
            return rng.draw(self.surnames)
        if rng.chance(DOUBLE_SURNAME):
            return f"{rng.draw(self.surnames)}-{self._single(rng)}"
        return self._single(rng)

    def _single(self, rng: SeededRandom) -> str:
        if rng.chance(RARE_SURNAME):
            return rng.pick(self.beginnings) + rng.pick(self.endings)
        return rng.draw(self.surnames)


@dataclass(frozen=True)
class Names:
    """Everything in `names.toml`."""

    share: WeightedTable
    communities: Mapping[str, Community]
    nicknames: Mapping[str, tuple[str, ...]]
    spellings: Mapping[str, tuple[str, ...]]
    """Other spellings of forenames and surnames, some in another script."""
    streets: tuple[str, ...]
    street_kinds: tuple[str, ...]
    company_words: tuple[str, ...]
    trades: tuple[str, ...]
    company_forms: tuple[str, ...]


def _community(lists: Mapping[str, str]) -> Community:
    words = {name: text.split() for name, text in lists.items()}
    large = "male_middle" in words
    shift = 8.0 if large else SMALL_COMMUNITY_SHIFT
    forenames = {}
    for sex in ("female", "male"):
        parts = [f"{sex}_older", f"{sex}_middle", f"{sex}_younger"] if large else [sex]
        forenames[sex] = tuple(WeightedTable(words[part], shift=shift) for part in parts)
    return Community(
        forenames=forenames,
        surnames=WeightedTable(words["surnames"], shift=shift),
        rare_forenames={
            sex: WeightedTable(words[f"{sex}_rare"], exponent=0.4)
            for sex in ("female", "male")
            if f"{sex}_rare" in words
        },
        beginnings=tuple(words.get("surname_beginnings", ())),
        endings=tuple(words.get("surname_endings", ())),
    )


@cache
def load_names() -> Names:
    """The tables, read once."""
    text = files("blindmatch.simulations.world").joinpath("names.toml").read_text(encoding="utf-8")
    data: dict[str, Any] = tomllib.loads(text)

    def listed(text: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in text.replace("\n", "").split("|"))

    return Names(
        share=WeightedTable(list(data["share"]), list(data["share"].values())),
        communities={name: _community(lists) for name, lists in data["communities"].items()},
        nicknames={name: tuple(short) for name, short in data["nicknames"].items()},
        spellings={name: tuple(other) for name, other in data["spellings"].items()},
        streets=tuple(data["places"]["streets"].split()),
        street_kinds=tuple(data["places"]["street_kinds"].split()),
        company_words=tuple(data["companies"]["first"].split()),
        trades=listed(data["companies"]["trades"]),
        company_forms=listed(data["companies"]["forms"]),
    )
