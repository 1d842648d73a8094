"""How commands speak of epochs: which round opened one, which went on with it, and what changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blindmatch.node.node import Node
    from blindmatch.node.rounds.edge_task import EdgeOutcome

SHORT = 12
"""Hexadecimal digits of an epoch's id that people see."""


def told(node: Node, round_id: bytes | None, edge: str) -> dict[str, Any]:
    """Of a round under a standing agreement: its epoch, its number there, and what changed; else nothing."""
    if round_id is None:
        return {}
    delta = node.store.find_delta(round_id, edge)
    epoch = node.store.find_epoch(round_id if delta is None else delta.epoch, edge)
    if delta is None and epoch is None:
        return {}
    said: dict[str, Any] = {
        "epoch": (round_id if delta is None else delta.epoch).hex(),
        "delta": 0 if delta is None else delta.number,
    }
    if epoch is not None:
        said["epoch_ends"] = datetime.fromtimestamp(epoch.ends_at, UTC).isoformat()
        said["epoch_ended"] = epoch.reason if not epoch.open else ""
    if delta is not None and delta.counts is not None:
        names = ("receiver_added", "receiver_removed", "sender_added", "sender_removed")
        said |= dict(zip(names, delta.counts, strict=True))
    return said


def words(told: Mapping[str, Any]) -> str:
    """The same in a line."""
    ended = " (ended)" if told.get("epoch_ended") else ""
    if not told["delta"]:
        return f"full, opened epoch {told['epoch'][:SHORT]}{ended}"
    words = f"delta {told['delta']} of epoch {told['epoch'][:SHORT]}{ended}"
    if "receiver_added" in told:
        words += (
            f": receiver +{told['receiver_added']} -{told['receiver_removed']}, "
            f"sender +{told['sender_added']} -{told['sender_removed']}"
        )
    return words


def changed(edge: EdgeOutcome) -> str:
    """What a delta round was over, on our side."""
    return (
        f"{edge.edge}: delta round {edge.delta} of its epoch; of our records {edge.added} are new or changed, "
        f"{edge.removed} gone or changed"
    )
