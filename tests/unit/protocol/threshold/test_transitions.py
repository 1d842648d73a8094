"""The transition tables of a threshold, every pair of state and event."""

import pytest

from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.session.machine import StateMachine
from blindmatch.protocol.session.states import Event
from blindmatch.protocol.threshold.checkpoint import ThresholdCheckpoint
from blindmatch.protocol.threshold.transitions import (
    FROM_PEER,
    RULES,
    TRANSITIONS,
    ThresholdEvent,
    ThresholdRole,
    ThresholdState,
)

EVERY = [
    (role, state, event)
    for role in ThresholdRole
    for state in TRANSITIONS[role]
    for event in (*Event, *ThresholdEvent)
]


@pytest.mark.parametrize(("role", "state", "event"), EVERY)
def test_every_event_in_every_state(role, state, event):
    machine = StateMachine(role, state, RULES[role])
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


@pytest.mark.parametrize("role", ThresholdRole)
def test_every_state_is_reached_and_left(role):
    reached, table = {ThresholdState.PREPARING}, TRANSITIONS[role]
    for _ in table:
        reached |= {after for state in reached for after in table[state].values()}
    assert reached == set(table) - {ThresholdState.FAILED}
    for state in reached - {ThresholdState.CLOSED}:
        assert set(table[state].values()) - {state}


@pytest.mark.parametrize(
    ("role", "state"), [(role, state) for role in ThresholdRole for state in TRANSITIONS[role]]
)
def test_failure_is_final_but_a_closed_one_stays_closed(role, state):
    machine = StateMachine(role, state, RULES[role])
    machine.fail(ValueError("once"))
    machine.fail(ValueError("twice"))
    if state is ThresholdState.CLOSED:
        assert machine.state is ThresholdState.CLOSED
        return
    assert machine.state is ThresholdState.FAILED
    if state is not ThresholdState.FAILED:
        assert str(machine.failure) == "once"
    with pytest.raises((PeerError, SequenceError)):
        machine.check(Event.COMMIT)


@pytest.mark.parametrize("role", ThresholdRole)
def test_checkpoints_have_one_size_and_come_back(role):
    small = ThresholdCheckpoint()
    large = ThresholdCheckpoint(
        ThresholdState.COLLECTING,
        9,
        8,
        7,
        list(range(10)),
        [1] * 10,
        3,
        b"a" * 32,
        b"b" * 32,
        b"c" * 32,
        b"d" * 32,
    )
    assert len(small.pack(role, b"x" * 32)) == len(large.pack(role, b"x" * 32))
    assert ThresholdCheckpoint.unpack(large.pack(role, b"x" * 32), role, b"x" * 32) == large
