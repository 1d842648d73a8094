"""Columns of level digests: what is kept of a record once its names are gone.

A row is one combination of a record's values; a record with aliases has several rows. Each level of the schema gives
16 bytes per row: BLAKE2b of the level's text under the level's name as key, or zeros where the row says nothing.
Digests of names can be guessed from a list of names, so they are as secret as the names and are stored sealed.
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
"""Rows per record: beyond it a record with many names and addresses would swamp its own list."""
_CACHED_VALUES = 1 << 15
_CACHED_TEXTS = 1 << 14
"""Whole texts hardly repeat; they are remembered for those that stand in line after line, and from check to row."""
_PERSON = b"blindmatch level"


def level_digester(name: str, remembered: int) -> Callable[[str], bytes]:
    """`digest_level` for one level, with a memory for so many texts."""
    keyed = blake2b(digest_size=LEVEL_BYTES, key=name.encode(), person=_PERSON)

    def digest(text: str) -> bytes:
        if not text:
            return ABSENT
        state = keyed.copy()  # the key is hashed once
        state.update(text.encode())
        return state.digest()

    return lru_cache(maxsize=remembered)(digest) if remembered else digest


def _hashed(texts: Sequence[str], level: str) -> Bytes2D:
    """`digest_level` of many texts: (n, 16)."""
    out = np.zeros((len(texts), LEVEL_BYTES), dtype=np.uint8)
    said = np.fromiter(map(bool, texts), dtype=np.bool_, count=len(texts))
    out[said] = hashing.blake2b_texts(
        [text for text in texts if text], size=LEVEL_BYTES, key=level.encode(), person=_PERSON
    )
    return out


def components(schema: Schema) -> tuple[tuple[str, ...], ...]:
    """Fields that some key asks for together, grouped; fields in different groups never meet in one key."""
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
    """One field's texts to the digests of its levels.

    It remembers what repeats: whole texts, what its levels see of them, and each level's text by itself, because a
    street and a year repeat where an address and a date do not.
    """

    def __init__(self, kind: str, levels: Sequence[Level]) -> None:
        self.blank = ABSENT * len(levels)
        self.canonical = FIELD_KINDS[kind]
        # The most telling level hardly repeats where the whole text does not.
        self._tests = [
            (LEVEL_TESTS[kind][x.test], level_digester(x.name, _CACHED_VALUES if place else 0))
            for place, x in enumerate(levels)
        ]
        self._only = (levels[0].name, self._tests[0][0]) if len(levels) == 1 else None
        self._view = view(kind, [x.test for x in levels])
        self._of_view = lru_cache(maxsize=_CACHED_VALUES)(self._digests)
        self.digests = lru_cache(maxsize=_CACHED_TEXTS)(self._read)
        """Text to digests, one after the other."""

    def column(self, texts: Sequence[str]) -> Bytes2D:
        """(n, bytes of a row's levels): `digests` of every text, distinct ones read once; a blank says nothing."""
        if self._only:
            return self._of_one_level(texts, *self._only)
        known = {text: self.digests(text) if text else self.blank for text in set(texts)}
        said = b"".join([known[text] for text in texts])
        return np.frombuffer(said, dtype=np.uint8).reshape(len(texts), len(self.blank))

    def _of_one_level(self, texts: Sequence[str], level: str, test: Callable[[str], str]) -> Bytes2D:
        """An identifier hardly repeats, so all are hashed together and none is remembered."""
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
    """Turns the values of records into rows of level digests, with memories for values that repeat.

    Values are text in any form that `normalise` takes; a `ValueError` carries its reason. The memories live as long
    as the builder, so the builder lives as long as one import.
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
        # Rows are put together field by field; this takes them to the schema's order of levels.
        grouped = [level.name for item in schema.fields for level in schema.levels_of(item.name)]
        grouped += [level.name for level in schema.levels if level.other]
        self._order = np.array([grouped.index(level.name) for level in schema.levels], dtype=np.intp)
        self._steps = {name: (place, each.digests) for place, (name, each) in enumerate(self._fields.items())}
        self._blank = [each.blank for each in self._fields.values()]

    def fault(self, name: str, text: str) -> str:
        """Why a field cannot take a text, or blank; a field that the schema has not takes any."""
        if name in self._fields:
            try:
                self._fields[name].digests(text)
            except ValueError as error:
                return str(error)
        return ""

    def rows(self, values: Iterable[Mapping[str, str]]) -> bytes:
        """Rows as bytes in field order, for `array`; a missing field is blank.

        Raises:
            ValueError: a value that its field's kind refuses.
        """
        out = []
        steps = self._steps
        for row in values:
            said = self._blank.copy()
            for name, text in row.items():
                if text and name in steps:
                    place, digests = steps[name]
                    said[place] = digests(text)
            out += said
            for one, other, canonical, other_canonical, test, digest, _level in self._paired:
                first, second = row.get(one), row.get(other)
                if first and second and (left := canonical(first)) and (right := other_canonical(second)):
                    out.append(digest(test(f"{left}{GAP}{right}")))
                else:
                    out.append(ABSENT)
        return b"".join(out)

    def columns(self, values: Mapping[str, Sequence[str]], count: int) -> bytes:
        """`rows` for many records of one row each, given column by column.

        Args:
            values: by field, a text per record; blank says nothing. Fields that the schema has not are passed over.
            count: records.

        Raises:
            ValueError: a value that its field's kind refuses.
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
        """Bytes of `rows` as (rows, levels, 16) uint8 in the schema's order of levels."""
        shaped = np.frombuffer(rows, dtype=np.uint8).reshape(-1, len(self.schema.levels), LEVEL_BYTES)
        return np.take(shaped, self._order, axis=1)

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return len(self.schema.levels) * LEVEL_BYTES

    def combine(self, parts: Sequence[Sequence[Mapping[str, str]]]) -> tuple[list[dict[str, str]], int]:
        """The rows of a record that has several values: (rows, rows left out beyond `MAX_ROWS`).

        Args:
            parts: for each fact about the record its alternatives, for example names
                (`[{"forenames": …, "surname": …}, …]`), dates, postcodes, company numbers.

        Alternatives whose fields some key asks for together are crossed; the others stand side by side, because
        crossing them would only repeat tokens.
        """
        if all(len(part) < 2 for part in parts):  # the usual record: one of each
            row = {name: text for part in parts for item in part for name, text in item.items()}
            return [row] if any(name in self._component_of for name in row) else [], 0
        columns: list[list[dict[str, str]]] = []
        dropped = 0
        for component in self._components:
            members = [part for part in parts if part and any(name in component for name in part[0])]
            if not members:
                continue
            count = 1
            for part in members:
                count *= len(part)
            crossed = itertools.islice(itertools.product(*members), MAX_ROWS)
            columns.append([{k: v for item in choice for k, v in item.items()} for choice in crossed])
            dropped += max(0, count - MAX_ROWS)
        merged = itertools.zip_longest(*columns, fillvalue={})
        return [{k: v for item in row for k, v in item.items()} for row in merged], dropped


def level_digests(schema: Schema, values: Sequence[Mapping[str, str]]) -> Bytes3D:
    """One row per mapping of field name to text: (rows, levels, 16) uint8, zeros where a level says nothing.

    Raises:
        ValueError: a value that its field's kind refuses.
    """
    builder = RecordBuilder(schema)
    return builder.array(builder.rows(values))
