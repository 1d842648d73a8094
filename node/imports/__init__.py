"""Collections: an agency's records, imported as a whole or not at all, stored sealed and without names.

```
importing ─> reader ─> formats: files to drafts
               │ ├───> statistics: counts, faults, warnings ─> report
               └─────> writer ─> batch, blocks: drafts to sealed blocks ─> collection
```
A collection is a folder `collections/<id>/` of sealed files and one row in the store. See `blocks` for the layout.
"""

from blindmatch.node.imports.collection import (
    Collection,
    NodeStorage,
    RecordInfo,
    delete_collection,
    open_collection,
)
from blindmatch.node.imports.importing import DEFAULT_SCHEMA, import_collection
from blindmatch.node.imports.report import ImportRefusedError, ImportReport, OnBad

__all__ = [
    "DEFAULT_SCHEMA",
    "Collection",
    "ImportRefusedError",
    "ImportReport",
    "NodeStorage",
    "OnBad",
    "RecordInfo",
    "delete_collection",
    "import_collection",
    "open_collection",
]
