"""The bulk of a session: arrays that outlive a crash, mapped from files by a node, in memory in tests.

A checkpoint stays small because everything large is here: points, tags, tables, and a digest per chunk. The workspace holds no
secret scalar and no seed. A receiver's own tags and a sender's unsorted rows reveal no more than its collection does under the
edge's key, and are erased with the round.
"""

from collections.abc import Callable
from typing import Self

import numpy as np

from blindmatch.protocol.session.chunks import Bytes2D

Allocate = Callable[[str, tuple[int, int]], Bytes2D]
"""Returns the writable uint8 array of a name and shape: zeros the first time, the stored content after that."""

Shapes = dict[str, tuple[int, int]]


class Workspace:
    """Arrays that an `Allocate` creates on first use."""

    def __init__(self, allocate: Allocate) -> None:
        self._allocate = allocate
        self._arrays: dict[str, Bytes2D] = {}

    def array(self, name: str, shape: tuple[int, int]) -> Bytes2D:
        """The array of this name; its content survives a restart."""
        if name not in self._arrays:
            self._arrays[name] = self._allocate(name, shape)
        return self._arrays[name]

    @classmethod
    def in_memory(cls) -> Self:
        """A workspace that lasts as long as the process."""
        arrays: dict[str, Bytes2D] = {}

        def allocate(name: str, shape: tuple[int, int]) -> Bytes2D:
            return arrays.setdefault(name, np.zeros(shape, dtype=np.uint8))

        return cls(allocate)
