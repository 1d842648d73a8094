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
def files(tmp_path):
    return EpochFiles(tmp_path / "epochs", Sealer(b"k" * 32), EPOCH, EDGE)


def test_what_is_written_is_read_again(files):
    assert not files.has(ONE)
    files.write(ONE, ARRAYS)
    assert files.has(ONE)
    read = files.read(ONE)
    for name, array in ARRAYS.items():
        assert read[name].dtype == array.dtype
        assert np.array_equal(read[name], array)
    files.write(ONE, {"other": np.ones(1, dtype=np.uint8)})
    assert list(files.read(ONE)) == ["other"]


def test_nothing_stands_in_the_open_and_only_its_owner_reads_it(files):
    files.write(ONE, ARRAYS)
    plain = ARRAYS["wide"][:2].tobytes()
    for path in files.folder.rglob("*"):
        if path.is_file():
            assert plain not in path.read_bytes()
            assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("change", ["altered", "cut", "exchanged", "of another version", "another key"])
def test_what_was_altered_does_not_open(files, tmp_path, change):
    files.write(ONE, ARRAYS)
    files.write(TWO, {name: array.copy() for name, array in ARRAYS.items()})
    path = files.folder / ONE.hex() / "wide"
    data = bytearray(path.read_bytes())
    block = (1 << 20) + 29
    if change == "altered":
        data[100] ^= 1
    elif change == "cut":
        data = data[:-1]
    elif change == "exchanged":
        data[:block], data[block : 2 * block] = data[block : 2 * block], data[:block]
    elif change == "of another version":
        data = bytearray((files.folder / TWO.hex() / "wide").read_bytes())
    else:
        files = EpochFiles(tmp_path / "epochs", Sealer(b"x" * 32), EPOCH, EDGE)
    path.write_bytes(data)
    with pytest.raises(KeysError):
        files.read(ONE)


def test_what_is_lost_is_said(files):
    with pytest.raises(StoreError, match="lost or damaged"):
        files.read(ONE)
    files.write(ONE, ARRAYS)
    (files.folder / ONE.hex() / "wide").unlink()
    with pytest.raises(StoreError, match="lost or damaged"):
        files.read(ONE)


def test_other_versions_and_halves_are_cleared(files, tmp_path):
    files.write(ONE, ARRAYS)
    files.write(TWO, ARRAYS)
    (files.folder / f"{ONE.hex()}.new").mkdir()
    files.keep_only({TWO})
    assert [path.name for path in files.folder.iterdir()] == [TWO.hex()]
    (files.folder / f"{TWO.hex()}.new").mkdir()  # another process writes it
    files.keep_only({TWO})
    assert len(list(files.folder.iterdir())) == 2
    assert list(leftovers(tmp_path / "epochs")) == [(EPOCH, EDGE)]
    files.erase()
    assert list((tmp_path / "epochs").iterdir()) == []
