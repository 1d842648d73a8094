import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from blindmatch.protocol import expand, group
from blindmatch.protocol.errors import SequenceError
from blindmatch.protocol.expand import Expander

SEED = bytes(range(32))


def test_the_same_name_gives_the_same_bytes_in_any_order():
    first, second = Expander(SEED), Expander(SEED)
    early = first.stream("blind", 3, 100)
    first.stream("order", 0, 7)
    assert second.stream("blind", 4, 5) == first.stream("blind", 4, 5)
    assert second.stream("blind", 3, 100) == early


def test_a_longer_stream_begins_with_the_shorter():
    expander = Expander(SEED)
    assert expander.stream("blind", 0, 1_000)[:77] == expander.stream("blind", 0, 77)


def test_label_index_and_seed_each_give_another_stream():
    streams = {
        Expander(SEED).stream("blind", 0, 32),
        Expander(SEED).stream("blind", 1, 32),
        Expander(SEED).stream("order", 0, 32),
        Expander(bytes(32)).stream("blind", 0, 32),
    }
    assert len(streams) == 4


def test_known_stream():
    # HKDF-Expand and ChaCha20 through other interfaces of the same library.
    domain, label = b"blindmatch/expand/v1", b"blind"
    info = (
        len(domain).to_bytes(2, "big")
        + domain
        + len(label).to_bytes(2, "big")
        + label
        + (9).to_bytes(8, "big")
    )
    key = HKDFExpand(SHA512(), 32, info).derive(SEED)
    expected = Cipher(algorithms.ChaCha20(key, bytes(16)), None).encryptor().update(bytes(50))
    assert Expander(SEED).stream("blind", 9, 50) == expected


def test_scalars_are_canonical_and_differ():
    scalars = Expander(SEED).scalars("blind", 0, 64)
    assert scalars.shape == (64, 32)
    assert group.scalar_is_canonical(scalars).all()
    assert len({row.tobytes() for row in scalars}) == 64


def test_scalars_use_the_whole_stream():
    expander = Expander(SEED)
    uniform = np.frombuffer(expander.stream("blind", 2, 128), dtype=np.uint8).reshape(2, 64)
    order = 2**252 + 27742317777372353535851937790883648493
    expected = [int.from_bytes(row.tobytes(), "little") % order for row in uniform]
    got = [int.from_bytes(row.tobytes(), "little") for row in expander.scalars("blind", 2, 2)]
    assert got == expected


@pytest.mark.parametrize("count", [1, 2, 1_000])
def test_permutation_holds_every_index_once(count):
    order = Expander(SEED).permutation("order", count)
    assert order.dtype == np.uint32
    assert sorted(order.tolist()) == list(range(count))


def test_permutations_of_two_seeds_differ():
    assert (
        Expander(SEED).permutation("order", 50).tolist()
        != Expander(bytes(32)).permutation("order", 50).tolist()
    )


def test_every_position_is_about_as_likely():
    firsts = [int(Expander(n.to_bytes(32, "big")).permutation("order", 4)[0]) for n in range(2_000)]
    counts = np.bincount(firsts, minlength=4)
    assert counts.min() > 400
    assert counts.max() < 600


def test_a_wiped_seed_is_refused():
    expander = Expander(SEED)
    expander.wipe()
    with pytest.raises(SequenceError, match="wiped"):
        expander.stream("blind", 0, 1)
    with pytest.raises(SequenceError, match="wiped"):
        expander.scalars("blind", 0, 1)


def test_repr_hides_the_seed():
    assert repr(Expander(SEED)) == "Expander(<seed>)"


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_seed_of_another_size_is_refused(size):
    with pytest.raises(SequenceError, match="32 bytes"):
        Expander(bytes(size))


@pytest.mark.parametrize(("bucket", "scan"), [(10, 7), (100, 1_000), (999, 64)])
def test_buckets_never_change_a_permutation(monkeypatch, bucket, scan):
    whole = Expander(SEED).permutation("order", 1_000)
    keys = np.frombuffer(Expander(SEED).stream("order", 0, 8_000), dtype="<u8")
    assert np.array_equal(whole, np.argsort(keys, kind="stable"))
    monkeypatch.setattr(expand, "_BUCKET", bucket)
    monkeypatch.setattr(expand, "_SCAN", scan)
    assert np.array_equal(Expander(SEED).permutation("order", 1_000), whole)
