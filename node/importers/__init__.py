"""Files in, drafts of records out, with every fault by row and field and never by value.

```
lines ─> table (CSV, Parquet) ─ mapping ─> records ─┐
                                                     ├─> Draft: values by field, faults
lines ─> companies_house (register, JSON lines) ─────┘
```
Nothing here knows the store; `blindmatch.node.collections` keeps what the importers yield.
"""

from blindmatch.node.importers.companies_house import Holding, expand
from blindmatch.node.importers.mapping import ColumnMapping, fact_name, load_mapping, propose, render
from blindmatch.node.importers.records import Draft, Drafter, RowFault
from blindmatch.node.importers.table import ENCODINGS, Table, open_table

__all__ = [
    "ENCODINGS",
    "ColumnMapping",
    "Draft",
    "Drafter",
    "Holding",
    "RowFault",
    "Table",
    "expand",
    "fact_name",
    "load_mapping",
    "open_table",
    "propose",
    "render",
]
