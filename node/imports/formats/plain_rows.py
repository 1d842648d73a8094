"""Rows that need nothing special, column by column: what `Drafter` makes of them one by one, for a whole chunk at once.

A row is plain when nothing is wrong with it and no field has two values. All others go to the drafter, in their place.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import compress, repeat

from blindmatch.node.imports.formats import field_values
from blindmatch.node.imports.formats.drafts import (
    ASSUMED_CODE,
    CONTRACT_DATES,
    MAX_REFERENCE_CHARACTERS,
    Draft,
    Drafter,
    Handling,
)
from blindmatch.node.imports.formats.field_values import canonical, person_name
from blindmatch.node.imports.formats.tabular import Chunk, Row
from blindmatch.protocol.linkage.normalise import plain_company_numbers

Texts = list[str]


@dataclass(frozen=True)
class PlainRows:
    """Records of plain rows, in order. All columns are of one length; a blank text says nothing."""

    rows: list[int]
    references: Texts = field(repr=False)
    handling: str = field(repr=False)
    """A letter per record."""
    values: dict[str, Texts] = field(repr=False)
    """By field."""
    facts: dict[str, Texts] = field(repr=False)
    provenance: dict[str, Texts] = field(repr=False)
    contracts: tuple[Texts, Texts] | None = field(repr=False)
    """When each contract begins and ends, where the file has it."""

    def __len__(self) -> int:
        return len(self.rows)

    def draft(self, place: int) -> Draft:
        """One record as the drafter would have made it."""
        said = {name: texts[place] for name, texts in self.values.items() if texts[place]}
        company = said.get("company_number", "")
        return Draft(
            self.rows[place],
            self.references[place],
            [[said]] if said else [],
            self.handling[place],
            {name: texts[place] for name, texts in self.facts.items() if texts[place]},
            {name: texts[place] for name, texts in self.provenance.items() if texts[place]},
            (company,) if company else (),
            contract=(self.contracts[0][place], self.contracts[1][place]) if self.contracts else ("", ""),
        )

    def only(self, kept: Sequence[bool]) -> "PlainRows":
        """The records that are kept."""
        start, end = self.contracts or ([], [])
        return PlainRows(
            list(compress(self.rows, kept)),
            list(compress(self.references, kept)),
            "".join(compress(self.handling, kept)),
            _only(self.values, kept),
            _only(self.facts, kept),
            _only(self.provenance, kept),
            (list(compress(start, kept)), list(compress(end, kept))) if self.contracts else None,
        )


def _only(columns: dict[str, Texts], kept: Sequence[bool]) -> dict[str, Texts]:
    return {name: list(compress(texts, kept)) for name, texts in columns.items()}


@dataclass(frozen=True)
class ClassifiedChunk:
    """A chunk: its plain rows, and in the file's order which of them follow each other (from, to), and the other rows."""

    plain: PlainRows
    order: list[tuple[int, int] | Row] = field(repr=False)


class PlainReader:
    """Reads chunks for a drafter, which is told of every reference."""

    def __init__(self, drafter: Drafter) -> None:
        self._drafter = drafter
        self._places = drafter.places
        self.serves = all(len(places) < 2 for name, places in self._places.items() if name != "facts")
        """Whether any row can be plain: two columns of one field make two values."""

    def read(self, chunk: Chunk) -> ClassifiedChunk:
        """Sort a chunk's rows."""
        drafter, odd = self._drafter, set[int]()
        references = self._texts(chunk, "reference")
        odd.update(self._odd_references(references))
        handling = self._handling(chunk, odd)
        said = self._said(chunk, odd)
        contracts = self._contracts(chunk, odd)
        provenance = {"grading": [each.grading for each in handling]} if "grading" in self._places else {}
        provenance |= {name: self._texts(chunk, name) for name in drafter.contract}
        numbers = range(chunk.first, chunk.first + len(chunk))
        provenance["row"] = [*map(str, numbers)]
        if "group" in self._places:
            provenance["group"] = self._texts(chunk, "group")
        facts = {name: [*map(str.strip, chunk.columns[at])] for name, at in drafter.fact_places.items()}
        codes = "".join([each.code for each in handling])
        plain = PlainRows([*numbers], references, codes, said, facts, provenance, contracts)
        if odd:
            plain = plain.only([place not in odd for place in range(len(chunk))])
        drafter.seen.update(plain.references)
        if "C" in codes:  # the other rows are counted by the drafter
            assumed = sum(each.assumed for place, each in enumerate(handling) if place not in odd)
            drafter.warn(ASSUMED_CODE, assumed)
        return ClassifiedChunk(plain, _order(chunk, odd))

    def _cells(self, chunk: Chunk, name: str) -> Sequence[str] | None:
        places = self._places.get(name)
        return chunk.columns[places[0]] if places else None

    def _texts(self, chunk: Chunk, name: str) -> Texts:
        cells = self._cells(chunk, name)
        return [""] * len(chunk) if cells is None else [*map(str.strip, cells)]

    def _odd_references(self, references: Texts) -> Iterable[int]:
        drafter, distinct = self._drafter, set(references)
        if (
            len(distinct) == len(references)
            and "" not in distinct
            and drafter.seen.isdisjoint(distinct)
            and len(max(distinct, key=len)) <= MAX_REFERENCE_CHARACTERS
            and "".join(references).isprintable()
        ):
            return ()
        count = Counter(references)
        return [i for i, text in enumerate(references) if count[text] > 1 or drafter.reference_fault(text)]

    def _handling(self, chunk: Chunk, odd: set[int]) -> list[Handling]:
        if not {"handling_code", "grading"} & self._places.keys():
            return [self._drafter.handling("", "")] * len(chunk)
        written = list(zip(self._texts(chunk, "handling_code"), self._texts(chunk, "grading"), strict=True))
        known = {each: self._drafter.handling(*each) for each in set(written)}
        if any(read.bad_code or read.bad_grading for read in known.values()):
            odd.update(i for i, each in enumerate(written) if known[each].bad_code or known[each].bad_grading)
        return [known[each] for each in written]

    def _said(self, chunk: Chunk, odd: set[int]) -> dict[str, Texts]:
        drafter, said = self._drafter, dict[str, Texts]()
        if drafter.named:
            aliases = self._cells(chunk, "aliases") or ()
            odd.update(i for i, cell in enumerate(aliases) if cell.strip())
            given = (self._cells(chunk, name) for name in ("forenames", "surname", "full_name"))
            columns = [repeat("", len(chunk)) if cells is None else map(str.strip, cells) for cells in given]
            names = list(map(person_name, *columns))
            for place, name in enumerate(("forenames", "surname")):
                said[name] = self._checked(name, [each[place] for each in names], odd)
        for name in (
            "date_of_birth",
            *(("address", "town", "postcode") if drafter.placed else ()),
            *drafter.alone,
        ):
            if name in self._places:
                said[name] = self._usable(name, self._texts(chunk, name), odd)
        if "house_number" in self._places or "street" in self._places:
            self._join_address(chunk, said, odd)
        return said

    def _join_address(self, chunk: Chunk, said: dict[str, Texts], odd: set[int]) -> None:
        parts = zip(self._texts(chunk, "house_number"), self._texts(chunk, "street"), strict=True)
        lines = self._checked("address", [" ".join(filter(None, each)) for each in parts], odd)
        whole = said.get("address")
        if whole is not None:
            odd.update(i for i, (line, other) in enumerate(zip(lines, whole, strict=True)) if line and other)
            lines = [line or other for line, other in zip(lines, whole, strict=True)]
        said["address"] = lines

    def _usable(self, name: str, texts: Texts, odd: set[int]) -> Texts:
        """Values as the drafter keeps them; several in one cell, or one with a fault, make a row odd."""
        drafter, separator = self._drafter, self._drafter.mapping.separator
        if name == "company_number" and separator not in "".join(texts) and plain_company_numbers(texts):
            return texts

        def read(text: str) -> tuple[str, str]:
            if separator in text:
                return "", "several"
            return field_values.checked_value(name, text, drafter.check, drafter.mapping.day_first)

        return _each(read, texts, odd)

    def _checked(self, name: str, texts: Texts, odd: set[int]) -> Texts:
        """Values as they are; one that the schema refuses makes a row odd."""
        check = self._drafter.check
        return _each(lambda text: (text, check(name, text)), texts, odd)

    def _contracts(self, chunk: Chunk, odd: set[int]) -> tuple[Texts, Texts] | None:
        if not self._drafter.dated:
            return None
        day_first = self._drafter.mapping.day_first

        def read(text: str) -> tuple[str, str]:
            return canonical("date_of_birth", text, day_first)

        start, end = (_each(read, self._texts(chunk, name), odd) for name in CONTRACT_DATES)
        return start, end


def _each(read: Callable[[str], tuple[str, str]], texts: Texts, odd: set[int]) -> Texts:
    """Read every distinct text once; those with a reason are odd."""
    known = {text: read(text) if text else ("", "") for text in set(texts)}
    bad = {text for text, (_, reason) in known.items() if reason}
    if bad:
        odd.update(i for i, text in enumerate(texts) if text in bad)
    return [known[text][0] for text in texts]


def _order(chunk: Chunk, odd: set[int]) -> list[tuple[int, int] | Row]:
    order: list[tuple[int, int] | Row] = []
    done = begun = 0
    for place in (*sorted(odd), len(chunk)):
        if place > done:
            order.append((begun, begun + place - done))
            begun += place - done
        if place < len(chunk):
            order.append(chunk.row(place))
        done = place + 1
    return order
