import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from blindmatch.protocol.match import tags
from blindmatch.simulations.network import Edge

CONTEXT = Edge.of([1], [1], facts=[1]).context
OUTPUTS = np.arange(3 * 64, dtype=np.uint8).reshape(3, 64)


def _info(label):
    parts = (label, CONTEXT.agreement, CONTEXT.edge.encode(), CONTEXT.round_id)
    return b"".join(len(part).to_bytes(2, "big") + part for part in parts)


def _table(values):
    return np.frombuffer(b"".join(value.to_bytes(16, "big") for value in values), dtype=np.uint8).reshape(
        -1, 16
    )


def test_tags_are_hkdf_expand():
    expected = [
        HKDFExpand(SHA512(), 16, _info(b"blindmatch/tag/v1")).derive(row.tobytes()) for row in OUTPUTS
    ]
    assert [row.tobytes() for row in tags.derive_tags(OUTPUTS, CONTEXT)] == expected


def test_facts_are_sealed_under_their_own_key_and_open():
    facts = np.arange(3 * 24, dtype=np.uint8).reshape(3, 24)
    sealed = tags.seal_facts(OUTPUTS, facts, CONTEXT)
    assert sealed.shape == (3, 40)
    key = HKDFExpand(SHA512(), 32, _info(b"blindmatch/facts/v1")).derive(OUTPUTS[1].tobytes())
    assert ChaCha20Poly1305(key).decrypt(bytes(12), sealed[1].tobytes(), None) == facts[1].tobytes()
    sealed[2, 0] ^= 1
    opened, good = tags.open_facts(OUTPUTS, sealed, CONTEXT)
    assert np.array_equal(opened[:2], facts[:2])
    assert not opened[2].any()
    assert good.tolist() == [True, True, False]


def test_facts_of_another_element_do_not_open():
    sealed = tags.seal_facts(OUTPUTS, np.zeros((3, 24), dtype=np.uint8), CONTEXT)
    _, good = tags.open_facts(OUTPUTS[::-1].copy(), sealed, CONTEXT)
    assert good.tolist() == [False, True, False]


def test_order_sorts_as_bytes_do():
    rows = np.random.default_rng(1).integers(0, 4, (200, 20), dtype=np.uint8)
    ordered = [row[:16].tobytes() for row in rows[tags.order_of(rows)]]
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
    assert tags.strictly_increasing(_table(values)) is increasing


@pytest.mark.parametrize(("before", "increasing"), [(4, True), (5, False), (6, False)])
def test_strictly_increasing_from_the_last_chunk_on(before, increasing):
    assert tags.strictly_increasing(_table([5, 6]), _table([before])) is increasing


def _lookup(own, table):
    positions, rows = tags.find(_table(own), _table(table))
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
    monkeypatch.setattr(tags, "_LOOKUP_ROWS", block)
    generator = np.random.default_rng(block)
    table = sorted({int(value) << 62 for value in generator.integers(0, 60, 40)})
    own = [int(value) << 62 for value in generator.integers(0, 60, 50)]
    assert _lookup(own, table) == [index for index, value in enumerate(own) if value in table]
