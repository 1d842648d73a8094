"""The possible agreements of two records, field by field, as a finite set of states; and exact arithmetic on probabilities.

A *state* of a field is the set of its levels on which two records agree. Only sets that can occur are states: a set with a
level contains all levels that it implies. A field's *best* level is the first level of the state in the schema's order.

Both sides of a round must compile identical keys, so all arithmetic after the exchange of rates is on integers:
probabilities in parts of 2^40, weights in 1/64 bit, logarithms by counting bits.
"""

import itertools
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.linkage.schema import Level, Schema

ONE: Final = 1 << 40
"""Probability 1."""
BIT: Final = 64
"""Units of weight per bit."""
_UNSURE: Final = 2.0**-20
"""A floating-point logarithm is used if it is further than this from a whole unit; its error is below 2^-38."""


def fixed_point(probability: float) -> int:
    """A probability from a schema or an agreement, rounded to 10^-12, in parts of 2^40."""
    return round(probability * 10**12) * ONE // 10**12


def log2_units(numerator: int, denominator: int) -> int:
    """log2(numerator / denominator) in 1/64 bit; each logarithm is rounded down from its exact value."""
    return _log2_units(max(numerator, 1)) - _log2_units(max(denominator, 1))


def _log2_units(number: int) -> int:
    # floor(64 log2 n) is the number of bits of n^64 less one: no floating point, so the same on every machine. The
    # leading 64 bits are more precise than 1/64 bit.
    shift = max(number.bit_length() - 64, 0)
    power: int = (number >> shift) ** BIT
    return shift * BIT + power.bit_length() - 1


def log2_units_each(numbers: npt.NDArray[np.object_]) -> npt.NDArray[np.int64]:
    """floor(64 log2 n) of every positive integer of an array (any shape, integers of any length); exact, as `log2_units`."""
    estimate = np.log2(numbers.astype(np.float64)) * BIT
    units = np.floor(estimate)
    unsure = np.abs(estimate - units - 0.5) >= 0.5 - _UNSURE
    out: npt.NDArray[np.int64] = units.astype(np.int64)
    out[unsure] = [_log2_units(number) for number in numbers[unsure].tolist()]
    return out


@dataclass(frozen=True)
class Dimension:
    """One compared field: its levels, and the states of two records; in the last state no level agrees."""

    name: str
    levels: tuple[Level, ...]
    along: float
    states: tuple[frozenset[int], ...] = field(init=False)
    """Sets of indices of `levels`, in a fixed order; the empty set is last."""
    m: tuple[int, ...] = field(init=False)
    """Each state's probability in records of one person, in parts of 2^40."""
    default_u: tuple[int, ...] = field(init=False)
    """Each state's probability in records of two people, by the schema."""
    kin: tuple[int, ...] = field(init=False)
    """Each state's probability in records of two people of one household."""

    def __post_init__(self) -> None:
        places = range(len(self.levels))
        subsets = [
            frozenset(c) for n in range(len(self.levels) + 1) for c in itertools.combinations(places, n)
        ]
        states = sorted(
            (s for s in subsets if s == self.close(s)), key=lambda s: (min(s, default=99), sorted(s))
        )
        object.__setattr__(self, "states", tuple(states))
        object.__setattr__(self, "m", self._spread(states, [x.m for x in self.levels], self.along))
        object.__setattr__(self, "default_u", self._spread(states, [x.u for x in self.levels], 0.05))
        object.__setattr__(self, "kin", self._spread(states, [x.kin or x.u for x in self.levels], 0.05))

    def close(self, levels: frozenset[int]) -> frozenset[int]:
        """The levels, with all levels that they imply."""
        place = {level.name: i for i, level in enumerate(self.levels)}
        closed = set(levels)
        while True:
            more = {place[name] for i in closed for name in self.levels[i].implies}
            more |= {
                i
                for i, level in enumerate(self.levels)
                if any(place[a] in closed and place[b] in closed for a, b in level.both)
            }
            if more <= closed:
                return frozenset(closed)
            closed |= more

    def _spread(self, states: list[frozenset[int]], levels: list[float], along: float) -> tuple[int, ...]:
        """Distribute the probability of each best level over its states: each further level agrees with probability `along`."""
        out = []
        for state in states:
            if not state:
                continue
            best = min(state)
            rivals = [s for s in states if s and min(s) == best]
            least = self.close(frozenset([best]))
            weights = [
                along ** len(s - least) * (1 - along) ** (max(map(len, rivals)) - len(s)) for s in rivals
            ]
            share = weights[rivals.index(state)] / sum(weights)
            out.append(fixed_point(levels[best] * share))
        return (*out, ONE - sum(out))

    @property
    def bests(self) -> tuple[int, ...]:
        """Each state's best level; the number of levels if none agrees."""
        return tuple(min(state, default=len(self.levels)) for state in self.states)

    def implies(self, strong: int, weak: int) -> bool:
        """Whether agreement on `strong` implies agreement on `weak`; the number of levels means no demand."""
        return weak == len(self.levels) or weak in self.close(frozenset([strong]) - {len(self.levels)})


@dataclass(frozen=True)
class Space:
    """The dimensions of a schema's model, in the schema's order; those of the household are last."""

    schema: Schema
    alone: tuple[Dimension, ...]
    household: tuple[Dimension, ...]

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """All dimensions, in the order of the axes of every array."""
        return self.alone + self.household


@cache
def space(schema: Schema) -> Space:
    """The space of a schema's model."""
    model = schema.model
    alone, household = (
        tuple(
            Dimension(name, schema.levels_of(name), model.along)
            for name in model.compared
            if (name in model.household) is joint
        )
        for joint in (False, True)
    )
    return Space(schema, alone, household)
