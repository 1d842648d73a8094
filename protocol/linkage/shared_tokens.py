"""Equal tokens within one list: finding them a bucket at a time, and telling which are too common to say anything.

Works on rows of any width that is a multiple of eight bytes, tokens or tags: uniform bytes, equal exactly when the values are.
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
"""Tokens that are sorted at a time: about 150 MB at the worst, when every one of them is shared."""
SCAN = 1 << 19
"""Tokens that are looked through at a time."""


class Rows(Protocol):
    """Rows of bytes (n, width): a numpy array, or something that keeps them elsewhere."""

    def __len__(self) -> int:
        """How many rows."""

    def __getitem__(self, at: Any, /) -> Any:
        """The rows of a slice, or at indices (m,): (m, width) uint8."""

    def __setitem__(self, at: Any, rows: Any, /) -> None:
        """Put rows (m, width) there."""


def repeated_tokens(
    tokens: Rows, words: Rows, key_index: npt.NDArray[np.uint8]
) -> Iterator[tuple[Indices, Indices]]:
    """Places that have one token with others, token by token, each token's in order; where each token begins.

    A bucket of tokens at a time, by their last bits: each bucket goes through all the first words again, which is
    cheaper than to sort into files up to a hundred million tokens.

    Args:
        tokens: (n, width).
        words: the first 8 bytes of each, (n, 8).
        key_index: (n,) the key's number, or `DUMMY` for what is never compared.
    """
    buckets = 1
    while len(key_index) > buckets * BUCKET:
        buckets *= 2
    for bucket in range(buckets):
        places, first = _bucket(words, key_index, bucket, buckets)
        order, repeated = sort_order(first)
        if not repeated.any():
            continue
        # Only tokens whose first words are equal can be: few, as a rule.
        order = order[next_to_equal(repeated[1:])]
        suspects, first = places[order], first[order]
        del order, places
        rows = tokens[suspects]
        same = same_as_previous(rows)
        if (same[1:] != (first[1:] == first[:-1])).any():
            # Different tokens with one first word, which chance does not make.
            order = np.lexsort((suspects, *token_words(rows)))
            suspects = suspects[order]
            same = same_as_previous(rows[order])
            alone = ~next_to_equal(same[1:])
            suspects, same = suspects[~alone], same[~alone]
        yield suspects, np.flatnonzero(~same)


def shared_too_often(order: Indices, starts: Indices, entities: Indices) -> Flags:
    """Which tokens more than `GUARD` people or companies of our own share: (g,).

    Args:
        order: places (m,), token by token.
        starts: where each token begins in it (g,).
        entities: of each place (m,), equal for records of one person or company.
    """
    group = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(order)))
    by_entity = np.lexsort((entities, group))
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = (np.diff(entities[by_entity]) != 0) | (np.diff(group) != 0)
    counts: Indices = np.add.reduceat(first.astype(np.int64), starts)
    return counts > GUARD


def _bucket(
    words: Rows, key_index: npt.NDArray[np.uint8], bucket: int, buckets: int
) -> tuple[Indices, Words]:
    """The places and first words of the bucket's tokens that are no fillers."""
    places, kept = [], []
    for start in range(0, len(key_index), SCAN):
        first = np.ascontiguousarray(words[start : start + SCAN]).view(np.uint64).ravel()
        wanted = key_index[start : start + SCAN] != DUMMY
        if buckets > 1:
            wanted &= first & np.uint64(buckets - 1) == bucket
        inside = np.flatnonzero(wanted)
        kept.append(first[inside])
        places.append(inside + start)
    if not places:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.uint64)
    return np.concatenate(places), np.concatenate(kept)


def same_as_previous(tokens: Bytes2D) -> Flags:
    """Whether each token (n, width) equals the one before it."""
    same = np.zeros(len(tokens), dtype=np.bool_)
    words = np.ascontiguousarray(tokens).view(np.uint64)
    same[1:] = np.logical_and.reduce([words[1:, i] == words[:-1, i] for i in range(words.shape[1])])
    return same


def token_words(tokens: Bytes2D) -> tuple[Words, ...]:
    """Keys for `lexsort` that order tokens, the first word counting most."""
    words = np.ascontiguousarray(tokens).view(np.uint64)
    return tuple(words[:, place] for place in reversed(range(words.shape[1])))
