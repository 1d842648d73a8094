"""From OPRF outputs to tags, sealed facts, the sorted table, and the lookup.

A tag is HKDF-Expand(SHA-512, key = the 64-byte OPRF output, info, 16 bytes); the key that seals the facts of the same
element is a second expansion with another label. info = LP(label) LP(agreement) LP(edge) LP(round), LP being a
2-byte big-endian length before the bytes.
"""

import numpy as np
import numpy.typing as npt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from blindmatch.protocol import hashing
from blindmatch.protocol.group import wipe
from blindmatch.protocol.limits import TAG_BYTES
from blindmatch.protocol.match.messages import Bytes2D, EdgeContext, Indices

_TAG_LABEL = b"blindmatch/tag/v1"
_FACTS_LABEL = b"blindmatch/facts/v1"
_AEAD_KEY_BYTES = 32
# One key seals one payload once, so the nonce need not differ (RFC 8439 2.8 asks that key and nonce never repeat);
# `hashing.seal` takes the same.
_NONCE = bytes(12)
_LOOKUP_ROWS = 1 << 20
"""Rows compared with each other at a time: 16 MiB of tags on either side."""

Words = npt.NDArray[np.uint64]


def _expand(outputs: Bytes2D, label: bytes, context: EdgeContext, size: int) -> Bytes2D:
    """HKDF-Expand (RFC 5869 2.3) of each row (n, 64) to `size` <= 64 bytes: (n, size)."""
    parts = (label, context.agreement, context.edge.encode(), context.round_id)
    info = b"".join(len(part).to_bytes(2, "big") + part for part in parts)
    return hashing.hkdf_expand(outputs, info, size)


def derive_tags(outputs: Bytes2D, context: EdgeContext) -> Bytes2D:
    """The tag of each OPRF output: (n, 64) to (n, 16)."""
    return _expand(outputs, _TAG_LABEL, context, TAG_BYTES)


def seal_facts(outputs: Bytes2D, facts: Bytes2D, context: EdgeContext) -> Bytes2D:
    """Seal each row of facts (n, fact_bytes) under its element's own key: (n, fact_bytes + 16)."""
    keys = _expand(outputs, _FACTS_LABEL, context, _AEAD_KEY_BYTES)
    sealed = hashing.seal(keys, facts)
    wipe(keys)
    return sealed


def open_facts(
    outputs: Bytes2D, sealed: Bytes2D, context: EdgeContext
) -> tuple[Bytes2D, npt.NDArray[np.bool_]]:
    """Open the payloads of hits, (h, fact_bytes + 16) to (h, fact_bytes), and say which opened (h,).

    One that does not open was not made for its element: zeros stand for it.
    """
    keys = _expand(outputs, _FACTS_LABEL, context, _AEAD_KEY_BYTES)
    facts = np.zeros((len(sealed), context.fact_bytes), dtype=np.uint8)
    opened = np.ones(len(sealed), dtype=np.bool_)
    for row in range(len(sealed)):
        try:
            plain = ChaCha20Poly1305(keys[row].tobytes()).decrypt(_NONCE, sealed[row].tobytes(), None)
        except InvalidTag:
            opened[row] = False
        else:
            facts[row] = np.frombuffer(plain, dtype=np.uint8)
    wipe(keys)
    return facts, opened


def _words(tags: Bytes2D) -> tuple[Words, Words]:
    """Each tag (n, 16 or more) as two unsigned words, most significant first: they order as the bytes do."""
    pairs = np.ascontiguousarray(tags[:, :TAG_BYTES]).view(">u8")
    return pairs[:, 0].astype(np.uint64), pairs[:, 1].astype(np.uint64)


def order_of(rows: Bytes2D) -> Indices:
    """The order that sorts rows (m, 16 or more) by tag: (m,). Takes 32 bytes of memory per row."""
    first, second = _words(rows)
    return np.lexsort((second, first)).astype(np.int64, copy=False)


def strictly_increasing(rows: Bytes2D, before: Bytes2D | None = None) -> bool:
    """Whether tags strictly increase over rows (n, 16 or more), from the last of `before` (1, same) on."""
    first, second = _words(rows if before is None else np.concatenate((before, rows)))
    later = (first[1:] > first[:-1]) | ((first[1:] == first[:-1]) & (second[1:] > second[:-1]))
    return bool(later.all())


def find(tags: Bytes2D, table: Bytes2D) -> tuple[Indices, Indices]:
    """Look tags (n, 16) up in a table (m, 16 or more) whose tags strictly increase.

    Returns the positions of the tags that are there and the table row of each, in no particular order. Works on a block
    of each at a time, so memory does not grow with either.
    """
    found: list[tuple[Indices, Indices]] = [(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))]
    for start in range(0, len(table), _LOOKUP_ROWS):
        block = _words(table[start : start + _LOOKUP_ROWS])
        for low in range(0, len(tags), _LOOKUP_ROWS):
            positions, rows = _find_in_block(*_words(tags[low : low + _LOOKUP_ROWS]), *block)
            found.append((positions + low, rows + start))
    return np.concatenate([pair[0] for pair in found]), np.concatenate([pair[1] for pair in found])


def _find_in_block(
    first: Words, second: Words, table_first: Words, table_second: Words
) -> tuple[Indices, Indices]:
    inside = np.flatnonzero((first >= table_first[0]) & (first <= table_first[-1]))
    left = np.searchsorted(table_first, first[inside], side="left")
    right = np.searchsorted(table_first, first[inside], side="right")
    # Two tags of an honest table share 64 bits about never; a hostile table may hold many that do.
    for index in np.flatnonzero(right - left > 1):
        run = table_second[left[index] : right[index]]
        place = min(int(np.searchsorted(run, second[inside[index]])), len(run) - 1)
        left[index] += place
    there = (right > left) & (table_second[np.minimum(left, len(table_second) - 1)] == second[inside])
    return inside[there].astype(np.int64, copy=False), left[there].astype(np.int64, copy=False)
