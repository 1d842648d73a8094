"""The transitions of a threshold: role -> state -> event -> state. See `session.machine.Rules`."""

from collections.abc import Mapping
from enum import StrEnum

from blindmatch.protocol.session.machine import Rules
from blindmatch.protocol.session.states import Event, Transitions, transitions


class ThresholdRole(StrEnum):
    """The parties of a threshold."""

    MEMBER = (
        "member"  # contributes elements, evaluates the other members', learns which of its own are shared
    )
    COLLECTOR = (
        "collector"  # relays messages, stores the tables, learns which members hold each shared element
    )


class ThresholdState(StrEnum):
    """The states of one side. The values are those of an edge's states where they mean the same."""

    PREPARING = "preparing"  # member: blinding its own elements; collector: receiving commitments
    COMMITTED = "committed"  # member: its commitment is signed, the others' have not come
    EXCHANGING = "exchanging"  # blinded chunks of each member to all others and back
    EVALUATED = "evaluated"  # member: has every other member's evaluated chunks, each set signed
    COLLECTING = "collecting"  # member: its tables are signed and sent; collector: receiving them
    COLLECTED = "collected"  # collector: has all tables, as committed to
    MATCHED = "matched"  # member: has its outcome; collector: may send the outcomes
    SIGNED = "signed"  # collector: the receipt is signed, receiving the members' signatures
    CLOSED = "closed"  # signed; secrets wiped
    FAILED = "failed"  # secrets wiped


class ThresholdEvent(StrEnum):
    """The events of a session, besides those of `session.states.Event` in the tables."""

    RECEIVE_COMMITMENTS = "receive the commitments of all members"
    SEND_BLINDED = "send a blinded chunk"
    EVALUATE = "evaluate a chunk"
    ATTEST = "sign the evaluated chunks"
    RECEIVE_EVALUATED = "receive an evaluated chunk"
    RECEIVE_ATTESTATION = "receive a signature over evaluated chunks"
    EVALUATED_COMPLETE = "evaluated chunks complete"
    UNBLIND = "unblind a chunk"
    BUILD = "build a pair of tables"
    COMMIT_TABLES = "commit to the tables"
    SEND_TABLES = "send a chunk of the tables"
    RECEIVE_OUTCOME = "receive the outcome or a chunk of it"
    OUTCOME_COMPLETE = "outcome complete"
    FIND = "find the shared elements"
    RECEIVE_COMMITMENT = "receive a commitment"
    COMMITMENTS_COMPLETE = "commitments complete"
    RELAY = "check a relayed message"
    RECEIVE_TABLES = "receive the commitment to tables or a chunk of them"
    TABLES_COMPLETE = "tables complete"
    SEARCH = "search a chunk of the tables"
    SEND_OUTCOME = "send an outcome or a chunk of it"
    RECEIVE_SIGNATURE = "receive a member's signature"
    SIGNATURES_COMPLETE = "signatures complete"


FROM_PEER: frozenset[StrEnum] = frozenset(
    {
        ThresholdEvent.RECEIVE_COMMITMENTS,
        ThresholdEvent.SEND_BLINDED,
        ThresholdEvent.EVALUATE,
        ThresholdEvent.ATTEST,
        ThresholdEvent.RECEIVE_EVALUATED,
        ThresholdEvent.RECEIVE_ATTESTATION,
        ThresholdEvent.SEND_TABLES,
        ThresholdEvent.RECEIVE_OUTCOME,
        Event.COUNTERSIGN,
        ThresholdEvent.RECEIVE_COMMITMENT,
        ThresholdEvent.RELAY,
        ThresholdEvent.RECEIVE_TABLES,
        ThresholdEvent.RECEIVE_SIGNATURE,
    }
)
"""Events that a peer causes."""

# What the other members may still need from a member that is ahead of them, and messages that may be retransmitted.
_SERVED = (
    Event.PREPARE,
    Event.COMMIT,
    ThresholdEvent.RECEIVE_COMMITMENTS,
    ThresholdEvent.SEND_BLINDED,
    ThresholdEvent.EVALUATE,
    ThresholdEvent.ATTEST,
    ThresholdEvent.RECEIVE_EVALUATED,
    ThresholdEvent.RECEIVE_ATTESTATION,
)
_BUILDING = (*_SERVED, ThresholdEvent.UNBLIND, ThresholdEvent.BUILD)
_TABLES = (ThresholdEvent.COMMIT_TABLES, ThresholdEvent.SEND_TABLES, ThresholdEvent.RECEIVE_OUTCOME)
_LATE = (ThresholdEvent.RECEIVE_COMMITMENT, ThresholdEvent.RECEIVE_TABLES)

TRANSITIONS: Mapping[StrEnum, Transitions[ThresholdState]] = {
    ThresholdRole.MEMBER: transitions(
        {
            ThresholdState.PREPARING: ((Event.PREPARE,), {Event.COMMIT: ThresholdState.COMMITTED}),
            ThresholdState.COMMITTED: (
                (Event.PREPARE, Event.COMMIT),
                {ThresholdEvent.RECEIVE_COMMITMENTS: ThresholdState.EXCHANGING},
            ),
            ThresholdState.EXCHANGING: (
                _SERVED,
                {ThresholdEvent.EVALUATED_COMPLETE: ThresholdState.EVALUATED},
            ),
            ThresholdState.EVALUATED: (_BUILDING, {ThresholdEvent.COMMIT_TABLES: ThresholdState.COLLECTING}),
            ThresholdState.COLLECTING: (
                (*_BUILDING, *_TABLES),
                {ThresholdEvent.OUTCOME_COMPLETE: ThresholdState.MATCHED},
            ),
            # A request whose connection broke may arrive after its retransmission was answered, and later.
            ThresholdState.MATCHED: (
                (*_SERVED, *_TABLES, ThresholdEvent.FIND),
                {Event.COUNTERSIGN: ThresholdState.CLOSED},
            ),
            ThresholdState.CLOSED: ((Event.COUNTERSIGN,), {}),
            ThresholdState.FAILED: ((), {}),
        }
    ),
    ThresholdRole.COLLECTOR: transitions(
        {
            ThresholdState.PREPARING: (
                (ThresholdEvent.RECEIVE_COMMITMENT,),
                {ThresholdEvent.COMMITMENTS_COMPLETE: ThresholdState.EXCHANGING},
            ),
            ThresholdState.EXCHANGING: (
                (ThresholdEvent.RECEIVE_COMMITMENT, ThresholdEvent.RELAY, ThresholdEvent.RECEIVE_TABLES),
                {ThresholdEvent.TABLES_COMPLETE: ThresholdState.COLLECTED},
            ),
            ThresholdState.COLLECTED: (
                (*_LATE, ThresholdEvent.SEARCH),
                {ThresholdEvent.FIND: ThresholdState.MATCHED},
            ),
            ThresholdState.MATCHED: (
                (*_LATE, ThresholdEvent.SEND_OUTCOME),
                {Event.SIGN_RECEIPT: ThresholdState.SIGNED},
            ),
            ThresholdState.SIGNED: (
                (*_LATE, ThresholdEvent.SEND_OUTCOME, Event.SIGN_RECEIPT, ThresholdEvent.RECEIVE_SIGNATURE),
                {ThresholdEvent.SIGNATURES_COMPLETE: ThresholdState.CLOSED},
            ),
            ThresholdState.CLOSED: ((ThresholdEvent.RECEIVE_SIGNATURE,), {}),
            ThresholdState.FAILED: ((), {}),
        }
    ),
}

DISCLOSED: Mapping[StrEnum, frozenset[ThresholdState]] = {
    ThresholdRole.MEMBER: frozenset({ThresholdState.MATCHED}),
    # In MATCHED a collector still has outcomes to send; it signs when every member has its outcome.
    ThresholdRole.COLLECTOR: frozenset({ThresholdState.SIGNED}),
}
"""See `Rules.disclosed`."""

RULES = Rules.by_role(TRANSITIONS, FROM_PEER, ThresholdState, DISCLOSED)
