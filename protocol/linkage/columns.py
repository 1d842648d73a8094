"""Columns of level digests: the stored form of a record for comparisons, without its texts.

A row is one combination of a record's values; a record with aliases has several rows. Each level of the schema has
16 bytes per row: keyed BLAKE2b (RFC 7693) of the level's text, with the level's name as key, or zeros where the row has no text.
Digests of names can be found by hashing a list of names, so they are as secret as the names and are stored sealed.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from blindmatch.protocol import hashing
from blindmatch.protocol.limits import LEVEL_BYTES
from blindmatch.protocol.linkage import normalise
from blindmatch.protocol.linkage.levels import FIELD_KINDS, GAP, LEVEL_TESTS, view
from blindmatch.protocol.linkage.normalise import plain_company_numbers
from blindmatch.protocol.linkage.schema import Level, Schema

Bytes2D = npt.NDArray[np.uint8]
Bytes3D = npt.NDArray[np.uint8]

ABSENT = bytes(LEVEL_BYTES)
MAX_ROWS = 64
"""Rows per record: a limit for records with many names and addresses, which would dominate their list."""
_CACHED_VALUES = 1 << 15
_CACHED_TEXTS = 1 << 14
"""Whole texts seldom repeat. They are cached for values repeated in consecutive rows, and between validation and hashing."""
_PERSON = b"blindmatch level"


def level_digester(name: str, cached: int) -> Callable[[str], bytes]:
    """The digest function of one level: text to 16 bytes, `ABSENT` for blank text. It caches `cached` texts."""
    keyed = blake2b(digest_size=LEVEL_BYTES, key=name.encode(), person=_PERSON)

    def digest(text: str) -> bytes:
        if not text:
            return ABSENT
        state = keyed.copy()  # hash the key only once
        state.update(text.encode())
        return state.digest()

    return lru_cache(maxsize=cached)(digest) if cached else digest


def _hashed(texts: Sequence[str], level: str) -> Bytes2D:
    """The digests of many texts at one level: (n, 16)."""
    out = np.zeros((len(texts), LEVEL_BYTES), dtype=np.uint8)
    present = np.fromiter(map(bool, texts), dtype=np.bool_, count=len(texts))
    out[present] = hashing.blake2b_texts(
        [text for text in texts if text], size=LEVEL_BYTES, key=level.encode(), person=_PERSON
    )
    return out


def components(schema: Schema) -> tuple[tuple[str, ...], ...]:
    """Groups of fields that occur together in some key; fields of different groups never occur in one key."""
    groups: list[set[str]] = [{item.name} for item in schema.fields]
    fields_of = {level.name: {level.field, level.other} - {""} for level in schema.levels}
    joint = [set().union(*(fields_of[level] for level in key.levels)) for key in schema.keys]
    joint.append(set(schema.model.compared))
    for together in joint:
        joined = set().union(*(group for group in groups if group & together))
        groups = [group for group in groups if not group & together] + [joined]
    order = [item.name for item in schema.fields]
    groups.sort(key=lambda group: min(order.index(name) for name in group))
    return tuple(tuple(name for name in order if name in group) for group in groups)


class _Field:
    """Turns the texts of one field into the digests of its levels.

    It caches whole texts, the part of them that its tests use, and each level's text, because a street and a year repeat
    where an address and a date do not.
    """

    def __init__(self, kind: str, levels: Sequence[Level]) -> None:
        self.blank = ABSENT * len(levels)
        self.canonical = FIELD_KINDS[kind]
        # The strongest level seldom repeats where the whole text does not, so it is not cached.
        self._tests = [
            (LEVEL_TESTS[kind][x.test], level_digester(x.name, _CACHED_VALUES if place else 0))
            for place, x in enumerate(levels)
        ]
        self._only = (levels[0].name, self._tests[0][0]) if len(levels) == 1 else None
        self._view = view(kind, [x.test for x in levels])
        self._of_view = lru_cache(maxsize=_CACHED_VALUES)(self._digests)
        self.digests = lru_cache(maxsize=_CACHED_TEXTS)(self._read)
        """Text to the concatenated digests of all levels."""

    def column(self, texts: Sequence[str]) -> Bytes2D:
        """`digests` of every text: (n, bytes of a row's levels). Each distinct text is read once; blank text is missing."""
        if self._only:
            return self._of_one_level(texts, *self._only)
        known = {text: self.digests(text) if text else self.blank for text in set(texts)}
        joined = b"".join([known[text] for text in texts])
        return np.frombuffer(joined, dtype=np.uint8).reshape(len(texts), len(self.blank))

    def _of_one_level(self, texts: Sequence[str], level: str, test: Callable[[str], str]) -> Bytes2D:
        """An identifier seldom repeats, so all are hashed in one call and none is cached."""
        canonical = self.canonical
        if canonical is not normalise.company_number or not plain_company_numbers(texts):
            texts = [canonical(text) if text else "" for text in texts]
        return _hashed([test(text) if text else "" for text in texts], level)

    def _read(self, text: str) -> bytes:
        canonical = self.canonical(text)
        return self._of_view(self._view(canonical)) if self._view else self._digests(canonical)

    def _digests(self, seen: str) -> bytes:
        return b"".join([digest(test(seen)) for test, digest in self._tests])


class RecordBuilder:
    """Turns the values of records into rows of level digests, with caches for repeated values.

    Values are text in any form that `normalise` accepts; otherwise a `ValueError` states the reason. The caches hold names
    for the lifetime of the builder, so use one builder per import and discard it afterwards.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._fields = {item.name: _Field(item.kind, schema.levels_of(item.name)) for item in schema.fields}
        kinds = {item.name: item.kind for item in schema.fields}
        self._paired = tuple(
            (
                x.field,
                x.other,
                self._fields[x.field].canonical,
                self._fields[x.other].canonical,
                LEVEL_TESTS[kinds[x.field]][x.test],
                level_digester(x.name, 0),
                x.name,
            )
            for x in schema.levels
            if x.other
        )
        self._components = components(schema)
        self._component_of = {name: number for number, each in enumerate(self._components) for name in each}
        # Rows are built field by field; this permutation restores the schema's order of levels.
        grouped = [level.name for item in schema.fields for level in schema.levels_of(item.name)]
        grouped += [level.name for level in schema.levels if level.other]
        self._order = np.array([grouped.index(level.name) for level in schema.levels], dtype=np.intp)
        self._steps = {name: (place, each.digests) for place, (name, each) in enumerate(self._fields.items())}
        self._blank = [each.blank for each in self._fields.values()]

    def fault(self, name: str, text: str) -> str:
        """The reason why a field does not accept a text, or blank; a field that is not in the schema accepts any text."""
        if name in self._fields:
            try:
                self._fields[name].digests(text)
            except ValueError as error:
                return str(error)
        return ""

    def rows(self, values: Iterable[Mapping[str, str]]) -> bytes:
        """Rows as bytes in the order of fields, for `array`; a missing field is blank.

        Raises:
            ValueError: a value that its kind of field does not accept.
        """
        out = []
        steps = self._steps
        for row in values:
            digests_of_row = self._blank.copy()
            for name, text in row.items():
                if text and name in steps:
                    place, digests = steps[name]
                    digests_of_row[place] = digests(text)
            out += digests_of_row
            for one, other, canonical, other_canonical, test, digest, _level in self._paired:
                first, second = row.get(one), row.get(other)
                if first and second and (left := canonical(first)) and (right := other_canonical(second)):
                    out.append(digest(test(f"{left}{GAP}{right}")))
                else:
                    out.append(ABSENT)
        return b"".join(out)

    def columns(self, values: Mapping[str, Sequence[str]], count: int) -> bytes:
        """The same as `rows` for many records of one row each, given column by column.

        Args:
            values: by field, a text per record (blank if missing). Fields that are not in the schema are ignored.
            count: the number of records.

        Raises:
            ValueError: a value that its kind of field does not accept.
        """
        out = np.zeros((count, self.row_bytes), dtype=np.uint8)
        start = 0
        for name, each in self._fields.items():
            end = start + len(each.blank)
            if name in values:
                out[:, start:end] = each.column(values[name])
            start = end
        for one, other, canonical, other_canonical, test, _digest, level in self._paired:
            end = start + LEVEL_BYTES
            if one in values and other in values:
                texts = [
                    test(f"{left}{GAP}{right}")
                    if first and second and (left := canonical(first)) and (right := other_canonical(second))
                    else ""
                    for first, second in zip(values[one], values[other], strict=True)
                ]
                out[:, start:end] = _hashed(texts, level)
            start = end
        return out.tobytes()

    def array(self, rows: bytes | bytearray) -> Bytes3D:
        """The bytes of `rows` as (rows, levels, 16) uint8, in the schema's order of levels."""
        shaped = np.frombuffer(rows, dtype=np.uint8).reshape(-1, len(self.schema.levels), LEVEL_BYTES)
        return np.take(shaped, self._order, axis=1)

    @property
    def row_bytes(self) -> int:
        """The number of bytes of one row."""
        return len(self.schema.levels) * LEVEL_BYTES

    def combine(
        self, alternatives: Sequence[Sequence[Mapping[str, str]]]
    ) -> tuple[list[dict[str, str]], int]:
        """The rows of a record with several values: (rows, number of rows omitted beyond `MAX_ROWS`).

        Args:
            alternatives: for each attribute of the record its alternative values, for example names
                (`[{"forenames": …, "surname": …}, …]`), dates, postcodes, company numbers.

        Values whose fields occur together in some key are combined with each other; the others are placed side by side,
        because combining them would only repeat tokens.
        """
        if all(len(part) < 2 for part in alternatives):  # the usual record: one value of each
            row = {name: text for part in alternatives for item in part for name, text in item.items()}
            return [row] if any(name in self._component_of for name in row) else [], 0
        columns: list[list[dict[str, str]]] = []
        omitted = 0
        for component in self._components:
            members = [part for part in alternatives if part and any(name in component for name in part[0])]
            if not members:
                continue
            count = 1
            for part in members:
                count *= len(part)
            crossed = itertools.islice(itertools.product(*members), MAX_ROWS)
            columns.append([{k: v for item in choice for k, v in item.items()} for choice in crossed])
            omitted += max(0, count - MAX_ROWS)
        merged = itertools.zip_longest(*columns, fillvalue={})
        return [{k: v for item in row for k, v in item.items()} for row in merged], omitted


def level_digests(schema: Schema, values: Sequence[Mapping[str, str]]) -> Bytes3D:
    """One row per mapping of field name to text: (rows, levels, 16) uint8, zeros where a level has no text.

    Raises:
        ValueError: a value that its kind of field does not accept.
    """
    builder = RecordBuilder(schema)
    return builder.array(builder.rows(values))
