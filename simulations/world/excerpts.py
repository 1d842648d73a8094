"""Parts of finished lists: the few records that an agency asks about, and those that a step adds or removes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from blindmatch.protocol.errors import ConfigError
from blindmatch.simulations.scenario.scenario import Area
from blindmatch.simulations.world.council_records import Supplier
from blindmatch.simulations.world.police_records import Subject
from blindmatch.simulations.world.rng import SeededRandom
from blindmatch.simulations.world.truth import RecordLinks

RandomSource = Callable[..., SeededRandom]
"""Gives the random sequence of a part of the area, by its name."""


def scaled(size: int, scale: float, least: int) -> int:
    """A scenario's size times the scale, at least `least`."""
    return max(least, round(size * scale))


def request_lists(
    area: Area,
    subjects: Mapping[str, Sequence[Subject]],
    links: Mapping[str, RecordLinks],
    random: RandomSource,
    scale: float,
) -> dict[str, tuple[Subject, ...]]:
    """The records that agencies ask about, from their own lists: some that other agencies hold, some that none holds."""
    result = {}
    for agency in area.agencies:
        for each in agency.collections:
            if not each.of:
                continue
            source = next((key for key in subjects if key in (agency.id, f"{agency.id}/{each.of}")), None)
            if source is None:
                raise ConfigError(f"{agency.id} has no list of subjects called {each.of}")
            elsewhere = {
                entity
                for key, other in links.items()
                if key.partition("/")[0] != agency.id
                for entities in other.records.values()
                for entity in entities
            }
            rng = random("request", agency.key(each))
            rows = rng.sample(subjects[source], len(subjects[source]))
            rows.sort(key=lambda row: elsewhere.isdisjoint(links[source].records[row.reference]))
            count = scaled(each.records, scale, 4)
            known = round(each.known * count)
            chosen = rows[:known] + rows[len(rows) - (count - known) :]
            result[agency.key(each)] = tuple(sorted(chosen, key=lambda row: row.reference))
    return result


@dataclass(frozen=True)
class ListChange:
    """The references that a step adds to a list, and those that it removes."""

    added: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()


def list_changes(
    area: Area, rows: Mapping[str, Sequence[Subject] | Sequence[Supplier]], random: RandomSource, scale: float
) -> dict[str, ListChange]:
    """The records that are added and removed, for each list that a step of the scenario changes."""
    result = {}
    for step in area.steps:
        if step.do == "change":
            agency = area.agency(step.agency)
            key = agency.key(agency.collection(step.collection))
            if key in result:
                raise ConfigError(f"{area.id}: {key} changes twice; a list can change once only")
            count = scaled(step.records, scale, 2)
            drawn = random("change", key).sample([row.reference for row in rows[key]], 2 * count)
            result[key] = ListChange(frozenset(drawn[:count]), frozenset(drawn[count:]))
    return result
