"""Two tables and their truth, read by the importers and turned into columns of level digests.

A field that cannot be read is counted and left blank; an impossible date keeps its valid part. A row that cannot be read is counted
and left out, and a true pair with this row counts as missed.
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
from blindmatch.node.imports.formats.field_values import clear_caches
from blindmatch.node.imports.formats.record_drafts import Part
from blindmatch.protocol.errors import InputError
from blindmatch.protocol.linkage import RecordBuilder, Schema

Indices = npt.NDArray[np.int64]
TRUTH_COLUMNS = ("left_reference", "right_reference")


class View(StrEnum):
    """The fields of the right side's records."""

    FULL = "full"
    COMPANIES_HOUSE = "companies-house"
    """One name, month and year of birth, postcode district."""


@dataclass(frozen=True)
class SideList:
    """One list in level digests. Record `i` has the reference `references[i]`."""

    references: tuple[str, ...] = field(repr=False)
    columns: npt.NDArray[np.uint8] = field(repr=False)
    """(rows, levels, 16)"""
    row_record: Indices = field(repr=False)
    """(rows,) the record of each row, ascending."""
    rows_read: int
    rows_left_out: int
    """Rows without a usable reference or without any usable field."""
    faults: dict[str, int]
    """The number of fields left blank and rows left out, by `field: reason`."""

    @property
    def records(self) -> int:
        """The number of records."""
        return len(self.references)

    @property
    def most_rows(self) -> int:
        """The largest number of rows of one record."""
        return int(np.bincount(self.row_record).max())


@dataclass(frozen=True)
class LabelledLists:
    """Both lists and their true pairs."""

    schema: Schema
    left: SideList
    right: SideList
    truth: Indices = field(repr=False)
    """(n, 2) left and right record of each true pair."""
    missing_pairs: int
    """True pairs with a reference that no record has: no key can match them."""
    view: View = View.FULL

    @property
    def true_pairs(self) -> int:
        """The number of true pairs."""
        return len(self.truth) + self.missing_pairs


def read_labelled(
    schema: Schema,
    left: Path,
    right: Path,
    truth: Path,
    *,
    mappings: tuple[ColumnMapping | None, ColumnMapping | None] = (None, None),
    view: View = View.FULL,
    today: str = "",
) -> LabelledLists:
    """Read both lists and the truth.

    Args:
        schema: the linkage schema.
        left: the receiver's table.
        right: the sender's table.
        truth: a table with the columns `left_reference` and `right_reference`.
        mappings: of the left and the right table; None recognises the usual headings.
        view: the fields of the right side.
        today: as `YYYY-MM-DD`, for dates of birth; blank for no limit.

    Raises:
        InputError: a file is not readable or has no usable row, or no true pair has records in both lists.
    """
    try:
        ours = _read_side(schema, left, mappings[0], list, today)
        theirs = _read_side(
            schema, right, mappings[1], register_parts if view is View.COMPANIES_HOUSE else list, today
        )
    finally:
        clear_caches()
    if view is View.COMPANIES_HOUSE:
        theirs = replace(theirs, columns=drop_below_district(schema, theirs.columns))
    pairs, missing = _read_truth(truth, ours, theirs)
    return LabelledLists(schema, ours, theirs, pairs, missing, view)


def _read_side(
    schema: Schema,
    path: Path,
    mapping: ColumnMapping | None,
    view: Callable[[Sequence[Part]], Sequence[Part]],
    today: str,
) -> SideList:
    builder = RecordBuilder(schema)
    references: list[str] = []
    owners: list[int] = []
    faults: Counter[str] = Counter()
    chunks = bytearray()
    rows_read = 0
    with open_table(path, separator=mapping.separator if mapping else ";") as table:
        drafter = Drafter(table, mapping or recognise(table.header, "subjects"), builder.fault, today=today)
        for row in table:
            draft = drafter.draft(row)
            rows_read += 1
            faults.update(f"{fault.field or 'row'}: {fault.reason}" for fault in draft.faults)
            combined, dropped = ([], 0) if draft.unusable else builder.combine(view(draft.parts))
            if dropped:
                faults[
                    "row: has combinations of names, dates and addresses over the limit of one record"
                ] += 1
            digests, refused = _digests(builder, combined)
            faults.update(refused)
            if not digests:
                continue
            owners.extend([len(references)] * len(digests))
            references.append(draft.reference)
            chunks += b"".join(digests)
    if not references:
        raise InputError(f"{path}: no row can be matched on", hint="Check the mapping of the columns.")
    return SideList(
        tuple(references),
        builder.array(bytes(chunks)),
        np.array(owners, dtype=np.int64),
        rows_read,
        rows_read - len(references),
        dict(faults.most_common()),
    )


def _digests(builder: RecordBuilder, rows: Iterable[dict[str, str]]) -> tuple[list[bytes], list[str]]:
    """Each row's digests without the values that the schema refuses, and `field: reason` of each refused value."""
    digests: list[bytes] = []
    faults: list[str] = []
    for row in rows:
        try:
            digests.append(builder.rows([row]))
        except ValueError:
            reasons = {name: reason for name, text in row.items() if (reason := builder.fault(name, text))}
            faults += [f"{name}: {reason}" for name, reason in reasons.items()]
            digests.append(builder.rows([{name: row[name] for name in row.keys() - reasons.keys()}]))
    return [each for each in digests if any(each)], faults


def _read_truth(path: Path, left: SideList, right: SideList) -> tuple[Indices, int]:
    places = [{reference: index for index, reference in enumerate(side.references)} for side in (left, right)]
    pairs: dict[tuple[int, int], None] = {}
    missing: set[tuple[str, str]] = set()
    with open_table(path) as table:
        absent = [name for name in TRUTH_COLUMNS if name not in table.header]
        if absent:
            raise InputError(
                f"{path}: there is no column {absent[0]!r}",
                hint=f"The truth must have the columns {' and '.join(TRUTH_COLUMNS)}.",
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
            f"{path}: no pair has a record in each list",
            hint="Check that the mappings and the truth use the same references.",
        )
    return np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2), len(missing)
