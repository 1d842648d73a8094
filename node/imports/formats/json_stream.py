"""JSON of any size, one object at a time: an array, a package around an array, or one object a line.

A package of the whole country does not fit into memory, so arrays are read with a streaming parser (`ijson`).
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import ijson  # type: ignore[import-untyped, unused-ignore]

from blindmatch.node.imports.formats.lines import Lines, Progress, open_input, read_head
from blindmatch.protocol.errors import InputError

ITEM_BYTES: Final = 16 << 20
"""The largest object: a contracting process with all its documents is a few hundred KiB."""
_EVENTS: Final = 20_000
_HINT: Final = "The file may have been cut off: fetch or export it again."


class JsonItem(NamedTuple):
    """One object, or what is wrong with it: its line, or its place in the array from 1."""

    number: int
    content: dict[str, Any]
    fault: str = ""


class _Counting:
    """A file that counts, and refuses to go on when one object takes too much."""

    def __init__(self, path: Path, file: BinaryIO, progress: Progress | None) -> None:
        self._path = path
        self._file = file
        self._progress = progress
        self._total = path.stat().st_size
        self._done = 0
        self._since = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        if not self._done:
            # The parser takes a byte order mark for an error.
            data = data.removeprefix(b"\xef\xbb\xbf") or data[:0]
        self._done += len(data)
        self._since += len(data)
        if self._since > ITEM_BYTES:
            raise InputError(
                f"{self._path}: one object is larger than {ITEM_BYTES >> 20} MiB",
                hint="Is this a data file? Split the package, or write one object a line.",
            )
        if self._progress is not None:
            self._progress(self._done, self._total)
        return data

    def next_item(self) -> None:
        """An object is over."""
        self._since = 0


def first_object_names(path: Path) -> tuple[str, frozenset[str]]:
    """How a JSON file begins: (`array`, `object` or nothing, the names in its first object).

    Raises:
        InputError: cannot be read, or is empty.
    """
    names: set[str] = set()
    first = ""
    with open_input(path) as file:
        read_head(path, file)
        depth = 0
        try:
            events = ijson.parse(_Counting(path, file, None), multiple_values=True, buf_size=4_096)
            for count, (_, event, value) in enumerate(events):
                if not first:
                    first = {"start_array": "array", "start_map": "object"}.get(event, "")
                    if not first:
                        break
                depth += event.startswith("start_")
                depth -= event.startswith("end_")
                inside = depth == (2 if first == "array" else 1)
                if event == "map_key" and inside:
                    names.add(value)
                if event == "end_map" and depth == (1 if first == "array" else 0):
                    break
                if count > _EVENTS or names & {"releases", "records"}:
                    break
        except (ijson.JSONError, UnicodeDecodeError, InputError):
            pass  # what was seen so far decides; reading it says what is wrong
    return first, frozenset(names)


def read_items(path: Path, lists: Sequence[str], progress: Progress | None = None) -> Iterator[JsonItem]:
    """Every object of a file: one a line, or an array's, or those of a package's first list in `lists`.

    Args:
        path: the file, UTF-8.
        lists: names under which a package keeps its objects, for example `releases`.
        progress: called now and then.

    Raises:
        InputError: cannot be read, is empty, is not JSON from its first object on, or breaks off in an array.
    """
    if _by_lines(path):
        yield from _lines(path, progress)
        return
    first, names = first_object_names(path)
    inside = next((name for name in lists if name in names), "")
    if first != "array" and not inside:
        raise InputError(
            f"{path}: not an array, a package or one object a line",
            hint=f"A package has {' or '.join(lists)}." if lists else _HINT,
        )
    with open_input(path) as file:
        counting = _Counting(path, file, progress)
        number = 0
        try:
            for content in ijson.items(counting, f"{inside}.item" if inside else "item", use_float=True):
                number += 1
                counting.next_item()
                good = isinstance(content, dict)
                yield JsonItem(number, content if good else {}, "" if good else "is not an object")
        except (ijson.JSONError, UnicodeDecodeError):
            raise InputError(
                f"{path}: the JSON breaks off or is wrong after object {number}", hint=_HINT
            ) from None


def _by_lines(path: Path) -> bool:
    with open_input(path) as file:
        read_head(path, file)
        for line in Lines(path, file, ITEM_BYTES):
            if line is not None and not line.strip():
                continue
            try:
                return line is not None and isinstance(json.loads(line), dict)
            except (ValueError, RecursionError):
                return False
    return False


def _lines(path: Path, progress: Progress | None) -> Iterator[JsonItem]:
    with open_input(path) as file:
        lines = Lines(path, file, ITEM_BYTES, progress)
        for line in lines:
            if line is not None and not line.strip():
                continue
            yield parse_line(line, lines.number)


def parse_line(line: bytes | None, number: int) -> JsonItem:
    """A line as an item, with a fault when it is none."""
    if line is None:
        return JsonItem(number, {}, "the line is too long")
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return JsonItem(number, {}, "the line breaks off, or is not JSON")
    if not isinstance(content, dict):
        return JsonItem(number, {}, "the line is not an object")
    return JsonItem(number, content)


def text(data: Mapping[str, Any], name: str) -> str:
    """A text, or a number as text; blank for anything else."""
    value = data.get(name)
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.0f}" if value == int(value) else f"{value:.2f}"
    return ""


def child(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object, or an empty one."""
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def children(data: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects of a list."""
    value = data.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def texts(data: Mapping[str, Any], name: str) -> list[str]:
    """The texts of a list, or one text as a list."""
    value = data.get(name)
    found = value if isinstance(value, list) else [value]
    return [tidy for item in found if isinstance(item, str) and (tidy := " ".join(item.split()))]
