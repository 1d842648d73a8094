"""A state machine over a table of transitions."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Self

from blindmatch.protocol.errors import BlindmatchError, PeerCode, PeerError, SequenceError
from blindmatch.protocol.session.states import AnyState, State, Transitions


@dataclass(frozen=True)
class Rules(Generic[AnyState]):
    """One role's table.

    Any exception leads to `failed`, which is final; only `closed` stays closed. An event that its state does not list is
    refused: as the peer's fault when the peer causes that event, as our own otherwise.

    Args:
        transitions: state -> event -> state.
        from_peer: events that the peer causes.
        closed: the state that no failure undoes.
        failed: the state after any exception.
        disclosed: states in which everything has been disclosed, or may have been: only the receipt is outstanding, which a
            withdrawal does not stop.
    """

    transitions: Transitions[AnyState]
    from_peer: frozenset[StrEnum]
    closed: AnyState
    failed: AnyState
    disclosed: frozenset[AnyState]

    @classmethod
    def by_role(
        cls,
        tables: Mapping[StrEnum, Transitions[AnyState]],
        from_peer: frozenset[StrEnum],
        states: type[AnyState],
        disclosed: Mapping[StrEnum, frozenset[AnyState]],
    ) -> dict[StrEnum, Self]:
        """The rules of every role of one disclosure."""
        closed, failed = states(State.CLOSED), states(State.FAILED)
        return {
            role: cls(table, from_peer, closed, failed, disclosed[role]) for role, table in tables.items()
        }


class StateMachine(Generic[AnyState]):
    """One side's state. FAILED is stored apart from the rest, so that no other thread's step can undo it."""

    def __init__(self, role: StrEnum, state: AnyState, rules: Rules[AnyState]) -> None:
        self.role = role
        self._state = state
        self._rules = rules
        self._failure: BaseException | None = None

    @property
    def state(self) -> AnyState:
        """The state now."""
        return self._state if self._failure is None else self._rules.failed

    @property
    def over(self) -> bool:
        """Whether the state is terminal: closed or failed."""
        return self.state in (self._rules.closed, self._rules.failed)

    @property
    def failure(self) -> BaseException | None:
        """The exception that made the session fail, if any."""
        return self._failure

    def fail(self, failure: BaseException) -> None:
        """Enter FAILED for good; the first failure is stored. A closed edge has its receipt and stays closed."""
        if self._failure is None and self._state is not self._rules.closed:
            self._failure = failure

    def check(self, event: StrEnum) -> None:
        """Refuse an event that the table does not allow now.

        Raises:
            PeerError: WRONG_STATE, when the peer causes this event.
            SequenceError: when it is our own.
        """
        self._following(self.state, event)

    def fire(self, event: StrEnum) -> None:
        """Enter the state that the event leads to; raises as `check`.

        An event that leads back to its state writes nothing: a worker's step cannot undo a concurrent transition.
        """
        before = self.state
        following = self._following(before, event)
        if following is not before:
            self._state = following

    def _following(self, state: AnyState, event: StrEnum) -> AnyState:
        following = self._rules.transitions.get(state, {}).get(event)
        if following is not None:
            return following
        message = f"the {self.role} cannot {event} when {state}"
        if isinstance(self._failure, BlindmatchError):
            message += f" (it was: {self._failure})"
        if event in self._rules.from_peer:
            raise PeerError(PeerCode.WRONG_STATE, message, hint="Ask for the round's status on both nodes.")
        raise SequenceError(message)
