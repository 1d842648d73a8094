"""Whatever happens to both lists and wherever a side falls: after every delta round the result is that of a full round."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.standing_sessions import Person, World, packed

GUARDED = 1

tokens = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=4, unique=True).map(
    lambda pairs: tuple(sorted(pairs))
)
people = st.lists(st.builds(Person, tokens, st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=7)
crashes = st.none() | st.tuples(st.sampled_from(["receiver", "sender"]), st.integers(0, 40))


def live(side, slots, *, guard=True):
    """Token to its records, without what the own-list guard holds back: said plainly, for comparison."""
    holders = {}
    for record, person in enumerate(side):
        for token in person.tokens[:slots]:
            holders.setdefault(token, []).append(record)
    for token, records in list(holders.items()):
        whose = {side[record].entity or -1 - record for record in records}
        if guard and token[0] == GUARDED and len(whose) > 2:
            del holders[token]
    return holders


def expected(ours, theirs, slots):
    mine, yours = live(ours, slots[0]), live(theirs, slots[1])
    return {
        (record, token): sorted(theirs[holder].facts for holder in yours[token])
        for token, records in mine.items()
        if token in yours
        for record in records
    }


def told(world, ours):
    hits = world.hits()
    found = {}
    for row, slot in enumerate(hits.elements.tolist()):
        record, place = divmod(slot, world.slots[0])
        facts = None
        if hits.facts is not None:
            assert not hits.unopened[row]
            text = hits.facts[row].tobytes().rstrip(b"\0")
            facts = sorted(int(number) for number in text.split(b",")) if text else []
        found[record, ours[record].tokens[place]] = facts
    return found


def check(world, ours, theirs):
    wanted = expected(ours, theirs, world.slots)
    got = told(world, ours)
    assert got.keys() == wanted.keys()
    if world.with_facts:
        assert got == wanted
    assert len(world.received.table) == len(theirs) * world.slots[1]
    rows = {row[:16].tobytes() for row in world.received.table.rows}
    own = world.sent.own
    assert rows == {own.tags[slot].tobytes() for slot in own.having(2)} | {
        t.tobytes() for t in world.sent.padding_tags
    }


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(people, people, crashes), min_size=1, max_size=4),
    st.booleans(),
    st.booleans(),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
)
def test_a_delta_round_gives_what_a_full_round_gives(history, facts, verified, slots):
    ours, theirs, crash = history[0]
    world = World(ours, theirs, facts=facts, verified=verified, slots=slots, crash=crash)
    check(world, ours, theirs)
    for ours, theirs, crash in history[1:]:
        world.delta(ours, theirs, crash=crash)
        check(world, ours, theirs)


def test_packed_says_all_that_fits():
    assert packed([Person((), 0, 7), Person((), 0, 9)]).rstrip(b"\0") == b"7,9"
