"""Keys, tokens and elements: gathers over columns of level digests, and one hash per token.

A token is BLAKE2b-256 of its levels' digests, personalised by its key. An element's input is
`LP(schema digest, 32) | LP(key id, 16) | LP(token, 32)` with `LP` a 2-byte big-endian length, so that every input has
the same width and two schemas, or two keys, can never yield one element.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.hashes import SHA512_256, Hash

from blindmatch.protocol import hashing
from blindmatch.protocol.errors import SequenceError
from blindmatch.protocol.limits import DIGEST_BYTES, LEVEL_BYTES, LIMITS, TOKEN_BYTES
from blindmatch.protocol.linkage.schema import Schema, SchemaError

Bytes2D = npt.NDArray[np.uint8]
Bytes3D = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]

KEY_ID_BYTES: Final = 16
ELEMENT_BYTES: Final = 2 + DIGEST_BYTES + 2 + KEY_ID_BYTES + 2 + TOKEN_BYTES
FILLER: Final = 255
"""The key number of an element that is only padding."""
MAX_COMPILED: Final = 254
GUARD: Final = 2
"""Records of one list that may share a token of a compiled key: beyond it the values are common, not telling."""


@dataclass(frozen=True)
class CompiledKey:
    """One key ready for gathers: `levels` index the columns; `weight` in bits; `chance` per pair of records."""

    name: str
    levels: tuple[int, ...]
    weight: float
    chance: float
    words: str
    id: bytes
    """16 bytes: the key's name inside elements, and the personalisation of its tokens."""
    absent_receiver: tuple[int, ...] = ()
    """Levels that a row on the receiver's side must not say: the receiver emits the key only then."""
    absent_sender: tuple[int, ...] = ()
    guarded: bool = False
    """Whether a side withholds a token of this key that more than `GUARD` of its own records share."""
    posterior: float = 1.0
    """The chance that a pair which agrees on this, and on nothing more, is one person, by the model."""
    gain: float = 0.0
    """Recall that the key adds to those before it, by the model."""


@dataclass(frozen=True)
class Trade:
    """What a threshold would give: keys, and leads to expect."""

    threshold: float
    keys: int
    expected_true: float
    expected_false: float


@dataclass(frozen=True)
class CompiledKeys:
    """The keys of one round, in order, and the 32-byte digest that both sides commit to."""

    schema: Schema
    keys: tuple[CompiledKey, ...]
    digest: bytes
    expected_true: float = 0.0
    """Leads to expect of the compiled patterns, by the model and the agreed overlap."""
    expected_false: float = 0.0
    recall: float = 0.0
    """Share of the true pairs that the compiled patterns find, by the model."""
    threshold: float = 0.0
    """Bits that a compiled pattern reaches at least."""
    trades: tuple[Trade, ...] = ()
    """Thresholds that the compiler looked at, strictest first."""

    def tokens_per_record(self, rows: int = 1) -> int:
        """The number to which every record is padded, for records of so many rows; the weakest keys go first.

        The same for every record of both sides, so that it says nothing of any.
        """
        return min(len(self.keys) * max(rows, 1), LIMITS.tokens_per_record)


def key_id(name: str) -> bytes:
    """A key's 16 bytes inside elements."""
    return blake2b(name.encode(), digest_size=KEY_ID_BYTES, person=b"blindmatch key").digest()


def keys_digest(schema: Schema, keys: Sequence[CompiledKey], inputs: bytes = b"") -> bytes:
    """32 bytes over the keys in their order and what they were compiled from."""
    hasher = Hash(SHA512_256())
    hasher.update(b"blindmatch/keys/v1\0" + schema.digest + inputs)
    for made in keys:
        hasher.update(made.id + len(made.levels).to_bytes(2, "big") + bytes(made.levels))
    return hasher.finalize()


def words_of(schema: Schema, levels: Sequence[int]) -> str:
    """What a key asks for, for people."""
    names = [schema.levels[level].words for level in levels]
    return "same " + (f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0])


def compile_keys(schema: Schema) -> CompiledKeys:
    """The schema's keys that reach its threshold, strongest first.

    A weaker key makes no token at all: a pair below the threshold is never seen by either side.

    Raises:
        SchemaError: no key reaches the threshold.
    """
    keys = []
    for key in schema.keys:
        levels = tuple(schema.level_index(name) for name in key.levels)
        weight = round(sum(schema.levels[level].bits for level in levels), 1)
        chance = float(np.prod([schema.levels[level].u for level in levels]))
        if weight >= schema.threshold:
            keys.append(
                CompiledKey(key.name, levels, weight, chance, words_of(schema, levels), key_id(key.name))
            )
    if not keys:
        raise SchemaError(f"schema {schema.name}: no key reaches the threshold of {schema.threshold} bits")
    keys.sort(key=lambda key: (-key.weight, key.name))
    return CompiledKeys(schema, tuple(keys), keys_digest(schema, keys))


@dataclass(frozen=True)
class Tokens:
    """The tokens of one side of one edge; element `i` belongs to record `i // tokens_per_record`."""

    tokens: Bytes2D = field(repr=False)
    """(records * tokens_per_record, 32)"""
    key_index: npt.NDArray[np.uint8] = field(repr=False)
    """The key's place in `CompiledKeys.keys`, or `FILLER`."""
    records: int
    tokens_per_record: int
    overflow: int
    """Tokens left out because their record had more than `tokens_per_record`; the weakest go first."""
    holders: Mapping[int, Indices] = field(repr=False)
    """Element to all the records that share its token, where there are several (only when made distinct)."""

    def holders_of(self, element: int) -> Indices:
        """The records that an element stands for."""
        found = self.holders.get(element)
        return np.array([element // self.tokens_per_record], dtype=np.int64) if found is None else found


def _hash_rows(rows: Bytes2D, person: bytes) -> Bytes2D:
    """BLAKE2b-256 of every row: (n, 32)."""
    return hashing.blake2b(rows, size=TOKEN_BYTES, person=person)


def _same_as_previous(tokens: Bytes2D) -> npt.NDArray[np.bool_]:
    same = np.zeros(len(tokens), dtype=np.bool_)
    same[1:] = (tokens[1:] == tokens[:-1]).all(axis=1)
    return same


def _token_order(tokens: Bytes2D, records: Indices) -> Indices:
    """An order in which equal tokens stand together, each group by record."""
    words = tokens.view(np.uint64)
    return np.lexsort((records, words[:, 3], words[:, 2], words[:, 1], words[:, 0]))


class TokenBuilder:
    """Collects the tokens of a list that arrives in blocks.

    Args:
        compiled: the round's keys.
        records: how many records will come in all.
        tokens_per_record: every record is padded or cut to this number.
        filler: random bytes; `filler(n)` gives n of them.
        role: whose side this is; needed where keys ask for fields that are missing on one side.
        distinct: keep a token that several records share once (the sender's table must not repeat a tag).
        entities: (records,) equal for records of one person or company, whom the own-list guard counts once.

    Raises:
        SequenceError: a number out of bounds, blocks out of order, or `finish` before every record came.
    """

    def __init__(
        self,
        compiled: CompiledKeys,
        records: int,
        tokens_per_record: int,
        filler: Callable[[int], bytes],
        *,
        distinct: bool,
        role: Literal["receiver", "sender"] | None = None,
        entities: Indices | None = None,
    ) -> None:
        if role is None and any(key.absent_receiver or key.absent_sender for key in compiled.keys):
            raise SequenceError("keys that ask for missing fields need to know whose side this is")
        if not 0 <= records <= LIMITS.records or not 1 <= tokens_per_record <= LIMITS.tokens_per_record:
            raise SequenceError("the number of records or of tokens per record is out of bounds")
        self._compiled = compiled
        self._filler = filler
        self._distinct = distinct
        self._entities = np.arange(records, dtype=np.int64) if entities is None else entities
        self._absent = tuple(
            key.absent_receiver if role == "receiver" else key.absent_sender for key in compiled.keys
        )
        self._records = records
        self._per_record = tokens_per_record
        self._tokens = np.empty((records * tokens_per_record, TOKEN_BYTES), dtype=np.uint8)
        self._key_index = np.full(records * tokens_per_record, FILLER, dtype=np.uint8)
        self._done = 0
        self._overflow = 0

    def add(self, columns: Bytes3D, row_record: Indices, records: int) -> None:
        """The next `records` records: their rows' level digests, and each row's record counted from 0 in this block."""
        levels = len(self._compiled.schema.levels)
        if columns.shape != (len(row_record), levels, LEVEL_BYTES) or self._done + records > self._records:
            raise SequenceError("a block's columns do not have the shape of its rows, levels and records")
        if len(row_record) and (
            int(row_record[0]) < 0 or int(row_record[-1]) >= records or bool(np.any(np.diff(row_record) < 0))
        ):
            raise SequenceError("a block's rows are not in the order of its records")
        present = np.asarray(columns.any(axis=2), dtype=np.bool_)
        found, owners, ranks = [], [], []
        for rank, key in enumerate(self._compiled.keys):
            answers = present[:, key.levels].all(axis=1)
            if self._absent[rank]:
                answers &= ~present[:, self._absent[rank]].any(axis=1)
            rows = np.flatnonzero(answers)
            gathered = columns[rows[:, None], key.levels].reshape(len(rows), len(key.levels) * LEVEL_BYTES)
            # Rows of one record differ in a few fields only: most repeats stand next to each other.
            fresh = ~(_same_as_previous(gathered) & (np.diff(row_record[rows], prepend=-1) == 0))
            rows, gathered = rows[fresh], gathered[fresh]
            found.append(_hash_rows(gathered, key.id))
            owners.append(row_record[rows])
            ranks.append(np.full(len(rows), rank, dtype=np.uint8))
        self._place(np.concatenate(found), np.concatenate(owners), np.concatenate(ranks))
        self._done += records

    def _place(self, tokens: Bytes2D, owners: Indices, ranks: npt.NDArray[np.uint8]) -> None:
        """Drop a record's repeats, then put its tokens in its slots, strongest key first."""
        order = _token_order(tokens, owners)
        repeat = _same_as_previous(tokens[order]) & (np.diff(owners[order], prepend=-1) == 0)
        kept = np.sort(order[~repeat])
        tokens, owners, ranks = tokens[kept], owners[kept], ranks[kept]
        # Keys were gathered strongest first, so a stable sort by record keeps that order within each.
        order = np.argsort(owners, kind="stable")
        tokens, owners, ranks = tokens[order], owners[order], ranks[order]
        slot = np.arange(len(owners)) - np.searchsorted(owners, owners, side="left")
        fits = slot < self._per_record
        self._overflow += int(np.count_nonzero(~fits))
        place = (self._done + owners[fits]) * self._per_record + slot[fits]
        self._tokens[place] = tokens[fits]
        self._key_index[place] = ranks[fits]

    def finish(self) -> Tokens:
        """All tokens, shared ones merged when `distinct`, every empty slot filled with random bytes."""
        if self._done != self._records:
            raise SequenceError(f"{self._done} of {self._records} records came")
        self.withheld = self._guard() if any(key.guarded for key in self._compiled.keys) else 0
        holders = self._merge() if self._distinct else {}
        empty = np.flatnonzero(self._key_index == FILLER)
        fill = np.frombuffer(self._filler(len(empty) * TOKEN_BYTES), dtype=np.uint8)
        self._tokens[empty] = fill.reshape(len(empty), TOKEN_BYTES)
        return Tokens(self._tokens, self._key_index, self._records, self._per_record, self._overflow, holders)

    def _shared(self) -> list[Indices]:
        """Elements of several records that have one token, token by token."""
        real = np.flatnonzero(self._key_index != FILLER)
        words = self._tokens[:, :8].copy().view(np.uint64).ravel()[real]
        ordered = np.sort(words)
        # Only tokens whose first 8 bytes repeat can be equal: the full comparison runs on those few.
        repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        suspects = real[np.isin(words, repeated)]
        order = suspects[_token_order(self._tokens[suspects], suspects)]
        starts = np.flatnonzero(~_same_as_previous(self._tokens[order]))
        return [group for group in np.split(order, starts[1:]) if len(group) > 1]

    def _guard(self) -> int:
        """Withhold what more than `GUARD` of our own people or companies share; how many tokens that were."""
        guarded = np.array([key.guarded for key in self._compiled.keys], dtype=np.bool_)
        withheld = 0
        for group in self._shared():
            holders = np.unique(self._entities[group // self._per_record])
            if len(holders) > GUARD and guarded[self._key_index[group[0]]]:
                self._key_index[group] = FILLER
                withheld += len(group)
        return withheld

    def _merge(self) -> dict[int, Indices]:
        holders = {}
        for group in self._shared():
            holders[int(group[0])] = group // self._per_record
            self._key_index[group[1:]] = FILLER
        return holders


def tokens(  # noqa: PLR0917 - the block, then how it is padded
    compiled: CompiledKeys,
    columns: Bytes3D,
    row_record: Indices,
    records: int,
    tokens_per_record: int,
    filler: Callable[[int], bytes],
    *,
    distinct: bool,
    role: Literal["receiver", "sender"] | None = None,
) -> Tokens:
    """The tokens of a list that is in memory as one block; see `TokenBuilder`."""
    builder = TokenBuilder(compiled, records, tokens_per_record, filler, distinct=distinct, role=role)
    builder.add(columns, row_record, records)
    return builder.finish()


class Elements:
    """Element inputs, made when they are taken: `take` gives (m, `ELEMENT_BYTES`) uint8."""

    def __init__(self, compiled: CompiledKeys, made: Tokens) -> None:
        self._tokens = made.tokens
        self._key_index = made.key_index
        frames = np.zeros((FILLER + 1, ELEMENT_BYTES), dtype=np.uint8)
        for index in range(FILLER + 1):
            key_id = compiled.keys[index].id if index < len(compiled.keys) else bytes(KEY_ID_BYTES)
            frames[index] = np.frombuffer(
                _prefixed(compiled.schema.digest) + _prefixed(key_id) + _prefixed(bytes(TOKEN_BYTES)),
                dtype=np.uint8,
            )
        self._frames = frames

    def __len__(self) -> int:
        return len(self._tokens)

    def __repr__(self) -> str:
        return f"Elements({len(self)})"

    def take(self, indices: Indices) -> Bytes2D:
        """The inputs of these elements, in this order."""
        out = self._frames[self._key_index[indices]]
        out[:, -TOKEN_BYTES:] = self._tokens[indices]
        return out


def _prefixed(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data
