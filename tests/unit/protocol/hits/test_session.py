"""Both roles on a quiet line, after crashes at every point, and with every local mistake."""

import concurrent.futures
import threading
from dataclasses import replace

import numpy as np
import pytest
from tests.support.hits_sessions import COUNCIL, Edge, Rows, exchange_commitments

from blindmatch.protocol import group
from blindmatch.protocol.agreement import Disclosure
from blindmatch.protocol.errors import LocalError, PeerCode, PeerError, SequenceError
from blindmatch.protocol.hits.messages import TagChunk
from blindmatch.protocol.hits.receiver import Receiver
from blindmatch.protocol.hits.shapes import Section
from blindmatch.protocol.hits.transitions import HitsState
from blindmatch.protocol.limits import Limits
from blindmatch.protocol.session.messages import Header
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


def test_the_receiver_learns_its_hits_and_both_hold_one_receipt(edge):
    network = edge.connect()
    _check(edge, network.run())
    assert network.sender.session.state is network.receiver.session.state is HitsState.CLOSED
    ours, theirs = network.receipts
    assert ours == theirs


def test_what_travels_does_not_depend_on_what_matched():
    """Only sizes: two rounds of other overlaps exchange messages of the same kinds, numbers and sizes."""

    def shape(theirs):
        network = Edge.of(OURS, theirs).connect()
        network.run()
        return [(message.kind, message.index, len(message.content())) for message in network.sent]

    assert shape(THEIRS) == shape([101, 102, 103, 104, 105, 106, 107])


def test_receiver_order_on_the_wire_is_not_its_own_order():
    edge = Edge.of(list(range(32)), [1], chunk_elements=32)
    network = edge.connect()
    network.run()
    receiver = edge.receiver()
    assert receiver._order.tolist() != list(range(32))
    assert sorted(receiver._order.tolist()) == list(range(32))


def test_workers_prepare_and_unblind_beside_the_exchange():
    edge = Edge.of(list(range(60)), list(range(40, 80)), verified=True)
    receiver, sender = edge.receiver(), edge.sender()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for session in (receiver, sender):
            list(pool.map(session.prepare_chunk, range(session.chunks)))
        sender.receive_commitment(receiver.commit())
        receiver.receive_commitment(sender.commit())
        waiting = []
        for index in range(receiver.chunks):
            receiver.receive_evaluated(sender.evaluate(receiver.blinded_chunk(index)))
            waiting.append(pool.submit(receiver.unblind_chunk, index))
            receiver.snapshot()
        for index in range(sender.tag_chunks):
            receiver.receive_tags(sender.tag_chunk(index))
        for each in waiting:
            each.result()
    assert receiver.find_hits().elements.tolist() == list(range(40, 60))


def test_a_slow_worker_does_not_undo_what_came_meanwhile():
    """The last evaluated chunk and the whole tag table arrive while chunk 0 is being unblinded."""
    started, go_on = threading.Event(), threading.Event()

    class Slow(Rows):
        armed = False

        def take(self, indices):
            if self.armed and threading.current_thread() is not threading.main_thread():
                started.set()
                assert go_on.wait(20)
            return super().take(indices)

    edge = Edge.of([1, 2, 3, 4, 5, 6], [2, 6])
    slow = Slow(edge.receiver_elements.rows)
    receiver, sender = replace(edge, receiver_elements=slow).receiver(), edge.sender()
    exchange_commitments(receiver, sender)
    receiver.receive_evaluated(sender.evaluate(receiver.blinded_chunk(0)))
    slow.armed = True
    worker = threading.Thread(target=receiver.unblind_chunk, args=(0,))
    worker.start()
    assert started.wait(20)
    receiver.receive_evaluated(sender.evaluate(receiver.blinded_chunk(1)))
    receiver.receive_tags(sender.tag_chunk(0))
    receiver.unblind_chunk(1)
    assert receiver.unblinded == 0
    go_on.set()
    worker.join()
    assert receiver.state is HitsState.COLLECTED
    assert receiver.unblinded == 2
    assert receiver.find_hits().elements.tolist() == [1, 5]


def test_sender_may_commit_before_or_after_the_receiver():
    edge = Edge.of([1, 2], [2, 3])
    for sender_first in (False, True):
        receiver, sender = edge.receiver(), edge.sender()
        receiver.prepare_chunk(0)
        sender.prepare_chunk(0)
        if sender_first:
            commitment = sender.commit()
            sender.receive_commitment(receiver.commit())
        else:
            sender.receive_commitment(receiver.commit())
            commitment = sender.commit()
        receiver.receive_commitment(commitment)
        assert sender.state is receiver.state is HitsState.EXCHANGING


def test_no_tags_before_every_blinded_chunk():
    edge = Edge.of(OURS, THEIRS)
    receiver, sender = edge.exchanging()
    sender.evaluate(receiver.blinded_chunk(0))
    with pytest.raises(PeerError) as caught:
        sender.tag_chunk(0)
    assert caught.value.code is PeerCode.WRONG_STATE


def test_nothing_secret_in_reprs_snapshots_or_workspaces():
    edge = Edge.of(OURS, THEIRS, facts=FACTS, verified=True)
    kept = {}

    def allocate(name, shape):
        return kept.setdefault(name, np.zeros(shape, dtype=np.uint8))

    receiver, sender = (
        edge.receiver(Workspace(allocate)),
        edge.sender(Workspace(lambda n, s: allocate("s" + n, s))),
    )
    secrets = [edge.receiver_seed, edge.sender_seed, sender._computing._key().secret.tobytes()]
    secrets += [row.tobytes() for row in receiver._expander.scalars("blind", 0, 4)]
    secrets += [edge.receiver_elements.rows.tobytes()[:16], edge.sender_elements.rows.tobytes()[:16]]
    exchange_commitments(receiver, sender)
    for index in range(receiver.chunks):
        receiver.receive_evaluated(sender.evaluate(receiver.blinded_chunk(index)))
        receiver.unblind_chunk(index)
    for index in range(sender.tag_chunks):
        receiver.receive_tags(sender.tag_chunk(index))
    places = [array.tobytes() for array in kept.values()] + [receiver.snapshot(), sender.snapshot()]
    places += [
        repr(each).encode() for each in (receiver, sender, receiver.find_hits(), vars(receiver), vars(sender))
    ]
    for secret in secrets:
        assert not any(secret in place or secret.hex().encode() in place for place in places)


def test_closing_wipes_the_secrets():
    network = Edge.of(OURS, THEIRS).connect()
    network.run()
    receiver, sender = network.receiver.session, network.sender.session
    assert not sender._computing._pair.secret.any()
    with pytest.raises(SequenceError, match="wiped"):
        receiver._computing.blind(0, receiver._elements.take(np.arange(1)))
    assert not receiver._order.any()
    for session in (receiver, sender):
        with pytest.raises(SequenceError, match="wiped"):
            session._expander.stream("blind", 0, 1)


def test_one_seed_in_two_rounds_still_gives_other_blinds_and_keys():
    one, two = Edge.of([1, 2], [1, 2]), Edge.of([1, 2], [1, 2], round_id=b"another-round-id")
    first, second = one.sender(), two.sender()
    assert first._computing._key().secret.tobytes() != second._computing._key().secret.tobytes()
    blinds = [edge.receiver()._expander.scalars("blind", 0, 2).tobytes() for edge in (one, two)]
    assert blinds[0] != blinds[1]


def test_equal_elements_of_a_sender_are_our_own_mistake():
    sender = Edge.of([1], [2, 3, 2]).sender()
    sender.prepare_chunk(0)
    with pytest.raises(LocalError, match="two elements of the collection are equal"):
        sender.commit()


def test_every_chunk_must_be_prepared():
    receiver = Edge.of(OURS, THEIRS).receiver()
    receiver.prepare_chunk(1)
    assert receiver.prepared == 0
    with pytest.raises(SequenceError, match="chunk 0 of 3 is not prepared"):
        receiver.commit()


@pytest.mark.parametrize("index", [-1, 3])
def test_there_is_no_such_chunk(index):
    with pytest.raises(SequenceError, match=f"chunk {index} of 3"):
        Edge.of(OURS, THEIRS).receiver().prepare_chunk(index)


def test_unblinding_waits_for_the_chunk():
    edge = Edge.of(OURS, THEIRS)
    receiver, _ = edge.exchanging()
    with pytest.raises(SequenceError, match="has not been received"):
        receiver.unblind_chunk(0)


def test_hits_wait_for_every_chunk():
    edge = Edge.of(OURS, THEIRS)
    receiver, sender = edge.exchanging()
    for index in range(receiver.chunks):
        receiver.receive_evaluated(sender.evaluate(receiver.blinded_chunk(index)))
    for index in range(sender.tag_chunks):
        receiver.receive_tags(sender.tag_chunk(index))
    with pytest.raises(SequenceError, match="chunk 0 of 3 is not unblinded"):
        receiver.find_hits()


def test_own_collections_are_held_to_the_agreement():
    edge = Edge.of(OURS, THEIRS)
    small = replace(edge, context=replace(edge.context, receiver_elements=9, sender_elements=6))
    for make in (small.receiver, small.sender):
        with pytest.raises(LocalError, match="the agreement allows"):
            make()
    with pytest.raises(LocalError, match="has no elements"):
        replace(edge, receiver_elements=Rows.of([])).receiver()


def test_the_signer_must_be_the_party():
    edge = Edge.of(OURS, THEIRS)
    with pytest.raises(SequenceError, match="council is not the receiver"):
        replace(edge, receiver_key=COUNCIL).receiver()


def test_facts_are_given_exactly_when_they_travel():
    edge = Edge.of(OURS, THEIRS)
    with pytest.raises(SequenceError, match="facts"):
        replace(edge, facts=Rows.of(FACTS, 24)).sender()
    with pytest.raises(SequenceError, match="facts of shape"):
        replace(Edge.of(OURS, THEIRS, facts=FACTS), facts=Rows.of(FACTS, 23)).sender().prepare_chunk(0)


@pytest.mark.parametrize(
    "change",
    [
        {"agreement": b"short"},
        {"round_id": b""},
        {"edge": ""},
        {"edge": "x" * 65},
        {"receiver": ""},
        {"sender": "police"},
        {"disclosure": "everything"},
        {"keys_digest": bytes(31)},
        {"receiver_elements": 0},
        {"sender_elements": -1},
        {"fact_bytes": 8},
        {"disclosure": Disclosure.HITS_FACTS},
        {"disclosure": Disclosure.HITS_FACTS, "fact_bytes": 513},
        {"fact_bytes": -1},
    ],
)
def test_an_edge_that_cannot_run_is_refused(change):
    with pytest.raises(LocalError, match="the edge cannot run"):
        replace(Edge.of([1], [2]).context, **change)


def test_wide_rows_lower_the_rows_of_a_chunk():
    context = Edge.of([1], [2], facts=[3]).context
    assert context.row_bytes == 16 + 24 + 16
    for limits, rows in (
        (Limits(), 16_384),
        (Limits(chunk_tag_bytes=560), 10),
        (Limits(chunk_tag_bytes=5), 1),
    ):
        assert Section.of("table", 100, context.row_bytes, limits).layout.per_chunk == rows


def test_tag_chunks_are_smaller_than_blinded_chunks_when_rows_are_wide():
    edge = Edge.of(OURS, THEIRS, facts=FACTS)
    edge = replace(edge, limits=Limits(chunk_elements=4, chunk_tag_bytes=112))
    network = edge.connect()
    _check(edge, network.run())
    assert network.sender.session.tag_chunks == 4


@pytest.mark.parametrize("backend", group.available())
def test_every_backend_gives_the_same_bytes(backend):
    edge = Edge.of([1, 2, 3], [3, 4], verified=True)
    with group.using(group.available()[0]):
        expected = edge.connect()
        expected.run()
    with group.using(backend):
        network = edge.connect()
        assert network.run().elements.tolist() == [2]
    assert [message.content() for message in network.sent] == [message.content() for message in expected.sent]


def test_progress_of_both_sides():
    edge = Edge.of(OURS, THEIRS)
    network = edge.connect()
    receiver, sender = network.receiver.session, network.sender.session
    assert (receiver.chunks, receiver.tag_chunks, receiver.peer_elements) == (3, 0, 0)
    assert (sender.chunks, sender.blinded_chunks, sender.tag_chunks) == (2, 0, 2)
    network.run()
    receiver, sender = network.receiver.session, network.sender.session
    assert (receiver.next_chunk, receiver.unblinded, receiver.next_tag_chunk, receiver.tag_chunks) == (
        3,
        3,
        2,
        2,
    )
    assert (sender.prepared, sender.next_chunk, sender.blinded_chunks) == (2, 3, 3)
    assert (receiver.peer_elements, sender.peer_elements) == (len(THEIRS), len(OURS))


def test_a_repeated_tag_chunk_is_accepted():
    edge = Edge.of(OURS, THEIRS)
    receiver, sender = edge.exchanging()
    for index in range(receiver.chunks):
        receiver.receive_evaluated(sender.evaluate(receiver.blinded_chunk(index)))
    first = sender.tag_chunk(0)
    receiver.receive_tags(first)
    receiver.receive_tags(TagChunk(Header(edge.context.round_id, edge.context.edge, 0), first.rows))
    assert receiver.next_tag_chunk == 1
    assert isinstance(receiver, Receiver)
