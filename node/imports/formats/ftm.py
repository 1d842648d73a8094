"""FollowTheMoney entities, one JSON object per line: people, companies, and the links between them.

`{"id": …, "schema": "Person", "properties": {"name": […], "birthDate": […]}}`

A directorship, an ownership and the award of a contract are entities of their own and can be anywhere in the file. So the file is read
twice, and the links and the companies' numbers are in memory in between. Of several entities with one id the one that was changed last
applies, wherever it stands in the file; where that is not stated, the last in the file.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple

from blindmatch.node.imports.formats.appointments import overlap
from blindmatch.node.imports.formats.blank_values import has_ended
from blindmatch.node.imports.formats.chains import Graph, HolderSearch, Link, links_to_read
from blindmatch.node.imports.formats.company_registers import of_united_kingdom, plausible
from blindmatch.node.imports.formats.context import CompanyLookup, Period, ReadContext
from blindmatch.node.imports.formats.field_values import canonical, iso_date, moment, person_name
from blindmatch.node.imports.formats.json_stream import child, read_items, text, texts
from blindmatch.node.imports.formats.record_drafts import (
    Draft,
    Part,
    fault_draft,
    names_part,
    non_blank,
    numbered_reference,
    parts_person_key,
)

_COMPANY_SCHEMAS: Final = frozenset({"Company", "Organization", "LegalEntity", "PublicBody"})
_LINKS: Final = {
    # schema: (property of the holder, of the company, of the role, role where none is stated)
    "Directorship": ("director", "organization", "role", "director"),
    "Ownership": ("owner", "asset", "ownershipType", "owner"),
    "Employment": ("employee", "employer", "role", "employee"),
    "Membership": ("member", "organization", "role", "member"),
    "Representation": ("agent", "client", "role", "representative"),
}
_TRANSITIVE: Final = frozenset({"Directorship", "Ownership"})
"""The holder of a company's member or agent is not a holder of the company."""
_PEOPLE: Final = "people"
_COMPANIES: Final = "companies"
_SUPERSEDED: Final = "entities of which the file has a newer version, which was read instead"


class _Award(NamedTuple):
    facts: dict[str, str]
    period: Period


@dataclass
class _Entities:
    """The companies, links and awards of a file, without names of people."""

    graph: Graph = field(default_factory=lambda: Graph(template="is {} of {}"))
    links: dict[str, list[Link]] = field(default_factory=dict, repr=False)
    """Holder to its links."""
    awards: dict[str, list[_Award]] = field(default_factory=dict, repr=False)
    """Supplier to its awards."""
    latest: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Entity with the date of a change to that date, and the entity's place in the file."""
    superseded: set[int] = field(default_factory=set)
    """Places of the entities of which the file has a newer version."""

    def is_latest(self, content: Mapping[str, Any], entity: str, place: int) -> bool:
        """Whether no earlier entity of the file with this id is newer than this one, which then applies."""
        changed = moment(_changed(content))
        if not changed:
            return True
        current = self.latest.get(entity)
        if current is not None and current[0] > changed:
            self.superseded.add(place)
            return False
        if current is not None:
            self.superseded.add(current[1])
        self.latest[entity] = (changed, place)
        return True


def _links(entity: str, schema: str, properties: Mapping[str, Any], today: str) -> list[Link]:
    """The links of a directorship, ownership or other link entity."""
    holder_name, company_name, role_name, default_role = _LINKS[schema]
    period = _period(properties)
    role = _first(properties, role_name) or default_role
    status = _first(properties, "status").casefold()
    ended = has_ended(period.end, today) or status in {"resigned", "ceased", "inactive"}
    return [
        Link(entity, holder, company, (role,), period, ended, schema in _TRANSITIVE)
        for company in texts(properties, company_name)
        for holder in texts(properties, holder_name)
    ]


def matches(_head: bytes, names: AbstractSet[str]) -> bool:
    """Whether a file whose first JSON object has these names is FollowTheMoney."""
    return names >= {"schema", "properties"}


def read(path: Path, context: ReadContext, lookup: CompanyLookup | None = None) -> Iterator[Draft]:
    """A draft for each person, company and contract; with a lookup, for each holder of its companies.

    Raises:
        InputError: not readable, empty, or not JSON.
    """
    entities = _read_entities(path, context.today)
    if entities.superseded:
        context.warnings[_SUPERSEDED] = len(entities.superseded)
    every = (link for links in entities.links.values() for link in links)
    holders = HolderSearch("ftm", entities.graph, every, lookup, context)
    for item in read_items(path, (), context.progress):
        context.lines += 1
        entity, schema = text(item.content, "id"), text(item.content, "schema")
        if item.fault or not (entity and schema):
            yield fault_draft(
                path.name, item.number, item.fault or "is not an entity: it has no id or no schema"
            )
            continue
        if item.number in entities.superseded:
            continue
        corporate = schema in _COMPANY_SCHEMAS
        if not (corporate or schema == "Person") or (lookup is not None and entity not in holders):
            continue
        properties = child(item.content, "properties")
        if lookup is not None:
            parts = (_company_parts if corporate else _person_parts)(properties, context)
            yield from holders.drafts(entity, parts, {"entity": entity}, corporate=corporate, row=item.number)
        elif corporate:
            yield from _company(entity, properties, item.number, entities, context)
        else:
            yield from _person(entity, properties, item.number, entities, context)


def _changed(content: Mapping[str, Any]) -> str:
    """When an entity was changed, by any of the names that exports use; blank where that is not stated."""
    names = ("last_change", "updated_at", "modifiedAt", "last_seen")
    properties = child(content, "properties")
    return next((text(content, name) for name in names if text(content, name)), "") or max(
        texts(properties, "modifiedAt"), default=""
    )


def _read_entities(path: Path, today: str) -> _Entities:
    entities = _Entities()
    contracts: dict[str, dict[str, str]] = {}
    awards: dict[str, Mapping[str, Any]] = {}
    """Award entity to its properties."""
    links: dict[str, list[Link]] = {}
    for item in read_items(path, ()):
        entity, schema = text(item.content, "id"), text(item.content, "schema")
        if item.fault or not entity or not entities.is_latest(item.content, entity, item.number):
            continue
        properties = child(item.content, "properties")
        if schema in _COMPANY_SCHEMAS:
            numbers = _numbers(properties)
            entities.graph.numbers[entity] = numbers[0] if numbers else ""
            entities.graph.names[entity] = _first(properties, "name")
        elif schema == "Contract":
            contracts[entity] = _contract(properties)
        elif schema == "ContractAward":
            awards[entity] = properties
        elif schema in _LINKS:
            links[entity] = _links(entity, schema, properties, today)
    for award_properties in awards.values():
        contract = _first(award_properties, "contract")
        award = _award(contract, award_properties, contracts.get(contract, {}))
        for supplier in texts(award_properties, "supplier"):
            entities.awards.setdefault(supplier, []).append(award)
    for link in chain.from_iterable(links.values()):
        entities.links.setdefault(link.holder, []).append(link)
    return entities


def _contract(properties: Mapping[str, Any]) -> dict[str, str]:
    return {
        "reference": _first(properties, "procedureNumber", "noticeId", "identifier", "title", "name"),
        "value": _first(properties, "amount"),
        "currency": _first(properties, "currency"),
        "date": _first(properties, "contractDate", "date", "startDate"),
    }


def _first(properties: Mapping[str, Any], *names: str) -> str:
    return next((value for name in names for value in texts(properties, name)), "")


def _period(properties: Mapping[str, Any]) -> Period:
    starts = [value for each in texts(properties, "startDate") if (value := iso_date(each))]
    ends = [value for each in texts(properties, "endDate") if (value := iso_date(each))]
    return Period(min(starts, default=""), max(ends, default=""))


def _numbers(properties: Mapping[str, Any]) -> list[str]:
    """Canonical company numbers; none for a company of another country, whose number can look like one."""
    # A company works in many countries, but is registered in its jurisdiction.
    names = ("jurisdiction", "mainCountry", "country")
    stated = next((values for name in names if (values := texts(properties, name))), [])
    domestic = of_united_kingdom(stated)
    numbers = (canonical("company_number", each)[0] for each in texts(properties, "registrationNumber"))
    return list(
        dict.fromkeys(number for number in numbers if number and plausible(number, domestic=domestic))
    )


def _award(contract_id: str, properties: Mapping[str, Any], contract: Mapping[str, str]) -> _Award:
    period = _period(properties)
    start = period.start or iso_date(_first(properties, "date")) or iso_date(contract.get("date", ""))
    facts = {
        "contract_reference": _first(properties, "documentNumber")
        or contract.get("reference")
        or contract_id,
        "contract_value": _first(properties, "amount") or contract.get("value", ""),
        "contract_currency": _first(properties, "currency") or contract.get("currency", ""),
        "contract_start": start,
        "contract_end": period.end,
    }
    return _Award(non_blank(facts), Period(start, period.end))


def _person(
    entity: str, properties: Mapping[str, Any], number: int, entities: _Entities, context: ReadContext
) -> Iterator[Draft]:
    every = entities.links.get(entity, [])
    links = links_to_read(every, context)
    if every and not links:
        return
    context.people += 1
    parts = _person_parts(properties, context)
    person = parts_person_key(parts) and f"ftm/{entity}"
    # The person's own awards first, then each link with the awards of its company.
    pairs: list[tuple[Link | None, _Award | None]] = [
        (None, award) for award in entities.awards.get(entity, ())
    ]
    for each in links:
        pairs += [(each, award) for award in entities.awards.get(each.held, ())] or [(each, None)]
    for place, (link, award) in enumerate(pairs or [(None, None)]):
        facts = award.facts if award else {}
        origin = {"source": "ftm", "entity": entity, "row": str(number)}
        if link is not None:
            active = overlap(link.period, award.period) if award else ""
            facts = {**non_blank({**entities.graph.facts(link), "active": active}), **facts}
            origin["appointment"] = link.period.text
        yield Draft(
            number,
            reference=numbered_reference(entity, place, len(pairs)),
            parts=parts,
            facts=facts,
            provenance={**facts, **non_blank(origin)},
            entity=person,
        )


def _person_parts(properties: Mapping[str, Any], context: ReadContext) -> list[Part]:
    forenames = " ".join(
        word for name in ("firstName", "secondName", "middleName") for word in texts(properties, name)[:1]
    )
    full_names = [*texts(properties, "name"), *texts(properties, "alias"), *texts(properties, "weakAlias")]
    name = person_name(forenames, _first(properties, "lastName"), full_names[0] if full_names else "")
    parts = [
        names_part(name, [*full_names, *texts(properties, "previousName")]),
        context.part("date_of_birth", texts(properties, "birthDate"), _PEOPLE),
        *_contacts(properties, context, _PEOPLE),
    ]
    return [part for part in parts if part]


def _contacts(properties: Mapping[str, Any], context: ReadContext, owner: str) -> list[Part]:
    return [
        context.address(
            owner, address=texts(properties, "address"), postcode=texts(properties, "postalCode")
        ),
        *(context.part(name, texts(properties, name), owner) for name in ("phone", "email")),
    ]


def _company_parts(properties: Mapping[str, Any], context: ReadContext) -> list[Part]:
    names = [*texts(properties, "name"), *texts(properties, "alias")]
    parts: list[Part] = [
        [{"company_number": value} for value in _numbers(properties)],
        context.part("company_name", names, _COMPANIES),
        context.part("vat_number", texts(properties, "vatCode"), _COMPANIES),
        *_contacts(properties, context, _COMPANIES),
    ]
    return [part for part in parts if part]


def _company(
    entity: str, properties: Mapping[str, Any], number: int, entities: _Entities, context: ReadContext
) -> Iterator[Draft]:
    numbers = _numbers(properties)
    parts = _company_parts(properties, context)
    awards: list[_Award | None] = list(entities.awards.get(entity, ()))
    for place, award in enumerate(awards or [None]):
        facts = award.facts if award else {}
        yield Draft(
            number,
            numbered_reference(entity, place, len(awards)),
            parts,
            facts=facts,
            provenance={**facts, "source": "ftm", "entity": entity, "row": str(number)},
            companies=tuple(numbers),
            entity=f"company/{numbers[0]}" if numbers else f"ftm/{entity}",
            contract=(award.period.start, award.period.end) if award else ("", ""),
        )
