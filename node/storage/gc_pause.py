"""Pausing Python's garbage collector during work that creates many objects but no reference cycles."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def pause() -> Iterator[None]:
    """Turn the cycle collector off while the context lasts. Objects without references are still freed at once."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def collect_young() -> None:
    """Collect the younger generations once: for long work under `pause`."""
    gc.collect(1)
