"""FollowTheMoney entities, one JSON object a line: people, companies, and what links them.

`{"id": …, "schema": "Person", "properties": {"name": […], "birthDate": […]}}`

A directorship, an ownership and the award of a contract are entities of their own and may stand anywhere, so the file
is read twice; the links and the companies' numbers are in memory in between.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from blindmatch.node.imports.formats.appointments import (
    CompanyLookup,
    Period,
    ReadContext,
    appointment_drafts,
    overlap,
)
from blindmatch.node.imports.formats.chains import Graph, Link, chain_appointments, chains_to_companies
from blindmatch.node.imports.formats.companies_house import parts_person_key
from blindmatch.node.imports.formats.drafts import Draft, Part, fault_draft, names_part
from blindmatch.node.imports.formats.field_values import address_part, canonical, iso_date, person_name
from blindmatch.node.imports.formats.json_stream import JsonItem, child, read_items, text, texts
from blindmatch.node.imports.formats.lines import Progress

COMPANIES: Final = frozenset({"Company", "Organization", "LegalEntity", "PublicBody"})
_LINKS: Final = {
    # schema: (who, what, the role's own words, the role where none are given)
    "Directorship": ("director", "organization", "role", "director"),
    "Ownership": ("owner", "asset", "ownershipType", "owner"),
    "Employment": ("employee", "employer", "role", "employee"),
    "Membership": ("member", "organization", "role", "member"),
    "Representation": ("agent", "client", "role", "representative"),
}
_LEADING_ON: Final = frozenset({"Directorship", "Ownership"})
"""Who stands behind a company's member or agent does not stand behind the company."""
_PEOPLE: Final = "people"
_COMPANIES: Final = "companies"


@dataclass
class _Award:
    reference: str
    value: str
    currency: str
    period: Period


@dataclass
class _Known:
    numbers: dict[str, str] = field(default_factory=dict, repr=False)
    links: dict[str, list[Link]] = field(default_factory=dict, repr=False)
    names: dict[str, str] = field(default_factory=dict, repr=False)
    awards: dict[str, list[_Award]] = field(default_factory=dict, repr=False)
    contracts: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)
    pending: list[tuple[str, str, Mapping[str, Any]]] = field(default_factory=list, repr=False)


def read(
    path: Path, seen: ReadContext, *, include_ceased: bool = False, progress: Progress | None = None
) -> Iterator[Draft]:
    """A draft for every person and each of their companies (and its contracts), one for every company and contract.

    Args:
        path: the file.
        seen: filled on the way.
        include_ceased: directorships and ownerships that have ended, too.
        progress: called now and then.

    Raises:
        InputError: cannot be read, is empty, or is no JSON.
    """
    known = _Known()
    for item in read_items(path, ()):
        if not item.fault:
            _learn(known, item)
    for supplier, contract, properties in known.pending:
        known.awards.setdefault(supplier, []).append(
            _award(contract, properties, known.contracts.get(contract, {}))
        )
    known.pending.clear()
    for item in read_items(path, (), progress):
        seen.lines += 1
        entity, schema = text(item.content, "id"), text(item.content, "schema")
        if item.fault or not (entity and schema):
            yield fault_draft(
                path.name, item.number, item.fault or "not an entity: it has no id or no schema"
            )
            continue
        properties = child(item.content, "properties")
        if schema == "Person":
            yield from _person(entity, properties, item.number, known, seen, include_ceased=include_ceased)
        elif schema in COMPANIES:
            yield from _company(entity, properties, item.number, known, seen)


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
        include_ceased: directorships and ownerships that have ended, too.
        progress: called now and then.

    Raises:
        InputError: cannot be read, is empty, or is no JSON.
    """
    known = _Known()
    for item in read_items(path, ()):
        if not item.fault:
            _learn(known, item)
    graph = Graph(known.numbers, known.names, phrase="is {} of {}")
    for links in known.links.values():
        for link in links:
            graph.add(link)
    ways = chains_to_companies(graph, wanted, seen, include_ceased=include_ceased)
    for item in read_items(path, (), progress):
        seen.lines += 1
        entity, schema = text(item.content, "id"), text(item.content, "schema")
        if item.fault or not (entity and schema):
            yield fault_draft(
                path.name, item.number, item.fault or "not an entity: it has no id or no schema"
            )
            continue
        if entity not in ways or not (schema == "Person" or schema in COMPANIES):
            continue
        properties = child(item.content, "properties")
        corporate = schema != "Person"
        number = known.numbers.get(entity, "")
        parts = (
            _company_parts(properties, _numbers(properties), seen)
            if corporate
            else _person_parts(properties, seen)
        )
        told = (
            (f"company/{number}" if number else "")
            if corporate
            else parts_person_key(parts) and f"ftm/{entity}"
        )
        for found in chain_appointments(
            graph,
            ways[entity],
            register="ftm",
            parts=parts,
            person=told,
            corporate=corporate,
            provenance={"entity": entity},
        ):
            yield from appointment_drafts(found, wanted, seen, item.number, include_ceased=include_ceased)


def _one(properties: Mapping[str, Any], *names: str) -> str:
    return next((value for name in names for value in texts(properties, name)), "")


def _period(properties: Mapping[str, Any]) -> Period:
    starts = [value for each in texts(properties, "startDate") if (value := iso_date(each))]
    ends = [value for each in texts(properties, "endDate") if (value := iso_date(each))]
    return Period(min(starts, default=""), max(ends, default=""))


def _numbers(properties: Mapping[str, Any]) -> list[str]:
    """Canonical company numbers; other countries' registers have numbers, too, which look like none of ours."""
    countries = {value.lower() for name in ("jurisdiction", "country") for value in texts(properties, name)}
    if countries and not countries & {"gb", "uk", "gb-eng", "gb-sct", "gb-wls", "gb-nir"}:
        return []
    found = (canonical("company_number", each)[0] for each in texts(properties, "registrationNumber"))
    return list(dict.fromkeys(number for number in found if number))


def _learn(known: _Known, item: JsonItem) -> None:
    entity, schema = text(item.content, "id"), text(item.content, "schema")
    properties = child(item.content, "properties")
    if schema in COMPANIES:
        numbers = _numbers(properties)
        known.numbers[entity] = numbers[0] if numbers else ""
        known.names[entity] = _one(properties, "name")
    elif schema == "Contract":
        known.contracts[entity] = {
            "reference": _one(properties, "procedureNumber", "noticeId", "identifier", "title", "name"),
            "value": _one(properties, "amount"),
            "currency": _one(properties, "currency"),
            "date": _one(properties, "contractDate", "date", "startDate"),
        }
    elif schema == "ContractAward":
        for supplier in texts(properties, "supplier"):
            known.pending.append((supplier, _one(properties, "contract"), properties))
    elif schema in _LINKS:
        who, what, role, otherwise = _LINKS[schema]
        period = _period(properties)
        status = _one(properties, "status").casefold()
        link_role = _one(properties, role) or otherwise
        over = bool(period.end) or status in {"resigned", "ceased", "inactive"}
        for company in texts(properties, what):
            for holder in texts(properties, who):
                known.links.setdefault(holder, []).append(
                    Link(entity, holder, company, (link_role,), period, over, schema in _LEADING_ON)
                )


def _award(contract: str, properties: Mapping[str, Any], of: Mapping[str, str]) -> _Award:
    period = _period(properties)
    start = period.start or iso_date(_one(properties, "date")) or iso_date(of.get("date", ""))
    return _Award(
        _one(properties, "documentNumber") or of.get("reference", "") or contract,
        _one(properties, "amount") or of.get("value", ""),
        _one(properties, "currency") or of.get("currency", ""),
        Period(start, period.end),
    )


def _contract_facts(award: _Award | None) -> dict[str, str]:
    if award is None:
        return {}
    said = {
        "contract_reference": award.reference,
        "contract_value": award.value,
        "contract_currency": award.currency,
        "contract_start": award.period.start,
        "contract_end": award.period.end,
    }
    return {name: value for name, value in said.items() if value}


def _person(
    entity: str,
    properties: Mapping[str, Any],
    number: int,
    known: _Known,
    seen: ReadContext,
    *,
    include_ceased: bool,
) -> Iterator[Draft]:
    every = known.links.get(entity, [])
    links = [link for link in every if include_ceased or not link.over]
    seen.ceased += len(every) - len(links)
    if every and not links:
        return
    seen.people += 1
    parts = _person_parts(properties, seen)
    told = parts_person_key(parts)
    # What a person is awarded in their own name stands beside what their companies are.
    found: list[tuple[Link | None, _Award | None]] = [(None, award) for award in known.awards.get(entity, ())]
    for each in links:
        found += [(each, award) for award in known.awards.get(each.held, ())] or [(each, None)]
    for place, (link, award) in enumerate(found or [(None, None)]):
        facts = _contract_facts(award)
        extra = {"source": "ftm", "entity": entity, "row": str(number)}
        if link is not None:
            said = {
                "company_number": known.numbers.get(link.held, ""),
                "role": "; ".join(link.roles),
                "appointed_on": link.period.start,
                "resigned_on": link.period.end,
                "active": overlap(link.period, award.period) if award else "",
            }
            facts = {**{name: value for name, value in said.items() if value}, **facts}
            extra["appointment"] = link.period.words
        yield Draft(
            number,
            reference=_reference(entity, place, len(found)),
            parts=parts,
            facts=facts,
            provenance={**facts, **{name: value for name, value in extra.items() if value}},
            entity=told and f"ftm/{entity}",
        )


def _reference(entity: str, place: int, count: int) -> str:
    return (f"{entity}/{place + 1}" if count > 1 else entity)[:200]


def _person_parts(properties: Mapping[str, Any], seen: ReadContext) -> list[Part]:
    given = " ".join(
        word for name in ("firstName", "secondName", "middleName") for word in texts(properties, name)[:1]
    )
    whole = [*texts(properties, "name"), *texts(properties, "alias"), *texts(properties, "weakAlias")]
    name = person_name(given, _one(properties, "lastName"), whole[0] if whole else "")
    parts = [
        names_part(name, [*whole, *texts(properties, "previousName")]),
        [
            {"date_of_birth": value}
            for value in seen.usable("date_of_birth", texts(properties, "birthDate"), _PEOPLE)
        ],
        *_contacts(properties, seen, _PEOPLE),
    ]
    return [part for part in parts if part]


def _contacts(properties: Mapping[str, Any], seen: ReadContext, whose: str) -> list[Part]:
    return [
        address_part(
            seen.usable("address", texts(properties, "address"), whose),
            [],
            seen.usable("postcode", texts(properties, "postalCode"), whose),
        ),
        *(
            [{name: value} for value in seen.usable(name, texts(properties, name), whose)]
            for name in ("phone", "email")
        ),
    ]


def _company_parts(properties: Mapping[str, Any], numbers: Sequence[str], seen: ReadContext) -> list[Part]:
    parts: list[Part] = [
        [{"company_number": value} for value in numbers],
        [
            {"company_name": value}
            for value in seen.usable(
                "company_name", [*texts(properties, "name"), *texts(properties, "alias")], _COMPANIES
            )
        ],
        [
            {"vat_number": value}
            for value in seen.usable("vat_number", texts(properties, "vatCode"), _COMPANIES)
        ],
        *_contacts(properties, seen, _COMPANIES),
    ]
    return [part for part in parts if part]


def _company(
    entity: str, properties: Mapping[str, Any], number: int, known: _Known, seen: ReadContext
) -> Iterator[Draft]:
    numbers = _numbers(properties)
    parts = _company_parts(properties, numbers, seen)
    awards: list[_Award | None] = list(known.awards.get(entity, ()))
    for place, award in enumerate(awards or [None]):
        facts = _contract_facts(award)
        made = Draft(
            number,
            _reference(entity, place, len(awards)),
            parts,
            facts=facts,
            provenance={**facts, "source": "ftm", "entity": entity, "row": str(number)},
            companies=tuple(numbers),
            entity=f"company/{numbers[0]}" if numbers else f"ftm/{entity}",
        )
        if award is not None:
            made.contract = (award.period.start, award.period.end)
        yield made
