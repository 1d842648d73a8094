"""What an epoch keeps on the disk: sealed, whole or not there, bound to its place."""

import numpy as np
import pytest

from blindmatch.node.rounds.standing.epoch_files import EpochFiles, leftovers
from blindmatch.node.storage.sealing import Sealer
from blindmatch.protocol.errors import KeysError, StoreError

EPOCH, EDGE, ONE, TWO = b"e" * 16, "an-edge", b"1" * 16, b"2" * 16
ARRAYS = {
    "wide": np.arange(3 << 20, dtype=np.uint8).reshape(-1, 16),
    "numbers": np.arange(7, dtype=np.uint32),
    "empty": np.zeros((0, 64), dtype=np.uint8),
}


@pytest.fixture
def vault(tmp_path):
    return EpochFiles(tmp_path / "epochs", Sealer(b"k" * 32), EPOCH, EDGE)


def test_what_is_written_is_read_again(vault):
    assert not vault.has(ONE)
    vault.write(ONE, ARRAYS)
    assert vault.has(ONE)
    read = vault.read(ONE)
    for name, array in ARRAYS.items():
        assert read[name].dtype == array.dtype
        assert np.array_equal(read[name], array)
    vault.write(ONE, {"other": np.ones(1, dtype=np.uint8)})
    assert list(vault.read(ONE)) == ["other"]


def test_nothing_stands_in_the_open_and_only_its_owner_reads_it(vault):
    vault.write(ONE, ARRAYS)
    plain = ARRAYS["wide"][:2].tobytes()
    for path in vault.folder.rglob("*"):
        if path.is_file():
            assert plain not in path.read_bytes()
            assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("change", ["altered", "cut", "exchanged", "of another version", "another key"])
def test_what_was_altered_does_not_open(vault, tmp_path, change):
    vault.write(ONE, ARRAYS)
    vault.write(TWO, {name: array.copy() for name, array in ARRAYS.items()})
    path = vault.folder / ONE.hex() / "wide"
    data = bytearray(path.read_bytes())
    block = (1 << 20) + 29
    if change == "altered":
        data[100] ^= 1
    elif change == "cut":
        data = data[:-1]
    elif change == "exchanged":
        data[:block], data[block : 2 * block] = data[block : 2 * block], data[:block]
    elif change == "of another version":
        data = bytearray((vault.folder / TWO.hex() / "wide").read_bytes())
    else:
        vault = EpochFiles(tmp_path / "epochs", Sealer(b"x" * 32), EPOCH, EDGE)
    path.write_bytes(data)
    with pytest.raises(KeysError):
        vault.read(ONE)


def test_what_is_lost_is_said(vault):
    with pytest.raises(StoreError, match="lost or damaged"):
        vault.read(ONE)
    vault.write(ONE, ARRAYS)
    (vault.folder / ONE.hex() / "wide").unlink()
    with pytest.raises(StoreError, match="lost or damaged"):
        vault.read(ONE)


def test_other_versions_and_halves_are_cleared(vault, tmp_path):
    vault.write(ONE, ARRAYS)
    vault.write(TWO, ARRAYS)
    (vault.folder / f"{ONE.hex()}.new").mkdir()
    vault.keep_only({TWO})
    assert [path.name for path in vault.folder.iterdir()] == [TWO.hex()]
    (vault.folder / f"{TWO.hex()}.new").mkdir()  # another process writes it
    vault.keep_only({TWO})
    assert len(list(vault.folder.iterdir())) == 2
    assert list(leftovers(tmp_path / "epochs")) == [(EPOCH, EDGE)]
    vault.erase()
    assert list((tmp_path / "epochs").iterdir()) == []
