"""The transition tables of a threshold, every pair of state and event."""

import pytest

from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.threshold import FROM_PEER, TRANSITIONS, Event, Role, State
from blindmatch.protocol.threshold.checkpoint import Checkpoint
from blindmatch.protocol.threshold.transitions import Machine

EVERY = [(role, state, event) for role in Role for state in TRANSITIONS[role] for event in Event]


@pytest.mark.parametrize(("role", "state", "event"), EVERY)
def test_every_event_in_every_state(role, state, event):
    machine = Machine(role, state)
    after = TRANSITIONS[role][state].get(event)
    if after is None:
        with pytest.raises(PeerError if event in FROM_PEER else SequenceError) as refused:
            machine.check(event)
        if event in FROM_PEER:
            assert refused.value.code is PeerCode.WRONG_STATE
        assert machine.state is state
    else:
        machine.check(event)
        machine.fire(event)
        assert machine.state is after


@pytest.mark.parametrize("role", Role)
def test_every_state_is_reached_and_left(role):
    reached, table = {State.PREPARING}, TRANSITIONS[role]
    for _ in table:
        reached |= {after for state in reached for after in table[state].values()}
    assert reached == set(table) - {State.FAILED}
    for state in reached - {State.CLOSED}:
        assert set(table[state].values()) - {state}


@pytest.mark.parametrize(("role", "state"), [(role, state) for role in Role for state in TRANSITIONS[role]])
def test_failure_is_final_but_a_closed_one_stays_closed(role, state):
    machine = Machine(role, state)
    machine.fail(ValueError("once"))
    machine.fail(ValueError("twice"))
    if state is State.CLOSED:
        assert machine.state is State.CLOSED
        return
    assert machine.state is State.FAILED
    if state is not State.FAILED:
        assert str(machine.failure) == "once"
    with pytest.raises((PeerError, SequenceError)):
        machine.check(Event.COMMIT)


@pytest.mark.parametrize("role", Role)
def test_checkpoints_have_one_size_and_come_back(role):
    small = Checkpoint()
    large = Checkpoint(
        State.COLLECTING, 9, 8, 7, list(range(10)), [1] * 10, 3, b"a" * 32, b"b" * 32, b"c" * 32, b"d" * 32
    )
    assert len(small.pack(role, b"x" * 32)) == len(large.pack(role, b"x" * 32))
    assert Checkpoint.unpack(large.pack(role, b"x" * 32), role, b"x" * 32) == large
