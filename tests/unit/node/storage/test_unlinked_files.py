"""Rows on the disk that nobody else can read: what goes in comes out, in any order, and no name and no text is left."""

import numpy as np
import pytest

from blindmatch.node.storage.unlinked_files import SealedRows
from blindmatch.protocol.errors import StoreError


@pytest.fixture
def rows():
    return np.random.default_rng(1).integers(0, 256, (100, 32), dtype=np.uint8)


def test_rows_come_back_however_they_were_written(tmp_path, rows):
    kept = SealedRows(tmp_path, rows.shape)
    kept[0:70] = rows[:70]
    late = np.array([99, 71, 70, *range(72, 99)])
    kept[late] = rows[late]
    assert len(kept) == 100
    assert np.array_equal(kept[0:100], rows)
    assert np.array_equal(kept[33:35], rows[33:35])
    chosen = np.array([5, 99, 5, 0])
    assert np.array_equal(kept[chosen], rows[chosen])
    assert kept[50:50].shape == (0, 32)


def test_a_copy_comes_out(tmp_path, rows):
    kept = SealedRows(tmp_path, rows.shape)
    kept[0:100] = rows
    kept[0:1][:] = 0
    kept[np.array([1])][:] = 0
    assert np.array_equal(kept[0:100], rows)


def test_narrow_rows_are_read_in_order_only(tmp_path, rows):
    narrow = rows[:, :8]
    kept = SealedRows(tmp_path, narrow.shape)
    kept[0:51] = narrow[:51]
    kept[51:100] = narrow[51:]
    assert np.array_equal(kept[0:100], narrow)
    assert np.array_equal(kept[51:60], narrow[51:60])
    with pytest.raises(IndexError):
        kept[np.array([1])]
    with pytest.raises(IndexError):
        kept[0:10:2]


def test_the_disk_holds_neither_a_name_nor_the_rows(tmp_path, rows):
    kept, again = SealedRows(tmp_path, rows.shape), SealedRows(tmp_path, rows.shape)
    kept[0:100] = rows
    again[np.arange(100)] = rows
    assert list(tmp_path.iterdir()) == []
    assert not (kept._rows == rows).all(axis=1).any()
    assert not (kept._rows == again._rows).all(axis=1).any()
    assert "32" in repr(kept)


def test_no_rows_at_all(tmp_path):
    assert SealedRows(tmp_path, (0, 32))[0:0].shape == (0, 32)


def test_a_folder_that_is_not_there_is_an_error_of_ours(tmp_path):
    with pytest.raises(StoreError, match="cannot be used"):
        SealedRows(tmp_path / "gone", (1, 32))
