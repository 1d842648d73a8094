"""The transition tables of a threshold: role -> state -> event -> state. The rules are those of `match.table`."""

from collections.abc import Mapping
from enum import StrEnum

from blindmatch.protocol.session.machine import Rules, StateMachine


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
        ThresholdEvent.RECEIVE_COMMITMENTS,
        ThresholdEvent.SEND_BLINDED,
        ThresholdEvent.EVALUATE,
        ThresholdEvent.ATTEST,
        ThresholdEvent.RECEIVE_EVALUATED,
        ThresholdEvent.RECEIVE_ATTESTATION,
        ThresholdEvent.SEND_TABLES,
        ThresholdEvent.RECEIVE_OUTCOME,
        ThresholdEvent.COUNTERSIGN,
        ThresholdEvent.RECEIVE_COMMITMENT,
        ThresholdEvent.RELAY,
        ThresholdEvent.RECEIVE_TABLES,
        ThresholdEvent.RECEIVE_SIGNATURE,
    }
)
"""Events that a peer causes: out of order they are its fault."""


def _stay(state: ThresholdState, *events: ThresholdEvent) -> dict[ThresholdEvent, ThresholdState]:
    return dict.fromkeys(events, state)


_OWN = (ThresholdEvent.PREPARE, ThresholdEvent.COMMIT)
# What the others may still need of a member that is ahead of them, and what may come again.
_SERVED = (
    ThresholdEvent.RECEIVE_COMMITMENTS,
    ThresholdEvent.SEND_BLINDED,
    ThresholdEvent.EVALUATE,
    ThresholdEvent.ATTEST,
)
_AGAIN = (ThresholdEvent.RECEIVE_EVALUATED, ThresholdEvent.RECEIVE_ATTESTATION)

TRANSITIONS: Mapping[ThresholdRole, Mapping[ThresholdState, Mapping[ThresholdEvent, ThresholdState]]] = {
    ThresholdRole.MEMBER: {
        ThresholdState.PREPARING: {
            **_stay(ThresholdState.PREPARING, ThresholdEvent.PREPARE),
            ThresholdEvent.COMMIT: ThresholdState.COMMITTED,
        },
        ThresholdState.COMMITTED: {
            **_stay(ThresholdState.COMMITTED, *_OWN),
            ThresholdEvent.RECEIVE_COMMITMENTS: ThresholdState.EXCHANGING,
        },
        ThresholdState.EXCHANGING: {
            **_stay(ThresholdState.EXCHANGING, *_OWN, *_SERVED, *_AGAIN),
            ThresholdEvent.EVALUATED_COMPLETE: ThresholdState.EVALUATED,
        },
        ThresholdState.EVALUATED: {
            **_stay(
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
            **_stay(
                ThresholdState.COLLECTING,
                *_OWN,
                *_SERVED,
                *_AGAIN,
                ThresholdEvent.FINISH,
                ThresholdEvent.BUILD,
            ),
            **_stay(
                ThresholdState.COLLECTING,
                ThresholdEvent.COMMIT_TABLES,
                ThresholdEvent.SEND_TABLES,
                ThresholdEvent.RECEIVE_OUTCOME,
            ),
            ThresholdEvent.OUTCOME_COMPLETE: ThresholdState.MATCHED,
        },
        ThresholdState.MATCHED: {
            # A request whose connection broke may arrive after its repetition was answered, and more.
            **_stay(
                ThresholdState.MATCHED,
                *_OWN,
                *_SERVED,
                *_AGAIN,
                ThresholdEvent.COMMIT_TABLES,
                ThresholdEvent.SEND_TABLES,
            ),
            **_stay(ThresholdState.MATCHED, ThresholdEvent.RECEIVE_OUTCOME, ThresholdEvent.FIND),
            ThresholdEvent.COUNTERSIGN: ThresholdState.CLOSED,
        },
        ThresholdState.CLOSED: {**_stay(ThresholdState.CLOSED, ThresholdEvent.COUNTERSIGN)},
        ThresholdState.FAILED: {},
    },
    ThresholdRole.COLLECTOR: {
        ThresholdState.PREPARING: {
            **_stay(ThresholdState.PREPARING, ThresholdEvent.RECEIVE_COMMITMENT),
            ThresholdEvent.COMMITMENTS_COMPLETE: ThresholdState.EXCHANGING,
        },
        ThresholdState.EXCHANGING: {
            **_stay(
                ThresholdState.EXCHANGING,
                ThresholdEvent.RECEIVE_COMMITMENT,
                ThresholdEvent.RELAY,
                ThresholdEvent.RECEIVE_TABLES,
            ),
            ThresholdEvent.TABLES_COMPLETE: ThresholdState.COLLECTED,
        },
        ThresholdState.COLLECTED: {
            **_stay(
                ThresholdState.COLLECTED,
                ThresholdEvent.RECEIVE_COMMITMENT,
                ThresholdEvent.RECEIVE_TABLES,
                ThresholdEvent.SEARCH,
            ),
            ThresholdEvent.FIND: ThresholdState.MATCHED,
        },
        ThresholdState.MATCHED: {
            **_stay(
                ThresholdState.MATCHED,
                ThresholdEvent.RECEIVE_COMMITMENT,
                ThresholdEvent.RECEIVE_TABLES,
                ThresholdEvent.SEND_OUTCOME,
            ),
            ThresholdEvent.SIGN_RECEIPT: ThresholdState.SIGNED,
        },
        ThresholdState.SIGNED: {
            **_stay(
                ThresholdState.SIGNED,
                ThresholdEvent.RECEIVE_COMMITMENT,
                ThresholdEvent.RECEIVE_TABLES,
                ThresholdEvent.SEND_OUTCOME,
            ),
            **_stay(ThresholdState.SIGNED, ThresholdEvent.SIGN_RECEIPT, ThresholdEvent.RECEIVE_SIGNATURE),
            ThresholdEvent.SIGNATURES_COMPLETE: ThresholdState.CLOSED,
        },
        ThresholdState.CLOSED: {**_stay(ThresholdState.CLOSED, ThresholdEvent.RECEIVE_SIGNATURE)},
        ThresholdState.FAILED: {},
    },
}


class ThresholdMachine(StateMachine[ThresholdState, ThresholdEvent]):
    """One side's state in a threshold."""

    def __init__(self, role: ThresholdRole, state: ThresholdState) -> None:
        super().__init__(
            role,
            state,
            Rules(TRANSITIONS[role], FROM_PEER, closed=ThresholdState.CLOSED, failed=ThresholdState.FAILED),
        )
