"""Sealed files of a collection, block by block.

```
columns   blocks of: records u32, rows u32, rows per record u8, level digests (rows, levels, 16)
records   blocks of: one JSON array per record: [reference, facts, provenance]
handling  one blob: a letter per record
entities  one blob: 8 bytes per record, equal for records of one person or company, zeros where unknown
index     one blob: JSON with the schema, the counts and the start of each block
```
Integers are little-endian. A block is sealed with its collection, file and number, so that blocks cannot be exchanged.
The index has the start of every block, so that none can be cut off.
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import repeat
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt

from blindmatch.node.storage.sealing import Sealer
from blindmatch.protocol.errors import StoreError
from blindmatch.protocol.limits import LEVEL_BYTES

FORMAT: Final = 2
"""2: with entities."""
ENTITY_BYTES: Final = 8
BLOCK_RECORDS: Final = 4_096
"""Records per block: about 0.5 MB of level digests."""
PURPOSE: Final = "collections"

_JSON: Final = json.JSONEncoder(separators=(",", ":"))
_QUOTED: Final = json.encoder.encode_basestring_ascii
"""A text as `_JSON` writes it."""

Bytes3D = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Index:
    """The index of a collection's folder."""

    schema: str
    schema_digest: str
    """Hex."""
    levels: int
    records: int
    rows: int
    columns: tuple[int, ...] = field(repr=False)
    """The start of each block of `columns`, and the end of the last."""
    details: tuple[int, ...] = field(repr=False)
    """The same for `records`."""
    format: int = FORMAT


@dataclass(slots=True)
class StoredRecord:
    """One record's sealed part."""

    reference: str = field(repr=False)
    facts: Mapping[str, str] = field(repr=False)
    provenance: Mapping[str, str] = field(repr=False)


class BlockWriter:
    """Writes a collection's files into an empty folder. Call `add`, `flush`, then `finish`."""

    def __init__(self, folder: Path, sealer: Sealer, collection: str, levels: int) -> None:
        self._folder = folder
        self._sealer = sealer
        self._collection = collection
        self._levels = levels
        self._columns: BinaryIO = (folder / "columns").open("xb")
        self._details: BinaryIO = (folder / "records").open("xb")
        self._places: tuple[list[int], list[int]] = ([0], [0])
        self._handling = bytearray()
        self._entities = bytearray()
        self._counts = bytearray()
        self._lines: list[str] = []
        self.records = 0
        self.rows = 0

    @property
    def pending(self) -> int:
        """Records added since the last block."""
        return len(self._counts)

    def add(
        self, record: StoredRecord, handling: str, rows: int, entity: bytes = bytes(ENTITY_BYTES)
    ) -> None:
        """Add one record. The digests of its `rows` rows are passed to `flush`."""
        self._counts.append(rows)
        self._entities += entity
        self._handling += handling.encode("ascii")
        self._lines.append(_JSON.encode([record.reference, record.facts, record.provenance]))

    def add_lines(self, lines: Sequence[str], handling: str, entities: bytes) -> None:
        """Add records of one row each, with their sealed parts from `json_lines`. They must fit into the block."""
        self._counts += b"\1" * len(lines)
        self._entities += entities
        self._handling += handling.encode("ascii")
        self._lines += lines

    def flush(self, digests: Bytes3D) -> None:
        """Seal the records added so far as one block, with their rows' level digests in order."""
        if not self._counts:
            return
        rows = sum(self._counts)
        if digests.shape != (rows, self._levels, LEVEL_BYTES):
            raise StoreError("the number of a block's digests is not that of its rows")
        number = len(self._places[0]) - 1
        head = np.array([len(self._counts), rows], dtype="<u4").tobytes()
        self._write(0, self._columns, "columns", number, head + bytes(self._counts) + digests.tobytes())
        self._write(1, self._details, "records", number, f"[{','.join(self._lines)}]".encode())
        self.records += len(self._counts)
        self.rows += rows
        self._counts.clear()
        self._lines.clear()

    def _write(self, which: int, file: BinaryIO, name: str, number: int, plain: bytes) -> None:
        file.write(self._sealer.seal(plain, f"{self._collection}/{name}/{number}"))
        self._places[which].append(file.tell())

    def finish(self, schema: str, schema_digest: bytes) -> None:
        """Write the small files, and flush all files to the disk."""
        columns, details = self._places
        index = Index(
            schema, schema_digest.hex(), self._levels, self.records, self.rows, tuple(columns), tuple(details)
        )
        for name, plain in (
            ("handling", bytes(self._handling)),
            ("entities", bytes(self._entities)),
            ("index", json.dumps(asdict(index)).encode()),
        ):
            with (self._folder / name).open("xb") as file:
                file.write(self._sealer.seal(plain, f"{self._collection}/{name}"))
                _sync(file)
        _sync(self._columns)
        _sync(self._details)
        self.close()
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Close the files, whether `finish` was called or not."""
        self._columns.close()
        self._details.close()


def json_lines(
    references: Sequence[str], facts: Mapping[str, Sequence[str]], provenance: Mapping[str, Sequence[str]]
) -> list[str]:
    """The sealed parts of many records as `BlockWriter.add` writes them, from columns of texts. Blank texts are left out."""
    count = len(references)
    parts = zip(map(_QUOTED, references), _objects(facts, count), _objects(provenance, count), strict=True)
    return [f"[{reference},{{{fact}}},{{{origin}}}]" for reference, fact, origin in parts]


def _objects(columns: Mapping[str, Sequence[str]], count: int) -> Iterable[str]:
    """The members of each record's JSON object."""
    if not columns:
        return repeat("", count)
    members = []
    for name, texts in columns.items():
        start = f"{_QUOTED(name)}:"
        members.append([start + _QUOTED(text) if text else "" for text in texts])
    if len(members) == 1:
        return members[0]
    if all(map(all, members)):
        return map(",".join, zip(*members, strict=True))
    return [",".join(filter(None, each)) for each in zip(*members, strict=True)]


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


class BlockReader:
    """Reads a collection's files.

    Raises:
        StoreError: a file is missing, cut off or of another format.
        KeysError: a file was altered, or is of another collection.
    """

    def __init__(self, folder: Path, sealer: Sealer, collection: str) -> None:
        self._folder = folder
        self._sealer = sealer
        self._collection = collection
        try:
            content = json.loads(self._unseal("index", "index"))
            self.index = Index(
                **{**content, "columns": tuple(content["columns"]), "details": tuple(content["details"])}
            )
        except (ValueError, TypeError, KeyError):
            raise StoreError(
                f"collection {collection}: the index is of another version of the program"
            ) from None
        if self.index.format != FORMAT:
            raise StoreError(
                f"collection {collection}: its files have format {self.index.format}; this program reads format {FORMAT}",
                hint="Import it again.",
            )
        self.handling = np.frombuffer(self._unseal("handling", "handling"), dtype=np.uint8)
        """(records,) ASCII codes of the handling codes."""
        self.entities = np.frombuffer(self._unseal("entities", "entities"), dtype="<i8")
        """(records,) int64: equal for records of one person or company, 0 for a record without an entity."""

    def __len__(self) -> int:
        return len(self.index.columns) - 1

    def columns(self, number: int) -> tuple[Bytes3D, npt.NDArray[np.uint8]]:
        """A block's level digests (rows, levels, 16), and the number of rows of each of its records."""
        data = self._block("columns", number, self.index.columns)
        records, rows = (int(value) for value in np.frombuffer(data[:8], dtype="<u4"))
        counts = np.frombuffer(data, dtype=np.uint8, count=records, offset=8)
        digests = np.frombuffer(data, dtype=np.uint8, offset=8 + records)
        return digests.reshape(rows, self.index.levels, LEVEL_BYTES), counts

    def details(self, number: int) -> list[StoredRecord]:
        """A block's records."""
        return [
            StoredRecord(*entry) for entry in json.loads(self._block("records", number, self.index.details))
        ]

    def _block(self, name: str, number: int, places: Sequence[int]) -> bytes:
        return self._unseal(name, f"{name}/{number}", places[number], places[number + 1])

    def _unseal(self, name: str, context: str, start: int = 0, end: int | None = None) -> bytes:
        try:
            with (self._folder / name).open("rb") as file:
                file.seek(start)
                sealed = file.read(None if end is None else end - start)
        except OSError as error:
            raise StoreError(f"collection {self._collection}: {name}: {error.strerror}") from None
        return self._sealer.open(sealed, f"{self._collection}/{context}")
