"""One import under way: files through the importers, drafts into a collection's blocks."""

import os
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Final

import numpy as np

from blindmatch.node.imports.batch import Batch, build_batch
from blindmatch.node.imports.blocks import BLOCK_RECORDS, ENTITY_BYTES, PURPOSE, BlockWriter, StoredRecord
from blindmatch.node.imports.formats import (
    ColumnMapping,
    Draft,
    Drafter,
    Format,
    Period,
    ReadContext,
    SourceRecord,
    drafts,
    open_table,
    read_file,
    read_register,
    recognise_format,
)
from blindmatch.node.imports.formats import column_mapping as mappings
from blindmatch.node.imports.formats.lines import Progress
from blindmatch.node.imports.formats.plain_rows import ClassifiedChunk, PlainReader
from blindmatch.node.imports.formats.tabular import Row
from blindmatch.node.imports.host import NodeStorage
from blindmatch.node.imports.report import ImportRefusedError, ImportReport, OnBad
from blindmatch.node.storage import gc_pause
from blindmatch.node.storage.store import CollectionRow
from blindmatch.protocol import hashing
from blindmatch.protocol.errors import InputError
from blindmatch.protocol.limits import LIMITS
from blindmatch.protocol.linkage import RecordBuilder, Schema, load_schema

MAX_FAULTS: Final = 100_000
"""Faults that a report lists; beyond it they are only counted."""
COMPANY_FACTS: Final = ("company_number", "role")
"""What the agency itself may tell about a company's record, if an agreement asks for it."""
PERSON_FACTS: Final = (*COMPANY_FACTS, "appointed_on", "resigned_on", "active", "via_company")

TOO_LITTLE: Final = "rows that say too little for any match key, and were left out"
UNNUMBERED: Final = "suppliers without a company number"

Wanted = dict[str, list[SourceRecord]]


def sufficient_field_sets(schema: Schema) -> list[frozenset[str]]:
    """Sets of fields, one of which a record must have for any key of the schema to find it."""
    field_of = {level.name: level.field for level in schema.levels}
    keys = [frozenset(field_of[level] for level in key.levels) for key in schema.keys]
    # No model finds anybody by one field.
    keys += [
        frozenset({one, two}) for one in schema.model.person for two in schema.model.compared if one != two
    ]
    return keys


class Job:
    """One import under way.

    Args:
        node: where to.
        report: filled on the way.
        schema: the linkage schema's name.
        on_bad: what bad rows mean.
        progress: called now and then.
        include_ceased: also people whose appointment or control has ended.
        follow: whether registers are to be read for the companies that the file names.
    """

    def __init__(
        self,
        node: NodeStorage,
        report: ImportReport,
        schema: str,
        on_bad: OnBad,
        progress: Progress | None = None,
        *,
        include_ceased: bool = False,
        follow: bool = True,
    ) -> None:
        self.id = os.urandom(16).hex()
        self.schema = load_schema(schema)
        self.sealer = node.keys.sealer.derive(PURPOSE)
        self._node = node
        self._report = report
        self._on_bad = on_bad
        self._progress = progress
        self._include_ceased = include_ceased
        self._follow = follow
        self._builder = RecordBuilder(self.schema)
        self._fields = {item.name for item in self.schema.fields}
        self._rows = bytearray()
        self._warnings: dict[str, int] = {}
        keys = sufficient_field_sets(self.schema)
        self._enough = lru_cache(maxsize=None)(lambda said: any(fields <= said for fields in keys))
        # Whose record it is, hashed under a key that is gone with the import.
        self._entity_key = os.urandom(32)
        self._file = ""
        self._references: set[bytes] = set()

    def recognise(self, file: Path, form: str, has_mapping: bool) -> Format:
        """The file's format, as it was said or as its content tells.

        Raises:
            InputError: no such format, or a mapping for a file that is no table.
        """
        if form not in {item.value for item in Format}:
            raise InputError(
                f"unknown format {form}", hint=f"One of: {', '.join(item.value for item in Format)}."
            )
        chosen = recognise_format(file) if form == Format.AUTO else Format(form)
        if has_mapping and chosen is not Format.TABLE:
            raise InputError(
                f"{file}: a mapping is for tables, and this is {chosen.value}", hint="Leave --mapping out."
            )
        self._report.format = chosen.value
        self._file = file.name
        return chosen

    def read_table(
        self,
        writer: BlockWriter,
        file: Path,
        *,
        mapping: ColumnMapping | None,
        facts: Sequence[str],
        encoding: str,
    ) -> Wanted:
        """The table's records; the companies that they name, and who named them."""
        wanted: Wanted = {}
        separator = mapping.separator if mapping else ";"
        with open_table(file, encoding=encoding, separator=separator, progress=self._progress) as table:
            used = mapping or mappings.recognise(table.header, self._report.kind, facts)
            drafter = Drafter(table, used, self.check)
            self._report.columns = dict(drafts.mapped_fields(used))
            self._report.unused = used.unused
            self._report.facts = drafter.facts
            unread = [
                name for name in self._report.columns if name in mappings.MATCHING and not self._reads(name)
            ]
            if unread:
                self._warn(
                    f"fields that the schema {self.schema.name} does not compare: {', '.join(unread)}", 0
                )
            if self._report.kind == "subjects" and not {"handling_code", "grading"} & set(used.columns):
                self._warn(f"no column of handling codes: every record was taken as {used.handling_code}", 0)
            reader = PlainReader(drafter)
            for part in table.parts:
                if isinstance(part, Row):
                    self._take(writer, drafter.draft(part), wanted)
                elif reader.serves:
                    self._take_chunk(writer, drafter, reader.read(part), wanted)
                else:
                    for place in range(len(part)):
                        self._take(writer, drafter.draft(part.row(place)), wanted)
            for text, count in drafter.warnings.items():
                self._warn(text, count)
        if not self._report.rows_read:
            raise InputError(
                f"{file}: the file has a header but no rows", hint="Check the export that made it."
            )
        self._say_company_facts()
        return wanted

    def read_records(self, writer: BlockWriter, file: Path, form: Format) -> Wanted:
        """The records of a file that is no table; the companies that they name, and who named them."""
        wanted: Wanted = {}
        seen = ReadContext(check=self.check)
        facts: dict[str, str] = {}
        for draft in read_file(
            form, file, seen, include_ceased=self._include_ceased, progress=self._progress
        ):
            if form not in {Format.PSC, Format.OFFICERS}:  # theirs have the line's number
                self._unrepeated(draft, file.name)
            facts |= dict.fromkeys(draft.facts, "")
            self._take(writer, draft, wanted)
        for text, count in seen.warnings.items():
            self._warn(text, count)
        if seen.ceased:
            self._warn("appointments and interests that have ended, and were left out", seen.ceased)
        if not self._report.rows_read:
            raise InputError(f"{file}: the file has no records", hint="Check the export that made it.")
        self._report.facts = facts
        self._say_company_facts()
        return wanted

    def _reads(self, name: str) -> bool:
        made_of = {
            "full_name": "surname",
            "aliases": "surname",
            "house_number": "address",
            "street": "address",
        }
        return made_of.get(name, name) in self._fields

    def _say_company_facts(self) -> None:
        if self._report.kind == "suppliers":
            self._report.facts = {**dict.fromkeys(COMPANY_FACTS, ""), **self._report.facts}

    def _unrepeated(self, draft: Draft, file: str) -> None:
        """A reference that stands in the file twice is a fault, as in a table."""
        if draft.unusable:
            return
        digest = blake2b(draft.reference.encode(), digest_size=16, key=self._entity_key).digest()
        if digest in self._references:
            draft.unusable = True
            draft.faults.append(drafts.RowFault(file, draft.row, "id", "stands in the file twice"))
        self._references.add(digest)

    def _take(self, writer: BlockWriter, draft: Draft, wanted: Wanted) -> None:
        self._report.rows_read += 1
        self._report.good_rows += not draft.faults
        if not self._accepts(draft):
            return
        if self._report.kind == "suppliers":
            if draft.companies:
                draft.facts = {"company_number": draft.companies[0], "role": "company", **draft.facts}
            elif "role" not in draft.facts:
                self._warn(UNNUMBERED)
        if draft.companies and not draft.entity and self._report.kind != "subjects":
            # A subject's linked companies are not the subject.
            draft.entity = f"company/{draft.companies[0]}"
        self._store(writer, draft)
        self._want(draft, wanted)

    def _want(self, draft: Draft, wanted: Wanted) -> None:
        """Note a record's companies, if a register is to be asked for them."""
        if not self._follow or not draft.companies:
            return
        inherited = {name: value for name, value in draft.facts.items() if name not in COMPANY_FACTS}
        for company in draft.companies:
            wanted.setdefault(company, []).append(
                SourceRecord(draft.reference, draft.handling, inherited, draft.row, Period(*draft.contract))
            )

    def _take_chunk(
        self, writer: BlockWriter, drafter: Drafter, chunk: ClassifiedChunk, wanted: Wanted
    ) -> None:
        """`_take` for a chunk of rows, the plain ones among them together."""
        plain = chunk.plain
        try:
            batch = build_batch(
                plain,
                self._builder,
                self._enough,
                self._entities,
                suppliers=self._report.kind == "suppliers",
                own_companies=self._report.kind != "subjects",
            )
        except ValueError:
            batch = None  # one by one it shows which
        for part in chunk.order:
            if isinstance(part, Row):
                self._take(writer, drafter.draft(part), wanted)
            elif batch is None:
                for place in range(*part):
                    self._take(writer, plain.draft(place), wanted)
            else:
                self._add(writer, batch, *part)
                for place in range(*part) if self._follow else ():
                    self._want(plain.draft(place), wanted)
        if batch is not None:
            self._count(batch)

    def _count(self, batch: Batch) -> None:
        """What `_take` counts, of a batch."""
        self._report.rows_read += batch.rows_read
        self._report.good_rows += batch.rows_read
        for text, count in ((UNNUMBERED, batch.unnumbered), (TOO_LITTLE, batch.left_out)):
            if count:
                self._warn(text, count)

    def _add(self, writer: BlockWriter, batch: Batch, start: int, stop: int) -> None:
        """Plain records of a batch, into as many blocks as they need."""
        first, last = (int(batch.places[place]) for place in (start, stop))
        while first < last:
            end = min(last, first + BLOCK_RECORDS - writer.pending)
            self._rows += batch.rows(first, end)
            writer.add_lines(batch.lines[first:end], batch.handling[first:end], batch.entity(first, end))
            first = end
            self._after(writer)

    def read_registers(self, writer: BlockWriter, paths: Sequence[Path], wanted: Wanted) -> None:
        """The people of the companies that the file named, and of those companies' corporate officers."""
        seen = ReadContext(check=self.check)
        for path in paths:
            before = seen.lines
            self._read_register(writer, path, wanted, seen)
            if seen.lines == before:
                raise InputError(f"{path}: the register has no lines", hint="Unpack the file again.")
        missing = len(wanted.keys() - seen.companies)
        if missing:
            self._warn("companies of which the register names no person", missing)
        people, companies, lines = seen.people, len(seen.companies), seen.lines
        follow, seen.follow = seen.follow, {}
        if follow:
            # Their own lines may stand before or after, in this file or another: a second pass.
            for path in paths:
                self._read_register(writer, path, follow, seen, again=True)
        for text, count in seen.warnings.items():
            self._warn(text, count)
        self._report.register = {
            "lines": lines,
            "companies": companies,
            "people": people,
            "ceased": seen.ceased,
            "corporate": seen.corporate,
            "people_behind_corporate": seen.people - people,
        }
        self._report.facts |= dict.fromkeys(PERSON_FACTS, "")

    def _read_register(
        self, writer: BlockWriter, path: Path, wanted: Wanted, seen: ReadContext, *, again: bool = False
    ) -> None:
        drafts = read_register(
            path, wanted, seen, include_ceased=self._include_ceased, progress=self._progress
        )
        for draft in drafts:
            # A line that cannot be read was counted the first time.
            if not (again and draft.faults) and self._accepts(draft):
                self._store(writer, draft)

    def check(self, name: str, text: str) -> str:
        """Why the schema cannot use a value, or blank; what it does not compare, it does not judge."""
        return self._builder.fault(name, text)

    def _accepts(self, draft: Draft) -> bool:
        """Count the draft's faults; whether it is to be kept."""
        if not draft.faults:
            return True
        self._report.bad_row_count += 1
        room = MAX_FAULTS - len(self._report.bad_rows)
        stays = self._on_bad is OnBad.BLANK_FIELD and not draft.unusable
        faults = draft.faults[: max(room, 0)]
        self._report.bad_rows.extend(faults if stays else [fault._replace(kept="") for fault in faults])
        return stays

    def _store(self, writer: BlockWriter, draft: Draft) -> None:
        if not self._enough(drafts.fields_present(draft.parts)):
            self._warn(TOO_LITTLE)
            return
        combined, dropped = self._builder.combine(draft.parts)
        try:
            rows = self._builder.rows(combined)
        except ValueError as error:
            # What was checked before does not come here; a value that only the schema refuses is a bad row, too.
            draft.unusable = True
            draft.faults.append(drafts.RowFault(self._file, draft.row, "", str(error)))
            self._accepts(draft)
            return
        if dropped:
            self._warn("combinations of names, dates and addresses beyond what one record may have", dropped)
        # With a bad row the import may be refused, but the rest is still read, for the report.
        self._rows += rows
        writer.add(
            StoredRecord(draft.reference, draft.facts, draft.provenance),
            draft.handling,
            len(combined),
            self._entity(draft.entity),
        )
        self._after(writer)

    def _after(self, writer: BlockWriter) -> None:
        """A full block is sealed; there are not too many."""
        if writer.pending >= BLOCK_RECORDS:
            self._flush(writer)
        if writer.records + writer.pending > LIMITS.records:
            raise InputError(f"more than {LIMITS.records} records", hint="Split the collection.")

    def _entities(self, texts: Sequence[str]) -> bytes:
        out = np.zeros((len(texts), ENTITY_BYTES), dtype=np.uint8)
        said = np.fromiter(map(bool, texts), dtype=np.bool_, count=len(texts))
        named = [text for text in texts if text]
        out[said] = hashing.blake2b_texts(named, size=ENTITY_BYTES, key=self._entity_key)
        return out.tobytes()

    def _entity(self, text: str) -> bytes:
        """8 bytes, equal for records of one person or company; zeros for a record that stands alone."""
        return (
            blake2b(text.encode(), digest_size=ENTITY_BYTES, key=self._entity_key).digest()
            if text
            else bytes(ENTITY_BYTES)
        )

    def _flush(self, writer: BlockWriter) -> None:
        writer.flush(self._builder.array(self._rows))
        self._rows.clear()
        gc_pause.collect_young()

    def finish(self, writer: BlockWriter) -> None:
        """Close the files, or refuse.

        Raises:
            ImportRefusedError: there were bad rows, and they refuse the import.
            InputError: nothing can be matched on.
        """
        self._report.warnings = [
            f"{text}: {count}" if count else text for text, count in self._warnings.items()
        ]
        if self._report.bad_row_count and self._on_bad is OnBad.REFUSE:
            raise ImportRefusedError(self._report)
        self._flush(writer)
        if not writer.records:
            raise InputError(
                "no row can be matched on: nothing was imported",
                hint="A record needs a name or a date of birth with something beside it, or a company number.",
            )
        writer.finish(self.schema.name, self.schema.digest)
        self._report.records, self._report.rows_stored = writer.records, writer.rows

    def row(self, marking: str, file: Path, registers: Sequence[Path]) -> CollectionRow:
        """The collection's row in the store."""
        report = self._report
        return CollectionRow(
            id=self.id,
            name=report.name,
            kind=report.kind,
            marking=marking,
            schema=self.schema.name,
            records=report.records,
            rows=report.rows_stored,
            imported_at=int(self._node.clock()),
            detail={
                "file": file.name,
                "format": report.format,
                "register": ", ".join(path.name for path in registers),
                "rows_read": report.rows_read,
                "bad_rows": report.bad_row_count,
                "warnings": report.warnings,
                "columns": {name: list(columns) for name, columns in report.columns.items()},
                "facts": report.facts,
            },
        )

    def _warn(self, text: str, count: int = 1) -> None:
        self._warnings[text] = self._warnings.get(text, 0) + count
