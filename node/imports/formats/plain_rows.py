"""Plain rows of a table, read column by column: the same records as `Drafter` makes one by one, but for a whole chunk at once.

A row is plain if it has no fault and no field has two values. The drafter reads all other rows, in their order.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import compress, repeat

from blindmatch.node.imports.formats import field_values
from blindmatch.node.imports.formats.blank_values import IMPLAUSIBLE_BIRTH, PLACEHOLDER
from blindmatch.node.imports.formats.field_values import canonical, person_name
from blindmatch.node.imports.formats.record_drafts import (
    ASSUMED_CODE,
    CONTRACT_DATES,
    MAX_REFERENCE_CHARACTERS,
    Draft,
    Drafter,
    Handling,
)
from blindmatch.node.imports.formats.tabular import Chunk, Row
from blindmatch.protocol.linkage.normalise import plain_company_numbers

Texts = list[str]


@dataclass(frozen=True)
class PlainRows:
    """Records of plain rows, in order. All columns have one length; a blank text is a missing value."""

    rows: list[int]
    references: Texts = field(repr=False)
    handling: str = field(repr=False)
    """A handling code per record."""
    values: dict[str, Texts] = field(repr=False)
    """By field."""
    facts: dict[str, Texts] = field(repr=False)
    provenance: dict[str, Texts] = field(repr=False)
    contracts: tuple[Texts, Texts] | None = field(repr=False)
    """When each contract starts and ends, where the file has the dates."""

    def __len__(self) -> int:
        return len(self.rows)

    def draft(self, place: int) -> Draft:
        """One record as the drafter would make it."""
        values = {name: texts[place] for name, texts in self.values.items() if texts[place]}
        company = values.get("company_number", "")
        return Draft(
            self.rows[place],
            self.references[place],
            [[values]] if values else [],
            self.handling[place],
            {name: texts[place] for name, texts in self.facts.items() if texts[place]},
            {name: texts[place] for name, texts in self.provenance.items() if texts[place]},
            (company,) if company else (),
            contract=(self.contracts[0][place], self.contracts[1][place]) if self.contracts else ("", ""),
        )

    def select(self, chosen: Sequence[bool]) -> "PlainRows":
        """The chosen records."""
        start, end = self.contracts or ([], [])
        return PlainRows(
            list(compress(self.rows, chosen)),
            list(compress(self.references, chosen)),
            "".join(compress(self.handling, chosen)),
            _select(self.values, chosen),
            _select(self.facts, chosen),
            _select(self.provenance, chosen),
            (list(compress(start, chosen)), list(compress(end, chosen))) if self.contracts else None,
        )


def _select(columns: dict[str, Texts], chosen: Sequence[bool]) -> dict[str, Texts]:
    return {name: list(compress(texts, chosen)) for name, texts in columns.items()}


@dataclass(frozen=True)
class ClassifiedChunk:
    """A chunk: its plain rows, and the order of the file.

    The order has a range (start, stop) for each run of plain rows, and each other row.
    """

    plain: PlainRows
    order: list[tuple[int, int] | Row] = field(repr=False)


class PlainRowReader:
    """Reads the chunks of a drafter's table. The drafter records every reference."""

    def __init__(self, drafter: Drafter) -> None:
        self._drafter = drafter
        self._positions = drafter.positions
        self.applicable = all(
            len(positions) < 2 for name, positions in self._positions.items() if name != "facts"
        )
        """Whether a row can be plain: two columns of one field give two values."""

    def read(self, chunk: Chunk) -> ClassifiedChunk:
        """Separate a chunk's plain rows from the others."""
        drafter, others = self._drafter, set[int]()
        whole, chunk, blanked = chunk, *self._without_placeholders(chunk)
        references = self._texts(chunk, "reference")
        others.update(self._other_references(references))
        handling = self._handling(chunk, others)
        values = self._values(chunk, others)
        implausible = self._blank_implausible(values.get("date_of_birth", []))
        contracts = self._contracts(chunk, others)
        provenance = {"grading": [each.grading for each in handling]} if "grading" in self._positions else {}
        provenance |= {name: self._texts(chunk, name) for name in drafter.contract_fields}
        numbers = range(chunk.first, chunk.first + len(chunk))
        provenance["row"] = [*map(str, numbers)]
        if "group" in self._positions:
            provenance["group"] = self._texts(chunk, "group")
        facts = {name: [*map(str.strip, chunk.columns[at])] for name, at in drafter.fact_positions.items()}
        codes = "".join([each.code for each in handling])
        plain = PlainRows([*numbers], references, codes, values, facts, provenance, contracts)
        if others:
            plain = plain.select([place not in others for place in range(len(chunk))])
        drafter.references.update(plain.references)
        if "C" in codes:  # the drafter counts the other rows
            assumed = sum(each.assumed for place, each in enumerate(handling) if place not in others)
            if assumed:
                drafter.warnings[ASSUMED_CODE] += assumed
        for text, places in ((PLACEHOLDER, blanked), (IMPLAUSIBLE_BIRTH, implausible)):
            if count := sum(place not in others for place in places):
                drafter.warnings[text] += count
        return ClassifiedChunk(plain, _order(whole, others))

    def _without_placeholders(self, chunk: Chunk) -> tuple[Chunk, list[int]]:
        """The chunk with placeholders blanked in the columns that are read, and the place of each placeholder."""
        columns, places = [*chunk.columns], list[int]()
        for position, texts in self._drafter.placeholders.items():
            cells = [*map(str.strip, columns[position])]
            if not texts.isdisjoint(cells):
                places += [place for place, cell in enumerate(cells) if cell in texts]
                cells = ["" if cell in texts else cell for cell in cells]
            columns[position] = cells
        return Chunk(chunk.first, columns), places

    def _blank_implausible(self, dates: Texts) -> list[int]:
        """Blank the dates of birth that nobody can have; returns their places."""
        drafter = self._drafter
        bad = {date for date in set(dates) if drafter.implausible_birth(date, "")}
        places = [place for place, date in enumerate(dates) if date in bad] if bad else []
        for place in places:
            dates[place] = ""
        return places

    def _cells(self, chunk: Chunk, name: str) -> Sequence[str] | None:
        positions = self._positions.get(name)
        return chunk.columns[positions[0]] if positions else None

    def _texts(self, chunk: Chunk, name: str) -> Texts:
        cells = self._cells(chunk, name)
        return [""] * len(chunk) if cells is None else [*map(str.strip, cells)]

    def _other_references(self, references: Texts) -> Iterable[int]:
        drafter, distinct = self._drafter, set(references)
        if (
            len(distinct) == len(references)
            and "" not in distinct
            and drafter.references.isdisjoint(distinct)
            and len(max(distinct, key=len)) <= MAX_REFERENCE_CHARACTERS
            and "".join(references).isprintable()
        ):
            return ()
        count = Counter(references)
        return [i for i, text in enumerate(references) if count[text] > 1 or drafter.reference_fault(text)]

    def _handling(self, chunk: Chunk, others: set[int]) -> list[Handling]:
        if not {"handling_code", "grading"} & self._positions.keys():
            return [self._drafter.handling("", "")] * len(chunk)
        written = list(zip(self._texts(chunk, "handling_code"), self._texts(chunk, "grading"), strict=True))
        handlings = {each: self._drafter.handling(*each) for each in set(written)}
        if any(handling.bad_code or handling.bad_grading for handling in handlings.values()):
            others.update(
                i for i, each in enumerate(written) if handlings[each].bad_code or handlings[each].bad_grading
            )
        return [handlings[each] for each in written]

    def _values(self, chunk: Chunk, others: set[int]) -> dict[str, Texts]:
        drafter, values = self._drafter, dict[str, Texts]()
        if drafter.has_names:
            aliases = self._cells(chunk, "aliases") or ()
            others.update(i for i, cell in enumerate(aliases) if cell.strip())
            cells_of = (self._cells(chunk, name) for name in ("forenames", "surname", "full_name"))
            columns = [
                repeat("", len(chunk)) if cells is None else map(str.strip, cells) for cells in cells_of
            ]
            names = list(map(person_name, *columns))
            for place, name in enumerate(("forenames", "surname")):
                values[name] = self._checked(name, [each[place] for each in names], others)
        for name in (
            "date_of_birth",
            *(("address", "town", "postcode") if drafter.has_address else ()),
            *drafter.independent_fields,
        ):
            if name in self._positions:
                values[name] = self._parsed(name, self._texts(chunk, name), others)
        if "house_number" in self._positions or "street" in self._positions:
            self._join_address(chunk, values, others)
        if "address" in values:
            _complete_addresses(values)
        return values

    def _join_address(self, chunk: Chunk, values: dict[str, Texts], others: set[int]) -> None:
        parts = zip(self._texts(chunk, "house_number"), self._texts(chunk, "street"), strict=True)
        lines = self._checked("address", [" ".join(filter(None, each)) for each in parts], others)
        whole = values.get("address")
        if whole is not None:
            others.update(
                i for i, (line, other) in enumerate(zip(lines, whole, strict=True)) if line and other
            )
            lines = [line or other for line, other in zip(lines, whole, strict=True)]
        values["address"] = lines

    def _parsed(self, name: str, texts: Texts, others: set[int]) -> Texts:
        """Values as the drafter reads them. A row with several in one cell, or with a fault, is not plain."""
        drafter, separator = self._drafter, self._drafter.mapping.separator
        if name == "company_number" and separator not in "".join(texts) and plain_company_numbers(texts):
            return texts

        def read(text: str) -> tuple[str, str]:
            if separator in text:
                return "", "several"
            return field_values.checked_value(name, text, drafter.check, drafter.mapping.day_first)

        return _each(read, texts, others)

    def _checked(self, name: str, texts: Texts, others: set[int]) -> Texts:
        """Values as they are written. A row with a value that the schema refuses is not plain."""
        check = self._drafter.check
        return _each(lambda text: (text, check(name, text)), texts, others)

    def _contracts(self, chunk: Chunk, others: set[int]) -> tuple[Texts, Texts] | None:
        if not self._drafter.has_contract_dates:
            return None
        read = partial(canonical, "date_of_birth", day_first=self._drafter.mapping.day_first)
        start, end = (_each(read, self._texts(chunk, name), others) for name in CONTRACT_DATES)
        return start, end


def _complete_addresses(values: dict[str, Texts]) -> None:
    """Fill towns and postcodes from the end of addresses, as `field_values.completed` does for one record."""
    addresses = values["address"]
    blank = [""] * len(addresses)
    codes, towns = (values.get(name, blank) for name in ("postcode", "town"))
    rows = [
        place
        for place, (address, code, town) in enumerate(zip(addresses, codes, towns, strict=True))
        if address and not (code and town)
    ]
    if not rows:
        return
    values["postcode"], values["town"] = codes, towns = codes.copy(), towns.copy()
    for place in rows:
        item = {"address": addresses[place], "postcode": codes[place], "town": towns[place]}
        whole = field_values.completed({name: text for name, text in item.items() if text})
        codes[place], towns[place] = whole.get("postcode", ""), whole.get("town", "")


def _each(read: Callable[[str], tuple[str, str]], texts: Texts, others: set[int]) -> Texts:
    """Read every distinct text once; a row with a reason for refusal is not plain."""
    results = {text: read(text) if text else ("", "") for text in set(texts)}
    bad = {text for text, (_, reason) in results.items() if reason}
    if bad:
        others.update(i for i, text in enumerate(texts) if text in bad)
    return [results[text][0] for text in texts]


def _order(chunk: Chunk, others: set[int]) -> list[tuple[int, int] | Row]:
    order: list[tuple[int, int] | Row] = []
    read = plain = 0  # rows of the chunk, and plain ones among them
    for place in (*sorted(others), len(chunk)):
        if place > read:
            order.append((plain, plain + place - read))
            plain += place - read
        if place < len(chunk):
            order.append(chunk.row(place))
        read = place + 1
    return order
