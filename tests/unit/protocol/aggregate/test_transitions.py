"""Every pair of state and event of a number's edge, legal and illegal: on the table, then on real sessions in each state."""

import pytest
from tests.support.aggregate_sessions import AggregateEdge
from tests.support.hits_sessions import CLOSED_AT, OPENED_AT, Rows

from blindmatch.protocol.aggregate.messages import AggregateChunk
from blindmatch.protocol.aggregate.transitions import (
    FROM_PEER,
    RULES,
    TRANSITIONS,
    AggregateEvent,
    AggregateState,
)
from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.hits.transitions import HitsState
from blindmatch.protocol.session.machine import StateMachine
from blindmatch.protocol.session.messages import Header
from blindmatch.protocol.session.states import Event, Role
from blindmatch.protocol.transcript import Signed

EDGES = {
    "count": AggregateEdge.count([[1, 2], [2, 3], [4, 9]], [2, 4, 6, 8, 10], minimum=1),
    "sum": AggregateEdge.sum([1, 2, 3, 4], [[1, 2], [2, 3], [4]], [10, 20, 30], minimum=1),
}
PAIRS = [
    (role, state, event)
    for role in Role
    for state in TRANSITIONS[role]
    for event in (*Event, *AggregateEvent)
]
HEADER = Header(EDGES["count"].context.round_id, EDGES["count"].context.edge, 0)
CHUNK = AggregateChunk(HEADER, Rows.of([1], 32).rows)
NOTHING = Signed(b"", bytes(64))

CALLS = {
    Event.PREPARE: lambda session: session.prepare_chunk(0),
    Event.COMMIT: lambda session: session.commit(),
    Event.RECEIVE_COMMITMENT: lambda session: session.receive_commitment(NOTHING),
    AggregateEvent.RECEIVE_POINTS: lambda session: session.receive_points(CHUNK),
}
ROLE_CALLS = {
    Role.RECEIVER: CALLS
    | {
        AggregateEvent.SEND_POINTS: lambda session: session.points_chunk(0),
        AggregateEvent.POINTS_ACKNOWLEDGED: lambda session: session.acknowledge_points(0),
        AggregateEvent.MASK: lambda session: session.mask_chunk(0),
        AggregateEvent.ARRANGE_MASKED: lambda session: session.arrange_masked(),
        AggregateEvent.SEND_MASKED: lambda session: session.masked_chunk(0),
        AggregateEvent.MASKED_ACKNOWLEDGED: lambda session: session.acknowledge_masked(0),
        AggregateEvent.RECEIVE_OUTCOME: lambda session: session.receive_outcome(NOTHING),
        Event.SIGN_RECEIPT: lambda session: session.receipt(OPENED_AT, CLOSED_AT),
        Event.RECEIVE_SIGNATURE: lambda session: session.receive_receipt_signature(bytes(64)),
    },
    Role.SENDER: CALLS
    | {
        AggregateEvent.RELEASE_POINTS: lambda session: session.points_chunk(0),
        AggregateEvent.RECEIVE_MASKED: lambda session: session.receive_masked(CHUNK),
        AggregateEvent.SEND_OUTCOME: lambda session: session.outcome(),
        Event.COUNTERSIGN: lambda session: session.countersign(NOTHING, CLOSED_AT),
    },
}
ILLEGAL = [
    (role, state, event)
    for role, state, event in PAIRS
    if event in ROLE_CALLS[role] and event not in TRANSITIONS[role][state]
]


def _error(event):
    return PeerError if event in FROM_PEER else SequenceError


@pytest.mark.parametrize(("role", "state", "event"), PAIRS)
def test_the_machine_follows_the_table(role, state, event):
    machine = StateMachine(role, state, RULES[role])
    following = TRANSITIONS[role][state].get(event)
    if following is not None:
        machine.check(event)
        machine.fire(event)
        assert machine.state is following
        return
    for call in (machine.check, machine.fire):
        with pytest.raises(_error(event)) as caught:
            call(event)
        assert getattr(caught.value, "code", PeerCode.WRONG_STATE) is PeerCode.WRONG_STATE
    assert machine.state is state


@pytest.mark.parametrize("role", Role)
def test_every_state_is_reached_and_left(role):
    states = TRANSITIONS[role]
    reached, waiting = set(), [AggregateState.PREPARING]
    while waiting:
        state = waiting.pop()
        if state not in reached:
            reached.add(state)
            waiting += states[state].values()
    assert reached == set(states) - {AggregateState.FAILED}
    for state in reached - {AggregateState.CLOSED}:
        assert set(states[state].values()) > {state}


@pytest.mark.parametrize("role", Role)
def test_a_state_that_no_table_of_this_disclosure_knows_accepts_nothing(role):
    machine = StateMachine(role, HitsState.MATCHED, RULES[role])
    for event in (*Event, *AggregateEvent):
        with pytest.raises((PeerError, SequenceError)):
            machine.fire(event)


@pytest.fixture(scope="module", params=EDGES)
def checkpoints(request):
    """A checkpoint of each role in each state, and how to make a session of it."""
    edge, seen = EDGES[request.param], {}
    pair = edge.connect()

    def note():
        for role, side in ((Role.RECEIVER, pair.receiver), (Role.SENDER, pair.sender)):
            session = side.session
            seen[role, session.state] = session.snapshot()

    ours, theirs = pair.receiver, pair.sender
    for side in (ours, theirs):
        run = side.run

        def noting(call, keep=None, *, run=run):
            value = run(call, keep)
            note()
            return value

        side.run = noting
    note()
    pair.run()
    for role, session in ((Role.RECEIVER, edge.receiver()), (Role.SENDER, edge.sender())):
        session.abort(SequenceError("given up"))
        seen[role, session.state] = session.snapshot()
    return seen, {Role.RECEIVER: ours._make, Role.SENDER: theirs._make}


def test_a_run_passes_through_every_state(checkpoints):
    assert set(checkpoints[0]) == {(role, state) for role in Role for state in TRANSITIONS[role]}


def test_checkpoints_have_one_size(checkpoints):
    assert len({len(snapshot) for snapshot in checkpoints[0].values()}) == 1


@pytest.mark.parametrize(("role", "state", "event"), ILLEGAL)
def test_a_session_refuses_what_the_table_does_not_list(checkpoints, role, state, event):
    seen, make = checkpoints
    session = make[role](seen[role, state])
    assert session.state is state
    with pytest.raises((PeerError, SequenceError)) as caught:
        ROLE_CALLS[role][event](session)
    assert isinstance(caught.value, _error(event))
    assert getattr(caught.value, "code", PeerCode.WRONG_STATE) is PeerCode.WRONG_STATE
    assert session.state is (
        AggregateState.CLOSED if state is AggregateState.CLOSED else AggregateState.FAILED
    )


@pytest.mark.parametrize(
    ("role", "state"),
    [(r, s) for r in Role for s in TRANSITIONS[r] if s not in (AggregateState.CLOSED, AggregateState.FAILED)],
)
def test_any_exception_is_final_and_wipes(checkpoints, role, state):
    seen, make = checkpoints
    session = make[role](seen[role, state])
    secrets = session._secrets
    assert any(secret.any() for secret in secrets)
    session.abort(SequenceError("the operator gave up"))
    assert session.state is AggregateState.FAILED
    for event, call in ROLE_CALLS[role].items():
        with pytest.raises(_error(event), match="gave up"):
            call(session)
    assert not any(secret.any() for secret in secrets)
    with pytest.raises(SequenceError, match="wiped"):
        session._expander.stream("copy", 0, 1)
