"""An agreement's match keys: compiled for a round from both sides' rates, or for a forecast from typical rates."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

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
    expected_chance_matches,
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
    records: Mapping[str, int]
    """The records that the forecast assumes of `receiver` and `sender`."""
    tokens: Mapping[str, int] = field(default_factory=dict)
    """Tokens per record of each."""
    own: str = ""
    """`receiver` or `sender` when the forecast uses this node's own list for that side; empty when both lists are full and typical."""
    problem: str = ""
    hint: str = ""

    @cached_property
    def data(self) -> dict[str, Any]:
        """The expected result of a round, as the model predicts it."""
        compiled = self.compiled
        if compiled is None:
            return {"problem": self.problem, "hint": self.hint}
        return {
            "own": self.own,
            "records": self.records,
            "keys": [
                {
                    "name": key.name,
                    "words": key.words,
                    "chance_matches": expected_chance_matches(key, *self.records.values()),
                    "posterior": key.posterior,
                }
                for key in compiled.keys
            ],
            "tokens": self.tokens,
            "expected_true": compiled.expected_true,
            "expected_false": compiled.expected_false,
            "recall": compiled.recall,
        }


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
    return _compile_agreed(agreement, edge, receiver, sender, edge.linkage)


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
    return _compile_agreed(agreement, threshold, (rates, longer), (rates, shorter), linkage)


def _compile_agreed(
    agreement: Agreement,
    comparison: Edge | Threshold,
    receiver: ListProfile,
    sender: ListProfile,
    linkage: Linkage,
) -> CompiledKeys:
    try:
        return _compile(load_schema(agreement.schema), receiver, sender, linkage)
    except SchemaError as error:
        path = f"{agreement.path(comparison)}.linkage"
        raise AgreementError(path, error.message, hint=error.hint) from None


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
    return _forecast(schema_name, without_parties(edge), own)


@lru_cache(maxsize=64)
def _forecast(schema_name: str, edge: Edge, own: OwnList | None) -> KeyForecast:
    schema = load_schema(schema_name)
    stated = {role: (default_rates(schema), side.max_records) for role, side in edge.sides.items()}
    if own is not None:
        stated[own.role] = own.rates, own.records
    records = {role: count for role, (_, count) in stated.items()}
    bare = KeyForecast(None, records, own="" if own is None else own.role)
    try:
        compiled = _compile(schema, *stated.values(), edge.linkage)
    except SchemaError as error:
        return replace(bare, problem=error.message, hint=error.hint)
    tokens = {role: tokens_per_record(compiled, side) for role, side in edge.sides.items()}
    return replace(bare, compiled=compiled, tokens=tokens)


@lru_cache(maxsize=8)
def _compile(schema: Schema, receiver: ListProfile, sender: ListProfile, linkage: Linkage) -> CompiledKeys:
    terms = CompileTerms(linkage.overlap, linkage.false_leads, linkage.budget, linkage.missing)
    return compile_keys(schema, receiver[0], sender[0], receiver[1], sender[1], terms)
