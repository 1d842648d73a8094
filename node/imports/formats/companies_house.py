"""The register of people with significant control, as the daily snapshot has it: one JSON object a line.

`{"company_number": …, "data": {"kind": …, "name_elements": {…}, "date_of_birth": {"month", "year"}, …}}`
A company's own line, a statement without a person and a corporate holder are passed over: only people are matched.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from blindmatch.node.imports.formats.appointments import (
    Appointment,
    CompanyLookup,
    Period,
    ReadContext,
    appointment_drafts,
)
from blindmatch.node.imports.formats.drafts import Draft, Part, fault_draft, names_part
from blindmatch.node.imports.formats.field_values import (
    address_part,
    canonical,
    iso_date,
    name_key,
    person_name,
)
from blindmatch.node.imports.formats.json_stream import child, parse_line, text, texts
from blindmatch.node.imports.formats.lines import Lines, Progress, open_input, read_head
from blindmatch.protocol.errors import InputError
from blindmatch.protocol.limits import LIMITS

PEOPLE: Final = frozenset({"individual-person-with-significant-control", "individual-beneficial-owner"})
BODIES: Final = frozenset(
    {
        "corporate-entity-person-with-significant-control",
        "corporate-entity-beneficial-owner",
        "legal-person-person-with-significant-control",
        "legal-person-beneficial-owner",
    }
)
ROLE: Final = "person with significant control"

_OF: Final = "people of the register"
_NO_REGISTER: Final = (
    "A register is the PSC snapshot as JSON lines, unpacked, the officers bulk file, BODS 0.4 or FollowTheMoney; "
    "tables go in without --register."
)

# The snapshot's lines begin so; most are of companies that nobody asked about and need no parsing.
_PREFIX = re.compile(rb'\s*\{\s*"company_number"\s*:\s*"([0-9A-Za-z]{1,10})"')


def expand(
    path: Path,
    wanted: CompanyLookup | None,
    seen: ReadContext,
    *,
    include_ceased: bool = False,
    progress: Progress | None = None,
    limit: int = LIMITS.row_bytes,
) -> Iterator[Draft]:
    """Stream the register once: a draft for every person of every wanted company and each of its holders here.

    Args:
        path: the snapshot, unpacked.
        wanted: canonical company number to the records that named it; None for everybody, each on their own.
        seen: filled on the way.
        include_ceased: people whose control has ended, too.
        progress: called now and then.
        limit: bytes of one line.

    Raises:
        InputError: cannot be read, is empty, or is no register at all.
    """
    with open_input(path) as file:
        read_head(path, file)
        lines = Lines(path, file, limit, progress)
        for line in lines:
            if line is not None and not line.strip():
                continue
            seen.lines += 1
            try:
                found = _appointment(line, wanted, seen, lines.number, include_ceased=include_ceased)
            except ValueError as error:
                if seen.lines == 1:
                    raise InputError(f"{path}: line {lines.number}: {error}", hint=_NO_REGISTER) from None
                yield fault_draft(path.name, lines.number, str(error))
                continue
            if found is not None:
                yield from appointment_drafts(
                    found, wanted, seen, lines.number, include_ceased=include_ceased
                )


def _appointment(
    line: bytes | None, wanted: CompanyLookup | None, seen: ReadContext, number: int, *, include_ceased: bool
) -> Appointment | None:
    """The appointment in a line, or None for one to pass over; ValueError says why it is no entry."""
    match = _PREFIX.match(line) if line is not None and wanted is not None else None
    if match and wanted is not None and match[1].decode().upper() not in wanted:
        if line is None or not line.rstrip().endswith(b"}"):
            raise ValueError("the line breaks off")
        return None
    item = parse_line(line, number)
    if item.fault == "the line is not an object" or (
        not item.fault and not isinstance(item.content.get("data"), dict)
    ):
        raise ValueError("the line is not an entry of the register")
    if item.fault:
        raise ValueError(item.fault)
    data = child(item.content, "data")
    company, reason = canonical("company_number", text(item.content, "company_number"))
    kind = text(data, "kind")
    if reason or not company or (wanted is not None and company not in wanted):
        return None  # a number that is none belongs to nobody that was asked about
    if kind not in PEOPLE and kind not in BODIES:
        return None
    if not include_ceased and _over(data):
        # Only counted, so that nothing else of it need be read.
        return Appointment(register="psc", company=company, role=ROLE, parts=[], period=Period(), over=True)
    return _person(data, company, seen) if kind in PEOPLE else _body(data, company, seen)


def _over(data: Mapping[str, Any]) -> bool:
    return bool(data.get("ceased_on") and text(data, "ceased_on")) or data.get("ceased") is True


def _details(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a person's entry and a corporate holder's have in common."""
    notified, ceased = text(data, "notified_on"), text(data, "ceased_on")
    return {
        "register": "psc",
        "period": Period(iso_date(notified), iso_date(ceased)),
        "over": _over(data),
        "facts": {"notified_on": notified, "ceased_on": ceased},
        "provenance": {
            "kind": text(data, "kind"),
            "notified_on": notified,
            "ceased_on": ceased,
            "natures_of_control": "; ".join(texts(data, "natures_of_control")),
            "link": text(child(data, "links"), "self"),
        },
    }


def _person(data: Mapping[str, Any], company: str, seen: ReadContext) -> Appointment:
    elements = child(data, "name_elements")
    given = f"{text(elements, 'forename')} {text(elements, 'middle_name')}".strip()
    name = person_name(given, text(elements, "surname"))
    if not all(name):
        name = person_name(given, text(elements, "surname"), text(data, "name"))
    born = _born(data, seen)
    lives = _lives(data, seen, _OF)
    return Appointment(
        company=company,
        role=ROLE,
        parts=[names_part(name, ()), born, lives],
        person=person_key(name, born, lives),
        **_details(data),
    )


def _body(data: Mapping[str, Any], company: str, seen: ReadContext) -> Appointment:
    number, _ = canonical("company_number", text(child(data, "identification"), "registration_number"))
    parts: list[Part] = [
        [{"company_number": number}] if number else [],
        [{"company_name": name}] if (name := text(data, "name")) else [],
        _lives(data, seen, "companies of the register"),
    ]
    return Appointment(
        company=company,
        role=f"corporate {ROLE}",
        parts=parts,
        corporate=True,
        number=number,
        person=f"company/{number}" if number else "",
        **_details(data),
    )


def person_key(name: tuple[str, str], born: Part, lives: Part) -> str:
    """What two records of one person are likely to share and two people's are not; blank when too little is said."""
    if not (all(name) and born):
        return ""
    where = next((item["postcode"] for item in lives if "postcode" in item), "")
    return f"person/{name_key(*name)}/{born[0]['date_of_birth'][:7]}/{where}"


def parts_person_key(parts: Sequence[Part]) -> str:
    """The same of a record's parts, whatever their order; where somebody lives is left out."""
    named = next((part[0] for part in parts if part and "surname" in part[0]), {})
    born = next((part for part in parts if part and "date_of_birth" in part[0]), [])
    return person_key((named.get("forenames", ""), named.get("surname", "")), born, [])


def _born(data: Mapping[str, Any], seen: ReadContext) -> Part:
    born = child(data, "date_of_birth")
    if born.get("year") is None:
        return []
    # The day, where an entry has one at all, is not for the public; month and year are the rule.
    numbers = [born["year"]] + ([] if born.get("month") is None else [born["month"]])
    try:
        written = "-".join(f"{int(number):02d}" for number in numbers)
    except (ValueError, TypeError, OverflowError):
        written = "?"
    return [{"date_of_birth": value} for value in seen.usable("date_of_birth", [written], _OF)]


def _lives(data: Mapping[str, Any], seen: ReadContext, whose: str) -> Part:
    address = child(data, "address")
    line = " ".join(word for name in ("premises", "address_line_1") if (word := text(address, name)))
    return address_part(
        seen.usable("address", [line], whose),
        seen.usable("town", [text(address, "locality")], whose),
        seen.usable("postcode", [text(address, "postal_code")], whose),
    )
