"""The leads that the model expected of a round, and its keys for missing fields, from both sides' signed statements.

Nothing here depends on the round's results. Both nodes store both statements, and the receipt is bound to them, so each
side can prove what the other stated about its list.
"""

from dataclasses import dataclass
from typing import Any

from blindmatch.node.agreements import registry
from blindmatch.node.node import Node
from blindmatch.node.rounds.inputs import CompiledEdge, compile_edge
from blindmatch.node.rounds.threshold import inputs as threshold_inputs
from blindmatch.node.storage.store import EdgeRow
from blindmatch.protocol.linkage import Rates, Schema
from blindmatch.protocol.linkage.rates import PRESENT
from blindmatch.protocol.threshold.transitions import ThresholdRole


@dataclass(frozen=True)
class MissingField:
    """The keys that one side computes only for records without a field."""

    role: str
    """`receiver` or `sender`: whose records."""
    field: str
    """Its title."""
    keys: int
    share: float
    """Of that side's people, from its signed statement, to a 64th."""


@dataclass(frozen=True)
class RoundForecast:
    """What the model expected of one edge of one round."""

    keys: int
    """Match keys that both sides compiled."""
    expected_true: float
    expected_false: float
    lacking: tuple[MissingField, ...]

    def figures(self) -> dict[str, Any]:
        """The numbers as plain values, as JSON has them."""
        return {
            "keys": self.keys,
            "expected_true": round(self.expected_true, 2),
            "expected_false": round(self.expected_false, 2),
        }


def round_forecast(node: Node, row: EdgeRow) -> RoundForecast | None:
    """The forecast of an edge, or of a threshold over all pairs of members; None until the rates have been exchanged.

    Raises:
        BlindmatchError: the agreement is not in the store, or a statement breaks it.
    """
    if row.role in {ThresholdRole.MEMBER.value, ThresholdRole.COLLECTOR.value}:
        return _threshold_forecast(node, row)
    full = node.store.edge(row.round_id, row.edge)
    if full.receiver_rates is None or full.sender_rates is None:
        return None
    agreed = compile_edge(registry.find(node, row.agreement_id).agreement, full)
    compiled = agreed.compiled
    return RoundForecast(
        len(compiled.keys), compiled.expected_true, compiled.expected_false, _lacking(agreed)
    )


def _threshold_forecast(node: Node, row: EdgeRow) -> RoundForecast | None:
    agreement = registry.find(node, row.agreement_id).agreement
    statements = node.store.statements(row.round_id, row.edge)
    members = threshold_inputs.terms_of(agreement, row).agencies
    if any(member not in statements for member in members):
        return None
    agreed = threshold_inputs.compile_threshold_keys(
        agreement, row, tuple(statements[member] for member in members)
    )
    compiled = agreed.compiled
    return RoundForecast(len(compiled.keys), compiled.expected_true, compiled.expected_false, ())


def _lacking(agreed: CompiledEdge) -> tuple[MissingField, ...]:
    schema = agreed.compiled.schema
    counts: dict[tuple[str, str], int] = {}
    for key in agreed.compiled.keys:
        for role, levels in (("receiver", key.absent_receiver), ("sender", key.absent_sender)):
            for name in {schema.levels[level].field for level in levels}:
                counts[role, name] = counts.get((role, name), 0) + 1
    rates = {"receiver": agreed.receiver_rates, "sender": agreed.sender_rates}
    return tuple(
        MissingField(role, schema.field_named(name).title, keys, _share(schema, rates[role], name))
        for (role, name), keys in sorted(counts.items())
    )


def _share(schema: Schema, rates: Rates, name: str) -> float:
    """The share of people without a field: those for whom even its weakest level is missing."""
    present = max(
        rates.presence[place]
        for place, level in enumerate(schema.levels)
        if level.field == name and not level.other
    )
    return 1 - present / PRESENT
