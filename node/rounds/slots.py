"""Whose turn it is: a few edges of a round work at a time, and one that only waits keeps nobody else from working.

An edge takes a turn before it does anything, and gives it away when its peer cannot be reached, when nothing more will
be sent, and when it has not got further for a while, whatever the reason: a peer that stalls, or says again and again
that it is still preparing, holds up its own edge only.
"""

import asyncio
from asyncio import TimerHandle

STALL_SECONDS = 30.0
"""Without a chunk of work for so long, an edge's turn goes to the next; the edge itself goes on."""


class Slots:
    """So many edges at a time."""

    def __init__(self, at_once: int) -> None:
        self._free = asyncio.Semaphore(at_once)

    def turn(self) -> "Slot":
        """One edge's part in it, not taken yet."""
        return Slot(self._free)


class Slot:
    """One edge's turn: taken or not. In the event loop only."""

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free = free
        self._timer: TimerHandle | None = None

    async def take(self) -> None:
        """Wait for a turn, unless the edge has one."""
        if self._timer is None:
            await self._free.acquire()
            self._start()

    def give(self) -> None:
        """Let the next edge work; more than once does no harm."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._free.release()

    def moved(self) -> None:
        """The edge got further."""
        if self._timer is not None:
            self._timer.cancel()
            self._start()

    def _start(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(STALL_SECONDS, self.give)
