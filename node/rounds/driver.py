"""What every side of every comparison shares: a session, its files and its row in the store, one step at a time.

Each step runs in a thread, alone, and to its end. What a later message depends on is in the files and in the store before
that message is sent: see `_save`.
"""

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypedDict, TypeVar, Unpack

from blindmatch.node.agreements import registry
from blindmatch.node.compute.engine import Engine
from blindmatch.node.node import Node
from blindmatch.node.rounds.inputs import CompiledEdge, PreparedInputs, prepare_inputs
from blindmatch.node.rounds.tasks import run_to_end, together
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.config import Settings
from blindmatch.node.storage.round_files import RoundFiles
from blindmatch.node.storage.store import EdgeRow, ExtraWrites
from blindmatch.protocol import group, hashing
from blindmatch.protocol.agreement import Agreement
from blindmatch.protocol.errors import LocalError, SequenceError
from blindmatch.protocol.limits import Limits
from blindmatch.protocol.session.base import BaseSession, BaseTerms, PreparingSession
from blindmatch.protocol.session.chunks import ElementSource
from blindmatch.protocol.session.messages import Receipt
from blindmatch.protocol.session.session import Session, SessionTerms
from blindmatch.protocol.session.workspace import Workspace

Key = tuple[bytes, str]
"""Round id, and the id of the edge or threshold."""

Result = TypeVar("Result")

CHUNKS_PER_CHECKPOINT = 16
"""While nothing is released: a crash costs at most this many chunks of work, about a fifth of a second."""


def checkpoint_due(index: int, total: int) -> bool:
    """Whether a checkpoint follows chunk `index` of `total`."""
    return index + 1 == total or (index + 1) % CHUNKS_PER_CHECKPOINT == 0


Value = TypeVar("Value")


class SetLater(Generic[Value]):
    """An attribute that a step of the comparison sets. Reading it before that step raises SequenceError with this message."""

    def __init__(self, absent: str) -> None:
        self._absent = absent

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = name

    def __get__(self, driver: object, _owner: type) -> Value:
        if self._name not in vars(driver):
            raise SequenceError(self._absent)
        value: Value = vars(driver)[self._name]
        return value

    def __set__(self, driver: object, value: Value) -> None:
        vars(driver)[self._name] = value


AnySession = TypeVar("AnySession", bound=BaseSession[Any])
AnyEdgeSession = TypeVar("AnyEdgeSession", bound=Session[Any])


class WorkerContext(TypedDict):
    """The resources of the work.

    pool: threads for heavy work; see `threads`.
    engine: runs the heavy steps.
    limits: the same on all nodes.
    """

    pool: ThreadPoolExecutor
    engine: Engine
    limits: Limits


def threads(settings: Settings, engine: Engine) -> ThreadPoolExecutor:
    """Threads for heavy work, as many as the settings state or the machine has cores; limits the kernels' own threads too.

    An engine whose workers are elsewhere needs more: our threads mostly wait for them.
    """
    wanted = settings.service.workers or None
    group.use_threads(wanted)
    hashing.use_threads(wanted)
    return ThreadPoolExecutor(engine.threads or wanted or os.cpu_count() or 1, thread_name_prefix="curve")


class SessionDriver(ABC, Generic[AnySession]):
    """One side of one comparison of one round, driven by this process.

    Args:
        node: this node.
        row: the comparison as stored.
        agreement: checked.
        context: see `WorkerContext`.
    """

    event: AuditEvent
    """The word of the audit log for this side's part."""

    def __init__(
        self, node: Node, row: EdgeRow, agreement: Agreement, **context: Unpack[WorkerContext]
    ) -> None:
        self.row = row
        self.key: Key = (row.round_id, row.edge)
        self._node = node
        self._agreement = agreement
        self._pool = context["pool"]
        self._engine = context["engine"]
        self._limits = context["limits"]
        self._files = RoundFiles(node.rounds_dir, row.round_id, row.edge)
        self._session: AnySession | None = None
        self._step_lock = asyncio.Lock()

    @property
    def session(self) -> AnySession:
        """The session.

        Raises:
            SequenceError: it was not built, or the edge was stopped.
        """
        if self._session is None:
            raise SequenceError("the edge has no session: it was not built, or was stopped")
        return self._session

    @abstractmethod
    def _start(self, row: EdgeRow) -> AnySession:
        """The session, new or restored, from a row that is up to date; the same after a crash as before."""

    def _base_terms(self, row: EdgeRow) -> BaseTerms:
        """The arguments that sessions of every kind have."""
        return BaseTerms(
            seed=row.seed,
            signer=self._node.keys.identity,
            workspace=Workspace(self._files.allocate),
            limits=self._limits,
            snapshot=row.snapshot or None,
        )

    @abstractmethod
    def _done_of_total(self, session: AnySession) -> tuple[int, int]:
        """Chunks done, and chunks in total, for the checkpoint."""

    def _build(self) -> None:
        """Create the session from seed, statements, snapshot and collection.

        Raises:
            LocalError: another process works on the comparison or has ended it; or collection or files have changed.
        """
        self._files.hold()
        # Read again now that nobody else can write: another process may have continued since.
        row = self.row = self._node.store.edge(*self.key)
        if not row.running:
            raise LocalError(f"this edge of the round is {row.state}", hint="See `blindmatch round status`.")
        self._session = self._start(row)

    def _save(self, session: AnySession) -> None:
        """Snapshot, files, checkpoint, in this order: what another thread finishes meanwhile is in the files before it counts."""
        snapshot = session.snapshot()
        self._files.flush()
        done, total = self._done_of_total(session)
        self._node.store.checkpoint(
            *self.key, state=session.state.value, snapshot=snapshot, done=done, total=total
        )

    def _record_close(
        self,
        receipt: bytes,
        signatures: dict[str, bytes],
        *,
        recipient: str,
        extra_writes: ExtraWrites | None = None,
        **detail: str | int,
    ) -> None:
        """Store the receipt with all signatures, and wipe seed, snapshot and files."""
        # Write the audit entry first: a crash can duplicate it but never lose it.
        self._note("closed", recipient=recipient, **detail)
        self._node.store.finish(*self.key, receipt=receipt, signatures=signatures, extra_writes=extra_writes)
        self._files.erase()

    def _record_failure(self, code: str, reason: str, *, recipient: str, **detail: str) -> None:
        """Store why the comparison failed, and wipe seed, snapshot and files."""
        self._note("failed", recipient=recipient, **detail, code=code)
        self._node.store.fail(*self.key, code=code, reason=reason)
        self._files.erase()

    def _note(self, action: str, *, recipient: str, **detail: str | int) -> None:
        self._node.audit.round_event(self.event, action, self.key, recipient=recipient, **detail)

    async def _prepare_chunks(self, session: PreparingSession[Any], report: Callable[[], None]) -> None:
        """Prepare the remaining chunks of a session, several at the same time, with checkpoints on the way."""
        remaining = iter(range(session.prepared, session.chunks))

        async def lane() -> None:
            for index in remaining:
                await self._in_thread(session.prepare_chunk, index)
                report()
                if (index + 1) % CHUNKS_PER_CHECKPOINT == 0:
                    await self._step(self._save)

        await together(lane() for _ in range(self._engine.lanes))

    async def _step(self, work: Callable[[AnySession], Result], *, save: bool = False) -> Result:
        """Run a step in a thread, one at a time, and to its end even when the calling task is cancelled."""

        def whole(session: AnySession) -> Result:
            result = work(session)
            if save:
                self._save(session)
            return result

        async def locked() -> Result:
            async with self._step_lock:
                return await self._run_step(whole)

        return await run_to_end(locked())

    async def _run_step(self, work: Callable[[AnySession], Result]) -> Result:
        """One step, with `_step_lock` held."""
        return await self._in_thread(work, self.session)

    async def _in_thread(self, work: Callable[..., Result], *arguments: object) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    async def _check_in_force(self) -> None:
        """Between two calls: stop if this node has received a withdrawal meanwhile, even if the other side has not.

        Raises:
            PeerError: EXPIRED_AGREEMENT, with who withdrew and why.
        """
        if error := await self._in_thread(registry.termination, self._node, self.row.agreement_id):
            raise error

    async def release(self) -> None:
        """Stop work on the comparison: wipe its secrets from memory and let another process resume it."""
        async with self._step_lock:
            if self._session is not None:
                self._session.abort(SequenceError("the edge was released"))
            self._files.close()


class EdgeDriver(SessionDriver[AnyEdgeSession], Generic[AnyEdgeSession]):
    """One side of one edge of one round; `row.peer` is the other side. See `SessionDriver`."""

    agreed = SetLater[CompiledEdge]("the edge's rates were not exchanged")
    """What both sides compiled."""
    inputs = SetLater[PreparedInputs]("the edge's elements were not prepared")
    """This side's tokens, elements and collection, once the session is built."""

    def __init__(
        self, node: Node, row: EdgeRow, agreement: Agreement, **context: Unpack[WorkerContext]
    ) -> None:
        super().__init__(node, row, agreement, **context)
        self._edge = agreement.edge(row.edge)
        self._party = agreement.party(row.peer)

    @abstractmethod
    def _exchange_chunks(self, session: AnyEdgeSession) -> int:
        """Chunks of the exchange."""

    def _done_of_total(self, session: AnyEdgeSession) -> tuple[int, int]:
        return session.next_chunk, self._exchange_chunks(session)

    def _prepare_inputs(self, row: EdgeRow) -> PreparedInputs:
        return prepare_inputs(self._node, self._agreement, row, self.agreed, self._files.scratch)

    def _terms(self, row: EdgeRow) -> SessionTerms:
        """The arguments of a session, the same after a crash as before."""
        self.inputs = self._prepare_inputs(row)
        return self._terms_with(row, self.inputs.elements)

    def _terms_with(self, row: EdgeRow, elements: ElementSource) -> SessionTerms:
        """The arguments of a session for elements that are prepared."""
        terms = self._base_terms(row)
        return SessionTerms(**terms, peer_key=self._party.identity_key, elements=elements)

    def _extra_writes(self, _session: AnyEdgeSession, _receipt: Receipt) -> ExtraWrites | None:
        """What is stored together with the receipt."""
        return None

    def _after_close(self) -> None:
        """Clear up after the round has closed."""
