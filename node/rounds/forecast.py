"""What a round was compiled to find, and for which missing fields: read again from both sides' signed statements.

Nothing here depends on what was found. Both nodes keep both statements, and the receipt is bound to them, so either can
hold the other to what it said of its list.
"""

from dataclasses import dataclass

from blindmatch.node.agreements import registry
from blindmatch.node.node import Node
from blindmatch.node.rounds.inputs import CompiledEdge, compile_edge
from blindmatch.node.rounds.threshold import inputs as threshold_inputs
from blindmatch.node.storage.store import EdgeRow
from blindmatch.protocol.linkage import Rates, Schema
from blindmatch.protocol.linkage.rates import PRESENT
from blindmatch.protocol.threshold import ThresholdRole as Circle


@dataclass(frozen=True)
class MissingField:
    """Keys that one side makes only for records that lack a field."""

    role: str
    """`receiver` or `sender`: whose records."""
    field: str
    """In words."""
    keys: int
    share: float
    """Of that side's people, by its signed statement, to a 64th."""


@dataclass(frozen=True)
class RoundForecast:
    """One edge of one round, by the model."""

    keys: int
    expected_true: float
    expected_false: float
    lacking: tuple[MissingField, ...]


def round_forecast(node: Node, row: EdgeRow) -> RoundForecast | None:
    """What was to be expected of an edge; None before the rates were exchanged. For a threshold, over all pairs of members.

    Raises:
        BlindmatchError: the agreement is gone, or a statement is not what it allows.
    """
    if row.role in {Circle.MEMBER.value, Circle.COLLECTOR.value}:
        return _of_many(node, row)
    full = node.store.edge(row.round_id, row.edge)
    if full.receiver_rates is None or full.sender_rates is None:
        return None
    agreed = compile_edge(registry.find(node, row.agreement_id).agreement, full)
    compiled = agreed.compiled
    return RoundForecast(
        len(compiled.keys), compiled.expected_true, compiled.expected_false, _lacking(agreed)
    )


def _of_many(node: Node, row: EdgeRow) -> RoundForecast | None:
    agreement = registry.find(node, row.agreement_id).agreement
    kept = node.store.statements(row.round_id, row.edge)
    members = threshold_inputs.terms_of(agreement, row).agencies
    if any(member not in kept for member in members):
        return None
    made = threshold_inputs.compile_threshold_keys(agreement, row, tuple(kept[member] for member in members)).compiled
    return RoundForecast(len(made.keys), made.expected_true, made.expected_false, ())


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
    """How many people lack a field altogether: those who do not even say its weakest level."""
    said = max(
        rates.presence[place]
        for place, level in enumerate(schema.levels)
        if level.field == name and not level.other
    )
    return 1 - said / PRESENT
