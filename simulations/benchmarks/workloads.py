"""The workloads of `bench check`; each is repeatable, and the same on every machine.

`python -m blindmatch.simulations.benchmarks.workloads NAME N` runs one of them once, under an instruction counter.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
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

CHUNK: Final = 4_096


@dataclass(frozen=True)
class Work:
    """One workload on n elements or rows; `open` prepares it, gives the call that is measured, and cleans up."""

    name: str
    open: Callable[[int], AbstractContextManager[Call]]
    size: int
    """Elements or rows for a ratio."""
    steps: tuple[int, int]
    """Two sizes for instruction counts: the difference excludes the start-up."""
    counted: bool = False
    """Whether instructions are counted too: the start of Python under a counter takes a quarter of a minute, twice for each."""

    python: bool = False
    """Whether the interpreter does most of the work, which selects the fixed loop for the ratio."""


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


def _operation(name: str) -> Callable[[int], AbstractContextManager[Call]]:
    make = next(operation.make for operation in OPERATIONS if operation.name == name)
    return lambda n: nullcontext(make(n))


def _session(n: int) -> AbstractContextManager[Call]:
    """Both sides of one edge in memory, half of the elements in common: hashing, curve, tags, lookup, receipt."""
    left, right = _Numbers(0, n), _Numbers(n // 2, n)
    limits = Limits(chunk_elements=CHUNK)
    return nullcontext(lambda: protocol_run.find_hits(bytes(DIGEST_BYTES), left, right, limits))


def _import(kind: str, write: Callable[[Path, int], int]) -> Callable[[int], AbstractContextManager[Call]]:
    @contextmanager
    def opened(n: int) -> Iterator[Call]:
        values = {
            "agency": "bench-council",
            "name": "Bench Council",
            "role": "council",
            "legal_basis": "invented records",
        }
        with TemporaryDirectory(prefix="blindmatch-guard-") as folder:
            source = Path(folder) / "source"
            write(source, n)
            serial = count()
            settings = make_settings(values)
            with Node.create(Path(folder) / "node", settings, "invented records", scrypt_n=2) as node:
                yield lambda: import_collection(node, f"bench-{next(serial)}", kind, source)

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
    group.use_threads(1)
    try:
        with work.open(size) as call:
            yield call
    finally:
        group.use_threads(None)


if __name__ == "__main__":
    with prepared(WORKS[sys.argv[1]], int(sys.argv[2])) as once:
        once()
