"""The transitions of an edge that discloses a count or a sum: role -> state -> event -> state. See `session.machine.Rules`."""

from collections.abc import Mapping
from enum import StrEnum

from blindmatch.protocol.session import states
from blindmatch.protocol.session.machine import Rules
from blindmatch.protocol.session.states import Event, Role, Transitions, transitions


class AggregateState(StrEnum):
    """The states of one side. Every state with work to do can be checkpointed and restored."""

    PREPARING = "preparing"  # hashing, blinding or evaluating its own elements
    OFFERED = "offered"  # sender: has the receiver's commitment and still prepares
    COMMITTED = "committed"  # receiver: its own commitment is signed, the sender's has not come
    EXCHANGING = "exchanging"  # the receiver's points go to the sender
    COLLECTING = "collecting"  # receiver: the sender has every point, receiving the sender's points
    RELEASING = "releasing"  # sender: every point came as committed to, may send its own
    COLLECTED = "collected"  # receiver: has the sender's points, as committed to
    ANSWERING = "answering"  # receiver: sending the masked tags
    ASKING = "asking"  # receiver: the sender has every masked tag, its outcome is awaited
    INFORMED = "informed"  # receiver: has the outcome
    TALLYING = "tallying"  # sender: has every masked tag, the receiver may request the outcome
    ANSWERED = "answered"  # sender: the outcome is sent
    SIGNED = "signed"  # receiver: its receipt is signed, the sender's signature awaited
    CLOSED = "closed"  # both signed; secrets wiped
    FAILED = "failed"  # secrets wiped


class AggregateEvent(StrEnum):
    """The events of a session, besides `session.states.Event`."""

    SEND_POINTS = "send a chunk of points"
    RELEASE_POINTS = "release a chunk of points"
    POINTS_ACKNOWLEDGED = "receive the acknowledgement of a chunk of points"
    ALL_POINTS_ACKNOWLEDGED = "all points acknowledged"
    RECEIVE_POINTS = "receive a chunk of points"
    POINTS_COMPLETE = "points complete"
    MASK = "mask a chunk"
    ARRANGE_MASKED = "arrange the masked tags"
    SEND_MASKED = "send a chunk of masked tags"
    MASKED_ACKNOWLEDGED = "receive the acknowledgement of a chunk of masked tags"
    ALL_MASKED_ACKNOWLEDGED = "all masked tags acknowledged"
    RECEIVE_MASKED = "receive a chunk of masked tags"
    MASKED_COMPLETE = "masked tags complete"
    SEND_OUTCOME = "send the outcome"
    RECEIVE_OUTCOME = "receive the outcome"


FROM_PEER = states.FROM_PEER | {
    AggregateEvent.POINTS_ACKNOWLEDGED,
    AggregateEvent.RELEASE_POINTS,
    AggregateEvent.RECEIVE_POINTS,
    AggregateEvent.MASKED_ACKNOWLEDGED,
    AggregateEvent.RECEIVE_MASKED,
    AggregateEvent.SEND_OUTCOME,
    AggregateEvent.RECEIVE_OUTCOME,
}
"""Events that the peer causes."""

_OWN = (Event.PREPARE, Event.COMMIT)
_OWN_AND_PEER = (*_OWN, Event.RECEIVE_COMMITMENT)
# A request whose connection broke may arrive after its retransmission was answered: it gets the same answer again.
_LATE = (
    *_OWN_AND_PEER,
    AggregateEvent.RECEIVE_POINTS,
    AggregateEvent.RELEASE_POINTS,
    AggregateEvent.RECEIVE_MASKED,
)

TRANSITIONS: Mapping[StrEnum, Transitions[AggregateState]] = {
    Role.RECEIVER: transitions(
        {
            AggregateState.PREPARING: ((Event.PREPARE,), {Event.COMMIT: AggregateState.COMMITTED}),
            AggregateState.COMMITTED: (_OWN, {Event.RECEIVE_COMMITMENT: AggregateState.EXCHANGING}),
            AggregateState.EXCHANGING: (
                (*_OWN_AND_PEER, AggregateEvent.SEND_POINTS, AggregateEvent.POINTS_ACKNOWLEDGED),
                {AggregateEvent.ALL_POINTS_ACKNOWLEDGED: AggregateState.COLLECTING},
            ),
            AggregateState.COLLECTING: (
                (
                    *_OWN_AND_PEER,
                    AggregateEvent.POINTS_ACKNOWLEDGED,
                    AggregateEvent.RECEIVE_POINTS,
                    AggregateEvent.MASK,
                ),
                {AggregateEvent.POINTS_COMPLETE: AggregateState.COLLECTED},
            ),
            AggregateState.COLLECTED: (
                (*_OWN_AND_PEER, AggregateEvent.RECEIVE_POINTS, AggregateEvent.MASK),
                {AggregateEvent.ARRANGE_MASKED: AggregateState.ANSWERING},
            ),
            AggregateState.ANSWERING: (
                (*_OWN_AND_PEER, AggregateEvent.SEND_MASKED, AggregateEvent.MASKED_ACKNOWLEDGED),
                {AggregateEvent.ALL_MASKED_ACKNOWLEDGED: AggregateState.ASKING},
            ),
            AggregateState.ASKING: (
                (*_OWN_AND_PEER, AggregateEvent.MASKED_ACKNOWLEDGED),
                {AggregateEvent.RECEIVE_OUTCOME: AggregateState.INFORMED},
            ),
            AggregateState.INFORMED: (
                (*_OWN, AggregateEvent.RECEIVE_OUTCOME),
                {Event.SIGN_RECEIPT: AggregateState.SIGNED},
            ),
            AggregateState.SIGNED: (
                (*_OWN, AggregateEvent.RECEIVE_OUTCOME, Event.SIGN_RECEIPT),
                {Event.RECEIVE_SIGNATURE: AggregateState.CLOSED},
            ),
            AggregateState.CLOSED: ((), {}),
            AggregateState.FAILED: ((), {}),
        }
    ),
    Role.SENDER: transitions(
        {
            # A sum is encrypted under a key that the receiver's commitment completes: the sender commits after it.
            AggregateState.PREPARING: ((Event.PREPARE,), {Event.RECEIVE_COMMITMENT: AggregateState.OFFERED}),
            AggregateState.OFFERED: (
                (Event.PREPARE, Event.RECEIVE_COMMITMENT),
                {Event.COMMIT: AggregateState.EXCHANGING},
            ),
            AggregateState.EXCHANGING: (
                (*_OWN_AND_PEER, AggregateEvent.RECEIVE_POINTS),
                {AggregateEvent.POINTS_COMPLETE: AggregateState.RELEASING},
            ),
            AggregateState.RELEASING: (_LATE, {AggregateEvent.MASKED_COMPLETE: AggregateState.TALLYING}),
            AggregateState.TALLYING: (_LATE, {AggregateEvent.SEND_OUTCOME: AggregateState.ANSWERED}),
            AggregateState.ANSWERED: (
                (*_LATE, AggregateEvent.SEND_OUTCOME),
                {Event.COUNTERSIGN: AggregateState.CLOSED},
            ),
            AggregateState.CLOSED: ((Event.COUNTERSIGN,), {}),
            AggregateState.FAILED: ((), {}),
        }
    ),
}

DISCLOSED: Mapping[StrEnum, frozenset[AggregateState]] = {
    Role.RECEIVER: frozenset({AggregateState.INFORMED, AggregateState.SIGNED}),
    Role.SENDER: frozenset({AggregateState.ANSWERED}),
}
"""See `Rules.disclosed`."""

RULES = Rules.by_role(TRANSITIONS, FROM_PEER, AggregateState, DISCLOSED)
