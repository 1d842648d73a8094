"""Pairs of records that share a token: the result of the protocol, by sorting instead of blinding."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.linkage import DUMMY, Tokens

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Matches:
    """Distinct pairs of records that share a token, in ascending order, and the left elements that hit."""

    pairs: Indices = field(repr=False)
    """(n, 2) left and right record."""
    ranks: Indices = field(repr=False)
    """(n,) the rank of the first key on which the pair agrees."""
    elements: Indices = field(repr=False)
    """(h,) indices of left elements that are on the right too, ascending: the hits of a session."""

    def within(self, budget: int) -> Indices:
        """(m, 2) the pairs that the first `budget` keys find."""
        return self.pairs[self.ranks < budget]


def intersect(left: Tokens, right: Tokens) -> Matches:
    """All pairs that share a token. `right` is the sender's: a token of several records is in it once, with its holders."""
    ours = np.flatnonzero(left.key_index != DUMMY)
    theirs = np.flatnonzero(right.key_index != DUMMY)
    words = right.tokens[theirs, :8].copy().view(np.uint64).ravel()
    order = np.argsort(words, kind="stable")
    words, theirs = words[order], theirs[order]
    wanted = left.tokens[ours, :8].copy().view(np.uint64).ravel()
    start = np.searchsorted(words, wanted, side="left")
    count = np.searchsorted(words, wanted, side="right") - start
    ours, start, count = ours[count > 0], start[count > 0], count[count > 0]
    # First the pairs of elements whose first eight bytes are equal, then those whose 32 bytes are.
    mine = np.repeat(ours, count)
    within = np.arange(len(mine)) - np.repeat(np.cumsum(count) - count, count)
    other = theirs[np.repeat(start, count) + within]
    same = (left.tokens[mine] == right.tokens[other]).all(axis=1)
    mine, other = mine[same], other[same]
    records, holders, ranks = _with_holders(left, right, mine, other)
    return _distinct(records, holders, ranks, np.unique(mine))


def _with_holders(
    left: Tokens, right: Tokens, mine: Indices, other: Indices
) -> tuple[Indices, Indices, Indices]:
    held = [right.records_of(int(element)) for element in other]
    count = np.fromiter((len(members) for members in held), dtype=np.int64, count=len(held))
    records = np.repeat(mine // left.tokens_per_record, count)
    ranks = np.repeat(left.key_index[mine].astype(np.int64), count)
    return records, np.concatenate(held) if held else np.empty(0, dtype=np.int64), ranks


def _distinct(left: Indices, right: Indices, ranks: Indices, elements: Indices) -> Matches:
    order = np.lexsort((ranks, right, left))
    left, right, ranks = left[order], right[order], ranks[order]
    first = np.ones(len(left), dtype=np.bool_)
    first[1:] = (np.diff(left) != 0) | (np.diff(right) != 0)
    return Matches(np.stack((left[first], right[first]), axis=1), ranks[first], elements)
