"""From a row's cells to a draft of a record: values by field, checked, each fault with its field and reason."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from blindmatch.node.imports.formats import field_values
from blindmatch.node.imports.formats.column_mapping import CONTRACT, MATCHING, SEVERAL, ColumnMapping
from blindmatch.node.imports.formats.field_values import Check, accept_any, canonical, person_name
from blindmatch.node.imports.formats.tabular import Row, Table

MAX_REFERENCE_CHARACTERS: Final = 200
_HANDLING: Final = frozenset("PC")
# 3x5x2: source 1 to 3, information A to E, and often the handling code P or C after it.
_GRADING = re.compile(r"([1-3])[ /-]?([A-E])[ /-]?([PC])?")
_ALONE: Final = tuple(
    name for name in SEVERAL if name not in {"aliases", "address", "town", "postcode", "date_of_birth"}
)
"""Fields whose values stand each for itself; an address, its town and its postcode belong together."""

CONTRACT_DATES: Final = ("contract_start", "contract_end")

ASSUMED_CODE: Final = "rows without a handling code were taken as C (with conditions)"
_CACHED_HANDLING: Final = 1 << 10

Part = list[dict[str, str]]
"""The alternatives for one thing that a record says: its names, its dates, its addresses."""


class RowFault(NamedTuple):
    """What is wrong in one row; never the value itself."""

    file: str
    row: int
    field: str
    reason: str
    kept: str = ""
    """In words what of the value stays if the row does; blank for nothing."""


@dataclass
class Notes:
    """Things worth knowing that are no faults, and how often."""

    warnings: dict[str, int] = field(default_factory=dict)
    check: Check = accept_any
    """What the schema at hand thinks of a value."""

    def warn(self, text: str, count: int = 1) -> None:
        """Count a warning."""
        self.warnings[text] = self.warnings.get(text, 0) + count

    def usable(self, name: str, texts: Iterable[str], of: str) -> list[str]:
        """The values that can be used, without repeats; the others are counted and left out.

        For published data, which is not the officer's to mend.

        Args:
            name: the field.
            texts: as they stand.
            of: whose values they are, for the warning.
        """
        found: dict[str, None] = {}
        for text in texts:
            value, reason = field_values.checked_value(name, text, self.check)
            if reason:
                words = name.replace("_", " ")
                value, kept = field_values.partial_value(name, text, self.check)
                if name == "date_of_birth" and len(value) == len("YYYY"):
                    value = kept = ""  # registers say year and month: with a year alone nobody is found
                self.warn(
                    f"{of} with a {words} that cannot be used"
                    + (f" as such, and was kept: {kept}" if kept else ", which was left out")
                )
            if value:
                found[value] = None
        return list(found)


@dataclass(slots=True)
class Draft:
    """One record, not stored yet. `unusable` rows cannot be kept even without their faulty fields."""

    row: int
    reference: str = field(default="", repr=False)
    parts: list[Part] = field(default_factory=list, repr=False)
    handling: str = "P"
    facts: dict[str, str] = field(default_factory=dict, repr=False)
    provenance: dict[str, str] = field(default_factory=dict, repr=False)
    companies: tuple[str, ...] = field(default=(), repr=False)
    faults: list[RowFault] = field(default_factory=list)
    unusable: bool = False
    entity: str = field(default="", repr=False)
    """Equal for records of one person or company; blank for a record that is nobody else's."""
    contract: tuple[str, str] = ("", "")
    """When the contract began and ends, where the row says it."""


class Handling(NamedTuple):
    """What a row says of its handling."""

    code: str
    """P or C; C, the careful one, where it says nothing that counts."""
    grading: str
    assumed: bool
    bad_grading: bool
    bad_code: bool


def fault_draft(file: str, row: int, reason: str, name: str = "") -> Draft:
    """A draft that is nothing but a fault."""
    return Draft(row, faults=[RowFault(file, row, name, reason)], unusable=True)


def names_part(primary: tuple[str, str], aliases: Sequence[str]) -> Part:
    """The names of a record: its own, then its aliases. An alias of one word stands in for the forename."""
    if not aliases:
        return [{"forenames": primary[0], "surname": primary[1]}] if any(primary) else []
    found = {field_values.name_key(*primary): primary} if any(primary) else {}
    for alias in aliases:
        first, last = person_name("", "", alias)
        name = (first, last) if first and last else (alias, primary[1]) if last and primary[1] else None
        if name:
            found.setdefault(field_values.name_key(*name), name)
    return [{"forenames": first, "surname": last} for first, last in found.values()]


class Drafter:
    """Makes drafts of a table's rows by a mapping.

    Args:
        table: its header must have every column that the mapping names.
        mapping: fields to columns.
        check: what the schema thinks of a value.

    Raises:
        InputError: a column is missing.
    """

    def __init__(self, table: Table, mapping: ColumnMapping, check: Check = accept_any) -> None:
        self.file = table.path.name
        self.warnings: dict[str, int] = {}
        """Things worth knowing that are no faults, and how often."""
        self._header = table.header
        self.mapping = mapping
        self.check = check
        self.places = mapping.places(table.header, str(table.path))
        """Fields to the places of their columns."""
        self.fact_places = mapping.fact_places(table.header, self.places)
        self.seen: set[str] = set()
        """References of the rows so far."""
        self.handling = lru_cache(maxsize=_CACHED_HANDLING)(self._handling)
        """(handling code, grading), as they are written, to what they mean."""
        # Most files have few of the fields: what no column gives is not asked for row by row.
        self.named = self._has("forenames", "surname", "full_name", "aliases")
        self.placed = self._has("address", "house_number", "street", "town", "postcode")
        self.alone = tuple(name for name in _ALONE if self._has(name))
        self.dated = self._has(*CONTRACT_DATES)
        self.contract = tuple(name for name in CONTRACT if self._has(name))

    def _has(self, *names: str) -> bool:
        return any(name in self.places for name in names)

    @property
    def facts(self) -> dict[str, str]:
        """Names of facts, and the heading of the column that each comes from."""
        return {name: self._header[place] for name, place in self.fact_places.items()}

    def draft(self, row: Row) -> Draft:
        """One row as a draft, with its faults."""
        made = Draft(row.number)
        if row.fault:
            return self._unusable(made, "", row.fault)
        cells = row.cells
        made.reference = self._cell(cells, "reference")
        if fault := self.reference_fault(made.reference):
            return self._unusable(made, "reference", fault)
        self.seen.add(made.reference)
        self._read_handling(made, cells)
        self._read_values(made, cells)
        made.facts = {
            name: value for name, place in self.fact_places.items() if (value := cells[place].strip())
        }
        made.provenance["row"] = str(row.number)
        if group := self._cell(cells, "group"):
            made.provenance["group"] = group
        return made

    def _read_values(self, made: Draft, cells: Sequence[str]) -> None:
        parts = []
        if self.named:
            name = person_name(*(self._cell(cells, each) for each in ("forenames", "surname", "full_name")))
            parts.append(names_part(name, self._values(cells, "aliases")))
        parts.append(self._checked(made, cells, "date_of_birth"))
        if self.placed:
            parts.append(self._places_part(made, cells))
        parts += [self._checked(made, cells, name) for name in self.alone]
        made.parts = [part for part in parts if part]
        made.companies = tuple(
            item["company_number"] for part in parts for item in part if "company_number" in item
        )
        if self.dated:
            start, end = (self._one(made, cells, name) for name in CONTRACT_DATES)
            made.contract = (start, end)
        for field_name in self.contract:
            if value := self._cell(cells, field_name):
                made.provenance[field_name] = value

    def _places_part(self, made: Draft, cells: Sequence[str]) -> Part:
        addresses = [item["address"] for item in self._checked(made, cells, "address")]
        line = " ".join(text for name in ("house_number", "street") if (text := self._cell(cells, name)))
        if line:
            addresses.insert(0, line)
        towns, postcodes = (
            [item[name] for item in self._checked(made, cells, name)] for name in ("town", "postcode")
        )
        return field_values.address_part(addresses, towns, postcodes)

    def _one(self, made: Draft, cells: Sequence[str], name: str) -> str:
        """A date that is no date of birth."""
        value, reason = canonical("date_of_birth", self._cell(cells, name), self.mapping.day_first)
        if reason:
            made.faults.append(RowFault(self.file, made.row, name, reason))
        return value

    def _unusable(self, made: Draft, name: str, reason: str) -> Draft:
        made.unusable = True
        made.faults.append(RowFault(self.file, made.row, name, reason))
        return made

    def reference_fault(self, reference: str) -> str:
        """Why a reference cannot be used, or blank."""
        if not reference:
            return "is missing"
        if len(reference) > MAX_REFERENCE_CHARACTERS:
            return f"is longer than {MAX_REFERENCE_CHARACTERS} characters"
        if not reference.isprintable():
            return "holds a control character"
        return "stands in an earlier row too" if reference in self.seen else ""

    def _cell(self, cells: Sequence[str], name: str) -> str:
        return cells[self.places[name][0]].strip() if name in self.places else ""

    def _values(self, cells: Sequence[str], name: str) -> list[str]:
        separator = self.mapping.separator
        texts = [cells[place] for place in self.places.get(name, ())]
        return [value for text in texts if text for item in text.split(separator) if (value := item.strip())]

    def _checked(self, made: Draft, cells: Sequence[str], name: str) -> Part:
        if name not in self.places:
            return []
        found: dict[str, None] = {}
        slipped: dict[str, None] = {}
        for text in self._values(cells, name):
            value, reason = field_values.checked_value(name, text, self.check, self.mapping.day_first)
            if reason:
                value, kept = field_values.partial_value(name, text, self.check, self.mapping.day_first)
                made.faults.append(RowFault(self.file, made.row, name, reason, kept))
                if value:
                    slipped[value] = None
            elif value:
                found[value] = None
        # Half a date beside a whole one would only blur it.
        found = found or slipped if name == "date_of_birth" else {**found, **slipped}
        return [{name: value} for value in found]

    def _read_handling(self, made: Draft, cells: Sequence[str]) -> None:
        read = self.handling(self._cell(cells, "handling_code"), self._cell(cells, "grading"))
        if read.bad_grading:
            made.faults.append(RowFault(self.file, made.row, "grading", "not a grading such as 2B or 2BP"))
        if read.grading:
            made.provenance["grading"] = read.grading
        if read.assumed:
            self.warn(ASSUMED_CODE)
        if read.bad_code:
            made.faults.append(RowFault(self.file, made.row, "handling_code", "not P or C"))
        made.handling = read.code

    def _handling(self, code: str, grading: str) -> Handling:
        code, grading, bad_grading, kept = code.upper(), grading.upper(), False, ""
        if grading:
            match = _GRADING.fullmatch(grading)
            if match is None:
                bad_grading = True
            else:
                kept = match[1] + match[2]
                code = code or match[3] or ""
        has_column = "handling_code" in self.places or "grading" in self.places
        assumed = False
        if not code:
            # Nothing said where something should be: the careful reading.
            code = "C" if "handling_code" in self.places else self.mapping.handling_code
            assumed = has_column and code == "C"
        bad_code = code not in _HANDLING
        return Handling("C" if bad_code else code, kept, assumed, bad_grading, bad_code)

    def warn(self, text: str, count: int = 1) -> None:
        """Count a warning."""
        if count:
            self.warnings[text] = self.warnings.get(text, 0) + count


def fields_present(parts: Sequence[Part]) -> frozenset[str]:
    """The fields of which a record says something."""
    return frozenset([name for part in parts for item in part for name, value in item.items() if value])


def mapped_fields(mapping: ColumnMapping) -> Mapping[str, tuple[str, ...]]:
    """The fields that a mapping reads, and their columns: what a report shows."""
    return {name: mapping.columns[name] for name in ("reference", *MATCHING) if mapping.columns.get(name)}
