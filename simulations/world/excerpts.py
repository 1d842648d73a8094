"""Parts of finished lists: the few records that an agency asks about, and those that join or go in a scenario's course."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from blindmatch.protocol.errors import ConfigError
from blindmatch.simulations.scenario.scenario import Area
from blindmatch.simulations.world.council_records import Supplier
from blindmatch.simulations.world.police_records import Subject
from blindmatch.simulations.world.rng import SeededRandom
from blindmatch.simulations.world.truth import RecordLinks

RandomSource = Callable[..., SeededRandom]
"""Gives the dice of a part of the area, by its name."""


def scaled(size: int, scale: float, least: int) -> int:
    """A scenario's size times the scale, never under `least`."""
    return max(least, round(size * scale))


def request_lists(
    area: Area,
    subjects: Mapping[str, Sequence[Subject]],
    bonds: Mapping[str, RecordLinks],
    dice: RandomSource,
    scale: float,
) -> dict[str, tuple[Subject, ...]]:
    """What agencies ask about, out of their own lists: some whom others know, some whom nobody does."""
    result = {}
    for agency in area.agencies:
        for each in agency.collections:
            if not each.of:
                continue
            source = next((key for key in subjects if key in (agency.id, f"{agency.id}/{each.of}")), None)
            if source is None:
                raise ConfigError(f"{agency.id} has no list of subjects called {each.of}")
            elsewhere = {
                bond
                for key, other in bonds.items()
                if key.partition("/")[0] != agency.id
                for ties in other.records.values()
                for bond in ties
            }
            throws = dice("request", agency.key(each))
            rows = throws.sample(subjects[source], len(subjects[source]))
            rows.sort(key=lambda row: elsewhere.isdisjoint(bonds[source].records[row.reference]))
            count = scaled(each.records, scale, 4)
            known = round(each.known * count)
            asked = rows[:known] + rows[len(rows) - (count - known) :]
            result[agency.key(each)] = tuple(sorted(asked, key=lambda row: row.reference))
    return result


@dataclass(frozen=True)
class ListChange:
    """References that come onto a list, and that go, in the scenario's course."""

    joining: frozenset[str] = frozenset()
    leaving: frozenset[str] = frozenset()


def list_changes(
    area: Area, rows: Mapping[str, Sequence[Subject] | Sequence[Supplier]], dice: RandomSource, scale: float
) -> dict[str, ListChange]:
    """Which records join and which go on the lists that a step of the scenario changes."""
    result = {}
    for step in area.steps:
        if step.do == "change":
            agency = area.agency(step.agency)
            key = agency.key(agency.collection(step.collection))
            if key in result:
                raise ConfigError(f"{area.id}: {key} changes twice; a list may change once")
            count = scaled(step.records, scale, 2)
            drawn = dice("change", key).sample([row.reference for row in rows[key]], 2 * count)
            result[key] = ListChange(frozenset(drawn[:count]), frozenset(drawn[count:]))
    return result
