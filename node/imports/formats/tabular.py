"""Tables: CSV with comma, semicolon or tab, and Parquet. Rows are read in chunks where all are valid, and otherwise one by one."""

import contextlib
import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

from blindmatch.node.imports.formats.lines import Lines, Progress, open_input, read_head
from blindmatch.protocol.errors import InputError
from blindmatch.protocol.limits import LIMITS

ENCODINGS: Final = ("utf-8", "cp1252", "iso-8859-1", "iso-8859-15")
"""Encodings of a text file. The program never guesses one: a wrong guess changes names without notice."""

_DELIMITERS: Final = ",;\t"
_QUOTED: Final = re.compile(r'"[^"]*"')
_PARQUET_MAGIC: Final = b"PAR1"
_CHUNK_ROWS: Final = 4_096
_END: Final = object()


@dataclass(frozen=True)
class Row:
    """One row: its number in the file, and its cells in the header's order or the fault that makes it unusable."""

    number: int
    cells: list[str]
    fault: str = ""


@dataclass(frozen=True)
class Chunk:
    """Consecutive valid rows: the first one's number, and the cells column by column."""

    first: int
    columns: Sequence[Sequence[str]] = field(repr=False)

    def __len__(self) -> int:
        return len(self.columns[0])

    def row(self, place: int) -> Row:
        """The row at a place, counted from 0."""
        return Row(self.first + place, [column[place] for column in self.columns])


class Table:
    """A file with a header and rows. Iterate over it once, or over its `parts` once."""

    def __init__(self, path: Path, header: tuple[str, ...], parts: Iterator[Chunk | Row]) -> None:
        self.path = path
        self.header = header
        self.blank_rows = 0
        """Rows of separators only, which were skipped so far."""
        self.parts = self._without_blank_rows(parts)
        """All other rows in order: valid ones in chunks where possible, others one by one."""

    def _without_blank_rows(self, parts: Iterator[Chunk | Row]) -> Iterator[Chunk | Row]:
        for part in parts:
            if isinstance(part, Row):
                if part.fault or any(map(str.strip, part.cells)):
                    yield part
                else:
                    self.blank_rows += 1
            elif all(map(str.strip, part.columns[0])):  # the usual chunk
                yield part
            else:
                yield from self._split(part)

    def _split(self, chunk: Chunk) -> Iterator[Chunk]:
        """The runs of rows between a chunk's blank rows."""
        start = 0
        blank = [
            place
            for place, cell in enumerate(chunk.columns[0])
            if not cell.strip() and not any(column[place].strip() for column in chunk.columns)
        ]
        self.blank_rows += len(blank)
        for place in (*blank, len(chunk)):
            if place > start:
                yield Chunk(chunk.first + start, [column[start:place] for column in chunk.columns])
            start = place + 1

    def __iter__(self) -> Iterator[Row]:
        for part in self.parts:
            if isinstance(part, Row):
                yield part
            else:
                for number, cells in enumerate(zip(*part.columns, strict=True), part.first):
                    yield Row(number, list(cells))


@contextlib.contextmanager
def open_table(
    path: Path,
    *,
    encoding: str = "utf-8",
    separator: str = ";",
    progress: Progress | None = None,
    limit: int = LIMITS.row_bytes,
) -> Iterator[Table]:
    """Open a CSV or Parquet file, by its content, not by its name.

    Args:
        path: the file.
        encoding: one of `ENCODINGS`; a byte order mark is dropped.
        separator: joins the values of a Parquet list, as a mapping expects them in one cell.
        progress: called during the read.
        limit: the most bytes of one row.

    Raises:
        InputError: not readable, empty, not a table, no header, or two columns of one name; and while the rows are
            read: bytes that are not of the encoding, or a quoted field without an end.
    """
    if encoding not in ENCODINGS:
        raise InputError(f"unknown encoding {encoding}", hint=f"One of: {', '.join(ENCODINGS)}.")
    with open_input(path) as file:
        if file.peek(4)[:4] == _PARQUET_MAGIC:  # type: ignore[attr-defined]
            yield _parquet(path, file, separator, progress, limit)
        else:
            read_head(path, file)
            yield _Csv(path, file, encoding, progress, limit).table()


def _checked_header(path: Path, names: list[str]) -> tuple[str, ...]:
    header = tuple(" ".join(name.split()) for name in names)
    named = [name for name in header if name]
    if not named:
        raise InputError(
            f"{path}: the first line names no columns", hint="The first line must be the header."
        )
    repeated = sorted({name for name in named if named.count(name) > 1})
    if repeated:
        raise InputError(
            f"{path}: two columns have the name {repeated[0]!r}", hint="Give every column its own name."
        )
    return header


class _Csv:
    """RFC 4180 with three delimiters, read strictly."""

    def __init__(
        self, path: Path, file: BinaryIO, encoding: str, progress: Progress | None, limit: int
    ) -> None:
        self._path = path
        self._encoding = encoding
        self._limit = limit
        self._lines = Lines(path, file, limit, progress)
        self._again: Iterator[bytes | None] = iter(())
        """Lines of a chunk that are read again one by one."""
        self._number = 0
        self._row_start = 1
        self._bytes = 0
        self._fault = ""

    def table(self) -> Table:
        text = self._text()
        first = next(text, None)
        if first is None or self._fault:
            raise InputError(
                f"{self._path}: {self._fault or 'the file is empty'}",
                hint="The first line must be the header.",
            )
        outside = _QUOTED.sub("", first)
        counts = {delimiter: outside.count(delimiter) for delimiter in _DELIMITERS}
        delimiter = max(_DELIMITERS, key=lambda candidate: counts[candidate])
        try:
            names = next(csv.reader([first], delimiter=delimiter, strict=True))
        except (csv.Error, StopIteration):
            raise InputError(
                f"{self._path}: the first line is not a header", hint="The first line must name the columns."
            ) from None
        header = _checked_header(self._path, names)
        return Table(self._path, header, self._parts(text, delimiter, len(header)))

    def _parts(self, text: Iterator[str], delimiter: str, width: int) -> Iterator[Chunk | Row]:
        while lines := self._lines.next_lines(_CHUNK_ROWS):
            columns = self._columns(lines, delimiter, width)
            if columns is not None:
                yield Chunk(self._number + 1, columns)
                self._number += len(lines)
                continue
            last = self._number + len(lines)
            self._again = iter(lines)
            # The last row may continue after these lines.
            yield from self._rows(text, delimiter, width, last)

    def _columns(self, lines: list[bytes | None], delimiter: str, width: int) -> list[tuple[str, ...]] | None:
        """The cells column by column, or None where a line is not a valid row."""
        try:
            text = b"".join(lines).decode(self._encoding)  # type: ignore[arg-type] # a None is a TypeError
            if "\0" in text:
                return None
            # Python has more line ends than a table has.
            rows = list(csv.reader(_ended_by_lf(text), delimiter=delimiter, strict=True))
        except (TypeError, UnicodeDecodeError, csv.Error):
            return None
        if len(rows) != len(lines) or set(map(len, rows)) != {width}:
            return None
        return list(zip(*rows, strict=True))

    def _rows(self, text: Iterator[str], delimiter: str, width: int, last: int) -> Iterator[Row]:
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        while self._number < last:
            self._row_start, self._bytes, self._fault = self._number + 1, 0, ""
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                yield Row(self._row_start, [], "has quotes that are not closed or are in the wrong place")
                continue
            if self._fault:
                yield Row(self._row_start, [], self._fault)
            elif len(cells) == width:
                yield Row(self._row_start, cells)
            elif any(map(str.strip, cells)):
                yield self._fitted(cells, width)
            elif cells:
                yield Row(self._row_start, [])

    def _fitted(self, cells: list[str], width: int) -> Row:
        if len(cells) > width and not any(cell.strip() for cell in cells[width:]):
            return Row(self._row_start, cells[:width])
        return Row(self._row_start, [], f"has {len(cells)} cells where the header has {width}")

    def _line(self) -> Any:
        line = next(self._again, _END)
        if line is _END:
            line = next(self._lines, _END)
        self._number += line is not _END
        return line

    def _text(self) -> Iterator[str]:
        """Decoded lines. An unusable line becomes an empty one, with `_fault` set."""
        while (line := self._line()) is not _END:
            if line is None or b"\0" in line:
                if self._bytes:
                    raise InputError(
                        f"{self._path}: line {self._row_start}: a quoted field has no end, or contains a line that cannot be read",
                        hint="Look for an unpaired quotation mark in that line.",
                    )
                self._fault = (
                    f"the line is longer than {self._limit} bytes"
                    if line is None
                    else "the line contains a NUL byte"
                )
                yield "\n"
                continue
            self._bytes += len(line)
            if self._bytes > self._limit:
                raise InputError(
                    f"{self._path}: line {self._row_start}: a quoted field does not end within {self._limit} bytes",
                    hint="Look for an unpaired quotation mark in that line.",
                )
            try:
                yield line.decode(self._encoding)
            except UnicodeDecodeError:
                raise InputError(
                    f"{self._path}: line {self._number} is not {self._encoding.upper()}",
                    hint="A file from Windows is often in another encoding: try --encoding cp1252."
                    if self._encoding == "utf-8"
                    else "Find out how the file was exported, or save it as CSV UTF-8.",
                ) from None


def _ended_by_lf(text: str) -> list[str]:
    """Lines that LF or CR LF ends, without their ends.

    Raises:
        csv.Error: there is a CR without LF.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n")
        if "\r" in text:
            raise csv.Error
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return lines


def _parquet(path: Path, file: BinaryIO, separator: str, progress: Progress | None, limit: int) -> Table:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an optional extra
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise InputError(
            f"{path}: reading Parquet needs the package pyarrow",
            hint="Install it: pip install 'blindmatch[parquet]', or export the table as CSV.",
        ) from None
    try:
        source = parquet.ParquetFile(file)
    except (pa.ArrowException, OSError, ValueError):
        raise InputError(f"{path}: the Parquet file is damaged", hint="Export it again.") from None
    header = _checked_header(path, list(source.schema_arrow.names))
    total = source.metadata.num_rows
    if not total:
        raise InputError(f"{path}: the table has no rows", hint="Check the export that produced it.")

    def parts() -> Iterator[Chunk | Row]:
        number = 0
        try:
            for batch in source.iter_batches(batch_size=_CHUNK_ROWS):
                if not batch.num_rows:
                    continue
                columns = [
                    [_cell(value, separator) for value in column.to_pylist()] for column in batch.columns
                ]
                chunk = Chunk(number + 1, columns)
                # A character has at most four bytes; the exact size is computed only for a long row.
                if sum(max(map(len, column)) for column in columns) * 4 <= limit:
                    yield chunk
                else:
                    yield from (_bounded(chunk.row(place), limit) for place in range(len(chunk)))
                number += len(chunk)
                if progress is not None:
                    progress(number, total)
        except (pa.ArrowException, OSError, ValueError):
            raise InputError(f"{path}: the Parquet file is damaged after row {number}") from None

    return Table(path, header, parts())


def _bounded(row: Row, limit: int) -> Row:
    if sum(len(cell.encode()) for cell in row.cells) > limit:
        return Row(row.number, [], f"the row is longer than {limit} bytes")
    return row


def _cell(value: Any, separator: str) -> str:
    if value is None or value != value:  # noqa: PLR0124 - a missing number is NaN, which is not equal to itself
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return separator.join(_cell(item, separator) for item in value)
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)
