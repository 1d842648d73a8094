"""An agreement's match keys: compiled for a round from both sides' rates, or for a forecast from typical rates."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from blindmatch.node.agreements.edge_groups import without_parties
from blindmatch.node.imports import Collection
from blindmatch.protocol.agreement import Agreement, Edge, Linkage, Side, Threshold
from blindmatch.protocol.errors import AgreementError
from blindmatch.protocol.linkage import (
    CompiledKeys,
    CompileTerms,
    Rates,
    Schema,
    SchemaError,
    compile_keys,
    default_rates,
    load_schema,
    measure,
    pooled_rates,
    pooled_sizes,
)
from blindmatch.protocol.transcript import digest

ROWS_PER_RECORD = 2
"""Alternative rows (names, dates, addresses) of a record for which the padding has room, if the agreement allows it."""


ListProfile = tuple[Rates, int]
"""A list's rates and its number of records."""


@dataclass(frozen=True)
class KeyForecast:
    """The expected round between two lists; `problem` states why there would be none."""

    compiled: CompiledKeys | None
    receiver_records: int
    """Records that the forecast assumes."""
    sender_records: int
    receiver_tokens: int = 0
    sender_tokens: int = 0
    own: str = ""
    """`receiver` or `sender` when the forecast uses this node's own list for that side; empty when both lists are full and typical."""
    problem: str = ""
    hint: str = ""


@dataclass(frozen=True)
class OwnList:
    """The list of this node's side of an edge."""

    role: str
    rates: Rates
    records: int


def compile_round(
    agreement: Agreement, edge: Edge, receiver: ListProfile, sender: ListProfile
) -> CompiledKeys:
    """The keys of a round over an edge, from each side's rates and number of records.

    Raises:
        AgreementError: no key is specific enough for these lists under the edge's terms.
    """
    try:
        return _compile(load_schema(agreement.schema), receiver, sender, edge.linkage)
    except SchemaError as error:
        field = f"edges[{agreement.edges.index(edge)}].linkage"
        raise AgreementError(field, error.message, hint=error.hint) from None


def compile_threshold(
    agreement: Agreement, threshold: Threshold, stated: tuple[ListProfile, ...]
) -> CompiledKeys:
    """The keys of a round over a threshold, from each member's rates and number of records; see `linkage.pooled`.

    Keys for records with a missing field are not used: there are no two sides. The expected leads are those over all pairs.

    Raises:
        AgreementError: no key is specific enough for these lists under the threshold's terms.
    """
    rates = pooled_rates(stated)
    longer, shorter = pooled_sizes([records for _, records in stated])
    linkage = replace(threshold.linkage, missing=False)
    try:
        return _compile(load_schema(agreement.schema), (rates, longer), (rates, shorter), linkage)
    except SchemaError as error:
        field = f"thresholds[{agreement.thresholds.index(threshold)}].linkage"
        raise AgreementError(field, error.message, hint=error.hint) from None


def tokens_per_record(compiled: CompiledKeys, side: Side) -> int:
    """The number of tokens to which a side's records are padded: room for two rows each, but never more than agreed."""
    return min(side.tokens_per_record, compiled.tokens_per_record(ROWS_PER_RECORD))


def own_rates(collection: Collection, selected: npt.NDArray[np.int64], agreement_id: bytes) -> Rates:
    """The rates of this node's records that an agreement admits; always the same for the same agreement and collection."""
    # One seed per agreement and collection: a repeated round gives the other side no second sample.
    seed = digest(b"blindmatch/rates/v1", agreement_id, collection.id.encode())
    return measure(
        collection.schema, collection.blocks(selected), seed=seed, entities=collection.entities(selected)
    )


def forecast(schema_name: str, edge: Edge, own: OwnList | None = None) -> KeyForecast:
    """The forecast of an edge; edges that differ in their agencies only share one calculation.

    Args:
        schema_name: of the agreement.
        edge: lists are assumed to be full, and their values to be as common as the schema assumes.
        own: this node's own list, which replaces the assumption for its side.
    """
    return _forecast(schema_name, without_parties(edge, schema_name), own)


@lru_cache(maxsize=64)
def _forecast(schema_name: str, edge: Edge, own: OwnList | None) -> KeyForecast:
    schema = load_schema(schema_name)
    stated = {
        "receiver": (default_rates(schema), edge.receiver.max_records),
        "sender": (default_rates(schema), edge.sender.max_records),
    }
    if own is not None:
        stated[own.role] = own.rates, own.records
    receiver, sender = stated["receiver"], stated["sender"]
    bare = KeyForecast(None, receiver[1], sender[1], own="" if own is None else own.role)
    try:
        compiled = _compile(schema, receiver, sender, edge.linkage)
    except SchemaError as error:
        return replace(bare, problem=error.message, hint=error.hint)
    tokens = [tokens_per_record(compiled, side) for side in (edge.receiver, edge.sender)]
    return replace(bare, compiled=compiled, receiver_tokens=tokens[0], sender_tokens=tokens[1])


@lru_cache(maxsize=8)
def _compile(schema: Schema, receiver: ListProfile, sender: ListProfile, linkage: Linkage) -> CompiledKeys:
    terms = CompileTerms(linkage.overlap, linkage.false_leads, linkage.budget, linkage.missing)
    return compile_keys(schema, receiver[0], sender[0], receiver[1], sender[1], terms)
