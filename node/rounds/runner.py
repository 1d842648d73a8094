"""Runs a round: every edge that this node receives and every threshold that it collects; each can fail without the others.

An interrupted round is resumed from its checkpoints: `run_round(..., resume_round=...)`.
"""

import asyncio
import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

from blindmatch.node.agreements import registry
from blindmatch.node.agreements.exchange import collect_signatures
from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.compute.engine import open_engine
from blindmatch.node.node import Node
from blindmatch.node.rounds.disclosures import new_round, outbound_kind
from blindmatch.node.rounds.driver import WorkerContext, threads
from blindmatch.node.rounds.edge_task import EdgeOutcome, Waiting, outcome_of, run_edge
from blindmatch.node.rounds.outbound import Progress
from blindmatch.node.rounds.retention import purge_expired
from blindmatch.node.rounds.rows import OUTBOUND_ROLES, abandon_row, only_receipt_outstanding
from blindmatch.node.rounds.slots import Slots
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.round_files import RoundFiles
from blindmatch.node.storage.store import CLOSED, FAILED, DeltaRow, EdgeRow
from blindmatch.node.transport.client import connector
from blindmatch.protocol.agreement import Agreement, Edge, Threshold
from blindmatch.protocol.errors import (
    AgreementError,
    BlindmatchError,
    ConfigError,
    LocalError,
    PeerError,
)
from blindmatch.protocol.limits import LIMITS, SEED_BYTES, Limits
from blindmatch.protocol.session.messages import ROUND_BYTES
from blindmatch.protocol.session.states import Role, State
from blindmatch.protocol.threshold.transitions import ThresholdRole

EDGES_AT_ONCE = 8
"""Edges that one process works on: while one waits for its sender, the others use the processor. Each uses a fixed
amount of memory and five bytes per element. Edges that only wait do not count: see `slots`."""


@dataclass(frozen=True)
class RoundOutcome:
    """How a round ended this time."""

    round_id: bytes
    agreement_id: bytes
    edges: tuple[EdgeOutcome, ...]

    @property
    def complete(self) -> bool:
        """Every edge is closed."""
        return all(edge.state == CLOSED for edge in self.edges)

    @property
    def resumable(self) -> bool:
        """Some edge can be resumed."""
        return any(edge.state not in {CLOSED, FAILED} for edge in self.edges)

    @property
    def leads(self) -> int:
        """Leads over all edges."""
        return sum(edge.leads for edge in self.edges)

    @property
    def numbers(self) -> int:
        """Edges that disclosed a number, or that the number is withheld."""
        return sum(bool(edge.number) for edge in self.edges)

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        return {
            "round": self.round_id.hex(),
            "agreement": self.agreement_id.hex(),
            "complete": self.complete,
            "leads": self.leads,
            "numbers": self.numbers,
            "edges": [asdict(edge) for edge in self.edges],
        }


def unfinished(node: Node, agreement_id: bytes | None = None) -> list[EdgeRow]:
    """Edges that this node receives, and thresholds that it collects, which are neither closed nor failed."""
    rows = node.store.edges(agreement_id=agreement_id, running=True)
    return [row for row in rows if row.role in OUTBOUND_ROLES]


async def run_round(
    node: Node,
    agreement_id: bytes,
    *,
    edges: Sequence[str] | None = None,
    resume_round: bytes | None = None,
    full: bool = False,
    wait_seconds: float = 0.0,
    progress: Progress | None = None,
    waiting: Waiting | None = None,
    limits: Limits = LIMITS,
) -> RoundOutcome:
    """Run, or resume, a round under an agreement.

    Args:
        node: open; the receiver.
        agreement_id: 32 bytes.
        edges: only these of the edges that this node receives; None for all.
        resume_round: resume this round, 16 bytes, instead of starting one.
        full: end the open epochs, and compare all records.
        wait_seconds: how long each edge waits for a peer that cannot be reached, since its last progress.
        progress: see `Progress`; called in the event loop.
        waiting: see `Waiting`; called in the event loop.
        limits: must be the same on every node of the agreement; tests shrink them.

    Returns:
        How every edge ended; an edge that failed does not raise.

    Raises:
        PeerError, AgreementError: no round may run under the agreement now.
        LocalError: nothing to run, or no collection is bound.
    """
    held = await asyncio.to_thread(_admit, node, agreement_id)
    # Fetch the signatures of parties that signed while this node could not be reached; missing ones are reported below.
    held, _ = await collect_signatures(node, held, connector(node))
    agreement = held.agreement
    await asyncio.to_thread(purge_expired, node)
    if resume_round is None:
        round_id, wanted = os.urandom(ROUND_BYTES), _wanted(node, agreement, edges)
        started = await asyncio.to_thread(_start, node, held, round_id, wanted, full=full)
    else:
        round_id = resume_round
        started = await asyncio.to_thread(_resume, node, agreement_id, resume_round, edges)
    slots = Slots(EDGES_AT_ONCE)
    with closing(open_engine(node.settings)) as engine, threads(node.settings, engine) as pool:

        async def one(start: EdgeRow | EdgeOutcome) -> EdgeOutcome:
            if isinstance(start, EdgeOutcome):
                return start
            slot = slots.slot()

            def report(edge: str, step: str, done: int, total: int) -> None:
                if step != "wait":  # the sender's report on its own preparation is no progress of ours
                    slot.touch()
                if progress is not None:
                    progress(edge, step, done, total)

            await slot.acquire()
            try:
                driver = outbound_kind(node, agreement, start)(
                    node,
                    start,
                    agreement,
                    progress=report,
                    # The start of the next edge must not depend on the duration of a lookup.
                    release_slot=slot.release,
                    **WorkerContext(pool=pool, engine=engine, limits=limits),
                )
                return await run_edge(node, driver, slot, wait_seconds, waiting)
            finally:
                slot.release()

        outcomes = await asyncio.gather(*(one(start) for start in started))
    return RoundOutcome(round_id, agreement_id, tuple(outcomes))


def abandon(node: Node, round_id: bytes) -> int:
    """Abandon the unfinished edges and thresholds of a round that this node runs; how many they were.

    Seeds and snapshots are wiped and the working files erased. The other side abandons its part by itself.
    """
    rows = [row for row in unfinished(node) if row.round_id == round_id]
    collected = {(row.round_id, row.edge) for row in rows if row.role == ThresholdRole.COLLECTOR.value}
    # No other node ends a collector's own membership.
    rows += [
        row
        for row in node.store.edges(round_id, running=True)
        if row.role == ThresholdRole.MEMBER.value and row.peer == node.agency and collected
    ]
    for row in rows:
        abandon_row(node, row, "given up by an officer")
    return len(rows)


def _admit(node: Node, agreement_id: bytes) -> StoredAgreement:
    """The agreement; the budget of each edge is checked when the edge starts."""
    held = registry.find(node, agreement_id)
    if not _runs(node, held.agreement):
        agreement = held.agreement
        receivers = [edge.receiver.agency for edge in agreement.edges if edge.sender.agency == node.agency]
        if any(node.agency in threshold.agencies for threshold in agreement.thresholds):
            receivers.append(agreement.collector)
        if not receivers:
            raise LocalError(
                f"{node.agency} is on no edge of this agreement", hint="The other parties run its rounds."
            )
        raise LocalError(
            f"{node.agency} only sends under this agreement: its rounds are run by "
            + ", ".join(dict.fromkeys(receivers)),
            hint="This node takes part while it serves: `blindmatch node serve`. "
            "`blindmatch round status` shows its rounds.",
        )
    return held


def _runs(node: Node, agreement: Agreement) -> list[str]:
    """The edges that this node receives and the thresholds that it collects."""
    received = [edge.id for edge in agreement.edges_received_by(node.agency)]
    if agreement.collector == node.agency:
        received += [threshold.id for threshold in agreement.thresholds]
    return received


def _wanted(node: Node, agreement: Agreement, edges: Sequence[str] | None) -> list[str]:
    received = _runs(node, agreement)
    unknown = set(edges or ()) - set(received)
    if unknown:
        raise ConfigError(
            f"{node.agency} neither receives nor collects {', '.join(sorted(unknown))}",
            hint="Edges: " + ", ".join(received),
        )
    return [edge for edge in received if edges is None or edge in edges]


def _start(
    node: Node, held: StoredAgreement, round_id: bytes, wanted: Sequence[str], *, full: bool
) -> list[EdgeRow | EdgeOutcome]:
    """Store every edge with its seed before anything is sent; an edge that must not start is reported, not raised."""
    started: list[EdgeRow | EdgeOutcome] = []
    first: BlindmatchError | None = None
    for name in wanted:
        peer = _other_side(held.agreement.comparison(name))
        try:
            registry.usable_agreement(node, held.id, node.clock(), edge=name)
            row, delta = _new_row(node, held, round_id, name, full=full)
            # Write the audit entry first: a round without one cannot be resumed either.
            detail = {"agreement": held.id.hex()}
            if row.role == Role.RECEIVER.value:
                detail |= {"sender": row.peer, "collection": row.collection_id}
            else:
                detail |= {"members": row.peer}
            node.audit.round_event(
                AuditEvent.COMBINATION, "opened", (round_id, name), recipient=node.agency, **detail
            )
            budget = held.agreement.rounds_budget
            node.store.start_edge(row, os.urandom(SEED_BYTES), rounds_budget=budget, delta=delta)
        except BlindmatchError as error:
            first = first or error
            started.append(outcome_of(name, peer, FAILED, error))
            continue
        started.append(node.store.edge(round_id, name))
    if first is not None and not any(isinstance(each, EdgeRow) for each in started):
        raise first
    return started


def _other_side(comparison: Edge | Threshold) -> str:
    if isinstance(comparison, Edge):
        return comparison.sender.agency
    return f"{len(comparison.members)} members"


def _new_row(
    node: Node, held: StoredAgreement, round_id: bytes, name: str, *, full: bool
) -> tuple[EdgeRow, DeltaRow | None]:
    """A new row, and the delta round that it is, if it is one."""
    comparison = held.agreement.comparison(name)
    role, collection_id, delta = ThresholdRole.COLLECTOR.value, "", None
    if isinstance(comparison, Edge):
        collection, delta = new_round(node, held, comparison, round_id, full=full)
        role, collection_id = Role.RECEIVER.value, collection.id
    row = EdgeRow(
        round_id=round_id,
        edge=name,
        agreement_id=held.id,
        role=role,
        peer=_other_side(comparison),
        collection_id=collection_id,
        state=State.PREPARING.value,
        started_at=int(node.clock()),
    )
    return row, delta


def _resume(
    node: Node, agreement_id: bytes, round_id: bytes, edges: Sequence[str] | None
) -> list[EdgeRow | EdgeOutcome]:
    rows = [row for row in node.store.edges(round_id) if row.role in OUTBOUND_ROLES]
    if not rows or any(row.agreement_id != agreement_id for row in rows):
        raise LocalError(
            f"there is no round {round_id.hex()} of ours under this agreement",
            hint="See `blindmatch round status`.",
        )
    started: list[EdgeRow | EdgeOutcome] = []
    for row in rows:
        if edges is not None and row.edge not in edges:
            continue
        if row.running:
            try:
                if not only_receipt_outstanding(row):
                    registry.usable_agreement(
                        node, agreement_id, node.clock(), edge=row.edge, resuming=round_id
                    )
                started.append(node.store.edge(round_id, row.edge))
            except (PeerError, AgreementError) as error:
                if (ended := registry.termination(node, agreement_id)) is not None:
                    started.append(_withdrawn(node, row, ended))
                    continue
                started.append(outcome_of(row.edge, row.peer, row.state, error))
        else:
            started.append(_ended(node, row))
    return started


def _withdrawn(node: Node, row: EdgeRow, ended: PeerError) -> EdgeOutcome:
    """End an edge that can never be resumed: its secrets and files are of no use."""
    node.audit.round_event(
        AuditEvent.COMBINATION,
        "failed",
        (row.round_id, row.edge),
        recipient=node.agency,
        sender=row.peer,
        code=ended.code.value,
    )
    node.store.fail(row.round_id, row.edge, code=ended.code.value, reason=ended.message)
    RoundFiles(node.rounds_dir, row.round_id, row.edge).erase()
    return outcome_of(row.edge, row.peer, FAILED, ended)


def _ended(node: Node, row: EdgeRow) -> EdgeOutcome:
    """An edge that ended earlier, from its receipt and the store."""
    agreement = registry.find(node, row.agreement_id).agreement
    kind = outbound_kind(node, agreement, row)
    ours, theirs = kind.receipt_elements(agreement, row) if row.receipt else (0, 0)
    return EdgeOutcome(
        row.edge,
        row.peer,
        row.state,
        leads=len(node.store.leads(row.round_id, row.edge)),
        number=kind.result_text(node, row),
        receiver_elements=ours,
        sender_elements=theirs,
        code=row.code,
        reason=row.reason,
    )
