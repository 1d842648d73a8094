"""Python's garbage collector, kept out of work that makes very many objects and no circles of them."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def pause() -> Iterator[None]:
    """No garbage is looked for while the context lasts; what nobody refers to any more goes at once all the same."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def collect_young() -> None:
    """Look for garbage among what was made since the last time: for long work that is paused."""
    gc.collect(1)
