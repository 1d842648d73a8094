"""The comparisons that other nodes run with this one: started, resumed from the store after a crash, bounded in number.

Nothing here depends on which elements match: this side never learns it.
"""

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Generic, TypeVar

from blindmatch.node.agreements import registry
from blindmatch.node.node import Node
from blindmatch.node.rounds.driver import Key, Result, WorkerContext
from blindmatch.node.rounds.inbound_session import InboundSession
from blindmatch.node.rounds.rows import abandon_row
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.logs import logger
from blindmatch.node.storage.store import CLOSED, DeltaRow, EdgeRow
from blindmatch.node.transport.identity import Caller
from blindmatch.node.transport.metrics import Metrics
from blindmatch.protocol.agreement import Agreement
from blindmatch.protocol.errors import AgreementError, LocalError, PeerCode, PeerError
from blindmatch.protocol.limits import SEED_BYTES
from blindmatch.protocol.session.messages import Header
from blindmatch.protocol.transcript import Signed

IDLE_SECONDS = 600.0
"""A session without a call for this long leaves memory; the store keeps the comparison."""

UNFINISHED = 16
"""Unfinished rounds of one comparison that wait for the other side; of more, the oldest is abandoned."""

Driver = TypeVar("Driver", bound=InboundSession[Any])


class InboundComparisons(ABC, Generic[Driver]):
    """All comparisons of one role that other nodes run with this one now.

    Args:
        node: this node.
        metrics: counts.
        context: the resources of the work; one pool of threads serves the whole server.
    """

    role: ClassVar[str]
    """Our role in the store's rows."""
    noun: ClassVar[str]
    """What the comparison is called in messages: `edge` or `threshold`."""

    def __init__(self, node: Node, *, metrics: Metrics, context: WorkerContext) -> None:
        self._node = node
        self._metrics = metrics
        self._context = context
        self._drivers: dict[Key, Driver] = {}
        self._lock = asyncio.Lock()
        self._log = logger(agency=node.agency)

    async def start(
        self, caller: Caller, agreement_id: bytes, header: Header, create: Callable[[Agreement], EdgeRow]
    ) -> tuple[EdgeRow, Agreement]:
        """The row of a comparison that the caller starts, or started before.

        Args:
            caller: must run the comparison.
            agreement_id: 32 bytes.
            header: names round and comparison.
            create: stores a new row, see `store_new`; called in a thread.

        Raises:
            PeerError: the agreement or the caller does not allow it; UNKNOWN_ROUND or WRONG_STATE for a stored row
                of another agreement, or one that has ended.
        """
        async with self._lock:  # two equal calls at the same time start one comparison
            agreement = await asyncio.to_thread(self._allowed, caller, agreement_id, header)
            row = await asyncio.to_thread(self._node.store.find_edge, header.round_id, header.edge)
            if row is None:
                row = await asyncio.to_thread(create, agreement)
        self._check_caller(row, caller)
        check_running(row, agreement_id)
        return row, agreement

    async def find(
        self, caller: Caller, header: Header, *, agreement_id: bytes = b"", disclosing: bool = True
    ) -> tuple[EdgeRow, Agreement]:
        """The row of a comparison that was started before, perhaps in an earlier process.

        Args:
            caller: must run the comparison.
            header: names round and comparison.
            agreement_id: as the caller states it, if it does.
            disclosing: the agreement must still allow a round now.

        Raises:
            PeerError: UNKNOWN_ROUND, WRONG_STATE, WRONG_AGENCY, or what the agreement's check raises.
        """
        agreement = None
        if agreement_id:
            agreement = await asyncio.to_thread(self._allowed, caller, agreement_id, header)
        row = await asyncio.to_thread(self._node.store.find_edge, header.round_id, header.edge)
        if row is None or row.role != self.role:
            raise PeerError(PeerCode.UNKNOWN_ROUND, f"this node has no such round and {self.noun}")
        self._check_caller(row, caller)
        if not disclosing:
            agreement = await self._agreement_of(row, caller)
        elif agreement is None:
            agreement = await asyncio.to_thread(self._allowed, caller, row.agreement_id, header)
        check_running(row, agreement_id or row.agreement_id)
        return row, agreement

    async def driver(self, row: EdgeRow, agreement: Agreement, kind: Callable[..., Driver]) -> Driver:
        """The session of a row, created with `kind` unless there is one.

        Raises:
            PeerError: WRONG_STATE, when the row has ended; UNAVAILABLE when too many comparisons are open.
        """
        key = (row.round_id, row.edge)
        async with self._lock:  # two equal calls at the same time share one session
            driver = self._drivers.get(key)
            if driver is None:
                row = await asyncio.to_thread(self._node.store.edge, *key)
                check_running(row, row.agreement_id)
                self._make_room(row.peer)
                driver = self._drivers[key] = kind(
                    self._node,
                    row,
                    agreement,
                    metrics=self._metrics,
                    on_retire=self._remove,
                    **self._context,
                )
                self._count()
        return driver

    async def repeated_signature(self, caller: Caller, header: Header, receipt: Signed) -> bytes | None:
        """The 64 bytes with which we signed this receipt before; None when the comparison is not closed.

        Raises:
            PeerError: BAD_RECEIPT for another receipt; WRONG_AGENCY, WRONG_CERTIFICATE.
        """
        row = await asyncio.to_thread(self._node.store.find_edge, header.round_id, header.edge)
        if row is None or row.role != self.role or row.state != CLOSED:
            return None
        self._check_caller(row, caller)
        await self._agreement_of(row, caller)
        if (row.receipt, row.signatures.get(row.peer)) != (receipt.payload, receipt.signature):
            raise PeerError(PeerCode.BAD_RECEIPT, f"this {self.noun} was closed with another receipt")
        return row.signatures[self._node.agency]

    async def stop(self) -> None:
        """Let the current steps end, and drop every session; the store keeps the comparisons."""
        for driver in list(self._drivers.values()):
            await driver.stop()
        self._drivers.clear()

    @contextmanager
    def own_collection(self, caller: Caller, name: str) -> Iterator[None]:
        """A context for work on our own collection: its errors are for our own log.

        Raises:
            PeerError: REFUSED, for any of them.
        """
        try:
            yield
        except (LocalError, AgreementError) as error:
            self._log.warning("a round cannot start", edge=name, peer=caller.agency, reason=error.message)
            raise PeerError(
                PeerCode.REFUSED,
                f"{self._node.agency} has no collection ready for this {self.noun}",
                hint="The log of its node states the reason.",
            ) from None

    def store_new(
        self, row: EdgeRow, agreement: Agreement, *, disclosure: str, delta: DeltaRow | None = None
    ) -> EdgeRow:
        """Store a new row; see `store_new`. Makes room for it first."""
        evict_oldest(self._node, row, self._drivers)
        return store_new(self._node, row, agreement, disclosure=disclosure, delta=delta)

    @abstractmethod
    def _check_parties(self, agreement: Agreement, name: str, caller: Caller) -> None:
        """Whether the caller runs this comparison, and this node has its role in it.

        Raises:
            PeerError: WRONG_AGENCY.
            AgreementError: there is no such comparison.
        """

    @property
    @abstractmethod
    def _capacity(self) -> tuple[int, int]:
        """Open sessions in total, and of one agency."""

    def _count(self) -> None:
        """Report the number of open sessions."""

    def _allowed(self, caller: Caller, agreement_id: bytes, header: Header) -> Agreement:
        """The agreement, if the caller may run this comparison of this round now."""
        node = self._node
        row = node.store.find_agreement(agreement_id)
        if row is None or caller.agency not in registry.open_stored(row).agreement.agencies:
            # As from `Agreements.Fetch`: an agency that is no party learns neither that it exists nor its state.
            raise PeerError(PeerCode.UNKNOWN_AGREEMENT, "this node holds no such agreement with the caller")
        try:
            agreement, _ = registry.usable_agreement(
                node, agreement_id, node.clock(), edge=header.edge, resuming=header.round_id
            )
            self._check_parties(agreement, header.edge, caller)
        except AgreementError as error:
            raise PeerError(PeerCode.UNKNOWN_ROUND, error.message, hint=error.hint) from None
        check_pin(caller, agreement)
        return agreement

    async def _agreement_of(self, row: EdgeRow, caller: Caller) -> Agreement:
        """The agreement of a row, in whichever state it is."""
        agreement = (await asyncio.to_thread(registry.find, self._node, row.agreement_id)).agreement
        check_pin(caller, agreement)
        return agreement

    def _make_room(self, peer: str) -> None:
        for driver in list(self._drivers.values()):
            if driver.idle_seconds > IDLE_SECONDS:
                # A caller that has only stopped reading still holds it: without a session it cannot use it.
                driver.retire()
                self._remove(driver)
        total, share = self._capacity
        full = f"this node has as many open {self.noun}s as it allows"
        if len(self._drivers) >= total:
            raise PeerError(PeerCode.UNAVAILABLE, full)
        if sum(driver.row.peer == peer for driver in self._drivers.values()) >= share:
            raise PeerError(PeerCode.UNAVAILABLE, f"{full} with one agency")

    def _remove(self, driver: Driver) -> None:
        if self._drivers.get(driver.key) is driver:
            del self._drivers[driver.key]
        self._count()

    def _check_caller(self, row: EdgeRow, caller: Caller) -> None:
        if row.peer != caller.agency or row.role != self.role:
            raise PeerError(PeerCode.WRONG_AGENCY, f"{caller.agency} does not run this round")

    async def _in_thread(self, work: Callable[..., Result], *arguments: object) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._context["pool"], work, *arguments)


def store_new(
    node: Node, row: EdgeRow, agreement: Agreement, *, disclosure: str, delta: DeltaRow | None = None
) -> EdgeRow:
    """Store a comparison that another node starts, with its seed, before anything of it is sent.

    Raises:
        PeerError: BUDGET_SPENT.
        StoreError: the store or the audit log cannot be written.
    """
    key = (row.round_id, row.edge)
    # Write the audit entry first: if it cannot be written, the other side only has to call again.
    node.audit.round_event(
        AuditEvent.DISCLOSURE,
        "opened",
        key,
        recipient=row.peer,
        agreement=row.agreement_id.hex(),
        collection=row.collection_id,
        disclosure=disclosure,
    )
    node.store.start_edge(row, os.urandom(SEED_BYTES), rounds_budget=agreement.rounds_budget, delta=delta)
    return node.store.edge(*key)


def evict_oldest(node: Node, new: EdgeRow, open_now: Container[Key]) -> None:
    """Make room for one more round of a comparison: every round that waits has tables on our disk.

    Only rounds of the same comparison are abandoned, the oldest first, and none that is open.
    """
    waiting = [
        row
        for row in node.store.edges(agreement_id=new.agreement_id, running=True)
        if (row.edge, row.role) == (new.edge, new.role) and (row.round_id, row.edge) not in open_now
    ]
    for row in waiting[: max(0, len(waiting) + 1 - UNFINISHED)]:
        abandon_row(node, row, f"{row.peer} left it and began newer rounds")


def check_running(row: EdgeRow, agreement_id: bytes) -> None:
    """PeerError: UNKNOWN_ROUND for a round of another agreement, WRONG_STATE for one that has ended."""
    if row.agreement_id != agreement_id:
        raise PeerError(PeerCode.UNKNOWN_ROUND, "this round runs under another agreement")
    if not row.running:
        raise PeerError(
            PeerCode.WRONG_STATE,
            f"this edge of the round is {row.state}" + (f" ({row.code})" if row.code else ""),
            hint="Start a new round.",
        )


def check_pin(caller: Caller, agreement: Agreement) -> None:
    """PeerError: WRONG_CERTIFICATE, when the caller's certificate has another key than the agreement names."""
    if agreement.party(caller.agency).certificate_key != caller.certificate_key:
        raise PeerError(
            PeerCode.WRONG_CERTIFICATE,
            f"{caller.agency} shows another certificate key than the agreement names",
            hint="After a change of keys, draft and sign the agreement again.",
        )
