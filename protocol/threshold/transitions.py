"""The transition tables of a threshold: role -> state -> event -> state. The rules are those of `match.table`."""

from collections.abc import Mapping
from enum import StrEnum

from blindmatch.protocol.session.machine import Rules, StateMachine


class Role(StrEnum):
    """Who takes part in a threshold."""

    MEMBER = "member"  # brings elements, evaluates the others', learns which of its own are shared
    COLLECTOR = "collector"  # carries messages, holds the tables, learns who holds what is shared


class State(StrEnum):
    """Where one side of a threshold stands. The names are those of an edge where they mean the same."""

    PREPARING = "preparing"  # member: blinding its own elements; collector: commitments come in
    COMMITTED = "committed"  # member: its commitment is signed, the others' are not there yet
    EXCHANGING = "exchanging"  # blinded chunks of each member to all others and back
    EVALUATED = "evaluated"  # member: every other member's answers are there, each signed for
    COLLECTING = "collecting"  # member: its tables are signed and handed out; collector: they come in
    COLLECTED = "collected"  # collector: all tables are there, as committed to
    MATCHED = "matched"  # member: the outcome is there; collector: it may go out
    SIGNED = "signed"  # collector: the receipt is signed, the members' signatures come in
    CLOSED = "closed"  # signed; secrets wiped
    FAILED = "failed"  # secrets wiped


class Event(StrEnum):
    """What moves a session."""

    PREPARE = "prepare a chunk"
    COMMIT = "commit"
    RECEIVE_COMMITMENTS = "receive everybody's commitments"
    SEND_BLINDED = "send a blinded chunk"
    EVALUATE = "evaluate a chunk"
    ATTEST = "sign for evaluated chunks"
    RECEIVE_EVALUATED = "receive an evaluated chunk"
    RECEIVE_ATTESTATION = "receive a signature for evaluated chunks"
    EVALUATED_COMPLETE = "evaluated chunks complete"
    FINISH = "unblind a chunk"
    BUILD = "build a pair of tables"
    COMMIT_TABLES = "commit to the tables"
    SEND_TABLES = "send a chunk of the tables"
    RECEIVE_OUTCOME = "receive a part of the outcome"
    OUTCOME_COMPLETE = "outcome complete"
    FIND = "find what is shared"
    COUNTERSIGN = "countersign the receipt"
    RECEIVE_COMMITMENT = "receive a commitment"
    COMMITMENTS_COMPLETE = "commitments complete"
    RELAY = "check what is carried"
    RECEIVE_TABLES = "receive a part of a member's tables"
    TABLES_COMPLETE = "tables complete"
    SEARCH = "search a part of the tables"
    SEND_OUTCOME = "send a part of an outcome"
    SIGN_RECEIPT = "sign the receipt"
    RECEIVE_SIGNATURE = "receive a member's signature"
    SIGNATURES_COMPLETE = "signatures complete"


FROM_PEER = frozenset(
    {
        Event.RECEIVE_COMMITMENTS,
        Event.SEND_BLINDED,
        Event.EVALUATE,
        Event.ATTEST,
        Event.RECEIVE_EVALUATED,
        Event.RECEIVE_ATTESTATION,
        Event.SEND_TABLES,
        Event.RECEIVE_OUTCOME,
        Event.COUNTERSIGN,
        Event.RECEIVE_COMMITMENT,
        Event.RELAY,
        Event.RECEIVE_TABLES,
        Event.RECEIVE_SIGNATURE,
    }
)
"""Events that a peer causes: out of order they are its fault."""


def _stay(state: State, *events: Event) -> dict[Event, State]:
    return dict.fromkeys(events, state)


_OWN = (Event.PREPARE, Event.COMMIT)
# What the others may still need of a member that is ahead of them, and what may come again.
_SERVED = (Event.RECEIVE_COMMITMENTS, Event.SEND_BLINDED, Event.EVALUATE, Event.ATTEST)
_AGAIN = (Event.RECEIVE_EVALUATED, Event.RECEIVE_ATTESTATION)

TRANSITIONS: Mapping[Role, Mapping[State, Mapping[Event, State]]] = {
    Role.MEMBER: {
        State.PREPARING: {
            **_stay(State.PREPARING, Event.PREPARE),
            Event.COMMIT: State.COMMITTED,
        },
        State.COMMITTED: {
            **_stay(State.COMMITTED, *_OWN),
            Event.RECEIVE_COMMITMENTS: State.EXCHANGING,
        },
        State.EXCHANGING: {
            **_stay(State.EXCHANGING, *_OWN, *_SERVED, *_AGAIN),
            Event.EVALUATED_COMPLETE: State.EVALUATED,
        },
        State.EVALUATED: {
            **_stay(State.EVALUATED, *_OWN, *_SERVED, *_AGAIN, Event.FINISH, Event.BUILD),
            Event.COMMIT_TABLES: State.COLLECTING,
        },
        State.COLLECTING: {
            **_stay(State.COLLECTING, *_OWN, *_SERVED, *_AGAIN, Event.FINISH, Event.BUILD),
            **_stay(State.COLLECTING, Event.COMMIT_TABLES, Event.SEND_TABLES, Event.RECEIVE_OUTCOME),
            Event.OUTCOME_COMPLETE: State.MATCHED,
        },
        State.MATCHED: {
            # A request whose connection broke may arrive after its repetition was answered, and more.
            **_stay(State.MATCHED, *_OWN, *_SERVED, *_AGAIN, Event.COMMIT_TABLES, Event.SEND_TABLES),
            **_stay(State.MATCHED, Event.RECEIVE_OUTCOME, Event.FIND),
            Event.COUNTERSIGN: State.CLOSED,
        },
        State.CLOSED: {**_stay(State.CLOSED, Event.COUNTERSIGN)},
        State.FAILED: {},
    },
    Role.COLLECTOR: {
        State.PREPARING: {
            **_stay(State.PREPARING, Event.RECEIVE_COMMITMENT),
            Event.COMMITMENTS_COMPLETE: State.EXCHANGING,
        },
        State.EXCHANGING: {
            **_stay(State.EXCHANGING, Event.RECEIVE_COMMITMENT, Event.RELAY, Event.RECEIVE_TABLES),
            Event.TABLES_COMPLETE: State.COLLECTED,
        },
        State.COLLECTED: {
            **_stay(State.COLLECTED, Event.RECEIVE_COMMITMENT, Event.RECEIVE_TABLES, Event.SEARCH),
            Event.FIND: State.MATCHED,
        },
        State.MATCHED: {
            **_stay(State.MATCHED, Event.RECEIVE_COMMITMENT, Event.RECEIVE_TABLES, Event.SEND_OUTCOME),
            Event.SIGN_RECEIPT: State.SIGNED,
        },
        State.SIGNED: {
            **_stay(State.SIGNED, Event.RECEIVE_COMMITMENT, Event.RECEIVE_TABLES, Event.SEND_OUTCOME),
            **_stay(State.SIGNED, Event.SIGN_RECEIPT, Event.RECEIVE_SIGNATURE),
            Event.SIGNATURES_COMPLETE: State.CLOSED,
        },
        State.CLOSED: {**_stay(State.CLOSED, Event.RECEIVE_SIGNATURE)},
        State.FAILED: {},
    },
}


class Machine(StateMachine[State, Event]):
    """One side's state in a threshold."""

    def __init__(self, role: Role, state: State) -> None:
        super().__init__(
            role, state, Rules(TRANSITIONS[role], FROM_PEER, closed=State.CLOSED, failed=State.FAILED)
        )
