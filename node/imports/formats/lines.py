"""Lines of a file of any content, in bounded memory."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from blindmatch.protocol.errors import InputError

Progress = Callable[[int, int], None]
"""Called during the read with (done, total): bytes of a text file, rows of a Parquet file."""

_BLOCK_BYTES = 1 << 18
_HEAD_BYTES = 4_096

# File types that are exported by mistake: first bytes, description, remedy.
_OTHER_TYPES = (
    (
        b"PK\x03\x04",
        "a spreadsheet workbook or a ZIP file",
        "Save the sheet as CSV (UTF-8), or unpack the file.",
    ),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet workbook", "Save the sheet as CSV (UTF-8)."),
    (b"\x1f\x8b", "compressed with gzip", "Unpack it: gunzip FILE."),
    (b"\xff\xfe", "in UTF-16", "Save it as CSV UTF-8, or convert it: iconv -f UTF-16 -t UTF-8."),
    (b"\xfe\xff", "in UTF-16", "Save it as CSV UTF-8, or convert it: iconv -f UTF-16 -t UTF-8."),
    (b"%PDF", "a PDF", "Ask for the data as CSV."),
)


def open_input(path: Path) -> BinaryIO:
    """Open an input file.

    Raises:
        InputError: the file is missing, a folder, not readable or empty.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    if not path.stat().st_size and path.is_file():
        file.close()
        raise InputError(f"{path}: the file is empty", hint="Check the export that produced it.")
    return file


def refuse_binary(path: Path, head: bytes) -> None:
    """Refuse a file that is not text, by its first bytes.

    Raises:
        InputError: names the file's type and the remedy.
    """
    for magic, what, hint in _OTHER_TYPES:
        if head.startswith(magic):
            raise InputError(f"{path}: the file is {what}", hint=hint)
    if head.count(0) * 4 > len(head):
        raise InputError(
            f"{path}: the file contains many NUL bytes: it is binary or in UTF-16",
            hint="Save it as CSV UTF-8, or convert it: iconv -f UTF-16LE -t UTF-8.",
        )


class Lines:
    """The lines of a text file as bytes without a byte order mark, each with its line end, numbered from 1.

    LF, CR LF and CR all end a line, also mixed. A line of more than `limit` bytes is returned as None. At most one block
    and one line are in memory.
    """

    def __init__(self, path: Path, file: BinaryIO, limit: int, progress: Progress | None = None) -> None:
        self.number = 0
        """The number of the line returned last."""
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

    def next_lines(self, count: int) -> list[bytes | None]:
        """The next lines, at most `count`."""
        lines = list(islice(self._lines, count))
        self.number += len(lines)
        return lines

    def _split(self) -> Iterator[bytes | None]:
        rest, overlong, first = b"", False, True
        while block := self._file.read(_BLOCK_BYTES):
            self._done += len(block)
            if self._progress is not None:
                self._progress(self._done, self._total)
            if first:
                block, first = block.removeprefix(b"\xef\xbb\xbf"), False
            parts = (rest + block).splitlines(keepends=True)
            # The last line may continue in the next block, and a CR LF may be cut in two.
            rest = parts.pop() if parts else b""
            for part in parts:
                yield None if overlong or len(part) > self._limit else part
                overlong = False
            if len(rest) > self._limit:
                # Keep the last byte only: it shows whether the line has ended.
                rest, overlong = rest[-1:], True
        if rest:
            yield None if overlong else rest


def read_head(path: Path, file: BinaryIO) -> bytes:
    """The first bytes of a file, checked by `refuse_binary`. The file is then at its start again."""
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    refuse_binary(path, head)
    return head
