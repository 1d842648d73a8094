"""One edge on the sender's side, whatever it discloses: the session, its files and its row in the store, one step at a time.

Every step that changes the session ends with its files flushed and a checkpoint stored; only then is anything sent.
"""

import asyncio
import time
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, Protocol, TypeVar, Unpack

from blindmatch.node.audit import AuditEvent
from blindmatch.node.edgework import EdgeWork, Means, Result, Session, retrieve
from blindmatch.node.home import Node
from blindmatch.node.logs import logger
from blindmatch.node.metrics import Metrics
from blindmatch.node.preparation import Exchanged, exchanged
from blindmatch.node.store import Also, EdgeRow
from blindmatch.protocol.agreement import Agreement
from blindmatch.protocol.errors import BlindmatchError, PeerError, SequenceError
from blindmatch.protocol.match import Receipt, State
from blindmatch.protocol.transcript import Signed

_HEARTBEAT_SECONDS = 5.0
"""Progress is sent at least this often, so that the receiver can tell slow from gone."""


class SendingSession(Session, Protocol):
    """What every sender's session can do, besides what both roles can."""

    def countersign(self, receipt: Signed, now: int) -> Receipt:
        """Sign the receiver's receipt, and close."""


Live = TypeVar("Live", bound=SendingSession)


class SendingEdge(EdgeWork[Live], Generic[Live]):
    """One edge of one round, held by the server while a receiver works on it. What a disclosure adds: `_start`, and its steps."""

    event = AuditEvent.DISCLOSURE

    def __init__(
        self,
        node: Node,
        row: EdgeRow,
        agreement: Agreement,
        *,
        metrics: Metrics,
        gone: Callable[["SendingEdge[Any]"], None],
        **means: Unpack[Means],
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
        """Seconds since somebody last asked, 0 while the table is being prepared."""
        busy = self._preparing is not None and not self._preparing.done()
        return 0.0 if busy or self._one_at_a_time.locked() else time.monotonic() - self._used

    def prepare(self, commitment: Signed | None) -> None:
        """Begin the preparation in the background, once; `commitment` is the receiver's, when it just came."""
        self._used = time.monotonic()
        if self._preparing is None:
            self._preparing = asyncio.create_task(self._prepare(commitment))
            self._preparing.add_done_callback(retrieve)

    async def progress(self) -> AsyncIterator[tuple[int, int]]:
        """(chunks done, chunks in all) until the preparation ends, whichever way."""
        task = self._task()
        while not task.done():
            self._moved.clear()
            session = self._session
            yield (session.prepared, session.chunks) if session else (0, 0)
            try:
                async with asyncio.timeout(_HEARTBEAT_SECONDS):
                    await self._moved.wait()
            except TimeoutError:
                continue

    async def commitment(self, receivers: Signed) -> Signed:
        """Our commitment, once the preparation has ended; `receivers` must be what came first.

        Raises:
            PeerError: BAD_COMMITMENT.
            LocalError: the preparation failed.
        """

        def work(session: Live) -> Signed:
            session.receive_commitment(receivers)
            return session.commit()

        return await self._asked(work)

    async def countersign(self, receipt: Signed) -> bytes:
        """Sign the receiver's receipt, store it and wipe what is secret. 64 bytes.

        Raises:
            PeerError: BAD_RECEIPT, BAD_SIGNATURE or WRONG_STATE.
        """

        def work(session: Live) -> bytes:
            signed = session.countersign(receipt, int(self._node.clock()))
            node, row = self._node, self.row
            signatures = {row.peer: signed.receiver_signature, node.agency: signed.sender_signature}
            # The log first: a crash in between makes it say something twice, never leave something out.
            self._note("closed", recipient=row.peer)
            also = self._closing(session, signed)
            node.store.finish(*self.key, receipt=signed.payload, signatures=signatures, also=also)
            self._files.erase()
            self._closed()
            return signed.sender_signature

        return await self._asked(work, save=False)

    def _ready(self, _session: Live) -> None:
        """What is left to prepare once we can commit."""

    def _closing(self, _session: Live, _receipt: Receipt) -> Also | None:
        """What is stored together with the receipt."""
        return None

    def _closed(self) -> None:
        """The round has closed."""

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

    def _task(self) -> "asyncio.Task[None]":
        if self._preparing is None:
            raise SequenceError("the edge's preparation was not begun")
        return self._preparing

    async def _prepare(self, commitment: Signed | None) -> None:
        try:
            await self._built()
            if commitment is not None:
                await self._alone(lambda session: session.receive_commitment(commitment))
            session = self.session
            await self._prepare_chunks(self._move)
            self._metrics.elements.labels("prepared").inc(session.chunks)
            await self._alone(lambda session: session.commit())
            await self._alone(self._ready)
            await self._alone(self._save)
        except Exception as error:
            async with self._one_at_a_time:
                await self._failed(error)
            raise
        finally:
            self._moved.set()

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
        """The session from seed, rates, snapshot and collection; the same after a crash as before."""
        self._files.hold()
        row = self._node.store.edge(*self.key)
        if not row.running:
            raise SequenceError("the edge has ended meanwhile")
        self._session = self._start(row, exchanged(self._agreement, row))

    @abstractmethod
    def _start(self, row: EdgeRow, agreed: Exchanged) -> Live:
        """The session, new or restored."""

    async def _asked(self, work: Callable[[Live], Result], *, save: bool = True) -> Result:
        """One step that the receiver asked for, once the preparation has ended, then its checkpoint."""
        await asyncio.shield(self._task())
        self._used = time.monotonic()
        return await self._alone(work, save=save)

    async def _step(self, work: Callable[[Live], Result]) -> Result:
        """One step; a session whose step or checkpoint failed is never used again, whoever waits for it.

        What it did may not be in the store, and a second one made from there must be the only one.
        """
        session = self.session
        try:
            result = await self._in_pool(work, session)
        except Exception as error:
            await self._failed(error)
            raise
        if session.state is State.CLOSED:
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
            if isinstance(error, PeerError) and session is not None and session.state is State.FAILED:
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
