"""Readers of files: they yield drafts of records, and each fault with its row and field, never its value.

```
lines       ─> tabular (CSV, Parquet) ─> column_mapping ─> drafts, plain_rows ─┐
lines       ─> officers (195, 216), companies_house (PSC) ─> appointments ─────┼─> Draft: values by field, faults
json_stream ─> ocds; bods, ftm ─> chains ─> appointments ──────────────────────┘
```
`registry` lists the formats and recognises a file's format by its content. Nothing here knows the store:
`blindmatch.node.imports` stores the drafts.
"""

from blindmatch.node.imports.formats.column_mapping import ColumnMapping, load_mapping, propose
from blindmatch.node.imports.formats.context import Period, ReadContext, SourceRecord
from blindmatch.node.imports.formats.format_names import Format
from blindmatch.node.imports.formats.format_registry import read_file, read_register, recognise_format
from blindmatch.node.imports.formats.record_drafts import Draft, Drafter, RowFault
from blindmatch.node.imports.formats.tabular import open_table

__all__ = [
    "ColumnMapping",
    "Draft",
    "Drafter",
    "Format",
    "Period",
    "ReadContext",
    "RowFault",
    "SourceRecord",
    "load_mapping",
    "open_table",
    "propose",
    "read_file",
    "read_register",
    "recognise_format",
]
