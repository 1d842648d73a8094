"""How a round, or a whole agreement, stands as far as this node can see: its own edges on either side, and the others.

Each receiver's node numbers its rounds by itself, and there is no centre: of edges between others this node knows that
they exist, and nothing else.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from blindmatch.node.agreements import registry
from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.node import Node
from blindmatch.node.storage.store import CLOSED, FAILED, EdgeRow
from blindmatch.protocol.agreement import Edge, Threshold
from blindmatch.protocol.session.states import Role, State
from blindmatch.protocol.threshold import ThresholdRole as Circle

WAITING = "waiting"
STOPPED = "stopped"
NOT_BEGUN = "not begun"
BETWEEN_OTHERS = "between others"

_RUN = frozenset({Role.RECEIVER.value, Circle.COLLECTOR.value})
"""Roles in which a node numbers the round."""

OUR_FAULT = "local"
"""The code of what this node's own officers must put right; nobody is waited for."""

_ANSWERED = frozenset(
    state.value for state in (State.MATCHED, State.INFORMED, State.SIGNED, State.RELEASING, State.ANSWERED)
)
"""States in which all has been disclosed, or may have been: only a receipt is left, and a withdrawal does not stop it."""


@dataclass(frozen=True)
class EdgeView:
    """One comparison of an agreement, as this node sees it. Times are seconds since 1970, or None."""

    edge: str
    agreement_id: bytes
    role: str
    """`receiver`, `sender`, `member`, `collector`; empty for others' edges."""
    peer: str
    """The other side; of others' edges and of thresholds, everybody on it."""
    state: str
    """`waiting` for its peer, `stopped` for good, `not begun`, `between others`; otherwise where the session stands."""
    round_id: bytes | None = None
    step: str = ""
    """Where the session stands, whatever holds it up."""
    done: int = 0
    total: int = 0
    started_at: int | None = None
    updated_at: int | None = None
    finished_at: int | None = None
    code: str = ""
    reason: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing more will happen here that this node could see."""
        return self.state in {CLOSED, FAILED, STOPPED, BETWEEN_OTHERS}


def of_round(node: Node, round_id: bytes) -> list[EdgeView]:
    """Every edge of a round, then those of its agreement that are not in it, in the agreement's order."""
    rows = node.store.edges(round_id)
    return _whole(node, registry.find(node, rows[0].agreement_id), rows)


def of_agreement(node: Node, agreement_id: bytes) -> list[EdgeView]:
    """Every edge of an agreement, each as it stands in its newest round."""
    return _whole(node, registry.find(node, agreement_id), ())


def of_everything(node: Node) -> list[EdgeView]:
    """Every edge of every round that this node has taken part in, oldest first."""
    rows = node.store.edges()
    held = {
        agreement_id: registry.find(node, agreement_id) for agreement_id in {row.agreement_id for row in rows}
    }
    return [_view(row, held[row.agreement_id]) for row in rows]


def _whole(node: Node, held: StoredAgreement, rows: Iterable[EdgeRow]) -> list[EdgeView]:
    """Rows of one round as they are; of the agreement's other comparisons the newest round of another receiver."""
    inside = {row.edge: row for row in rows}
    newest: dict[str, EdgeRow] = {}
    for row in node.store.edges(agreement_id=held.id):  # oldest first
        if not inside or row.role not in _RUN:
            newest[row.edge] = row
    rows_by_name = {**newest, **inside}
    views = []
    for each in held.agreement.comparisons:
        found = rows_by_name.pop(each.id, None)
        views.append(_without_row(node.agency, held, each) if found is None else _view(found, held))
    # A collector that is a member, too, keeps a second row of one threshold.
    return views + [_view(row, held) for row in rows_by_name.values()]


def _view(row: EdgeRow, held: StoredAgreement) -> EdgeView:
    state, code, reason = row.state, row.code, row.reason
    if row.running and held.left:
        state = row.state if row.state in _ANSWERED else STOPPED
        code, reason = "expired-agreement", registry.departures(held)
    elif row.running and row.code not in {"", OUR_FAULT}:
        state = WAITING
    return EdgeView(
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


def _without_row(agency: str, held: StoredAgreement, each: Edge | Threshold) -> EdgeView:
    if isinstance(each, Edge):
        receiver, sender = each.receiver.agency, each.sender.agency
        role, peer = {receiver: ("receiver", sender), sender: ("sender", receiver)}.get(
            agency, ("", f"{receiver} from {sender}")
        )
    else:
        collector = held.agreement.collector
        role = "member" if agency in each.agencies else "collector" if agency == collector else ""
        peer = ", ".join(name for name in each.agencies if name != agency)
    state = NOT_BEGUN if role else BETWEEN_OTHERS
    reason = registry.departures(held) if role and held.left else ""
    return EdgeView(each.id, held.id, role, peer, STOPPED if reason else state, reason=reason)
