"""The transitions of an edge that discloses a count or a sum: role -> state -> event -> state. See `session.machine.Rules`."""

from collections.abc import Mapping
from enum import StrEnum

from blindmatch.protocol.session import states
from blindmatch.protocol.session.machine import Rules
from blindmatch.protocol.session.states import Event, Role, Transitions, stay


class AggregateState(StrEnum):
    """The states of one side. Every state with work to do can be checkpointed and restored."""

    PREPARING = "preparing"  # hashing, blinding or evaluating its own elements
    OFFERED = "offered"  # sender: has the receiver's commitment and still prepares
    COMMITTED = "committed"  # receiver: its own commitment is signed, the sender's is not there yet
    EXCHANGING = "exchanging"  # the receiver's points go to the sender
    COLLECTING = "collecting"  # receiver: the sender has every point, its points come in
    RELEASING = "releasing"  # sender: every point came as committed to, its own may go out
    COLLECTED = "collected"  # receiver: the sender's points are there, as committed to
    ANSWERING = "answering"  # receiver: the masked tags go out
    ASKING = "asking"  # receiver: the sender has every masked tag, its outcome is awaited
    INFORMED = "informed"  # receiver: the outcome is there
    TALLYING = "tallying"  # sender: every masked tag is there, the receiver may request the outcome
    ANSWERED = "answered"  # sender: the outcome has gone out
    SIGNED = "signed"  # receiver: its receipt is signed, the sender's signature awaited
    CLOSED = "closed"  # both signed; secrets wiped
    FAILED = "failed"  # secrets wiped


class AggregateEvent(StrEnum):
    """The events of a session, besides `session.states.Event`."""

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


FROM_PEER = states.FROM_PEER | {
    AggregateEvent.POINTS_TAKEN,
    AggregateEvent.RELEASE_POINTS,
    AggregateEvent.RECEIVE_POINTS,
    AggregateEvent.MASKED_TAKEN,
    AggregateEvent.RECEIVE_MASKED,
    AggregateEvent.SEND_OUTCOME,
    AggregateEvent.RECEIVE_OUTCOME,
}
"""Events that the peer causes."""

_OWN = (Event.PREPARE, Event.COMMIT)
# A request whose connection broke may arrive after its retransmission was answered: it gets the same answer again.
_LATE = (
    Event.RECEIVE_COMMITMENT,
    AggregateEvent.RECEIVE_POINTS,
    AggregateEvent.RELEASE_POINTS,
    AggregateEvent.RECEIVE_MASKED,
)

TRANSITIONS: Mapping[StrEnum, Transitions[AggregateState]] = {
    Role.RECEIVER: {
        AggregateState.PREPARING: {
            **stay(AggregateState.PREPARING, Event.PREPARE),
            Event.COMMIT: AggregateState.COMMITTED,
        },
        AggregateState.COMMITTED: {
            **stay(AggregateState.COMMITTED, *_OWN),
            Event.RECEIVE_COMMITMENT: AggregateState.EXCHANGING,
        },
        AggregateState.EXCHANGING: {
            **stay(
                AggregateState.EXCHANGING,
                *_OWN,
                Event.RECEIVE_COMMITMENT,
                AggregateEvent.SEND_POINTS,
                AggregateEvent.POINTS_TAKEN,
            ),
            AggregateEvent.ALL_POINTS_TAKEN: AggregateState.COLLECTING,
        },
        AggregateState.COLLECTING: {
            **stay(AggregateState.COLLECTING, *_OWN, Event.RECEIVE_COMMITMENT, AggregateEvent.POINTS_TAKEN),
            **stay(AggregateState.COLLECTING, AggregateEvent.RECEIVE_POINTS, AggregateEvent.MASK),
            AggregateEvent.POINTS_COMPLETE: AggregateState.COLLECTED,
        },
        AggregateState.COLLECTED: {
            **stay(
                AggregateState.COLLECTED,
                *_OWN,
                Event.RECEIVE_COMMITMENT,
                AggregateEvent.RECEIVE_POINTS,
                AggregateEvent.MASK,
            ),
            AggregateEvent.ANSWER: AggregateState.ANSWERING,
        },
        AggregateState.ANSWERING: {
            **stay(
                AggregateState.ANSWERING,
                *_OWN,
                Event.RECEIVE_COMMITMENT,
                AggregateEvent.SEND_MASKED,
                AggregateEvent.MASKED_TAKEN,
            ),
            AggregateEvent.ALL_MASKED_TAKEN: AggregateState.ASKING,
        },
        AggregateState.ASKING: {
            **stay(AggregateState.ASKING, *_OWN, Event.RECEIVE_COMMITMENT, AggregateEvent.MASKED_TAKEN),
            AggregateEvent.RECEIVE_OUTCOME: AggregateState.INFORMED,
        },
        AggregateState.INFORMED: {
            **stay(AggregateState.INFORMED, *_OWN, AggregateEvent.RECEIVE_OUTCOME),
            Event.SIGN_RECEIPT: AggregateState.SIGNED,
        },
        AggregateState.SIGNED: {
            **stay(AggregateState.SIGNED, *_OWN, AggregateEvent.RECEIVE_OUTCOME, Event.SIGN_RECEIPT),
            Event.RECEIVE_SIGNATURE: AggregateState.CLOSED,
        },
        AggregateState.CLOSED: {},
        AggregateState.FAILED: {},
    },
    Role.SENDER: {
        # A sum is encrypted under a key that the receiver's commitment completes: the sender commits after it.
        AggregateState.PREPARING: {
            **stay(AggregateState.PREPARING, Event.PREPARE),
            Event.RECEIVE_COMMITMENT: AggregateState.OFFERED,
        },
        AggregateState.OFFERED: {
            **stay(AggregateState.OFFERED, Event.PREPARE, Event.RECEIVE_COMMITMENT),
            Event.COMMIT: AggregateState.EXCHANGING,
        },
        AggregateState.EXCHANGING: {
            **stay(AggregateState.EXCHANGING, *_OWN, Event.RECEIVE_COMMITMENT, AggregateEvent.RECEIVE_POINTS),
            AggregateEvent.POINTS_COMPLETE: AggregateState.RELEASING,
        },
        AggregateState.RELEASING: {
            **stay(AggregateState.RELEASING, *_OWN, Event.RECEIVE_COMMITMENT, AggregateEvent.RECEIVE_POINTS),
            **stay(AggregateState.RELEASING, AggregateEvent.RELEASE_POINTS, AggregateEvent.RECEIVE_MASKED),
            AggregateEvent.MASKED_COMPLETE: AggregateState.TALLYING,
        },
        AggregateState.TALLYING: {
            **stay(AggregateState.TALLYING, *_OWN, *_LATE),
            AggregateEvent.SEND_OUTCOME: AggregateState.ANSWERED,
        },
        AggregateState.ANSWERED: {
            **stay(AggregateState.ANSWERED, *_OWN, *_LATE, AggregateEvent.SEND_OUTCOME),
            Event.COUNTERSIGN: AggregateState.CLOSED,
        },
        AggregateState.CLOSED: {**stay(AggregateState.CLOSED, Event.COUNTERSIGN)},
        AggregateState.FAILED: {},
    },
}

RULES = Rules.by_role(TRANSITIONS, FROM_PEER, AggregateState)
