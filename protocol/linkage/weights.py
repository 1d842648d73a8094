"""Weights: what agreeing and disagreeing is worth in one round, from the schema's m and both sides' rates.

Pairs of two people are a mixture of strangers and relatives. Everything here is integers, so that both sides of a round
reckon the same: probabilities in parts of 2^40, weights in 1/64 bit.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.linkage.rates import PRESENT, Rates, probability
from blindmatch.protocol.linkage.states import ONE, Dimension, Space, log2_units

Grid = npt.NDArray[np.int64]

_CLOSE: Final = 4
"""One side's rates make a key no more than so many times looser than the other's alone would."""


_SAME_NAME: Final = 80
_SAME_HOME: Final = 85
"""Per cent of relatives who agree on the names of a household, and on its home."""


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
        return by_best(self.space.dimensions[dimension], self.m[dimension])

    def alone_weight(self, dimension: int) -> Grid:
        """Weight between strangers per demanded level, and of disagreeing (last), of a dimension that stands alone."""
        m, u = (
            self.bests(dimension),
            by_best(self.space.dimensions[dimension], self.kinds[0].alone[dimension]),
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


def by_best(dimension: Dimension, values: Grid) -> Grid:
    """Sum over the states (first axis) that have one best level."""
    out = np.zeros((len(dimension.levels) + 1, *values.shape[1:]), dtype=np.int64)
    for state, best in enumerate(dimension.bests):
        out[best] += values[state]
    return out
