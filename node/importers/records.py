"""From a row's cells to a draft of a record: values by field, canonical, each fault with its field and reason."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

from blindmatch.node.importers.mapping import MATCHING, ColumnMapping, fact_names
from blindmatch.node.importers.table import Row, Table
from blindmatch.protocol.linkage.dates import date
from blindmatch.protocol.linkage.normalise import (
    company_number,
    forenames,
    postcode,
    split_full_name,
    surname,
)

MAX_REFERENCE_CHARACTERS: Final = 200
_CACHED_VALUES: Final = 1 << 15
_HANDLING: Final = frozenset("PC")
# 3x5x2: source 1 to 3, information A to E, and often the handling code P or C after it.
_GRADING = re.compile(r"([1-3])[ /-]?([A-E])[ /-]?([PC])?")

Part = list[dict[str, str]]
"""The alternatives for one thing that a record says: its names, its dates, its postcodes."""


class RowFault(NamedTuple):
    """What is wrong in one row; never the value itself."""

    file: str
    row: int
    field: str
    reason: str


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


@lru_cache(maxsize=_CACHED_VALUES)
def _canonical(kind: str, text: str, day_first: bool) -> tuple[str, str]:
    """(canonical, "") or ("", reason)."""
    try:
        if kind == "date_of_birth":
            return date(text, day_first=day_first), ""
        return (postcode if kind == "postcode" else company_number)(text), ""
    except ValueError as error:
        return "", str(error)


@lru_cache(maxsize=_CACHED_VALUES)
def _name(given: str, family: str, whole: str) -> tuple[str, str]:
    """Canonical (forenames, surname); the whole name serves where one of them is missing."""
    first, last = forenames(given), surname(family)
    if whole and not (first and last):
        split = split_full_name(whole)
        if all(split) or not (first or last):
            return split
    return first, last


def forget() -> None:
    """Empty the caches: they hold names, and an import is over."""
    _canonical.cache_clear()
    _name.cache_clear()


def names_part(primary: tuple[str, str], aliases: Iterable[str]) -> Part:
    """The names of a record: its own, then its aliases. An alias of one word stands in for the forename."""
    found = dict.fromkeys([primary] if any(primary) else [])
    for alias in aliases:
        first, last = _name("", "", alias)
        if first and last:
            found[first, last] = None
        elif last and primary[1]:
            found[forenames(alias), primary[1]] = None
    return [{"forenames": first, "surname": last} for first, last in found]


class Drafter:
    """Makes drafts of a table's rows by a mapping.

    Args:
        table: its header must have every column that the mapping names.
        mapping: fields to columns.

    Raises:
        InputError: a column is missing.
    """

    def __init__(self, table: Table, mapping: ColumnMapping) -> None:
        self.file = table.path.name
        self.warnings: dict[str, int] = {}
        """Things worth knowing that are no faults, and how often."""
        self._mapping = mapping
        self._places = mapping.places(table.header, str(table.path))
        self.facts = fact_names([table.header[place] for place in self._places["facts"]])
        """The facts' names, as agreements write them, to their columns."""
        self._facts = [(name, table.header.index(column)) for name, column in self.facts.items()]
        self._seen: set[str] = set()

    def draft(self, row: Row) -> Draft:
        """One row as a draft, with its faults."""
        made = Draft(row.number)
        if row.fault:
            return self._unusable(made, "", row.fault)
        cells = row.cells
        made.reference = self._cell(cells, "reference")
        if fault := self._reference_fault(made.reference):
            return self._unusable(made, "reference", fault)
        self._seen.add(made.reference)
        self._read_handling(made, cells)
        names = names_part(
            _name(
                self._cell(cells, "forenames"), self._cell(cells, "surname"), self._cell(cells, "full_name")
            ),
            self._values(cells, "aliases"),
        )
        dates = self._checked(made, cells, "date_of_birth")
        postcodes = self._checked(made, cells, "postcode")
        companies = self._checked(made, cells, "company_number")
        made.companies = tuple(item["company_number"] for item in companies)
        made.parts = [part for part in (names, dates, postcodes, companies) if part]
        made.facts = {name: value for name, place in self._facts if (value := cells[place].strip())}
        made.provenance["row"] = str(row.number)
        if group := self._cell(cells, "group"):
            made.provenance["group"] = group
        return made

    def _unusable(self, made: Draft, name: str, reason: str) -> Draft:
        made.unusable = True
        made.faults.append(RowFault(self.file, made.row, name, reason))
        return made

    def _reference_fault(self, reference: str) -> str:
        if not reference:
            return "is missing"
        if len(reference) > MAX_REFERENCE_CHARACTERS:
            return f"is longer than {MAX_REFERENCE_CHARACTERS} characters"
        if not reference.isprintable():
            return "holds a control character"
        return "stands in an earlier row too" if reference in self._seen else ""

    def _cell(self, cells: Sequence[str], name: str) -> str:
        places = self._places.get(name)
        return cells[places[0]].strip() if places else ""

    def _values(self, cells: Sequence[str], name: str) -> list[str]:
        separator = self._mapping.separator
        texts = [cells[place] for place in self._places.get(name, ())]
        return [value for text in texts if text for item in text.split(separator) if (value := item.strip())]

    def _checked(self, made: Draft, cells: Sequence[str], name: str) -> Part:
        found: dict[str, None] = {}
        for text in self._values(cells, name):
            value, reason = _canonical(name, text, self._mapping.day_first)
            if reason:
                made.faults.append(RowFault(self.file, made.row, name, reason))
            elif value:
                found[value] = None
        return [{name: value} for value in found]

    def _read_handling(self, made: Draft, cells: Sequence[str]) -> None:
        code, grading = self._cell(cells, "handling_code").upper(), self._cell(cells, "grading").upper()
        if grading:
            match = _GRADING.fullmatch(grading)
            if match is None:
                made.faults.append(
                    RowFault(self.file, made.row, "grading", "not a grading such as 2B or 2BP")
                )
            else:
                made.provenance["grading"] = match[1] + match[2]
                code = code or match[3] or ""
        has_column = "handling_code" in self._places or "grading" in self._places
        if not code:
            # Nothing said where something should be: the careful reading.
            code = "C" if "handling_code" in self._places else self._mapping.handling_code
            if has_column and code == "C":
                self.warn("rows without a handling code were taken as C (with conditions)")
        if code not in _HANDLING:
            made.faults.append(RowFault(self.file, made.row, "handling_code", "not P or C"))
            code = "C"
        made.handling = code

    def warn(self, text: str) -> None:
        """Count a warning."""
        self.warnings[text] = self.warnings.get(text, 0) + 1


def says_enough(parts: Sequence[Part], keys: Iterable[frozenset[str]]) -> bool:
    """Whether a record with these values answers at least one key, given each key's fields."""
    said = {name for part in parts for item in part for name, value in item.items() if value}
    return any(fields <= said for fields in keys)


def summary(mapping: ColumnMapping) -> Mapping[str, tuple[str, ...]]:
    """The fields that a mapping reads, and their columns: what a report shows."""
    return {name: mapping.columns[name] for name in ("reference", *MATCHING) if mapping.columns.get(name)}
