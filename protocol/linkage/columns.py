"""Columns of level digests: what is kept of a record once its names are gone.

A row is one combination of a record's values; a record with aliases has several rows. Each level of the schema gives
16 bytes per row: BLAKE2b of the level's text under the level's name as key, or zeros where the row says nothing.
Digests of names can be guessed from a list of names, so they are as secret as the names and are stored sealed.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from blindmatch.protocol.limits import LEVEL_BYTES
from blindmatch.protocol.linkage.levels import FIELD_KINDS, GAP, LEVEL_TESTS
from blindmatch.protocol.linkage.schema import Schema

Bytes3D = npt.NDArray[np.uint8]

ABSENT = bytes(LEVEL_BYTES)
MAX_ROWS = 64
"""Rows per record: beyond it a record with many names and addresses would swamp its own list."""
_CACHED_VALUES = 1 << 16
_PERSON = b"blindmatch level"


def digest_level(name: str, text: str) -> bytes:
    """16 bytes for one level's text; blank text is `ABSENT`."""
    if not text:
        return ABSENT
    return blake2b(text.encode(), digest_size=LEVEL_BYTES, key=name.encode(), person=_PERSON).digest()


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


class RecordBuilder:
    """Turns the values of records into rows of level digests, with a cache for values that repeat.

    Values are text in any form that `normalise` takes; a `ValueError` carries its reason. The cache lives as long
    as the builder, so the builder lives as long as one import.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._levels = {
            item.name: tuple(
                (level.name, LEVEL_TESTS[item.kind][level.test]) for level in schema.levels_of(item.name)
            )
            for item in schema.fields
        }
        self._paired = tuple(level for level in schema.levels if level.other)
        self._kind_names = {item.name: item.kind for item in schema.fields}
        self._kinds = {item.name: FIELD_KINDS[item.kind] for item in schema.fields}
        self._components = components(schema)
        # Rows are put together field by field; this takes them to the schema's order of levels.
        grouped = [level for item in schema.fields for level, _ in self._levels[item.name]]
        grouped += [level.name for level in self._paired]
        self._order = np.array([grouped.index(level.name) for level in schema.levels], dtype=np.intp)
        self._digests = lru_cache(maxsize=_CACHED_VALUES)(self._field_digests)
        self._pairs = lru_cache(maxsize=_CACHED_VALUES)(self._pair_digest)
        self._blank = {name: ABSENT * len(levels) for name, levels in self._levels.items()}

    def _field_digests(self, name: str, text: str) -> bytes:
        canonical = self._kinds[name](text)
        return b"".join(digest_level(level, test(canonical)) for level, test in self._levels[name])

    def _pair_digest(self, place: int, text: str, other: str) -> bytes:
        level = self._paired[place]
        pieces = (self._kinds[level.field](text), self._kinds[level.other](other))
        if not all(pieces):
            return ABSENT
        return digest_level(
            level.name, LEVEL_TESTS[self._kind_names[level.field]][level.test](GAP.join(pieces))
        )

    def rows(self, values: Iterable[Mapping[str, str]]) -> bytes:
        """Rows as bytes in field order, for `array`; a missing field is blank.

        Raises:
            ValueError: a value that its field's kind refuses.
        """
        digests, blank = self._digests, self._blank
        names = tuple(blank)
        paired = tuple(enumerate(self._paired))
        out = []
        for row in values:
            out += [digests(name, text) if (text := row.get(name, "")) else blank[name] for name in names]
            out += [self._pairs(i, row.get(x.field, ""), row.get(x.other, "")) for i, x in paired]
        return b"".join(out)

    def array(self, rows: bytes | bytearray) -> Bytes3D:
        """Bytes of `rows` as (rows, levels, 16) uint8 in the schema's order of levels."""
        shaped = np.frombuffer(rows, dtype=np.uint8).reshape(-1, len(self.schema.levels), LEVEL_BYTES)
        return np.ascontiguousarray(shaped[:, self._order])

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
