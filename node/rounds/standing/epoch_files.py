"""What an epoch keeps between its rounds, sealed: `<node>/epochs/<epoch>/<edge>/<version>/`, one file per array.

```
<name>   blocks of 1 MiB, each AES-256-GCM under the node's key, bound to epoch, edge, version, name and number
index    one sealed blob: JSON with every array's kind and shape; written last
```
A version is named by the round that made it. It is written whole beside the one before, and which one counts is a row in the
store, changed together with the round's receipt: a crash leaves either, never half of one.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
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
        epoch: its id, 16 bytes.
        edge: the edge's id.
    """

    def __init__(self, folder: Path, sealer: Sealer, epoch: bytes, edge: str) -> None:
        self.folder = folder / epoch.hex() / edge
        self._sealer = sealer.derive(PURPOSE)
        self._context = f"{epoch.hex()}/{edge}"

    def has(self, version: bytes) -> bool:
        """Whether this version was written whole."""
        return (self.folder / version.hex() / "index").exists()

    def write(self, version: bytes, arrays: Arrays) -> None:
        """Write a version, replacing one of the same name.

        Raises:
            StoreError: the disk does not take it.
        """
        final, fresh = self.folder / version.hex(), self.folder / f"{version.hex()}.new"
        try:
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir(mode=0o700, parents=True)
            for name, array in arrays.items():
                self._write(fresh / name, version, name, np.ascontiguousarray(array))
            shapes = {name: (array.dtype.str, list(array.shape)) for name, array in arrays.items()}
            sealed = self._sealer.seal(json.dumps(shapes).encode(), self._bound(version, "index", 0))
            _put(fresh / "index", iter((sealed,)))
            shutil.rmtree(final, ignore_errors=True)
            fresh.rename(final)
            _sync(self.folder)
        except OSError as error:
            raise StoreError(
                f"{self.folder} cannot be written: {error.strerror}", hint="Is there space on the disk?"
            ) from None

    def read(self, version: bytes) -> dict[str, npt.NDArray[Any]]:
        """The arrays of a version.

        Raises:
            StoreError: it is not there, or damaged.
            KeysError: it was altered.
        """
        folder = self.folder / version.hex()
        try:
            return {
                name: self._read(folder / name, version, np.dtype(kind), tuple(shape))
                for name, (kind, shape) in self._shapes(version).items()
            }
        except (OSError, ValueError):
            raise _lost() from None

    def read_one(self, version: bytes, name: str) -> npt.NDArray[Any]:
        """One array of a version; raises as `read`."""
        folder = self.folder / version.hex()
        try:
            kind, shape = self._shapes(version)[name]
            return self._read(folder / name, version, np.dtype(kind), tuple(shape))
        except (OSError, ValueError, KeyError):
            raise _lost() from None

    def _shapes(self, version: bytes) -> dict[str, tuple[str, list[int]]]:
        sealed = (self.folder / version.hex() / "index").read_bytes()
        shapes: dict[str, tuple[str, list[int]]] = json.loads(
            self._sealer.open(sealed, self._bound(version, "index", 0))
        )
        return shapes

    def keep_only(self, versions: set[bytes]) -> None:
        """Erase every other version, and what a crash left half written; one of these may be under way elsewhere."""
        names = {f"{version.hex()}{end}" for version in versions for end in ("", ".new")}
        for each in self.folder.glob("*"):
            if each.name not in names:
                shutil.rmtree(each, ignore_errors=True)

    def erase(self) -> None:
        """Delete everything."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):
            self.folder.parent.rmdir()

    def _write(self, path: Path, version: bytes, name: str, array: npt.NDArray[Any]) -> None:
        flat = array.reshape(-1).view(np.uint8)

        def blocks() -> Iterator[bytes]:
            for number, start in enumerate(range(0, len(flat), _BLOCK)):
                plain = flat[start : start + _BLOCK].tobytes()
                yield self._sealer.seal(plain, self._bound(version, name, number))

        _put(path, blocks())

    def _read(
        self, path: Path, version: bytes, kind: np.dtype[Any], shape: tuple[int, ...]
    ) -> npt.NDArray[Any]:
        size = int(np.prod(shape)) * kind.itemsize
        plain = np.empty(size, dtype=np.uint8)
        with path.open("rb") as file:
            for number, start in enumerate(range(0, size, _BLOCK)):
                length = min(_BLOCK, size - start)
                opened = self._sealer.open(
                    file.read(length + OVERHEAD_BYTES), self._bound(version, path.name, number)
                )
                plain[start : start + length] = np.frombuffer(opened, dtype=np.uint8)
        return plain.view(kind).reshape(shape)

    def _bound(self, version: bytes, name: str, number: int) -> str:
        return f"{self._context}/{version.hex()}/{name}/{number}"


def leftovers(folder: Path) -> Iterator[tuple[bytes, str]]:
    """The (epoch, edge) of every folder below the node's folder for epochs."""
    for each in sorted(folder.glob("*/*")):
        with suppress(ValueError):
            yield bytes.fromhex(each.parent.name), each.name


def _lost() -> StoreError:
    return StoreError("what an epoch kept is lost or damaged", hint="Begin anew: blindmatch round run --full")


def _put(path: Path, blocks: Iterator[bytes]) -> None:
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
