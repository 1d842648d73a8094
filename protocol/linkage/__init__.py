"""Linkage: from a record's fields to the elements that two agencies compare.

```
schema (TOML) ─ normalise ─> canonical text ─ columns ─> level digests ─ keys ─> tokens ─> Elements ─ score ─> leads
```
Names end at `columns`: everything after it works on digests.
"""

from blindmatch.protocol.linkage.columns import RecordBuilder, level_digests
from blindmatch.protocol.linkage.compile import CompileTerms, compile_keys
from blindmatch.protocol.linkage.compiled_keys import DUMMY, CompiledKey, CompiledKeys, TradeOff
from blindmatch.protocol.linkage.pooled import pooled_rates, pooled_sizes
from blindmatch.protocol.linkage.rates import Rates, default_rates, measure
from blindmatch.protocol.linkage.schema import Schema, SchemaError, load_schema, parse_schema, schema_names
from blindmatch.protocol.linkage.score import Lead, PairScore, expected_chance_matches, leads, score_pair
from blindmatch.protocol.linkage.shared_tokens import Rows
from blindmatch.protocol.linkage.tokens import (
    ELEMENT_BYTES,
    AllocateRows,
    Elements,
    TokenBuilder,
    Tokens,
    in_memory,
)

__all__ = [
    "DUMMY",
    "ELEMENT_BYTES",
    "AllocateRows",
    "CompileTerms",
    "CompiledKey",
    "CompiledKeys",
    "Elements",
    "Lead",
    "PairScore",
    "Rates",
    "RecordBuilder",
    "Rows",
    "Schema",
    "SchemaError",
    "TokenBuilder",
    "Tokens",
    "TradeOff",
    "compile_keys",
    "default_rates",
    "expected_chance_matches",
    "in_memory",
    "leads",
    "level_digests",
    "load_schema",
    "measure",
    "parse_schema",
    "pooled_rates",
    "pooled_sizes",
    "schema_names",
    "score_pair",
]
