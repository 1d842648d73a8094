"""What the work on one edge is on either side: a session, its files and its row in the store, one step at a time.

Every step runs in a thread, alone, and to its end. What a later message depends on is in the files and in the store before
it is sent: `_save`.
"""

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from typing import Generic, Protocol, TypedDict, TypeVar, Unpack

from blindmatch.node.agreements import registry
from blindmatch.node.compute.engine import Engine
from blindmatch.node.node import Node
from blindmatch.node.rounds.inputs import CompiledEdge, EdgeInputs, prepare_inputs
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.config import Settings
from blindmatch.node.storage.round_files import RoundFiles
from blindmatch.node.storage.store import EdgeRow
from blindmatch.protocol import group, hashing
from blindmatch.protocol.agreement import Agreement
from blindmatch.protocol.errors import AgreementError, PeerError, SequenceError
from blindmatch.protocol.limits import Limits
from blindmatch.protocol.session.chunks import ElementSource
from blindmatch.protocol.session.session import SessionTerms
from blindmatch.protocol.session.workspace import Workspace
from blindmatch.protocol.transcript import Signed

Key = tuple[bytes, str]
Result = TypeVar("Result")

CHUNKS_PER_CHECKPOINT = 16
"""While nothing is released: a crash costs at most this many chunks of work, about a fifth of a second."""


class Kept(Protocol):
    """What every session can do that outlives a crash."""

    @property
    def state(self) -> StrEnum:
        """Where it stands."""

    def snapshot(self) -> bytes:
        """The checkpoint."""

    def abort(self, reason: BaseException) -> None:
        """Give up and wipe."""


class Session(Kept, Protocol):
    """What a session of either role and of every disclosure can do; see `protocol.match.session`."""

    @property
    def state(self) -> StrEnum:
        """Where it stands."""

    @property
    def chunks(self) -> int:
        """Chunks to prepare."""

    @property
    def prepared(self) -> int:
        """Leading chunks that are prepared."""

    @property
    def next_chunk(self) -> int:
        """How far the exchange is, in chunks."""

    def prepare_chunk(self, index: int) -> None:
        """Prepare a chunk. Heavy; several threads may do several."""

    def commit(self) -> Signed:
        """Our signed commitment, always the same."""

    def receive_commitment(self, signed: Signed) -> None:
        """Take the peer's."""


class Chunked(Kept, Protocol):
    """A session whose own elements are prepared chunk by chunk."""

    @property
    def chunks(self) -> int:
        """Chunks to prepare."""

    @property
    def prepared(self) -> int:
        """Leading chunks that are prepared."""

    def prepare_chunk(self, index: int) -> None:
        """Prepare a chunk. Heavy; several threads may do several."""


AnyKept = TypeVar("AnyKept", bound=Kept)
AnySession = TypeVar("AnySession", bound=Session)


class WorkerContext(TypedDict):
    """What the work is done with.

    pool: threads for the heavy work; see `threads`.
    engine: does the heavy steps.
    limits: the same on both nodes.
    """

    pool: ThreadPoolExecutor
    engine: Engine
    limits: Limits


def threads(settings: Settings, engine: Engine) -> ThreadPoolExecutor:
    """Threads for heavy work, as many as the settings say or the machine has cores; bounds the kernels' own, too.

    Where others do the work, our threads mostly wait for them: more are needed.
    """
    wanted = settings.service.workers or None
    group.use_threads(wanted)
    hashing.use_threads(wanted)
    return ThreadPoolExecutor(engine.threads or wanted or os.cpu_count() or 1, thread_name_prefix="curve")


class SessionDriver(ABC, Generic[AnyKept]):
    """One comparison of one round, worked on by this process.

    Args:
        node: this node.
        row: the comparison as stored.
        agreement: checked.
        means: see `Means`.
    """

    event: AuditEvent
    """What the audit log calls this side's part."""

    def __init__(
        self, node: Node, row: EdgeRow, agreement: Agreement, **means: Unpack[WorkerContext]
    ) -> None:
        self.row = row
        self.key: Key = (row.round_id, row.edge)
        self._node = node
        self._agreement = agreement
        self._pool = means["pool"]
        self._engine = means["engine"]
        self._limits = means["limits"]
        self._files = RoundFiles(node.rounds_dir, row.round_id, row.edge)
        self._session: AnyKept | None = None
        self._one_at_a_time = asyncio.Lock()

    @property
    def session(self) -> AnyKept:
        """The session.

        Raises:
            SequenceError: it was not built, or the edge was stopped.
        """
        if self._session is None:
            raise SequenceError("the edge has no session: it was not built, or was stopped")
        return self._session

    @abstractmethod
    def _save(self, session: AnyKept) -> None:
        """Snapshot, files, checkpoint: what another thread finishes meanwhile is in the files before it is claimed."""

    async def _lanes(self, session: Chunked, moved: Callable[[], None]) -> None:
        """Prepare what is left of a session's chunks, several at once; checkpoints on the way."""
        left = iter(range(session.prepared, session.chunks))

        async def lane() -> None:
            for index in left:
                await self._in_pool(session.prepare_chunk, index)
                moved()
                if (index + 1) % CHUNKS_PER_CHECKPOINT == 0:
                    await self._alone(self._save)

        try:
            async with asyncio.TaskGroup() as tasks:  # when one lane fails, none goes on behind our back
                for _ in range(self._engine.lanes):
                    tasks.create_task(lane())
        except ExceptionGroup as group:
            raise group.exceptions[0] from None

    async def _alone(self, work: Callable[[AnyKept], Result], *, save: bool = False) -> Result:
        """Run a step in a thread, never beside another, and to its end even when the call that asked is cancelled."""

        def whole(session: AnyKept) -> Result:
            result = work(session)
            if save:
                self._save(session)
            return result

        async def locked() -> Result:
            async with self._one_at_a_time:
                return await self._step(whole)

        task = asyncio.create_task(locked())
        task.add_done_callback(retrieve)
        return await asyncio.shield(task)

    async def _step(self, work: Callable[[AnyKept], Result]) -> Result:
        """One step, with `_one_at_a_time` held."""
        return await self._in_pool(work, self.session)

    async def _in_pool(self, work: Callable[..., Result], *arguments: object) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    async def _still(self) -> None:
        """Between two calls: a withdrawal that this node has heard of meanwhile counts, whatever the other side knows.

        Raises:
            PeerError: EXPIRED_AGREEMENT, with who left and why.
        """
        if left := await self._in_pool(registry.termination, self._node, self.row.agreement_id):
            raise left

    async def release(self) -> None:
        """Nobody works on the comparison any more: its secrets leave memory, another process may go on with it."""
        async with self._one_at_a_time:
            if self._session is not None:
                self._session.abort(SequenceError("the edge was left"))
            self._files.close()

    def _fail(self, error: PeerError | AgreementError, **detail: str) -> None:
        """The comparison that we run has failed: remember why, wipe its secrets, erase its files."""
        code = error.code.value if isinstance(error, PeerError) else "agreement"
        self._note("failed", recipient=self._node.agency, **detail, code=code)
        self._node.store.fail(*self.key, code=code, reason=error.message)
        self._files.erase()

    def _note(self, action: str, *, recipient: str, **detail: str | int) -> None:
        self._node.audit.round_event(self.event, action, self.key, recipient=recipient, **detail)


class EdgeDriver(SessionDriver[AnySession], Generic[AnySession]):
    """One edge of one round; `row.peer` is the other side. See `Work`."""

    def __init__(
        self, node: Node, row: EdgeRow, agreement: Agreement, **means: Unpack[WorkerContext]
    ) -> None:
        super().__init__(node, row, agreement, **means)
        self._party = agreement.party(row.peer)

    @abstractmethod
    def _total(self, session: AnySession) -> int:
        """Chunks of the exchange."""

    def _bring(self, row: EdgeRow, agreed: CompiledEdge) -> EdgeInputs:
        """This side's tokens, elements and facts."""
        return prepare_inputs(self._node, self._agreement, row, agreed, self._files.scratch)

    def _terms(self, row: EdgeRow, agreed: CompiledEdge) -> tuple[EdgeInputs, SessionTerms]:
        """What a session is made of, the same after a crash as before."""
        made = self._bring(row, agreed)
        return made, self._session_terms(row, made.elements)

    def _session_terms(self, row: EdgeRow, elements: ElementSource) -> SessionTerms:
        """The same for elements that are there."""
        return SessionTerms(
            seed=row.seed,
            signer=self._node.keys.identity,
            peer_key=self._party.identity_key,
            elements=elements,
            workspace=Workspace(self._files.allocate),
            limits=self._limits,
            snapshot=row.snapshot or None,
        )

    def _save(self, session: AnySession) -> None:
        snapshot = session.snapshot()
        self._files.flush()
        self._node.store.checkpoint(
            *self.key,
            state=session.state.value,
            snapshot=snapshot,
            done=session.next_chunk,
            total=self._total(session),
        )

    async def _prepare_chunks(self, moved: Callable[[], None]) -> None:
        """Prepare what is left, several chunks at once; checkpoints on the way."""
        await self._lanes(self.session, moved)


def retrieve(task: "asyncio.Task[Result]") -> None:
    """Look at a task's end, so that a failure whose caller has gone is not reported as forgotten."""
    if not task.cancelled():
        task.exception()
