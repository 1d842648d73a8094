"""Linkage: from a record's fields to the elements that two agencies compare.

```
schema (TOML) ─ normalise ─> canonical text ─ columns ─> level digests ─ keys ─> tokens ─> Elements ─ score ─> leads
```
Names end at `columns`: everything after it works on digests.
"""

from blindmatch.protocol.linkage.columns import RecordBuilder, level_digests
from blindmatch.protocol.linkage.keys import (
    ELEMENT_BYTES,
    FILLER,
    CompiledKey,
    CompiledKeys,
    Elements,
    TokenBuilder,
    Tokens,
    compile_keys,
    tokens,
)
from blindmatch.protocol.linkage.schema import Schema, SchemaError, load_schema, parse_schema, schema_names
from blindmatch.protocol.linkage.score import Lead, expected_chance_matches, leads

__all__ = [
    "ELEMENT_BYTES",
    "FILLER",
    "CompiledKey",
    "CompiledKeys",
    "Elements",
    "Lead",
    "RecordBuilder",
    "Schema",
    "SchemaError",
    "TokenBuilder",
    "Tokens",
    "compile_keys",
    "expected_chance_matches",
    "leads",
    "level_digests",
    "load_schema",
    "parse_schema",
    "schema_names",
    "tokens",
]
