"""Unlinked temporary files: rows on the disk that only one process can read, and only while it runs.

A round's tokens are digests of names and dates. A reader of tokens can test guesses, so they are never stored in plaintext. The file has
no name, so a crash leaves nothing behind, and it is encrypted under a key that only this process has, in memory.
The rows need not survive: tokens are computed again from the sealed collection.
"""

import mmap
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR, ECB

from blindmatch.node.storage.files import let_go, reserve
from blindmatch.protocol.errors import StoreError

Bytes2D = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int64]

_BLOCK = 16
_KEY_BYTES = 32


class SealedRows:
    """Rows (n, width) in an unlinked file, AES-256-CTR over the whole file; read and written in any order.

    CTR hides contents but does not detect alterations. Only this user and root can reach the file. A row may be
    overwritten with random bytes only, since two texts under one key stream reveal their difference.

    Args:
        folder: a folder on the disk to use; must exist.
        shape: rows and their width in bytes, a multiple of 8.

    Raises:
        StoreError: the disk is full, or the folder cannot be written.
    """

    def __init__(self, folder: Path, shape: tuple[int, int]) -> None:
        self._count, self._width = shape
        key = AES(os.urandom(_KEY_BYTES))
        self._key = key
        self._blocks = Cipher(key, ECB())  # noqa: S305 - of counters only: this is CTR mode at places far apart
        size = self._count * self._width
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                reserve(file.fileno(), max(size, 1))
                self._map = mmap.mmap(file.fileno(), max(size, 1))
        except OSError as error:
            raise StoreError(
                f"{folder} cannot be used: {error.strerror}", hint="Is there space on the disk?"
            ) from None
        self._rows: Bytes2D = np.frombuffer(self._map, dtype=np.uint8, count=size).reshape(shape)

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"SealedRows({self._count}, {self._width})"

    def __getitem__(self, at: slice | Indices) -> Bytes2D:
        """The rows of a slice without a step, or at indices (m,): a copy (m, width)."""
        if isinstance(at, slice):
            start, rows = self._part(at)
            return self._stream(start, np.ascontiguousarray(rows).reshape(-1).data)
        rows = np.take(self._rows, at, axis=0)
        rows ^= self._pads(at)
        return rows

    def __setitem__(self, at: slice | Indices, rows: Any) -> None:
        """Put rows (m, width) into a slice without a step, or at indices (m,)."""
        rows = np.ascontiguousarray(rows)
        if isinstance(at, slice):
            start, target = self._part(at)
            target[:] = self._stream(start, rows.reshape(-1).data)
        else:
            self._rows[at] = rows ^ self._pads(at)

    def let_go(self) -> None:
        """Release the rows from this process's memory until they are used again."""
        let_go(self._map)

    def _part(self, at: slice) -> tuple[int, Bytes2D]:
        start, stop, step = at.indices(self._count)
        if step != 1:
            raise IndexError("rows are read in order")
        return start, self._rows[start:stop]

    def _stream(self, start: int, data: memoryview) -> Bytes2D:
        block, skip = divmod(start * self._width, _BLOCK)
        cipher = Cipher(self._key, CTR(block.to_bytes(_BLOCK, "big"))).encryptor()
        if skip:
            cipher.update(bytes(skip))
        return np.frombuffer(bytearray(cipher.update(data)), dtype=np.uint8).reshape(-1, self._width)

    def _pads(self, at: Indices) -> Bytes2D:
        """The key stream of rows wherever they are, each a whole number of blocks."""
        each = self._width // _BLOCK
        if each * _BLOCK != self._width:
            raise IndexError(f"rows of {self._width} bytes are read in order only")
        counters = np.zeros((len(at), each, 2), dtype=np.uint64)
        numbers = counters[:, :, 1]
        for place in range(each):
            np.multiply(at, each, out=numbers[:, place], casting="unsafe")
            numbers[:, place] += np.uint64(place)
        if sys.byteorder == "little":  # CTR counts in big-endian numbers
            numbers.byteswap(inplace=True)
        stream = self._blocks.encryptor().update(counters.reshape(-1).view(np.uint8).data)
        return np.frombuffer(stream, dtype=np.uint8).reshape(len(at), self._width)
