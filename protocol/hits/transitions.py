"""The transitions of an edge that discloses hits: role -> state -> event -> state. See `session.states` and `session.machine.Rules`.

Messages are idempotent: a retransmission with the same bytes is accepted until the edge closes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from blindmatch.protocol.session import states
from blindmatch.protocol.session.checkpoint import EdgeCheckpoint
from blindmatch.protocol.session.machine import Rules
from blindmatch.protocol.session.states import Event, Role, Transitions, transitions


class HitsState(StrEnum):
    """The states of one side. Every state with work to do can be checkpointed and restored."""

    PREPARING = "preparing"  # hashing, blinding or evaluating its own elements
    OFFERED = "offered"  # sender: has the receiver's commitment and still prepares
    COMMITTED = "committed"  # its own commitment is signed, the peer's has not come
    EXCHANGING = "exchanging"  # blinded chunks one way, evaluated chunks the other
    COLLECTING = "collecting"  # receiver: has every evaluated chunk, receiving tag chunks
    RELEASING = "releasing"  # sender: every blinded chunk came as committed to, may send tags
    COLLECTED = "collected"  # receiver: has the whole tag table, as committed to
    MATCHED = "matched"  # receiver: the lookup of hits is done
    SIGNED = "signed"  # receiver: its receipt is signed, the sender's signature awaited
    CLOSED = "closed"  # both signed; secrets wiped
    FAILED = "failed"  # secrets wiped


class HitsEvent(StrEnum):
    """The events of a session, besides `session.states.Event`."""

    SEND_BLINDED = "send a blinded chunk"
    RECEIVE_EVALUATED = "receive an evaluated chunk"
    EVALUATED_COMPLETE = "evaluated chunks complete"
    UNBLIND = "unblind a chunk"
    RECEIVE_TAGS = "receive a tag chunk"
    TAGS_COMPLETE = "tag table complete"
    FIND_HITS = "find hits"
    EVALUATE = "evaluate a chunk"
    BLINDED_COMPLETE = "blinded chunks complete"
    SEND_TAGS = "send a tag chunk"


FROM_PEER = states.FROM_PEER | {
    HitsEvent.RECEIVE_EVALUATED,
    HitsEvent.RECEIVE_TAGS,
    HitsEvent.EVALUATE,
    HitsEvent.SEND_TAGS,
}
"""Events that the peer causes."""

_OWN = (Event.PREPARE, Event.COMMIT)
_OWN_AND_PEER = (*_OWN, Event.RECEIVE_COMMITMENT)
_REPEATS = (*_OWN_AND_PEER, HitsEvent.RECEIVE_EVALUATED, HitsEvent.RECEIVE_TAGS)

TRANSITIONS: Mapping[StrEnum, Transitions[HitsState]] = {
    Role.RECEIVER: transitions(
        {
            HitsState.PREPARING: ((Event.PREPARE,), {Event.COMMIT: HitsState.COMMITTED}),
            HitsState.COMMITTED: (_OWN, {Event.RECEIVE_COMMITMENT: HitsState.EXCHANGING}),
            HitsState.EXCHANGING: (
                (*_OWN_AND_PEER, HitsEvent.SEND_BLINDED, HitsEvent.RECEIVE_EVALUATED, HitsEvent.UNBLIND),
                {HitsEvent.EVALUATED_COMPLETE: HitsState.COLLECTING},
            ),
            HitsState.COLLECTING: (
                (*_REPEATS, HitsEvent.SEND_BLINDED, HitsEvent.UNBLIND),
                {HitsEvent.TAGS_COMPLETE: HitsState.COLLECTED},
            ),
            # The receipt may precede the lookup: then not even the moment of the receipt can depend on hits.
            HitsState.COLLECTED: (
                (*_REPEATS, HitsEvent.UNBLIND),
                {HitsEvent.FIND_HITS: HitsState.MATCHED, Event.SIGN_RECEIPT: HitsState.SIGNED},
            ),
            HitsState.MATCHED: ((*_REPEATS, HitsEvent.FIND_HITS), {Event.SIGN_RECEIPT: HitsState.SIGNED}),
            HitsState.SIGNED: (
                (*_REPEATS, HitsEvent.FIND_HITS, Event.SIGN_RECEIPT),
                {Event.RECEIVE_SIGNATURE: HitsState.CLOSED},
            ),
            HitsState.CLOSED: ((), {}),
            HitsState.FAILED: ((), {}),
        }
    ),
    Role.SENDER: transitions(
        {
            HitsState.PREPARING: (
                (Event.PREPARE,),
                {Event.COMMIT: HitsState.COMMITTED, Event.RECEIVE_COMMITMENT: HitsState.OFFERED},
            ),
            HitsState.OFFERED: (
                (Event.PREPARE, Event.RECEIVE_COMMITMENT),
                {Event.COMMIT: HitsState.EXCHANGING},
            ),
            HitsState.COMMITTED: (_OWN, {Event.RECEIVE_COMMITMENT: HitsState.EXCHANGING}),
            HitsState.EXCHANGING: (
                (*_OWN_AND_PEER, HitsEvent.EVALUATE),
                {HitsEvent.BLINDED_COMPLETE: HitsState.RELEASING},
            ),
            HitsState.RELEASING: (
                (*_OWN_AND_PEER, HitsEvent.EVALUATE, HitsEvent.SEND_TAGS),
                {Event.COUNTERSIGN: HitsState.CLOSED},
            ),
            HitsState.CLOSED: ((Event.COUNTERSIGN,), {}),
            HitsState.FAILED: ((), {}),
        }
    ),
}

DISCLOSED: Mapping[StrEnum, frozenset[HitsState]] = {
    Role.RECEIVER: frozenset({HitsState.MATCHED, HitsState.SIGNED}),
    Role.SENDER: frozenset({HitsState.RELEASING}),
}
"""See `Rules.disclosed`."""

RULES = Rules.by_role(TRANSITIONS, FROM_PEER, HitsState, DISCLOSED)


@dataclass
class HitsCheckpoint(EdgeCheckpoint):
    """See `EdgeCheckpoint`."""

    state: HitsState = HitsState.PREPARING

    label: ClassVar[str] = "blindmatch/checkpoint/v1"
