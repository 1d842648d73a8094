"""The workloads of `bench check`; each is repeatable, and the same on every machine.

`python -m blindmatch.simulations.benchmarks.workloads NAME N` runs one of them once, under an instruction counter.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from blindmatch.node.evaluation import protocol_run
from blindmatch.node.imports import import_collection
from blindmatch.node.node import Node
from blindmatch.node.storage.config import make_settings
from blindmatch.protocol import group
from blindmatch.protocol.limits import DIGEST_BYTES, Limits
from blindmatch.protocol.session.chunks import Bytes2D, Indices
from blindmatch.simulations.benchmarks import input_files
from blindmatch.simulations.benchmarks.operations import OPERATIONS, Call
from blindmatch.simulations.benchmarks.threads import use_one_thread

CHUNK: Final = 4_096


@dataclass(frozen=True)
class Work:
    """One workload on n elements or rows; `open` prepares it and returns the call that is measured."""

    name: str
    open: Callable[[int], "Opened"]
    size: int
    """Elements or rows for a ratio."""
    steps: tuple[int, int]
    """Two sizes for instruction counts: the difference excludes the start-up."""
    counted: bool = False
    """Whether instructions are counted too: the start of Python under a counter takes a quarter of a minute, twice for each."""

    python: bool = False
    """Whether the interpreter does most of the work, which selects the fixed loop for the ratio."""


class Opened:
    """A prepared call, and the clean-up after it."""

    def __init__(self, call: Call, close: Callable[[], None] = lambda: None) -> None:
        self.call = call
        self.close = close


class _Numbers:
    """`count` consecutive numbers as elements of 16 bytes."""

    def __init__(self, first: int, count: int) -> None:
        self._rows = np.zeros((count, 16), dtype=np.uint8)
        numbers = np.arange(first, first + count, dtype=">u8")
        self._rows[:, 8:] = numbers.view(np.uint8).reshape(count, 8)

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, indices: Indices) -> Bytes2D:
        return self._rows[indices]


def _operation(name: str) -> Callable[[int], Opened]:
    make = next(operation.make for operation in OPERATIONS if operation.name == name)
    return lambda n: Opened(make(n))


def _session(n: int) -> Opened:
    """Both sides of one edge in memory, half of the elements in common: hashing, curve, tags, lookup, receipt."""
    left, right = _Numbers(0, n), _Numbers(n // 2, n)
    limits = Limits(chunk_elements=CHUNK)
    return Opened(lambda: protocol_run.find_hits(bytes(DIGEST_BYTES), left, right, limits))


def _import(kind: str, write: Callable[[Path, int], int]) -> Callable[[int], Opened]:
    def opened(n: int) -> Opened:
        folder = tempfile.TemporaryDirectory(prefix="blindmatch-guard-")
        home = Path(folder.name)
        values = {
            "agency": "bench-council",
            "name": "Bench Council",
            "role": "council",
            "legal_basis": "invented records",
        }
        node = Node.create(home / "node", make_settings(values), "invented records", scrypt_n=2)
        source = home / "source"
        write(source, n)
        serial = iter(range(1_000))

        def call() -> object:
            return import_collection(node, f"bench-{next(serial)}", kind, source)

        def close() -> None:
            node.close()
            folder.cleanup()

        return Opened(call, close)

    return opened


WORKS: Final = {
    work.name: work
    for work in (
        Work("multiply, one scalar", _operation("multiply, one scalar"), 512, (64, 256)),
        Work("multiply, a scalar each", _operation("multiply, a scalar each"), 512, (64, 256)),
        Work("hash and map an input", _operation("hash and map an input"), 2_048, (64, 512)),
        Work("finalize", _operation("finalize"), 16_384, (256, 4_096)),
        Work("tag", _operation("tag"), 16_384, (256, 4_096), counted=True),
        Work("session", _session, 256, (64, 256), counted=True),
        Work(
            "import of subjects",
            _import("subjects", input_files.write_subjects),
            1_000,
            (100, 600),
            counted=True,
            python=True,
        ),
        Work(
            "import of PSC lines",
            _import("suppliers", input_files.write_psc),
            1_000,
            (100, 600),
            counted=True,
            python=True,
        ),
    )
}


@contextmanager
def prepared(work: Work, size: int) -> Iterator[Call]:
    """The call of one workload, prepared, on one thread."""
    use_one_thread()
    opened = work.open(size)
    try:
        yield opened.call
    finally:
        opened.close()
        group.use_threads(None)


if __name__ == "__main__":
    with prepared(WORKS[sys.argv[1]], int(sys.argv[2])) as once:
        once()
