"""Operations on collections: import a file, list, show, delete, and propose a mapping of columns to fields."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from blindmatch.node.imports import (
    DEFAULT_SCHEMA,
    Collection,
    ImportRefusedError,
    ImportReport,
    OnBad,
    RecordInfo,
    delete_collection,
    import_collection,
    open_collection,
)
from blindmatch.node.imports.formats import Format, open_table, propose, recognise_format
from blindmatch.node.imports.formats.column_mapping import unmapped
from blindmatch.node.node import Node
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.files import write_output
from blindmatch.node.storage.store import CollectionRow
from blindmatch.protocol.agreement import HANDLING_CODES
from blindmatch.protocol.errors import InputError

__all__ = [
    "DEFAULT_SCHEMA",
    "ImportRefusedError",
    "ImportReport",
    "OnBad",
    "delete_collection",
    "import_collection",
]


def list_collections(node: Node) -> list[CollectionRow]:
    """The collections of this node."""
    return node.store.collections()


def find(node: Node, name: str) -> CollectionRow:
    """A collection by its name or id."""
    return node.store.collection(name)


@dataclass(frozen=True)
class MatchingRecord:
    """A record with the reference that was asked for: what the node stores of it."""

    place: int
    info: RecordInfo
    levels: tuple[str, ...]
    """The levels on which it can match, in words."""

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        return {"place": self.place, **asdict(self.info), "says": list(self.levels)}


@dataclass(frozen=True)
class ShownCollection:
    """A collection, and its records with one reference."""

    row: CollectionRow
    handling_codes: Mapping[str, int]
    """Records by handling code."""
    records: tuple[MatchingRecord, ...] | None
    """None when no reference was given."""

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        data = {**asdict(self.row), "handling_codes": dict(self.handling_codes)}
        if self.records is not None:
            data["matching_records"] = [record.data() for record in self.records]
        return data


def show(node: Node, name: str, *, reference: str = "", justification: str = "") -> ShownCollection:
    """What the node stores of a collection and of its records with a reference, if one is given.

    Reading records is a consultation entry in the audit log.

    Raises:
        InputError: no record has this reference.
    """
    collection = open_collection(node, name)
    codes = {code: len(collection.select(code)) for code in HANDLING_CODES}
    if not reference:
        return ShownCollection(collection.row, codes, None)
    records = tuple(_record(collection, place) for place in collection.find(reference))
    if not records:
        raise InputError(f"collection {collection.name} has no record with this reference")
    node.audit.append(
        AuditEvent.CONSULTATION,
        subject=f"collection {collection.name}",
        justification=justification,
        detail={"id": collection.id, "records": len(records)},
    )
    return ShownCollection(collection.row, codes, records)


def _record(collection: Collection, place: int) -> MatchingRecord:
    digests = collection.columns(place, place + 1).columns
    present = [level.words for i, level in enumerate(collection.schema.levels) if digests[:, i].any()]
    return MatchingRecord(place, collection.record(place), tuple(present))


@dataclass(frozen=True)
class ProposedMapping:
    """A mapping file for a table: the recognised columns, and the others as comments."""

    header: tuple[str, ...]
    mapping: str
    missing: str = ""
    """What an import requires and no heading gives, or blank."""

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        return {"header": list(self.header), "mapping": self.mapping}


def propose_mapping(
    file: Path, kind: str, *, encoding: str = "utf-8", out: Path | None = None
) -> ProposedMapping:
    """Propose a mapping from the header of a table (CSV or Parquet), also written to `out`, which must not exist.

    Needs no node.

    Raises:
        InputError: the file is not a table.
    """
    form = recognise_format(file)
    if form is not Format.TABLE:
        raise InputError(
            f"{file}: a mapping is for tables, and this is {form.value}",
            hint="Import it without a mapping: its fields are known.",
        )
    with open_table(file, encoding=encoding) as table:
        proposed = ProposedMapping(
            tuple(table.header), propose(table.header, kind), unmapped(table.header, kind)
        )
    if out is not None:
        write_output(out, proposed.mapping, new=True)
    return proposed
