"""The thresholds on which this node is a member and a collector is at work."""

import asyncio
from functools import partial
from typing import Final

from blindmatch.node.rounds.inbound import InboundComparisons
from blindmatch.node.rounds.threshold.member import (
    MemberDriver,
    accept_rates,
    new_row,
    stated_rates,
    stored_rates,
)
from blindmatch.node.storage.store import EdgeRow
from blindmatch.node.transport.identity import Caller
from blindmatch.protocol.agreement import Agreement
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.session.messages import Header
from blindmatch.protocol.threshold.transitions import ThresholdRole
from blindmatch.protocol.transcript import Signed

AT_ONCE: Final = 4
"""Open thresholds of a node: each has tables on its disk."""


class Membership(InboundComparisons[MemberDriver]):
    """All thresholds on which this node is a member and a collector is at work. See `InboundComparisons`."""

    role = ThresholdRole.MEMBER.value
    noun = "threshold"

    async def rates(self, caller: Caller, header: Header, agreement_id: bytes) -> Signed:
        """Start a threshold of a round and answer with our rates; the same again for the same round.

        Raises:
            PeerError: the agreement or the caller does not allow it; REFUSED when no collection is ready.
        """
        create = partial(self._create, caller, agreement_id, header)
        row, agreement = await self.start(caller, agreement_id, header, create)
        return await self._in_thread(stated_rates, self._node, agreement, row)

    async def join(self, caller: Caller, header: Header, rates: list[Signed]) -> MemberDriver:
        """Accept the rates of all members; our elements are being blinded when this returns.

        Raises:
            PeerError: UNKNOWN_ROUND, WRONG_STATE, or a statement is not what the agreement allows.
            AgreementError: no key is specific enough for these lists.
        """
        row, agreement = await self.find(caller, header)
        await self._in_thread(accept_rates, self._node, agreement, row, rates)
        return await self._prepared(row, agreement)

    async def session(self, caller: Caller, header: Header, *, disclosing: bool = True) -> MemberDriver:
        """A threshold that was joined before, perhaps in an earlier process.

        Args:
            caller: must be the collector.
            header: names round and threshold.
            disclosing: the agreement must still allow a round now.

        Raises:
            PeerError: see `find`; WRONG_STATE before it was joined.
        """
        row, agreement = await self.find(caller, header, disclosing=disclosing)
        if (row.round_id, row.edge) not in self._drivers and not await asyncio.to_thread(
            stored_rates, self._node, agreement, row
        ):
            raise PeerError(PeerCode.WRONG_STATE, "the members' rates come first")
        return await self._prepared(row, agreement)

    async def sign(self, caller: Caller, header: Header, receipt: Signed, tables: list[Signed]) -> bytes:
        """Countersign the collector's receipt; the same receipt again gets the same 64 bytes.

        Raises:
            PeerError: BAD_RECEIPT, and those of `session`.
        """
        signature = await self.repeated_signature(caller, header, receipt)
        if signature is not None:
            return signature
        member = await self.session(caller, header, disclosing=False)
        return await member.countersign(receipt, tables)

    async def _prepared(self, row: EdgeRow, agreement: Agreement) -> MemberDriver:
        member = await self.driver(row, agreement, MemberDriver)
        member.prepare()
        return member

    def _create(self, caller: Caller, agreement_id: bytes, header: Header, agreement: Agreement) -> EdgeRow:
        with self.own_collection(caller, header.edge):
            row = new_row(self._node, agreement, agreement_id, header)
        return self.store_new(row, agreement, disclosure="threshold")

    def _check_parties(self, agreement: Agreement, name: str, caller: Caller) -> None:
        terms = agreement.threshold(name)
        if agreement.collector != caller.agency:
            raise PeerError(PeerCode.WRONG_AGENCY, f"the collector of this agreement is not {caller.agency}")
        if self._node.agency not in terms.agencies:
            raise PeerError(PeerCode.WRONG_AGENCY, f"{self._node.agency} is not a member of this threshold")

    @property
    def _capacity(self) -> tuple[int, int]:
        return AT_ONCE, AT_ONCE
