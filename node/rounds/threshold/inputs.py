"""From an agreement's threshold and a collection to what a session takes: everybody's rates, keys, tokens, elements.

The names are those of `preparation`, which does the same for an edge.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import count

import numpy as np
import numpy.typing as npt

from blindmatch.node import imports
from blindmatch.node.agreements.match_keys import compile_threshold, own_rates, tokens_per_record
from blindmatch.node.imports import Collection
from blindmatch.node.node import Node
from blindmatch.node.storage.store import EdgeRow
from blindmatch.protocol.agreement import Agreement, Threshold
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.expand import Expander
from blindmatch.protocol.linkage import (
    AllocateRows,
    CompiledKeys,
    Elements,
    Rates,
    Tokens,
    in_memory,
    load_schema,
)
from blindmatch.protocol.threshold import ThresholdContext, ThresholdRatesStatement, ThresholdRole
from blindmatch.protocol.transcript import Signed, digest

_SUFFIX = "_member"
"""No id of an agreement has an underscore: a collector that is a member too keeps two rows of one threshold."""


@dataclass(frozen=True)
class CompiledThreshold:
    """What everybody compiled from everybody's statements."""

    context: ThresholdContext
    compiled: CompiledKeys
    tokens: tuple[int, ...]
    """Tokens per record of each member."""
    records: tuple[int, ...]
    """Records that each member has stated."""


@dataclass(frozen=True)
class ThresholdInputs:
    """A member's own side, ready for a session."""

    compiled: CompiledKeys
    tokens: Tokens
    elements: Elements
    collection: Collection
    selected: npt.NDArray[np.int64]
    """The collection's records that the agreement lets in; token record `i` is `selected[i]`."""


def row_name(agreement: Agreement, threshold_id: str, role: ThresholdRole, agency: str) -> str:
    """Under which name a node keeps its row of a threshold."""
    doubled = (
        role is ThresholdRole.MEMBER
        and agency == agreement.collector
        and agency in agreement.threshold(threshold_id).agencies
    )
    return threshold_id + (_SUFFIX if doubled else "")


def terms_of(agreement: Agreement, row: EdgeRow) -> Threshold:
    """The threshold of a stored row."""
    return agreement.threshold(row.edge.removesuffix(_SUFFIX))


def context_of(agreement: Agreement, row: EdgeRow) -> ThresholdContext:
    """What everybody knows before the rates are exchanged."""
    terms = terms_of(agreement, row)
    return ThresholdContext.of(row.agreement_id, terms, agreement.collector, row.round_id)


def keys_of(agreement: Agreement, context: ThresholdContext) -> dict[str, bytes]:
    """Identity keys of everybody who signs, by agency."""
    return {name: agreement.party(name).identity_key for name in (*context.members, context.collector)}


def state_rates(node: Node, agreement: Agreement, row: EdgeRow) -> Signed:
    """Measure this member's list and sign what it gives; the same bytes for the same list, agreement and round.

    Raises:
        LocalError: the collection is gone, unreadable, or has no records that may enter.
    """
    collection = imports.open_collection(node, row.collection_id)
    selected = collection.select(agreement.handling_codes)
    statement = ThresholdRatesStatement(
        member=node.agency,
        records=len(selected),
        schema=agreement.schema_digest,
        rates=own_rates(collection, selected, row.agreement_id).encode(),
    )
    return statement.sign(node.keys.identity, context_of(agreement, row))


def compile_agreed(agreement: Agreement, row: EdgeRow, statements: tuple[Signed, ...]) -> CompiledThreshold:
    """Verify every member's statement, and compile the round's keys from all of them.

    Raises:
        PeerError: a statement is not what the agreement allows; BAD_COUNT when they are not as many as members;
            OVER_LIMIT when the tables would be too large.
        AgreementError: no key is specific enough for these lists under the agreement's terms.
    """
    return _agreed(agreement, terms_of(agreement, row), context_of(agreement, row), statements)


@lru_cache(maxsize=8)
def _agreed(
    agreement: Agreement, terms: Threshold, context: ThresholdContext, statements: tuple[Signed, ...]
) -> CompiledThreshold:
    if len(statements) != len(terms.members):
        raise PeerError(
            PeerCode.BAD_COUNT, f"{len(statements)} statements of rates of {len(terms.members)} members"
        )
    said = [read_rates(agreement, terms, context, place, signed) for place, signed in enumerate(statements)]
    schema = load_schema(agreement.schema)
    stated = tuple((Rates.decode(each.rates, schema), each.records) for each in said)
    compiled = compile_threshold(agreement, terms, stated)
    tokens = tuple(tokens_per_record(compiled, side) for side in terms.members)
    records = tuple(each.records for each in said)
    # Over the statements too: members that saw different ones stop at the commitments, whatever keys they compiled.
    keys_digest = digest(compiled.digest, *(signed.payload for signed in statements))
    elements = [one * other for one, other in zip(records, tokens, strict=True)]
    return CompiledThreshold(context.agreed(keys_digest, elements), compiled, tokens, records)


def read_rates(
    agreement: Agreement, terms: Threshold, context: ThresholdContext, place: int, signed: Signed
) -> ThresholdRatesStatement:
    """Check one member's statement against the agreement, its rates too.

    Raises:
        PeerError: see `RatesStatement.check`; BAD_MESSAGE for rates that no honest list could have.
    """
    side = terms.members[place]
    said = ThresholdRatesStatement.check(
        signed,
        agreement.party(side.agency).identity_key,
        side.agency,
        context,
        schema=agreement.schema_digest,
        most=side.max_records,
    )
    Rates.decode(said.rates, load_schema(agreement.schema))
    return said


def prepare_inputs(
    node: Node,
    agreement: Agreement,
    row: EdgeRow,
    made: CompiledThreshold,
    allocate: AllocateRows = in_memory,
) -> ThresholdInputs:
    """Tokens and elements of this member, each token once.

    Args:
        node: this node.
        agreement: checked.
        row: with its seed.
        made: what everybody compiled.
        allocate: where the tokens are kept: in memory, or not in the open.

    Raises:
        LocalError: the collection is gone, unreadable, or has no records that may enter.
    """
    collection = imports.open_collection(node, row.collection_id)
    selected = collection.select(agreement.handling_codes)
    expander, calls = Expander(row.seed), count()
    tokens = collection.tokens(
        made.compiled,
        selected,
        made.tokens[made.context.place(node.agency)],
        lambda size: expander.stream("fillers", next(calls), size),
        distinct=True,
        allocate=allocate,
    )
    expander.wipe()
    return ThresholdInputs(made.compiled, tokens, Elements(made.compiled, tokens), collection, selected)
