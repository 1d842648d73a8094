"""Refused calls in the audit log: the first is never lost, and repeated ones cannot fill the disk.

The first refusal of an agency, method and code is written at once. Equal refusals within the same minute are counted, and
the count is written as one entry.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

WINDOW_SECONDS = 60.0


@dataclass(frozen=True)
class Refusal:
    """One audit entry: `count` equal refusals, either the first or those that followed it."""

    agency: str
    method: str
    code: str
    address: str
    count: int


@dataclass
class _Open:
    until: float
    address: str
    more: int = 0


class Refusals:
    """Groups equal refusals. `write` is called in a thread, since it waits for the store."""

    def __init__(self, write: Callable[[Refusal], None], clock: Callable[[], float]) -> None:
        self._write = write
        self._clock = clock
        # Agencies have certificates, and methods and codes are fixed: the number of keys is bounded.
        self._open: dict[tuple[str, str, str], _Open] = {}

    async def note(self, agency: str, method: str, code: str, *, address: str) -> None:
        """Take one refusal down.

        Raises:
            StoreError: it could not be written.
        """
        key, now = (agency, method, code), self._clock()
        window = self._open.get(key)
        if window is not None and now < window.until:
            window.more += 1
            window.address = address
            return
        fresh = self._open[key] = _Open(now + WINDOW_SECONDS, address)
        due = [Refusal(*key, address, 1)]
        if window is not None and window.more:
            due.insert(0, Refusal(*key, window.address, window.more))
        while due:
            try:
                await self._put(due[0])
            except Exception:
                fresh.more += sum(refusal.count for refusal in due)  # written when the store accepts it again
                raise
            due.pop(0)

    async def flush(self, *, everything: bool = False) -> None:
        """Write the counts whose minute has passed; at shutdown, all of them.

        Raises:
            StoreError: not all could be written; the rest stays for the next call.
        """
        now = self._clock()
        for key, window in list(self._open.items()):
            if everything or now >= window.until:
                count, window.more = window.more, 0
                try:
                    if count:
                        await self._put(Refusal(*key, window.address, count))
                except Exception:
                    window.more += count
                    raise
                if not window.more and self._open.get(key) is window:
                    del self._open[key]

    async def _put(self, refusal: Refusal) -> None:
        await asyncio.to_thread(self._write, refusal)
