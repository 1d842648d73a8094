"""The collector's search: which cells, of any t members, are shares of one element.

By Lagrange, t shares of a polynomial without a constant term satisfy sum(c_i y_i) = 0 with c_i = product of j / (j - i). The
points are 1 to 10, so whole numbers below 2^13 do: half-words times these, added up, are exact in double precision, and
all choices of t members become one multiplication of matrices.
"""

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.threshold import field
from blindmatch.protocol.threshold.field import PRIME, Words
from blindmatch.protocol.threshold.share_tables import LEAST_TABLES

Bytes2D = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]

CELLS_AT_ONCE: Final = 1 << 19
"""Cells times choices that are looked at together: about 30 MiB of memory."""

_HALF: Final = np.uint64(32)
_LOW: Final = np.uint64((1 << 32) - 1)


@dataclass(frozen=True)
class Combinations:
    """Every choice of t out of n members, and what to multiply their cells by.

    Args:
        members: (choices, t) the members' places.
        factors: (choices, n) whole numbers; 0 where a member is not in the choice.
        scales: (choices,) what the weighted sum is larger by than the polynomial at 0, inverted modulo the prime.
    """

    members: Indices
    factors: npt.NDArray[np.float64]
    scales: Words


@cache
def combinations(members: int, at_least: int) -> Combinations:
    """For members at the points 1 to n."""
    every = list(itertools.combinations(range(members), at_least))
    factors = np.zeros((len(every), members), dtype=np.float64)
    scales = np.empty(len(every), dtype=np.uint64)
    for row, chosen in enumerate(every):
        weights = [
            math.prod((Fraction(j + 1, j - i) for j in chosen if j != i), start=Fraction(1)) for i in chosen
        ]
        whole = math.lcm(*(weight.denominator for weight in weights))
        factors[row, list(chosen)] = [int(weight * whole) for weight in weights]
        scales[row] = pow(whole, -1, PRIME)
    return Combinations(np.array(every, dtype=np.int64), factors, scales)


@dataclass(frozen=True)
class Reconstructions:
    """Cells in which some choice of t members met: one row per find.

    Args:
        cells: (k,) which cell, counted over all tables.
        chosen: (k,) which choice of members.
        marks: (k,) the mark that they share.
    """

    cells: Indices
    chosen: Indices
    marks: Words

    @classmethod
    def together(cls, parts: "list[Reconstructions]") -> "Reconstructions":
        """Several, one after the other."""
        return cls(
            np.concatenate([np.empty(0, dtype=np.int64), *(part.cells for part in parts)]),
            np.concatenate([np.empty(0, dtype=np.int64), *(part.chosen for part in parts)]),
            np.concatenate([np.empty(0, dtype=np.uint64), *(part.marks for part in parts)]),
        )


def search(cells: Bytes2D, first: int, made: Combinations) -> Reconstructions:
    """Look at some cells of all members.

    Args:
        cells: (members, m, 16) as they came; words that are no residues are taken modulo the prime.
        first: the number of the first of them.
        made: the choices.
    """
    words = field.reduce(cells.view(">u8").astype(np.uint64))  # (members, m, 2)
    count = cells.shape[1]
    step = max(1, CELLS_AT_ONCE // len(made.members))
    parts = []
    for start in range(0, count, step):
        part = words[:, start : start + step]
        chosen, at = np.nonzero(_weighted(made.factors, part[:, :, 0]) == 0)
        marks = np.empty(len(at), dtype=np.uint64)
        for choice in np.unique(chosen):
            mine = np.flatnonzero(chosen == choice)
            sums = _weighted(made.factors[choice : choice + 1], part[:, at[mine], 1])[0]
            marks[mine] = field.multiply(sums, made.scales[choice])
        parts.append(Reconstructions(at + (first + start), chosen, marks))
    return Reconstructions.together(parts)


def _weighted(factors: npt.NDArray[np.float64], words: Words) -> Words:
    """(choices, n) times (n, m) modulo the prime."""
    high = factors @ (words >> _HALF).astype(np.float64)
    low = factors @ (words & _LOW).astype(np.float64)
    return field.join_halves(high.astype(np.int64), low.astype(np.int64))


@dataclass(frozen=True)
class SharedElements:
    """What the collector knows in the end.

    Args:
        held: (k, members) which members hold each of the k elements.
        cells: (k, members) one of the cells in which each was found, -1 for a member that does not hold it.
    """

    held: npt.NDArray[np.bool_]
    cells: Indices

    def __len__(self) -> int:
        return len(self.held)


def shared_elements(found: Reconstructions, made: Combinations, bins: int, draw: Words) -> SharedElements:
    """The elements that were seen in `SIGHTINGS` tables or more, and their holders.

    Args:
        found: of all cells.
        made: the choices.
        bins: bins per table.
        draw: secret words, one per table: they decide which of several sightings is told.

    Only one cell of each element is ever told to a member: in how many tables it was seen depends on what the others hold.
    """
    members = made.factors.shape[1]
    marks, element = np.unique(found.marks, return_inverse=True)
    tables = found.cells // bins
    seen = np.unique(np.stack((element, tables), axis=1), axis=0)
    kept = np.bincount(seen[:, 0], minlength=len(marks)) >= LEAST_TABLES
    number = np.cumsum(kept) - 1
    held = np.zeros((int(kept.sum()), members), dtype=np.bool_)
    cells = np.full(held.shape, -1, dtype=np.int64)
    rows = np.flatnonzero(kept[element])
    # Written in an order that is secret and does not depend on the find: what is written last stays.
    rows = rows[np.argsort(draw[tables[rows]] ^ found.marks[rows], kind="stable")]
    for place in range(made.members.shape[1]):
        who = made.members[found.chosen[rows], place]
        held[number[element[rows]], who] = True
        cells[number[element[rows]], who] = found.cells[rows]
    return SharedElements(held, cells)
