"""From an agreement and a collection to what a session takes: rates, keys, tokens, elements, facts.

The same seed, the same statements of rates and the same collection give the same elements, so a crash repeats nothing
that was sent with other bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import count

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
from blindmatch.protocol.hits.facts import Facts
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
from blindmatch.protocol.transcript import Signed, Signer, digest


@dataclass(frozen=True)
class CompiledEdge:
    """Both sides' statements of rates, verified, and what both compile from them."""

    context: EdgeContext
    """With the digest of keys and statements, and exactly the elements that the stated records give."""
    compiled: CompiledKeys
    receiver_tokens: int
    """Tokens per record of the receiver."""
    sender_tokens: int
    receiver_records: int
    """Records that each side has stated."""
    sender_records: int
    receiver_rates: Rates
    sender_rates: Rates

    def tokens_of(self, role: Role) -> int:
        """Tokens per record of one side."""
        return self.receiver_tokens if role is Role.RECEIVER else self.sender_tokens


@dataclass(frozen=True)
class EdgeInputs:
    """One side of one edge, ready for a session."""

    compiled: CompiledKeys
    tokens: Tokens
    elements: Elements
    facts: Facts | None
    collection: Collection
    selected: npt.NDArray[np.int64]
    """The collection's records that the agreement lets in; token record `i` is `selected[i]`."""


def edge_context(agreement_id: bytes, edge: Edge, round_id: bytes) -> EdgeContext:
    """What both sides know of the edge before they exchange rates: no keys yet."""
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
    """The same for a stored edge."""
    return edge_context(row.agreement_id, agreement.edge(row.edge), row.round_id)


def state_rates(
    node: Node, signer: Signer, agreement: Agreement, row: EdgeRow, *, answers: Signed | None = None
) -> Signed:
    """Measure this node's list and sign what it gives; the same bytes for the same list, agreement and round.

    Args:
        node: this node.
        signer: its identity.
        agreement: checked.
        row: the edge.
        answers: the receiver's statement, when this node is the sender.

    Raises:
        LocalError: the collection is gone, unreadable, or has no records that may enter.
    """
    collection = imports.open_collection(node, row.collection_id)
    selected = collection.select(agreement.handling_codes)
    statement = RatesStatement(
        role=Role(row.role),
        records=len(selected),
        schema=agreement.schema_digest,
        rates=own_rates(collection, selected, row.agreement_id).encode(),
        answers=NOTHING if answers is None else statement_digest(answers),
    )
    return statement.sign(signer, context_of(agreement, row))


def check_rates(
    agreement: Agreement, context: EdgeContext, role: Role, signed: Signed, answers: Signed | None
) -> int:
    """Check one side's statement against the agreement; its number of records.

    Raises:
        PeerError: see `RatesStatement.check`; BAD_MESSAGE for rates that no honest list could have.
    """
    return _read(agreement, context, role, signed, answers).records


def _read(
    agreement: Agreement, context: EdgeContext, role: Role, signed: Signed, answers: Signed | None
) -> RatesStatement:
    edge = agreement.edge(context.edge)
    side = edge.receiver if role is Role.RECEIVER else edge.sender
    said = RatesStatement.check(
        signed,
        agreement.party(side.agency).identity_key,
        role,
        context,
        schema=agreement.schema_digest,
        most=side.max_records,
        answers=NOTHING if answers is None else statement_digest(answers),
    )
    _rates(agreement, said)
    return said


def _rates(agreement: Agreement, said: RatesStatement) -> Rates:
    return Rates.decode(said.rates, load_schema(agreement.schema))


def compile_edge(agreement: Agreement, row: EdgeRow, compiled: CompiledKeys | None = None) -> CompiledEdge:
    """Compile the round's keys from both statements that the store holds.

    Args:
        agreement: checked.
        row: the edge, with both statements.
        compiled: what was compiled from them before, where it was kept.

    Raises:
        PeerError: a statement is not what the agreement allows.
        AgreementError: no key is specific enough for these lists under the agreement's terms.
        SequenceError: a statement is missing.
    """
    receiver, sender = row.receiver_rates, row.sender_rates
    if receiver is None or sender is None:
        raise SequenceError("the edge's rates were not exchanged")
    if compiled is not None:
        return _agreed_on(agreement, context_of(agreement, row), (receiver, sender), compiled)
    return _exchanged(agreement, context_of(agreement, row), receiver, sender)


@lru_cache(maxsize=8)
def _exchanged(agreement: Agreement, context: EdgeContext, receiver: Signed, sender: Signed) -> CompiledEdge:
    return _agreed_on(agreement, context, (receiver, sender), None)


def _agreed_on(
    agreement: Agreement, context: EdgeContext, signed: tuple[Signed, Signed], compiled: CompiledKeys | None
) -> CompiledEdge:
    receiver, sender = signed
    edge = agreement.edge(context.edge)
    ours = _read(agreement, context, Role.RECEIVER, receiver, None)
    theirs = _read(agreement, context, Role.SENDER, sender, receiver)
    rates = _rates(agreement, ours), _rates(agreement, theirs)
    if compiled is None:
        compiled = compile_round(agreement, edge, (rates[0], ours.records), (rates[1], theirs.records))
    receiver_tokens, sender_tokens = (tokens_per_record(compiled, s) for s in (edge.receiver, edge.sender))
    # Over the statements too: sides that saw different ones stop here, whatever keys they compiled.
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
        context, compiled, receiver_tokens, sender_tokens, ours.records, theirs.records, *rates
    )


FactsOrder = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.int64]]
"""Puts some of the records that enter, by their place among them, in the order in which they tell their facts."""


def _as_it_is(records: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return records


def prepare_inputs(
    node: Node,
    agreement: Agreement,
    row: EdgeRow,
    agreed: CompiledEdge,
    allocate: AllocateRows = in_memory,
    *,
    raw: bool = False,
    order: FactsOrder | None = None,
) -> EdgeInputs:
    """Tokens and elements of this node's side; on the sender's side each token once, and the facts with it.

    Args:
        node: this node.
        agreement: checked.
        row: the edge, with its seed.
        agreed: what both sides compiled.
        allocate: where the tokens are kept: in memory, or not in the open.
        raw: on the receiver's side, the own-list guard is left to who looks the tags up.
        order: on the sender's side, the order in which records that share an element tell their facts.

    Raises:
        LocalError: the collection is gone, unreadable, or has no records that may enter.
    """
    role, edge = Role(row.role), agreement.edge(row.edge)
    sending = role is Role.SENDER
    # Whose tokens come in groups, of a record or of an entry, has a token in each group that holds it.
    distinct = sending != edge.terms.groups_sender
    collection = imports.open_collection(node, row.collection_id)
    selected = collection.select(agreement.handling_codes)
    expander = Expander(row.seed)
    calls = count()
    tokens = collection.tokens(
        agreed.compiled,
        selected,
        agreed.tokens_of(role),
        lambda size: expander.stream("fillers", next(calls), size),
        distinct=distinct,
        raw=raw and not sending,
        role="sender" if sending else "receiver",
        allocate=allocate,
    )
    expander.wipe()
    facts = None
    if sending and edge.terms.fact_bytes:
        facts = Facts(
            tokens,
            lambda record: collection.record(int(selected[record])).facts,
            edge.terms.facts,
            edge.terms.fact_bytes,
            in_order=order or _as_it_is,
        )
    return EdgeInputs(agreed.compiled, tokens, Elements(agreed.compiled, tokens), facts, collection, selected)
