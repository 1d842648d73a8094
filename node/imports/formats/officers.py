"""Companies House officers bulk: products 195 (active) and 216 (with resigned), fixed width.

```
header    DDDDSNAP | run 4 | date of the file CCYYMMDD
company   number 8 | 1 | status 1 | filler 22 | officers 4 | length 4 | name<
person    number 8 | 2 | date origin 1 | appointment type 2 | person number 12 | corporate 1 | filler 7 |
          appointed 8 | resigned 8 | postcode 8 | partial date of birth 8 | full date of birth 8 | length 4 |
          14 fields, each followed by <
trailer   99999999 | records 8
```
A full file has tens of millions of lines. Lines of companies that are not looked up are only counted.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

from blindmatch.node.imports.formats.appointments import Appointment, appointment_drafts
from blindmatch.node.imports.formats.blank_values import has_ended
from blindmatch.node.imports.formats.context import CompanyLookup, Period, ReadContext
from blindmatch.node.imports.formats.field_values import canonical, iso_date, person_name
from blindmatch.node.imports.formats.lines import Lines, open_input, read_head
from blindmatch.node.imports.formats.record_drafts import Draft, Part, fault_draft, names_part
from blindmatch.protocol.errors import InputError
from blindmatch.protocol.limits import LIMITS

_MAGIC: Final = b"DDDDSNAP"
_UPDATES: Final = b"DDDDUPDT"
"""The daily or weekly updates (products 198, 217): they do not have the officers who have not changed."""
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
_OWNER: Final = "officers of the register"
_HINT: Final = "Unpack the file again. It must start with DDDDSNAP and end with its number of records."

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
"""An appointment that Companies House marks as made in error."""


def matches(head: bytes, _names: AbstractSet[str]) -> bool:
    """Whether a file with these first bytes is an officers bulk file."""
    return head.startswith((_MAGIC, _UPDATES))


def read(path: Path, context: ReadContext, lookup: CompanyLookup | None = None) -> Iterator[Draft]:
    """A draft for each officer of each company, or of each looked-up company and record that names it.

    Raises:
        InputError: not readable, no header, no trailer, or a trailer whose count is not the number of lines.
    """
    with open_input(path) as file:
        read_head(path, file)
        lines = Lines(path, file, LIMITS.row_bytes, context.progress)
        header = next(lines, None)  # a file may contain a byte order mark only
        if header is not None and header.startswith(_UPDATES):
            raise InputError(
                f"{path}: this is an updates file of officers (product 198 or 217), which has changes only",
                hint="A register is the snapshot: the officers bulk file, product 195 or 216, which starts with DDDDSNAP.",
            )
        if header is None or not _is_header(header.rstrip(b"\r\n")):
            raise InputError(f"{path}: the first line is not a header of the officers bulk file", hint=_HINT)
        yield from _records(path, lines, lookup, context)


def _records(path: Path, lines: Lines, lookup: CompanyLookup | None, context: ReadContext) -> Iterator[Draft]:
    """Everything after the header; checks the trailer's count against the lines."""
    count, announced = 0, -1
    for line in lines:
        if line is not None and not line.strip():
            continue
        if announced >= 0:
            raise InputError(
                f"{path}: line {lines.number} comes after the trailer", hint="Import the files one by one."
            )
        if line is not None and line.startswith(_TRAILER):
            announced = _announced(path, line.rstrip(), lines.number)
            continue
        count += 1
        context.lines += 1
        if line is not None and line[8:9] == b"1":
            continue  # a company's own record: its name is not stored
        try:
            appointment = _appointment(line, lookup, context)
        except ValueError as error:
            yield fault_draft(path.name, lines.number, str(error))
            continue
        if appointment is not None:
            yield from appointment_drafts(appointment, lookup, context, lines.number)
    if announced != count:
        raise InputError(
            f"{path}: the trailer announces {announced} records, but the file has {count}"
            if announced >= 0
            else f"{path}: the file has no trailer, so it is cut off",
            hint=_HINT,
        )


def _is_header(line: bytes) -> bool:
    tail = line[len(_MAGIC) :].strip()
    return line.startswith(_MAGIC) and len(tail) == 12 and tail.isdigit()


def _announced(path: Path, line: bytes, number: int) -> int:
    tail = line[len(_TRAILER) :]
    if len(tail) != 8 or not tail.isdigit():
        raise InputError(f"{path}: line {number}: the trailer has no number of records", hint=_HINT)
    return int(tail)


def _appointment(
    line: bytes | None, lookup: CompanyLookup | None, context: ReadContext
) -> Appointment | None:
    """The appointment in a line, or None for a line to skip.

    Raises:
        ValueError: the line is not an appointment; the message is the reason.
    """
    if line is None:
        raise ValueError("the line is too long")
    if line[8:9] != b"2":
        raise ValueError("is neither a company's record nor a person's")
    # The usual case first: a company that is not looked up.
    if lookup is not None and line[:8].decode("latin-1").strip() not in lookup:
        if not line.rstrip().endswith(b"<"):
            raise ValueError("the line is cut off")
        return None
    text = _text(line)
    # Widths are in characters, but the announced length may be in bytes, so only the number of fields is checked.
    fields = text[_FIXED:].split("<")
    if len(text) < _FIXED or len(fields) < len(_FIELDS) + 1 or fields[-1].strip():
        raise ValueError("the line is cut off, or has too few fields")
    if not text[72:76].strip().isdecimal():
        raise ValueError("the length of the variable part is not a number")
    code = text[10:12]
    if code == _ERRORED:
        return None
    if code not in _ROLE_OF:
        raise ValueError("has an unknown type of appointment")
    company, reason = canonical("company_number", text[:8])
    if reason:
        raise ValueError(reason)
    values = {name: " ".join(value.split()) for name, value in zip(_FIELDS, fields, strict=False)}
    return _parse_appointment(text, values, company, context)


def _text(line: bytes) -> str:
    try:
        return line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace").rstrip("\r\n")


def _parse_appointment(text: str, values: dict[str, str], company: str, context: ReadContext) -> Appointment:
    code, person = text[10:12], text[12:24].strip()
    corporate = text[24:25].upper() == "Y"
    role = _ROLE_OF[code]
    period = Period(_day(text[32:40]), _day(text[40:48]))
    address = context.address(
        _OWNER,
        address=[values["address_1"] or values["po_box"]],
        town=[values["town"]],
        postcode=[text[48:56]],
    )
    parts: list[Part]
    if corporate:
        name = f"{values['forenames']} {values['surname']}".strip()
        parts = [[{"company_name": name}] if name else [], address]
    else:
        # The full date is normally blank; where it is present, it replaces the partial one.
        born = text[64:72].strip() or text[56:64].strip()
        parts = [
            names_part(person_name(values["forenames"], values["surname"]), ()),
            context.part("date_of_birth", [born], _OWNER),
            address,
        ]
    return Appointment(
        register="officers",
        company=company,
        role=f"corporate {role}" if corporate else role,
        parts=parts,
        period=period,
        ended=has_ended(period.end, context.today) if period.end else code in _RESIGNED,
        corporate=corporate,
        # The last four digits number a person's addresses.
        person=f"officer/{person[:8]}" if person else "",
        provenance={"person_number": person},
    )


def _day(text: str) -> str:
    text = text.strip()
    return iso_date(f"{text[:4]}-{text[4:6]}-{text[6:]}") if len(text) == 8 and text.isdecimal() else ""
