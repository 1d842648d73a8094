"""The collector's search: the cells at which any t members have shares of one element.

By Lagrange interpolation, t shares of a polynomial without a constant term satisfy sum(c_i y_i) = 0 with c_i = product of j / (j - i). The
points are 1 to 10, so integers below 2^13 suffice as factors: sums of half-words times these are exact in double precision, and
all combinations of t members are one multiplication of matrices.
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
"""Cells times combinations that are tried together: about 30 MiB of memory."""

_HALF: Final = np.uint64(32)
_LOW: Final = np.uint64((1 << 32) - 1)


@dataclass(frozen=True)
class Combinations:
    """Every combination of t out of n members, with the factors of their cells.

    Args:
        members: (combinations, t) the members' places.
        factors: (combinations, n) integers; 0 for a member that is not in the combination.
        scales: (combinations,) the inverse, modulo the prime, of the factor between the weighted sum and the polynomial at 0.
    """

    members: Indices
    factors: npt.NDArray[np.float64]
    scales: Words


@cache
def combinations(members: int, at_least: int) -> Combinations:
    """The combinations of `at_least` out of `members` members, which have the points 1 to n."""
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
    """Cells at which a combination of t members reconstructs a mark: k rows.

    Args:
        cells: (k,) the cell's number in all tables.
        chosen: (k,) the combination's number.
        marks: (k,) the mark.
    """

    cells: Indices
    chosen: Indices
    marks: Words

    @classmethod
    def concatenate(cls, parts: "list[Reconstructions]") -> "Reconstructions":
        """The rows of all parts."""
        return cls(
            np.concatenate([np.empty(0, dtype=np.int64), *(part.cells for part in parts)]),
            np.concatenate([np.empty(0, dtype=np.int64), *(part.chosen for part in parts)]),
            np.concatenate([np.empty(0, dtype=np.uint64), *(part.marks for part in parts)]),
        )


def search(cells: Bytes2D, first: int, every: Combinations) -> Reconstructions:
    """Try every combination on m cells of all members.

    Args:
        cells: (members, m, 16) as they came; words are reduced modulo the prime.
        first: the number of the first cell.
        every: the combinations.
    """
    words = field.reduce(cells.view(">u8").astype(np.uint64))  # (members, m, 2)
    count = cells.shape[1]
    step = max(1, CELLS_AT_ONCE // len(every.members))
    parts = []
    for start in range(0, count, step):
        part = words[:, start : start + step]
        chosen, at = np.nonzero(_weighted(every.factors, part[:, :, 0]) == 0)
        marks = np.empty(len(at), dtype=np.uint64)
        for choice in np.unique(chosen):
            mine = np.flatnonzero(chosen == choice)
            sums = _weighted(every.factors[choice : choice + 1], part[:, at[mine], 1])[0]
            marks[mine] = field.multiply(sums, every.scales[choice])
        parts.append(Reconstructions(at + (first + start), chosen, marks))
    return Reconstructions.concatenate(parts)


def _weighted(factors: npt.NDArray[np.float64], words: Words) -> Words:
    """(combinations, n) times (n, m) modulo the prime."""
    high = factors @ (words >> _HALF).astype(np.float64)
    low = factors @ (words & _LOW).astype(np.float64)
    return field.join_halves(high.astype(np.int64), low.astype(np.int64))


@dataclass(frozen=True)
class SharedElements:
    """The collector's result.

    Args:
        held: (k, members) which members hold each of the k shared elements.
        cells: (k, members) one of the cells at which the element was reconstructed, -1 for a member that does not hold it.
    """

    held: npt.NDArray[np.bool_]
    cells: Indices

    def __len__(self) -> int:
        return len(self.held)


def shared_elements(results: Reconstructions, every: Combinations, bins: int, draw: Words) -> SharedElements:
    """The elements that were reconstructed in at least `LEAST_TABLES` tables, and their holders.

    Args:
        results: of all cells.
        every: the combinations.
        bins: bins per table.
        draw: secret words, one per table: they choose the cell that is disclosed.

    Only one cell of each element is disclosed to a member: the number of tables depends on the other members' elements.
    """
    members = every.factors.shape[1]
    marks, element = np.unique(results.marks, return_inverse=True)
    tables = results.cells // bins
    pairs = np.unique(np.stack((element, tables), axis=1), axis=0)
    counted = np.bincount(pairs[:, 0], minlength=len(marks)) >= LEAST_TABLES
    number = np.cumsum(counted) - 1
    held = np.zeros((int(counted.sum()), members), dtype=np.bool_)
    cells = np.full(held.shape, -1, dtype=np.int64)
    rows = np.flatnonzero(counted[element])
    # The order of writing is secret and independent of the results: the last cell that is written stays.
    rows = rows[np.argsort(draw[tables[rows]] ^ results.marks[rows], kind="stable")]
    for place in range(every.members.shape[1]):
        who = every.members[results.chosen[rows], place]
        held[number[element[rows]], who] = True
        cells[number[element[rows]], who] = results.cells[rows]
    return SharedElements(held, cells)
