"""Open Contracting Data Standard 1.1: who was awarded which contract.

Release packages, record packages, and releases, records or packages one a line; the United Kingdom's extension is
let through. Every supplier of every contract (of an award, where there is no contract yet) becomes a draft, as a row
of a council's list of suppliers would.

A compiled release says all about its contracting process and is passed on at once. Single releases of one process
complete and replace each other, so that what matters of them stays in memory until the end of the file.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from blindmatch.node.imports.formats.drafts import Draft, Notes, Part, RowFault, fault_draft
from blindmatch.node.imports.formats.field_values import address_part, canonical, iso_date
from blindmatch.node.imports.formats.json_stream import JsonItem, child, children, read_items, text, texts
from blindmatch.node.imports.formats.lines import Progress

COMPANIES_HOUSE: Final = frozenset({"GB-COH", "COH", "XI-COH", "GB-NIC"})
"""Schemes whose identifiers are company numbers. Others, as `GB-PPON`, are kept as provenance."""
VAT: Final = frozenset({"GB-VAT", "VAT", "XI-VAT"})

_DEAD: Final = frozenset({"cancelled", "unsuccessful"})
_OF: Final = "suppliers"
_PACKAGES: Final = ("releases", "records")

_Process = dict[str, dict[str, dict[str, Any]]]


def read(path: Path, notes: Notes, *, progress: Progress | None = None) -> Iterator[Draft]:
    """Stream a file: a draft for each supplier of each contract.

    Raises:
        InputError: cannot be read, is empty, is no JSON or no OCDS, or breaks off.
    """
    unfinished: dict[str, tuple[int, _Process]] = {}
    for item in read_items(path, _PACKAGES, progress):
        for entry in _unpacked(item):
            if entry.fault:
                yield fault_draft(path.name, entry.number, entry.fault)
                continue
            ocid = text(entry.content, "ocid")
            if not ocid:
                yield fault_draft(path.name, entry.number, "is missing", "ocid")
            elif "compiled" in texts(entry.content, "tag"):
                process: _Process = {}
                _merge(process, entry.content)
                unfinished.pop(ocid, None)
                yield from _drafts(path.name, ocid, process, entry.number, notes)
            else:
                _merge(unfinished.setdefault(ocid, (entry.number, {}))[1], entry.content)
    for ocid, (number, process) in unfinished.items():
        yield from _drafts(path.name, ocid, process, number, notes)


def _unpacked(item: JsonItem) -> Iterator[JsonItem]:
    """The releases in one object: a release itself, a record, or a package of either on one line."""
    if item.fault:
        yield item
        return
    content, number = item.content, item.number
    packs = [name for name in _PACKAGES if isinstance(content.get(name), list)]
    if packs and "ocid" not in content:
        packed = [entry for name in packs for entry in content[name]]
        for place, entry in enumerate(packed, start=1):
            if isinstance(entry, dict):
                yield from _unpacked(JsonItem(number, entry))
            else:
                yield JsonItem(number, {}, f"entry {place} of the package is not an object")
        return
    compiled = child(content, "compiledRelease")
    if compiled:
        yield JsonItem(number, {"ocid": content.get("ocid"), **compiled, "tag": ["compiled"]})
    elif "releases" in content:
        embedded = [entry for entry in children(content, "releases") if "ocid" in entry]
        if not embedded:
            yield JsonItem(number, {}, "the record only links to its releases: ask for compiled releases")
        for entry in embedded:
            yield JsonItem(number, entry)
    else:
        yield JsonItem(number, content)


def _merge(process: _Process, release: Mapping[str, Any]) -> None:
    """Take what matters of a release; what comes later in the file replaces the same entry."""
    for name in ("parties", "awards", "contracts"):
        entries = process.setdefault(name, {})
        for place, entry in enumerate(children(release, name)):
            key = text(entry, "id") or f"#{place}"
            entries[key] = {**entries.get(key, {}), **_trimmed(name, entry)}
    buyer = text(child(release, "buyer"), "name")
    if buyer:
        process["buyer"] = {"name": {"name": buyer}}


_KEPT: Final = {
    "parties": ("id", "name", "identifier", "additionalIdentifiers", "address", "contactPoint"),
    "awards": ("id", "status", "date", "value", "suppliers", "contractPeriod"),
    "contracts": ("id", "awardID", "status", "dateSigned", "value", "period", "suppliers"),
}


def _trimmed(name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    return {field: entry[field] for field in _KEPT[name] if entry.get(field) is not None}


def _drafts(file: str, ocid: str, process: _Process, number: int, notes: Notes) -> Iterator[Draft]:
    awards, contracts = process["awards"], process["contracts"]
    under_contract = {text(contract, "awardID") for contract in contracts.values()}
    found = [
        (name, contract, awards.get(text(contract, "awardID"), {})) for name, contract in contracts.items()
    ]
    found += [(name, {}, award) for name, award in awards.items() if name not in under_contract]
    for name, contract, award in found:
        if {text(contract, "status"), text(award, "status")} & _DEAD:
            notes.warn("awards or contracts that were cancelled or unsuccessful, and were left out")
            continue
        # Suppliers on the contract itself come with an extension; the standard has them on the award.
        suppliers = children(contract, "suppliers") or children(award, "suppliers")
        if not suppliers:
            notes.warn("awards or contracts without a supplier")
        for place, supplier in enumerate(suppliers):
            party = process["parties"].get(text(supplier, "id"), {})
            who = text(supplier, "id") or str(place + 1)
            draft = _draft(f"{ocid}/{name}/{who}", {**supplier, **party}, number, notes)
            if len(draft.reference) > 200 or not draft.reference.isprintable():
                draft.unusable = True
                draft.faults.append(RowFault(file, number, "id", "cannot be used as a reference"))
            _say_contract(draft, name, contract, award, process)
            draft.provenance["ocid"] = ocid
            yield draft


def _draft(reference: str, party: Mapping[str, Any], number: int, notes: Notes) -> Draft:
    companies, vat, others = identifiers(party, notes)
    address = child(party, "address")
    contact = child(party, "contactPoint")
    names = dict.fromkeys(
        name for name in (text(party, "name"), text(child(party, "identifier"), "legalName")) if name
    )
    parts: list[Part] = [
        [{"company_number": value} for value in companies],
        [{"company_name": value} for value in notes.usable("company_name", names, _OF)],
        [{"vat_number": value} for value in notes.usable("vat_number", vat, _OF)],
        address_part(
            notes.usable("address", [text(address, "streetAddress")], _OF),
            notes.usable("town", [text(address, "locality")], _OF),
            notes.usable("postcode", [text(address, "postalCode")], _OF),
        ),
        [{"phone": value} for value in notes.usable("phone", [text(contact, "telephone")], _OF)],
        [{"email": value} for value in notes.usable("email", [text(contact, "email")], _OF)],
    ]
    made = Draft(number, reference, [part for part in parts if part], companies=tuple(companies))
    made.provenance["row"] = str(number)
    if others:
        made.provenance["identifiers"] = "; ".join(others)
    return made


def identifiers(party: Mapping[str, Any], notes: Notes) -> tuple[list[str], list[str], list[str]]:
    """An organisation's company numbers, VAT numbers, and all other identifiers as `SCHEME:id`."""
    companies: dict[str, None] = {}
    vat: dict[str, None] = {}
    others: dict[str, None] = {}
    main = child(party, "identifier")
    entries = [main, *children(party, "additionalIdentifiers"), *children(party, "identifiers")]
    if not main and text(party, "id").upper().startswith("GB-COH-"):
        # The organisation's own id is made of scheme and number.
        entries.append({"scheme": "GB-COH", "id": text(party, "id")[7:]})
    for entry in entries:
        scheme, value = text(entry, "scheme").upper(), text(entry, "id")
        if not value:
            continue
        if scheme in COMPANIES_HOUSE:
            number, reason = canonical("company_number", value)
            if reason:
                notes.warn(f"{_OF} with a company number that cannot be used, which was left out")
            elif number:
                companies[number] = None
        elif scheme in VAT:
            vat[value] = None
        else:
            others[f"{scheme}:{value}" if scheme else value] = None
    return list(companies), list(vat), list(others)


def _say_contract(
    draft: Draft, name: str, contract: Mapping[str, Any], award: Mapping[str, Any], process: _Process
) -> None:
    value = child(contract, "value") or child(award, "value")
    period = child(contract, "period") or child(award, "contractPeriod")
    start = (
        iso_date(text(period, "startDate"))
        or iso_date(text(contract, "dateSigned"))
        or iso_date(text(award, "date"))
    )
    draft.contract = (start, iso_date(text(period, "endDate")))
    said = {
        "contract_reference": name,
        "contract_value": text(value, "amount"),
        "contract_currency": text(value, "currency"),
        "contract_start": draft.contract[0],
        "contract_end": draft.contract[1],
        "award_date": iso_date(text(award, "date")),
        "buyer": text(process.get("buyer", {}).get("name", {}), "name"),
    }
    draft.facts = {field: value for field, value in said.items() if value}
    draft.provenance |= draft.facts
