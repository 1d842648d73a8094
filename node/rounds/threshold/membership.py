"""The thresholds of which this node is a member and on which a collector is at work: begun, resumed, bounded in number."""

import asyncio
from collections.abc import Callable
from typing import Final

from blindmatch.node.agreements import registry
from blindmatch.node.node import Node
from blindmatch.node.rounds.driver import Key, Result, WorkerContext
from blindmatch.node.rounds.inbound import IDLE_SECONDS, check_pin, check_running
from blindmatch.node.rounds.retention import evict_oldest
from blindmatch.node.rounds.threshold import inputs as threshold_inputs
from blindmatch.node.rounds.threshold import member
from blindmatch.node.rounds.threshold.member import MemberDriver
from blindmatch.node.storage.logs import logger
from blindmatch.node.storage.store import CLOSED, EdgeRow
from blindmatch.node.transport.identity import Caller
from blindmatch.node.transport.metrics import Metrics
from blindmatch.protocol.agreement import Agreement
from blindmatch.protocol.errors import AgreementError, LocalError, PeerCode, PeerError
from blindmatch.protocol.session.messages import Header
from blindmatch.protocol.threshold import ThresholdRole
from blindmatch.protocol.transcript import Signed

AT_ONCE: Final = 4
"""Thresholds that a node works on at once: each keeps tables on its disk."""


class Membership:
    """All thresholds on which this node is a member and a collector is at work."""

    def __init__(self, node: Node, *, metrics: Metrics, means: WorkerContext) -> None:
        self._node = node
        self._metrics = metrics
        self._means = means
        self._works: dict[Key, MemberDriver] = {}
        self._door = asyncio.Lock()
        self._log = logger(agency=node.agency)

    async def rates(self, caller: Caller, header: Header, agreement_id: bytes) -> Signed:
        """Begin a threshold of a round and give our rates; the same again for the same round.

        Raises:
            PeerError: the agreement or the caller does not allow it; REFUSED when no collection is ready.
        """
        async with self._door:  # two equal calls at once begin one threshold
            agreement = await asyncio.to_thread(self._allowed, caller, agreement_id, header)
            name = threshold_inputs.row_name(agreement, header.edge, ThresholdRole.MEMBER, self._node.agency)
            row = await asyncio.to_thread(self._node.store.find_edge, header.round_id, name)
            if row is None:
                row = await asyncio.to_thread(self._begin, agreement, agreement_id, header)
        self._ours(row, caller)
        check_running(row, agreement_id)
        return await self._in_pool(member.state, self._node, agreement, row)

    async def join(self, caller: Caller, header: Header, rates: list[Signed]) -> MemberDriver:
        """Take everybody's rates; our elements are being blinded when this returns.

        Raises:
            PeerError: UNKNOWN_ROUND, WRONG_STATE, or a statement is not what the agreement allows.
            AgreementError: no key is specific enough for these lists.
        """
        row, agreement = await self._row(caller, header)
        await self._in_pool(member.accept, self._node, agreement, row, rates)
        async with self._door:
            work = self._works.get((row.round_id, row.edge)) or self._enter(row, agreement)
        work.prepare()
        return work

    async def work(self, caller: Caller, header: Header, *, disclosing: bool = True) -> MemberDriver:
        """A threshold that was joined before, perhaps in an earlier process.

        Args:
            caller: must be the collector.
            header: names round and threshold.
            disclosing: the agreement must still allow a round now.

        Raises:
            PeerError: UNKNOWN_ROUND, WRONG_STATE, WRONG_AGENCY, or what the agreement's check raises.
        """
        row, agreement = await self._row(caller, header, disclosing=disclosing)
        async with self._door:
            work = self._works.get((row.round_id, row.edge))
            if work is None:
                known = await asyncio.to_thread(self._node.store.statements, row.round_id, row.edge)
                if len(known) < len(threshold_inputs.terms_of(agreement, row).members):
                    raise PeerError(PeerCode.WRONG_STATE, "everybody's rates come first")
                work = self._enter(row, agreement)
        work.prepare()
        return work

    async def sign(self, caller: Caller, header: Header, receipt: Signed, tables: list[Signed]) -> bytes:
        """Countersign the collector's receipt; the same receipt again gets the same 64 bytes.

        Raises:
            PeerError: BAD_RECEIPT, and those of `work`.
        """
        row = await asyncio.to_thread(self._node.store.find_edge, header.round_id, header.edge)
        if row is not None and row.role == ThresholdRole.MEMBER.value and row.state == CLOSED:
            self._ours(row, caller)
            check_pin(
                caller, (await asyncio.to_thread(registry.find, self._node, row.agreement_id)).agreement
            )
            if (row.receipt, row.signatures.get(row.peer)) != (receipt.payload, receipt.signature):
                raise PeerError(PeerCode.BAD_RECEIPT, "this threshold was closed with another receipt")
            return row.signatures[self._node.agency]
        work = await self.work(caller, header, disclosing=False)
        return await work.countersign(receipt, tables)

    async def stop(self) -> None:
        """Let the steps under way end, and forget every threshold; the store keeps them."""
        for work in list(self._works.values()):
            await work.stop()
        self._works.clear()

    async def _row(
        self, caller: Caller, header: Header, *, disclosing: bool = True
    ) -> tuple[EdgeRow, Agreement]:
        row = await asyncio.to_thread(self._node.store.find_edge, header.round_id, header.edge)
        if row is None or row.role != ThresholdRole.MEMBER.value:
            raise PeerError(PeerCode.UNKNOWN_ROUND, "this node knows no such round and threshold")
        self._ours(row, caller)
        check_running(row, row.agreement_id)
        if disclosing:
            agreement = await asyncio.to_thread(self._allowed, caller, row.agreement_id, header)
        else:
            agreement = (await asyncio.to_thread(registry.find, self._node, row.agreement_id)).agreement
            check_pin(caller, agreement)
        return row, agreement

    def _allowed(self, caller: Caller, agreement_id: bytes, header: Header) -> Agreement:
        """The agreement, if the caller may collect this threshold of this round now."""
        node = self._node
        kept = node.store.find_agreement(agreement_id)
        if kept is None or caller.agency not in registry.open_stored(kept).agreement.agencies:
            # Who is no party cannot tell whether it exists, let alone how it stands.
            raise PeerError(PeerCode.UNKNOWN_AGREEMENT, "this node holds no such agreement with the caller")
        try:
            agreement, _ = registry.usable_agreement(
                node, agreement_id, node.clock(), edge=header.edge, resuming=header.round_id
            )
            terms = agreement.threshold(header.edge)
        except AgreementError as error:
            raise PeerError(PeerCode.UNKNOWN_ROUND, error.message, hint=error.hint) from None
        if agreement.collector != caller.agency:
            raise PeerError(PeerCode.WRONG_AGENCY, f"the collector of this agreement is not {caller.agency}")
        if node.agency not in terms.agencies:
            raise PeerError(PeerCode.WRONG_AGENCY, f"{node.agency} is not a member of this threshold")
        check_pin(caller, agreement)
        return agreement

    def _begin(self, agreement: Agreement, agreement_id: bytes, header: Header) -> EdgeRow:
        evict_oldest(self._node, agreement_id, header.edge, ThresholdRole.MEMBER.value, self._works)
        try:
            return member.begin(self._node, agreement, agreement_id, header.round_id, header.edge)
        except (LocalError, AgreementError) as error:
            # Our own collection's troubles are for our own log.
            self._log.warning("a round cannot begin", edge=header.edge, reason=error.message)
            raise PeerError(
                PeerCode.REFUSED,
                f"{self._node.agency} has no collection ready for this threshold",
                hint="Its operator finds the reason in its log.",
            ) from None

    def _enter(self, row: EdgeRow, agreement: Agreement) -> MemberDriver:
        for work in list(self._works.values()):
            if work.idle_seconds > IDLE_SECONDS:
                work.retire()
                self._leave(work)
        if len(self._works) >= AT_ONCE:
            raise PeerError(PeerCode.UNAVAILABLE, "as many thresholds as this node allows are running")
        work = MemberDriver(
            self._node, row, agreement, metrics=self._metrics, gone=self._leave, **self._means
        )
        self._works[work.key] = work
        return work

    def _leave(self, work: MemberDriver) -> None:
        if self._works.get(work.key) is work:
            del self._works[work.key]

    def _ours(self, row: EdgeRow, caller: Caller) -> None:
        if row.peer != caller.agency or row.role != ThresholdRole.MEMBER.value:
            raise PeerError(PeerCode.WRONG_AGENCY, f"this round is not {caller.agency}'s")

    async def _in_pool(self, work: Callable[..., Result], *arguments: object) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._means["pool"], work, *arguments)
