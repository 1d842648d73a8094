"""Collections: an agency's records, imported all or nothing, kept sealed and without names.

A collection is a folder `collections/<id>/` of sealed files and one row in the store. See `blocks` for the layout.
"""

from blindmatch.node.imports.collection import (
    Collection,
    ColumnBlock,
    RecordInfo,
    delete_collection,
    open_collection,
)
from blindmatch.node.imports.host import NodeStorage
from blindmatch.node.imports.importing import DEFAULT_SCHEMA, import_collection
from blindmatch.node.imports.report import ImportRefusedError, ImportReport, OnBad

__all__ = [
    "DEFAULT_SCHEMA",
    "Collection",
    "ColumnBlock",
    "ImportRefusedError",
    "ImportReport",
    "NodeStorage",
    "OnBad",
    "RecordInfo",
    "delete_collection",
    "import_collection",
    "open_collection",
]
