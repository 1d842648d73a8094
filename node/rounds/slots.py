"""Slots: a few edges of a round work at the same time, and an edge that only waits does not block the others.

An edge acquires a slot before it works. It releases the slot when its peer cannot be reached, when nothing more will be
sent, and when it makes no progress for a while for any reason: a peer that stalls, or reports again and again that it is
still preparing, delays its own edge only.
"""

import asyncio
from asyncio import TimerHandle

STALL_SECONDS = 30.0
"""Without a chunk of work for this long, an edge loses its slot to the next; the edge itself continues."""


class Slots:
    """A number of slots."""

    def __init__(self, at_once: int) -> None:
        self._free = asyncio.Semaphore(at_once)

    def slot(self) -> "Slot":
        """One edge's slot, not acquired yet."""
        return Slot(self._free)


class Slot:
    """One edge's slot, acquired or not. In the event loop only."""

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free = free
        self._timer: TimerHandle | None = None

    async def acquire(self) -> None:
        """Wait for a slot, unless the edge has one."""
        if self._timer is None:
            await self._free.acquire()
            self._start()

    def release(self) -> None:
        """Let the next edge work; a second call has no effect."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._free.release()

    def touch(self) -> None:
        """Note that the edge makes progress."""
        if self._timer is not None:
            self._timer.cancel()
            self._start()

    def _start(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(STALL_SECONDS, self.release)
