"""The parts of an epoch's lists one by one: comparing, settling, what travels, the sender's table at the receiver."""

import numpy as np
import pytest
from tests.support.hits_sessions import Edge
from tests.support.standing_sessions import Person, World

from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.expand import Expander
from blindmatch.protocol.limits import SEED_BYTES
from blindmatch.protocol.linkage.compiled_keys import DUMMY
from blindmatch.protocol.standing.epoch import Epoch, first_state, next_state, no_rows, opening_key_seed
from blindmatch.protocol.standing.record_list import (
    HIT,
    LIVE,
    SHARED,
    FreshSlots,
    ListRules,
    RecordList,
    compare_digests,
    distinct_tags,
    first_list,
    places_of,
)
from blindmatch.protocol.standing.release_plan import draw_distinct, transfer_sizes
from blindmatch.protocol.standing.tag_table import TagTable, hit_slots, with_hits


def tags(*numbers):
    """Tags whose order is that of the numbers."""
    return np.frombuffer(b"".join(number.to_bytes(16, "big") for number in numbers), dtype=np.uint8).reshape(
        -1, 16
    )


def uniform(count, seed=1):
    return np.random.default_rng(seed).integers(0, 256, (count, 16), dtype=np.uint8)


@pytest.mark.parametrize(
    ("before", "now", "source", "gone"),
    [
        ([], [], [], []),
        ([], [1, 2], [-1, -1], []),
        ([1, 2], [], [], [0, 1]),
        ([1, 2, 3], [3, 1, 2], [2, 0, 1], []),
        ([1, 2, 3], [4, 2], [-1, 1], [0, 2]),
        ([1, 1, 1], [1, 1], [0, 1], [2]),
        ([1], [1, 1, 2], [0, -1, -1], []),
        ([1, 1, 2], [2, 1, 3, 1], [2, 0, -1, 1], []),
    ],
)
def test_records_are_paired_one_to_one_whatever_their_order(before, now, source, gone):
    rows = uniform(5)
    change = compare_digests(rows[before], rows[now])
    assert change.source.tolist() == source
    assert change.gone.tolist() == gone
    assert change.fresh.tolist() == [place for place, where in enumerate(source) if where < 0]


def test_digests_that_are_half_equal_are_not_equal():
    one = uniform(1)
    other = one.copy()
    other[0, 12] ^= 1
    change = compare_digests(one, other)
    assert (change.source.tolist(), change.gone.tolist()) == ([-1], [0])


def settled(slots, keys, values, *, merging, entities=None, guarded=(1,)):
    """A list whose slot values are numbers; equal numbers are equal tags."""
    rows = uniform(20)[values]
    keys = np.array(keys, dtype=np.uint8)
    count = len(keys) // slots
    whose = np.arange(count) if entities is None else np.array(entities)
    rules = ListRules(merging, np.isin(np.arange(256), guarded), whose)
    own = first_list(slots, uniform(count, 2), FreshSlots(rows, keys, no_rows(64)), rules).own
    return [[flag for flag in (SHARED, LIVE) if bits & flag] for bits in own.flags]


def test_a_token_of_three_people_is_withheld_where_the_guard_holds_and_of_two_is_not():
    keys, values = [1, 1, 1, 2, 2, 2, 1, 1], [5, 5, 5, 6, 6, 6, 7, 7]
    for merging in (False, True):
        flags = settled(1, keys, values, merging=merging)
        assert flags[:3] == [[SHARED]] * 3
        assert flags[3] == flags[6] == [SHARED, LIVE]
        rest = [[SHARED]] if merging else [[SHARED, LIVE]]
        assert flags[4:6] == rest * 2
        assert flags[7:] == rest


def test_records_of_one_person_count_once_and_fillers_never():
    assert settled(1, [1, 1, 1, DUMMY], [5, 5, 5, 5], merging=False, entities=[9, 9, 9, 4]) == [
        [SHARED, LIVE]
    ] * 3 + [[]]


@pytest.mark.parametrize(
    ("before", "added", "removed", "spare", "travels"),
    [
        (100, 0, 0, 1, (1, 1)),
        (100, 5, 0, 1, (5, 10)),
        (100, 0, 5, 1, (10, 5)),
        (100, 5, 5, 1, (10, 10)),
        (100, 5, 5, 2, (15, 15)),
        (10, 3, 9, 1, (10, 4)),
        (10, 7, 10, 1, (10, 7)),
    ],
)
def test_what_travels_follows_from_counts_alone(before, added, removed, spare, travels):
    assert transfer_sizes(before, added, removed, spare) == travels


@pytest.mark.parametrize(("total", "count"), [(0, 0), (5, 5), (7, 2), (1_000, 3), (1_000, 240), (1_000, 999)])
def test_some_of_are_different_numbers_and_the_same_again(total, count):
    chosen = draw_distinct(Expander(b"s" * SEED_BYTES), "x", total, count)
    assert len(set(chosen.tolist())) == count
    assert all(0 <= number < total for number in chosen.tolist())
    assert chosen.tolist() == draw_distinct(Expander(b"s" * SEED_BYTES), "x", total, count).tolist()


def test_some_of_are_spread_evenly():
    counts = np.zeros(40)
    for index in range(2_000):
        counts[draw_distinct(Expander(index.to_bytes(SEED_BYTES, "big")), "x", 40, 4)] += 1
    assert counts.min() > 140
    assert counts.max() < 260


def test_among_and_distinct():
    rows = uniform(1_000)
    wanted = distinct_tags(np.concatenate((rows[[5, 900, 5]], uniform(10, 9))))
    assert len(wanted) == 12
    assert places_of(rows, wanted).tolist() == [5, 900]
    assert places_of(rows, no_rows(16)).tolist() == places_of(no_rows(16), wanted).tolist() == []


class TestTable:
    """Rows with a payload byte, in the order of their tags."""

    def table(self, *numbers):
        rows = np.concatenate((tags(*numbers), np.full((len(numbers), 1), 7, dtype=np.uint8)), axis=1)
        return TagTable(np.ascontiguousarray(rows), np.zeros(len(numbers), dtype=np.uint32))

    def rows(self, *numbers, payload=9):
        made = np.concatenate((tags(*numbers), np.full((len(numbers), 1), payload, dtype=np.uint8)), axis=1)
        return np.ascontiguousarray(made)

    @pytest.mark.parametrize(
        ("removed", "added", "after"),
        [
            ([], [], [2, 4, 6]),
            ([4], [], [2, 6]),
            ([], [1, 3, 9], [1, 2, 3, 4, 6, 9]),
            ([2, 6], [5, 7], [4, 5, 7]),
            ([2, 4, 6], [2, 3], [2, 3]),
            ([4], [4], [2, 4, 6]),
        ],
    )
    def test_it_follows_changes(self, removed, added, after):
        made = self.table(2, 4, 6).updated(tags(*removed), self.rows(*added), 3)
        assert [int.from_bytes(row[:16].tobytes(), "big") for row in made.rows] == after
        expected = [3 if number in added else 0 for number in after]
        assert made.added_in.tolist() == expected
        assert [row[16] for row in made.rows] == [9 if number in added else 7 for number in after]

    @pytest.mark.parametrize(("removed", "added"), [([3], []), ([], [4]), ([2], [4])])
    def test_changes_that_cannot_be_made(self, removed, added):
        with pytest.raises(PeerError) as caught:
            self.table(2, 4, 6).updated(tags(*removed), self.rows(*added), 1)
        assert caught.value.code is PeerCode.BAD_TAGS

    @pytest.mark.parametrize("high", [0, 5 << 64])
    def test_tags_that_share_a_first_half_are_told_apart(self, high):
        numbers = [high + 1, high + 4, high + 9]
        table = self.table(*numbers, (1 << 127) + 3)
        positions, rows = table.find(tags(high + 9, high + 5, high + 1))
        assert (positions.tolist(), rows.tolist()) == ([0, 2], [2, 0])
        made = table.updated(tags(high + 4), self.rows(high + 2, high + 5), 1)
        first = [int.from_bytes(row[:16].tobytes(), "big") for row in made.rows]
        assert first == [high + 1, high + 2, high + 5, high + 9, (1 << 127) + 3]

    def test_hits_are_live_slots_whose_tags_are_there(self):
        own = RecordList(
            1,
            uniform(4),
            tags(2, 3, 6, 8),
            np.zeros(4, dtype=np.uint8),
            np.array([LIVE, LIVE, 0, LIVE], dtype=np.uint8),
            no_rows(64),
        )
        nothing = np.empty(0, dtype=np.int64)
        first = with_hits(own, None, no_rows(16), self.table(2, 4, 6).rows, nothing)
        assert hit_slots(first).tolist() == [0]
        assert first.having(HIT).tolist() == [0, 2]
        later = with_hits(first, self.table(2, 4, 6), tags(2), self.rows(8), np.array([3]))
        assert hit_slots(later).tolist() == [3]


def test_secrets_of_an_epoch_stand_in_no_repr_and_have_their_size():
    context = Edge.of([1], [2]).context
    epoch = Epoch(context, b"\x07" * 32, b"\x08" * 32)
    assert "\\x07" not in repr(epoch)
    assert "\\x08" not in repr(epoch)
    with pytest.raises(SequenceError):
        Epoch(context, b"short")
    with pytest.raises(SequenceError):
        Epoch(context, b"\x07" * 32).key_pair()


def test_the_opening_rounds_seed_gives_the_epochs_key_again():
    edge = Edge.of([1], [2])
    session = edge.sender()
    assert opening_key_seed(edge.sender_seed, edge.context) == session.key_seed()
    epoch = Epoch(edge.context, bytes(32), session.key_seed())
    assert epoch.key_pair().public.tobytes() == session._public


def test_states_depend_on_everything_before():
    context = Edge.of([1], [2]).context
    first = first_state(context, b"receipt")
    states = {
        first,
        first_state(context, b"other"),
        next_state(first, 1, b"t" * 32),
        next_state(first, 2, b"t" * 32),
    }
    assert len(states | {next_state(b"s" * 32, 1, b"t" * 32)}) == 5


def test_a_seed_used_twice_by_mistake_gives_other_fillers_in_another_round():
    world = World([Person(((0, 1),))], [Person(((0, 2),))])
    mine, yours = world.sessions([Person(((0, 3),))], [Person(((0, 4),))], b"delta-0000000001")
    _, again = world.sessions([Person(((0, 3),))], [Person(((0, 4),))], b"delta-0000000002")
    one, two = ({row.tobytes() for row in made.side.session._elements.rows} for made in (yours, again))
    assert len(one & two) == 1  # the new record's own tag
    assert mine.counts.added == 1
