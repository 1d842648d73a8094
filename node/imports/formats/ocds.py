"""Open Contracting Data Standard 1.1: which supplier was awarded which contract.

The file has release packages, record packages, or releases, records or packages one per line, with or without the United Kingdom's
extension. Each supplier of each contract (or of an award, where there is no contract yet) becomes a draft.

A compiled release has the complete contracting process, so its drafts are yielded at once. Single releases of one process complete
and replace each other in the order of their dates, so the fields in use stay in memory until the end of the file.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Final

from blindmatch.node.imports.formats.company_registers import jurisdiction, of_united_kingdom, plausible
from blindmatch.node.imports.formats.context import CompanyLookup, ReadContext
from blindmatch.node.imports.formats.field_values import canonical, iso_date
from blindmatch.node.imports.formats.json_stream import JsonItem, child, children, read_items, text, texts
from blindmatch.node.imports.formats.ocds_merge import (
    NOT_AWARDED,
    Entry,
    Process,
    fields_in_use,
    merged,
    suppliers_of,
)
from blindmatch.node.imports.formats.record_drafts import (
    MAX_REFERENCE_CHARACTERS,
    Draft,
    Part,
    RowFault,
    fault_draft,
    non_blank,
)

_COMPANY_SCHEMES: Final = frozenset({"GB-COH", "COH", "XI-COH"})
"""Schemes whose identifiers are company numbers. Identifiers of others, such as `GB-PPON` or a charity's `GB-NIC`, become provenance."""
_VAT_SCHEMES: Final = frozenset({"GB-VAT", "VAT", "XI-VAT"})

_OWNER: Final = "suppliers"
_PACKAGES: Final = ("releases", "records")


def matches(_head: bytes, names: AbstractSet[str]) -> bool:
    """Whether a file whose first JSON object has these names is OCDS."""
    return bool(names & {"releases", "records", "ocid"})


def read(path: Path, context: ReadContext, _lookup: CompanyLookup | None = None) -> Iterator[Draft]:
    """A draft for each supplier of each contract.

    Raises:
        InputError: not readable, empty, not JSON or OCDS, or cut off.
    """
    unfinished: dict[str, tuple[int, list[Entry]]] = {}
    for item in read_items(path, _PACKAGES, context.progress):
        for release in _unpacked(item):
            if release.fault:
                yield fault_draft(path.name, release.number, release.fault)
                continue
            ocid = text(release.content, "ocid")
            if not ocid:
                yield fault_draft(path.name, release.number, "is missing", "ocid")
            elif "compiled" in texts(release.content, "tag"):
                process = merged([fields_in_use(release.content)])
                unfinished.pop(ocid, None)
                yield from _drafts(path.name, ocid, process, release.number, context)
            else:
                releases = unfinished.setdefault(ocid, (release.number, []))[1]
                releases.append(fields_in_use(release.content))
    for ocid, (number, releases) in unfinished.items():
        yield from _drafts(path.name, ocid, merged(releases), number, context)


def _unpacked(item: JsonItem) -> Iterator[JsonItem]:
    """The releases in one object: a release, a record, or a package of either."""
    if item.fault:
        yield item
        return
    content, number = item.content, item.number
    packages = [name for name in _PACKAGES if isinstance(content.get(name), list)]
    if packages and "ocid" not in content:
        entries = [entry for name in packages for entry in content[name]]
        for place, entry in enumerate(entries, start=1):
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
            yield JsonItem(
                number, {}, "the record only links to its releases; ask the publisher for compiled releases"
            )
        for entry in embedded:
            yield JsonItem(number, entry)
    else:
        yield JsonItem(number, content)


def _drafts(file: str, ocid: str, process: Process, number: int, context: ReadContext) -> Iterator[Draft]:
    awards, contracts = process["awards"], process["contracts"]
    under_contract = {text(contract, "awardID") for contract in contracts.values()}
    pairs = [
        (name, contract, awards.get(text(contract, "awardID"), {})) for name, contract in contracts.items()
    ]
    pairs += [(name, {}, award) for name, award in awards.items() if name not in under_contract]
    for name, contract, award in pairs:
        # The standard has suppliers on the award, an extension has them on the contract.
        suppliers = suppliers_of(contract) or suppliers_of(award)
        if not suppliers and not _cancelled(contract, award):
            context.warnings["awards or contracts without a supplier"] += 1
        live = [(supplier, entry) for supplier, entry in suppliers if not _cancelled(contract, award, entry)]
        if len(live) < len(suppliers) or _cancelled(contract, award):
            context.warnings["cancelled or unsuccessful awards or contracts, which were left out"] += 1
        of_contract = bool(suppliers_of(contract))
        for place, (supplier, entry) in enumerate(live):
            party = process["parties"].get(text(supplier, "id"), {})
            supplier_id = text(supplier, "id") or str(place + 1)
            draft = _draft(f"{ocid}/{name}/{supplier_id}", {**supplier, **party}, number, context)
            if len(draft.reference) > MAX_REFERENCE_CHARACTERS or not draft.reference.isprintable():
                draft.unusable = True
                draft.faults.append(RowFault(file, number, "id", "cannot be used as a reference"))
            _add_contract(
                draft, name, entry if of_contract else contract, award if of_contract else entry, process
            )
            draft.provenance["ocid"] = ocid
            yield draft


def _cancelled(*entries: Mapping[str, Any]) -> bool:
    return any(text(entry, "status") in NOT_AWARDED for entry in entries)


def _draft(reference: str, party: Mapping[str, Any], number: int, context: ReadContext) -> Draft:
    companies, vat, others = identifiers(party, context)
    address = child(party, "address")
    contact = child(party, "contactPoint")
    names = dict.fromkeys(
        name for name in (text(party, "name"), text(child(party, "identifier"), "legalName")) if name
    )
    parts: list[Part] = [
        [{"company_number": value} for value in companies],
        context.part("company_name", names, _OWNER),
        context.part("vat_number", vat, _OWNER),
        context.address(
            _OWNER,
            address=[text(address, "streetAddress")],
            town=[text(address, "locality")],
            postcode=[text(address, "postalCode")],
        ),
        context.part("phone", [text(contact, "telephone")], _OWNER),
        context.part("email", [text(contact, "email")], _OWNER),
    ]
    return Draft(
        number,
        reference,
        [part for part in parts if part],
        provenance=non_blank({"row": str(number), "identifiers": "; ".join(others)}),
        companies=tuple(companies),
    )


def identifiers(party: Mapping[str, Any], context: ReadContext) -> tuple[list[str], list[str], list[str]]:
    """An organisation's company numbers, VAT numbers, and all other identifiers as `SCHEME:id`."""
    domestic = of_united_kingdom([jurisdiction(party)])
    companies: dict[str, None] = {}
    vat: dict[str, None] = {}
    others: dict[str, None] = {}
    main = child(party, "identifier")
    entries = [main, *children(party, "additionalIdentifiers"), *children(party, "identifiers")]
    if not main and text(party, "id").upper().startswith("GB-COH-"):
        # The organisation's own id consists of scheme and number.
        entries.append({"scheme": "GB-COH", "id": text(party, "id")[7:]})
    for entry in entries:
        scheme, value = text(entry, "scheme").upper(), text(entry, "id")
        if not value:
            continue
        if scheme in _COMPANY_SCHEMES:
            number, reason = canonical("company_number", value)
            if reason:
                context.warnings[f"{_OWNER} with an invalid company number, which was left out"] += 1
            elif number and plausible(number, domestic=domestic):
                companies[number] = None
            elif number:
                others[f"{scheme}:{value}"] = None
        elif scheme in _VAT_SCHEMES:
            vat[value] = None
        else:
            others[f"{scheme}:{value}" if scheme else value] = None
    return list(companies), list(vat), list(others)


def _add_contract(
    draft: Draft, name: str, contract: Mapping[str, Any], award: Mapping[str, Any], process: Process
) -> None:
    value = child(contract, "value") or child(award, "value")
    period = child(contract, "period") or child(award, "contractPeriod")
    signed = iso_date(text(contract, "dateSigned"))
    awarded = iso_date(text(award, "date"))
    start = iso_date(text(period, "startDate")) or signed or awarded
    draft.contract = (start, iso_date(text(period, "endDate")))
    draft.facts = non_blank(
        {
            "contract_reference": name,
            "contract_value": text(value, "amount"),
            "contract_currency": text(value, "currency"),
            "contract_start": draft.contract[0],
            "contract_end": draft.contract[1],
            "award_date": awarded,
            "buyer": text(process.get("buyer", {}).get("name", {}), "name"),
        }
    )
    draft.provenance |= draft.facts
