"""Tokens in groups against the same in plain Python: occurrences, entries, and what is left out."""

from collections import Counter, defaultdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from blindmatch.protocol.expand import Expander
from blindmatch.protocol.linkage import DUMMY, Tokens
from blindmatch.protocol.linkage.token_groups import entries, occurrences


def random_bytes():
    expander, calls = Expander(b"g" * 32), iter(range(1 << 30))
    return lambda size: expander.stream("fillers", next(calls), size)


def token(number):
    """32 bytes as a hash would give."""
    return Expander(b"t" * 32).stream("token", number, 32)


def made(records, width):
    """Records of (rank, number) pairs, padded to `width`."""
    rows, ranks, filler = [], [], iter(range(1 << 40, 1 << 41))
    for record in records:
        for rank, number in [*record, *([(DUMMY, None)] * (width - len(record)))]:
            rows.append(token(next(filler) if number is None else number))
            ranks.append(rank)
    tokens = np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(-1, 32).copy()
    return Tokens(tokens, np.array(ranks, dtype=np.uint8), len(records), width, 0, {})


record = st.lists(st.integers(0, 9), max_size=4, unique=True).map(
    lambda numbers: [(rank, number) for rank, number in enumerate(numbers)]
)


@given(st.lists(record, min_size=1, max_size=12), st.sampled_from([1, 2, 4, 16]))
def test_occurrences_of_a_token_differ_and_the_rest_are_fillers(records, most):
    tokens = made(records, 4)
    before = tokens.tokens.copy()
    said = {bytes(row) for row, rank in zip(before, tokens.key_index, strict=True) if rank != DUMMY}
    counts = Counter(number for row in records for _, number in row)
    told = occurrences(tokens, most, random_bytes())
    assert told.left_out == sum(max(0, count - most) for count in counts.values())
    highest = max((min(count, most) for count in counts.values()), default=1)
    assert told.copies == 1 << (highest - 1).bit_length()
    seen = defaultdict(list)
    for row, rank, copy in zip(tokens.tokens, tokens.key_index, told.copy_of, strict=True):
        if rank != DUMMY:
            seen[bytes(row)].append(int(copy))
    assert {number: sorted(copies) for number, copies in seen.items()} == {
        token(number): list(range(min(count, most))) for number, count in counts.items()
    }
    gone = (tokens.tokens != before).any(axis=1)
    assert not any(bytes(row) in said for row in tokens.tokens[gone])


@given(
    st.lists(record, min_size=1, max_size=12),
    st.lists(st.integers(0, 4), min_size=12, max_size=12),
    st.sampled_from([1, 2, 4, 16]),
)
def test_entries_hold_their_records_tokens_once_and_nowhere_equal_stretches(records, owners, most):
    count = max(owners[: len(records)]) + 1
    tokens = made(records, 4)
    owner = np.array(owners[: len(records)], dtype=np.int64)
    told = entries(
        tokens, owner, count, random_bytes(), most_copies=most, most_each=1 << 10, most_tokens=1 << 20
    )
    sets = [
        frozenset(n for r, o in zip(records, owner, strict=True) if o == entry for _, n in r)
        for entry in range(count)
    ]
    # Entries of the same tokens have become one, and no others.
    for one in range(count):
        for other in range(count):
            assert (told.entry_of[one] == told.entry_of[other]) == (sets[one] == sets[other])
    size = told.tokens.tokens_per_record
    width = size // told.copies
    assert (size % told.copies, len(told.tokens.tokens)) == (0, size * told.tokens.records)
    stretches, found = defaultdict(set), defaultdict(set)
    names = {token(number): number for number in range(10)}
    for place in np.flatnonzero(told.tokens.key_index != DUMMY):
        number = names[bytes(told.tokens.tokens[place])]
        entry, stretch = place // size, place % size // width
        assert stretch not in stretches[number]
        stretches[number].add(stretch)
        assert number not in found[entry]
        found[entry].add(number)
    spread = Counter(number for each in set(sets) for number in each)
    assert told.left_out == sum(max(0, held - told.copies) for held in spread.values())
    for entry, numbers in found.items():
        assert numbers <= sets[int(np.flatnonzero(told.entry_of == entry)[0])]
    if max(spread.values(), default=0) <= told.copies:
        assert set(map(frozenset, found.values())) == {each for each in sets if each}
    fillers = told.tokens.tokens[told.tokens.key_index == DUMMY]
    assert len({bytes(row) for row in fillers}) == len(fillers)


def test_an_entry_that_is_too_large_keeps_its_strongest_tokens():
    tokens = made([[(rank, rank) for rank in range(20)], [(0, 100)]], 20)
    told = entries(
        tokens, np.array([0, 1]), 2, random_bytes(), most_copies=1, most_each=8, most_tokens=1 << 20
    )
    assert (told.tokens.tokens_per_record, told.left_out) == (8, 12)
    kept = {int(rank) for rank in told.tokens.key_index[:8]}
    assert kept == set(range(8))


def test_entries_stay_within_what_was_agreed():
    tokens = made([[(0, 1), (1, 2)], [(0, 1), (1, 3)], [(0, 1), (1, 4)], [(0, 1), (1, 5)]], 2)
    told = entries(
        tokens, np.arange(4), 4, random_bytes(), most_copies=16, most_each=1 << 10, most_tokens=4 * 2
    )
    assert len(told.tokens.tokens) <= 8
    assert told.copies == 2
