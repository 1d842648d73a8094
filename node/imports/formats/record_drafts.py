"""Drafts of records: values by field, checked, and each fault with its row, field and reason."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from blindmatch.node.imports.formats import field_values
from blindmatch.node.imports.formats.blank_values import (
    IMPLAUSIBLE_BIRTH,
    PLACEHOLDER,
    implausible_birth,
    placeholders,
)
from blindmatch.node.imports.formats.column_mapping import CONTRACT, MATCHING, SEVERAL, ColumnMapping
from blindmatch.node.imports.formats.field_values import Check, accept_any, canonical, person_name
from blindmatch.node.imports.formats.tabular import Row, Table

MAX_REFERENCE_CHARACTERS: Final = 200
_HANDLING: Final = frozenset("PC")
# 3x5x2: source 1 to 3, information A to E, and often the handling code P or C after it.
_GRADING = re.compile(r"([1-3])[ /-]?([A-E])[ /-]?([PC])?")
_INDEPENDENT: Final = tuple(
    name for name in SEVERAL if name not in {"aliases", "address", "town", "postcode", "date_of_birth"}
)
"""Fields whose values do not depend on each other; an address, its town and its postcode belong together."""

CONTRACT_DATES: Final = ("contract_start", "contract_end")

ASSUMED_CODE: Final = "rows without a handling code were taken as C (with conditions)"
_CACHED_HANDLING: Final = 1 << 10

Part = list[dict[str, str]]
"""Alternatives for one attribute of a record: its names, its dates of birth, its addresses."""


class RowFault(NamedTuple):
    """A fault of one row. It never contains the value."""

    file: str
    row: int
    field: str
    reason: str
    kept: str = ""
    """Which part of the value is stored if the row is; blank for none."""


@dataclass(slots=True)
class Draft:
    """One record before it is stored. An `unusable` one cannot be stored even without its faulty fields."""

    row: int
    reference: str = field(default="", repr=False)
    parts: list[Part] = field(default_factory=list, repr=False)
    handling: str = "P"
    facts: dict[str, str] = field(default_factory=dict, repr=False)
    """Values that an agreement may release with a hit."""
    provenance: dict[str, str] = field(default_factory=dict, repr=False)
    companies: tuple[str, ...] = field(default=(), repr=False)
    """Canonical numbers of the record's companies."""
    faults: list[RowFault] = field(default_factory=list)
    unusable: bool = False
    entity: str = field(default="", repr=False)
    """Equal for records of one person or company; blank for a record that shares its subject with no other."""
    contract: tuple[str, str] = ("", "")
    """When the contract starts and ends, where the row has the dates."""


class Handling(NamedTuple):
    """How one row may be handled."""

    code: str
    """P or C; C, the stricter one, where the row has no valid code."""
    grading: str
    assumed: bool
    bad_grading: bool
    bad_code: bool


def fault_draft(file: str, row: int, reason: str, name: str = "") -> Draft:
    """An unusable draft with one fault."""
    return Draft(row, faults=[RowFault(file, row, name, reason)], unusable=True)


def non_blank(values: Mapping[str, str]) -> dict[str, str]:
    """The values that are not blank."""
    return {name: value for name, value in values.items() if value}


def names_part(primary: tuple[str, str], aliases: Sequence[str]) -> Part:
    """The names of a record: its own, then its aliases. An alias of one word replaces the forename."""
    if not aliases:
        return [{"forenames": primary[0], "surname": primary[1]}] if any(primary) else []
    names = {field_values.name_key(*primary): primary} if any(primary) else {}
    for alias in aliases:
        first, last = person_name("", "", alias)
        name = (first, last) if first and last else (alias, primary[1]) if last and primary[1] else None
        if name:
            names.setdefault(field_values.name_key(*name), name)
    return [{"forenames": first, "surname": last} for first, last in names.values()]


def person_key(name: tuple[str, str], born: Part, address: Part) -> str:
    """A text that two records of one person are likely to share and two people's are not.

    It is blank without a full name and a date of birth.
    """
    if not (all(name) and born):
        return ""
    postcode = next((item["postcode"] for item in address if "postcode" in item), "")
    return f"person/{field_values.name_key(*name)}/{born[0]['date_of_birth'][:7]}/{postcode}"


def parts_person_key(parts: Sequence[Part]) -> str:
    """The `person_key` of a record's parts in any order, without the address."""
    name = next((part[0] for part in parts if part and "surname" in part[0]), {})
    born = next((part for part in parts if part and "date_of_birth" in part[0]), [])
    return person_key((name.get("forenames", ""), name.get("surname", "")), born, [])


def numbered_reference(record: str, place: int, count: int) -> str:
    """The reference of the draft at a place, counted from 0, of the `count` drafts of one record of a file."""
    return (f"{record}/{place + 1}" if count > 1 else record)[:MAX_REFERENCE_CHARACTERS]


class Drafter:
    """Makes drafts of a table's rows.

    Args:
        table: its header must have every column that the mapping names.
        mapping: fields to columns.
        check: why the linkage schema cannot use a value.
        today: as `YYYY-MM-DD`, for dates of birth; blank for no limit.

    Raises:
        InputError: a column is missing.
    """

    def __init__(
        self, table: Table, mapping: ColumnMapping, check: Check = accept_any, *, today: str = ""
    ) -> None:
        self.file = table.path.name
        self.warnings: Counter[str] = Counter()
        """Observations that are not faults, and how often each occurred."""
        self._header = table.header
        self.mapping = mapping
        self.check = check
        self.today = today
        self.positions = mapping.positions(table.header, str(table.path))
        """Fields to the positions of their columns."""
        self.fact_positions = mapping.fact_positions(table.header, self.positions)
        self.placeholders = {
            position: placeholders(name)
            for name in reversed(self.positions)  # a column of a field that is a fact too has the field's
            for position in self.positions[name]
        }
        """The texts without a value of each position that is read."""
        self.references: set[str] = set()
        """References of the rows so far."""
        self.handling = lru_cache(maxsize=_CACHED_HANDLING)(self._handling)
        """(handling code, grading) as they are written to their meaning."""
        # Most files have few of the fields: a field without a column is not looked for in every row.
        self.has_names = self._has("forenames", "surname", "full_name", "aliases")
        self.has_address = self._has("address", "house_number", "street", "town", "postcode")
        self.independent_fields = tuple(name for name in _INDEPENDENT if self._has(name))
        self.has_contract_dates = self._has(*CONTRACT_DATES)
        self.contract_fields = tuple(name for name in CONTRACT if self._has(name))

    def _has(self, *names: str) -> bool:
        return any(name in self.positions for name in names)

    @property
    def facts(self) -> dict[str, str]:
        """Names of facts, and the heading of the column that each comes from."""
        return {name: self._header[position] for name, position in self.fact_positions.items()}

    def draft(self, row: Row) -> Draft:
        """One row as a draft, with its faults."""
        draft = Draft(row.number)
        if row.fault:
            return self._unusable(draft, "", row.fault)
        cells = self._without_placeholders(row.cells)
        draft.reference = self._cell(cells, "reference")
        if fault := self.reference_fault(draft.reference):
            return self._unusable(draft, "reference", fault)
        self.references.add(draft.reference)
        self._read_handling(draft, cells)
        self._read_values(draft, cells)
        draft.facts = non_blank(
            {name: cells[position].strip() for name, position in self.fact_positions.items()}
        )
        draft.provenance["row"] = str(row.number)
        if group := self._cell(cells, "group"):
            draft.provenance["group"] = group
        return draft

    def _without_placeholders(self, cells: list[str]) -> list[str]:
        places = [at for at, texts in self.placeholders.items() if cells[at].strip() in texts]
        if not places:
            return cells
        self.warnings[PLACEHOLDER] += len(places)
        blanked = cells.copy()
        for place in places:
            blanked[place] = ""
        return blanked

    def _read_values(self, draft: Draft, cells: Sequence[str]) -> None:
        parts = []
        if self.has_names:
            name = person_name(*(self._cell(cells, each) for each in ("forenames", "surname", "full_name")))
            parts.append(names_part(name, self._values(cells, "aliases")))
        parts.append(self._checked(draft, cells, "date_of_birth"))
        if self.has_address:
            parts.append(self._address_part(draft, cells))
        parts += [self._checked(draft, cells, name) for name in self.independent_fields]
        draft.parts = [part for part in parts if part]
        draft.companies = tuple(
            item["company_number"] for part in parts for item in part if "company_number" in item
        )
        if self.has_contract_dates:
            start, end = (self._contract_date(draft, cells, name) for name in CONTRACT_DATES)
            draft.contract = (start, end)
        draft.provenance |= non_blank({name: self._cell(cells, name) for name in self.contract_fields})

    def _address_part(self, draft: Draft, cells: Sequence[str]) -> Part:
        addresses = [item["address"] for item in self._checked(draft, cells, "address")]
        line = " ".join(text for name in ("house_number", "street") if (text := self._cell(cells, name)))
        if line:
            addresses.insert(0, line)
        towns, postcodes = (
            [item[name] for item in self._checked(draft, cells, name)] for name in ("town", "postcode")
        )
        return field_values.address_part(addresses, towns, postcodes)

    def _contract_date(self, draft: Draft, cells: Sequence[str], name: str) -> str:
        value, reason = canonical("date_of_birth", self._cell(cells, name), self.mapping.day_first)
        if reason:
            self._add_fault(draft, name, reason)
        return value

    def _add_fault(self, draft: Draft, name: str, reason: str, stored: str = "") -> None:
        draft.faults.append(RowFault(self.file, draft.row, name, reason, stored))

    def _unusable(self, draft: Draft, name: str, reason: str) -> Draft:
        draft.unusable = True
        self._add_fault(draft, name, reason)
        return draft

    def reference_fault(self, reference: str) -> str:
        """Why a reference cannot be used, or blank."""
        if not reference:
            return "is missing"
        if len(reference) > MAX_REFERENCE_CHARACTERS:
            return f"is longer than {MAX_REFERENCE_CHARACTERS} characters"
        if not reference.isprintable():
            return "contains a control character"
        return "is already used by an earlier row" if reference in self.references else ""

    def _cell(self, cells: Sequence[str], name: str) -> str:
        return cells[self.positions[name][0]].strip() if name in self.positions else ""

    def _values(self, cells: Sequence[str], name: str) -> list[str]:
        separator = self.mapping.separator
        texts = [cells[position] for position in self.positions.get(name, ())]
        values = [item.strip() for text in texts if text for item in text.split(separator)]
        blank = placeholders(name)
        if not blank.isdisjoint(values):
            self.warnings[PLACEHOLDER] += sum(value in blank for value in values)
        return [value for value in values if value and value not in blank]

    def _checked(self, draft: Draft, cells: Sequence[str], name: str) -> Part:
        if name not in self.positions:
            return []
        valid: dict[str, None] = {}
        partial: dict[str, None] = {}
        for text in self._values(cells, name):
            value, reason = field_values.checked_value(name, text, self.check, self.mapping.day_first)
            if name == "date_of_birth" and self.implausible_birth(value, reason):
                self.warnings[IMPLAUSIBLE_BIRTH] += 1
                continue
            if reason:
                value, stored = field_values.partial_value(name, text, self.check, self.mapping.day_first)
                self._add_fault(draft, name, reason, stored)
                if value:
                    partial[value] = None
            elif value:
                valid[value] = None
        # A partial date next to a complete one would only make the record less specific.
        values = valid or partial if name == "date_of_birth" else {**valid, **partial}
        return [{name: value} for value in values]

    def implausible_birth(self, value: str, reason: str) -> bool:
        """Whether a date of birth is read as blank, from what `checked_value` returned for it."""
        return bool(self.today) and (
            reason in field_values.UNKNOWN_DATES or implausible_birth(value, self.today)
        )

    def _read_handling(self, draft: Draft, cells: Sequence[str]) -> None:
        handling = self.handling(self._cell(cells, "handling_code"), self._cell(cells, "grading"))
        if handling.bad_grading:
            self._add_fault(draft, "grading", "is not a grading such as 2B or 2BP")
        if handling.grading:
            draft.provenance["grading"] = handling.grading
        if handling.assumed:
            self.warnings[ASSUMED_CODE] += 1
        if handling.bad_code:
            self._add_fault(draft, "handling_code", "is neither P nor C")
        draft.handling = handling.code

    def _handling(self, code: str, grading: str) -> Handling:
        code, grading, bad_grading, letters = code.upper(), grading.upper(), False, ""
        if grading:
            match = _GRADING.fullmatch(grading)
            if match is None:
                bad_grading = True
            else:
                letters = match[1] + match[2]
                code = code or match[3] or ""
        has_column = "handling_code" in self.positions or "grading" in self.positions
        assumed = False
        if not code:
            # A blank cell in a column of handling codes: use the stricter code.
            code = "C" if "handling_code" in self.positions else self.mapping.handling_code
            assumed = has_column and code == "C"
        bad_code = code not in _HANDLING
        return Handling("C" if bad_code else code, letters, assumed, bad_grading, bad_code)


def fields_present(parts: Sequence[Part]) -> frozenset[str]:
    """The fields for which a record has a value."""
    return frozenset([name for part in parts for item in part for name, value in item.items() if value])


def mapped_fields(mapping: ColumnMapping) -> Mapping[str, tuple[str, ...]]:
    """The fields that a mapping reads, and their columns, for the report."""
    return {name: mapping.columns[name] for name in ("reference", *MATCHING) if mapping.columns.get(name)}
