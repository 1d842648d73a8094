"""A member's share tables: the bin and the shares of each element, and the probability that an element is missed.

Every element has one bin in each of many tables, and a bin holds one element. Where several elements have one bin, an order decides
which of them is in it. The order is derived from the same pseudorandom output as the bins, so it is the same for every holder. Tables
come in pairs: the second uses the reverse order of the first. The scheme is that of Arpaci, Boutaba and Kerschbaum (arXiv
2510.12045), which they call the exponential reduction of Mahdavi et al. (ACSAC 2020). They also fill free bins a second time, which is
omitted here: it saves a twentieth.

A cell holds two words: P(i) and Q(i) at the member's point i. P and Q are polynomials of degree t - 1, given by the element and the
table; P(0) is 0, Q(0) is the element's mark, the same in all tables. The cells of fewer than t members are uniform.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from blindmatch.protocol import hashing
from blindmatch.protocol.expand import Expander
from blindmatch.protocol.group import wipe
from blindmatch.protocol.threshold import field
from blindmatch.protocol.threshold.field import Words

Bytes2D = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]

PAIRS: Final = 27
"""Pairs of tables: with half as many bins as the holders have elements, `miss_probability` is below 2^-41."""
TABLES: Final = 2 * PAIRS
LEAST_TABLES: Final = 2
"""The number of tables in which a mark must occur: chance gives a mark once, but not the same mark twice."""
CELL_BYTES: Final = 16

_WORD_BYTES: Final = 8
_BLOCK_WORDS: Final = 8
_PLACES: Final = 3
"""Words per pair of tables: the order, and the bin in each table."""
_CHUNK: Final = 1 << 16
_EMPTY: Final = np.int64(-1)

_PLACES_LABEL: Final = b"blindmatch/threshold/places/v1"
_SHARES_LABEL: Final = b"blindmatch/threshold/shares/v1"
_MARK_LABEL: Final = b"blindmatch/threshold/mark/v1"


@dataclass(frozen=True)
class TableShape:
    """The shape of all members' tables.

    Args:
        at_least: t, the number of members that must hold an element.
        bins: bins per table.
    """

    at_least: int
    bins: int

    @classmethod
    def of(cls, at_least: int, elements: tuple[int, ...]) -> "TableShape":
        """The shape for members with these numbers of elements: half as many bins as the t largest lists have elements together."""
        return cls(at_least, max(2, -(-most_elements(at_least, elements) // 2)))

    @property
    def cells(self) -> int:
        """Cells of all tables of one member."""
        return TABLES * self.bins


def most_elements(at_least: int, elements: tuple[int, ...]) -> int:
    """The largest number of different elements that `at_least` members can hold together."""
    return sum(sorted(elements)[-at_least:])


def miss_probability(bins: int, others: int) -> float:
    """The probability that an element held by t members is reconstructed in fewer than `LEAST_TABLES` tables.

    Args:
        bins: bins per table.
        others: the number of different other elements that these members hold.

    An element is in a table when no other element of its holders that precedes it in the order has its bin. Of `others` = N elements,
    K precede it, where K is uniform on 0 to N. With q = 1 - 1/bins it is in the first table with probability q^K, and in the second
    with q^(N-K). Bins of different tables are independent.
    """
    q = 1 - 1 / bins
    single = -math.expm1((others + 1) * math.log(q)) / ((others + 1) * (1 - q))
    both = q**others
    none = 1 - 2 * single + both
    one = 2 * (single - both)
    return none**PAIRS + PAIRS * one * none ** (PAIRS - 1)


def false_mark_probability(shape: TableShape, members: int, shared: int) -> float:
    """A bound on the probability that a mark is accepted that no t members share.

    A combination of t cells gives 0 at 0 by chance with probability 2^-61. Its mark must then equal a mark of another table: that of
    another chance result, or one of `shared` true marks, with probability 2^-61 each.
    """
    chance = shape.cells * math.comb(members, shape.at_least) / field.PRIME
    return (chance * chance + chance * shared) / field.PRIME


class ShareDerivation:
    """Derives marks, places and shares from joint outputs (n, 64), bound to one threshold and round: HKDF-Expand (RFC 5869 2.3)."""

    def __init__(self, binding: bytes, shape: TableShape) -> None:
        self._binding = binding
        self._shape = shape

    def marks(self, outputs: Bytes2D) -> Words:
        """The mark of each element (n,)."""
        return field.reduce(self._words(outputs, _MARK_LABEL, 0, 0)[:, 0])

    def places(self, outputs: Bytes2D, block: int) -> Words:
        """Eight of each element's words for order and bins (n, 8): block `block` of them."""
        return self._words(outputs, _PLACES_LABEL, 0, block)

    def shares(self, outputs: Bytes2D, table: int, point: int) -> Bytes2D:
        """Cells (n, 16) of elements in one table: both polynomials at a member's point, 1 to 10, big-endian words."""
        degree = self._shape.at_least - 1
        needed = 2 * degree
        blocks = -(-needed // _BLOCK_WORDS)
        words = np.concatenate(
            [self._words(outputs, _SHARES_LABEL, table, block) for block in range(blocks)], axis=1
        )
        x = np.full(1, point, dtype=np.uint64)
        cells = np.empty((len(outputs), 2), dtype=">u8")
        constants = (np.zeros(len(outputs), dtype=np.uint64), self.marks(outputs))
        for which, constant in enumerate(constants):
            value = np.zeros(len(outputs), dtype=np.uint64)
            for power in range(degree):
                value = field.multiply(field.add(value, field.reduce(words[:, 2 * power + which])), x)
            cells[:, which] = field.add(value, constant)
        wipe(words.view(np.uint8))
        return cells.view(np.uint8).reshape(len(outputs), CELL_BYTES)

    def _words(self, outputs: Bytes2D, label: bytes, table: int, block: int) -> Words:
        parts = (label, self._binding, table.to_bytes(2, "big"), block.to_bytes(2, "big"))
        info = b"".join(len(part).to_bytes(2, "big") + part for part in parts)
        return hashing.hkdf_expand(outputs, info, _BLOCK_WORDS * _WORD_BYTES).view(">u8").astype(np.uint64)


class BinAssignment:
    """The element in each bin.

    Args:
        derivation: see `ShareDerivation`.
        outputs: of all elements (n, 64), in memory or mapped; read in parts.
        bins: bins per table.
    """

    def __init__(self, derivation: ShareDerivation, outputs: Bytes2D, bins: int) -> None:
        self._derivation = derivation
        self._outputs = outputs
        self._bins = bins
        self._block = -1
        self._words: Words = np.empty((0, _BLOCK_WORDS), dtype=np.uint64)

    def pair(self, number: int) -> Iterator[Indices]:
        """The element in each bin (bins,), -1 for an empty bin, of the two tables of a pair."""
        order = np.argsort(self._word(number * _PLACES), kind="stable")
        first, second = (self._bin(self._word(number * _PLACES + 1 + side)) for side in range(2))
        # The last element that is written stays, so the first of the order is written last.
        yield self._winners(first, order[::-1])
        yield self._winners(second, order)

    def _winners(self, bins: Indices, order: Indices) -> Indices:
        winners = np.full(self._bins, _EMPTY, dtype=np.int64)
        winners[bins[order]] = order
        return winners

    def _bin(self, words: Words) -> Indices:
        return (((words >> np.uint64(32)) * np.uint64(self._bins)) >> np.uint64(32)).astype(np.int64)

    def _word(self, index: int) -> Words:
        block, column = divmod(index, _BLOCK_WORDS)
        if block != self._block:
            count = len(self._outputs)
            self._words = np.empty((count, _BLOCK_WORDS), dtype=np.uint64)
            for start in range(0, count, _CHUNK):
                part = np.ascontiguousarray(self._outputs[start : start + _CHUNK])
                self._words[start : start + _CHUNK] = self._derivation.places(part, block)
            self._block = block
        return self._words[:, column].copy()


def fill_table(
    table: Bytes2D,
    number: int,
    winners: Indices,
    outputs: Bytes2D,
    *,
    derivation: ShareDerivation,
    expander: Expander,
    point: int,
) -> None:
    """Write one table (bins, 16): shares in the bins that hold an element, uniform words in the others.

    Args:
        table: is overwritten.
        number: the table's number.
        winners: the element in each bin (bins,), -1 for an empty bin.
        outputs: of all elements (n, 64).
        derivation: see `ShareDerivation`.
        expander: of the member's secret seed: gives the uniform words.
        point: the member's point, 1 to 10.
    """
    random = np.frombuffer(expander.stream("cells", number, table.nbytes), dtype=">u8")
    table[:] = field.reduce(random.astype(np.uint64)).astype(">u8").view(np.uint8).reshape(table.shape)
    occupied = np.flatnonzero(winners != _EMPTY)
    for start in range(0, len(occupied), _CHUNK):
        bins = occupied[start : start + _CHUNK]
        held = np.ascontiguousarray(outputs[winners[bins]])
        table[bins] = derivation.shares(held, number, point)
        wipe(held)
