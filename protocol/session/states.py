"""Roles, and the states and events that every disclosure over an edge has.

Each disclosure has a table of its own, role -> state -> event -> state, in its `transitions.py`; docs/state-diagram.md is drawn from
these tables. A disclosure's states are an enum of its own, which repeats the states here with the same values; its events are
those here and an enum of its own.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeVar

AnyState = TypeVar("AnyState", bound=StrEnum)


class Role(StrEnum):
    """The two sides of an edge."""

    RECEIVER = "receiver"  # learns the result
    SENDER = "sender"  # learns sizes only

    @property
    def other(self) -> "Role":
        """The other side."""
        return Role.SENDER if self is Role.RECEIVER else Role.RECEIVER


class State(StrEnum):
    """States of every disclosure."""

    PREPARING = "preparing"  # hashing, blinding or evaluating its own elements
    SIGNED = "signed"  # receiver: its receipt is signed, the sender's signature awaited
    CLOSED = "closed"  # both signed; secrets wiped
    FAILED = "failed"  # secrets wiped


class Event(StrEnum):
    """Events of every disclosure. Events that complete something are named after what is then complete."""

    PREPARE = "prepare a chunk"
    COMMIT = "commit"
    RECEIVE_COMMITMENT = "receive the peer's commitment"
    SIGN_RECEIPT = "sign the receipt"
    RECEIVE_SIGNATURE = "receive the sender's signature"
    COUNTERSIGN = "countersign the receipt"


FROM_PEER: frozenset[StrEnum] = frozenset(
    {Event.RECEIVE_COMMITMENT, Event.RECEIVE_SIGNATURE, Event.COUNTERSIGN}
)
"""Events that the peer causes: out of order they are its fault, `PeerError(WRONG_STATE)`."""

Transitions = Mapping[AnyState, Mapping[StrEnum, AnyState]]
"""One role's table: state -> event -> state."""


def transitions(
    rows: Mapping[AnyState, tuple[Iterable[StrEnum], Mapping[StrEnum, AnyState]]],
) -> Transitions[AnyState]:
    """One role's table from one row per state: the events that leave the state as it is, and those that lead to another state."""
    return {state: {**dict.fromkeys(staying, state), **leaving} for state, (staying, leaving) in rows.items()}
