"""The register of people with significant control (PSC) as the daily snapshot: one JSON object per line.

`{"company_number": …, "data": {"kind": …, "name_elements": {…}, "date_of_birth": {"month", "year"}, …}}`

People and corporate holders are read. A company's own line and a statement without a holder are skipped.
"""

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Final

from blindmatch.node.imports.formats.appointments import Appointment, appointment_drafts
from blindmatch.node.imports.formats.blank_values import has_ended
from blindmatch.node.imports.formats.company_registers import is_companies_house, plausible
from blindmatch.node.imports.formats.context import CompanyLookup, Period, ReadContext
from blindmatch.node.imports.formats.field_values import canonical, iso_date, person_name
from blindmatch.node.imports.formats.json_stream import NOT_AN_OBJECT, child, parse_line, text, texts
from blindmatch.node.imports.formats.lines import Lines, open_input, read_head
from blindmatch.node.imports.formats.record_drafts import Draft, Part, fault_draft, names_part, person_key
from blindmatch.protocol.errors import InputError
from blindmatch.protocol.limits import LIMITS

_PEOPLE: Final = frozenset({"individual-person-with-significant-control", "individual-beneficial-owner"})
_BODIES: Final = frozenset(
    f"{body}-{role}"
    for body in ("corporate-entity", "legal-person")
    for role in ("person-with-significant-control", "beneficial-owner")
)
_ROLE: Final = "person with significant control"

_OWNER: Final = "people of the register"
_NO_REGISTER: Final = (
    "A register is the unpacked PSC snapshot as JSON lines, the officers bulk file, BODS 0.4 or FollowTheMoney. "
    "Import a table without --register."
)

# The snapshot's lines start like this. Most are of companies that are not looked up, and need no parsing.
_PREFIX = re.compile(rb'\s*\{\s*"company_number"\s*:\s*"([0-9A-Za-z]{1,10})"')


def matches(_head: bytes, names: AbstractSet[str]) -> bool:
    """Whether a file whose first JSON object has these names is a PSC snapshot."""
    return names >= {"company_number", "data"}


def read(path: Path, context: ReadContext, lookup: CompanyLookup | None = None) -> Iterator[Draft]:
    """A draft for each holder of each company, or of each looked-up company and record that names it.

    Raises:
        InputError: not readable, empty, or not a register.
    """
    with open_input(path) as file:
        read_head(path, file)
        lines = Lines(path, file, LIMITS.row_bytes, context.progress)
        for line in lines:
            if line is not None and not line.strip():
                continue
            context.lines += 1
            try:
                appointment = _appointment(line, lookup, context, lines.number)
            except ValueError as error:
                if context.lines == 1:
                    raise InputError(f"{path}: line {lines.number}: {error}", hint=_NO_REGISTER) from None
                yield fault_draft(path.name, lines.number, str(error))
                continue
            if appointment is not None:
                yield from appointment_drafts(appointment, lookup, context, lines.number)


def _appointment(
    line: bytes | None, lookup: CompanyLookup | None, context: ReadContext, number: int
) -> Appointment | None:
    """The appointment in a line, or None for a line to skip.

    Raises:
        ValueError: the line is not an entry; the message is the reason.
    """
    match = _PREFIX.match(line) if line is not None and lookup is not None else None
    if match and lookup is not None and match[1].decode().upper() not in lookup:
        if line is None or not line.rstrip().endswith(b"}"):
            raise ValueError("the line is cut off")
        return None
    item = parse_line(line, number)
    if item.fault and item.fault != NOT_AN_OBJECT:
        raise ValueError(item.fault)
    data = item.content.get("data")
    if item.fault or not isinstance(data, dict):
        raise ValueError("the line is not an entry of the register")
    company, reason = canonical("company_number", text(item.content, "company_number"))
    kind = text(data, "kind")
    if reason or not company or (lookup is not None and company not in lookup):
        return None  # an invalid number is not that of a looked-up company
    if kind not in _PEOPLE and kind not in _BODIES:
        return None
    if not context.include_ceased and _ended(data, context.today):
        # It is only counted, so the rest of the entry need not be parsed.
        return Appointment(register="psc", company=company, role=_ROLE, parts=[], period=Period(), ended=True)
    return _person(data, company, context) if kind in _PEOPLE else _body(data, company, context)


def _ended(data: Mapping[str, Any], today: str) -> bool:
    ceased = text(data, "ceased_on")
    # A date that cannot be read has still been stated for an end.
    return data.get("ceased") is True or (bool(ceased) and has_ended(iso_date(ceased) or ceased, today))


def _details(data: Mapping[str, Any], today: str) -> dict[str, Any]:
    """The attributes of an `Appointment` that people and corporate holders share."""
    notified, ceased = text(data, "notified_on"), text(data, "ceased_on")
    dates = {"notified_on": notified, "ceased_on": ceased}
    return {
        "register": "psc",
        "period": Period(iso_date(notified), iso_date(ceased)),
        "ended": _ended(data, today),
        "facts": dates,
        "provenance": {
            "kind": text(data, "kind"),
            **dates,
            "natures_of_control": "; ".join(texts(data, "natures_of_control")),
            "link": text(child(data, "links"), "self"),
        },
    }


def _person(data: Mapping[str, Any], company: str, context: ReadContext) -> Appointment:
    elements = child(data, "name_elements")
    forenames = f"{text(elements, 'forename')} {text(elements, 'middle_name')}".strip()
    name = person_name(forenames, text(elements, "surname"))
    if not all(name):
        name = person_name(forenames, text(elements, "surname"), text(data, "name"))
    born = _born(data, context)
    address = _address(data, context, _OWNER)
    return Appointment(
        company=company,
        role=_ROLE,
        parts=[names_part(name, ()), born, address],
        person=person_key(name, born, address),
        **_details(data, context.today),
    )


def _body(data: Mapping[str, Any], company: str, context: ReadContext) -> Appointment:
    number = _number(data)
    parts: list[Part] = [
        [{"company_number": number}] if number else [],
        [{"company_name": name}] if (name := text(data, "name")) else [],
        _address(data, context, "companies of the register"),
    ]
    return Appointment(
        company=company,
        role=f"corporate {_ROLE}",
        parts=parts,
        corporate=True,
        number=number,
        person=f"company/{number}" if number else "",
        **_details(data, context.today),
    )


def _number(data: Mapping[str, Any]) -> str:
    """The Companies House number of a corporate holder; blank for a number of another register."""
    stated = child(data, "identification")
    number, _ = canonical("company_number", text(stated, "registration_number"))
    domestic = is_companies_house(
        text(stated, "country_registered"),
        text(stated, "place_registered"),
        text(stated, "legal_authority"),
        text(child(data, "address"), "country"),
    )
    return number if plausible(number, domestic=domestic) else ""


def _born(data: Mapping[str, Any], context: ReadContext) -> Part:
    born = child(data, "date_of_birth")
    if born.get("year") is None:
        return []
    # The public register has month and year; a day, where an entry has one, is not read.
    numbers = [born["year"]] + ([] if born.get("month") is None else [born["month"]])
    try:
        date = "-".join(f"{int(number):02d}" for number in numbers)
    except (ValueError, TypeError, OverflowError):
        date = "?"
    return context.part("date_of_birth", [date], _OWNER)


def _address(data: Mapping[str, Any], context: ReadContext, owner: str) -> Part:
    address = child(data, "address")
    line = " ".join(word for name in ("premises", "address_line_1") if (word := text(address, name)))
    return context.address(
        owner, address=[line], town=[text(address, "locality")], postcode=[text(address, "postal_code")]
    )
