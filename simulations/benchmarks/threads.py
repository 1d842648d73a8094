"""Threads of the group backend: some backends split a batch over cores by themselves, others leave that to the caller."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from blindmatch.protocol import group


def splits_batches() -> bool:
    """Whether the backend in use spreads a batch over the cores that it is allowed to use."""
    return group.backend_name().startswith("native")


def use_one_thread() -> None:
    """For measurements of one core, and for a process per core."""
    group.use_threads(1)


@contextmanager
def all_cores(count: int) -> Iterator[ThreadPoolExecutor]:
    """A pool for the parts of a batch: one part when the backend splits it itself, otherwise one per core."""
    own = splits_batches()
    group.use_threads(count if own else 1)
    try:
        with ThreadPoolExecutor(1 if own else count) as pool:
            yield pool
    finally:
        group.use_threads(None)
