"""Working files of a round: zeros at first, the same content ever after, gone when erased."""

import threading

import numpy as np
import pytest

from blindmatch.node.storage.round_files import RoundFiles, leftovers
from blindmatch.protocol.errors import StoreError

ROUND = bytes(range(16))


def test_an_array_outlives_its_process(tmp_path):
    first = RoundFiles(tmp_path, ROUND, "edge-1")
    array = first.allocate("blinded", (3, 32))
    assert not array.any()
    array[1] = 7
    first.flush()
    again = RoundFiles(tmp_path, ROUND, "edge-1").allocate("blinded", (3, 32))
    assert (again[1] == 7).all()
    assert not again[0].any()


def test_the_same_array_is_given_to_every_thread(tmp_path):
    files = RoundFiles(tmp_path, ROUND, "edge-1")
    start = threading.Barrier(8)

    def write(row):
        start.wait()
        files.allocate("rows", (8, 16))[row] = row + 1

    threads = [threading.Thread(target=write, args=(row,)) for row in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = files.allocate("rows", (8, 16))
    assert np.array_equal(kept[:, 0], np.arange(1, 9))


def test_another_size_is_refused(tmp_path):
    RoundFiles(tmp_path, ROUND, "edge-1").allocate("table", (3, 16))
    with pytest.raises(StoreError, match="bytes instead of"):
        RoundFiles(tmp_path, ROUND, "edge-1").allocate("table", (4, 16))


@pytest.mark.parametrize("edge", ["..", "a/b", "", "A", "../../etc"])
def test_an_edge_cannot_lead_out_of_the_folder(tmp_path, edge):
    with pytest.raises(StoreError):
        RoundFiles(tmp_path, ROUND, edge)


def test_files_are_for_this_user_only(tmp_path):
    files = RoundFiles(tmp_path, ROUND, "edge-1")
    files.allocate("table", (3, 16))
    assert (files.folder / "table.bin").stat().st_mode & 0o777 == 0o600
    assert files.folder.stat().st_mode & 0o777 == 0o700


def test_erasing_leaves_other_edges(tmp_path):
    one, two = (RoundFiles(tmp_path, ROUND, edge) for edge in ("edge-1", "edge-2"))
    one.allocate("table", (3, 16))
    two.allocate("table", (3, 16))
    assert list(leftovers(tmp_path)) == [(ROUND, "edge-1"), (ROUND, "edge-2")]
    one.erase()
    assert list(leftovers(tmp_path)) == [(ROUND, "edge-2")]
    two.erase()
    assert list(tmp_path.iterdir()) == []
    two.erase()


def test_a_folder_that_cannot_be_made_is_an_error_of_ours(tmp_path):
    (tmp_path / ROUND.hex()).write_text("in the way")
    with pytest.raises(StoreError, match="cannot be used") as failed:
        RoundFiles(tmp_path, ROUND, "edge-1").allocate("table", (3, 16))
    assert "space" in failed.value.hint


def test_a_full_disk_is_found_when_the_file_is_made_and_not_when_it_is_written(tmp_path):
    files = RoundFiles(tmp_path, ROUND, "edge-1")
    with pytest.raises(StoreError, match="cannot be used"):
        files.allocate("table", (1 << 40, 1 << 10))  # a pebibyte
    files.erase()
    assert files.allocate("table", (1, 16)).shape == (1, 16)


def test_one_at_a_time_holds_an_edge(tmp_path):
    first, second = RoundFiles(tmp_path, ROUND, "edge-1"), RoundFiles(tmp_path, ROUND, "edge-1")
    first.hold()
    first.hold()
    RoundFiles(tmp_path, ROUND, "edge-2").hold()
    with pytest.raises(StoreError, match="another process"):
        second.hold()
    first.close()
    second.hold()
    second.erase()
    first.hold()


def test_a_disk_that_does_not_take_the_arrays_is_named_as_such(tmp_path):
    class Full:
        def flush(self):
            raise OSError(28, "No space left on device")

    files = RoundFiles(tmp_path, ROUND, "edge-1")
    files._maps["rows"] = (Full(), None)
    with pytest.raises(StoreError, match="No space left"):
        files.flush()


def test_what_no_round_made_is_passed_over(tmp_path):
    RoundFiles(tmp_path, ROUND, "edge-1").allocate("table", (3, 16))
    (tmp_path / ROUND.hex() / ".DS_Store").touch()
    (tmp_path / ROUND.hex() / "Copy of edge-1").mkdir()
    assert list(leftovers(tmp_path)) == [(ROUND, "edge-1")]
