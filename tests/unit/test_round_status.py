import pytest

from blindmatch.protocol.errors import LocalError
from blindmatch.protocol.match import Role, State
from blindmatch.protocol.round import FINAL, EdgeStatus, RoundState, RoundStatus


def _edge(name, state, **more):
    return EdgeStatus(name, Role.RECEIVER, "council", state, **more)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([State.CLOSED], RoundState.COMPLETE),
        ([State.CLOSED, State.CLOSED], RoundState.COMPLETE),
        ([State.FAILED, State.FAILED], RoundState.FAILED),
        ([State.CLOSED, State.FAILED], RoundState.PARTIAL),
        ([State.CLOSED, State.EXCHANGING], RoundState.RUNNING),
        ([State.FAILED, State.PREPARING], RoundState.RUNNING),
    ],
)
def test_the_round_follows_its_edges(states, expected):
    status = RoundStatus.of(b"round", (_edge(f"edge-{n}", state) for n, state in enumerate(states)))
    assert status.state is expected


@pytest.mark.parametrize("state", [state for state in State if state not in FINAL])
def test_an_edge_that_can_go_on_is_open(state):
    status = RoundStatus.of(b"round", [_edge("one", state), _edge("two", State.CLOSED)])
    assert [edge.edge for edge in status.open] == ["one"]
    assert status.state is RoundState.RUNNING


def test_failed_edges_say_why():
    bad = _edge("one", State.FAILED, code="bad-point", reason="a point of chunk 3 is not on the group")
    status = RoundStatus.of(b"round", [bad, _edge("two", State.CLOSED)])
    assert status.failed == (bad,)
    assert status.open == ()


def test_share_of_the_work():
    assert _edge("one", State.PREPARING).share == 0
    assert _edge("one", State.EXCHANGING, done=1, total=4).share == 0.25
    assert _edge("one", State.CLOSED, done=1, total=4).share == 1


@pytest.mark.parametrize("counts", [{"done": 5, "total": 4}, {"done": -1}, {"total": -1}])
def test_counts_that_cannot_be_are_refused(counts):
    with pytest.raises(LocalError, match="no progress"):
        _edge("one", State.EXCHANGING, **counts)


def test_an_error_belongs_to_a_failure():
    with pytest.raises(LocalError, match="without a failure"):
        _edge("one", State.CLOSED, code="bad-point")


@pytest.mark.parametrize("names", [[], ["one", "one"]])
def test_a_round_has_edges_each_once(names):
    with pytest.raises(LocalError, match="each of them once"):
        RoundStatus.of(b"round", [_edge(name, State.CLOSED) for name in names])
