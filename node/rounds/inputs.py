"""From an agreement and a collection to the inputs of a session: rates, match keys, tokens, elements.

The same seed, the same statements of rates and the same collection give the same elements. After a crash, a node therefore
sends again the bytes that it sent before.
"""

from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import count
from typing import Literal

import numpy as np
import numpy.typing as npt

from blindmatch.node import imports
from blindmatch.node.agreements.match_keys import compile_round, own_rates, tokens_per_record
from blindmatch.node.imports import Collection
from blindmatch.node.node import Node
from blindmatch.node.storage.store import EdgeRow
from blindmatch.protocol.agreement import Agreement, Edge
from blindmatch.protocol.errors import SequenceError
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
from blindmatch.protocol.session.messages import EdgeContext
from blindmatch.protocol.session.rates_statement import NOTHING, RatesStatement, statement_digest
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.transcript import Signed, digest

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class PreparedInputs:
    """This node's side of one comparison, ready for a session."""

    compiled: CompiledKeys
    tokens: Tokens
    elements: Elements
    collection: Collection
    selected: Indices
    """The collection's records that the agreement admits; token record `i` is `selected[i]`."""


def measure_rates(node: Node, agreement: Agreement, row: EdgeRow) -> tuple[int, bytes]:
    """The number of this node's records that the agreement admits, and their encoded rates.

    Raises:
        LocalError: the collection is gone, unreadable, or has no records that may enter.
    """
    collection = imports.open_collection(node, row.collection_id)
    selected = collection.select(agreement.handling_codes)
    return len(selected), own_rates(collection, selected, row.agreement_id).encode()


def decode_rates(agreement: Agreement, encoded: bytes) -> Rates:
    """The rates of a statement of this agreement.

    Raises:
        PeerError: BAD_MESSAGE for rates that no honest list could have.
    """
    return Rates.decode(encoded, load_schema(agreement.schema))


def expected_leads(compiled: CompiledKeys, **records: int) -> dict[str, float]:
    """The number of keys, the records of either side, and the true and false leads that the model expects."""
    return {
        "keys": len(compiled.keys),
        **records,
        "expected_true": round(compiled.expected_true, 2),
        "expected_false": round(compiled.expected_false, 2),
    }


def read_inputs(
    node: Node,
    agreement: Agreement,
    row: EdgeRow,
    compiled: CompiledKeys,
    per_record: int,
    *,
    distinct: bool,
    raw: bool = False,
    role: Literal["receiver", "sender"] | None = None,
    allocate: AllocateRows = in_memory,
) -> PreparedInputs:
    """The tokens of this node's records, with dummy elements up to `per_record` of each record.

    Args:
        node: this node.
        agreement: checked.
        row: the comparison, with its seed.
        compiled: the round's keys.
        per_record: tokens of each record.
        distinct: each token once.
        raw: leave the own-list guard to the lookup of the tags.
        role: whose rules the keys follow; None where both sides follow the same.
        allocate: where the tokens are stored: in memory, or in unlinked temporary files.

    Raises:
        LocalError: the collection is gone, unreadable, or has no records that may enter.
    """
    collection = imports.open_collection(node, row.collection_id)
    selected = collection.select(agreement.handling_codes)
    expander, calls = Expander(row.seed), count()
    tokens = collection.tokens(
        compiled,
        selected,
        per_record,
        lambda size: expander.stream("fillers", next(calls), size),
        distinct=distinct,
        raw=raw,
        role=role,
        allocate=allocate,
    )
    expander.wipe()
    return PreparedInputs(compiled, tokens, Elements(compiled, tokens), collection, selected)


@dataclass(frozen=True)
class CompiledEdge:
    """Both sides' verified statements of rates, and the keys that both sides compile from them."""

    context: EdgeContext
    """With the digest of keys and statements, and exactly as many elements as the stated records give."""
    compiled: CompiledKeys
    receiver_tokens: int
    """Tokens per record of the receiver."""
    sender_tokens: int
    receiver_records: int
    """Records that each side has stated."""
    sender_records: int
    receiver_rates: Rates
    sender_rates: Rates

    @property
    def expected(self) -> dict[str, float]:
        """See `expected_leads`."""
        return expected_leads(
            self.compiled, receiver_records=self.receiver_records, sender_records=self.sender_records
        )

    def tokens_of(self, role: Role) -> int:
        """Tokens per record of one side."""
        return self.receiver_tokens if role is Role.RECEIVER else self.sender_tokens


def edge_context(agreement_id: bytes, edge: Edge, round_id: bytes) -> EdgeContext:
    """The context of an edge before both sides exchange rates: without keys."""
    return EdgeContext(
        agreement=agreement_id,
        round_id=round_id,
        edge=edge.id,
        receiver=edge.receiver.agency,
        sender=edge.sender.agency,
        disclosure=edge.disclosure,
        verified=edge.terms.verified,
        keys_digest=NOTHING,
        receiver_elements=edge.receiver.max_elements,
        sender_elements=edge.sender.max_elements,
        fact_bytes=edge.terms.fact_bytes,
    )


def context_of(agreement: Agreement, row: EdgeRow) -> EdgeContext:
    """`edge_context` of a stored edge."""
    return edge_context(row.agreement_id, agreement.edge(row.edge), row.round_id)


def state_rates(node: Node, agreement: Agreement, row: EdgeRow, *, answers: Signed | None = None) -> Signed:
    """Measure this node's list and sign its rates; the same bytes for the same list, agreement and round.

    Args:
        node: this node.
        agreement: checked.
        row: the edge.
        answers: the receiver's statement, when this node is the sender.

    Raises:
        LocalError: see `measure_rates`.
    """
    records, rates = measure_rates(node, agreement, row)
    statement = RatesStatement(
        role=Role(row.role),
        records=records,
        schema=agreement.schema_digest,
        rates=rates,
        answers=NOTHING if answers is None else statement_digest(answers),
    )
    return statement.sign(node.keys.identity, context_of(agreement, row))


def check_rates(
    agreement: Agreement, context: EdgeContext, role: Role, signed: Signed, answers: Signed | None
) -> tuple[RatesStatement, Rates]:
    """Check one side's statement against the agreement.

    Raises:
        PeerError: see `RatesStatement.check` and `decode_rates`.
    """
    edge = agreement.edge(context.edge)
    side = edge.receiver if role is Role.RECEIVER else edge.sender
    statement = RatesStatement.check(
        signed,
        agreement.party(side.agency).identity_key,
        role,
        context,
        schema=agreement.schema_digest,
        most=side.max_records,
        answers=NOTHING if answers is None else statement_digest(answers),
    )
    return statement, decode_rates(agreement, statement.rates)


def compile_edge(agreement: Agreement, row: EdgeRow, compiled: CompiledKeys | None = None) -> CompiledEdge:
    """Compile the round's keys from both statements in the store.

    Args:
        agreement: checked.
        row: the edge, with both statements.
        compiled: the stored keys of an earlier compilation of the same statements, if any.

    Raises:
        PeerError: a statement is not what the agreement allows.
        AgreementError: no key is specific enough for these lists under the agreement's terms.
        SequenceError: a statement is missing.
    """
    receiver, sender = row.receiver_rates, row.sender_rates
    if receiver is None or sender is None:
        raise SequenceError("the edge's rates were not exchanged")
    compile_keys = _compile_once if compiled is None else partial(_compile, compiled=compiled)
    return compile_keys(agreement, context_of(agreement, row), receiver, sender)


def _compile(
    agreement: Agreement,
    context: EdgeContext,
    receiver: Signed,
    sender: Signed,
    compiled: CompiledKeys | None = None,
) -> CompiledEdge:
    edge = agreement.edge(context.edge)
    ours, our_rates = check_rates(agreement, context, Role.RECEIVER, receiver, None)
    theirs, their_rates = check_rates(agreement, context, Role.SENDER, sender, receiver)
    if compiled is None:
        compiled = compile_round(agreement, edge, (our_rates, ours.records), (their_rates, theirs.records))
    receiver_tokens, sender_tokens = (tokens_per_record(compiled, s) for s in (edge.receiver, edge.sender))
    # The digest covers the statements too: sides that hold different ones stop here, whichever keys they compiled.
    keys_digest = digest(compiled.digest, receiver.payload, sender.payload)
    context = replace(
        context,
        keys_digest=keys_digest,
        receiver_elements=ours.records * receiver_tokens,
        # The entries of a sum have a size of their own.
        sender_elements=edge.sender.max_elements
        if edge.terms.groups_sender
        else theirs.records * sender_tokens,
    )
    return CompiledEdge(
        context,
        compiled,
        receiver_tokens,
        sender_tokens,
        ours.records,
        theirs.records,
        our_rates,
        their_rates,
    )


_compile_once = lru_cache(maxsize=8)(_compile)


def prepare_inputs(
    node: Node,
    agreement: Agreement,
    row: EdgeRow,
    agreed: CompiledEdge,
    allocate: AllocateRows = in_memory,
    *,
    raw: bool = False,
) -> PreparedInputs:
    """Tokens and elements of this node's side of an edge.

    Args:
        node: this node.
        agreement: checked.
        row: the edge, with its seed.
        agreed: the keys that both sides compiled.
        allocate: see `read_inputs`.
        raw: on the receiver's side, leave the own-list guard to the lookup of the tags.

    Raises:
        LocalError: see `read_inputs`.
    """
    role = Role(row.role)
    sending = role is Role.SENDER
    # A side whose tokens come in groups, of a record or of an entry, has a token in each group that holds it.
    distinct = sending != (agreement.edge(row.edge).terms.groups_sender)
    return read_inputs(
        node,
        agreement,
        row,
        agreed.compiled,
        agreed.tokens_of(role),
        distinct=distinct,
        raw=raw and not sending,
        role="sender" if sending else "receiver",
        allocate=allocate,
    )
