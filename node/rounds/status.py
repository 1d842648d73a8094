"""The state of a round, or of a whole agreement, as far as this node knows it.

Each receiver's node numbers its own rounds, and there is no central register. Of edges between other agencies this node
knows that the agreement has them, and nothing else.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from blindmatch.node.agreements import registry
from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.node import Node
from blindmatch.node.rounds.rows import DISCLOSED_STATES, OUTBOUND_ROLES
from blindmatch.node.storage.store import CLOSED, FAILED, EdgeRow
from blindmatch.protocol.agreement import Edge, Threshold
from blindmatch.protocol.errors import ConfigError, LocalError

WAITING = "waiting"
STOPPED = "stopped"
NOT_BEGUN = "not begun"
BETWEEN_OTHERS = "between others"

OUR_FAULT = "local"
"""The code of a fault that this node's own officers must correct; the edge does not wait for its peer."""


@dataclass(frozen=True)
class RoundEpoch:
    """The place of one round in its epoch, under a standing agreement."""

    epoch: bytes
    """16 bytes: the id of the round that opened it."""
    delta: int
    """The delta round's number; 0 for the full round that opened the epoch."""
    ends_at: int | None = None
    """Seconds since 1970; None where this node holds no epoch."""
    ended: str = ""
    """Why the epoch has ended; empty while it is open."""
    counts: tuple[int, int, int, int] | None = None
    """Records added and removed by the receiver, then by the sender; None until a delta round has closed."""

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        values: dict[str, Any] = {"epoch": self.epoch.hex(), "delta": self.delta}
        if self.ends_at is not None:
            values |= {"epoch_ends": _iso(self.ends_at), "epoch_ended": self.ended}
        if self.counts is not None:
            names = ("receiver_added", "receiver_removed", "sender_added", "sender_removed")
            values |= dict(zip(names, self.counts, strict=True))
        return values


@dataclass(frozen=True)
class EdgeStatus:
    """One edge or threshold of an agreement, as this node knows it. Times are seconds since 1970, or None."""

    edge: str
    agreement_id: bytes
    role: str
    """`receiver`, `sender`, `member`, `collector`; empty for edges between other agencies."""
    peer: str
    """The other side; for edges between others and for thresholds, every agency on it."""
    state: str
    """`waiting` for its peer, `stopped` for good, `not begun`, `between others`; otherwise the session's state."""
    round_id: bytes | None = None
    step: str = ""
    """The session's state, also while it waits."""
    done: int = 0
    total: int = 0
    """Chunks."""
    started_at: int | None = None
    updated_at: int | None = None
    finished_at: int | None = None
    code: str = ""
    reason: str = ""
    epoch: RoundEpoch | None = None
    """Under a standing agreement, where it was read too."""

    @property
    def over(self) -> bool:
        """Whether nothing more happens here that this node could see."""
        return self.state in {CLOSED, FAILED, STOPPED, BETWEEN_OTHERS}

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        return {
            "round": None if self.round_id is None else self.round_id.hex(),
            "edge": self.edge,
            "agreement": self.agreement_id.hex(),
            "role": self.role or None,
            "peer": self.peer,
            "state": self.state,
            "step": self.step or None,
            "over": self.over,
            "chunks_done": self.done,
            "chunks": self.total,
            "started": _iso(self.started_at),
            "updated": _iso(self.updated_at),
            "finished": _iso(self.finished_at),
            "code": self.code,
            "reason": self.reason,
            **({} if self.epoch is None else self.epoch.data()),
        }


def find_round(node: Node, text: str = "") -> bytes:
    """A round's id, 16 bytes, from its first hexadecimal digits; the newest round without any.

    Raises:
        LocalError: this node has taken part in no round.
        ConfigError: no round, or more than one, starts with these digits.
    """
    ids = list(dict.fromkeys(row.round_id for row in node.store.edges()))
    matches = [each for each in ids if each.hex().startswith(text.lower())] if text else ids[-1:]
    if len(matches) != 1:
        if not ids:
            raise LocalError(
                "this node has taken part in no round", hint="Start one: blindmatch round run ID"
            )
        problem = "more than one round starts" if matches else "no round starts"
        raise ConfigError(f"{problem} with {text}", hint="See `blindmatch round status`.")
    return matches[0]


def of_round(node: Node, round_id: bytes) -> list[EdgeStatus]:
    """Every edge of a round, then the edges of its agreement that are not in it, in the agreement's order."""
    rows = node.store.edges(round_id)
    return _of_stored(node, registry.find(node, rows[0].agreement_id), rows)


def of_agreement(node: Node, agreement_id: bytes) -> list[EdgeStatus]:
    """Every edge of an agreement, each in its newest round."""
    return _of_stored(node, registry.find(node, agreement_id), ())


def of_everything(node: Node) -> list[EdgeStatus]:
    """Every edge of every round that this node has taken part in, oldest first."""
    rows = node.store.edges()
    stored = {
        agreement_id: registry.find(node, agreement_id) for agreement_id in {row.agreement_id for row in rows}
    }
    return [_of_row(row, stored[row.agreement_id]) for row in rows]


def with_epoch(node: Node, status: EdgeStatus) -> EdgeStatus:
    """The same status with its round's place in an epoch, if it has one."""
    if status.round_id is None:
        return status
    delta = node.store.find_delta(status.round_id, status.edge)
    opening = status.round_id if delta is None else delta.epoch
    epoch = node.store.find_epoch(opening, status.edge)
    if delta is None and epoch is None:
        return status
    place = RoundEpoch(
        opening,
        0 if delta is None else delta.number,
        ends_at=None if epoch is None else epoch.ends_at,
        ended="" if epoch is None or epoch.open else epoch.reason,
        counts=None if delta is None else delta.counts,
    )
    return replace(status, epoch=place)


def _of_stored(node: Node, stored: StoredAgreement, rows: Iterable[EdgeRow]) -> list[EdgeStatus]:
    """The rows of one round as they are; for the agreement's other edges, the newest round of another receiver."""
    inside = {row.edge: row for row in rows}
    newest: dict[str, EdgeRow] = {}
    for row in node.store.edges(agreement_id=stored.id):  # oldest first
        if not inside or row.role not in OUTBOUND_ROLES:
            newest[row.edge] = row
    rows_by_name = {**newest, **inside}
    statuses = []
    for comparison in stored.agreement.comparisons:
        known = rows_by_name.pop(comparison.id, None)
        statuses.append(
            _without_row(node.agency, stored, comparison) if known is None else _of_row(known, stored)
        )
    # A collector that is a member too has a second row of one threshold.
    return statuses + [_of_row(row, stored) for row in rows_by_name.values()]


def _of_row(row: EdgeRow, stored: StoredAgreement) -> EdgeStatus:
    state, code, reason = row.state, row.code, row.reason
    if row.running and stored.withdrawals:
        state = row.state if row.state in DISCLOSED_STATES else STOPPED
        code, reason = "expired-agreement", registry.describe_withdrawals(stored)
    elif row.running and row.code not in {"", OUR_FAULT}:
        state = WAITING
    return EdgeStatus(
        row.edge,
        row.agreement_id,
        row.role,
        row.peer,
        state,
        round_id=row.round_id,
        step=row.state,
        done=row.done,
        total=row.total,
        started_at=row.started_at,
        updated_at=row.updated_at,
        finished_at=row.finished_at,
        code=code,
        reason=reason,
    )


def _without_row(agency: str, stored: StoredAgreement, comparison: Edge | Threshold) -> EdgeStatus:
    if isinstance(comparison, Edge):
        receiver, sender = comparison.receiver.agency, comparison.sender.agency
        roles: Mapping[str, tuple[str, str]] = {receiver: ("receiver", sender), sender: ("sender", receiver)}
        role, peer = roles.get(agency, ("", f"{receiver} from {sender}"))
    else:
        collector = stored.agreement.collector
        role = "member" if agency in comparison.agencies else "collector" if agency == collector else ""
        peer = ", ".join(name for name in comparison.agencies if name != agency)
    state = NOT_BEGUN if role else BETWEEN_OTHERS
    reason = registry.describe_withdrawals(stored) if role and stored.withdrawals else ""
    return EdgeStatus(comparison.id, stored.id, role, peer, STOPPED if reason else state, reason=reason)


def _iso(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
