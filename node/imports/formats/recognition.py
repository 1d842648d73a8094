"""Which format a file has, told by its content, and the reader for it."""

from collections.abc import Iterator
from pathlib import Path

from blindmatch.node.imports.formats import bods, companies_house, ftm, ocds, officers
from blindmatch.node.imports.formats.appointments import CompanyLookup, ReadContext
from blindmatch.node.imports.formats.drafts import Draft
from blindmatch.node.imports.formats.format_names import Format
from blindmatch.node.imports.formats.json_stream import first_object_names
from blindmatch.node.imports.formats.lines import Progress, open_input
from blindmatch.protocol.errors import InputError


def recognise_format(path: Path) -> Format:
    """The format of a file, by its first bytes and, for JSON, the names in its first object.

    Raises:
        InputError: cannot be read, is empty, or is JSON of no format that is known.
    """
    with open_input(path) as file:
        head = file.read(4_096).removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(officers.MAGIC):
        return Format.OFFICERS
    if not head.startswith((b"{", b"[")):
        return Format.TABLE
    names = first_object_names(path)[1]
    for found, needs in (
        (Format.PSC, {"company_number", "data"}),
        (Format.FTM, {"schema", "properties"}),
        (Format.BODS, {"recordType"}),
        (Format.BODS, {"statementId"}),
        (Format.OCDS, {"releases"}),
        (Format.OCDS, {"records"}),
        (Format.OCDS, {"ocid"}),
    ):
        if needs <= names:
            return found
    raise InputError(
        f"{path}: JSON, but of no format that is known",
        hint="Known: the PSC snapshot, OCDS 1.1, BODS 0.4 and FollowTheMoney. Say --format to be told what is wrong.",
    )


def read_file(
    form: Format,
    path: Path,
    seen: ReadContext,
    *,
    include_ceased: bool = False,
    progress: Progress | None = None,
) -> Iterator[Draft]:
    """The drafts of a whole file that is no table.

    Raises:
        InputError: the file is not of the format, or breaks off.
    """
    if form is Format.OFFICERS:
        return officers.expand(path, None, seen, include_ceased=include_ceased, progress=progress)
    if form is Format.PSC:
        return companies_house.expand(path, None, seen, include_ceased=include_ceased, progress=progress)
    if form is Format.OCDS:
        return ocds.read(path, seen, progress=progress)
    if form is Format.BODS:
        return bods.read(path, seen, include_ceased=include_ceased, progress=progress)
    return ftm.read(path, seen, include_ceased=include_ceased, progress=progress)


def read_register(
    path: Path,
    wanted: CompanyLookup,
    seen: ReadContext,
    *,
    include_ceased: bool = False,
    progress: Progress | None = None,
) -> Iterator[Draft]:
    """The people of the wanted companies out of one register file.

    Raises:
        InputError: the file is no register.
    """
    with open_input(path) as file:
        head = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(officers.MAGIC):
        return officers.expand(path, wanted, seen, include_ceased=include_ceased, progress=progress)
    names = first_object_names(path)[1] if head.startswith((b"{", b"[")) else frozenset[str]()
    if "recordType" in names or "statementId" in names:
        return bods.expand(path, wanted, seen, include_ceased=include_ceased, progress=progress)
    if {"schema", "properties"} <= names:
        return ftm.expand(path, wanted, seen, include_ceased=include_ceased, progress=progress)
    return companies_house.expand(path, wanted, seen, include_ceased=include_ceased, progress=progress)
