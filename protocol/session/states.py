"""The transition tables: role -> state -> event -> state. The diagram in the documentation is drawn from them.

Any exception leads to FAILED, which is final; only what is CLOSED stays closed. An event that its state does not
list is refused: as the peer's fault when the peer causes that event, as our own otherwise. What came once may come
again, unaltered, until the edge closes.
"""

from collections.abc import Mapping
from enum import StrEnum

from blindmatch.protocol.session.machine import Rules, StateMachine


class Role(StrEnum):
    """The two sides of an edge."""

    RECEIVER = "receiver"  # learns the hits
    SENDER = "sender"  # learns nothing but sizes

    @property
    def other(self) -> "Role":
        """The other side."""
        return Role.SENDER if self is Role.RECEIVER else Role.RECEIVER


class State(StrEnum):
    """Where one side of an edge stands. Every state with work to do can be checkpointed and restored."""

    PREPARING = "preparing"  # hashing, blinding or evaluating its own elements
    OFFERED = "offered"  # sender: holds the receiver's commitment and still prepares
    COMMITTED = "committed"  # its own commitment is signed, the peer's is not there yet
    EXCHANGING = "exchanging"  # blinded chunks one way, evaluated chunks the other
    COLLECTING = "collecting"  # receiver: every evaluated chunk is there, tag chunks come in
    RELEASING = "releasing"  # sender: every blinded chunk came as committed to, tags may go out
    COLLECTED = "collected"  # receiver: the whole tag table is there, as committed to
    MATCHED = "matched"  # receiver: hits found
    ANSWERING = "answering"  # receiver of a number: the masked tags go out
    ASKING = "asking"  # receiver of a number: the sender has every masked tag, its outcome is awaited
    INFORMED = "informed"  # receiver of a number: the outcome is there
    TALLYING = "tallying"  # sender of a number: every masked tag is there, the outcome may be asked for
    ANSWERED = "answered"  # sender of a number: the outcome has gone out
    SIGNED = "signed"  # receiver: its receipt is signed, the sender's signature awaited
    CLOSED = "closed"  # both signed; secrets wiped
    FAILED = "failed"  # secrets wiped


class Event(StrEnum):
    """What moves a session. Events that complete something carry the name of what is then complete."""

    PREPARE = "prepare a chunk"
    COMMIT = "commit"
    RECEIVE_COMMITMENT = "receive the peer's commitment"
    SEND_BLINDED = "send a blinded chunk"
    RECEIVE_EVALUATED = "receive an evaluated chunk"
    EVALUATED_COMPLETE = "evaluated chunks complete"
    UNBLIND = "unblind a chunk"
    RECEIVE_TAGS = "receive a tag chunk"
    TAGS_COMPLETE = "tag table complete"
    FIND_HITS = "find hits"
    SIGN_RECEIPT = "sign the receipt"
    RECEIVE_SIGNATURE = "receive the sender's signature"
    EVALUATE = "evaluate a chunk"
    BLINDED_COMPLETE = "blinded chunks complete"
    SEND_TAGS = "send a tag chunk"
    COUNTERSIGN = "countersign the receipt"
    SEND_POINTS = "send a chunk of points"
    RELEASE_POINTS = "release a chunk of points"
    POINTS_TAKEN = "hear that a chunk of points was taken"
    ALL_POINTS_TAKEN = "points complete on the other side"
    RECEIVE_POINTS = "receive a chunk of points"
    POINTS_COMPLETE = "points complete"
    MASK = "mask a chunk"
    ANSWER = "put the masked tags in order"
    SEND_MASKED = "send a chunk of masked tags"
    MASKED_TAKEN = "hear that a chunk of masked tags was taken"
    ALL_MASKED_TAKEN = "masked tags complete on the other side"
    RECEIVE_MASKED = "receive a chunk of masked tags"
    MASKED_COMPLETE = "masked tags complete"
    SEND_OUTCOME = "send the outcome"
    RECEIVE_OUTCOME = "receive the outcome"


FROM_PEER = frozenset(
    {
        Event.RECEIVE_COMMITMENT,
        Event.RECEIVE_EVALUATED,
        Event.RECEIVE_TAGS,
        Event.RECEIVE_SIGNATURE,
        Event.EVALUATE,
        Event.SEND_TAGS,
        Event.COUNTERSIGN,
        Event.POINTS_TAKEN,
        Event.RELEASE_POINTS,
        Event.RECEIVE_POINTS,
        Event.MASKED_TAKEN,
        Event.RECEIVE_MASKED,
        Event.SEND_OUTCOME,
        Event.RECEIVE_OUTCOME,
    }
)
"""Events that the peer causes: out of order they are its fault, `PeerError(WRONG_STATE)`."""


def stay(state: State, *events: Event) -> dict[Event, State]:
    """Events that leave a state as it is."""
    return dict.fromkeys(events, state)


_OWN = (Event.PREPARE, Event.COMMIT)
_REPEATS = (Event.RECEIVE_COMMITMENT, Event.RECEIVE_EVALUATED, Event.RECEIVE_TAGS)

Transitions = Mapping[Role, Mapping[State, Mapping[Event, State]]]

TRANSITIONS: Transitions = {
    Role.RECEIVER: {
        State.PREPARING: {
            **stay(State.PREPARING, Event.PREPARE),
            Event.COMMIT: State.COMMITTED,
        },
        State.COMMITTED: {
            **stay(State.COMMITTED, *_OWN),
            Event.RECEIVE_COMMITMENT: State.EXCHANGING,
        },
        State.EXCHANGING: {
            **stay(State.EXCHANGING, *_OWN, Event.RECEIVE_COMMITMENT, Event.SEND_BLINDED),
            **stay(State.EXCHANGING, Event.RECEIVE_EVALUATED, Event.UNBLIND),
            Event.EVALUATED_COMPLETE: State.COLLECTING,
        },
        State.COLLECTING: {
            **stay(State.COLLECTING, *_OWN, *_REPEATS, Event.SEND_BLINDED, Event.UNBLIND),
            Event.TAGS_COMPLETE: State.COLLECTED,
        },
        State.COLLECTED: {
            **stay(State.COLLECTED, *_OWN, *_REPEATS, Event.UNBLIND),
            Event.FIND_HITS: State.MATCHED,
            # Before the lookup: then not even the moment of the receipt can depend on hits.
            Event.SIGN_RECEIPT: State.SIGNED,
        },
        State.MATCHED: {
            **stay(State.MATCHED, *_OWN, *_REPEATS, Event.FIND_HITS),
            Event.SIGN_RECEIPT: State.SIGNED,
        },
        State.SIGNED: {
            **stay(State.SIGNED, *_OWN, *_REPEATS, Event.FIND_HITS, Event.SIGN_RECEIPT),
            Event.RECEIVE_SIGNATURE: State.CLOSED,
        },
        State.CLOSED: {},
        State.FAILED: {},
    },
    Role.SENDER: {
        State.PREPARING: {
            **stay(State.PREPARING, Event.PREPARE),
            Event.COMMIT: State.COMMITTED,
            Event.RECEIVE_COMMITMENT: State.OFFERED,
        },
        State.OFFERED: {
            **stay(State.OFFERED, Event.PREPARE, Event.RECEIVE_COMMITMENT),
            Event.COMMIT: State.EXCHANGING,
        },
        State.COMMITTED: {
            **stay(State.COMMITTED, *_OWN),
            Event.RECEIVE_COMMITMENT: State.EXCHANGING,
        },
        State.EXCHANGING: {
            **stay(State.EXCHANGING, *_OWN, Event.RECEIVE_COMMITMENT, Event.EVALUATE),
            Event.BLINDED_COMPLETE: State.RELEASING,
        },
        State.RELEASING: {
            **stay(State.RELEASING, *_OWN, Event.RECEIVE_COMMITMENT, Event.EVALUATE, Event.SEND_TAGS),
            Event.COUNTERSIGN: State.CLOSED,
        },
        State.CLOSED: {**stay(State.CLOSED, Event.COUNTERSIGN)},
        State.FAILED: {},
    },
}


class Machine(StateMachine[State, Event]):
    """One side's state on an edge."""

    def __init__(self, role: Role, state: State, transitions: Transitions = TRANSITIONS) -> None:
        rules = Rules(transitions[role], FROM_PEER, closed=State.CLOSED, failed=State.FAILED)
        super().__init__(role, state, rules)
