"""What the sentences of `words` promise of a threshold: worlds that they call the same look the same to who reads them."""

from dataclasses import replace

import numpy as np
import pytest
from tests.support.threshold_sessions import NAMES, ThresholdInputs

from blindmatch.protocol.agreement import Side, Threshold
from blindmatch.protocol.limits import Limits
from blindmatch.protocol.threshold import reconstruct
from blindmatch.protocol.threshold.share_tables import TABLES, ShareDerivation
from blindmatch.protocol.threshold.transitions import ThresholdState

LIMITS = Limits(chunk_elements=16, chunk_tag_bytes=1 << 20)


def circle(*lists, at_least=3, **changes):
    return ThresholdInputs(tuple(tuple(values) for values in lists), at_least, limits=LIMITS, **changes)


def view(made):
    """Run to the end; what the collector's node held, and what it was sent, by size."""
    ring = made.connect()
    ring.commit()
    ring.exchange()
    ring.collect()
    collector = ring.collector.session
    cells = np.stack([collector._array(f"cells-{place}").copy() for place in range(len(made.lists))])
    sizes = [len(signed.payload) for signed in collector.table_statements()]
    sizes += [len(each.statement.payload) + len(each.digests) for each in collector.commitments()]
    ring.search()
    ring.tell()
    ring.close()
    sizes += [len(collector.receipt_payload), len(ring.collector.stored)]
    return ring, cells, sizes


# Four members of sixteen elements; element 0 is held by the first three. What else is common differs.
UNDER = {
    "nothing": [(0, *range(100, 115)), (0, *range(200, 215)), (0, *range(300, 315)), tuple(range(400, 416))],
    "all pairs": [
        (0, *range(100, 115)),
        (0, *range(100, 105), *range(210, 220)),
        (0, *range(105, 110), *range(210, 215), *range(315, 320)),
        (*range(110, 115), *range(215, 220), *range(315, 320), 400),
    ],
    "one pair wholly": [
        (0, *range(100, 115)),
        (0, *range(100, 115)),
        (0, *range(300, 315)),
        tuple(range(400, 416)),
    ],
}


def test_the_collector_sees_no_trace_of_what_fewer_hold():
    views = {name: view(circle(*lists)) for name, lists in UNDER.items()}
    for ring, cells, sizes in views.values():
        assert ring.shared.held.tolist() == [[True, True, True, False]]
        assert cells.shape == views["nothing"][1].shape
        assert sizes == views["nothing"][2]
        words = cells.view(">u8").astype(np.uint64)
        # Nothing stands twice, in whatever table or list, but by a chance of 2^-35.
        assert len(np.unique(words)) == words.size
        # Two members' cells interpolate to nothing and to no common mark, alone or with any third one's.
        for at_least in (2, 3, 4):
            made = reconstruct.combinations(4, at_least)
            found = reconstruct.search(cells, 0, made)
            marks = np.unique(found.marks)
            assert len(marks) == (at_least == 3), at_least
            swapped = np.ascontiguousarray(cells.reshape(*cells.shape[:2], 2, 8)[:, :, ::-1]).reshape(
                cells.shape
            )
            assert len(reconstruct.search(swapped, 0, made).cells) == 0


def test_cells_of_what_fewer_hold_are_drawn_anew_with_every_round():
    lists = UNDER["one pair wholly"]
    one, other = (view(circle(*lists, round_id=name * 16))[1] for name in (b"1", b"2"))
    assert not np.intersect1d(one.view(">u8"), other.view(">u8")).size


def test_bits_of_cells_do_not_depend_on_what_is_common():
    """Over many rounds: each bit of the cells in which two members put one element is 1 half of the time, and so is that
    of both cells' difference.
    """
    words = []
    for number in range(12):
        salt = bytes([number])
        _, cells, _ = view(circle(*UNDER["one pair wholly"], salt=salt, round_id=salt * 16))
        words.append(cells.view(">u8").astype(np.uint64))
    every = np.concatenate(words, axis=1)
    assert every.shape[1] == 12 * TABLES * 24
    for sample in (every[0].ravel(), every[1].ravel(), every[0].ravel() ^ every[1].ravel()):
        for bit in range(61):
            ones = int((sample >> np.uint64(bit) & np.uint64(1)).sum())
            assert abs(ones - len(sample) / 2) < 6 * np.sqrt(len(sample)) / 2


def heard(ring, place):
    """What a member was sent in the end: statement's size, and its outcome."""
    collector = ring.collector.session
    return np.unpackbits(collector._array(f"outcome-{place}")).sum(), collector._array(
        f"outcome-{place}"
    ).shape


@pytest.mark.parametrize(
    "others",
    [
        [(0, 200), (0, 300), (400, 401)],
        [(0, 200), (300, 301), (0, 400)],
        [(200, 201), (0, 300), (0, 400)],
        [(0, 200), (0, 300), (0, 400)],
        [(0, 200), (0, 200), (200, 0)],
    ],
)
def test_a_member_does_not_learn_which_of_the_others_hold_it(others):
    """The same outcome for the first member, whoever the others are and however many they are: one bit of one bin."""
    ring, _, _ = view(circle((0, 100), *others))
    assert ring.found[NAMES[0]] == [0]
    assert heard(ring, 0) == (1, (TABLES, 1))
    # It holds nothing else that came from a list of the others: what was evaluated for it depends on keys alone.
    keys = [ring.members[i].session.agency for i in range(1, 4)]
    assert ring.members[0].session.others == tuple(keys)


def test_what_a_member_is_sent_before_the_outcome_is_the_same_whatever_the_others_hold():
    """Byte for byte: the evaluations of its own elements are the others' keys', and their lists have no part in them."""
    said = []
    for others in ([(0, 200), (0, 300), (400, 401)], [(200, 201), (300, 301), (0, 400)]):
        ring = circle((0, 100), *others).connect()
        ring.commit()
        ring.exchange()
        member = ring.members[0].session
        said.append([member._array(f"evaluated-{place}").tobytes() for place in (1, 2, 3)])
        said[-1].append(member.snapshot()[:60])
    assert said[0] == said[1]


def test_under_the_minimum_an_outcome_is_that_of_who_holds_nothing_shared():
    lists = [(0, 1, 100), (0, 1, 200), (0, 1, 300), (400, 401, 402)]
    told = {}
    for minimum in (2, 3):
        ring, _, sizes = view(circle(*lists, minimum_count=minimum))
        told[minimum] = ([heard(ring, place) for place in range(4)], sizes)
        assert ring.collector.session.state is ThresholdState.CLOSED
        assert len(ring.shared) == (2 if minimum == 2 else 0)
        for place in range(4):
            assert ring.found[NAMES[place]] == ([0, 1] if minimum == 2 and place < 3 else [])
    assert told[2][1] == told[3][1]
    assert told[2][0][3] == told[3][0][0] == told[3][0][3]
    assert [bits for bits, _ in told[2][0]] == [2, 2, 2, 0]
    assert {shape for each, _ in told.values() for _, shape in each} == {(TABLES, 1)}


def test_receipts_and_checkpoints_do_not_depend_on_what_is_shared():
    sizes = [view(made)[2] for made in (circle((1, 2), (1, 2), (1, 2)), circle((1, 2), (3, 4), (5, 6)))]
    assert sizes[0] == sizes[1]
    receipts = []
    for collector in ((1, 2), (9, 8)):
        ring, _, _ = view(circle((1, 2), (3, 4), (1, 2), collector))
        receipts.append(len(ring.collector.session.receipt_payload))
    assert receipts[0] == receipts[1]


def test_a_collector_that_is_a_member_can_test_its_own_elements_and_the_words_say_so():
    """The attack that limits the promise: with its own polynomial it finds a single other holder."""
    made = replace(circle((0, 100), (0, 200), (300, 301)), collector_name=NAMES[0])
    ring, cells, _ = view(made)
    assert len(ring.shared) == 0
    member = ring.members[0].session
    outputs = member._array("outputs")
    context = made.context
    derivation = ShareDerivation(context.digest, context.shape)
    theirs = {cells[1, at].tobytes() for at in range(context.shape.cells)}
    hits = [
        {derivation.shares(outputs, table, 2)[row].tobytes() for table in range(TABLES)} & theirs
        for row in (0, 1)
    ]
    assert hits[0]
    assert not hits[1]
    sides = tuple(Side(name, "subjects", 10, 8) for name in NAMES[:3])
    terms = Threshold("many", sides, 2, leakage="x")
    assert "could also work out" in terms.collector_learns(NAMES[0])
    assert "as long as no member helps it" in terms.collector_learns("collector")
    assert "not of which" in terms.member_learns()
