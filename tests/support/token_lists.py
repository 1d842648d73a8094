"""The tokens of a list that is in memory as one block."""

from collections.abc import Callable
from typing import Literal

from blindmatch.protocol.linkage import CompiledKeys, TokenBuilder, Tokens
from blindmatch.protocol.linkage.tokens import Bytes3D, Indices


def tokens(
    compiled: CompiledKeys,
    columns: Bytes3D,
    row_record: Indices,
    records: int,
    tokens_per_record: int,
    random_bytes: Callable[[int], bytes],
    *,
    distinct: bool,
    role: Literal["receiver", "sender"] | None = None,
) -> Tokens:
    """See `TokenBuilder`, which takes a list block by block."""
    builder = TokenBuilder(compiled, records, tokens_per_record, random_bytes, distinct=distinct, role=role)
    builder.add(columns, row_record, records)
    return builder.finish()
