"""Equal tokens within one list: a search that works one bucket at a time, and the test for tokens that are too common.

It works on rows of uniform bytes whose width is a multiple of eight: tokens or tags.
"""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.linkage.compiled_keys import DUMMY, GUARD
from blindmatch.protocol.sorting import next_to_equal, sort_order

Bytes2D = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]

BUCKET = 1 << 21
"""Tokens that are sorted at a time: about 150 MB in the worst case, where every token is shared."""
SCAN = 1 << 19
"""Tokens that are read at a time."""


class Rows(Protocol):
    """Rows of bytes (n, width): a numpy array, or an object that stores them outside memory."""

    def __len__(self) -> int:
        """The number of rows."""

    def __getitem__(self, at: Any, /) -> Any:
        """The rows of a slice, or at indices (m,): (m, width) uint8."""

    def __setitem__(self, at: Any, rows: Any, /) -> None:
        """Write rows (m, width) to a slice, or to indices (m,)."""


def repeated_tokens(
    tokens: Rows, words: Rows, key_index: npt.NDArray[np.uint8]
) -> Iterator[tuple[Indices, Indices]]:
    """The indices of the tokens that occur more than once, grouped by token and increasing within each; the groups' starts.

    Tokens are processed in buckets, by their last bits. Each bucket reads all first words again, which costs less than
    sorting up to a hundred million tokens into files.

    Args:
        tokens: (n, width).
        words: the first 8 bytes of each, (n, 8).
        key_index: (n,) the key's index, or `DUMMY` for a dummy element, which is never compared.
    """
    buckets = 1
    while len(key_index) > buckets * BUCKET:
        buckets *= 2
    for bucket in range(buckets):
        places, first = first_words(words, key_index, bucket, buckets)
        order, repeated = sort_order(first)
        if not repeated.any():
            continue
        # Only tokens with equal first words can be equal: usually few.
        order = order[next_to_equal(repeated[1:])]
        suspects, first = places[order], first[order]
        del order, places
        rows = tokens[suspects]
        same = same_as_previous(rows)
        if (same[1:] != (first[1:] == first[:-1])).any():
            # Different tokens with the same first word: practically never by chance.
            order = np.lexsort((suspects, *token_words(rows)))
            suspects = suspects[order]
            same = same_as_previous(rows[order])
            alone = ~next_to_equal(same[1:])
            suspects, same = suspects[~alone], same[~alone]
        yield suspects, np.flatnonzero(~same)


def shared_too_often(order: Indices, starts: Indices, entities: Indices) -> Flags:
    """Whether more than `GUARD` people or companies of this list share each token: (g,).

    Args:
        order: indices (m,), grouped by token.
        starts: the start of each token's group in `order` (g,).
        entities: the entity of each index (m,), equal for records of one person or company.
    """
    group = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(order)))
    by_entity = np.lexsort((entities, group))
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = (np.diff(entities[by_entity]) != 0) | (np.diff(group) != 0)
    counts: Indices = np.add.reduceat(first.astype(np.int64), starts)
    return counts > GUARD


def first_words(
    rows: Rows, key_index: npt.NDArray[np.uint8], bucket: int = 0, buckets: int = 1
) -> tuple[Indices, Words]:
    """The indices of the tokens of one bucket, and their first words (8 bytes), without dummy elements.

    Args:
        rows: tokens (n, width), or their first words (n, 8).
        key_index: (n,) `DUMMY` for a dummy element.
        bucket: the last bits of the first words; all words when there is one bucket.
        buckets: a power of two.
    """
    places, words = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.uint64)]
    for start in range(0, len(key_index), SCAN):
        first = np.ascontiguousarray(rows[start : start + SCAN][:, :8]).view(np.uint64).ravel()
        wanted = key_index[start : start + SCAN] != DUMMY
        if buckets > 1:
            wanted &= first & np.uint64(buckets - 1) == bucket
        inside = np.flatnonzero(wanted)
        words.append(first[inside])
        places.append(inside + start)
    return np.concatenate(places), np.concatenate(words)


def same_as_previous(tokens: Bytes2D) -> Flags:
    """Whether each token (n, width) equals the one before it: (n,)."""
    same = np.zeros(len(tokens), dtype=np.bool_)
    words = np.ascontiguousarray(tokens).view(np.uint64)
    same[1:] = np.logical_and.reduce([words[1:, i] == words[:-1, i] for i in range(words.shape[1])])
    return same


def token_words(tokens: Bytes2D) -> tuple[Words, ...]:
    """Keys for `np.lexsort` that sort tokens (n, width), by their first words first."""
    words = np.ascontiguousarray(tokens).view(np.uint64)
    return tuple(words[:, place] for place in reversed(range(words.shape[1])))
