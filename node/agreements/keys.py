"""An agreement's match keys: compiled for a round from both sides' rates, or for a look ahead from typical ones."""

from dataclasses import dataclass
from functools import lru_cache

from blindmatch.protocol.agreement import Agreement, Edge, Linkage, Side
from blindmatch.protocol.errors import AgreementError
from blindmatch.protocol.linkage import (
    CompiledKeys,
    Rates,
    Schema,
    SchemaError,
    Terms,
    compile_keys,
    default_rates,
    load_schema,
)

ROWS = 2
"""Alternative rows (names, dates, addresses) of a record that the padding has room for, if the agreement allows it."""


Stated = tuple[Rates, int]
"""A side's rates and its number of records."""


@dataclass(frozen=True)
class Forecast:
    """What a round between full lists would be like; `problem` says why there would be none."""

    compiled: CompiledKeys | None
    receiver_tokens: int = 0
    sender_tokens: int = 0
    problem: str = ""
    hint: str = ""


def compile_round(agreement: Agreement, edge: Edge, receiver: Stated, sender: Stated) -> CompiledKeys:
    """The keys of a round over an edge, from each side's rates and number of records.

    Raises:
        AgreementError: no key is specific enough for these lists under the edge's terms.
    """
    try:
        return _compile(load_schema(agreement.schema), receiver, sender, edge.linkage)
    except SchemaError as error:
        field = f"edges[{agreement.edges.index(edge)}].linkage"
        raise AgreementError(field, error.message, hint=error.hint) from None


def tokens_per_record(compiled: CompiledKeys, side: Side) -> int:
    """To how many tokens a side's records are padded: room for two rows each, but never more than agreed."""
    return min(side.tokens_per_record, compiled.tokens_per_record(ROWS))


@lru_cache(maxsize=64)
def forecast(schema_name: str, edge: Edge) -> Forecast:
    """What to expect of an edge when both lists are full and their values as common as the schema assumes."""
    schema = load_schema(schema_name)
    typical = default_rates(schema)
    sizes = edge.receiver.max_records, edge.sender.max_records
    try:
        compiled = _compile(schema, (typical, sizes[0]), (typical, sizes[1]), edge.linkage)
    except SchemaError as error:
        return Forecast(None, problem=error.message, hint=error.hint)
    return Forecast(
        compiled, tokens_per_record(compiled, edge.receiver), tokens_per_record(compiled, edge.sender)
    )


@lru_cache(maxsize=8)
def _compile(schema: Schema, receiver: Stated, sender: Stated, linkage: Linkage) -> CompiledKeys:
    terms = Terms(linkage.overlap, linkage.false_leads, linkage.budget, linkage.missing)
    return compile_keys(schema, receiver[0], sender[0], receiver[1], sender[1], terms)
