"""Tokens in groups, for PSI-cardinality and PSI-sum: the number of each occurrence of a token, and the tokens of each entry.

An entry is a group of records that is counted once, whichever of its tokens or records match. About 40 bytes per token are in
memory during the computation; the tokens themselves stay where the caller stores them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.limits import TOKEN_BYTES
from blindmatch.protocol.linkage.compiled_keys import DUMMY
from blindmatch.protocol.linkage.shared_tokens import SCAN, Rows, first_words
from blindmatch.protocol.linkage.tokens import AllocateRows, Tokens, in_memory, random_rows
from blindmatch.protocol.sorting import sort_order

Bytes2D = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

_ROUND_TO = 8
"""The elements of an entry are a multiple of this in each segment, so that their number discloses less about the largest entry."""

_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(31))

Random = Callable[[int], bytes]
"""Secret random bytes: `random(n)` returns n of them, different at every call; after a crash the same calls return the same."""


@dataclass(frozen=True)
class Copies:
    """The number of each element among the occurrences of its token.

    Args:
        copy_of: (n,) from 0; 0 for dummy elements.
        copies: a power of two above every number.
        left_out: elements that occurred too often, which are dummy elements now.
    """

    copy_of: npt.NDArray[np.uint8] = field(repr=False)
    copies: int
    left_out: int


@dataclass(frozen=True)
class Entries:
    """Tokens entry by entry.

    Args:
        tokens: each of its records is an entry. All entries have the same number of tokens, in `copies` equal segments; equal
            tokens of several entries are in different segments.
        copies: the number of segments, a power of two.
        entry_of: (given entries,) the entry that each became: entries with identical tokens are merged.
        left_out: tokens for which there was no room, the weakest of their entry, or that were in too many entries.
    """

    tokens: Tokens
    copies: int
    entry_of: Indices = field(repr=False)
    left_out: int


def occurrences(tokens: Tokens, most: int, random: Random) -> Copies:
    """Number the occurrences of every token of a list. Those from `most` on, a power of two, become dummy elements."""
    places, words = first_words(tokens.tokens, tokens.key_index)
    order, copy, _ = _numbered(words)
    copy_of = np.zeros(len(tokens.key_index), dtype=np.uint8)
    over = copy >= most
    copy_of[places[order[~over]]] = copy[~over]
    excess = np.sort(places[order[over]])
    if len(excess):
        tokens.key_index[excess] = DUMMY
        tokens.tokens[excess] = random_rows(random, len(excess))
    return Copies(copy_of, _power(copy[~over]), len(excess))


def entries(
    tokens: Tokens,
    entry_of_record: Indices,
    count: int,
    random: Random,
    *,
    most_copies: int,
    most_each: int,
    most_tokens: int,
    allocate: AllocateRows = in_memory,
) -> Entries:
    """Group the tokens of the records of each entry, each token once.

    Args:
        tokens: the tokens of the records, not distinct.
        entry_of_record: (records,) the entry of each record, from 0.
        count: the number of entries.
        random: for dummy elements, and for the segment of each token.
        most_copies: the most entries that can have the same token, a power of two.
        most_each: the most tokens of one entry.
        most_tokens: the most tokens of all entries.
        allocate: where the tokens of the entries are stored.
    """
    places, words = first_words(tokens.tokens, tokens.key_index)
    owner = entry_of_record[places // tokens.tokens_per_record]
    rank = tokens.key_index[places]
    order = np.lexsort((rank, words, owner))
    distinct = np.ones(len(order), dtype=np.bool_)
    distinct[1:] = (np.diff(owner[order]) != 0) | (words[order][1:] != words[order][:-1])
    order = order[distinct]
    places, words, owner, rank = places[order], words[order], owner[order], rank[order]
    entry_of, first = _merged(owner, words, count)
    groups = int(entry_of.max(initial=0)) + 1
    alone = first[entry_of[owner]] == owner
    places, words, rank, owner = places[alone], words[alone], rank[alone], entry_of[owner[alone]]

    order, number, run = _numbered(words)
    most = min(most_each, most_tokens // groups)
    copies = min(_power(number), most_copies, 1 << (max(most, 1).bit_length() - 1))
    start = np.frombuffer(random(int(run.max(initial=-1)) + 1), dtype=np.uint8)
    fits = number < copies
    order, segment = order[fits], (number[fits] + start[run[fits]]) % copies
    left_out = len(words) - len(order)
    places, rank, owner = places[order], rank[order], owner[order]

    order = np.lexsort((rank, segment, owner))
    places, cell = places[order], (owner * copies + segment)[order]
    starts = np.searchsorted(cell, cell)
    inside = np.arange(len(cell)) - starts
    room = max(1, most // copies)
    width = min(room, -(-(int(inside.max(initial=0)) + 1) // _ROUND_TO) * _ROUND_TO)
    fits = inside < width
    left_out += int(np.count_nonzero(~fits))
    target = (cell * width + inside)[fits]
    size = groups * copies * width
    rows = allocate("entries", (size, TOKEN_BYTES))
    key_index = np.full(size, DUMMY, dtype=np.uint8)
    key_index[target] = tokens.key_index[places[fits]]
    _place(rows, target, tokens.tokens, places[fits], random)
    return Entries(Tokens(rows, key_index, groups, copies * width, 0, {}), copies, entry_of, left_out)


def _numbered(words: Words) -> tuple[Indices, Indices, Indices]:
    """The order (n,) that sorts words (n,); in this order, each word's number among its equals, and the number of the word."""
    if not len(words):
        empty = np.empty(0, dtype=np.int64)
        return empty, empty, empty
    order, repeated = sort_order(words)
    run = np.cumsum(~repeated) - 1
    starts = np.flatnonzero(~repeated)
    return order, np.arange(len(words)) - starts[run], run


def _merged(owner: Indices, words: Words, count: int) -> tuple[Indices, Indices]:
    """Merge the entries with identical words: the merged entry of each (count,), and the first entry of each merged one.

    Sets of words are compared by two 64-bit sums: the tokens of our own list are hashes, which no adversary chooses.
    """
    sums = np.zeros((count, 3), dtype=np.uint64)
    mixed = (words ^ (words >> _MIX[2])) * _MIX[0]
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    if len(owner):
        sums[owner[starts], 0] = np.add.reduceat(words * _MIX[1], starts)
        sums[owner[starts], 1] = np.add.reduceat(mixed ^ (mixed >> _MIX[2]), starts)
        sums[owner[starts], 2] = np.diff(starts, append=len(owner)).astype(np.uint64)
    _, first, entry_of = np.unique(sums, axis=0, return_index=True, return_inverse=True)
    # Numbered in the order of the list, so that the numbers disclose nothing more than the list.
    order = np.argsort(first)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[entry_of.ravel()], first[order]


def _power(copy: Indices) -> int:
    return 1 << int(copy.max(initial=0)).bit_length()


def _place(tokens: Rows, target: Indices, source: Rows, places: Indices, random: Random) -> None:
    """Write every row once, in order, because rows in a sealed file cannot be overwritten."""
    for start in range(0, len(tokens), SCAN):
        stop = min(start + SCAN, len(tokens))
        rows = random_rows(random, stop - start).copy()
        low, high = np.searchsorted(target, (start, stop))
        if high > low:
            rows[target[low:high] - start] = source[places[low:high]]
        tokens[start:stop] = rows
