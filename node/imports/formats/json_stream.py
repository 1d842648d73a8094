"""JSON of any size, one object at a time: an array, a package around an array, or one object per line.

A package of a whole country does not fit into memory, so arrays are read with a streaming parser (`ijson`).
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
NOT_AN_OBJECT: Final = "the line is not an object"
_EVENTS: Final = 20_000
_HINT: Final = "The file may be cut off: download or export it again."


class JsonItem(NamedTuple):
    """One object or its fault, numbered by its line or by its place in the array from 1."""

    number: int
    content: dict[str, Any]
    fault: str = ""


class _LimitedFile:
    """A file that reports progress, and stops when one object is too large."""

    def __init__(self, path: Path, file: BinaryIO, progress: Progress | None) -> None:
        self._path = path
        self._file = file
        self._progress = progress
        self._total = path.stat().st_size
        self._done = 0
        self._item_bytes = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        if not self._done:
            # The parser does not accept a byte order mark.
            data = data.removeprefix(b"\xef\xbb\xbf") or data[:0]
        self._done += len(data)
        self._item_bytes += len(data)
        if self._item_bytes > ITEM_BYTES:
            raise InputError(
                f"{self._path}: one object is larger than {ITEM_BYTES >> 20} MiB",
                hint="Check that this is a data file. Split the package, or write one object per line.",
            )
        if self._progress is not None:
            self._progress(self._done, self._total)
        return data

    def next_item(self) -> None:
        """Start the count of the next object."""
        self._item_bytes = 0


def first_object_names(path: Path) -> tuple[str, frozenset[str]]:
    """How a JSON file starts: (`array`, `object` or blank, the names in its first object).

    Raises:
        InputError: not readable, or empty.
    """
    names: set[str] = set()
    first = ""
    with open_input(path) as file:
        read_head(path, file)
        depth = 0
        try:
            events = ijson.parse(_LimitedFile(path, file, None), multiple_values=True, buf_size=4_096)
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
            pass  # the names so far decide; reading the file reports the fault
    return first, frozenset(names)


def read_items(path: Path, lists: Sequence[str], progress: Progress | None = None) -> Iterator[JsonItem]:
    """Every object of a file: one per line, of an array, or of a package's first list in `lists`.

    Args:
        path: the file, UTF-8.
        lists: names of a package's lists of objects, for example `releases`.
        progress: called during the read.

    Raises:
        InputError: not readable, empty, not JSON from the first object on, or cut off inside an array.
    """
    if _by_lines(path):
        yield from _lines(path, progress)
        return
    first, names = first_object_names(path)
    inside = next((name for name in lists if name in names), "")
    if first != "array" and not inside:
        raise InputError(
            f"{path}: the file is not an array, a package or one object per line",
            hint=f"A package has the list {' or '.join(lists)}." if lists else _HINT,
        )
    with open_input(path) as file:
        limited = _LimitedFile(path, file, progress)
        number = 0
        try:
            for content in ijson.items(limited, f"{inside}.item" if inside else "item", use_float=True):
                number += 1
                limited.next_item()
                is_object = isinstance(content, dict)
                yield JsonItem(number, content if is_object else {}, "" if is_object else "is not an object")
        except (ijson.JSONError, UnicodeDecodeError):
            raise InputError(
                f"{path}: the JSON is cut off or invalid after object {number}", hint=_HINT
            ) from None


def _by_lines(path: Path) -> bool:
    first = next(_lines(path, None), None)
    return first is not None and not first.fault


def _lines(path: Path, progress: Progress | None) -> Iterator[JsonItem]:
    with open_input(path) as file:
        read_head(path, file)
        lines = Lines(path, file, ITEM_BYTES, progress)
        for line in lines:
            if line is None or line.strip():
                yield parse_line(line, lines.number)


def parse_line(line: bytes | None, number: int) -> JsonItem:
    """A line as an item, with a fault if the line is not an object."""
    if line is None:
        return JsonItem(number, {}, "the line is too long")
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return JsonItem(number, {}, "the line is cut off, or is not JSON")
    if not isinstance(content, dict):
        return JsonItem(number, {}, NOT_AN_OBJECT)
    return JsonItem(number, content)


def text(data: Mapping[str, Any], name: str) -> str:
    """A text with single spaces, or a number as text; blank for any other value."""
    value = data.get(name)
    if isinstance(value, str):
        return " ".join(value.split())
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.0f}" if value == int(value) else f"{value:.2f}"
    return ""


def child(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The object under a name, or an empty one."""
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def children(data: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects in the list under a name."""
    value = data.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def texts(data: Mapping[str, Any], name: str) -> list[str]:
    """The texts in the list under a name, or the one text under it."""
    value = data.get(name)
    entries = value if isinstance(value, list) else [value]
    return [tidy for item in entries if isinstance(item, str) and (tidy := " ".join(item.split()))]
