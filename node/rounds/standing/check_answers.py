"""Single records that other agencies submit or ask about: counted, answered alike whatever matches, looked up afterwards.

A submission is written as it came, in a row of one size, and answered; a lookup in the background then replaces it by another row of
the same size. A question is answered from the epoch's key alone.
"""

import asyncio
import os
from contextlib import suppress
from functools import partial

from blindmatch.node.agreements import registry
from blindmatch.node.node import Node
from blindmatch.node.rounds import standing
from blindmatch.node.rounds.standing import StoredEpoch, single_checks
from blindmatch.node.rounds.standing.codec import Check
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
from blindmatch.protocol.standing import single_check as protocol

LOOK_AFTER_SECONDS = 0.5
"""So long the first of some submissions waits; then all that came meanwhile are looked up together. How long a lookup takes depends
on what it finds, and an answer beside it may be slower: a caller shall not be able to put its next submission just there."""


class CheckAnswers:
    """What the server does with checks."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._looking: asyncio.Task[None] | None = None
        self._lists = single_checks.Lists(node)
        self._known: dict[tuple[bytes, str], StoredEpoch] = {}
        self._waiting, self._closing = asyncio.Event(), asyncio.Event()
        self._log = logger(agency=node.agency)

    async def submitted(self, caller: Caller, check: Check) -> None:
        """Take what the sender of an edge submits; it is looked up later.

        Raises:
            PeerError: the agreement or the caller does not allow it; BUDGET_SPENT; DIVERGED without such an epoch;
                BAD_COUNT, BAD_TAGS.
        """
        await asyncio.to_thread(self._take, caller, check)
        self._waiting.set()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(retrieve)

    async def asked(self, caller: Caller, check: Check) -> tuple[bytes, bytes]:
        """Evaluate what the receiver of an edge asks about: points and proof.

        Raises:
            PeerError: as `submitted`; BAD_POINT.
        """
        return await asyncio.to_thread(self._answer, caller, check)

    async def settle(self) -> None:
        """Look up what waits, now: nobody submits any more."""
        if self._looking is not None and not self._looking.done():
            self._closing.set()
            await asyncio.wait({self._looking})

    def _take(self, caller: Caller, check: Check) -> None:
        node = self._node
        agreement, most = self._agreement(caller, check, Role.RECEIVER)
        try:
            row = self._submission(caller, check, agreement)
        except BlindmatchError:
            node.store.count_check(check.agreement, check.name.header.edge, caller.agency, most=most)
            raise
        node.audit.append(
            AuditEvent.COMBINATION,
            subject=f"check {check.name.check.hex()} edge {check.name.header.edge}",
            recipient=node.agency,
            detail={"action": "submitted", "sender": caller.agency, "agreement": check.agreement.hex()},
        )
        node.store.put_check(row, most=most)

    def _submission(self, caller: Caller, check: Check, agreement: Agreement) -> CheckRow:
        """What is stored of a submission that is allowed, and as it must be."""
        node = self._node
        kept = self._epoch(check, agreement, Role.RECEIVER)
        context = kept.epoch.context
        rows = protocol.rows_of(check.content, kept.agreed.sender_tokens, context.row_bytes)
        check.name.context(kept.epoch)
        if not lookup.strictly_increasing(rows):
            raise PeerError(PeerCode.BAD_TAGS, "the tags do not strictly increase")
        now = int(node.clock())
        return CheckRow(
            id=check.name.check,
            epoch=kept.row.epoch,
            edge=kept.row.edge,
            agreement_id=check.agreement,
            peer=caller.agency,
            came_at=now,
            expires_at=now + agreement.retention_days * 86_400,
            looked=False,
            payload=single_checks.as_it_came(rows),
        )

    def _answer(self, caller: Caller, check: Check) -> tuple[bytes, bytes]:
        node = self._node
        agreement, most = self._agreement(caller, check, Role.SENDER)
        node.store.count_check(check.agreement, check.name.header.edge, caller.agency, most=most)
        kept = self._epoch(check, agreement, Role.SENDER)
        points = protocol.rows_of(check.content, kept.agreed.receiver_tokens, POINT_BYTES)
        node.audit.append(
            AuditEvent.DISCLOSURE,
            subject=f"check {check.name.check.hex()} edge {check.name.header.edge}",
            recipient=caller.agency,
            detail={"action": "asked", "agreement": check.agreement.hex()},
        )
        evaluated, proof = protocol.answer(kept.epoch, check.name, points, os.urandom(SEED_BYTES))
        return evaluated.tobytes(), proof

    def _agreement(self, caller: Caller, check: Check, role: Role) -> tuple[Agreement, int]:
        """The agreement of a check that comes from the right side of the edge, and how many it may be a day."""
        node, edge_id = self._node, check.name.header.edge
        row = node.store.find_agreement(check.agreement)
        if row is None or caller.agency not in (agreement := registry.open_stored(row).agreement).agencies:
            raise PeerError(PeerCode.UNKNOWN_AGREEMENT, "this node holds no such agreement with the caller")
        try:
            edge = agreement.edge(edge_id)
        except AgreementError as error:
            raise PeerError(PeerCode.UNKNOWN_ROUND, error.message) from None
        ours, theirs = (edge.receiver, edge.sender) if role is Role.RECEIVER else (edge.sender, edge.receiver)
        if (ours.agency, theirs.agency) != (node.agency, caller.agency):
            raise PeerError(PeerCode.WRONG_AGENCY, f"this is not for {caller.agency} to send over this edge")
        if agreement.party(caller.agency).certificate_key != caller.certificate_key:
            raise PeerError(
                PeerCode.WRONG_CERTIFICATE,
                f"{caller.agency} shows another certificate key than the agreement names",
            )
        if not standing.stands(agreement, edge) or agreement.standing is None:
            raise PeerError(PeerCode.WRONG_STATE, "the agreement is not a standing one, or not for this edge")
        return agreement, agreement.standing.checks_per_day

    def _epoch(self, check: Check, agreement: Agreement, role: Role) -> StoredEpoch:
        """The epoch of a check, when it is the one that is open."""
        node, edge_id = self._node, check.name.header.edge
        registry.usable_agreement(
            node, check.agreement, node.clock(), edge=edge_id, resuming=check.name.header.round_id
        )
        epoch = standing.current(node, check.agreement, edge_id, role)
        if epoch is None or epoch.epoch != check.name.header.round_id:
            raise PeerError(
                PeerCode.DIVERGED,
                f"{node.agency} holds no such epoch",
                hint="A full round begins one: blindmatch round run.",
            )
        known = self._known.get((epoch.epoch, epoch.edge))
        if known is None or known.row != epoch:
            known = self._known[epoch.epoch, epoch.edge] = standing.kept(node, agreement, epoch)
        return known

    async def _look(self) -> None:
        while self._waiting.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AFTER_SECONDS):
                    await self._closing.wait()
            self._waiting.clear()
            try:
                await asyncio.to_thread(partial(single_checks.look_up, self._node, self._lists))
            except BlindmatchError as error:
                self._log.warning("submissions wait to be looked up", reason=error.message)
