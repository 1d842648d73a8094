"""The file formats, one line each: how a format is recognised, its reader, and its role.

`ReaderModule` is what a format's module provides. The first format that matches is used. A table needs a mapping of its columns and has
its own reader, `tabular`.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from blindmatch.node.imports.formats import bods, companies_house, ftm, ocds, officers
from blindmatch.node.imports.formats.context import CompanyLookup, ReadContext
from blindmatch.node.imports.formats.format_names import Format
from blindmatch.node.imports.formats.json_stream import first_object_names
from blindmatch.node.imports.formats.lines import open_input
from blindmatch.node.imports.formats.record_drafts import Draft
from blindmatch.protocol.errors import InputError


class ReaderModule(Protocol):
    """What the module of a format provides."""

    def matches(self, head: bytes, names: AbstractSet[str], /) -> bool:
        """Whether a file has the format: its first bytes, and the names in its first JSON object."""

    def read(self, path: Path, context: ReadContext, lookup: CompanyLookup | None, /) -> Iterator[Draft]:
        """The drafts of the whole file, or of the looked-up companies."""


@dataclass(frozen=True)
class FormatReader:
    """One format that is not a table."""

    module: ReaderModule
    title: str
    """The format's name in error messages."""
    register: bool = False
    """Whether the file can be searched for the people behind companies."""
    by_line: bool = False
    """Whether references contain the line's number, so that no two are equal."""


READERS: Final = {
    Format.OFFICERS: FormatReader(officers, "the officers bulk file", register=True, by_line=True),
    Format.PSC: FormatReader(companies_house, "the PSC snapshot", register=True, by_line=True),
    Format.FTM: FormatReader(ftm, "FollowTheMoney", register=True),
    Format.BODS: FormatReader(bods, "BODS 0.4", register=True),
    Format.OCDS: FormatReader(ocds, "OCDS 1.1"),
}


def _recognise(path: Path) -> tuple[Format | None, bool]:
    """The format, or None for a table or an unknown format; and whether the file is JSON."""
    with open_input(path) as file:
        head = file.read(4_096).removeprefix(b"\xef\xbb\xbf").lstrip()
    is_json = head.startswith((b"{", b"["))
    names = first_object_names(path)[1] if is_json else frozenset[str]()
    return next(
        (form for form, reader in READERS.items() if reader.module.matches(head, names)), None
    ), is_json


def recognise_format(path: Path) -> Format:
    """The format of a file, by its first bytes and, for JSON, the names in its first object.

    Raises:
        InputError: not readable, empty, or JSON of an unknown format.
    """
    form, is_json = _recognise(path)
    if form is None and is_json:
        titles = ", ".join(reader.title for reader in READERS.values())
        raise InputError(
            f"{path}: the file is JSON of an unknown format",
            hint=f"Known formats: {titles}. Use --format to see why the file is not of a format.",
        )
    return form or Format.TABLE


def read_file(form: Format, path: Path, context: ReadContext) -> Iterator[Draft]:
    """The drafts of a whole file that is not a table.

    Raises:
        InputError: the file is not of the format, or is cut off.
    """
    return READERS[form].module.read(path, context, None)


def read_register(path: Path, lookup: CompanyLookup, context: ReadContext) -> Iterator[Draft]:
    """The drafts of the people and companies behind looked-up companies, from a register.

    Raises:
        InputError: the file is not a register.
    """
    form, _ = _recognise(path)
    # A file that is not a register is read as a PSC snapshot, whose errors say what is wrong with it.
    reader = READERS[form] if form in READERS and READERS[form].register else READERS[Format.PSC]
    return reader.module.read(path, context, lookup)
