"""Tokens in groups: which occurrence of its token an element is, and the tokens of records that count together as one entry.

For numbers instead of leads: what matches is counted once however many of its tokens or people match. About 40 bytes per
token are in memory meanwhile; the tokens themselves stay where the caller keeps them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.limits import TOKEN_BYTES
from blindmatch.protocol.linkage.compiled_keys import DUMMY
from blindmatch.protocol.linkage.shared_tokens import Rows
from blindmatch.protocol.linkage.tokens import AllocateRows, Tokens, in_memory
from blindmatch.protocol.sorting import sort_order

Bytes2D = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]

_SCAN = 1 << 19
"""Tokens that are read at a time."""

_ROUND_TO = 8
"""Elements of an entry are a multiple of this, in each of its stretches: a size tells a little less about the largest entry."""

_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(31))

Random = Callable[[int], bytes]
"""Secret random bytes: `random(n)` gives n of them, others at every call, the same calls giving the same after a crash."""


@dataclass(frozen=True)
class Copies:
    """Which occurrence of its token each element is.

    Args:
        copy_of: (n,) from 0; a filler is 0.
        copies: a power of two that all of them are below.
        left_out: elements that occurred too often, and are fillers now.
    """

    copy_of: npt.NDArray[np.uint8] = field(repr=False)
    copies: int
    left_out: int


@dataclass(frozen=True)
class Entries:
    """Tokens entry by entry.

    Args:
        tokens: a record of it is an entry; every entry has as many tokens, in `copies` equal stretches: equal tokens of
            several entries stand in different ones.
        copies: stretches, a power of two.
        entry_of: (given entries,) which entry each became: those with just the same tokens are one.
        left_out: tokens that did not fit, the weakest of their entry, or that stood in too many entries.
    """

    tokens: Tokens
    copies: int
    entry_of: Indices = field(repr=False)
    left_out: int


def occurrences(made: Tokens, most: int, random: Random) -> Copies:
    """Number the occurrences of every token of a list; those from `most` on, a power of two, become fillers."""
    places, words = _said(made)
    order, copy, _ = _numbered(words)
    copy_of = np.zeros(len(made.key_index), dtype=np.uint8)
    over = copy >= most
    copy_of[places[order[~over]]] = copy[~over]
    gone = np.sort(places[order[over]])
    if len(gone):
        made.key_index[gone] = DUMMY
        made.tokens[gone] = _rows(random, len(gone))
    return Copies(copy_of, _power(copy[~over]), len(gone))


def entries(
    made: Tokens,
    entry_of_record: Indices,
    count: int,
    random: Random,
    *,
    most_copies: int,
    most_each: int,
    most_tokens: int,
    allocate: AllocateRows = in_memory,
) -> Entries:
    """Put the tokens of records that belong to one entry together, each once.

    Args:
        made: the records' tokens, not made distinct.
        entry_of_record: (records,) from 0.
        count: entries.
        random: for fillers and for where a token stands.
        most_copies: entries in which a token may stand, a power of two.
        most_each: tokens of an entry.
        most_tokens: tokens in all.
        allocate: where the tokens are kept.
    """
    places, words = _said(made)
    owner = entry_of_record[places // made.tokens_per_record]
    rank = made.key_index[places]
    order = np.lexsort((rank, words, owner))
    kept = np.ones(len(order), dtype=np.bool_)
    kept[1:] = (np.diff(owner[order]) != 0) | (words[order][1:] != words[order][:-1])
    order = order[kept]
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
    order, stretch = order[fits], (number[fits] + start[run[fits]]) % copies
    left_out = len(words) - len(order)
    places, rank, owner = places[order], rank[order], owner[order]

    order = np.lexsort((rank, stretch, owner))
    places, cell = places[order], (owner * copies + stretch)[order]
    starts = np.searchsorted(cell, cell)
    inside = np.arange(len(cell)) - starts
    room = max(1, most // copies)
    width = min(room, -(-(int(inside.max(initial=0)) + 1) // _ROUND_TO) * _ROUND_TO)
    fits = inside < width
    left_out += int(np.count_nonzero(~fits))
    target = (cell * width + inside)[fits]
    size = groups * copies * width
    tokens = allocate("entries", (size, TOKEN_BYTES))
    key_index = np.full(size, DUMMY, dtype=np.uint8)
    key_index[target] = made.key_index[places[fits]]
    _place(tokens, target, made.tokens, places[fits], random)
    return Entries(Tokens(tokens, key_index, groups, copies * width, 0, {}), copies, entry_of, left_out)


def _said(made: Tokens) -> tuple[Indices, Words]:
    """The places of the tokens that are no fillers, and their first words: 64 bits of a hash tell them apart."""
    places, words = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.uint64)]
    for start in range(0, len(made.key_index), _SCAN):
        inside = np.flatnonzero(made.key_index[start : start + _SCAN] != DUMMY)
        rows = made.tokens[start : start + _SCAN][inside, :8]
        words.append(np.ascontiguousarray(rows).view(np.uint64).ravel())
        places.append(inside + start)
    return np.concatenate(places), np.concatenate(words)


def _numbered(words: Words) -> tuple[Indices, Indices, Indices]:
    """The order that sorts words; in it, which occurrence of its word each is, and which word of the different ones."""
    if not len(words):
        empty = np.empty(0, dtype=np.int64)
        return empty, empty, empty
    order, repeated = sort_order(words)
    run = np.cumsum(~repeated) - 1
    starts = np.flatnonzero(~repeated)
    return order, np.arange(len(words)) - starts[run], run


def _merged(owner: Indices, words: Words, count: int) -> tuple[Indices, Indices]:
    """Entries with just the same words become one: which one each becomes, and the first that became it.

    Two sums of 64 bits over the words tell sets apart: our own tokens are hashes, which nobody chooses.
    """
    told = np.zeros((count, 3), dtype=np.uint64)
    mixed = (words ^ (words >> _MIX[2])) * _MIX[0]
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    if len(owner):
        told[owner[starts], 0] = np.add.reduceat(words * _MIX[1], starts)
        told[owner[starts], 1] = np.add.reduceat(mixed ^ (mixed >> _MIX[2]), starts)
        told[owner[starts], 2] = np.diff(starts, append=len(owner)).astype(np.uint64)
    _, first, entry_of = np.unique(told, axis=0, return_index=True, return_inverse=True)
    # In the order in which they came: numbers say nothing that the list does not.
    order = np.argsort(first)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[entry_of.ravel()], first[order]


def _power(copy: Indices) -> int:
    return 1 << int(copy.max(initial=0)).bit_length()


def _rows(random: Random, count: int) -> Bytes2D:
    return np.frombuffer(random(count * TOKEN_BYTES), dtype=np.uint8).reshape(count, TOKEN_BYTES)


def _place(tokens: Rows, target: Indices, source: Rows, places: Indices, random: Random) -> None:
    """Every row once, in order: what lies sealed in a file is not written over."""
    for start in range(0, len(tokens), _SCAN):
        stop = min(start + _SCAN, len(tokens))
        rows = _rows(random, stop - start).copy()
        low, high = np.searchsorted(target, (start, stop))
        if high > low:
            rows[target[low:high] - start] = source[places[low:high]]
        tokens[start:stop] = rows
