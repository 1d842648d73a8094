"""Patterns: the minimal sets of demands that reach a threshold, computed over every combination of levels.

A pattern demands one level of each compared field, or nothing. Its score is the weight of what it demands, with everything else
counted as disagreement. A weaker pattern demands an implied level, or nothing, of some field. The patterns of a threshold are
those that reach it while no weaker pattern does: two records share a token exactly if their score reaches the threshold.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.linkage.comparison_states import (
    ONE,
    Dimension,
    Space,
    fixed_point,
    log2_units,
    log2_units_each,
)
from blindmatch.protocol.linkage.weights import Grid, Pairs, Weights, by_best

MAX_MISSING: Final = 2
_RAREST_M: Final = ONE >> 12


@dataclass(frozen=True)
class MissingFields:
    """Fields (indices of the space's dimensions) that a pattern requires to be missing on each side."""

    receiver: tuple[int, ...] = ()
    sender: tuple[int, ...] = ()

    @property
    def fields(self) -> frozenset[int]:
        """The fields of both sides."""
        return frozenset((*self.receiver, *self.sender))


@dataclass(frozen=True)
class Pattern:
    """Demands: per dimension the index of a level, or the number of its levels for nothing."""

    demands: tuple[int, ...]
    score: int
    """The weight of all demands, in 1/64 bit."""
    swapped: bool = False
    """Whether the names are in different order: the schema's swapped level replaces the best level of both names."""
    missing: MissingFields = MissingFields()


def missing_combinations(space: Space, *, missing: bool) -> tuple[MissingFields, ...]:
    """Every choice of at most `MAX_MISSING` missing fields and their sides; the empty choice first."""
    allowed = space.schema.model.missing if missing else ()
    sided = [(i, side) for i, d in enumerate(space.dimensions) if d.name in allowed for side in (0, 1)]
    return tuple(
        MissingFields(*(tuple(i for i, where in chosen if where == side) for side in (0, 1)))
        for count in range(MAX_MISSING + 1)
        for chosen in itertools.combinations(sided, count)
        if len({i for i, _ in chosen}) == count
    )


@cache
def _below(dimension: Dimension) -> tuple[tuple[int, ...], ...]:
    """The strictly weaker demands of each demand."""
    every = range(len(dimension.levels) + 1)
    return tuple(tuple(j for j in every if j != i and dimension.implies(i, j)) for i in every)


def _ordered(weights: Grid, known: npt.NDArray[np.bool_], dimensions: Sequence[Dimension | None]) -> Grid:
    """Adjust weights so that no demand weighs more than one that implies it: agreement on more must never lower a score.

    The rarer state is known less precisely, so the weight of the weaker demand is lowered; that of the stronger one is never
    raised. A demand that the lists cannot meet has no known weight: it takes the weight of the demands that it implies.

    Args:
        weights: per combination of demands.
        known: whether the weight is known, of the same shape.
        dimensions: one per axis; None for an axis of length 1.
    """
    weights = np.where(known, weights, 1 << 40)
    for axis, d in enumerate(dimensions):
        if d is None:
            continue
        view = np.moveaxis(weights, axis, 0)
        below = _below(d)
        # Strongest demands first, so that a lowered weight is passed on.
        for i in sorted(range(len(below)), key=lambda i: -len(below[i])):
            for j in below[i]:
                view[j] = np.minimum(view[j], view[i])
    weights = np.where(known, weights, -(1 << 40))
    for axis, d in enumerate(dimensions):
        if d is None:
            continue
        view = np.moveaxis(weights, axis, 0)
        below = _below(d)
        for i in sorted(range(len(below)), key=lambda i: len(below[i])):
            for j in below[i]:
                view[i] = np.maximum(view[i], view[j])
    return weights


def scores(weights: Weights, absent: frozenset[int] = frozenset()) -> Grid:
    """The score of every combination of demands, in 1/64 bit; the axis of an absent dimension has length 1."""
    dimensions = weights.space.dimensions
    axes = range(len(dimensions))
    views = [[-1 if i == axis else 1 for i in axes] for axis in axes]
    present = [axis for axis in axes if axis not in absent]
    known = np.ones((1,) * len(dimensions), dtype=np.bool_)
    # Python integers of any length: products of probabilities in parts of 2^40.
    match = np.full((1,) * len(dimensions), 1, dtype=object)
    for axis in present:
        bests = weights.bests(axis)
        known = known & (bests >= _RAREST_M).reshape(views[axis])
        match = match * np.maximum(bests, 1).astype(object).reshape(views[axis])
    chance = sum(_chance(kind, weights.space, absent) for kind in weights.kinds)
    # m has a factor ONE for every field, chance one for the household and one for each other field; ONE is a power of two.
    factors = len(present) - 1 - sum(1 for axis in present if axis < len(weights.space.alone))
    units = log2_units_each(match) - log2_units_each(np.maximum(chance, 1)) - factors * log2_units(ONE, 1)
    return _ordered(
        units,
        known,
        [None if i in absent else d for i, d in enumerate(dimensions)],
    )


def _chance(kind: Pairs, space: Space, absent: frozenset[int]) -> npt.NDArray[np.object_]:
    """The probability of each combination of best levels in pairs of this kind, as Python integers of any length."""
    count = len(space.alone)
    joint = kind.household
    for axis, d in enumerate(space.household):
        joint = np.moveaxis(by_best(d, np.moveaxis(joint, axis, 0)), 0, axis)
        if count + axis in absent:
            joint = joint.sum(axis=axis, keepdims=True)
    chance = joint.astype(object).reshape((1,) * count + joint.shape)
    for axis, d in enumerate(space.alone):
        if axis not in absent:
            view = [-1 if i == axis else 1 for i in range(len(space.dimensions))]
            chance = chance * by_best(d, kind.alone[axis]).astype(object).reshape(view)
    return chance


def _minimal(sufficient: npt.NDArray[np.bool_], dimensions: tuple[Dimension, ...]) -> npt.NDArray[np.bool_]:
    weaker = np.zeros_like(sufficient)
    for axis, d in enumerate(dimensions):
        if sufficient.shape[axis] == 1:
            continue
        source, target = np.moveaxis(sufficient, axis, 0), np.moveaxis(weaker, axis, 0)
        for i, below in enumerate(_below(d)):
            for j in below:
                target[i] |= source[j]
    return sufficient & ~weaker


class Patterns:
    """All minimal patterns of a round at any threshold; the scores are computed once."""

    def __init__(self, weights: Weights, *, missing: bool) -> None:
        self.weights = weights
        self.space = weights.space
        self.missing_fields = missing_combinations(self.space, missing=missing)
        self._scores = {fields: scores(weights, fields) for fields in {a.fields for a in self.missing_fields}}
        model = self.space.schema.model
        dimensions = self.space.dimensions
        self._person = [i for i, d in enumerate(dimensions) if d.name in model.person]
        self._names = [i for name in model.names for i, d in enumerate(dimensions) if d.name == name]
        self._swap = 0
        if model.swapped:
            exact = math.prod(int(weights.bests(i)[0]) for i in self._names)
            self._swap = max(log2_units(exact, fixed_point(model.swapped_m) * ONE), 0)

    @property
    def highest(self) -> int:
        """The highest score of any pattern, in 1/64 bit."""
        return max(int(grid.max()) for grid in self._scores.values())

    def at(self, threshold: int, among: Sequence[MissingFields] | None = None) -> Iterator[Pattern]:
        """The minimal patterns of a threshold (1/64 bit), in a fixed order; only those with missing fields in `among`, if given."""
        for missing in self.missing_fields if among is None else among:
            grid = self._scores[missing.fields]
            personal = self._demands_person(grid.shape, missing.fields)
            yield from self._patterns(grid, (grid >= threshold) & personal, missing, swapped=False)
            if self.space.schema.model.swapped and not missing.fields & {*self._names}:
                both_names = np.zeros(grid.shape, dtype=np.bool_)
                both_names[tuple(0 if i in self._names else slice(None) for i in range(grid.ndim))] = True
                grid = grid - self._swap
                yield from self._patterns(grid, (grid >= threshold) & both_names, missing, swapped=True)

    def best(
        self,
        options: list[list[int]],
        missing: MissingFields,
        *,
        agreed: npt.NDArray[np.bool_],
        swapped: bool,
    ) -> tuple[int, tuple[int, ...]] | None:
        """The best score of demands out of `options`, and these demands; None if none demands a field of the person.

        Args:
            options: per dimension the demands that two rows meet; only 0 for a missing dimension.
            missing: the missing fields.
            agreed: (levels,) whether the rows agree on each level of the schema; used for the names in either order.
            swapped: compare the names in either order: the best levels of both names count, less a penalty.
        """
        grid = self._scores[missing.fields]
        model = self.space.schema.model
        if swapped:
            if not model.swapped or missing.fields & {*self._names}:
                return None
            if not agreed[self.space.schema.level_index(model.swapped)]:
                return None
            options = [[0] if i in self._names else choice for i, choice in enumerate(options)]
            grid = grid - self._swap
        chosen = np.where(self._demands_person(grid.shape, missing.fields), grid, -(1 << 40))[
            np.ix_(*options)
        ]
        at = np.unravel_index(int(chosen.argmax()), chosen.shape)
        score = int(chosen[at])
        if score <= -(1 << 39):
            return None
        return score, tuple(choice[int(i)] for choice, i in zip(options, at, strict=True))

    def _demands_person(self, shape: tuple[int, ...], absent: frozenset[int]) -> npt.NDArray[np.bool_]:
        personal = np.zeros(shape, dtype=np.bool_)
        for axis in self._person:
            if axis not in absent:
                np.moveaxis(personal, axis, 0)[:-1] = True
        return personal

    def _patterns(
        self, grid: Grid, sufficient: npt.NDArray[np.bool_], missing: MissingFields, *, swapped: bool
    ) -> Iterator[Pattern]:
        places = np.argwhere(_minimal(sufficient, self.space.dimensions))
        weights = grid[tuple(places.T)].tolist()
        for axis in missing.fields:
            places[:, axis] = len(self.space.dimensions[axis].levels)
        for demands, score in zip(places.tolist(), weights, strict=True):
            yield Pattern(tuple(demands), score, swapped, missing)
