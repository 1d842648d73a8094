"""The bulk of one edge of one round on disk: memory-mapped arrays below `<rounds>/<round>/<edge>/`.

Together with the store's checkpoint they are all that a restarted node needs. They hold points, tags and tables, no
seed and no scalar, and are erased when the edge closes.
"""

import fcntl
import mmap
import os
import re
import shutil
import threading
import weakref
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from blindmatch.node.storage.files import let_go, reserve
from blindmatch.node.storage.unlinked_files import SealedRows
from blindmatch.protocol.errors import StoreError
from blindmatch.protocol.session.chunks import Bytes2D

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,127}")


class RoundFiles:
    """The files of one edge; `allocate` fits `protocol.match.Workspace`.

    Args:
        rounds: the node's folder for rounds.
        round_id: 16 bytes.
        edge: the edge's id.
    """

    def __init__(self, rounds: Path, round_id: bytes, edge: str) -> None:
        if not _NAME.fullmatch(edge):  # the agreement was checked for this already; a path is checked twice
            raise StoreError(f"an edge's id cannot name a folder: {edge[:40]!r}")
        self.folder = rounds / round_id.hex() / edge
        self._maps: dict[str, tuple[mmap.mmap, Bytes2D]] = {}
        self._scratch: weakref.WeakSet[SealedRows] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._held: int | None = None

    def hold(self) -> None:
        """Lock the edge for this object, against this process and others, until `close`, `erase` or a crash.

        Two sessions of one edge with different progress would evaluate or sign twice.

        Raises:
            StoreError: the edge is locked already, or the folder cannot be written.
        """
        if self._held is not None:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"{self.folder} cannot be used: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise StoreError(
                "another process is at work on this edge of the round",
                hint="Wait until it ends, or stop it; then resume the round.",
            ) from None
        self._held = descriptor

    def close(self) -> None:
        """Unlock the edge; its files stay."""
        self._maps.clear()
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def allocate(self, name: str, shape: tuple[int, int]) -> Bytes2D:
        """The writable array (n, width) uint8 of this name: zeros the first time, its content ever after.

        Raises:
            StoreError: the disk is full or unreadable, or the file has another size.
        """
        with self._lock:  # chunks are prepared in several threads, and each may be the first to ask
            if name not in self._maps:
                self._maps[name] = self._map(self.folder / f"{name}.bin", shape)
            return self._maps[name][1]

    def scratch(self, _name: str, shape: tuple[int, int]) -> SealedRows:
        """Temporary rows for this process only: unreadable to others, and gone after a crash.

        Raises:
            StoreError: the disk is full or cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = SealedRows(self.folder, shape)
        self._scratch.add(made)
        return made

    def _map(self, path: Path, shape: tuple[int, int]) -> tuple[mmap.mmap, Bytes2D]:
        size = shape[0] * shape[1]
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not path.exists():
                # Under another name first: a file of the right name always has its full size.
                fresh = path.with_suffix(".new")
                with fresh.open("wb") as file:
                    reserve(file.fileno(), size)
                fresh.chmod(0o600)
                fresh.rename(path)
            if path.stat().st_size != size:
                raise StoreError(
                    f"{path} has {path.stat().st_size} bytes instead of {size}",
                    hint="The round cannot go on; start a new one.",
                )
            if not size:  # an empty file cannot be mapped
                return mmap.mmap(-1, 1), np.zeros(shape, dtype=np.uint8)
            with path.open("r+b") as file:
                mapped = mmap.mmap(file.fileno(), size)
            return mapped, np.frombuffer(mapped, dtype=np.uint8).reshape(shape)
        except OSError as error:
            raise StoreError(
                f"{path} cannot be used: {error.strerror}", hint="Is there space on the disk?"
            ) from None

    def flush(self) -> None:
        """Write all arrays to the disk; required before every checkpoint that relies on them.

        Written pages leave this process's memory and return from the page cache when they are used again, so that a long
        round does not fill memory with finished data.

        Raises:
            StoreError: the disk is full or cannot be written.
        """
        try:
            for mapped, _ in list(self._maps.values()):
                mapped.flush()
                let_go(mapped)
            for rows in list(self._scratch):
                rows.let_go()
        except OSError as error:
            raise StoreError(
                f"{self.folder} cannot be written: {error.strerror}", hint="Is there space on the disk?"
            ) from None

    def erase(self) -> None:
        """Delete the edge's files, and the round's folder when it was the last edge. Ends `hold`."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.close()
        with suppress(OSError):
            self.folder.parent.rmdir()


def leftovers(rounds: Path) -> Iterator[tuple[bytes, str]]:
    """The (round id, edge) of every folder below `rounds`; other names are ignored."""
    for folder in sorted(rounds.glob("*/*")):
        if _NAME.fullmatch(folder.name):
            with suppress(ValueError):
                yield bytes.fromhex(folder.parent.name), folder.name
