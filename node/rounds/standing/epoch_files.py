"""The lists of an epoch between its rounds, sealed: `<node>/epochs/<epoch>/<edge>/<version>/`, one file per array.

```
<name>   blocks of 1 MiB, each AES-256-GCM under the node's key, bound to epoch, edge, version, name and number
index    one sealed blob: JSON with every array's kind and shape; written last
```
A version has the id of the round that produced it. It is written completely beside the version before it. A row in the store names
the current version and changes in one transaction with the round's receipt, so a crash leaves one version or the other, never
a part of one.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from blindmatch.node.storage.sealing import OVERHEAD_BYTES, Sealer
from blindmatch.protocol.errors import StoreError

PURPOSE = "epochs"
_BLOCK = 1 << 20

Arrays = Mapping[str, npt.NDArray[Any]]


class EpochFiles:
    """One epoch's folder on one edge.

    Args:
        folder: the node's folder for epochs.
        sealer: the node's; a key for this use is derived from it.
        epoch: 16 bytes.
        edge: the edge's id.
    """

    def __init__(self, folder: Path, sealer: Sealer, epoch: bytes, edge: str) -> None:
        self.folder = folder / epoch.hex() / edge
        self._sealer = sealer.derive(PURPOSE)
        self._name = f"{epoch.hex()}/{edge}"

    def has(self, version: bytes) -> bool:
        """Whether this version was written completely."""
        return (self.folder / version.hex() / "index").exists()

    def write(self, version: bytes, arrays: Arrays) -> None:
        """Write a version, replacing one with the same id.

        Raises:
            StoreError: it cannot be written.
        """
        final, partial = self.folder / version.hex(), self.folder / f"{version.hex()}.new"
        try:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(mode=0o700, parents=True)
            for name, array in arrays.items():
                _write(partial / name, self._sealed_blocks(version, name, np.ascontiguousarray(array)))
            shapes = {name: (array.dtype.str, list(array.shape)) for name, array in arrays.items()}
            sealed = self._sealer.seal(json.dumps(shapes).encode(), self._context(version, "index", 0))
            _write(partial / "index", iter((sealed,)))
            shutil.rmtree(final, ignore_errors=True)
            partial.rename(final)
            _sync(self.folder)
        except OSError as error:
            raise StoreError(
                f"{self.folder} cannot be written: {error.strerror}", hint="Check the free space on the disk."
            ) from None

    def read(self, version: bytes) -> dict[str, npt.NDArray[Any]]:
        """The arrays of a version, by name.

        Raises:
            StoreError: the version is missing or damaged.
            KeysError: it was altered.
        """
        with _lost_if_unreadable():
            return {name: self._read(version, name, *shape) for name, shape in self._shapes(version).items()}

    def read_array(self, version: bytes, name: str) -> npt.NDArray[Any]:
        """One array of a version. Raises as `read`."""
        with _lost_if_unreadable():
            return self._read(version, name, *self._shapes(version)[name])

    def keep_only(self, versions: set[bytes]) -> None:
        """Erase every other version. Another process may be writing one of these: its unfinished folder is not erased."""
        names = {f"{version.hex()}{end}" for version in versions for end in ("", ".new")}
        for path in self.folder.glob("*"):
            if path.name not in names:
                shutil.rmtree(path, ignore_errors=True)

    def erase(self) -> None:
        """Erase every version."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):
            self.folder.parent.rmdir()

    def _shapes(self, version: bytes) -> dict[str, tuple[str, list[int]]]:
        """The kind and shape of every array of a version, by name."""
        sealed = (self.folder / version.hex() / "index").read_bytes()
        shapes: dict[str, tuple[str, list[int]]] = json.loads(
            self._sealer.open(sealed, self._context(version, "index", 0))
        )
        return shapes

    def _sealed_blocks(self, version: bytes, name: str, array: npt.NDArray[Any]) -> Iterator[bytes]:
        flat = array.reshape(-1).view(np.uint8)
        for number, start in enumerate(range(0, len(flat), _BLOCK)):
            plain = flat[start : start + _BLOCK].tobytes()
            yield self._sealer.seal(plain, self._context(version, name, number))

    def _read(self, version: bytes, name: str, kind: str, shape: list[int]) -> npt.NDArray[Any]:
        size = int(np.prod(shape)) * np.dtype(kind).itemsize
        plain = np.empty(size, dtype=np.uint8)
        with (self.folder / version.hex() / name).open("rb") as file:
            for number, start in enumerate(range(0, size, _BLOCK)):
                length = min(_BLOCK, size - start)
                sealed = file.read(length + OVERHEAD_BYTES)
                opened = self._sealer.open(sealed, self._context(version, name, number))
                plain[start : start + length] = np.frombuffer(opened, dtype=np.uint8)
        return plain.view(kind).reshape(shape)

    def _context(self, version: bytes, name: str, number: int) -> str:
        """The associated data of a sealed block."""
        return f"{self._name}/{version.hex()}/{name}/{number}"


def leftovers(folder: Path) -> Iterator[tuple[bytes, str]]:
    """The epoch (16 bytes) and edge of every folder below the node's folder for epochs."""
    for path in sorted(folder.glob("*/*")):
        with suppress(ValueError):
            yield bytes.fromhex(path.parent.name), path.name


@contextmanager
def _lost_if_unreadable() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError):
        raise StoreError(
            "the files of an epoch are lost or damaged",
            hint="Start a new epoch with a full round: blindmatch round run --full",
        ) from None


def _write(path: Path, blocks: Iterator[bytes]) -> None:
    with path.open("wb") as file:
        os.fchmod(file.fileno(), 0o600)
        for block in blocks:
            file.write(block)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
