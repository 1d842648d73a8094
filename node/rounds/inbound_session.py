"""What the server holds of a round while another node works on it: one session, prepared in the background, one step at a time.

Every step that changes the session ends with its files flushed and a checkpoint stored; only then is anything sent.
"""

import asyncio
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Generic, Unpack

from blindmatch.node.node import Node
from blindmatch.node.rounds.driver import AnyKept, Result, SessionDriver, WorkerContext, retrieve
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.logs import logger
from blindmatch.node.storage.store import CLOSED, FAILED, EdgeRow
from blindmatch.node.transport.metrics import Metrics
from blindmatch.protocol.agreement import Agreement
from blindmatch.protocol.errors import BlindmatchError, PeerError, SequenceError

_HEARTBEAT_SECONDS = 5.0
"""Progress is sent at least this often, so that the caller can tell slow from gone."""


class InboundSession(SessionDriver[AnyKept], Generic[AnyKept]):
    """One comparison of one round, held by the server. `row.peer` is the agency that works on it.

    Args:
        metrics: counts.
        gone: called when this object is of no use any more.
    """

    event = AuditEvent.DISCLOSURE

    def __init__(
        self,
        node: Node,
        row: EdgeRow,
        agreement: Agreement,
        *,
        metrics: Metrics,
        gone: "Callable[[Any], None]",
        **means: Unpack[WorkerContext],
    ) -> None:
        super().__init__(node, row, agreement, **means)
        self._metrics = metrics
        self._gone = gone
        self._preparing: asyncio.Task[None] | None = None
        self._over = False
        self._moved = asyncio.Event()
        self._used = time.monotonic()
        self._log = logger(agency=node.agency, round=row.round_id.hex(), edge=row.edge, peer=row.peer)

    @property
    def idle_seconds(self) -> float:
        """Seconds since somebody last asked, 0 while it is being prepared."""
        busy = self._preparing is not None and not self._preparing.done()
        return 0.0 if busy or self._one_at_a_time.locked() else time.monotonic() - self._used

    async def stop(self) -> None:
        """Stop preparing and wait for the step under way."""
        if self._preparing is not None:
            self._preparing.cancel()
            await asyncio.wait({self._preparing})
        async with self._one_at_a_time:
            self.retire()

    def retire(self) -> None:
        """Let go of the session and wipe it: a call that still holds this object gets no further. Only between steps.

        The store keeps the edge; whoever goes on with it starts from there.
        """
        session, self._session, self._over = self._session, None, True
        if session is not None:
            session.abort(SequenceError("the edge was stopped"))
        self._files.close()

    def _begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Begin the preparation in the background, once."""
        self._used = time.monotonic()
        if self._preparing is None:
            self._preparing = asyncio.create_task(self._prepared(work()))
            self._preparing.add_done_callback(retrieve)

    async def _prepared(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            async with self._one_at_a_time:
                await self._failed(error)
            raise
        finally:
            self._moved.set()

    async def _until(
        self, task: "asyncio.Task[None]", count: Callable[[], tuple[int, int]]
    ) -> AsyncIterator[tuple[int, int]]:
        """(done, in all) until a task ends, whichever way."""
        while not task.done():
            self._moved.clear()
            yield count()
            try:
                async with asyncio.timeout(_HEARTBEAT_SECONDS):
                    await self._moved.wait()
            except TimeoutError:
                continue

    def _task(self) -> "asyncio.Task[None]":
        if self._preparing is None:
            raise SequenceError("the edge's preparation was not begun")
        return self._preparing

    def _move(self) -> None:
        self._moved.set()
        self._used = time.monotonic()

    async def _built(self) -> None:
        """Build alone and to the end, so that nobody who stops us leaves a session behind."""

        async def locked() -> None:
            async with self._one_at_a_time:
                if not self._over:
                    await self._in_pool(self._build)

        task = asyncio.create_task(locked())
        task.add_done_callback(retrieve)
        await asyncio.shield(task)

    def _build(self) -> None:
        """The session from seed, statements, snapshot and collection; the same after a crash as before."""
        self._files.hold()
        row = self._node.store.edge(*self.key)
        if not row.running:
            raise SequenceError("the edge has ended meanwhile")
        self._session = self._made(row)

    @abstractmethod
    def _made(self, row: EdgeRow) -> AnyKept:
        """The session, new or restored."""

    async def _asked(self, work: Callable[[AnyKept], Result], *, save: bool = True) -> Result:
        """One step that the caller asked for, once the preparation has ended, then its checkpoint."""
        await asyncio.shield(self._task())
        self._used = time.monotonic()
        return await self._alone(work, save=save)

    async def _step(self, work: Callable[[AnyKept], Result]) -> Result:
        """One step; a session whose step or checkpoint failed is never used again, whoever waits for it.

        What it did may not be in the store, and a second one made from there must be the only one.
        """
        session = self.session
        try:
            result = await self._in_pool(work, session)
        except Exception as error:
            await self._failed(error)
            raise
        if session.state.value == CLOSED:
            self.retire()
            self._gone(self)
            self._log.info("edge closed")
        return result

    async def _failed(self, error: Exception) -> None:
        """A peer's fault ends the edge; our own leaves it in the store, to be tried again from the checkpoint.

        Once for every session, with `_one_at_a_time` held.
        """
        if self._over:
            return
        session = self._session
        try:
            if isinstance(error, PeerError) and session is not None and session.state.value == FAILED:
                await self._in_pool(self._give_up, error)
        finally:
            self.retire()
            self._gone(self)
        # The text of an unforeseen error might hold anything.
        reason = error.message if isinstance(error, BlindmatchError) else type(error).__name__
        self._log.warning("edge stopped", reason=reason)

    def _give_up(self, error: PeerError) -> None:
        self._note("failed", recipient=self.row.peer, code=error.code.value)
        self._node.store.fail(*self.key, code=error.code.value, reason=error.message)
        self._files.erase()
