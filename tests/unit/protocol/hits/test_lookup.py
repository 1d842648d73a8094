"""Tags in order, and which of the own tags a table holds, however few are looked at a time."""

import numpy as np
import pytest

from blindmatch.protocol.hits import lookup


def _table(values):
    return np.frombuffer(b"".join(value.to_bytes(16, "big") for value in values), dtype=np.uint8).reshape(
        -1, 16
    )


def test_order_sorts_as_bytes_do():
    rows = np.random.default_rng(1).integers(0, 4, (200, 20), dtype=np.uint8)
    ordered = [row[:16].tobytes() for row in rows[np.concatenate(list(lookup.in_order(rows)))]]
    assert ordered == sorted(row[:16].tobytes() for row in rows)


@pytest.mark.parametrize(
    ("values", "increasing"),
    [
        ([5], True),
        ([1, 2, 2**64, 2**64 + 1, 2**127], True),
        ([1, 1], False),
        ([2, 1], False),
        ([2**64 + 1, 2**64], False),
        ([2**64, 1], False),
        ([1, 2, 4, 3], False),
    ],
)
def test_strictly_increasing(values, increasing):
    assert lookup.strictly_increasing(_table(values)) is increasing


@pytest.mark.parametrize(("before", "increasing"), [(4, True), (5, False), (6, False)])
def test_strictly_increasing_from_the_last_chunk_on(before, increasing):
    assert lookup.strictly_increasing(_table([5, 6]), _table([before])) is increasing


def _lookup(own, table):
    positions, rows = lookup.find(_table(own), _table(table))
    assert [own[position] for position in positions] == [table[row] for row in rows]
    return sorted(positions.tolist())


def test_lookup_finds_what_is_there():
    table = sorted({0, 1, 7, 2**64, 2**64 + 5, 2**127, 2**128 - 1})
    own = [2**64 + 5, 3, 0, 2**128 - 1, 2**64 + 4, 7, 7, 2**128 - 2]
    assert _lookup(own, table) == [0, 2, 3, 5, 6]


@pytest.mark.parametrize("own", [[0], [1], [2]])
def test_lookup_in_a_table_of_one(own):
    assert _lookup(own, [1]) == ([0] if own == [1] else [])


def test_lookup_where_many_tags_share_a_prefix():
    prefix = 99 << 64
    table = [prefix + value for value in range(0, 100, 2)]
    own = [prefix + value for value in range(-2, 104)]
    assert _lookup(own, table) == [index for index, value in enumerate(own) if value in table]


@pytest.mark.parametrize("block", [1, 2, 3, 7, 1_000])
def test_blocks_never_change_the_lookup(monkeypatch, block):
    monkeypatch.setattr(lookup, "BUCKET_ROWS", block)
    generator = np.random.default_rng(block)
    table = sorted({int(value) << 62 for value in generator.integers(0, 60, 40)})
    own = [int(value) << 62 for value in generator.integers(0, 60, 50)]
    assert _lookup(own, table) == [index for index, value in enumerate(own) if value in table]
