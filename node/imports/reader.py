"""The files of one import: their drafts and batches, checked, completed and passed to the writer."""

import os
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Final

from blindmatch.node.imports.formats import (
    ColumnMapping,
    Draft,
    Drafter,
    Format,
    Period,
    ReadContext,
    RowFault,
    SourceRecord,
    column_mapping,
    open_table,
    read_file,
    read_register,
    recognise_format,
)
from blindmatch.node.imports.formats.format_registry import READERS
from blindmatch.node.imports.formats.lines import Progress
from blindmatch.node.imports.formats.plain_rows import ClassifiedChunk, PlainRowReader
from blindmatch.node.imports.formats.record_drafts import mapped_fields
from blindmatch.node.imports.formats.tabular import Row
from blindmatch.node.imports.statistics import BLANK_ROWS, ENDED, UNNUMBERED, ImportStatistics
from blindmatch.node.imports.writer import RecordWriter
from blindmatch.protocol.errors import InputError
from blindmatch.protocol.linkage import Schema

COMPANY_FACTS: Final = ("company_number", "role")
"""Facts of a company's record that an agreement may release."""
PERSON_FACTS: Final = (*COMPANY_FACTS, "appointed_on", "resigned_on", "active", "via_company")
"""Facts of a person from a register that an agreement may release."""
_SOURCE_FIELDS: Final = {
    "full_name": "surname",
    "aliases": "surname",
    "house_number": "address",
    "street": "address",
}
"""Fields of a mapping that become other fields of a schema."""


def choose_format(file: Path, form: str, *, has_mapping: bool) -> Format:
    """The file's format, as stated or as recognised by its content.

    Raises:
        InputError: the format is unknown, or there is a mapping for a file that is not a table.
    """
    formats = [item.value for item in Format]
    if form not in formats:
        raise InputError(f"unknown format {form}", hint=f"Use one of: {', '.join(formats)}.")
    chosen = recognise_format(file) if form == Format.AUTO else Format(form)
    if has_mapping and chosen is not Format.TABLE:
        raise InputError(
            f"{file}: a mapping is for tables, and the file has the format {chosen.value}",
            hint="Omit --mapping.",
        )
    return chosen


class ImportReader:
    """Reads the files of one import.

    Args:
        writer: stores the records.
        statistics: counts rows, faults and warnings, and has the report.
        schema: the linkage schema.
        progress: called during the import.
        include_ceased: also read people whose appointment or control has ended.
        today: as `YYYY-MM-DD`, by the node's clock.
        follow_companies: whether registers will be read for the companies that the records name.
    """

    def __init__(
        self,
        writer: RecordWriter,
        statistics: ImportStatistics,
        schema: Schema,
        progress: Progress | None,
        *,
        include_ceased: bool,
        today: str,
        follow_companies: bool,
    ) -> None:
        self._writer = writer
        self._statistics = statistics
        self._report = statistics.report
        self._schema = schema
        self._progress = progress
        self._include_ceased = include_ceased
        self._today = today
        self._follow_companies = follow_companies
        self._lookup: dict[str, list[SourceRecord]] = {}
        """Company number to the records that name the company."""
        # Digests of the references need less memory than the references.
        self._reference_key = os.urandom(32)
        self._references: set[bytes] = set()

    def read_table(
        self, file: Path, *, mapping: ColumnMapping | None, facts: Sequence[str], encoding: str
    ) -> None:
        """Read the rows of a table."""
        separator = mapping.separator if mapping else ";"
        with open_table(file, encoding=encoding, separator=separator, progress=self._progress) as table:
            mapping = mapping or column_mapping.recognise(table.header, self._report.kind, facts)
            drafter = Drafter(table, mapping, self._writer.check, today=self._today)
            self._report.columns = dict(mapped_fields(mapping))
            self._report.unused = mapping.unused
            self._report.facts = drafter.facts
            self._add_mapping_warnings(mapping)
            rows = PlainRowReader(drafter)
            for part in table.parts:
                if isinstance(part, Row):
                    self._pass_on(drafter.draft(part), file)
                elif rows.applicable:
                    self._pass_chunk(drafter, rows.read(part), file)
                else:
                    for place in range(len(part)):
                        self._pass_on(drafter.draft(part.row(place)), file)
            self._statistics.warnings.update(drafter.warnings)
            if table.blank_rows:
                self._statistics.warnings[BLANK_ROWS] += table.blank_rows
        if not self._report.rows_read:
            raise InputError(
                f"{file}: the file has a header but no rows", hint="Check the export that produced it."
            )
        self._add_company_facts()

    def _add_mapping_warnings(self, mapping: ColumnMapping) -> None:
        compared = {item.name for item in self._schema.fields}
        ignored = [
            name
            for name in self._report.columns
            if name in column_mapping.MATCHING and _SOURCE_FIELDS.get(name, name) not in compared
        ]
        warnings = self._statistics.warnings
        if ignored:
            warnings[f"fields that the schema {self._schema.name} does not compare: {', '.join(ignored)}"] = 0
        if self._report.kind == "subjects" and not {"handling_code", "grading"} & set(mapping.columns):
            warnings[f"no column of handling codes: every record was taken as {mapping.handling_code}"] = 0

    def read_records(self, file: Path, form: Format) -> None:
        """Read the records of a file that is not a table."""
        context = self._context()
        facts: dict[str, str] = {}
        for draft in read_file(form, file, context):
            if not READERS[form].by_line:
                self._refuse_repeated(draft, file)
            facts |= dict.fromkeys(draft.facts, "")
            self._pass_on(draft, file)
        self._statistics.warnings.update(context.warnings)
        if context.ceased:
            self._statistics.warnings[ENDED] += context.ceased
        if not self._report.rows_read:
            raise InputError(f"{file}: the file has no records", hint="Check the export that produced it.")
        self._report.facts = facts
        self._add_company_facts()

    def _context(self) -> ReadContext:
        return ReadContext(self._writer.check, self._include_ceased, self._progress, self._today)

    def _add_company_facts(self) -> None:
        if self._report.kind == "suppliers":
            self._report.facts = {**dict.fromkeys(COMPANY_FACTS, ""), **self._report.facts}

    def _refuse_repeated(self, draft: Draft, file: Path) -> None:
        """Add a fault to a draft whose reference an earlier one has, as for tables."""
        if draft.unusable:
            return
        digest = blake2b(draft.reference.encode(), digest_size=16, key=self._reference_key).digest()
        if digest in self._references:
            draft.unusable = True
            draft.faults.append(RowFault(file.name, draft.row, "id", "is already used by an earlier record"))
        self._references.add(digest)

    def _pass_on(self, draft: Draft, file: Path) -> None:
        """Count a draft of the imported file, and store it if it is accepted."""
        self._statistics.count_rows(1, not draft.faults)
        if not self._statistics.accepts(draft):
            return
        if self._report.kind == "suppliers":
            if draft.companies:
                draft.facts = {"company_number": draft.companies[0], "role": "company", **draft.facts}
            elif "role" not in draft.facts:
                self._statistics.warnings[UNNUMBERED] += 1
        if draft.companies and not draft.entity and self._report.kind != "subjects":
            # A subject's companies are linked to the subject, and are not the subject.
            draft.entity = f"company/{draft.companies[0]}"
        self._writer.write(draft, file.name)
        self._add_lookup(draft)

    def _pass_chunk(self, drafter: Drafter, chunk: ClassifiedChunk, file: Path) -> None:
        """`_pass_on` for a chunk of rows, with its plain rows as a batch."""
        plain = chunk.plain
        batch = self._writer.batch(plain, self._report.kind)
        for part in chunk.order:
            if isinstance(part, Row):
                self._pass_on(drafter.draft(part), file)
            elif batch is None:
                for place in range(*part):
                    self._pass_on(plain.draft(place), file)
            else:
                self._writer.write_batch(batch, *part)
                for place in range(*part) if self._follow_companies else ():
                    self._add_lookup(plain.draft(place))
        if batch is not None:
            self._statistics.count_batch(batch)

    def _add_lookup(self, draft: Draft) -> None:
        """Record a draft's companies, if registers will be read."""
        if not self._follow_companies:
            return
        facts = {name: value for name, value in draft.facts.items() if name not in COMPANY_FACTS}
        for company in draft.companies:
            self._lookup.setdefault(company, []).append(
                SourceRecord(draft.reference, draft.handling, facts, draft.row, Period(*draft.contract))
            )

    def read_registers(self, paths: Sequence[Path]) -> None:
        """Read the people of the companies that the records name, and of those companies' corporate officers."""
        context = self._context()
        for path in paths:
            before = context.lines
            for draft in read_register(path, self._lookup, context):
                self._write_accepted(draft, path)
            if context.lines == before:
                raise InputError(f"{path}: the register has no lines", hint="Unpack the file again.")
        missing = len(self._lookup.keys() - context.companies)
        if missing:
            self._statistics.warnings["companies for which the registers name no person"] += missing
        people, companies, lines = context.people, len(context.companies), context.lines
        follow, context.follow = context.follow, {}
        if follow:
            # The corporate officers' own lines can be anywhere in any of the files, so the files are read again.
            for path in paths:
                for draft in read_register(path, follow, context):
                    if not draft.faults:  # faults were counted in the first pass
                        self._write_accepted(draft, path)
        self._statistics.warnings.update(context.warnings)
        self._report.register = {
            "lines": lines,
            "companies": companies,
            "people": people,
            "ceased": context.ceased,
            "corporate": context.corporate,
            "people_behind_corporate": context.people - people,
        }
        self._report.facts |= dict.fromkeys(PERSON_FACTS, "")

    def _write_accepted(self, draft: Draft, path: Path) -> None:
        if self._statistics.accepts(draft):
            self._writer.write(draft, path.name)
