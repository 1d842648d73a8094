"""Tables: CSV with comma, semicolon or tab, and Parquet; rows come one at a time, faults by row."""

import contextlib
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from blindmatch.node.importers.lines import Lines, Progress, open_input, sniff
from blindmatch.protocol.errors import InputError
from blindmatch.protocol.limits import LIMITS

ENCODINGS: Final = ("utf-8", "cp1252", "iso-8859-1", "iso-8859-15")
"""What a text file may be in. Never guessed: a wrong guess alters names without a word."""

_DELIMITERS: Final = ",;\t"
_QUOTED: Final = re.compile(r'"[^"]*"')
_PARQUET_MAGIC: Final = b"PAR1"
_PARQUET_ROWS: Final = 4_096


@dataclass(frozen=True)
class Row:
    """One row: its number in the file, its cells in the header's order; or a fault that makes it unusable."""

    number: int
    cells: list[str]
    fault: str = ""


class Table:
    """A file with a header and rows. Iterate once."""

    def __init__(self, path: Path, header: tuple[str, ...], rows: Iterator[Row]) -> None:
        self.path = path
        self.header = header
        self._rows = rows

    def __iter__(self) -> Iterator[Row]:
        return self._rows


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
        separator: put between the values of a Parquet list, as a mapping expects them in one cell.
        progress: called now and then.
        limit: bytes that one row may take.

    Raises:
        InputError: cannot be read, is empty, is no table, has no header or two columns of one name; and while the
            rows are read: bytes that are not of the encoding, or a quoted field without an end.
    """
    if encoding not in ENCODINGS:
        raise InputError(f"unknown encoding {encoding}", hint=f"One of: {', '.join(ENCODINGS)}.")
    with open_input(path) as file:
        if file.peek(4)[:4] == _PARQUET_MAGIC:  # type: ignore[attr-defined]
            yield _parquet(path, file, separator, progress, limit)
        else:
            sniff(path, file)
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
            f"{path}: two columns are called {repeated[0]!r}", hint="Give every column its own name."
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
        self._begun = 1
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
                f"{self._path}: the first line is no header", hint="The first line must name the columns."
            ) from None
        header = _checked_header(self._path, names)
        return Table(self._path, header, self._rows(text, delimiter, len(header)))

    def _rows(self, text: Iterator[str], delimiter: str, width: int) -> Iterator[Row]:
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        while True:
            self._begun, self._bytes, self._fault = self._lines.number + 1, 0, ""
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                yield Row(self._begun, [], "quotes that are not closed, or stand in the wrong place")
                continue
            if self._fault:
                yield Row(self._begun, [], self._fault)
            elif len(cells) == width:
                yield Row(self._begun, cells)
            elif cells:
                yield self._fitted(cells, width)

    def _fitted(self, cells: list[str], width: int) -> Row:
        if len(cells) > width and not any(cell.strip() for cell in cells[width:]):
            return Row(self._begun, cells[:width])
        return Row(self._begun, [], f"has {len(cells)} cells where the header has {width}")

    def _text(self) -> Iterator[str]:
        """Decoded lines. A line that cannot be used becomes an empty one with `_fault` set."""
        for line in self._lines:
            if line is None or b"\0" in line:
                if self._bytes:
                    raise InputError(
                        f"{self._path}: line {self._begun}: a quoted field has no end, or a line in it cannot be read",
                        hint="Look for a lone quotation mark in that line.",
                    )
                self._fault = (
                    f"the line is longer than {self._limit} bytes"
                    if line is None
                    else "the line holds a NUL byte"
                )
                yield "\n"
                continue
            self._bytes += len(line)
            if self._bytes > self._limit:
                raise InputError(
                    f"{self._path}: line {self._begun}: a quoted field does not end within {self._limit} bytes",
                    hint="Look for a lone quotation mark in that line.",
                )
            try:
                yield line.decode(self._encoding)
            except UnicodeDecodeError:
                raise InputError(
                    f"{self._path}: line {self._lines.number} is not {self._encoding.upper()}",
                    hint="A file saved on Windows is often in another encoding: try --encoding cp1252."
                    if self._encoding == "utf-8"
                    else "Ask how the file was exported, or save it as CSV UTF-8.",
                ) from None


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
        raise InputError(f"{path}: the table has no rows", hint="Check the export that made it.")

    def rows() -> Iterator[Row]:
        number = 0
        try:
            for batch in source.iter_batches(batch_size=_PARQUET_ROWS):
                columns = [column.to_pylist() for column in batch.columns]
                for values in zip(*columns, strict=True):
                    number += 1
                    cells = [_cell(value, separator) for value in values]
                    # Four bytes is the longest character: the exact size matters to no one.
                    if sum(map(len, cells)) * 4 > limit and sum(len(cell.encode()) for cell in cells) > limit:
                        yield Row(number, [], f"the row is longer than {limit} bytes")
                    else:
                        yield Row(number, cells)
                if progress is not None:
                    progress(number, total)
        except (pa.ArrowException, OSError, ValueError):
            raise InputError(f"{path}: the Parquet file is damaged after row {number}") from None

    return Table(path, header, rows())


def _cell(value: Any, separator: str) -> str:
    if value is None or value != value:  # noqa: PLR0124 - a missing number is NaN, which equals nothing
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
