"""kill -9 of a member and of the collector at many steps of a threshold, of the real programs; see `test_crash`."""

from contextlib import ExitStack, closing, contextmanager

import pytest
from tests.support import kill_points
from tests.support.crashing_programs import Programs
from tests.support.threshold_nodes import COLLECTOR, MEMBERS, references_of, sign_threshold, threshold_nodes

from blindmatch.node.rounds import leads as round_leads
from blindmatch.node.rounds.threshold import tally as threshold_tally
from blindmatch.node.storage.store import CLOSED


@pytest.fixture
def town(node_templates, tmp_path):
    with closing(node_templates.copy(threshold_nodes, tmp_path)) as nodes:
        yield nodes


@pytest.fixture
def programs(process_template):
    return Programs(process_template, kill_points.prepare_threshold)


@contextmanager
def serving(programs, town, *agencies):
    """Servers that nobody kills, and that end well."""
    with ExitStack() as stack:
        for process in [programs.serve(town, agency) for agency in agencies]:

            def end(process=process):
                process.terminate()
                process.communicate(timeout=60)
                assert process.returncode == 0

            stack.callback(end)
        yield


def check_result(town, held):
    """One closed round with the right leads, one receipt everywhere, nothing secret left."""
    (ours,) = [row for row in town.nodes[COLLECTOR].store.edges(agreement_id=held.id) if row.state == CLOSED]
    assert set(ours.signatures) == {COLLECTOR, *MEMBERS}
    for agency in (COLLECTOR, *MEMBERS):
        node = town.nodes[agency]
        (row,) = node.store.edges(ours.round_id)
        assert (row.state, row.receipt) == (CLOSED, ours.receipt)
        full = node.store.edge(ours.round_id, row.edge)
        assert (full.seed, full.snapshot) == (b"", b"")
        assert list(node.rounds_dir.iterdir()) == []
        found = {lead.reference for lead in round_leads.load(node, ours.round_id)}
        assert found == (set() if agency == COLLECTOR else references_of(agency, range(20, 30)))
    assert threshold_tally.load(town.nodes[COLLECTOR], ours.round_id, ours.edge).count >= 10


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_collector_killed_again_and_again(town, programs, when):
    held = sign_threshold(town)
    with serving(programs, town, *MEMBERS):
        said, kills = programs.run_until_complete(
            town, COLLECTOR, held, lambda kills: (5 * kills + 1 + (when == "after"), when)
        )
    assert said is None or said["complete"]
    assert kills >= 3, "the round had fewer steps than this test is for"
    check_result(town, held)


def test_a_member_killed_again_and_again(town, programs):
    held, target = sign_threshold(town), "south-council"
    with serving(programs, town, *(agency for agency in MEMBERS if agency != target)):
        client = programs.start(town, COLLECTOR, "round", "run", "--json", "--wait", "90", held.id.hex())
        said, kills = programs.serve_until_complete(
            town, target, lambda kills: (5 * kills + 2, ("after", "before")[kills % 2]), client
        )
    assert said["complete"]
    assert kills >= 3, "the round had fewer steps than this test is for"
    check_result(town, held)


def test_a_collector_that_is_a_member_killed_again_and_again(town, programs):
    """Two sessions in one process, two rows of one threshold: both come back."""
    west, others = "west-force", ("north-council", "south-council")
    held = sign_threshold(town, collector=west)
    with serving(programs, town, *others):
        said, kills = programs.run_until_complete(
            town, west, held, lambda kills: (7 * kills + 3, ("after", "before")[kills % 2])
        )
    assert said is None or said["complete"]
    assert kills >= 3, "the round had fewer steps than this test is for"
    rows = [row for row in town.nodes[west].store.edges() if row.state == CLOSED]
    assert sorted(row.role for row in rows) == ["collector", "member"]
    assert len({row.receipt for row in rows}) == 1
    for agency in MEMBERS:
        found = {lead.reference for lead in round_leads.load(town.nodes[agency], rows[0].round_id)}
        assert found == references_of(agency, range(20, 30))
        assert list(town.nodes[agency].rounds_dir.iterdir()) == []
