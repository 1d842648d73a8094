"""Two tables and their truth, read by the importers and turned into columns of level digests.

A field that cannot be read is left blank and counted (of a date with an impossible day, its month is kept); a row that cannot be read at all is left out and counted, and a
true pair that it belongs to counts as missed.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

import numpy as np
import numpy.typing as npt

from blindmatch.node.evaluation.register_view import drop_below_district, register_parts
from blindmatch.node.imports.formats import ColumnMapping, Drafter, open_table
from blindmatch.node.imports.formats.column_mapping import recognise
from blindmatch.node.imports.formats.drafts import Part
from blindmatch.node.imports.formats.field_values import clear_caches
from blindmatch.protocol.errors import InputError
from blindmatch.protocol.linkage import RecordBuilder, Schema

Indices = npt.NDArray[np.int64]
TRUTH_COLUMNS = ("left_reference", "right_reference")


class View(StrEnum):
    """What is left of the right side's records."""

    FULL = "full"
    COMPANIES_HOUSE = "companies-house"
    """One name, month and year of birth, postcode district."""


@dataclass(frozen=True)
class SideList:
    """One list, ready to be matched; record `i` is `references[i]`."""

    references: tuple[str, ...] = field(repr=False)
    columns: npt.NDArray[np.uint8] = field(repr=False)
    """(rows, levels, 16)"""
    row_record: Indices = field(repr=False)
    """(rows,) the record of each row, not decreasing."""
    rows_read: int
    left_out: int
    """Rows without a usable reference, or that say nothing."""
    faults: dict[str, int]
    """Fields left blank and rows left out, by `field: reason`."""

    @property
    def records(self) -> int:
        """How many records."""
        return len(self.references)

    @property
    def most_rows(self) -> int:
        """The rows of the record that has most."""
        return int(np.bincount(self.row_record).max())


@dataclass(frozen=True)
class LabelledLists:
    """Both lists and the pairs of record indices that are one person (n, 2)."""

    schema: Schema
    left: SideList
    right: SideList
    truth: Indices = field(repr=False)
    out_of_reach: int
    """True pairs of which a reference is in no record: missed by any key."""

    @property
    def true_pairs(self) -> int:
        """All pairs of the truth."""
        return len(self.truth) + self.out_of_reach


def read_labelled(
    schema: Schema,
    left: Path,
    right: Path,
    truth: Path,
    *,
    mappings: tuple[ColumnMapping | None, ColumnMapping | None] = (None, None),
    view: View = View.FULL,
) -> LabelledLists:
    """Read both lists and the truth.

    Args:
        schema: whose levels are made.
        left: the receiver's table.
        right: the sender's table.
        truth: a table with the columns `left_reference` and `right_reference`.
        mappings: columns to fields of the left and the right table; None recognises the usual headings.
        view: reduces the right side.

    Raises:
        InputError: a file cannot be read, has no usable row, or the truth knows none of the records.
    """
    try:
        ours = _read_side(schema, left, mappings[0], list)
        theirs = _read_side(
            schema, right, mappings[1], register_parts if view is View.COMPANIES_HOUSE else list
        )
    finally:
        clear_caches()
    if view is View.COMPANIES_HOUSE:
        theirs = replace(theirs, columns=drop_below_district(schema, theirs.columns))
    pairs, missing = _read_truth(truth, ours, theirs)
    return LabelledLists(schema, ours, theirs, pairs, missing)


def _read_side(
    schema: Schema,
    path: Path,
    mapping: ColumnMapping | None,
    view: Callable[[Sequence[Part]], Sequence[Part]],
) -> SideList:
    builder = RecordBuilder(schema)
    references: list[str] = []
    owners: list[int] = []
    faults: Counter[str] = Counter()
    chunks = bytearray()
    rows_read = 0
    with open_table(path, separator=mapping.separator if mapping else ";") as table:
        used = mapping or recognise(table.header, "subjects")
        drafter = Drafter(table, used, builder.fault)
        for row in table:
            draft = drafter.draft(row)
            rows_read += 1
            faults.update(f"{fault.field or 'row'}: {fault.reason}" for fault in draft.faults)
            combined, dropped = ([], 0) if draft.unusable else builder.combine(view(draft.parts))
            if dropped:
                faults["row: more names, dates and addresses than one record may have"] += 1
            kept, bad = _digests(builder, combined)
            faults.update(bad)
            if not kept:
                continue
            owners.extend([len(references)] * len(kept))
            references.append(draft.reference)
            chunks += b"".join(kept)
    if not references:
        raise InputError(f"{path}: no row can be matched on", hint="Check the mapping of its columns.")
    return SideList(
        tuple(references),
        builder.array(bytes(chunks)),
        np.array(owners, dtype=np.int64),
        rows_read,
        rows_read - len(references),
        dict(faults.most_common()),
    )


def _digests(builder: RecordBuilder, rows: Iterable[dict[str, str]]) -> tuple[list[bytes], list[str]]:
    """Each row's digests; a value that the schema refuses is left out of its row."""
    kept: list[bytes] = []
    bad: list[str] = []
    for row in rows:
        try:
            kept.append(builder.rows([row]))
        except ValueError:
            sound, refused = _sound(builder, row)
            bad += refused
            kept.append(builder.rows([sound]))
    return [digests for digests in kept if any(digests)], bad


def _sound(builder: RecordBuilder, row: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    sound, refused = {}, []
    for name, text in row.items():
        try:
            builder.rows([{name: text}])
        except ValueError as error:
            refused.append(f"{name}: {error}")
        else:
            sound[name] = text
    return sound, refused


def _read_truth(path: Path, left: SideList, right: SideList) -> tuple[Indices, int]:
    places = [{reference: index for index, reference in enumerate(side.references)} for side in (left, right)]
    pairs: dict[tuple[int, int], None] = {}
    missing: set[tuple[str, str]] = set()
    with open_table(path) as table:
        absent = [name for name in TRUTH_COLUMNS if name not in table.header]
        if absent:
            raise InputError(
                f"{path}: there is no column {absent[0]!r}",
                hint=f"The truth has the columns {' and '.join(TRUTH_COLUMNS)}.",
            )
        at = [table.header.index(name) for name in TRUTH_COLUMNS]
        for row in table:
            if row.fault:
                raise InputError(f"{path}: row {row.number}: {row.fault}")
            ours, theirs = (row.cells[place].strip() for place in at)
            if ours in places[0] and theirs in places[1]:
                pairs[places[0][ours], places[1][theirs]] = None
            else:
                missing.add((ours, theirs))
    if not pairs:
        raise InputError(
            f"{path}: no pair names a record of both lists",
            hint="Check that the mappings give the references that the truth uses.",
        )
    return np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2), len(missing)
