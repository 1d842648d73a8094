"""After a crash: the same bytes go on, and whatever changed meanwhile is found before it is used."""

from dataclasses import replace

import numpy as np
import pytest
from tests.support.hits_sessions import CLOSED_AT, OPENED_AT, Edge, HitsChannel, Rows, exchange_commitments
from tests.support.lossy_channel import Side

from blindmatch.protocol.errors import LocalError, StoreError
from blindmatch.protocol.hits.transitions import HitsState
from blindmatch.protocol.session.workspace import Workspace

OURS = [11, 12, 13, 14, 15, 12, 16, 17, 18, 19]
THEIRS = [13, 18, 12, 90, 91, 92, 93]
EXPECTED = [1, 2, 5, 8]
FACTS = [value * 1000 for value in THEIRS]
KINDS = {"hits": {}, "verified": {"verified": True}, "facts": {"facts": FACTS}}


@pytest.fixture(params=KINDS)
def edge(request):
    return Edge.of(OURS, THEIRS, **KINDS[request.param])


def _check(edge, hits):
    assert hits.elements.tolist() == EXPECTED
    if edge.facts is None:
        assert hits.facts is None
    else:
        assert [int.from_bytes(row.tobytes(), "big") for row in hits.facts] == [
            OURS[i] * 1000 for i in EXPECTED
        ]


def test_crash_at_every_point_changes_nothing(edge):
    quiet = edge.connect()
    quiet.run()
    wire = {(message.kind, message.index): message.content() for message in quiet.sent}
    for name in ("receiver", "sender"):
        for point in range(getattr(quiet, name).points):
            network = edge.connect()
            getattr(network, name).crash_in = point
            _check(edge, network.run())
            assert getattr(network, name).crash_in is None, "it crashed"
            assert {(message.kind, message.index): message.content() for message in network.sent} == wire
            assert network.receipts[-1] == quiet.receipts[0]


def test_workspace_on_disk(edge, tmp_path):
    def mapped(name):
        def allocate(array, shape):
            path = tmp_path / f"{name}-{array}"
            mode = "r+" if path.exists() else "w+"
            return np.memmap(path, dtype=np.uint8, mode=mode, shape=shape)

        return allocate

    network = HitsChannel(
        Side(lambda snapshot: edge.receiver(Workspace(mapped("receiver")), snapshot)),
        Side(lambda snapshot: edge.sender(Workspace(mapped("sender")), snapshot)),
    )
    network.receiver.crash_in = 20
    network.sender.crash_in = 10
    _check(edge, network.run())


@pytest.mark.parametrize("role", ["receiver", "sender"])
def test_elements_that_change_are_found(role):
    """Whether in number or in content, and whether before or after the commitment."""
    edge = Edge.of(OURS, THEIRS)
    workspace = Workspace.in_memory()
    session = getattr(edge, role)(workspace)
    for index in range(session.chunks):
        session.prepare_chunk(index)
    prepared = session.snapshot()
    session.commit()
    name = f"{role}_elements"
    values = OURS if role == "receiver" else THEIRS
    shorter = replace(edge, **{name: Rows.of(values[:-1])})
    other = replace(edge, **{name: Rows.of([*values[:-1], 1234])})
    for snapshot in (prepared, session.snapshot()):
        with pytest.raises(LocalError, match="changed since the round began"):
            getattr(shorter, role)(workspace, snapshot)
        same, changed = (getattr(each, role)(workspace, snapshot) for each in (edge, other))
        for index in range(same.chunks):
            same.prepare_chunk(index)
        assert same.commit() == session.commit()

        def check(changed=changed):
            for index in range(changed.chunks):
                changed.prepare_chunk(index)

        with pytest.raises(LocalError, match="changed since the round began"):
            check()
        assert changed.state is HitsState.FAILED


def test_facts_that_change_are_found():
    edge = Edge.of(OURS, THEIRS, facts=FACTS)
    workspace = Workspace.in_memory()
    session = edge.sender(workspace)
    session.prepare_chunk(0)
    changed = replace(edge, facts=Rows.of([value + 1 for value in FACTS], 24))
    with pytest.raises(LocalError, match="changed since the round began"):
        changed.sender(workspace, session.snapshot()).prepare_chunk(0)


def test_elements_that_change_are_found_before_unblinding():
    edge = Edge.of(OURS, THEIRS)
    workspace = Workspace.in_memory()
    receiver, sender = edge.receiver(workspace), edge.sender()
    exchange_commitments(receiver, sender)
    receiver.receive_evaluated(sender.evaluate(receiver.blinded_chunk(0)))
    changed = replace(edge, receiver_elements=Rows.of([value + 100 for value in OURS]))
    resumed = changed.receiver(workspace, receiver.snapshot())
    with pytest.raises(LocalError, match="changed since the round began"):
        resumed.unblind_chunk(0)


@pytest.mark.parametrize("array", ["blinded_digests", "evaluated_digests"])
@pytest.mark.parametrize("role", ["receiver", "sender"])
def test_a_workspace_that_was_lost_is_found_on_restart(role, array):
    edge = Edge.of(OURS, THEIRS)
    kept = {}

    def allocate(name, shape):
        return kept.setdefault(name, np.zeros(shape, dtype=np.uint8))

    sessions = {"receiver": edge.receiver(), "sender": edge.sender()}
    sessions[role] = getattr(edge, role)(Workspace(allocate))
    receiver, sender = sessions["receiver"], sessions["sender"]
    exchange_commitments(receiver, sender)
    receiver.receive_evaluated(sender.evaluate(receiver.blinded_chunk(0)))
    snapshot = sessions[role].snapshot()
    getattr(edge, role)(Workspace(allocate), snapshot)
    kept[array][0] = 0
    with pytest.raises(StoreError, match="working files"):
        getattr(edge, role)(Workspace(allocate), snapshot)


@pytest.mark.parametrize("array", ["blinded", "evaluated", "table"])
def test_an_altered_workspace_is_found_before_use(array):
    edge = Edge.of(OURS, THEIRS)
    kept = {}
    workspace = Workspace(lambda name, shape: kept.setdefault(name, np.zeros(shape, dtype=np.uint8)))
    receiver, sender = edge.receiver(workspace), edge.sender()
    exchange_commitments(receiver, sender)
    for index in range(receiver.chunks):
        receiver.receive_evaluated(sender.evaluate(receiver.blinded_chunk(index)))
    kept["evaluated" if array == "evaluated" else "blinded"][0, 0] ^= array != "table"
    if array == "blinded":
        with pytest.raises(StoreError, match="working files"):
            receiver.blinded_chunk(0)
        return
    if array == "evaluated":
        with pytest.raises(StoreError, match="working files"):
            receiver.unblind_chunk(0)
        return
    for index in range(receiver.chunks):
        receiver.unblind_chunk(index)
    for index in range(sender.tag_chunks):
        receiver.receive_tags(sender.tag_chunk(index))
    kept["table"][0, 0] ^= 1
    with pytest.raises(StoreError, match="working files"):
        receiver.find_hits()


def test_an_altered_tag_table_is_not_sent():
    edge = Edge.of(OURS, THEIRS)
    kept = {}
    workspace = Workspace(lambda name, shape: kept.setdefault(name, np.zeros(shape, dtype=np.uint8)))
    receiver, sender = edge.receiver(), edge.sender(workspace)
    exchange_commitments(receiver, sender)
    for index in range(receiver.chunks):
        sender.evaluate(receiver.blinded_chunk(index))
    kept["table"][0, 0] ^= 1
    with pytest.raises(StoreError, match="working files"):
        sender.tag_chunk(0)


def test_a_checkpoint_of_another_edge_seed_or_role_is_refused():
    edge = Edge.of(OURS, THEIRS)
    snapshot = edge.receiver().snapshot()
    others = [
        lambda: Edge.of(OURS, THEIRS, round_id=b"another-round-id").receiver(None, snapshot),
        lambda: replace(edge, receiver_seed=b"x" * 32).receiver(None, snapshot),
        lambda: replace(edge, sender_seed=edge.receiver_seed).sender(None, snapshot),
    ]
    for other in others:
        with pytest.raises(StoreError, match="another edge or seed"):
            other()


@pytest.mark.parametrize("damage", [b"", b"x", None])
def test_a_damaged_checkpoint_is_refused(damage):
    edge = Edge.of(OURS, THEIRS)
    snapshot = edge.receiver().snapshot()
    damaged = snapshot[:-1] if damage is None else damage
    with pytest.raises(StoreError, match="damaged"):
        edge.receiver(None, damaged)
    with pytest.raises(StoreError, match="damaged"):
        edge.receiver(None, snapshot.replace(b"preparing", b"pondering"))


def test_a_receipt_keeps_its_times_after_a_crash():
    edge = Edge.of(OURS, THEIRS)
    workspace = Workspace.in_memory()
    network = HitsChannel(
        Side(lambda snapshot: edge.receiver(workspace, snapshot)), Side(lambda s: edge.sender(None, s))
    )
    while network.receiver.session.state is not HitsState.MATCHED:
        network.caller_step()
        while network.requests:
            network.deliver_request(0)
        while network.replies:
            network.deliver_reply(0)
    first = network.receiver.session.receipt(OPENED_AT, CLOSED_AT)
    resumed = edge.receiver(workspace, network.receiver.session.snapshot())
    assert resumed.receipt(OPENED_AT + 5, CLOSED_AT + 500) == first


def test_hits_can_be_found_again_after_a_crash():
    edge = Edge.of(OURS, THEIRS, facts=FACTS)
    workspace = Workspace.in_memory()
    network = HitsChannel(
        Side(lambda snapshot: edge.receiver(workspace, snapshot)), Side(lambda s: edge.sender(None, s))
    )
    while network.receiver.session.state is not HitsState.SIGNED:
        network.caller_step()
        while network.requests and network.receiver.session.state is not HitsState.SIGNED:
            network.deliver_request(0)
        while network.replies:
            network.deliver_reply(0)
    _check(edge, edge.receiver(workspace, network.receiver.session.snapshot()).find_hits())


def test_chunks_unblinded_before_a_crash_stay_so():
    edge = Edge.of(OURS, THEIRS)
    workspace = Workspace.in_memory()
    receiver, sender = edge.receiver(workspace), edge.sender()
    exchange_commitments(receiver, sender)
    for index in range(receiver.chunks):
        receiver.receive_evaluated(sender.evaluate(receiver.blinded_chunk(index)))
    receiver.unblind_chunk(0)
    receiver.unblind_chunk(2)
    assert edge.receiver(workspace, receiver.snapshot()).unblinded == 1
    receiver.unblind_chunk(1)
    assert edge.receiver(workspace, receiver.snapshot()).unblinded == 3
