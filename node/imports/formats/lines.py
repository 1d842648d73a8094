"""Lines of a file in bounded memory, whatever is between them."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from blindmatch.protocol.errors import InputError

Progress = Callable[[int, int], None]
"""Called now and then with (done, total): bytes of a text file, rows of a Parquet file."""

_BLOCK_BYTES = 1 << 18
_SNIFF_BYTES = 4_096

# What people save by mistake: first bytes, what it is, what to do.
_FOREIGN = (
    (
        b"PK\x03\x04",
        "a spreadsheet workbook or a ZIP file",
        "Save the sheet as CSV (UTF-8), or unpack the file.",
    ),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet workbook", "Save the sheet as CSV (UTF-8)."),
    (b"\x1f\x8b", "compressed with gzip", "Unpack it first: gunzip FILE."),
    (b"\xff\xfe", "in UTF-16", "Save it as CSV UTF-8, or convert it: iconv -f UTF-16 -t UTF-8."),
    (b"\xfe\xff", "in UTF-16", "Save it as CSV UTF-8, or convert it: iconv -f UTF-16 -t UTF-8."),
    (b"%PDF", "a PDF", "Ask for the data as CSV."),
)


def open_input(path: Path) -> BinaryIO:
    """Open an officer's file for reading.

    Raises:
        InputError: it is not there, is a folder, may not be read, or is empty.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    if not path.stat().st_size and path.is_file():
        file.close()
        raise InputError(f"{path}: the file is empty", hint="Check the export that made it.")
    return file


def refuse_binary(path: Path, head: bytes) -> None:
    """Refuse a file that is no text, by its first bytes.

    Raises:
        InputError: says what it is and what to do.
    """
    for magic, what, hint in _FOREIGN:
        if head.startswith(magic):
            raise InputError(f"{path}: the file is {what}", hint=hint)
    if head.count(0) * 4 > len(head):
        raise InputError(
            f"{path}: the file is full of NUL bytes; it is binary, or in UTF-16",
            hint="Save it as CSV UTF-8, or convert it: iconv -f UTF-16LE -t UTF-8.",
        )


class Lines:
    """The lines of a text file as bytes without a byte order mark, each with its line end, numbered from 1.

    LF, CR LF and CR all end a line, mixed as they come. A line over `limit` bytes is given as None, and its bytes
    are not kept. At most one block and one line are in memory.
    """

    def __init__(self, path: Path, file: BinaryIO, limit: int, progress: Progress | None = None) -> None:
        self.number = 0
        """The number of the line given last."""
        self._file = file
        self._limit = limit
        self._progress = progress
        self._total = path.stat().st_size
        self._done = 0
        self._lines = self._split()

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> bytes | None:
        line = next(self._lines)
        self.number += 1
        return line

    def several(self, count: int) -> list[bytes | None]:
        """The next lines, so many at most."""
        lines = list(islice(self._lines, count))
        self.number += len(lines)
        return lines

    def _split(self) -> Iterator[bytes | None]:
        rest, overlong, first = b"", False, True
        while block := self._file.read(_BLOCK_BYTES):
            self._advance(len(block))
            if first:
                block, first = block.removeprefix(b"\xef\xbb\xbf"), False
            parts = (rest + block).splitlines(keepends=True)
            # The last piece may go on in the next block, and so may a CR LF that was cut in two.
            rest = parts.pop() if parts else b""
            for part in parts:
                yield None if overlong or len(part) > self._limit else part
                overlong = False
            if len(rest) > self._limit:
                # Keep the end only: it tells whether the line is over.
                rest, overlong = rest[-1:], True
        if rest:
            yield None if overlong else rest

    def _advance(self, count: int) -> None:
        self._done += count
        if self._progress is not None:
            self._progress(self._done, self._total)


def read_head(path: Path, file: BinaryIO) -> bytes:
    """The first bytes of a file, checked by `refuse_foreign`; the file stands at its beginning again."""
    head = file.read(_SNIFF_BYTES)
    file.seek(0)
    refuse_binary(path, head)
    return head
