"""Checks that other agencies run against this node: counted, and answered in the same way whether or not anything matches.

A submission is stored in a row of fixed size and answered. A background task then looks it up and replaces the row by a result of
the same size. A query is answered from the epoch's key alone.
"""

import asyncio
import os
from contextlib import suppress

from blindmatch.node.agreements import registry
from blindmatch.node.agreements.service import check_party
from blindmatch.node.node import Node
from blindmatch.node.rounds.rows import retained_until
from blindmatch.node.rounds.standing import check_lookup, epochs
from blindmatch.node.rounds.standing.codec import CheckRequest
from blindmatch.node.rounds.standing.stored_epoch import EpochCache, StoredEpoch
from blindmatch.node.rounds.tasks import retrieve
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.logs import logger
from blindmatch.node.storage.store import CheckRow
from blindmatch.node.transport.identity import Caller
from blindmatch.protocol.agreement import Agreement
from blindmatch.protocol.errors import AgreementError, BlindmatchError, PeerCode, PeerError
from blindmatch.protocol.hits import lookup
from blindmatch.protocol.limits import POINT_BYTES, SEED_BYTES
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.standing import single_check

LOOKUP_DELAY_SECONDS = 0.5
"""The time between a first submission and the lookup of all pending ones. The duration of a lookup depends on its hits, and it may slow
down other answers; with the delay, a caller cannot measure it by placing its next submission directly after another."""


class InboundChecks:
    """The checks that a server answers."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._cache = EpochCache(node)
        self._lookup: asyncio.Task[None] | None = None
        self._pending, self._closing = asyncio.Event(), asyncio.Event()
        self._log = logger(agency=node.agency)

    async def submit(self, caller: Caller, request: CheckRequest) -> None:
        """Store a record that the sender of an edge submits; it is looked up later.

        Raises:
            PeerError: the agreement or the caller does not allow it; BUDGET_SPENT; DIVERGED when the epoch is not open
                here; BAD_COUNT, BAD_TAGS.
        """
        await asyncio.to_thread(self._store, caller, request)
        self._pending.set()
        if self._lookup is None or self._lookup.done():
            self._lookup = asyncio.create_task(self._look_up())
            self._lookup.add_done_callback(retrieve)

    async def query(self, caller: Caller, request: CheckRequest) -> tuple[bytes, bytes]:
        """Evaluate the elements of a record that the receiver of an edge queries.

        Returns:
            The points, and the proof where evaluation is verified, or b"".

        Raises:
            PeerError: see `submit`; BAD_POINT.
        """
        return await asyncio.to_thread(self._answer, caller, request)

    async def settle(self) -> None:
        """Look up pending submissions now, once no further submission can arrive."""
        if self._lookup is not None and not self._lookup.done():
            self._closing.set()
            await asyncio.wait({self._lookup})

    def _store(self, caller: Caller, request: CheckRequest) -> None:
        node, edge = self._node, request.name.header.edge
        agreement, most = self._agreement(caller, request, Role.RECEIVER)
        try:
            row = self._pending_row(caller, request, agreement)
        except BlindmatchError:
            node.store.count_check(request.agreement, edge, caller.agency, most=most)
            raise
        node.audit.append(
            AuditEvent.COMBINATION,
            subject=f"check {request.name.check.hex()} edge {edge}",
            recipient=node.agency,
            detail={"action": "submitted", "sender": caller.agency, "agreement": request.agreement.hex()},
        )
        node.store.put_check(row, most=most)

    def _pending_row(self, caller: Caller, request: CheckRequest, agreement: Agreement) -> CheckRow:
        """The row of a submission that the agreement allows and that is well-formed."""
        node = self._node
        epoch = self._epoch(request, Role.RECEIVER)
        width = epoch.secrets.context.row_bytes
        rows = single_check.rows_of(request.content, epoch.agreed.sender_tokens, width)
        request.name.context(epoch.secrets)
        if not lookup.strictly_increasing(rows):
            raise PeerError(PeerCode.BAD_TAGS, "the tags do not strictly increase")
        return CheckRow(
            id=request.name.check,
            epoch=epoch.row.epoch,
            edge=epoch.row.edge,
            agreement_id=request.agreement,
            peer=caller.agency,
            came_at=int(node.clock()),
            expires_at=retained_until(node, agreement),
            looked=False,
            payload=check_lookup.pending_payload(rows),
        )

    def _answer(self, caller: Caller, request: CheckRequest) -> tuple[bytes, bytes]:
        node, edge = self._node, request.name.header.edge
        _, most = self._agreement(caller, request, Role.SENDER)
        node.store.count_check(request.agreement, edge, caller.agency, most=most)
        epoch = self._epoch(request, Role.SENDER)
        points = single_check.rows_of(request.content, epoch.agreed.receiver_tokens, POINT_BYTES)
        node.audit.append(
            AuditEvent.DISCLOSURE,
            subject=f"check {request.name.check.hex()} edge {edge}",
            recipient=caller.agency,
            detail={"action": "asked", "agreement": request.agreement.hex()},
        )
        evaluated, proof = single_check.answer_query(
            epoch.secrets, request.name, points, os.urandom(SEED_BYTES)
        )
        return evaluated.tobytes(), proof

    def _agreement(self, caller: Caller, request: CheckRequest, role: Role) -> tuple[Agreement, int]:
        """The agreement of a check that the other side of the edge sends, and the number of checks that it allows a day."""
        node = self._node
        row = node.store.find_agreement(request.agreement)
        if row is None or caller.agency not in (agreement := registry.open_stored(row).agreement).agencies:
            raise PeerError(PeerCode.UNKNOWN_AGREEMENT, "this node holds no such agreement with the caller")
        try:
            edge = agreement.edge(request.name.header.edge)
        except AgreementError as error:
            raise PeerError(PeerCode.UNKNOWN_ROUND, error.message) from None
        ours, theirs = (edge.receiver, edge.sender) if role is Role.RECEIVER else (edge.sender, edge.receiver)
        if (ours.agency, theirs.agency) != (node.agency, caller.agency):
            raise PeerError(PeerCode.WRONG_AGENCY, f"{caller.agency} may not call this method on this edge")
        check_party(agreement, caller)
        if not epochs.is_standing(agreement, edge) or agreement.standing is None:
            raise PeerError(
                PeerCode.WRONG_STATE, "this edge does not disclose hits under a standing agreement"
            )
        return agreement, agreement.standing.checks_per_day

    def _epoch(self, request: CheckRequest, role: Role) -> StoredEpoch:
        """The epoch of a check, if it is open."""
        node, header = self._node, request.name.header
        registry.usable_agreement(
            node, request.agreement, node.clock(), edge=header.edge, resuming=header.round_id
        )
        row = epochs.find_open(node, request.agreement, header.edge, role)
        epoch = None
        if row is not None and row.epoch == header.round_id:
            epoch = self._cache.find(row.epoch, row.edge)
        if epoch is None:
            raise PeerError(
                PeerCode.DIVERGED,
                f"this epoch is not open at {node.agency}",
                hint="A full round opens an epoch: blindmatch round run.",
            )
        return epoch

    async def _look_up(self) -> None:
        while self._pending.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOKUP_DELAY_SECONDS):
                    await self._closing.wait()
            self._pending.clear()
            try:
                await asyncio.to_thread(check_lookup.look_up, self._node, self._cache)
            except BlindmatchError as error:
                self._log.warning("submissions wait for their lookup", reason=error.message)
