"""The transitions of an edge that discloses a number: see `protocol.match.table` for how such a table is read."""

from blindmatch.protocol.session.states import Event, Role, State, Transitions, stay

_OWN = (Event.PREPARE, Event.COMMIT)
# A request whose connection broke may arrive after its repetition was answered, and more: it gets the same answer again.
_LATE = (Event.RECEIVE_COMMITMENT, Event.RECEIVE_POINTS, Event.RELEASE_POINTS, Event.RECEIVE_MASKED)

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
            **stay(State.EXCHANGING, *_OWN, Event.RECEIVE_COMMITMENT, Event.SEND_POINTS, Event.POINTS_TAKEN),
            Event.ALL_POINTS_TAKEN: State.COLLECTING,
        },
        State.COLLECTING: {
            **stay(State.COLLECTING, *_OWN, Event.RECEIVE_COMMITMENT, Event.POINTS_TAKEN),
            **stay(State.COLLECTING, Event.RECEIVE_POINTS, Event.MASK),
            Event.POINTS_COMPLETE: State.COLLECTED,
        },
        State.COLLECTED: {
            **stay(State.COLLECTED, *_OWN, Event.RECEIVE_COMMITMENT, Event.RECEIVE_POINTS, Event.MASK),
            Event.ANSWER: State.ANSWERING,
        },
        State.ANSWERING: {
            **stay(State.ANSWERING, *_OWN, Event.RECEIVE_COMMITMENT, Event.SEND_MASKED, Event.MASKED_TAKEN),
            Event.ALL_MASKED_TAKEN: State.ASKING,
        },
        State.ASKING: {
            **stay(State.ASKING, *_OWN, Event.RECEIVE_COMMITMENT, Event.MASKED_TAKEN),
            Event.RECEIVE_OUTCOME: State.INFORMED,
        },
        State.INFORMED: {
            **stay(State.INFORMED, *_OWN, Event.RECEIVE_OUTCOME),
            Event.SIGN_RECEIPT: State.SIGNED,
        },
        State.SIGNED: {
            **stay(State.SIGNED, *_OWN, Event.RECEIVE_OUTCOME, Event.SIGN_RECEIPT),
            Event.RECEIVE_SIGNATURE: State.CLOSED,
        },
        State.CLOSED: {},
        State.FAILED: {},
    },
    Role.SENDER: {
        # A sum is encrypted under a key that the receiver's commitment brings: nothing is committed to before it.
        State.PREPARING: {
            **stay(State.PREPARING, Event.PREPARE),
            Event.RECEIVE_COMMITMENT: State.OFFERED,
        },
        State.OFFERED: {
            **stay(State.OFFERED, Event.PREPARE, Event.RECEIVE_COMMITMENT),
            Event.COMMIT: State.EXCHANGING,
        },
        State.EXCHANGING: {
            **stay(State.EXCHANGING, *_OWN, Event.RECEIVE_COMMITMENT, Event.RECEIVE_POINTS),
            Event.POINTS_COMPLETE: State.RELEASING,
        },
        State.RELEASING: {
            **stay(State.RELEASING, *_OWN, Event.RECEIVE_COMMITMENT, Event.RECEIVE_POINTS),
            **stay(State.RELEASING, Event.RELEASE_POINTS, Event.RECEIVE_MASKED),
            Event.MASKED_COMPLETE: State.TALLYING,
        },
        State.TALLYING: {
            **stay(State.TALLYING, *_OWN, *_LATE),
            Event.SEND_OUTCOME: State.ANSWERED,
        },
        State.ANSWERED: {
            **stay(State.ANSWERED, *_OWN, *_LATE, Event.SEND_OUTCOME),
            Event.COUNTERSIGN: State.CLOSED,
        },
        State.CLOSED: {**stay(State.CLOSED, Event.COUNTERSIGN)},
        State.FAILED: {},
    },
}
