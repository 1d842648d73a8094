"""From a threshold of an agreement and a collection to the inputs of a session; `rounds.inputs` does the same for an edge."""

from dataclasses import dataclass
from functools import lru_cache

from blindmatch.node.agreements.match_keys import compile_threshold, tokens_per_record
from blindmatch.node.node import Node
from blindmatch.node.rounds.inputs import (
    PreparedInputs,
    decode_rates,
    expected_leads,
    measure_rates,
    read_inputs,
)
from blindmatch.node.storage.store import EdgeRow
from blindmatch.protocol.agreement import Agreement, Threshold
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.linkage import AllocateRows, CompiledKeys, Rates, in_memory
from blindmatch.protocol.threshold.messages import ThresholdContext
from blindmatch.protocol.threshold.statements import ThresholdRatesStatement
from blindmatch.protocol.threshold.transitions import ThresholdRole
from blindmatch.protocol.transcript import Signed, digest

_SUFFIX = "_member"
"""No id of an agreement has an underscore: a collector that is also a member has two rows of one threshold."""


@dataclass(frozen=True)
class CompiledThreshold:
    """The keys that all parties compile from the verified statements of all members."""

    context: ThresholdContext
    compiled: CompiledKeys
    tokens: tuple[int, ...]
    """Tokens per record of each member."""
    records: tuple[int, ...]
    """Records that each member has stated."""

    @property
    def expected(self) -> dict[str, float]:
        """See `expected_leads`; leads over all pairs of members."""
        return expected_leads(self.compiled, sender_records=sum(self.records))


def row_name(agreement: Agreement, threshold_id: str, role: ThresholdRole, agency: str) -> str:
    """The name of a node's row of a threshold."""
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
    """The context of a threshold before the rates are exchanged."""
    terms = terms_of(agreement, row)
    return ThresholdContext.of(row.agreement_id, terms, agreement.collector, row.round_id)


def keys_of(agreement: Agreement, context: ThresholdContext) -> dict[str, bytes]:
    """Identity keys of all signers, by agency."""
    return {name: agreement.party(name).identity_key for name in (*context.members, context.collector)}


def state_rates(node: Node, agreement: Agreement, row: EdgeRow) -> Signed:
    """Measure this member's list and sign its rates; the same bytes for the same list, agreement and round.

    Raises:
        LocalError: see `inputs.measure_rates`.
    """
    records, rates = measure_rates(node, agreement, row)
    statement = ThresholdRatesStatement(
        member=node.agency, records=records, schema=agreement.schema_digest, rates=rates
    )
    return statement.sign(node.keys.identity, context_of(agreement, row))


def compile_threshold_keys(
    agreement: Agreement, row: EdgeRow, statements: tuple[Signed, ...]
) -> CompiledThreshold:
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
    read = [read_rates(agreement, terms, context, place, signed) for place, signed in enumerate(statements)]
    compiled = compile_threshold(agreement, terms, tuple((rates, each.records) for each, rates in read))
    tokens = tuple(tokens_per_record(compiled, side) for side in terms.members)
    records = tuple(each.records for each, _ in read)
    # The digest covers the statements too: members that hold different ones stop at the commitments.
    keys_digest = digest(compiled.digest, *(signed.payload for signed in statements))
    elements = [one * other for one, other in zip(records, tokens, strict=True)]
    return CompiledThreshold(context.with_keys(keys_digest, elements), compiled, tokens, records)


def read_rates(
    agreement: Agreement, terms: Threshold, context: ThresholdContext, place: int, signed: Signed
) -> tuple[ThresholdRatesStatement, Rates]:
    """Check one member's statement against the agreement.

    Raises:
        PeerError: see `ThresholdRatesStatement.check` and `inputs.decode_rates`.
    """
    side = terms.members[place]
    statement = ThresholdRatesStatement.check(
        signed,
        agreement.party(side.agency).identity_key,
        side.agency,
        context,
        schema=agreement.schema_digest,
        most=side.max_records,
    )
    return statement, decode_rates(agreement, statement.rates)


def prepare_inputs(
    node: Node,
    agreement: Agreement,
    row: EdgeRow,
    agreed: CompiledThreshold,
    allocate: AllocateRows = in_memory,
) -> PreparedInputs:
    """Tokens and elements of this member, each token once; see `inputs.read_inputs`."""
    per_record = agreed.tokens[agreed.context.place(node.agency)]
    return read_inputs(node, agreement, row, agreed.compiled, per_record, distinct=True, allocate=allocate)
