"""Companies House officers bulk: products 195 (active) and 216 (with resigned), fixed width.

```
header    DDDDSNAP | run 4 | made on CCYYMMDD
company   number 8 | 1 | status 1 | filler 22 | officers 4 | length 4 | name<
person    number 8 | 2 | date origin 1 | appointment type 2 | person number 12 | corporate 1 | filler 7 |
          appointed 8 | resigned 8 | postcode 8 | partial date of birth 8 | full date of birth 8 | length 4 |
          14 fields, each ended by <
trailer   99999999 | records 8
```
A full file has tens of millions of lines; those of companies that nobody asked about are only counted.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from blindmatch.node.imports.formats.appointments import (
    Appointment,
    CompanyLookup,
    Period,
    ReadContext,
    appointment_drafts,
)
from blindmatch.node.imports.formats.drafts import Draft, Part, fault_draft, names_part
from blindmatch.node.imports.formats.field_values import address_part, canonical, iso_date, person_name
from blindmatch.node.imports.formats.lines import Lines, Progress, open_input, read_head
from blindmatch.protocol.errors import InputError
from blindmatch.protocol.limits import LIMITS

MAGIC: Final = b"DDDDSNAP"
_TRAILER: Final = b"99999999"
_FIXED: Final = 76
_FIELDS: Final = [
    "title",
    "forenames",
    "surname",
    "honours",
    "care_of",
    "po_box",
    "address_1",
    "address_2",
    "town",
    "county",
    "country",
    "occupation",
    "nationality",
    "residence",
]
_OF: Final = "officers of the register"
_HINT: Final = "Unpack the file again; it must begin with DDDDSNAP and end with its count of records."

_ROLES: Final = {
    "secretary": "00 02",
    "director": "01 03",
    "LLP member": "04 06",
    "designated LLP member": "05 07",
    "judicial factor": "11 14",
    "receiver or manager under the Charities Act": "12 15",
    "manager under the CAICE Act": "13 16",
    "member of an administrative organ": "17 20",
    "member of a supervisory organ": "18 21",
    "member of a management organ": "19 22",
}
_ROLE_OF: Final = {code: role for role, codes in _ROLES.items() for code in codes.split()}
_RESIGNED: Final = frozenset({"02", "03", "06", "07", "14", "15", "16", "20", "21", "22"})
_ERRORED: Final = "99"
"""An appointment that Companies House has marked as made in error."""


def expand(
    path: Path,
    wanted: CompanyLookup | None,
    seen: ReadContext,
    *,
    include_ceased: bool = False,
    progress: Progress | None = None,
    limit: int = LIMITS.row_bytes,
) -> Iterator[Draft]:
    """Stream the file once: a draft for every officer of every wanted company and each of its holders here.

    Args:
        path: the file, unpacked.
        wanted: canonical company number to the records that named it; None for everybody, each on their own.
        seen: filled on the way.
        include_ceased: resigned officers, too.
        progress: called now and then.
        limit: bytes of one line.

    Raises:
        InputError: cannot be read, has no header or no trailer, or the trailer's count is not that of the lines.
    """
    with open_input(path) as file:
        read_head(path, file)
        lines = Lines(path, file, limit, progress)
        header = next(lines, None)  # a file may hold a byte order mark and nothing else
        if header is None or not _is_header(header.rstrip(b"\r\n")):
            raise InputError(f"{path}: the first line is no header of the officers bulk file", hint=_HINT)
        yield from _records(path, lines, wanted, seen, include_ceased=include_ceased)


def _records(
    path: Path, lines: Lines, wanted: CompanyLookup | None, seen: ReadContext, *, include_ceased: bool
) -> Iterator[Draft]:
    """Everything after the header, with the trailer's count held against the lines."""
    count, announced = 0, -1
    for line in lines:
        if line is not None and not line.strip():
            continue
        if announced >= 0:
            raise InputError(
                f"{path}: line {lines.number} stands after the trailer", hint="Import the files one by one."
            )
        if line is not None and line.startswith(_TRAILER):
            announced = _announced(path, line.rstrip(), lines.number)
            continue
        count += 1
        seen.lines += 1
        if line is not None and line[8:9] == b"1":
            continue  # a company's own record: its name is not kept
        try:
            found = _appointment(line, wanted, seen)
        except ValueError as error:
            yield fault_draft(path.name, lines.number, str(error))
            continue
        if found is not None:
            yield from appointment_drafts(found, wanted, seen, lines.number, include_ceased=include_ceased)
    if announced != count:
        raise InputError(
            f"{path}: the trailer announces {announced} records, the file has {count}"
            if announced >= 0
            else f"{path}: the file has no trailer: it was cut off",
            hint=_HINT,
        )


def _is_header(line: bytes) -> bool:
    tail = line[len(MAGIC) :].strip()
    return line.startswith(MAGIC) and len(tail) == 12 and tail.isdigit()


def _announced(path: Path, line: bytes, number: int) -> int:
    tail = line[len(_TRAILER) :]
    if len(tail) != 8 or not tail.isdigit():
        raise InputError(f"{path}: line {number}: the trailer has no count of records", hint=_HINT)
    return int(tail)


def _appointment(line: bytes | None, wanted: CompanyLookup | None, seen: ReadContext) -> Appointment | None:
    """The appointment in a line, or None for one to pass over; ValueError says why it is none."""
    if line is None:
        raise ValueError("the line is too long")
    if line[8:9] != b"2":
        raise ValueError("neither a company's record nor a person's")
    # The usual case first: a company that nobody asked about.
    if wanted is not None and line[:8].decode("latin-1").strip() not in wanted:
        if not line.rstrip().endswith(b"<"):
            raise ValueError("the line breaks off")
        return None
    text = _text(line)
    # Widths are characters; the length announced may be one of bytes, so only the count of fields is held to.
    fields = text[_FIXED:].split("<")
    if len(text) < _FIXED or len(fields) < len(_FIELDS) + 1 or fields[-1].strip():
        raise ValueError("the line breaks off, or has too few fields")
    if not text[72:76].strip().isdecimal():
        raise ValueError("the length of the variable part is no number")
    code = text[10:12]
    if code == _ERRORED:
        return None
    if code not in _ROLE_OF:
        raise ValueError("an unknown type of appointment")
    company, reason = canonical("company_number", text[:8])
    if reason:
        raise ValueError(reason)
    said = {name: " ".join(value.split()) for name, value in zip(_FIELDS, fields, strict=False)}
    return _made(text, said, company, seen)


def _text(line: bytes) -> str:
    try:
        return line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace").rstrip("\r\n")


def _made(text: str, said: dict[str, str], company: str, seen: ReadContext) -> Appointment:
    code, person = text[10:12], text[12:24].strip()
    corporate = text[24:25].upper() == "Y"
    role = _ROLE_OF[code]
    period = Period(_day(text[32:40]), _day(text[40:48]))
    line = said["address_1"] or said["po_box"]
    lives = address_part(
        seen.usable("address", [line], _OF),
        seen.usable("town", [said["town"]], _OF),
        seen.usable("postcode", [text[48:56]], _OF),
    )
    parts: list[Part]
    if corporate:
        name = f"{said['forenames']} {said['surname']}".strip()
        parts = [[{"company_name": name}] if name else [], lives]
    else:
        # The full date is normally blank, and better than the partial one where it is not.
        born = seen.usable("date_of_birth", [text[64:72].strip() or text[56:64].strip()], _OF)
        parts = [
            names_part(person_name(said["forenames"], said["surname"]), ()),
            [{"date_of_birth": value} for value in born],
            lives,
        ]
    return Appointment(
        register="officers",
        company=company,
        role=f"corporate {role}" if corporate else role,
        parts=parts,
        period=period,
        over=bool(period.end) or code in _RESIGNED,
        corporate=corporate,
        # The last four digits count a person's addresses.
        person=f"officer/{person[:8]}" if person else "",
        provenance={"person_number": person},
    )


def _day(text: str) -> str:
    text = text.strip()
    return iso_date(f"{text[:4]}-{text[4:6]}-{text[6:]}") if len(text) == 8 and text.isdecimal() else ""
