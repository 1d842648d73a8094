"""Patterns: the minimal sets of demands that reach a threshold, worked out over every combination of levels.

A pattern demands of each compared field one level, or nothing; it scores what it demands, and counts everything else as
disagreeing. A weaker pattern demands an implied level, or nothing, of some field. Kept are the patterns that reach
the threshold while no weaker one does: so two records share a token exactly when their score reaches the threshold.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.linkage.rates import PRESENT, Rates, probability
from blindmatch.protocol.linkage.states import ONE, Dimension, Space, log2_units, parts

Grid = npt.NDArray[np.int64]

MAX_MISSING: Final = 2
_RAREST_M: Final = ONE >> 12
_CLOSE: Final = 4
"""One side's rates make a key no more than so many times looser than the other's alone would."""


_SAME_NAME: Final = 80
_SAME_HOME: Final = 85
"""Per cent of relatives who agree on the names of a household, and on its home."""


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


@dataclass(frozen=True)
class Pairs:
    """One kind of pairs of two people: probabilities in parts of 2^40 per state."""

    alone: tuple[Grid, ...]
    """For each dimension that stands alone, (states,); within this kind it is independent of all others."""
    household: Grid
    """The household's dimensions jointly, (states, states, …); sums to the share of this kind."""


class Weights:
    """A round's probabilities and weights: the schema's m and both sides' u, for what both lists can say.

    Pairs of two people are strangers or relatives. Relatives share a home, and so their ages and names are not
    independent of it: couples are born in the same years, sons bear their fathers' names. All integers.
    """

    def __init__(self, space: Space, receiver: Rates, sender: Rates, *, relatives: int = 0) -> None:
        """Put both sides' rates together.

        Args:
            space: the schema's.
            receiver: as stated.
            sender: as stated.
            relatives: how often a pair between the lists is of one household at least, in parts of 2^40: a list that
                holds one person of every household does not show how many of their relatives the other one holds.
        """
        self.space = space
        self._place = {level.name: i for i, level in enumerate(space.schema.levels)}
        self.presence = tuple(
            tuple(self._field_presence(rates, d) for d in space.dimensions) for rates in (receiver, sender)
        )
        """Per side and dimension, the share of records that say anything, in parts of 64."""
        kept = [self._kept(d, receiver, sender) for d in space.dimensions]
        self.m = tuple(_moved(np.array(d.m), k) for d, k in zip(space.dimensions, kept, strict=True))
        stated = [_stated(rates, space, kept) for rates in (receiver, sender)]
        met = tuple(
            _combined(mine, theirs) for mine, theirs in zip(stated[0].alone, stated[1].alone, strict=True)
        )
        joint = _combined(stated[0].household, stated[1].household)
        seen = _excess(joint, space)
        related = seen + _reduced(_relatives(space, max(relatives - int(seen.sum()), 0)), kept).household
        kin = tuple(_moved(np.array(d.kin), k) for d, k in zip(space.alone, kept, strict=False))
        self.kinds = (Pairs(met, joint - seen), Pairs(kin, related))
        """Strangers and relatives."""

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

    def met(self) -> tuple[Pairs, ...]:
        """The kinds of pairs as two lists meet them; each dimension has three more states, of a field that is missing.

        After its own states: missing on the receiver's side, on the sender's, on both.
        """
        count = len(self.space.alone)
        lacks = list(zip(*self.presence, strict=True))
        met = []
        for kind in self.kinds:
            joint = kind.household
            for axis, both in enumerate(lacks[count:]):
                joint = np.moveaxis(_with_missing(np.moveaxis(joint, axis, 0), *both), 0, axis)
            alone = tuple(_with_missing(u, *both) for u, both in zip(kind.alone, lacks, strict=False))
            met.append(Pairs(alone, np.ascontiguousarray(joint)))
        return tuple(met)

    def bests(self, dimension: int) -> Grid:
        """The m per best level (and none, last) of a dimension."""
        return _by_best(self.space.dimensions[dimension], self.m[dimension])

    def alone_weight(self, dimension: int) -> Grid:
        """Weight between strangers per demanded level, and of disagreeing (last), of a dimension that stands alone."""
        m, u = (
            self.bests(dimension),
            _by_best(self.space.dimensions[dimension], self.kinds[0].alone[dimension]),
        )
        return np.array([log2_units(int(a), int(b)) for a, b in zip(m, u, strict=True)], dtype=np.int64)


def _excess(joint: Grid, space: Space) -> Grid:
    """The part of the household's joint states that is relatives: what shared homes have beyond independent fields."""
    model = space.schema.model
    home = np.zeros(joint.shape, dtype=np.bool_)
    agreed = np.zeros(joint.shape, dtype=np.int64)
    apart = np.full((1,) * joint.ndim, ONE, dtype=object)
    for axis, d in enumerate(space.household):
        view = [-1 if i == axis else 1 for i in range(joint.ndim)]
        others = tuple(i for i in range(joint.ndim) if i != axis)
        apart = apart * joint.sum(axis=others).astype(object).reshape(view) // ONE
        agreed += (np.arange(len(d.states)) < len(d.states) - 1).reshape(view)
        if d.name in model.home:
            home |= np.array([best == 0 for best in d.bests]).reshape(view)
    apart = apart.astype(np.int64)
    # Rates are known to 9 % each: what is hardly more than the product of its parts need not be families.
    return np.where(home & (agreed > 1) & (joint * 2 > apart * 3), joint - apart, 0)


def _relatives(space: Space, share: int) -> Pairs:
    """So many pairs of one household, by the joint states of its fields: mostly one name and one home."""
    model = space.schema.model
    dimensions = space.household
    homes = np.zeros([len(d.states) for d in dimensions], dtype=np.int64)
    named = [d.name in model.names for d in dimensions]
    for home, of_homes in ((True, _SAME_HOME), (False, 100 - _SAME_HOME)):
        for name, of_names in ((True, _SAME_NAME), (False, 100 - _SAME_NAME)):
            agreed = [name if is_name else home for is_name in named]
            at = tuple(
                d.bests.index(0) if yes else len(d.states) - 1
                for yes, d in zip(agreed, dimensions, strict=True)
            )
            homes[at] += share * of_homes * of_names // 10_000
    return Pairs(tuple(np.array(d.kin) for d in space.alone), homes)


def _with_missing(values: Grid, receiver: int, sender: int) -> Grid:
    """Probabilities by state (first axis), then by what is missing; how often either side says anything, in 64ths."""
    every = values.sum(axis=0, keepdims=True)
    gone = (PRESENT - receiver, PRESENT - sender)
    shares = (gone[0] * sender, receiver * gone[1], gone[0] * gone[1])
    return np.concatenate([values * receiver * sender, *(every * share for share in shares)]) // PRESENT**2


def _reduced(pairs: Pairs, moved: Sequence[Grid]) -> Pairs:
    """Pairs after what cannot be said has fallen to what remains, dimension by dimension."""
    count = len(pairs.alone)
    alone = tuple(_moved(values, each) for values, each in zip(pairs.alone, moved[:count], strict=True))
    joint = pairs.household
    for axis, each in enumerate(moved[count:]):
        joint = np.moveaxis(_moved(np.moveaxis(joint, axis, 0), each), 0, axis)
    return Pairs(alone, np.ascontiguousarray(joint))


def _stated(rates: Rates, space: Space, kept: Sequence[Grid]) -> Pairs:
    """One side's rates as probabilities, for what both lists can say."""

    def spread(codes: tuple[int, ...], dimensions: Sequence[Dimension]) -> Grid:
        values = [probability(code) for code in codes]
        total = sum(values)
        if total > ONE - 1:
            values = [value * (ONE - 1) // total for value in values]
        return np.array([*values, ONE - sum(values)], dtype=np.int64).reshape(
            [len(d.states) for d in dimensions]
        )

    alone = tuple(spread(codes, [d]) for codes, d in zip(rates.alone, space.alone, strict=True))
    return _reduced(Pairs(alone, spread(rates.household, space.household)), kept)


def _combined(mine: Grid, theirs: Grid) -> Grid:
    """Two sides' probabilities to one: the geometric mean bounds how often the two lists collide (Cauchy-Schwarz)."""
    middle = np.frompyfunc(lambda p, q: max(math.isqrt(p * q), max(p, q) // _CLOSE), 2, 1)
    both = middle(mine.astype(object), theirs.astype(object)).astype(np.int64).ravel()
    both[-1] = ONE - both[:-1].sum()
    return np.asarray(both.reshape(mine.shape), dtype=np.int64)


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


@cache
def _below(dimension: Dimension) -> tuple[tuple[int, ...], ...]:
    """Per demand, the strictly weaker demands."""
    every = range(len(dimension.levels) + 1)
    return tuple(tuple(j for j in every if j != i and dimension.implies(i, j)) for i in every)


def _ordered(weights: Grid, known: npt.NDArray[np.bool_], dimensions: Sequence[Dimension | None]) -> Grid:
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
    dimensions = weights.space.dimensions
    axes = range(len(dimensions))
    views = [[-1 if i == axis else 1 for i in axes] for axis in axes]
    held = [axis for axis in axes if axis not in absent]
    known = np.ones((1,) * len(dimensions), dtype=np.bool_)
    # Integers of any length: products of probabilities in parts of 2^40.
    match = np.full((1,) * len(dimensions), 1, dtype=object)
    for axis in held:
        bests = weights.bests(axis)
        known = known & (bests >= _RAREST_M).reshape(views[axis])
        match = match * np.maximum(bests, 1).astype(object).reshape(views[axis])
    chance = sum(_chance(kind, weights.space, absent) for kind in weights.kinds)
    # chance is in parts of ONE for the household and for each field beside it.
    above = ONE ** (1 + sum(1 for axis in held if axis < len(weights.space.alone)))
    below = ONE ** len(held)
    units = np.frompyfunc(lambda m, u: log2_units(m * above, max(u, 1) * below), 2, 1)
    return _ordered(
        units(match, chance).astype(np.int64),
        known,
        [None if i in absent else d for i, d in enumerate(dimensions)],
    )


def _chance(kind: Pairs, space: Space, absent: frozenset[int]) -> npt.NDArray[np.object_]:
    """How often pairs of this kind are in each combination of best levels, as integers of any length."""
    count = len(space.alone)
    joint = kind.household
    for axis, d in enumerate(space.household):
        joint = np.moveaxis(_by_best(d, np.moveaxis(joint, axis, 0)), 0, axis)
        if count + axis in absent:
            joint = joint.sum(axis=axis, keepdims=True)
    chance = joint.astype(object).reshape((1,) * count + joint.shape)
    for axis, d in enumerate(space.alone):
        if axis not in absent:
            view = [-1 if i == axis else 1 for i in range(len(space.dimensions))]
            chance = chance * _by_best(d, kind.alone[axis]).astype(object).reshape(view)
    return chance


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

    def at(self, threshold: int, among: Sequence[Absence] | None = None) -> Iterator[Pattern]:
        """The minimal patterns of this threshold (1/64 bit), in a fixed order; only with absences `among` these."""
        for absence in self.absences if among is None else among:
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
        places = np.argwhere(_minimal(sufficient, self.space.dimensions))
        found = grid[tuple(places.T)].tolist()
        for axis in absence.fields:
            places[:, axis] = len(self.space.dimensions[axis].levels)
        for demands, score in zip(places.tolist(), found, strict=True):
            yield Pattern(tuple(demands), score, swapped, absence)
