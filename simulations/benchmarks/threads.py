"""Threads of the group's backend: some split a batch over cores by themselves, some leave that to their caller."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from blindmatch.protocol import group


def splits_batches() -> bool:
    """Whether the backend in use spreads a batch over cores when it may."""
    return hasattr(group, "use_threads") and group.backend_name().startswith("native")


def use_threads(count: int | None) -> None:
    """Let the backend use so many threads, if it has any say in it; None: as many as it likes."""
    switch: Any = getattr(group, "use_threads", None)
    if switch is not None:
        switch(count)


def use_one_thread() -> None:
    """For measurements of one core, and for a process per core."""
    use_threads(1)


@contextmanager
def all_cores(count: int) -> Iterator[ThreadPoolExecutor]:
    """A pool for the parts of a batch: one part when the backend splits it itself, otherwise one per core."""
    inside = splits_batches()
    use_threads(count if inside else 1)
    try:
        with ThreadPoolExecutor(1 if inside else count) as pool:
            yield pool
    finally:
        use_threads(None)
