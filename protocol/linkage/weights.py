"""Weights of agreement and disagreement in one round, from the schema's m and both sides' rates (Fellegi and Sunter 1969).

Pairs of two different people are a mixture of strangers and relatives. All arithmetic is on integers, so that both sides of a
round compute the same values: probabilities in parts of 2^40, weights in 1/64 bit.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.linkage.comparison_states import ONE, Dimension, Space, log2_units
from blindmatch.protocol.linkage.rates import PRESENT, Rates, probability

Grid = npt.NDArray[np.int64]

_CLOSE: Final = 4
"""A side that understates a rate lowers the combined rate to no less than this fraction (1/4) of the other side's rate.

The bound holds for each group of fields (forenames, date of birth, the household), not for each key: a side that understates
the rates of several groups lowers a key's chance by up to this factor for every group that the key uses. It holds against the
other side's stated rate only: if both sides understate a rate, nothing bounds it.
"""

_SAME_NAME: Final = 80
_SAME_HOME: Final = 85
"""Percentages of pairs of relatives that agree on the names of their household, and on its home."""


@dataclass(frozen=True)
class Pairs:
    """One kind of pairs of two different people: the probability of each state, in parts of 2^40."""

    alone: tuple[Grid, ...]
    """For each dimension outside the household, (states,); within this kind it is independent of all others."""
    household: Grid
    """The household's dimensions jointly, (states, states, …); the sum is the share of this kind."""


class Weights:
    """A round's probabilities and weights: the schema's m and both sides' u, for the levels that both lists hold.

    Pairs of two different people are strangers or relatives. Relatives share a home, and their ages and names depend on it:
    couples are born in similar years, and sons are named after their fathers.
    """

    def __init__(self, space: Space, receiver: Rates, sender: Rates, *, relatives: int = 0) -> None:
        """Combine both sides' rates.

        Args:
            space: the dimensions of the schema.
            receiver: the receiver's stated rates.
            sender: the sender's stated rates.
            relatives: the least probability, in parts of 2^40, that a pair between the lists is of one household. A list
                with one person of every household does not show how many of their relatives the other list holds.
        """
        self.space = space
        self._place = {level.name: i for i, level in enumerate(space.schema.levels)}
        self.presence = tuple(
            tuple(self._field_presence(rates, d) for d in space.dimensions) for rates in (receiver, sender)
        )
        """Per side and dimension, the share of records that hold the field, in parts of 64."""
        transitions = [self._transitions(d, receiver, sender) for d in space.dimensions]
        self.m = tuple(
            _redistributed(np.array(d.m), t) for d, t in zip(space.dimensions, transitions, strict=True)
        )
        stated = [_stated(rates, space, transitions) for rates in (receiver, sender)]
        met = tuple(
            _combined(mine, theirs) for mine, theirs in zip(stated[0].alone, stated[1].alone, strict=True)
        )
        joint = _combined(stated[0].household, stated[1].household)
        observed = _excess(joint, space)
        more = _relatives(space, max(relatives - int(observed.sum()), 0))
        related = observed + _reduced(more, transitions).household
        kin = tuple(
            _redistributed(np.array(d.kin), t) for d, t in zip(space.alone, transitions, strict=False)
        )
        self.kinds = (Pairs(met, joint - observed), Pairs(kin, related))
        """The pairs of strangers, and the pairs of relatives."""

    def _field_presence(self, rates: Rates, dimension: Dimension) -> int:
        return max(rates.presence[self._place[level.name]] for level in dimension.levels)

    def _transitions(self, dimension: Dimension, receiver: Rates, sender: Rates) -> Grid:
        """(states, states): the share of the pairs in a state that stay in it or move to another, in parts of 4096.

        A level that a record lacks (the day of a date known by its month) cannot agree: the pair moves to the state of
        the levels that remain.
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
        transitions = np.zeros((len(index), len(index)), dtype=np.int64)
        for state, i in index.items():
            done = 0
            for share in sorted({0, whole, *shares}):
                remaining = frozenset(k for k in state if shares[k] >= share)
                # The remaining set is closed too: a level is present wherever one that implies it is present.
                transitions[i, index.get(remaining, len(index) - 1)] += share - done
                done = share
        return transitions

    def met(self) -> tuple[Pairs, ...]:
        """The kinds of pairs between two lists with missing fields; each dimension has three more states.

        They follow the dimension's own states: missing on the receiver's side, on the sender's side, on both.
        """
        count = len(self.space.alone)
        presence = list(zip(*self.presence, strict=True))
        met = []
        for kind in self.kinds:
            joint = kind.household
            for axis, both in enumerate(presence[count:]):
                joint = np.moveaxis(_with_missing(np.moveaxis(joint, axis, 0), *both), 0, axis)
            alone = tuple(_with_missing(u, *both) for u, both in zip(kind.alone, presence, strict=False))
            met.append(Pairs(alone, np.ascontiguousarray(joint)))
        return tuple(met)

    def bests(self, dimension: int) -> Grid:
        """The m of each best level of a dimension, and of no level (last)."""
        return by_best(self.space.dimensions[dimension], self.m[dimension])

    def alone_weight(self, dimension: int) -> Grid:
        """The weight, between strangers, of each demanded level of a dimension outside the household; last, of disagreement. 1/64 bit."""
        m, u = (
            self.bests(dimension),
            by_best(self.space.dimensions[dimension], self.kinds[0].alone[dimension]),
        )
        return np.array([log2_units(int(a), int(b)) for a, b in zip(m, u, strict=True)], dtype=np.int64)


def _excess(joint: Grid, space: Space) -> Grid:
    """The part of the household's joint states that is due to relatives: the excess of shared homes over independent fields."""
    model = space.schema.model
    home = np.zeros(joint.shape, dtype=np.bool_)
    agreed = np.zeros(joint.shape, dtype=np.int64)
    independent = np.full((1,) * joint.ndim, ONE, dtype=object)
    for axis, d in enumerate(space.household):
        view = [-1 if i == axis else 1 for i in range(joint.ndim)]
        others = tuple(i for i in range(joint.ndim) if i != axis)
        independent = independent * joint.sum(axis=others).astype(object).reshape(view) // ONE
        agreed += (np.arange(len(d.states)) < len(d.states) - 1).reshape(view)
        if d.name in model.home:
            home |= np.array([best == 0 for best in d.bests]).reshape(view)
    independent = independent.astype(np.int64)
    # Each rate is known to 9 % only: a small excess over the product of the fields' rates is no evidence of families.
    return np.where(home & (agreed > 1) & (joint * 2 > independent * 3), joint - independent, 0)


def _relatives(space: Space, share: int) -> Pairs:
    """A share of pairs of one household, by the joint states of its fields: most share a surname and a home."""
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
    """Append the states of a missing field to probabilities by state (first axis); `receiver` and `sender` are presences in 64ths."""
    every = values.sum(axis=0, keepdims=True)
    missing = (PRESENT - receiver, PRESENT - sender)
    shares = (missing[0] * sender, receiver * missing[1], missing[0] * missing[1])
    return np.concatenate([values * receiver * sender, *(every * share for share in shares)]) // PRESENT**2


def _reduced(pairs: Pairs, transitions: Sequence[Grid]) -> Pairs:
    """Pairs after `_redistributed` in every dimension."""
    count = len(pairs.alone)
    alone = tuple(
        _redistributed(values, each) for values, each in zip(pairs.alone, transitions[:count], strict=True)
    )
    joint = pairs.household
    for axis, each in enumerate(transitions[count:]):
        joint = np.moveaxis(_redistributed(np.moveaxis(joint, axis, 0), each), 0, axis)
    return Pairs(alone, np.ascontiguousarray(joint))


def _stated(rates: Rates, space: Space, transitions: Sequence[Grid]) -> Pairs:
    """One side's rates as probabilities, for the levels that both lists hold."""

    def spread(codes: tuple[int, ...], dimensions: Sequence[Dimension]) -> Grid:
        values = [probability(code) for code in codes]
        total = sum(values)
        if total > ONE - 1:
            values = [value * (ONE - 1) // total for value in values]
        return np.array([*values, ONE - sum(values)], dtype=np.int64).reshape(
            [len(d.states) for d in dimensions]
        )

    alone = tuple(spread(codes, [d]) for codes, d in zip(rates.alone, space.alone, strict=True))
    return _reduced(Pairs(alone, spread(rates.household, space.household)), transitions)


def _combined(mine: Grid, theirs: Grid) -> Grid:
    """Two sides' probabilities combined: the geometric mean is an upper bound on collisions between the lists (Cauchy-Schwarz).

    Never below 1/`_CLOSE` of the larger one.
    """
    middle = np.frompyfunc(lambda p, q: max(math.isqrt(p * q), max(p, q) // _CLOSE), 2, 1)
    both = middle(mine.astype(object), theirs.astype(object)).astype(np.int64).ravel()
    both[-1] = ONE - both[:-1].sum()
    return np.asarray(both.reshape(mine.shape), dtype=np.int64)


def _redistributed(values: Grid, transitions: Grid) -> Grid:
    """Probabilities by state (first axis) after pairs without a level moved to the state of the remaining levels."""
    flat = values.reshape(len(values), -1)
    out = np.zeros_like(flat)
    for i, j in zip(*np.nonzero(transitions), strict=True):
        out[j] += flat[i] * transitions[i, j] // (PRESENT * PRESENT)
    return out.reshape(values.shape)


def by_best(dimension: Dimension, values: Grid) -> Grid:
    """Sum over the states (first axis) that have the same best level: (levels + 1, …), no level last."""
    out = np.zeros((len(dimension.levels) + 1, *values.shape[1:]), dtype=np.int64)
    for state, best in enumerate(dimension.bests):
        out[best] += values[state]
    return out
