"""Beneficial Ownership Data Standard 0.4: person, entity and relationship statements, an array or one per line.

A person's statement does not name the company: a relationship's does, and it can be anywhere in the file. So the file is read twice,
and companies and relationships, without names of people, are in memory in between. Of several statements about one record the one with
the latest date applies, wherever it stands in the file; a statement that closes a record removes it.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from blindmatch.node.imports.formats.blank_values import has_ended
from blindmatch.node.imports.formats.chains import Graph, HolderSearch, Link, links_to_read
from blindmatch.node.imports.formats.context import CompanyLookup, Period, ReadContext
from blindmatch.node.imports.formats.field_values import iso_date, moment, person_name
from blindmatch.node.imports.formats.json_stream import JsonItem, child, children, read_items, text, texts
from blindmatch.node.imports.formats.ocds import identifiers
from blindmatch.node.imports.formats.record_drafts import (
    Draft,
    Part,
    fault_draft,
    names_part,
    non_blank,
    numbered_reference,
    parts_person_key,
)

_PEOPLE: Final = "people"
_COMPANIES: Final = "companies"
_NO_LINK: Final = Link("", "", "", (), Period(), ended=False)


_STATUSES: Final = {"new": 0, "updated": 1, "closed": 2}
"""The order of statements of one date about one record."""


class _Version(NamedTuple):
    """A statement about a record: its place in the file, and its order among the statements about that record."""

    place: int
    closed: bool
    date: str
    status: int


@dataclass
class _Statements:
    """The companies and relationships of a file, without names of people."""

    today: str = ""
    """For end dates: an interest whose end lies ahead is current."""
    latest: dict[str, "_Version"] = field(default_factory=dict)
    """Record to the statement that applies."""
    parties: dict[str, str] = field(default_factory=dict, repr=False)
    """Relationship to its interested party."""
    links: dict[str, dict[str, Link]] = field(default_factory=dict, repr=False)
    """Interested party to its relationships by their record."""
    graph: Graph = field(default_factory=Graph)

    def add(self, content: Mapping[str, Any], place: int) -> None:
        """Add the statement at a place of the file."""
        record, kind = text(content, "recordId"), text(content, "recordType")
        details = child(content, "recordDetails")
        if not record or not self._is_latest(content, record, place):
            return
        if kind == "entity":
            # The second pass counts the warnings.
            companies, _, _ = identifiers(details, ReadContext())
            self.graph.numbers[record] = companies[0] if companies else ""
            self.graph.names[record] = text(details, "name")
        elif kind == "relationship":
            # An unknown interested party is an object with a reason, not the id of a record.
            party, subject = text(details, "interestedParty"), text(details, "subject")
            self.links.get(self.parties.pop(record, ""), {}).pop(record, None)
            if party and subject and not self.latest[record].closed:
                self.parties[record] = party
                self.links.setdefault(party, {})[record] = _link(record, party, subject, details, self.today)

    def _is_latest(self, content: Mapping[str, Any], record: str, place: int) -> bool:
        """Whether no earlier statement of the file about the record is newer than this one, which then applies."""
        stated = text(content, "statementDate") or text(
            child(content, "publicationDetails"), "publicationDate"
        )
        status = text(content, "recordStatus")
        version = _Version(place, status == "closed", moment(stated), _STATUSES.get(status, 1))
        current = self.latest.get(record)
        if current is not None and current.date and version.date and current[2:] > version[2:]:
            return False
        self.latest[record] = version
        return True

    def applies(self, record: str, place: int) -> bool:
        """Whether the statement at a place is the one that applies to the record, and does not close it."""
        version = self.latest.get(record)
        return version is not None and version.place == place and not version.closed


def matches(_head: bytes, names: AbstractSet[str]) -> bool:
    """Whether a file whose first JSON object has these names is BODS."""
    return bool(names & {"recordType", "statementId"})


def read(path: Path, context: ReadContext, lookup: CompanyLookup | None = None) -> Iterator[Draft]:
    """A draft for each interest of each person and one for each entity; with a lookup, for each holder of its companies.

    Raises:
        InputError: not readable, empty, not JSON, or cut off.
    """
    statements = _read_statements(path, context.today)
    every = (link for links in statements.links.values() for link in links.values())
    holders = HolderSearch("bods", statements.graph, every, lookup, context)
    for item in read_items(path, (), context.progress):
        context.lines += 1
        if reason := _fault(item):
            yield fault_draft(path.name, item.number, reason)
            continue
        record, kind = text(item.content, "recordId"), text(item.content, "recordType")
        if not statements.applies(record, item.number) or kind == "relationship":
            continue
        if lookup is not None and record not in holders:
            continue
        details = child(item.content, "recordDetails")
        if kind == "person" and text(details, "personType") in {"anonymousPerson", "unknownPerson"}:
            context.warnings["people whom the statement does not name, who were left out"] += 1
        elif lookup is not None:
            corporate = kind == "entity"
            parts = (
                _entity(record, details, 0, context).parts if corporate else _person_parts(details, context)
            )
            yield from holders.drafts(record, parts, {"record": record}, corporate=corporate, row=item.number)
        elif kind == "person":
            yield from _person(record, details, item.number, statements, context)
        else:
            yield _entity(record, details, item.number, context)


def _read_statements(path: Path, today: str) -> _Statements:
    statements = _Statements(today)
    for item in read_items(path, ()):
        if not item.fault:
            statements.add(item.content, item.number)
    return statements


def _fault(item: JsonItem) -> str:
    if item.fault:
        return item.fault
    if text(item.content, "recordType") not in {"person", "entity", "relationship"}:
        return "is not a statement of BODS 0.4: its recordType is missing or unknown"
    return "" if text(item.content, "recordId") else "the statement has no recordId"


def _link(record: str, party: str, subject: str, details: Mapping[str, Any], today: str) -> Link:
    interests = children(details, "interests")
    starts = [text(interest, "startDate") for interest in interests]
    ends = [text(interest, "endDate") for interest in interests]
    current = [place for place, end in enumerate(ends) if not has_ended(iso_date(end) or end, today)]
    kinds = dict.fromkeys(
        text(interests[place], "type") or "interest" for place in (current or range(len(interests)))
    )
    ended = bool(interests) and not current
    last = current or range(len(ends))
    period = Period(
        min((value for start in starts if (value := iso_date(start))), default=""),
        # An interest without an end leaves the end of all open.
        max((iso_date(ends[place]) for place in last), default="")
        if all(ends[place] for place in last)
        else "",
    )
    return Link(
        record,
        party,
        subject,
        tuple(kinds),
        period,
        ended,
        indirect=bool(interests) and all(text(each, "directOrIndirect") == "indirect" for each in interests),
        parts=tuple(texts(details, "componentRecords")),
    )


def _person(
    record: str, details: Mapping[str, Any], number: int, statements: _Statements, context: ReadContext
) -> Iterator[Draft]:
    parts = _person_parts(details, context)
    every = list(statements.links.get(record, {}).values())
    links = links_to_read(every, context)
    if every and not links:
        return
    context.people += 1
    person = parts_person_key(parts) and f"bods/{record}"
    for place, link in enumerate(links or [_NO_LINK]):
        facts = non_blank(statements.graph.facts(link))
        origin = {
            "register": "bods",
            "record": record,
            "company_record": link.held,
            "appointment": link.period.text,
            "row": str(number),
        }
        yield Draft(
            number,
            reference=numbered_reference(record, place, len(links)),
            parts=parts,
            facts=facts,
            provenance={**facts, **non_blank(origin)},
            entity=person,
        )


def _person_parts(details: Mapping[str, Any], context: ReadContext) -> list[Part]:
    names = children(details, "names")
    # The legal name first: an alias of one word takes the surname from it.
    names.sort(key=lambda name: text(name, "type") not in {"legal", "individual"})
    split = [
        person_name(text(name, "givenName"), text(name, "familyName"), text(name, "fullName"))
        for name in names
    ]
    part: Part = []
    for first, last in split:
        if (first or last) and {"forenames": first, "surname": last} not in part:
            part.append({"forenames": first, "surname": last})
    part = part or names_part(("", ""), [text(name, "fullName") for name in names])
    parts = [
        part,
        context.part("date_of_birth", [text(details, "birthDate").partition("T")[0]], _PEOPLE),
        _addresses(details, context, _PEOPLE),
    ]
    return [each for each in parts if each]


def _addresses(details: Mapping[str, Any], context: ReadContext, owner: str) -> Part:
    return [
        item
        for address in children(details, "addresses")
        if text(address, "type") != "placeOfBirth"
        for item in context.address(
            owner, address=[text(address, "address")], postcode=[text(address, "postCode")]
        )
    ]


def _entity(record: str, details: Mapping[str, Any], number: int, context: ReadContext) -> Draft:
    companies, vat, others = identifiers(details, context)
    parts: list[Part] = [
        [{"company_number": value} for value in companies],
        context.part("company_name", [text(details, "name"), *texts(details, "alternateNames")], _COMPANIES),
        context.part("vat_number", vat, _COMPANIES),
        _addresses(details, context, _COMPANIES),
    ]
    return Draft(
        number,
        numbered_reference(record, 0, 1),
        [part for part in parts if part],
        provenance=non_blank(
            {"register": "bods", "record": record, "row": str(number), "identifiers": "; ".join(others)}
        ),
        companies=tuple(companies),
    )
