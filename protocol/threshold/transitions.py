"""The transitions of a threshold: role -> state -> event -> state. See `session.machine.Rules`."""

from collections.abc import Mapping
from enum import StrEnum

from blindmatch.protocol.session.machine import Rules
from blindmatch.protocol.session.states import Event, Transitions, stay


class ThresholdRole(StrEnum):
    """Who takes part in a threshold."""

    MEMBER = "member"  # brings elements, evaluates the others', learns which of its own are shared
    COLLECTOR = "collector"  # carries messages, holds the tables, learns who holds what is shared


class ThresholdState(StrEnum):
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


class ThresholdEvent(StrEnum):
    """The events of a session, besides those of `session.states.Event` that the tables name."""

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
    RECEIVE_COMMITMENT = "receive a commitment"
    COMMITMENTS_COMPLETE = "commitments complete"
    RELAY = "check what is carried"
    RECEIVE_TABLES = "receive a part of a member's tables"
    TABLES_COMPLETE = "tables complete"
    SEARCH = "search a part of the tables"
    SEND_OUTCOME = "send a part of an outcome"
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
"""Events that a peer causes: out of order they are its fault."""


_OWN = (Event.PREPARE, Event.COMMIT)
# What the others may still need of a member that is ahead of them, and what may come again.
_SERVED = (
    ThresholdEvent.RECEIVE_COMMITMENTS,
    ThresholdEvent.SEND_BLINDED,
    ThresholdEvent.EVALUATE,
    ThresholdEvent.ATTEST,
)
_AGAIN = (ThresholdEvent.RECEIVE_EVALUATED, ThresholdEvent.RECEIVE_ATTESTATION)

TRANSITIONS: Mapping[StrEnum, Transitions[ThresholdState]] = {
    ThresholdRole.MEMBER: {
        ThresholdState.PREPARING: {
            **stay(ThresholdState.PREPARING, Event.PREPARE),
            Event.COMMIT: ThresholdState.COMMITTED,
        },
        ThresholdState.COMMITTED: {
            **stay(ThresholdState.COMMITTED, *_OWN),
            ThresholdEvent.RECEIVE_COMMITMENTS: ThresholdState.EXCHANGING,
        },
        ThresholdState.EXCHANGING: {
            **stay(ThresholdState.EXCHANGING, *_OWN, *_SERVED, *_AGAIN),
            ThresholdEvent.EVALUATED_COMPLETE: ThresholdState.EVALUATED,
        },
        ThresholdState.EVALUATED: {
            **stay(
                ThresholdState.EVALUATED,
                *_OWN,
                *_SERVED,
                *_AGAIN,
                ThresholdEvent.FINISH,
                ThresholdEvent.BUILD,
            ),
            ThresholdEvent.COMMIT_TABLES: ThresholdState.COLLECTING,
        },
        ThresholdState.COLLECTING: {
            **stay(
                ThresholdState.COLLECTING,
                *_OWN,
                *_SERVED,
                *_AGAIN,
                ThresholdEvent.FINISH,
                ThresholdEvent.BUILD,
            ),
            **stay(
                ThresholdState.COLLECTING,
                ThresholdEvent.COMMIT_TABLES,
                ThresholdEvent.SEND_TABLES,
                ThresholdEvent.RECEIVE_OUTCOME,
            ),
            ThresholdEvent.OUTCOME_COMPLETE: ThresholdState.MATCHED,
        },
        ThresholdState.MATCHED: {
            # A request whose connection broke may arrive after its repetition was answered, and more.
            **stay(
                ThresholdState.MATCHED,
                *_OWN,
                *_SERVED,
                *_AGAIN,
                ThresholdEvent.COMMIT_TABLES,
                ThresholdEvent.SEND_TABLES,
            ),
            **stay(ThresholdState.MATCHED, ThresholdEvent.RECEIVE_OUTCOME, ThresholdEvent.FIND),
            Event.COUNTERSIGN: ThresholdState.CLOSED,
        },
        ThresholdState.CLOSED: {**stay(ThresholdState.CLOSED, Event.COUNTERSIGN)},
        ThresholdState.FAILED: {},
    },
    ThresholdRole.COLLECTOR: {
        ThresholdState.PREPARING: {
            **stay(ThresholdState.PREPARING, ThresholdEvent.RECEIVE_COMMITMENT),
            ThresholdEvent.COMMITMENTS_COMPLETE: ThresholdState.EXCHANGING,
        },
        ThresholdState.EXCHANGING: {
            **stay(
                ThresholdState.EXCHANGING,
                ThresholdEvent.RECEIVE_COMMITMENT,
                ThresholdEvent.RELAY,
                ThresholdEvent.RECEIVE_TABLES,
            ),
            ThresholdEvent.TABLES_COMPLETE: ThresholdState.COLLECTED,
        },
        ThresholdState.COLLECTED: {
            **stay(
                ThresholdState.COLLECTED,
                ThresholdEvent.RECEIVE_COMMITMENT,
                ThresholdEvent.RECEIVE_TABLES,
                ThresholdEvent.SEARCH,
            ),
            ThresholdEvent.FIND: ThresholdState.MATCHED,
        },
        ThresholdState.MATCHED: {
            **stay(
                ThresholdState.MATCHED,
                ThresholdEvent.RECEIVE_COMMITMENT,
                ThresholdEvent.RECEIVE_TABLES,
                ThresholdEvent.SEND_OUTCOME,
            ),
            Event.SIGN_RECEIPT: ThresholdState.SIGNED,
        },
        ThresholdState.SIGNED: {
            **stay(
                ThresholdState.SIGNED,
                ThresholdEvent.RECEIVE_COMMITMENT,
                ThresholdEvent.RECEIVE_TABLES,
                ThresholdEvent.SEND_OUTCOME,
            ),
            **stay(ThresholdState.SIGNED, Event.SIGN_RECEIPT, ThresholdEvent.RECEIVE_SIGNATURE),
            ThresholdEvent.SIGNATURES_COMPLETE: ThresholdState.CLOSED,
        },
        ThresholdState.CLOSED: {**stay(ThresholdState.CLOSED, ThresholdEvent.RECEIVE_SIGNATURE)},
        ThresholdState.FAILED: {},
    },
}

RULES = Rules.by_role(TRANSITIONS, FROM_PEER, ThresholdState)
