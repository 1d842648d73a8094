"""Linkage: from a record's fields to the elements that two agencies compare.

```
schema (TOML) ─ normalise ─> canonical text ─ columns ─> level digests ─ keys ─> tokens ─> Elements ─ score ─> leads
```
Names end at `columns`: everything after it works on digests.
"""

from blindmatch.protocol.linkage.columns import RecordBuilder, level_digests
from blindmatch.protocol.linkage.compile import Terms, compile_keys
from blindmatch.protocol.linkage.keys import (
    ELEMENT_BYTES,
    FILLER,
    CompiledKey,
    CompiledKeys,
    Elements,
    TokenBuilder,
    Tokens,
    Trade,
    tokens,
)
from blindmatch.protocol.linkage.rates import Rates, measure
from blindmatch.protocol.linkage.schema import Schema, SchemaError, load_schema, parse_schema, schema_names
from blindmatch.protocol.linkage.score import Lead, expected_chance_matches, leads

__all__ = [
    "ELEMENT_BYTES",
    "FILLER",
    "CompiledKey",
    "CompiledKeys",
    "Elements",
    "Lead",
    "Rates",
    "RecordBuilder",
    "Schema",
    "SchemaError",
    "Terms",
    "TokenBuilder",
    "Tokens",
    "Trade",
    "compile_keys",
    "expected_chance_matches",
    "leads",
    "level_digests",
    "load_schema",
    "measure",
    "parse_schema",
    "schema_names",
    "tokens",
]
