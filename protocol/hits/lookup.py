"""Tags in order: sorting a table, checking one, and finding which of the own tags it holds.

Tags are uniform, so their first bits cut them into buckets of one size. One bucket is in memory at a time, and each goes
through all first bytes again. Hostile tags may fall into one bucket: that costs memory, not correctness, and only a
receiver's own tags, which are honest, and a table, which is sorted, are ever cut so.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.limits import TAG_BYTES
from blindmatch.protocol.session.chunks import Bytes2D, Indices
from blindmatch.protocol.sorting import next_to_equal, sort_order

BUCKET_ROWS = 1 << 20
"""Rows sorted at a time: about 40 MiB of memory."""
_SCAN_ROWS = 1 << 18
_BLOCK_BYTES = 16 << 20
_HEAD_BITS = 16

Words = npt.NDArray[np.uint64]


def words(tags: Bytes2D) -> tuple[Words, Words]:
    """Each tag (n, 16 or more) as two unsigned words, most significant first: they order as the bytes do."""
    pairs = np.ascontiguousarray(tags[:, :TAG_BYTES]).view(">u8")
    return pairs[:, 0].astype(np.uint64), pairs[:, 1].astype(np.uint64)


def strictly_increasing(rows: Bytes2D, before: Bytes2D | None = None) -> bool:
    """Whether tags strictly increase over rows (n, 16 or more), from the last of `before` (1, same) on."""
    first, second = words(rows)
    if before is not None:
        last = before[:, :TAG_BYTES].tobytes()
        if last >= rows[0, :TAG_BYTES].tobytes():
            return False
    later = first[1:] > first[:-1]
    if later.all():
        return True
    later |= (first[1:] == first[:-1]) & (second[1:] > second[:-1])
    return bool(later.all())


def continues(table: Bytes2D, start: int, rows: Bytes2D) -> bool:
    """Whether the tags of rows strictly increase where they follow the first `start` rows of a table."""
    return strictly_increasing(rows, table[start - 1 : start] if start else None)


def _heads(rows: Bytes2D) -> Iterator[tuple[int, npt.NDArray[np.uint16]]]:
    """The first 16 bits of each tag, some at a time, with the place of the first of them."""
    for start in range(0, len(rows), _SCAN_ROWS):
        high, low = (rows[start : start + _SCAN_ROWS, byte].astype(np.uint16) for byte in (0, 1))
        yield start, (high << 8 | low).astype(np.uint16, copy=False)


def _buckets(rows: Bytes2D) -> list[tuple[int, int]]:
    """Ranges [low, high) of the first 16 bits that together hold all tags, at most `BUCKET_ROWS` in each if they can."""
    counts = np.zeros(1 << _HEAD_BITS, dtype=np.int64)
    for _, heads in _heads(rows):
        counts += np.bincount(heads, minlength=1 << _HEAD_BITS)
    ends = np.cumsum(counts)
    cuts, low = [], 0
    while low < len(ends):
        before = int(ends[low - 1]) if low else 0
        high = max(low + 1, int(np.searchsorted(ends, before + BUCKET_ROWS, side="right")))
        cuts.append((low, high))
        low = high
    return cuts


def _sorted_bucket(rows: Bytes2D, low: int, high: int) -> tuple[Indices, Words, Words]:
    """The places of the tags whose first 16 bits are in [low, high), in order, and the tags' words."""
    places = [np.empty(0, dtype=np.int64)]
    for start, heads in _heads(rows):
        # As unsigned numbers, what is below `low` wraps to above the range.
        places.append(np.flatnonzero(heads - np.uint16(low) < high - low) + start)
    inside = np.concatenate(places)
    narrow = rows.shape[1] == TAG_BYTES  # then the faster way to gather takes no copy of all rows first
    first, second = words(np.take(rows, inside, axis=0) if narrow else rows[inside, :TAG_BYTES])
    order, same = sort_order(first)
    if same.any():  # a receiver may have one token in several records
        tied = np.flatnonzero(next_to_equal(same[1:]))
        members = order[tied]
        order[tied] = members[np.lexsort((second[members], first[members]))]
    return inside[order], first[order], second[order]


def in_order(rows: Bytes2D) -> Iterator[Indices]:
    """The places of all rows (m, 16 or more) in the order of their tags, a bucket at a time."""
    for low, high in _buckets(rows):
        yield _sorted_bucket(rows, low, high)[0]


def sort_into(table: Bytes2D, rows: Bytes2D) -> None:
    """Write all rows (m, 16 or more) into a table of the same shape in the order of their tags, a block at a time."""
    block, placed = max(1, _BLOCK_BYTES // rows.shape[1]), 0
    for order in in_order(rows):
        for start in range(0, len(order), block):
            some = np.take(rows, order[start : start + block], axis=0)
            table[placed : placed + len(some)] = some
            placed += len(some)


def find(tags: Bytes2D, table: Bytes2D) -> tuple[Indices, Indices]:
    """Look tags (n, 16) up in a table (m, 16 or more) whose tags strictly increase.

    Returns the positions of the tags that are there and the table row of each, in no particular order. Works on a bucket
    of the own tags and the stretch of the table that it may meet, so memory does not grow with either.
    """
    results: list[tuple[Indices, Indices]] = [(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))]
    start = 0
    for low, high in _buckets(tags):
        stop = _first_from(table, high)
        places, *own = _sorted_bucket(tags, low, high)
        for begin in range(start, stop, BUCKET_ROWS):
            stretch = words(table[begin : min(begin + BUCKET_ROWS, stop)])
            positions, rows = _find_sorted(own[0], own[1], *stretch)
            results.append((places[positions], rows + begin))
        start = stop
    return np.concatenate([pair[0] for pair in results]), np.concatenate([pair[1] for pair in results])


def _first_from(table: Bytes2D, head: int) -> int:
    """The first row of a sorted table whose first 16 bits are `head` or more."""
    low, high = 0, len(table)
    while low < high:
        middle = (low + high) // 2
        if int(table[middle, 0]) << 8 | int(table[middle, 1]) < head:
            low = middle + 1
        else:
            high = middle
    return low


def _find_sorted(
    first: Words, second: Words, table_first: Words, table_second: Words
) -> tuple[Indices, Indices]:
    """Sorted tags in a sorted stretch of the table: the places in both."""
    starts = np.searchsorted(table_first, first, side="left")
    there = np.flatnonzero(table_first[np.minimum(starts, len(table_first) - 1)] == first)
    rows = starts[there]
    # Two tags of an honest table almost never share 64 bits; a hostile table may hold many that do.
    ends = np.searchsorted(table_first, first[there], side="right")
    for index in np.flatnonzero(ends - rows > 1):
        run = table_second[rows[index] : ends[index]]
        place = min(int(np.searchsorted(run, second[there[index]])), len(run) - 1)
        rows[index] += place
    equal = table_second[rows] == second[there]
    return there[equal], rows[equal].astype(np.int64, copy=False)
