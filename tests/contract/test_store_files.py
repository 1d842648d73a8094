"""What only the default database can be asked, its files; and addresses of databases that cannot be used."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from blindmatch.node.storage.sealing import Sealer
from blindmatch.node.storage.store import EdgeRow, Store
from blindmatch.protocol.errors import StoreError

KEY = bytes(range(32))
AGREEMENT = bytes([0xA1]) * 32
ROUND = bytes([1]) * 16
SEED = b"a seed of thirty-two bytes, yes!"
NOW = 1_700_000_000
EDGE = EdgeRow(ROUND, "west-north", AGREEMENT, "receiver", "north-council", "c" * 32, "committed", NOW)


class TestSqliteFile:
    """What only the default database can be asked: its files."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "files"

    @pytest.fixture
    def file_store(self, folder: Path) -> Iterator[Store]:
        folder.mkdir()
        opened = Store(f"sqlite:///{folder / 'node.db'}", Sealer(KEY), clock=lambda: float(NOW))
        opened.put_agreement(AGREEMENT, b"payload")
        opened.start_edge(EDGE, SEED)
        yield opened
        opened.close()

    def test_a_wiped_seed_leaves_no_trace_in_any_file(self, file_store: Store, folder: Path) -> None:
        with closing(sqlite3.connect(folder / "node.db")) as looking:
            ((sealed,),) = looking.execute("SELECT seed FROM edges").fetchall()
        assert isinstance(sealed, bytes)

        def on_disk() -> bool:
            return any(sealed in path.read_bytes() for path in folder.iterdir())

        assert on_disk()
        file_store.finish(ROUND, "west-north", receipt=b"", signatures={})
        assert not on_disk()

    def test_files_are_their_owners_only(self, file_store: Store, folder: Path) -> None:
        names = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
        assert set(names) >= {"node.db", "node.db-wal"}
        assert set(names.values()) == {0o600}

    def test_settings_that_durability_rests_on(self, file_store: Store) -> None:
        with file_store.read() as connection:
            found = [
                connection.execute(text(f"PRAGMA {name}")).scalar_one()
                for name in ("journal_mode", "synchronous", "secure_delete", "foreign_keys", "busy_timeout")
            ]
        assert found == ["wal", 2, 1, 1, 30_000]

    def test_looking_at_the_file_keeps_its_locks(self, file_store: Store, folder: Path) -> None:
        """A server pings its store; a command that ends beside it must not take the write-ahead log away."""
        file_store.ping()
        other = (
            "import sqlite3, sys; raw = sqlite3.connect(sys.argv[1]);"
            "raw.execute('SELECT * FROM agreements').fetchall(); raw.close()"
        )
        subprocess.run([sys.executable, "-c", other, str(folder / "node.db")], check=True)
        assert (folder / "node.db-wal").exists()
        file_store.put_agreement(b"\x07" * 32, b"payload")
        look = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM agreements').fetchone()[0])"
        seen = subprocess.run(
            [sys.executable, "-c", look, str(folder / "node.db")], check=True, capture_output=True, text=True
        )
        assert int(seen.stdout) == len(file_store.agreements())

    def test_a_deleted_or_overwritten_file_is_noticed(self, file_store: Store, folder: Path) -> None:
        file_store.ping()
        (folder / "node.db").write_bytes(b"something else entirely")
        with pytest.raises(StoreError, match="damaged"):
            file_store.ping()
        (folder / "node.db").unlink()
        with pytest.raises(StoreError, match="cannot be read"):
            file_store.ping()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("not a url", "not valid"),
        ("mysql://host/name", "not supported"),
        ("sqlite://", "must be a file"),
        ("sqlite:///:memory:", "must be a file"),
        ("sqlite:////no/such/folder/node.db", "cannot be opened"),
        ("postgresql://nobody:hush@127.0.0.1:1/none", "cannot be used"),
    ],
)
def test_urls_that_cannot_be_used(url: str, reason: str) -> None:
    with pytest.raises(StoreError, match=reason) as caught:
        Store(url, Sealer(KEY))
    assert "hush" not in str(caught.value)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "node.db").write_bytes(b"never a database" * 100)
    with pytest.raises(StoreError, match="damaged or of another kind"):
        Store(f"sqlite:///{tmp_path / 'node.db'}", Sealer(KEY))
