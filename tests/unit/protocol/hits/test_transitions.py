"""Every pair of state and event, legal and illegal: first on the table, then on real sessions in each state."""

import pytest
from tests.support.hits_sessions import CLOSED_AT, OPENED_AT, Edge, HitsChannel, Rows
from tests.support.lossy_channel import Side

from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.hits.messages import TagChunk
from blindmatch.protocol.hits.transitions import FROM_PEER, RULES, TRANSITIONS, HitsEvent, HitsState
from blindmatch.protocol.session.machine import StateMachine
from blindmatch.protocol.session.messages import BlindedChunk, EvaluatedChunk, Header
from blindmatch.protocol.session.states import Event, Role
from blindmatch.protocol.session.workspace import Workspace
from blindmatch.protocol.transcript import Signed

PAIRS = [
    (role, state, event) for role in Role for state in TRANSITIONS[role] for event in (*Event, *HitsEvent)
]
EDGE = Edge.of([1, 2, 3, 4, 5], [3, 4, 5, 6, 7])
HEADER = Header(EDGE.context.round_id, EDGE.context.edge, 0)

CALLS = {
    Event.PREPARE: lambda session: session.prepare_chunk(0),
    Event.COMMIT: lambda session: session.commit(),
    Event.RECEIVE_COMMITMENT: lambda session: session.receive_commitment(Signed(b"", bytes(64))),
}
ROLE_CALLS = {
    Role.RECEIVER: CALLS
    | {
        HitsEvent.SEND_BLINDED: lambda session: session.blinded_chunk(0),
        HitsEvent.RECEIVE_EVALUATED: lambda session: session.receive_evaluated(
            EvaluatedChunk(HEADER, Rows.of([1], 32).rows)
        ),
        HitsEvent.UNBLIND: lambda session: session.unblind_chunk(0),
        HitsEvent.RECEIVE_TAGS: lambda session: session.receive_tags(TagChunk(HEADER, Rows.of([1]).rows)),
        HitsEvent.FIND_HITS: lambda session: session.find_hits(),
        Event.SIGN_RECEIPT: lambda session: session.receipt(OPENED_AT, CLOSED_AT),
        Event.RECEIVE_SIGNATURE: lambda session: session.receive_receipt_signature(bytes(64)),
    },
    Role.SENDER: CALLS
    | {
        HitsEvent.EVALUATE: lambda session: session.evaluate(BlindedChunk(HEADER, Rows.of([1], 32).rows)),
        HitsEvent.SEND_TAGS: lambda session: session.tag_chunk(0),
        Event.COUNTERSIGN: lambda session: session.countersign(Signed(b"", bytes(64)), CLOSED_AT),
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
    reached, waiting = set(), [HitsState.PREPARING]
    while waiting:
        state = waiting.pop()
        if state not in reached:
            reached.add(state)
            waiting += states[state].values()
    assert reached == set(states) - {HitsState.FAILED}
    for state in reached - {HitsState.CLOSED}:
        assert set(states[state].values()) > {state} or len(states[state]) == 1


@pytest.mark.parametrize("role", Role)
def test_final_states_lead_nowhere(role):
    for state in (HitsState.CLOSED, HitsState.FAILED):
        assert set(TRANSITIONS[role][state].values()) <= {state}


@pytest.mark.parametrize(("role", "state"), [(role, state) for role in Role for state in TRANSITIONS[role]])
def test_failing_is_final_except_after_closing(role, state):
    machine = StateMachine(role, state, RULES[role])
    machine.fail(SequenceError("first"))
    machine.fail(SequenceError("second"))
    assert machine.state is (HitsState.CLOSED if state is HitsState.CLOSED else HitsState.FAILED)
    if state is not HitsState.CLOSED:
        assert str(machine.failure) in ("first", "None")
        for event in (*Event, *HitsEvent):
            with pytest.raises(_error(event)):
                machine.fire(event)


@pytest.fixture(scope="module")
def checkpoints():
    """A checkpoint of each role in each state, with the workspaces that belong to them."""
    ours, theirs = Workspace.in_memory(), Workspace.in_memory()
    receiver = Side(lambda snapshot: EDGE.receiver(ours, snapshot))
    sender = Side(lambda snapshot: EDGE.sender(theirs, snapshot))
    network = HitsChannel(receiver, sender)
    seen = {}

    def note():
        for role, side in ((Role.RECEIVER, receiver), (Role.SENDER, sender)):
            seen[role, side.session.state] = side.session.snapshot()

    offered = EDGE.sender()
    note()
    while not network.closed:
        network.caller_step()
        note()
        if network.requests and network.requests[0].kind == "open":
            offered.receive_commitment(network.requests[0].body)
            seen[Role.SENDER, offered.state] = offered.snapshot()
        for line, deliver in (
            (network.requests, network.deliver_request),
            (network.replies, network.deliver_reply),
        ):
            while line:
                deliver(0)
                note()
    committed = EDGE.sender()
    for index in range(committed.chunks):
        committed.prepare_chunk(index)
    committed.commit()
    seen[Role.SENDER, committed.state] = committed.snapshot()
    for role, session in ((Role.RECEIVER, EDGE.receiver()), (Role.SENDER, EDGE.sender())):
        session.abort(SequenceError("given up"))
        seen[role, session.state] = session.snapshot()
    return seen, {Role.RECEIVER: ours, Role.SENDER: theirs}


def _restore(checkpoints, role, state):
    seen, workspaces = checkpoints
    make = EDGE.receiver if role is Role.RECEIVER else EDGE.sender
    return make(workspaces[role], seen[role, state])


def test_a_run_passes_through_every_state(checkpoints):
    assert set(checkpoints[0]) == {(role, state) for role in Role for state in TRANSITIONS[role]}


def test_checkpoints_have_one_size(checkpoints):
    assert len({len(snapshot) for snapshot in checkpoints[0].values()}) == 1


@pytest.mark.parametrize(("role", "state", "event"), ILLEGAL)
def test_a_session_refuses_what_the_table_does_not_list(checkpoints, role, state, event):
    session = _restore(checkpoints, role, state)
    assert session.state is state
    with pytest.raises(_error(event)) as caught:
        ROLE_CALLS[role][event](session)
    assert getattr(caught.value, "code", PeerCode.WRONG_STATE) is PeerCode.WRONG_STATE
    assert session.state is (HitsState.CLOSED if state is HitsState.CLOSED else HitsState.FAILED)


@pytest.mark.parametrize(
    ("role", "state"),
    [
        (role, state)
        for role in Role
        for state in TRANSITIONS[role]
        if state not in (HitsState.CLOSED, HitsState.FAILED)
    ],
)
def test_any_exception_is_final_and_wipes(checkpoints, role, state):
    session = _restore(checkpoints, role, state)
    session.abort(SequenceError("the operator gave up"))
    assert session.state is HitsState.FAILED
    for event, call in ROLE_CALLS[role].items():
        with pytest.raises(_error(event), match="gave up"):
            call(session)
    with pytest.raises(SequenceError, match="wiped"):
        session._expander.stream("blind", 0, 1)
