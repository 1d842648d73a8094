"""Tokens and elements of one side of one edge, built block by block and stored in rows that need not be in memory.

For a list of any length, the builder needs memory for one byte per token, and for one block of records or one bucket of
tokens. The caller chooses where the tokens are stored: in memory, or in a sealed file.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.errors import SequenceError
from blindmatch.protocol.limits import DIGEST_BYTES, LEVEL_BYTES, LIMITS, TOKEN_BYTES
from blindmatch.protocol.linkage.compiled_keys import (
    DUMMY,
    KEY_ID_BYTES,
    CompiledKey,
    CompiledKeys,
    token_rows,
)
from blindmatch.protocol.linkage.shared_tokens import (
    Rows,
    repeated_tokens,
    same_as_previous,
    shared_too_often,
    token_words,
)
from blindmatch.protocol.sorting import next_to_equal

Bytes2D = npt.NDArray[np.uint8]
Bytes3D = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]

ELEMENT_BYTES: Final = 2 + DIGEST_BYTES + 2 + KEY_ID_BYTES + 2 + TOKEN_BYTES
_WORD_BYTES: Final = 8


AllocateRows = Callable[[str, tuple[int, int]], Rows]
"""Allocates uninitialised rows of a name and a shape (n, width)."""


def in_memory(_name: str, shape: tuple[int, int]) -> Rows:
    """Allocate rows in memory."""
    return np.empty(shape, dtype=np.uint8)


class SharedRecords(Mapping[int, Indices]):
    """Maps an element to all records that share its token; stored as three arrays.

    Args:
        elements: (g,) increasing.
        starts: (g + 1,) the start of each element's records in `records`.
        records: the records of each element, increasing.
    """

    def __init__(self, elements: Indices, starts: Indices, records: Indices) -> None:
        self._elements = elements
        self._starts = starts
        self._records = records

    def __len__(self) -> int:
        return len(self._elements)

    def __iter__(self) -> Iterator[int]:
        return iter(self._elements.tolist())

    def __getitem__(self, element: int) -> Indices:
        at = int(np.searchsorted(self._elements, element))
        if at == len(self._elements) or int(self._elements[at]) != element:
            raise KeyError(element)
        return self._records[self._starts[at] : self._starts[at + 1]]


@dataclass(frozen=True)
class Tokens:
    """The tokens of one side of one edge. Element `i` belongs to record `i // tokens_per_record`."""

    tokens: Rows = field(repr=False)
    """(records * tokens_per_record, 32)"""
    key_index: npt.NDArray[np.uint8] = field(repr=False)
    """(records * tokens_per_record,) the index in `CompiledKeys.keys` of each token's key; `DUMMY` for a dummy element."""
    records: int
    tokens_per_record: int
    overflow: int
    """Tokens omitted because their record had more than `tokens_per_record`; the weakest are omitted first."""
    shared_records: Mapping[int, Indices] = field(repr=False)
    """Element to all records that share its token, where there are several; empty unless the tokens are distinct."""

    def records_of(self, element: int) -> Indices:
        """The records (k,) of an element: its own, and those that share its token."""
        records = self.shared_records.get(element)
        return np.array([element // self.tokens_per_record], dtype=np.int64) if records is None else records


class TokenBuilder:
    """Builds the tokens of a list that arrives in blocks.

    Args:
        compiled: the round's keys.
        records: the number of records of all blocks together.
        tokens_per_record: the number of tokens to which every record is padded or cut.
        random_bytes: `random_bytes(n)` returns n random bytes for dummy elements, different at every call.
        role: the side to which the list belongs; required where keys require fields to be missing on one side.
        distinct: store a token that several records share only once (the sender's table must not repeat a tag).
        raw: keep every token, also those that the own-list guard would withhold; not together with `distinct`.
        entities: (records,) equal for records of one person or company, which the own-list guard counts once.
        allocate: where the tokens are stored.

    Raises:
        SequenceError: a number out of bounds, blocks out of order, or `finish` before all records were added.
    """

    def __init__(
        self,
        compiled: CompiledKeys,
        records: int,
        tokens_per_record: int,
        random_bytes: Callable[[int], bytes],
        *,
        distinct: bool,
        raw: bool = False,
        role: Literal["receiver", "sender"] | None = None,
        entities: Indices | None = None,
        allocate: AllocateRows = in_memory,
    ) -> None:
        if role is None and any(key.absent_receiver or key.absent_sender for key in compiled.keys):
            raise SequenceError("keys that require missing fields need the role of this side")
        if raw and distinct:
            raise SequenceError("raw tokens cannot be distinct")
        if not 0 <= records <= LIMITS.records or not 1 <= tokens_per_record <= LIMITS.tokens_per_record:
            raise SequenceError("the number of records or of tokens per record is out of bounds")
        self._compiled = compiled
        self._random_bytes = random_bytes
        self._distinct = distinct
        self._guarded = np.array([key.guarded for key in compiled.keys], dtype=np.bool_)
        self._entities = entities
        self._absent = tuple(
            key.absent_receiver if role == "receiver" else key.absent_sender for key in compiled.keys
        )
        self._records = records
        self._per_record = tokens_per_record
        count = records * tokens_per_record
        self._tokens = allocate("tokens", (count, TOKEN_BYTES))
        self._compares = not raw and (distinct or bool(self._guarded.any()))
        # A copy of the first word of each token: the search for equal tokens reads only these.
        self._words = allocate("words", (count if self._compares else 0, _WORD_BYTES))
        self._key_index = np.full(count, DUMMY, dtype=np.uint8)
        self._done = 0
        self._overflow = 0
        self.withheld = 0
        """Tokens that the own-list guard withheld; set by `finish`."""

    def add(self, columns: Bytes3D, row_record: Indices, records: int) -> None:
        """Add the next `records` records.

        Args:
            columns: level digests (rows, levels, 16).
            row_record: (rows,) the record of each row, counted from 0 in this block, increasing.
            records: the number of records in this block.
        """
        levels = len(self._compiled.schema.levels)
        if columns.shape != (len(row_record), levels, LEVEL_BYTES) or self._done + records > self._records:
            raise SequenceError("a block's columns do not have the shape of its rows, levels and records")
        if len(row_record) and (
            int(row_record[0]) < 0 or int(row_record[-1]) >= records or bool(np.any(np.diff(row_record) < 0))
        ):
            raise SequenceError("a block's rows must be in the order of its records")
        block = _Block(columns, row_record, records, self._per_record)
        for rank, key in enumerate(self._compiled.keys):
            block.add(rank, key, self._absent[rank])
        self._overflow += block.overflow
        empty = np.flatnonzero(block.ranks == DUMMY)
        block.put(empty, self._fill(len(empty)))
        span = slice(self._done * self._per_record, (self._done + records) * self._per_record)
        self._key_index[span] = block.ranks
        if records:
            self._tokens[span] = block.tokens
            if self._compares:
                self._words[span] = block.tokens[:, :_WORD_BYTES]
        self._done += records

    def finish(self) -> Tokens:
        """All tokens: shared ones merged if `distinct`, and random bytes in every empty slot."""
        if self._done != self._records:
            raise SequenceError(f"only {self._done} of {self._records} records were added")
        shared_records = _SharedRecordsBuilder()
        for order, starts in (
            repeated_tokens(self._tokens, self._words, self._key_index) if self._compares else ()
        ):
            self._merge(order, starts, shared_records)
        del self._words
        return Tokens(
            self._tokens,
            self._key_index,
            self._records,
            self._per_record,
            self._overflow,
            shared_records.sorted(),
        )

    def _fill(self, count: int) -> Bytes2D:
        return random_rows(self._random_bytes, count)

    def _merge(self, order: Indices, starts: Indices, shared_records: "_SharedRecordsBuilder") -> None:
        """Withhold the tokens that more than `GUARD` people or companies share; merge the others if `distinct`."""
        sizes = np.diff(starts, append=len(order))
        records = order // self._per_record
        entities = records if self._entities is None else self._entities[records]
        common = shared_too_often(order, starts, entities) & self._guarded[self._key_index[order[starts]]]
        emptied = np.repeat(common, sizes)
        self.withheld += int(np.count_nonzero(emptied))
        if self._distinct:
            shared_records.add(order[starts[~common]], sizes[~common], records[~emptied])
            emptied[np.setdiff1d(np.arange(len(order)), starts, assume_unique=True)] = True
        removed = order[emptied]
        self._key_index[removed] = DUMMY
        if len(removed):
            self._tokens[removed] = self._fill(len(removed))


class _Block:
    """The slots of one block of records: (records * per_record) tokens."""

    def __init__(self, columns: Bytes3D, row_record: Indices, records: int, per_record: int) -> None:
        self.tokens = np.empty((records * per_record, TOKEN_BYTES), dtype=np.uint8)
        self.ranks = np.full(records * per_record, DUMMY, dtype=np.uint8)
        self.overflow = 0
        columns = np.ascontiguousarray(columns)
        self._levels = columns.shape[1]
        self._flat = columns.reshape(-1, LEVEL_BYTES).view(f"V{LEVEL_BYTES}").ravel()
        halves = columns.reshape(-1, LEVEL_BYTES).view(np.uint64)
        present = ((halves[:, 0] | halves[:, 1]) != 0).reshape(len(row_record), self._levels)
        self._present = np.ascontiguousarray(present.T)
        self._row_record = row_record
        self._several = len(row_record) > records or bool((np.diff(row_record) == 0).any())
        self._used = np.zeros(records, dtype=np.int64)
        self._per_record = per_record

    def add(self, rank: int, key: CompiledKey, absent: tuple[int, ...]) -> None:
        """Put one key's tokens into the next slot of each record that has all levels of the key and none of `absent`."""
        complete = np.logical_and.reduce([self._present[level] for level in key.levels])
        for level in absent:
            complete &= ~self._present[level]
        rows = np.flatnonzero(complete)
        owners = self._row_record[rows]
        if not self._several:  # tokens without a free slot need not be hashed
            fits = self._used[owners] < self._per_record
            self.overflow += int(np.count_nonzero(~fits))
            rows, owners = rows[fits], owners[fits]
        tokens = self._hash(rows, key)
        if self._several:
            first = _first_of_record(tokens, owners)
            tokens, owners = tokens[first], owners[first]
            slot = self._used[owners] + np.arange(len(owners)) - np.searchsorted(owners, owners)
            fits = slot < self._per_record
            self.overflow += int(np.count_nonzero(~fits))
            self._used += np.bincount(owners, minlength=len(self._used))
            tokens, place = tokens[fits], (owners * self._per_record + slot)[fits]
        else:
            place = owners * self._per_record + self._used[owners]
            self._used[owners] += 1
        self.put(place, tokens)
        self.ranks[place] = rank

    def put(self, place: Indices, tokens: Bytes2D) -> None:
        """Put tokens (m, 32) into slots (m,)."""
        # One item per row: numpy copies these several times faster than rows of bytes.
        kind = f"V{TOKEN_BYTES}"
        self.tokens.view(kind).ravel()[place] = np.ascontiguousarray(tokens).view(kind).ravel()

    def _hash(self, rows: Indices, key: CompiledKey) -> Bytes2D:
        places = rows[:, None] * self._levels + np.array(key.levels, dtype=np.int64)
        gathered = np.take(self._flat, places.ravel()).view(np.uint8)
        return token_rows(gathered.reshape(len(rows), len(key.levels) * LEVEL_BYTES), key.id)


class _SharedRecordsBuilder:
    """Collects the arrays of `SharedRecords`."""

    def __init__(self) -> None:
        self._parts: list[tuple[Indices, Indices, Indices]] = []

    def add(self, elements: Indices, sizes: Indices, records: Indices) -> None:
        """Add elements (g,), the number of records of each (g,), and the records."""
        self._parts.append((elements, sizes, records))

    def sorted(self) -> SharedRecords:
        """The records of all elements, in the order of the elements."""
        if not self._parts:
            empty = np.empty(0, dtype=np.int64)
            return SharedRecords(empty, np.zeros(1, dtype=np.int64), empty)
        elements, sizes, records = (np.concatenate(part) for part in zip(*self._parts, strict=True))
        self._parts.clear()
        ends = np.cumsum(sizes)
        order = np.argsort(elements)
        counts = sizes[order]
        starts = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(counts)))
        # The source of each record's entry: an offset from the old start of its group.
        source = np.repeat((ends - sizes)[order] - starts[:-1], counts) + np.arange(len(records))
        return SharedRecords(elements[order], starts, records[source])


def _first_of_record(tokens: Bytes2D, owners: Indices) -> Indices:
    """The indices of one key's tokens (m, 32) without repetitions within a record, in order."""
    several = next_to_equal(np.diff(owners) == 0) if len(owners) else np.zeros(0, dtype=np.bool_)
    if not several.any():
        return np.arange(len(owners))
    suspects = np.flatnonzero(several)
    suspects = suspects[np.lexsort((*token_words(tokens[suspects]), owners[suspects]))]
    repeat = same_as_previous(tokens[suspects])
    repeat[1:] &= np.diff(owners[suspects]) == 0
    first = np.ones(len(owners), dtype=np.bool_)
    first[suspects[repeat]] = False
    return np.flatnonzero(first)


def random_rows(random_bytes: Callable[[int], bytes], count: int) -> Bytes2D:
    """Dummy tokens: (count, 32)."""
    return np.frombuffer(random_bytes(count * TOKEN_BYTES), dtype=np.uint8).reshape(count, TOKEN_BYTES)


class Elements:
    """The inputs of the OPRF, one per token, computed on demand: `take` returns (m, `ELEMENT_BYTES`) uint8."""

    def __init__(self, compiled: CompiledKeys, tokens: Tokens) -> None:
        self._tokens = tokens.tokens
        self._key_index = tokens.key_index
        frames = np.zeros((DUMMY + 1, ELEMENT_BYTES), dtype=np.uint8)
        for index in range(DUMMY + 1):
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
        """The inputs of the elements `indices` (m,), in this order."""
        out: Bytes2D = np.take(self._frames, self._key_index[indices], axis=0)
        out[:, -TOKEN_BYTES:] = self._tokens[indices]
        return out


def _prefixed(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data
