"""Files in, drafts of records out, with every fault by row and field and never by value.

```
lines ─> table (CSV, Parquet) ─ mapping ─> records ──────────────────┐
lines ─> companies_house (PSC), officers (195, 216) ─> appointments ─┼─> Draft: values by field, faults
jsons ─> ocds, bods, ftm ────────────────────────────────────────────┘
```
`formats` tells them apart by content. Nothing here knows the store; `blindmatch.node.collections` keeps what the
importers yield.
"""

from blindmatch.node.importers.appointments import Holding, Period, Seen, overlap
from blindmatch.node.importers.formats import expand, read, recognise_format
from blindmatch.node.importers.kinds import Format
from blindmatch.node.importers.mapping import ColumnMapping, fact_name, load_mapping, propose, render
from blindmatch.node.importers.records import Draft, Drafter, RowFault
from blindmatch.node.importers.table import ENCODINGS, Table, open_table

__all__ = [
    "ENCODINGS",
    "ColumnMapping",
    "Draft",
    "Drafter",
    "Format",
    "Holding",
    "Period",
    "RowFault",
    "Seen",
    "Table",
    "expand",
    "fact_name",
    "load_mapping",
    "open_table",
    "overlap",
    "propose",
    "read",
    "recognise_format",
    "render",
]
