"""Batches of plain rows on the way into blocks, column by column. The stored bytes are those of one row at a time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import compress, repeat

import numpy as np
import numpy.typing as npt

from blindmatch.node.imports.blocks import ENTITY_BYTES, json_lines
from blindmatch.node.imports.formats.plain_rows import PlainRows
from blindmatch.protocol.linkage import RecordBuilder


@dataclass(frozen=True)
class Batch:
    """Plain rows ready for their blocks, without those that have too few fields for any match key."""

    lines: list[str] = field(repr=False)
    """The sealed part of each record, as JSON."""
    handling: str = field(repr=False)
    """A handling code per record."""
    entities: bytes = field(repr=False)
    """8 bytes per record."""
    digests: bytes = field(repr=False)
    """A row of level digests per record, in the order of `RecordBuilder.rows`."""
    places: npt.NDArray[np.int64] = field(repr=False)
    """(plain rows + 1,) the number of this batch's records before each plain row."""
    unnumbered: int
    """Suppliers among the plain rows that have neither a company number nor a role."""

    def row_digests(self, start: int, stop: int) -> bytes:
        """The level digests of the records `start` to `stop` (excluded)."""
        width = len(self.digests) // max(len(self.lines), 1)
        return self.digests[start * width : stop * width]


def build_batch(
    plain: PlainRows,
    builder: RecordBuilder,
    sufficient: Callable[[frozenset[str]], bool],
    entities: Callable[[list[str]], bytes],
    kind: str,
) -> Batch:
    """Make a batch of plain rows.

    Args:
        plain: the rows.
        builder: of the schema's level digests.
        sufficient: whether some match key can find a record with these fields.
        entities: 8 bytes for each text, zeros for a blank one.
        kind: of the collection. A supplier has its company number among its facts; a subject is not its company.

    Raises:
        ValueError: the schema refuses a value.
    """
    companies = plain.values.get("company_number") or [""] * len(plain)
    roles = plain.facts.get("role") or repeat("", len(plain))
    unnumbered = 0
    suppliers = kind == "suppliers"
    if suppliers and not all(companies):
        unnumbered = sum(not (company or role) for company, role in zip(companies, roles, strict=True))
    chosen = _sufficient_rows(plain, sufficient)
    places = np.concatenate([[0], np.cumsum(chosen)])
    if places[-1] < len(plain):
        plain = plain.select(chosen.tolist())
    companies = plain.values.get("company_number") or [""] * len(plain)
    facts = plain.facts
    if suppliers and any(companies):
        company_facts = {
            "company_number": companies,
            "role": ["company" if text else "" for text in companies],
        }
        for name in company_facts.keys() & facts.keys():
            pairs = zip(facts[name], company_facts[name], strict=True)
            company_facts[name] = [own or other for own, other in pairs]
        facts = company_facts | {name: texts for name, texts in facts.items() if name not in company_facts}
    return Batch(
        json_lines(plain.references, facts, plain.provenance),
        plain.handling,
        bytes(ENTITY_BYTES * len(plain))
        if kind == "subjects"
        else entities([f"company/{text}" if text else "" for text in companies]),
        builder.columns(plain.values, len(plain)),
        places,
        unnumbered,
    )


def _sufficient_rows(plain: PlainRows, sufficient: Callable[[frozenset[str]], bool]) -> npt.NDArray[np.bool_]:
    """(plain rows,) whether each has enough fields for some match key."""
    present = np.zeros(len(plain), dtype=np.int64)
    """A bit per field."""
    for bit, texts in enumerate(plain.values.values()):
        present |= np.fromiter(map(bool, texts), dtype=np.int64, count=len(plain)) << bit
    chosen = np.zeros(len(plain), dtype=np.bool_)
    for fields in np.unique(present):
        names = compress(plain.values, (bool(fields >> bit & 1) for bit in range(len(plain.values))))
        if sufficient(frozenset(names)):
            chosen |= present == fields
    return chosen
