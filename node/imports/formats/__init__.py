"""Files in, drafts of records out, with every fault by row and field and never by value.

```
lines ─> table (CSV, Parquet) ─ mapping ─> records ──────────────────┐
lines ─> companies_house (PSC), officers (195, 216) ─> appointments ─┼─> Draft: values by field, faults
jsons ─> ocds, bods, ftm ────────────────────────────────────────────┘
```
`formats` tells them apart by content. Nothing here knows the store; `blindmatch.node.imports` keeps what the
importers yield.
"""

from blindmatch.node.imports.formats.appointments import Period, ReadContext, SourceRecord, overlap
from blindmatch.node.imports.formats.column_mapping import (
    ColumnMapping,
    fact_name,
    load_mapping,
    propose,
    render,
)
from blindmatch.node.imports.formats.drafts import Draft, Drafter, RowFault
from blindmatch.node.imports.formats.format_names import Format
from blindmatch.node.imports.formats.recognition import read_file, read_register, recognise_format
from blindmatch.node.imports.formats.tabular import ENCODINGS, Table, open_table

__all__ = [
    "ENCODINGS",
    "ColumnMapping",
    "Draft",
    "Drafter",
    "Format",
    "Period",
    "ReadContext",
    "RowFault",
    "SourceRecord",
    "Table",
    "fact_name",
    "load_mapping",
    "open_table",
    "overlap",
    "propose",
    "read_file",
    "read_register",
    "recognise_format",
    "render",
]
