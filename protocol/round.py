"""Where a round stands: derived from its edges, never stored beside them.

Edges are independent. One that fails does not take the others with it; the round is over when every edge is, and
says which edge stands where and why.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from blindmatch.protocol.errors import LocalError
from blindmatch.protocol.match import Role, State

FINAL = frozenset({State.CLOSED, State.FAILED})
"""States that an edge does not leave."""


class RoundState(StrEnum):
    """A round as a whole."""

    RUNNING = "running"  # an edge still has something to do
    COMPLETE = "complete"  # every edge closed with its receipt
    PARTIAL = "partial"  # every edge is over; some failed
    FAILED = "failed"  # every edge failed


@dataclass(frozen=True)
class EdgeStatus:
    """One edge of a round, as one node sees it.

    Args:
        edge: its id in the agreement.
        role: which side this node is.
        peer: agency id of the other side.
        state: the session's state.
        done: chunks of work done.
        total: chunks of work in all; 0 while unknown.
        code: why it failed, a `PeerCode` or the name of our own error; empty otherwise.
        reason: the same in words, without secrets or values out of records.

    Raises:
        LocalError: counts that cannot be.
    """

    edge: str
    role: Role
    peer: str
    state: State
    done: int = 0
    total: int = 0
    code: str = ""
    reason: str = ""

    def __post_init__(self) -> None:
        if self.done < 0 or self.total < 0 or (self.total and self.done > self.total):
            raise LocalError(f"edge {self.edge}: {self.done} of {self.total} is no progress")
        if self.code and self.state is not State.FAILED:
            raise LocalError(f"edge {self.edge}: an error without a failure")

    @property
    def over(self) -> bool:
        """Whether nothing more will happen on this edge."""
        return self.state in FINAL

    @property
    def share(self) -> float:
        """How much of the work is done, 0 to 1; a closed edge is done."""
        if self.state is State.CLOSED:
            return 1.0
        return self.done / self.total if self.total else 0.0


@dataclass(frozen=True)
class RoundStatus:
    """A round as one node sees it: its own edges, in the agreement's order.

    Raises:
        LocalError: no edge, or one edge twice.
    """

    round_id: bytes
    edges: tuple[EdgeStatus, ...]

    def __post_init__(self) -> None:
        names = [edge.edge for edge in self.edges]
        if not names or len(set(names)) != len(names):
            raise LocalError("a round has edges, each of them once")

    @classmethod
    def of(cls, round_id: bytes, edges: Iterable[EdgeStatus]) -> "RoundStatus":
        """From edges in any iterable."""
        return cls(round_id, tuple(edges))

    @property
    def state(self) -> RoundState:
        """What the edges' states say together."""
        states = {edge.state for edge in self.edges}
        if not states <= FINAL:
            return RoundState.RUNNING
        if states == {State.CLOSED}:
            return RoundState.COMPLETE
        return RoundState.FAILED if states == {State.FAILED} else RoundState.PARTIAL

    @property
    def open(self) -> tuple[EdgeStatus, ...]:
        """Edges that a node goes on with after a restart."""
        return tuple(edge for edge in self.edges if not edge.over)

    @property
    def failed(self) -> tuple[EdgeStatus, ...]:
        """Edges that failed, with their reasons."""
        return tuple(edge for edge in self.edges if edge.state is State.FAILED)
