"""Patterns: the minimal sets of demands that reach a threshold, worked out over every combination of levels.

A pattern demands of each compared field one level, or nothing; it scores what it demands, and counts everything else as
disagreeing. A weaker pattern demands an implied level, or nothing, of some field. Kept are the patterns that reach
the threshold while no weaker one does: so two records share a token exactly when their score reaches the threshold.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.linkage.rates import PRESENT, Rates, probability
from blindmatch.protocol.linkage.states import ONE, Dimension, Space, log2_units, parts

Grid = npt.NDArray[np.int64]

MAX_MISSING: Final = 2
_RAREST_M: Final = ONE >> 12
_CLOSE: Final = 16
"""Codes (2 bits): one side's rates make a key no more than this much looser than the other's alone would."""


@dataclass(frozen=True)
class Absence:
    """Fields (places in the space's dimensions) that a pattern says are missing on either side."""

    receiver: tuple[int, ...] = ()
    sender: tuple[int, ...] = ()

    @property
    def fields(self) -> frozenset[int]:
        """On whichever side."""
        return frozenset((*self.receiver, *self.sender))


@dataclass(frozen=True)
class Pattern:
    """Demands: per dimension a place in its levels, or the number of its levels for nothing."""

    demands: tuple[int, ...]
    score: int
    """In 1/64 bit."""
    swapped: bool = False
    """The names stand in the other order: the schema's swapped level takes the place of both names' best."""
    absence: Absence = Absence()


def absences(space: Space, *, missing: bool) -> tuple[Absence, ...]:
    """Every choice of at most two missing fields and their sides, none first."""
    may = space.schema.model.missing if missing else ()
    sided = [(i, side) for i, d in enumerate(space.dimensions) if d.name in may for side in (0, 1)]
    return tuple(
        Absence(*(tuple(i for i, where in chosen if where == side) for side in (0, 1)))
        for count in range(MAX_MISSING + 1)
        for chosen in itertools.combinations(sided, count)
        if len({i for i, _ in chosen}) == count
    )


class Weights:
    """A round's probabilities and weights: the schema's m and both sides' u, for what both lists can say.

    All integers. `m[d]` and `u[d]` per state of a dimension that stands alone; `household_u` (states, states, …).
    """

    def __init__(self, space: Space, receiver: Rates, sender: Rates) -> None:
        self.space = space
        self._place = {level.name: i for i, level in enumerate(space.schema.levels)}
        self.presence = tuple(
            tuple(self._field_presence(rates, d) for d in space.dimensions) for rates in (receiver, sender)
        )
        """Per side and dimension, the share of records that say anything, in parts of 64."""
        kept = [self._kept(d, receiver, sender) for d in space.dimensions]
        self.m = tuple(_moved(np.array(d.m), k) for d, k in zip(space.dimensions, kept, strict=True))
        self.u = tuple(
            _moved(_combined(mine, theirs, (len(d.states),)), k)
            for d, mine, theirs, k in zip(space.alone, receiver.alone, sender.alone, kept, strict=False)
        )
        shape = tuple(len(d.states) for d in space.household)
        joint = _combined(receiver.household, sender.household, shape)
        for axis, k in enumerate(kept[len(space.alone) :]):
            joint = np.moveaxis(_moved(np.moveaxis(joint, axis, 0), k), 0, axis)
        self.household_u: Grid = joint

    def _field_presence(self, rates: Rates, dimension: Dimension) -> int:
        return max(rates.presence[self._place[level.name]] for level in dimension.levels)

    def _kept(self, dimension: Dimension, receiver: Rates, sender: Rates) -> Grid:
        """(states, states): of the pairs in one state, how many stay in it or fall to another, in parts of 4096.

        A level that a record does not say (the day of a date known by month) cannot agree: the pair falls to the
        state of what remains.
        """
        shares = []
        for level in dimension.levels:
            both = 1
            for rates in (receiver, sender):
                field = max(self._field_presence(rates, dimension), 1)
                both *= rates.presence[self._place[level.name]] * PRESENT // field
            shares.append(both)
        whole = PRESENT * PRESENT
        index = {state: i for i, state in enumerate(dimension.states)}
        moved = np.zeros((len(index), len(index)), dtype=np.int64)
        for state, i in index.items():
            done = 0
            for share in sorted({0, whole, *shares}):
                left = frozenset(k for k in state if shares[k] >= share)
                # What remains of a closed set is closed: a level is said wherever one that implies it is.
                moved[i, index.get(left, len(index) - 1)] += share - done
                done = share
        return moved

    def met(self) -> tuple[tuple[Grid, ...], Grid]:
        """The u that pairs of two people meet: a field that either side lacks agrees on nothing."""
        count = len(self.space.alone)
        lost = []
        for i, d in enumerate(self.space.dimensions):
            both = self.presence[0][i] * self.presence[1][i]
            moved = np.zeros((len(d.states), len(d.states)), dtype=np.int64)
            np.fill_diagonal(moved, both)
            moved[:, -1] += PRESENT * PRESENT - both
            lost.append(moved)
        alone = tuple(_moved(u, moved) for u, moved in zip(self.u, lost, strict=False))
        joint = self.household_u
        for axis, moved in enumerate(lost[count:]):
            joint = np.moveaxis(_moved(np.moveaxis(joint, axis, 0), moved), 0, axis)
        return alone, np.ascontiguousarray(joint)

    def bests(self, dimension: int) -> Grid:
        """The m per best level (and none, last) of a dimension."""
        return _by_best(self.space.dimensions[dimension], self.m[dimension])

    def alone_weight(self, dimension: int) -> Grid:
        """Weight per demanded level, and of disagreeing (last), of a dimension that stands alone."""
        d = self.space.dimensions[dimension]
        m, u = self.bests(dimension), _by_best(d, self.u[dimension])
        weights = [log2_units(int(a), int(b)) for a, b in zip(m, u, strict=True)]
        return _ordered(np.array(weights, dtype=np.int64), m >= _RAREST_M, (d,))

    def household_weight(self, absent: frozenset[int] = frozenset()) -> Grid:
        """Joint weight per combination of demanded levels; an absent dimension has one entry, nothing."""
        first = len(self.space.alone)
        u = self.household_u
        m = [self.bests(first + axis) for axis in range(len(self.space.household))]
        for axis, d in enumerate(self.space.household):
            u = np.moveaxis(_by_best(d, np.moveaxis(u, axis, 0)), 0, axis)
            if first + axis in absent:
                u = u.sum(axis=axis, keepdims=True)
        out = np.zeros(u.shape, dtype=np.int64)
        for at in np.ndindex(*u.shape):
            numerator, denominator = 1, int(u[at])
            for axis, best in enumerate(at):
                if first + axis not in absent:
                    numerator *= max(int(m[axis][best]), 1)
                    denominator *= ONE if axis else 1
            held = sum(1 for axis in range(u.ndim) if first + axis not in absent)
            out[at] = log2_units(numerator, max(int(u[at]), 1) * ONE ** max(held - 1, 0)) if held else 0
        known = np.ones(out.shape, dtype=np.bool_)
        for axis, best in enumerate(m):
            if first + axis not in absent:
                shape = [-1 if i == axis else 1 for i in range(out.ndim)]
                known &= (best >= _RAREST_M).reshape(shape)
        held_by = (None if first + axis in absent else d for axis, d in enumerate(self.space.household))
        return _ordered(out, known, tuple(held_by))


def _combined(mine: tuple[int, ...], theirs: tuple[int, ...], shape: tuple[int, ...]) -> Grid:
    """Two sides' codes to probabilities: the geometric mean bounds how often the two lists collide (Cauchy-Schwarz)."""
    codes = [min((a + b) // 2, min(a, b) + _CLOSE) for a, b in zip(mine, theirs, strict=True)]
    values = [probability(code) for code in codes]
    total = sum(values)
    if total > ONE - 1:
        values = [value * (ONE - 1) // total for value in values]
    return np.array([*values, ONE - sum(values)], dtype=np.int64).reshape(shape)


def _moved(values: Grid, moved: Grid) -> Grid:
    """Probabilities by state (first axis) after what cannot be said has fallen to what remains."""
    flat = values.reshape(len(values), -1)
    out = np.zeros_like(flat)
    for i, j in zip(*np.nonzero(moved), strict=True):
        out[j] += flat[i] * moved[i, j] // (PRESENT * PRESENT)
    return out.reshape(values.shape)


def _by_best(dimension: Dimension, values: Grid) -> Grid:
    """Sum over the states (first axis) that have one best level."""
    out = np.zeros((len(dimension.levels) + 1, *values.shape[1:]), dtype=np.int64)
    for state, best in enumerate(dimension.bests):
        out[best] += values[state]
    return out


def _below(dimension: Dimension) -> tuple[tuple[int, ...], ...]:
    """Per demand, the strictly weaker demands."""
    every = range(len(dimension.levels) + 1)
    return tuple(tuple(j for j in every if j != i and dimension.implies(i, j)) for i in every)


def _ordered(weights: Grid, known: npt.NDArray[np.bool_], dimensions: tuple[Dimension | None, ...]) -> Grid:
    """No demand is worth more than one that implies it: otherwise agreeing on more would lower a score.

    The rarer state is the worse known, so the weaker demand gives way, never the stronger one. A demand that the lists
    cannot meet is not known at all: it is worth what it implies.

    Args:
        weights: per combination of demands.
        known: the same shape.
        dimensions: one per axis; None where the axis has no choice.
    """
    weights = np.where(known, weights, 1 << 40)
    for axis, d in enumerate(dimensions):
        if d is None:
            continue
        moved = np.moveaxis(weights, axis, 0)
        below = _below(d)
        # Strongest demands first, so that what they lost is passed on.
        for i in sorted(range(len(below)), key=lambda i: -len(below[i])):
            for j in below[i]:
                moved[j] = np.minimum(moved[j], moved[i])
    weights = np.where(known, weights, -(1 << 40))
    for axis, d in enumerate(dimensions):
        if d is None:
            continue
        moved = np.moveaxis(weights, axis, 0)
        below = _below(d)
        for i in sorted(range(len(below)), key=lambda i: len(below[i])):
            for j in below[i]:
                moved[i] = np.maximum(moved[i], moved[j])
    return weights


def scores(weights: Weights, absent: frozenset[int] = frozenset()) -> Grid:
    """The score of every combination of demands; an absent dimension's axis has length 1."""
    alone = weights.space.alone
    household = weights.household_weight(absent)
    total = np.zeros((1,) * len(alone) + household.shape, dtype=np.int64) + household
    for axis in range(len(alone)):
        if axis not in absent:
            shape = [1] * total.ndim
            shape[axis] = -1
            total = total + weights.alone_weight(axis).reshape(shape)
    return total


def _minimal(sufficient: npt.NDArray[np.bool_], dimensions: tuple[Dimension, ...]) -> npt.NDArray[np.bool_]:
    weaker = np.zeros_like(sufficient)
    for axis, d in enumerate(dimensions):
        if sufficient.shape[axis] == 1:
            continue
        from_, to = np.moveaxis(sufficient, axis, 0), np.moveaxis(weaker, axis, 0)
        for i, below in enumerate(_below(d)):
            for j in below:
                to[i] |= from_[j]
    return sufficient & ~weaker


class Patterns:
    """All minimal patterns of a round at any threshold; the scores are worked out once."""

    def __init__(self, weights: Weights, *, missing: bool) -> None:
        self.weights = weights
        self.space = weights.space
        self.absences = absences(self.space, missing=missing)
        self._scores = {fields: scores(weights, fields) for fields in {a.fields for a in self.absences}}
        model = self.space.schema.model
        dimensions = self.space.dimensions
        self._person = [i for i, d in enumerate(dimensions) if d.name in model.person]
        self._names = [i for name in model.names for i, d in enumerate(dimensions) if d.name == name]
        self._swap = 0
        if model.swapped:
            exact = math.prod(int(weights.bests(i)[0]) for i in self._names)
            self._swap = max(log2_units(exact, parts(model.swapped_m) * ONE), 0)

    @property
    def highest(self) -> int:
        """The best score that any pattern has."""
        return max(int(grid.max()) for grid in self._scores.values())

    def at(self, threshold: int) -> Iterator[Pattern]:
        """The minimal patterns of this threshold (1/64 bit), in a fixed order."""
        for absence in self.absences:
            grid = self._scores[absence.fields]
            asked = self._asks_person(grid.shape, absence.fields)
            yield from self._patterns(grid, (grid >= threshold) & asked, absence, swapped=False)
            if self.space.schema.model.swapped and not absence.fields & {*self._names}:
                only = np.zeros(grid.shape, dtype=np.bool_)
                only[tuple(0 if i in self._names else slice(None) for i in range(grid.ndim))] = True
                grid = grid - self._swap
                yield from self._patterns(grid, (grid >= threshold) & only, absence, swapped=True)

    def best(
        self, options: list[list[int]], absence: Absence, *, agreed: npt.NDArray[np.bool_], swapped: bool
    ) -> tuple[int, tuple[int, ...]] | None:
        """The best score of demands out of `options` (per dimension), and those; None where none asks a person.

        Args:
            options: the demands that two rows meet; an absent dimension has only 0.
            absence: what is missing.
            agreed: per level of the schema whether the rows agree: for the names in either order.
            swapped: read the names in either order: both names' best levels then count, less what that costs.
        """
        grid = self._scores[absence.fields]
        model = self.space.schema.model
        if swapped:
            if not model.swapped or absence.fields & {*self._names}:
                return None
            if not agreed[self.space.schema.level_index(model.swapped)]:
                return None
            options = [[0] if i in self._names else choice for i, choice in enumerate(options)]
            grid = grid - self._swap
        chosen = np.where(self._asks_person(grid.shape, absence.fields), grid, -(1 << 40))[np.ix_(*options)]
        at = np.unravel_index(int(chosen.argmax()), chosen.shape)
        score = int(chosen[at])
        if score <= -(1 << 39):
            return None
        return score, tuple(choice[int(i)] for choice, i in zip(options, at, strict=True))

    def _asks_person(self, shape: tuple[int, ...], absent: frozenset[int]) -> npt.NDArray[np.bool_]:
        asked = np.zeros(shape, dtype=np.bool_)
        for axis in self._person:
            if axis not in absent:
                np.moveaxis(asked, axis, 0)[:-1] = True
        return asked

    def _patterns(
        self, grid: Grid, sufficient: npt.NDArray[np.bool_], absence: Absence, *, swapped: bool
    ) -> Iterator[Pattern]:
        nothing = [len(d.levels) for d in self.space.dimensions]
        for at in np.argwhere(_minimal(sufficient, self.space.dimensions)):
            place = tuple(at.tolist())
            demands = tuple(nothing[i] if i in absence.fields else demand for i, demand in enumerate(place))
            yield Pattern(demands, int(grid[place]), swapped, absence)
