"""Beneficial Ownership Data Standard 0.4: person, entity and relationship statements, an array or one a line.

A person's statement does not say of which company they are an owner: a relationship's does, and it may stand anywhere
in the file. So the file is read twice, and companies and relationships are in memory in between, without names of people.
A later statement about the same record replaces an earlier one; one that closes it takes it out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from blindmatch.node.imports.formats.appointments import (
    CompanyLookup,
    Period,
    ReadContext,
    appointment_drafts,
)
from blindmatch.node.imports.formats.chains import Graph, Link, chain_appointments, chains_to_companies
from blindmatch.node.imports.formats.companies_house import parts_person_key
from blindmatch.node.imports.formats.drafts import Draft, Part, fault_draft, names_part
from blindmatch.node.imports.formats.field_values import address_part, iso_date, person_name
from blindmatch.node.imports.formats.json_stream import JsonItem, child, children, read_items, text, texts
from blindmatch.node.imports.formats.lines import Progress
from blindmatch.node.imports.formats.ocds import identifiers

_PEOPLE: Final = "people"
_COMPANIES: Final = "companies"


@dataclass
class _Known:
    """What the first pass learns."""

    last: dict[str, int] = field(default_factory=dict)
    """Record to the number of the statement about it that holds."""
    numbers: dict[str, str] = field(default_factory=dict, repr=False)
    """Entity record to company number."""
    links: dict[str, dict[str, Link]] = field(default_factory=dict, repr=False)
    """Interested party to its relationships by their record."""
    names: dict[str, str] = field(default_factory=dict, repr=False)
    """Entity record to its name."""


def read(
    path: Path, seen: ReadContext, *, include_ceased: bool = False, progress: Progress | None = None
) -> Iterator[Draft]:
    """A draft for every person and every interest in a company, and one for every entity.

    Args:
        path: the file.
        seen: filled on the way.
        include_ceased: interests that have ended, too.
        progress: called now and then.

    Raises:
        InputError: cannot be read, is empty, is no JSON, or breaks off.
    """
    known = _Known()
    for item in read_items(path, ()):
        if not item.fault:
            _learn(known, item, seen)
    for item in read_items(path, (), progress):
        seen.lines += 1
        if reason := _fault(item):
            yield fault_draft(path.name, item.number, reason)
            continue
        record, kind = text(item.content, "recordId"), text(item.content, "recordType")
        if known.last.get(record) != item.number or kind == "relationship":
            continue
        details = child(item.content, "recordDetails")
        if kind == "person":
            yield from _person(record, details, item.number, known, seen, include_ceased=include_ceased)
        else:
            yield _entity(record, details, item.number, seen)


def expand(
    path: Path,
    wanted: CompanyLookup,
    seen: ReadContext,
    *,
    include_ceased: bool = False,
    progress: Progress | None = None,
) -> Iterator[Draft]:
    """The people and companies behind the wanted companies, also through chains of ownership.

    Args:
        path: the file.
        wanted: canonical company number to the records that named it.
        seen: filled on the way.
        include_ceased: interests that have ended, too.
        progress: called now and then.

    Raises:
        InputError: cannot be read, is empty, is no JSON, or breaks off.
    """
    known, graph = _graph(path)
    ways = chains_to_companies(graph, wanted, seen, include_ceased=include_ceased)
    for item in read_items(path, (), progress):
        seen.lines += 1
        if reason := _fault(item):
            yield fault_draft(path.name, item.number, reason)
            continue
        record, kind = text(item.content, "recordId"), text(item.content, "recordType")
        if record not in ways or known.last.get(record) != item.number or kind == "relationship":
            continue
        details = child(item.content, "recordDetails")
        if text(details, "personType") in {"anonymousPerson", "unknownPerson"}:
            seen.warn("people whom the statement does not name, and who were left out")
            continue
        corporate = kind == "entity"
        parts = (
            _entity(record, details, item.number, seen).parts if corporate else _person_parts(details, seen)
        )
        number = known.numbers.get(record, "")
        company = f"company/{number}" if number else ""
        for found in chain_appointments(
            graph,
            ways[record],
            register="bods",
            parts=parts,
            person=company if corporate else parts_person_key(parts) and f"bods/{record}",
            corporate=corporate,
            provenance={"record": record},
        ):
            yield from appointment_drafts(found, wanted, seen, item.number, include_ceased=include_ceased)


def _graph(path: Path) -> tuple[_Known, Graph]:
    known = _Known()
    for item in read_items(path, ()):
        if not item.fault:
            _learn(known, item, ReadContext())
    graph = Graph(known.numbers, known.names)
    for links in known.links.values():
        for link in links.values():
            graph.add(link)
    return known, graph


def _fault(item: JsonItem) -> str:
    if item.fault:
        return item.fault
    if text(item.content, "recordType") not in {"person", "entity", "relationship"}:
        return "not a statement of BODS 0.4: it has no recordType that is known"
    return "" if text(item.content, "recordId") else "the statement has no recordId"


def _learn(known: _Known, item: JsonItem, seen: ReadContext) -> None:
    content = item.content
    record, kind = text(content, "recordId"), text(content, "recordType")
    details = child(content, "recordDetails")
    closed = text(content, "recordStatus") == "closed"
    if not record:
        return
    if closed:
        known.last.pop(record, None)
    else:
        known.last[record] = item.number
    if kind == "entity":
        companies, _, _ = identifiers(details, seen)
        known.numbers[record] = companies[0] if companies else ""
        known.names[record] = text(details, "name")
    elif kind == "relationship":
        # An interested party that is not known is an object with a reason, and nobody's record.
        party, subject = text(details, "interestedParty"), text(details, "subject")
        if party and subject:
            links = known.links.setdefault(party, {})
            links.pop(record, None)
            if not closed:
                links[record] = _link(record, party, subject, details)


def _link(record: str, party: str, subject: str, details: Mapping[str, Any]) -> Link:
    interests = children(details, "interests")
    starts = [text(interest, "startDate") for interest in interests]
    ends = [text(interest, "endDate") for interest in interests]
    lasting = [place for place, end in enumerate(ends) if not end]
    kinds = dict.fromkeys(
        text(interests[place], "type") or "interest" for place in (lasting or range(len(interests)))
    )
    over = bool(interests) and not lasting
    period = Period(
        min((value for start in starts if (value := iso_date(start))), default=""),
        max((value for end in ends if (value := iso_date(end))), default="") if over else "",
    )
    return Link(
        record,
        party,
        subject,
        tuple(kinds),
        period,
        over,
        indirect=bool(interests) and all(text(each, "directOrIndirect") == "indirect" for each in interests),
        parts=tuple(texts(details, "componentRecords")),
    )


def _person(
    record: str,
    details: Mapping[str, Any],
    number: int,
    known: _Known,
    seen: ReadContext,
    *,
    include_ceased: bool,
) -> Iterator[Draft]:
    if text(details, "personType") in {"anonymousPerson", "unknownPerson"}:
        seen.warn("people whom the statement does not name, and who were left out")
        return
    parts = _person_parts(details, seen)
    links = [link for link in known.links.get(record, {}).values() if include_ceased or not link.over]
    seen.ceased += len(known.links.get(record, {})) - len(links)
    if known.links.get(record) and not links:
        return
    seen.people += 1
    person = parts_person_key(parts) and f"bods/{record}"
    for place, link in enumerate(links or [Link("", "", "", (), Period(), over=False)]):
        said = {
            "company_number": known.numbers.get(link.held, ""),
            "role": "; ".join(link.roles),
            "appointed_on": link.period.start,
            "resigned_on": link.period.end,
        }
        facts = {name: value for name, value in said.items() if value}
        extra = {
            "register": "bods",
            "record": record,
            "company_record": link.held,
            "appointment": link.period.words,
            "row": str(number),
        }
        yield Draft(
            number,
            reference=f"{record}/{place + 1}"[:200] if len(links) > 1 else record[:200],
            parts=parts,
            facts=facts,
            provenance={**facts, **{name: value for name, value in extra.items() if value}},
            entity=person,
        )


def _person_parts(details: Mapping[str, Any], seen: ReadContext) -> list[Part]:
    names = children(details, "names")
    # The legal name first: aliases may complete themselves from it.
    names.sort(key=lambda name: text(name, "type") not in {"legal", "individual"})
    split = [
        person_name(text(name, "givenName"), text(name, "familyName"), text(name, "fullName"))
        for name in names
    ]
    part: Part = []
    for first, last in split:
        if (first or last) and {"forenames": first, "surname": last} not in part:
            part.append({"forenames": first, "surname": last})
    whole = [text(name, "fullName") for name in names]
    part = part or names_part(("", ""), whole)
    born = text(details, "birthDate")
    parts = [
        part,
        [
            {"date_of_birth": value}
            for value in seen.usable("date_of_birth", [born.partition("T")[0]], _PEOPLE)
        ],
        _places(details, seen, _PEOPLE),
    ]
    return [each for each in parts if each]


def _places(details: Mapping[str, Any], seen: ReadContext, whose: str) -> Part:
    addresses = [
        address for address in children(details, "addresses") if text(address, "type") != "placeOfBirth"
    ]
    found: Part = []
    for address in addresses:
        found += address_part(
            seen.usable("address", [text(address, "address")], whose),
            [],
            seen.usable("postcode", [text(address, "postCode")], whose),
        )
    return found


def _entity(record: str, details: Mapping[str, Any], number: int, seen: ReadContext) -> Draft:
    companies, vat, others = identifiers(details, seen)
    names = [text(details, "name")]
    names += [
        text({"name": name}, "name") for name in details.get("alternateNames") or () if isinstance(name, str)
    ]
    parts: list[Part] = [
        [{"company_number": value} for value in companies],
        [{"company_name": value} for value in seen.usable("company_name", names, _COMPANIES)],
        [{"vat_number": value} for value in seen.usable("vat_number", vat, _COMPANIES)],
        _places(details, seen, _COMPANIES),
    ]
    made = Draft(number, record[:200], [part for part in parts if part], companies=tuple(companies))
    made.provenance = {"register": "bods", "record": record, "row": str(number)}
    if others:
        made.provenance["identifiers"] = "; ".join(others)
    return made
