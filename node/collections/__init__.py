"""Collections: an agency's records, imported all or nothing, kept sealed and without names.

A collection is a folder `collections/<id>/` of sealed files and one row in the store. See `blocks` for the layout.
"""

from blindmatch.node.collections.host import Host
from blindmatch.node.collections.importing import DEFAULT_SCHEMA, import_collection
from blindmatch.node.collections.opened import (
    Collection,
    ColumnBlock,
    RecordInfo,
    delete_collection,
    open_collection,
)
from blindmatch.node.collections.report import ImportRefusedError, ImportReport, OnBad

__all__ = [
    "DEFAULT_SCHEMA",
    "Collection",
    "ColumnBlock",
    "Host",
    "ImportRefusedError",
    "ImportReport",
    "OnBad",
    "RecordInfo",
    "delete_collection",
    "import_collection",
    "open_collection",
]
