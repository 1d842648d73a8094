"""Merge the releases of one contracting process, as the Open Contracting Data Standard does: by date, objects field by field, lists by id.

Beyond the standard, entries of one release that have one id (a notice with an award per lot) all keep their suppliers.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from blindmatch.node.imports.formats.field_values import moment
from blindmatch.node.imports.formats.json_stream import child, children, text

NOT_AWARDED: Final = frozenset({"cancelled", "unsuccessful"})

_FIELDS: Final = {
    "parties": ("id", "name", "identifier", "additionalIdentifiers", "address", "contactPoint"),
    "awards": ("id", "status", "date", "value", "suppliers", "contractPeriod"),
    "contracts": ("id", "awardID", "status", "dateSigned", "value", "period", "suppliers"),
}
"""The lists of a release that are read, and the fields of their entries."""
_OWN: Final = "own"
"""The fields of a supplier's own entry, where a release has several entries of one id."""

Entry = dict[str, Any]
Process = dict[str, dict[str, Entry]]
"""A contracting process: the entries of each list by their id. The suppliers of an award or contract are entries by id, too."""


def fields_in_use(release: Mapping[str, Any]) -> Entry:
    """A release without the fields that are not read."""
    lists = {
        name: [
            {field: entry[field] for field in fields if entry.get(field) is not None}
            for entry in children(release, name)
        ]
        for name, fields in _FIELDS.items()
    }
    return {**lists, "date": moment(text(release, "date")), "buyer": text(child(release, "buyer"), "name")}


def merged(releases: Iterable[Entry]) -> Process:
    """The process that releases, reduced to the fields in use, describe together. Later ones replace the fields of earlier ones."""
    process: Process = {name: {} for name in _FIELDS}
    every = list(releases)
    if all(release["date"] for release in every):  # otherwise the order of the file is all there is
        every.sort(key=lambda release: str(release["date"]))
    for release in every:
        for party in release["parties"]:
            parties = process["parties"]
            key = text(party, "id") or f"#{len(parties)}"
            parties[key] = _combined(parties.get(key, {}), party)
        for name in ("awards", "contracts"):
            for key, group in _by_id(release[name]).items():
                _add(process[name].setdefault(key, {"suppliers": {}}), group)
        if release["buyer"]:
            process["buyer"] = {"name": {"name": release["buyer"]}}
    return process


def _by_id(entries: list[Entry]) -> dict[str, list[Entry]]:
    awards: dict[str, set[str]] = {}
    for entry in entries:
        awards.setdefault(text(entry, "id"), set()).add(text(entry, "awardID"))
    groups: dict[str, list[Entry]] = {}
    for place, entry in enumerate(entries):
        key = text(entry, "id") or f"#{place}"
        if len(awards[text(entry, "id")]) > 1 and text(entry, "id"):
            key = (
                f"{key}/{text(entry, 'awardID')}"  # contracts of several awards under the id of their notice
            )
        groups.setdefault(key, []).append(entry)
    return groups


def _add(current: Entry, group: list[Entry]) -> None:
    """Add a release's entries of one id to an award or a contract."""
    suppliers: dict[str, Entry] = current["suppliers"]
    # A cancelled lot does not cancel the others.
    group.sort(key=lambda entry: text(entry, "status") not in NOT_AWARDED)
    for entry in group:
        own = {name: value for name, value in entry.items() if name not in {"id", "suppliers"}}
        if len(group) == 1:
            for supplier in suppliers.values():
                supplier[_OWN] = {name: value for name, value in supplier[_OWN].items() if name not in own}
        for place, supplier in enumerate(children(entry, "suppliers")):
            key = text(supplier, "id") or text(supplier, "name").casefold() or f"#{place}"
            known = suppliers.get(key, {})
            suppliers[key] = {**_combined(known, supplier), _OWN: own if len(group) > 1 else {}}
        current.update(_combined(current, {**own, **({"id": entry["id"]} if "id" in entry else {})}))


def suppliers_of(entry: Entry) -> list[tuple[Entry, Entry]]:
    """Each supplier of an award or contract, and the entry as far as it concerns that supplier."""
    suppliers: dict[str, Entry] = entry.get("suppliers", {})
    return [(supplier, {**entry, **supplier[_OWN]}) for supplier in suppliers.values()]


def _combined(old: Entry, new: Mapping[str, Any]) -> Entry:
    """Objects merged field by field; any other new value replaces the old one."""
    combined = dict(old)
    for name, value in new.items():
        current = combined.get(name)
        both = isinstance(current, dict) and isinstance(value, dict)
        combined[name] = _combined(current, value) if both else value  # type: ignore[arg-type]
    return combined
