"""One comparison that another node runs with this one: a session, prepared in the background, then one step per call.

Every step that changes the session ends with its files flushed and a checkpoint stored; only then is an answer sent.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from typing import Any, Generic, TypeVar, Unpack

from blindmatch.node.node import Node
from blindmatch.node.rounds.driver import AnySession, Result, SessionDriver, WorkerContext
from blindmatch.node.rounds.tasks import retrieve, run_to_end
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.logs import logger
from blindmatch.node.storage.store import CLOSED, FAILED, EdgeRow
from blindmatch.node.transport.metrics import Metrics
from blindmatch.protocol.agreement import Agreement
from blindmatch.protocol.errors import BlindmatchError, PeerError, SequenceError
from blindmatch.protocol.session.base import PreparingSession

_HEARTBEAT_SECONDS = 5.0
"""Progress is sent at least this often, so that the caller can tell a slow node from a lost one."""

STEP_SECONDS = 0.25
"""Chunks that wait are processed together for this long, and stored with one checkpoint, before any of them is answered."""

Item = TypeVar("Item")


class InboundSession(SessionDriver[AnySession], Generic[AnySession]):
    """One comparison of one round, held by the server. `row.peer` is the agency that runs it.

    Args:
        metrics: counts.
        on_retire: called when this object can no longer be used.
    """

    event = AuditEvent.DISCLOSURE

    def __init__(
        self,
        node: Node,
        row: EdgeRow,
        agreement: Agreement,
        *,
        metrics: Metrics,
        on_retire: "Callable[[Any], None]",
        **context: Unpack[WorkerContext],
    ) -> None:
        super().__init__(node, row, agreement, **context)
        self._metrics = metrics
        self._on_retire = on_retire
        self._preparation: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._retired = False
        self._advanced = asyncio.Event()
        self._used = time.monotonic()
        self._log = logger(agency=node.agency, round=row.round_id.hex(), edge=row.edge, peer=row.peer)

    @property
    def idle_seconds(self) -> float:
        """Seconds since the last call, 0 while a background task or a step is at work."""
        busy = self._step_lock.locked() or any(not task.done() for task in self._tasks)
        return 0.0 if busy else time.monotonic() - self._used

    async def stop(self) -> None:
        """Stop the background tasks and wait for the current step."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        async with self._step_lock:
            self.retire()

    def retire(self) -> None:
        """Wipe the session: no call that still holds this object can use it. Only between steps.

        The store keeps the comparison; a new session resumes it from there.
        """
        session, self._session, self._retired = self._session, None, True
        if session is not None:
            session.abort(SequenceError("the edge was stopped"))
        self._files.close()

    def _prepare_once(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start the preparation in the background, once."""
        self._used = time.monotonic()
        if self._preparation is None:
            self._preparation = self._in_background(work())

    def _in_background(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """A task whose failure retires the session."""

        async def guarded() -> None:
            try:
                await work
            except Exception as error:
                async with self._step_lock:
                    await self._stopped(error)
                raise
            finally:
                self._advanced.set()

        task = asyncio.create_task(guarded())
        task.add_done_callback(retrieve)
        self._tasks.add(task)
        return task

    async def progress(self) -> AsyncIterator[tuple[int, int]]:
        """(chunks done, chunks in total) until the preparation ends or fails."""

        def count() -> tuple[int, int]:
            session: Any = self._session
            return (session.prepared, session.chunks) if session else (0, 0)

        async for each in self._progress_of(self._preparing(), count):
            yield each

    async def _progress_of(
        self, task: "asyncio.Task[None]", count: Callable[[], tuple[int, int]]
    ) -> AsyncIterator[tuple[int, int]]:
        while not task.done():
            self._advanced.clear()
            yield count()
            try:
                async with asyncio.timeout(_HEARTBEAT_SECONDS):
                    await self._advanced.wait()
            except TimeoutError:
                continue

    def _preparing(self) -> "asyncio.Task[None]":
        if self._preparation is None:
            raise SequenceError("the edge's preparation was not started")
        return self._preparation

    def _advance(self) -> None:
        """Note progress of a background task."""
        self._advanced.set()
        self._used = time.monotonic()

    async def _build_session(self) -> None:
        """Create the session, alone and to the end, so that a cancelled caller leaves no session behind."""

        async def locked() -> None:
            async with self._step_lock:
                if not self._retired:
                    await self._in_thread(self._build)

        await run_to_end(locked())

    async def _prepare_elements(self, session: PreparingSession[Any]) -> None:
        await self._prepare_chunks(session, self._advance)
        self._metrics.elements.labels("prepared").inc(session.chunks)

    async def _answer(self, work: Callable[[AnySession], Result], *, save: bool = True) -> Result:
        """One step for a caller, after the preparation has ended, then its checkpoint."""
        await asyncio.shield(self._preparing())
        self._used = time.monotonic()
        return await self._step(work, save=save)

    async def _run_step(self, work: Callable[[AnySession], Result]) -> Result:
        """One step; a session whose step or checkpoint failed is never used again, by any caller.

        Its last step may not be in the store, and a second session made from the store must be the only one.
        """
        session = self.session
        try:
            result = await self._in_thread(work, session)
        except Exception as error:
            await self._stopped(error)
            raise
        if session.state.value == CLOSED:
            self.retire()
            self._on_retire(self)
            self._log.info("edge closed")
        return result

    async def _stopped(self, error: Exception) -> None:
        """A peer's fault ends the comparison; our own leaves it in the store, to be resumed from the checkpoint.

        Once for every session, with `_step_lock` held.
        """
        if self._retired:
            return
        session = self._session
        try:
            if isinstance(error, PeerError) and session is not None and session.state.value == FAILED:
                await self._in_thread(self._fail, error)
        finally:
            self.retire()
            self._on_retire(self)
        # The text of an unexpected error could contain any value.
        reason = error.message if isinstance(error, BlindmatchError) else type(error).__name__
        self._log.warning("edge stopped", reason=reason)

    def _fail(self, error: PeerError) -> None:
        self._record_failure(error.code.value, error.message, recipient=self.row.peer)


def within_step(items: Iterable[Item], work: Callable[[Item], Result]) -> list[Result]:
    """The results of the first items, at least one, as many as a step has time for."""
    ends, results = time.monotonic() + STEP_SECONDS, []
    for item in items:
        results.append(work(item))
        if time.monotonic() > ends:
            break
    return results
