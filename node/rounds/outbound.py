"""A comparison that this node runs: an edge that it receives, or a threshold that it collects.

Checkpoint, then send: every step that a later message depends on is in the files and in the store first. `drive` can be
called again after any failure of the network, and by a new process after a crash.
"""

from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Generic, Unpack

from blindmatch.node.node import Node
from blindmatch.node.rounds.driver import AnySession, SessionDriver, WorkerContext
from blindmatch.node.rounds.rows import code_of
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.store import EdgeRow
from blindmatch.node.transport.client import Peer, connect
from blindmatch.protocol.agreement import Agreement
from blindmatch.protocol.errors import AgreementError, PeerError

Progress = Callable[[str, str, int, int], None]
"""Called with the edge, the step (`prepare`, `wait`, `exchange`, `tags`, `search`, `close`), and how many of how many chunks."""

_SECONDS_PER_ELEMENT = 0.005
"""Of a stream's deadline: far slower than any backend, so that only a stuck peer exceeds it."""


def stream_seconds(peer: Peer, elements: int) -> float:
    """The deadline of a call whose duration grows with the elements."""
    return peer.call_seconds + elements * _SECONDS_PER_ELEMENT


class OutboundDriver(SessionDriver[AnySession], Generic[AnySession]):
    """One comparison that this node runs.

    Args:
        node: this node.
        row: the comparison as stored, with seed and snapshot.
        agreement: checked.
        progress: called for every chunk.
        release_slot: called when nothing more will be sent, before work whose duration depends on the result; perhaps more
            than once.
        context: see `WorkerContext`.
    """

    event = AuditEvent.COMBINATION

    def __init__(
        self,
        node: Node,
        row: EdgeRow,
        agreement: Agreement,
        *,
        progress: Progress,
        release_slot: Callable[[], None],
        **context: Unpack[WorkerContext],
    ) -> None:
        super().__init__(node, row, agreement, **context)
        self.sent = 0
        self.received = 0
        self.leads = 0
        self._progress = progress
        self._release_slot = release_slot

    @property
    def built(self) -> bool:
        """Whether there is a session."""
        return self._session is not None

    @property
    @abstractmethod
    def elements(self) -> tuple[int, int]:
        """Elements of this side and of the other sides; zeros before they are known."""

    @property
    @abstractmethod
    def progress(self) -> object:
        """A value that changes whenever the comparison makes progress."""

    @property
    @abstractmethod
    def expected(self) -> Mapping[str, float]:
        """See `inputs.expected_leads`; empty before the keys are compiled."""

    @property
    def delta(self) -> Mapping[str, int]:
        """The number of a delta round, and how many of our records changed; empty for a full round."""
        return {}

    @abstractmethod
    async def agree_keys(self) -> None:
        """Exchange statements of rates, unless they are in the store, and compile the round's keys.

        Raises:
            PeerError: UNAVAILABLE, after which this may be called again; or the comparison has failed.
            AgreementError: no key is specific enough for these lists.
            LocalError: the collection is missing.
        """

    async def build(self) -> None:
        """Create the session, and prepare everything that is sent first.

        Raises:
            LocalError: see `_build`.
        """
        await self._in_thread(self._build)

    async def drive(self) -> None:
        """All remaining steps, from the state of the session.

        Raises:
            PeerError: UNAVAILABLE, after which this may be called again; or the comparison has failed.
        """
        async with self._step_lock:
            pass  # a step that an earlier, interrupted attempt started ends first
        await self._drive()

    @abstractmethod
    async def _drive(self) -> None:
        """See `drive`."""

    async def store_result(self) -> None:
        """Store the result that is complete although the other side does not sign; by default there is none."""

    def fail(self, error: PeerError | AgreementError) -> None:
        """The comparison has failed: store why, wipe its secrets, erase its files."""
        self._record_failure(code_of(error), error.message, recipient=self._node.agency, **self._other_side)

    @property
    def _other_side(self) -> Mapping[str, str]:
        """The other side, as the audit log names it."""
        return {}

    @classmethod
    def result_text(cls, _node: Node, _row: EdgeRow) -> str:
        """The stored count, sum or number of shared keys in words; empty where there is none."""
        return ""

    @classmethod
    @abstractmethod
    def receipt_elements(cls, agreement: Agreement, row: EdgeRow) -> tuple[int, int]:
        """Elements of this side and of the other sides, as the stored receipt states them."""

    @asynccontextmanager
    async def _connect(self, agency: str) -> AsyncIterator[Peer]:
        """A channel to an agency's node, whose certificate key the agreement names; counts its traffic."""
        key = self._agreement.party(agency).certificate_key
        async with connect(self._node, agency, certificate_key=key, limits=self._limits) as peer:
            try:
                yield peer
            finally:
                self.sent += peer.traffic.sent
                self.received += peer.traffic.received

    def _report(self, step: str, done: int, total: int) -> None:
        self._progress(self.row.edge, step, done, total)
