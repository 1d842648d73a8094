"""Plain records on their way into blocks, column by column: the same bytes as one by one."""

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
    """Plain records ready for their blocks; those that say too little for any key are not among them."""

    lines: list[str] = field(repr=False)
    handling: str = field(repr=False)
    entities: bytes = field(repr=False)
    digests: bytes = field(repr=False)
    """A row of level digests each, as `RecordBuilder.rows` orders them."""
    places: npt.NDArray[np.int64] = field(repr=False)
    """(plain records + 1,): how many of this batch stand before each of them."""

    unnumbered: int
    """Suppliers among the plain records that neither have a company number nor say a role."""

    def rows(self, start: int, stop: int) -> bytes:
        """The level digests of some records."""
        width = len(self.digests) // max(len(self.lines), 1)
        return self.digests[start * width : stop * width]

    def entity(self, start: int, stop: int) -> bytes:
        """Whose records some are, 8 bytes each."""
        return self.entities[start * ENTITY_BYTES : stop * ENTITY_BYTES]

    @property
    def rows_read(self) -> int:
        """All plain records."""
        return len(self.places) - 1

    @property
    def left_out(self) -> int:
        """Records that say too little."""
        return self.rows_read - len(self.lines)


def build_batch(
    plain: PlainRows,
    builder: RecordBuilder,
    enough: Callable[[frozenset[str]], bool],
    entities: Callable[[list[str]], bytes],
    *,
    suppliers: bool,
    own_companies: bool,
) -> Batch:
    """Make a batch of plain records.

    Args:
        plain: the records.
        builder: of the schema's level digests.
        enough: whether a record that says these fields can be found.
        entities: 8 bytes for each text, zeros for a blank one.
        suppliers: whether a record tells its company among its facts.
        own_companies: whether a record's company is who the record is about.

    Raises:
        ValueError: a value that the schema refuses.
    """
    companies = plain.values.get("company_number") or [""] * len(plain)
    roles = plain.facts.get("role") or repeat("", len(plain))
    unnumbered = 0
    if suppliers and not all(companies):
        unnumbered = sum(not (company or role) for company, role in zip(companies, roles, strict=True))
    kept = _kept(plain, enough)
    places = np.concatenate([[0], np.cumsum(kept)])
    if places[-1] < len(plain):
        plain = plain.only(kept.tolist())
    companies = plain.values.get("company_number") or [""] * len(plain)
    facts = plain.facts
    if suppliers and any(companies):
        told = {"company_number": companies, "role": ["company" if text else "" for text in companies]}
        for name in told.keys() & facts.keys():
            told[name] = [own or other for own, other in zip(facts[name], told[name], strict=True)]
        facts = told | {name: texts for name, texts in facts.items() if name not in told}
    return Batch(
        json_lines(plain.references, facts, plain.provenance),
        plain.handling,
        entities([f"company/{text}" if text else "" for text in companies])
        if own_companies
        else bytes(ENTITY_BYTES * len(plain)),
        builder.columns(plain.values, len(plain)),
        places,
        unnumbered,
    )


def _kept(plain: PlainRows, enough: Callable[[frozenset[str]], bool]) -> npt.NDArray[np.bool_]:
    """Which records say enough for some key."""
    said = np.zeros(len(plain), dtype=np.int64)
    for bit, texts in enumerate(plain.values.values()):
        said |= np.fromiter(map(bool, texts), dtype=np.int64, count=len(plain)) << bit
    kept = np.zeros(len(plain), dtype=np.bool_)
    for fields in np.unique(said):
        named = compress(plain.values, (bool(fields >> bit & 1) for bit in range(len(plain.values))))
        if enough(frozenset(named)):
            kept |= said == fields
    return kept
