"""A state machine over a table of transitions, and the steps of a session under one: any exception is final."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from blindmatch.protocol.errors import BlindmatchError, PeerCode, PeerError, SequenceError
from blindmatch.protocol.session.messages import Bytes2D
from blindmatch.protocol.session.workspace import Shapes, Workspace
from blindmatch.protocol.transcript import digest

AnyState = TypeVar("AnyState", bound=StrEnum)
AnyEvent = TypeVar("AnyEvent", bound=StrEnum)


@dataclass(frozen=True)
class Rules(Generic[AnyState, AnyEvent]):
    """One role's table.

    Args:
        transitions: state -> event -> state.
        from_peer: events that the peer causes.
        closed: the state that no failure undoes.
        failed: where every exception leads.
    """

    transitions: Mapping[AnyState, Mapping[AnyEvent, AnyState]]
    from_peer: frozenset[AnyEvent]
    closed: AnyState
    failed: AnyState


class StateMachine(Generic[AnyState, AnyEvent]):
    """One side's state. FAILED is kept apart from the rest, so that no other thread's step can undo it."""

    def __init__(self, role: StrEnum, state: AnyState, rules: Rules[AnyState, AnyEvent]) -> None:
        self.role = role
        self._state = state
        self._rules = rules
        self._failure: BaseException | None = None

    @property
    def state(self) -> AnyState:
        """The state now."""
        return self._state if self._failure is None else self._rules.failed

    @property
    def failure(self) -> BaseException | None:
        """What made the session fail, if it did."""
        return self._failure

    def fail(self, failure: BaseException) -> None:
        """Enter FAILED for good; the first failure is kept. A closed edge has its receipt and stays closed."""
        if self._failure is None and self._state is not self._rules.closed:
            self._failure = failure

    def check(self, event: AnyEvent) -> None:
        """Refuse an event that the table does not allow now.

        Raises:
            PeerError: WRONG_STATE, when the peer causes this event.
            SequenceError: when it is our own.
        """
        self._following(self.state, event)

    def fire(self, event: AnyEvent) -> None:
        """Go where the event leads; raises as `check`.

        An event that leads back to its state writes nothing: a worker's step cannot undo what came in meanwhile.
        """
        before = self.state
        following = self._following(before, event)
        if following is not before:
            self._state = following

    def _following(self, state: AnyState, event: AnyEvent) -> AnyState:
        following = self._rules.transitions.get(state, {}).get(event)
        if following is not None:
            return following
        message = f"the {self.role} cannot {event} when {state}"
        if isinstance(self._failure, BlindmatchError):
            message += f" (it was: {self._failure})"
        if event in self._rules.from_peer:
            raise PeerError(PeerCode.WRONG_STATE, message, hint="Ask for the round's status on both nodes.")
        raise SequenceError(message)


class Steps(ABC, Generic[AnyState, AnyEvent]):
    """What every session is: a state, arrays that outlive a crash, and steps that either happen whole or end it."""

    _machine: StateMachine[AnyState, AnyEvent]
    _workspace: Workspace
    _shapes: Shapes

    @property
    def state(self) -> AnyState:
        """Where this side stands."""
        return self._machine.state

    @property
    def failure(self) -> BaseException | None:
        """What made the session fail, if it did."""
        return self._machine.failure

    def abort(self, reason: BaseException) -> None:
        """Give up: FAILED, with everything secret wiped."""
        self._machine.fail(reason)
        self._wipe()

    @contextmanager
    def _step(self, event: AnyEvent) -> Iterator[None]:
        """One event: refused by the table, or done and fired. Any exception is final."""
        try:
            self._machine.check(event)
            yield
            self._machine.fire(event)
        except BaseException as failure:
            self.abort(failure)
            raise

    def _array(self, name: str) -> Bytes2D:
        return self._workspace.array(name, self._shapes[name])

    def _contents(self, name: str) -> bytes:
        """One digest over an array of chunk digests."""
        return digest(name.encode(), self._array(name).tobytes())

    @abstractmethod
    def _wipe(self) -> None:
        """Overwrite what is secret."""
