"""Threads of the group's backend: some split a batch over cores by themselves, some leave that to their caller."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from blindmatch.protocol import group


def splits_batches() -> bool:
    """Whether the backend in use spreads a batch over cores when it may."""
    return group.backend_name().startswith("native")


def use_one_thread() -> None:
    """For measurements of one core, and for a process per core."""
    group.use_threads(1)


@contextmanager
def all_cores(count: int) -> Iterator[ThreadPoolExecutor]:
    """A pool for the parts of a batch: one part when the backend splits it itself, otherwise one per core."""
    inside = splits_batches()
    group.use_threads(count if inside else 1)
    try:
        with ThreadPoolExecutor(1 if inside else count) as pool:
            yield pool
    finally:
        group.use_threads(None)
