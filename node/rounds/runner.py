"""Runs a round: every edge that this node receives and every threshold that it collects, one failing without the others.

A round that was cut off goes on from its checkpoints: `run_round(..., resume_round=...)`.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, closing
from dataclasses import asdict, dataclass
from typing import Any

from blindmatch.node.agreements import registry
from blindmatch.node.agreements.exchange import collect_signatures
from blindmatch.node.agreements.registry import StoredAgreement
from blindmatch.node.compute.engine import open_engine
from blindmatch.node.node import Node
from blindmatch.node.rounds import standing
from blindmatch.node.rounds.disclosures import kind_of
from blindmatch.node.rounds.driver import WorkerContext, threads
from blindmatch.node.rounds.edge_task import EdgeOutcome, Waiting, answered, outcome_of, run_edge, words_of
from blindmatch.node.rounds.inputs import context_of
from blindmatch.node.rounds.receiver import Progress, ReceivingEdge
from blindmatch.node.rounds.retention import give_up, purge_expired
from blindmatch.node.rounds.slots import Slots
from blindmatch.node.rounds.threshold import inputs as threshold_inputs
from blindmatch.node.rounds.threshold.collector import CollectorDriver
from blindmatch.node.rounds.threshold.member import LocalMember
from blindmatch.node.rounds.threshold.members import MemberNode
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.round_files import RoundFiles
from blindmatch.node.storage.store import CLOSED, FAILED, DeltaRow, EdgeRow, EpochRow
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
from blindmatch.protocol.standing import read_receipt
from blindmatch.protocol.threshold import ThresholdReceiptTerms as CircleReceipt
from blindmatch.protocol.threshold import ThresholdRole as Circle

_RUN = (Role.RECEIVER.value, Circle.COLLECTOR.value)
"""Roles in which a node runs a round; in the others it waits to be called."""

EDGES_AT_ONCE = 8
"""Edges that one process works on: while one waits for its sender, the others use the processor. Each takes a fixed
amount of memory and five bytes per element. See `turns` for who does not count."""


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
        """Some edge can go on."""
        return any(edge.state not in {CLOSED, FAILED} for edge in self.edges)

    @property
    def leads(self) -> int:
        """Leads over all edges."""
        return sum(edge.leads for edge in self.edges)

    @property
    def numbers(self) -> int:
        """Edges that told a number, or that there is too little to tell."""
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
    return [row for row in rows if row.role in _RUN]


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
    """Run, or go on with, a round under an agreement.

    Args:
        node: open; the receiver.
        agreement_id: 32 bytes.
        edges: only these of the edges that we receive; None for all.
        resume_round: go on with this round, 16 bytes, instead of starting one.
        full: end the epochs that are open, and compare everything anew.
        wait_seconds: how long each edge waits for a peer that cannot be reached, since it last got further.
        progress: told the edge, the step, and how many of how many chunks; called in the event loop.
        waiting: told about every edge that waits for its peer; called in the event loop.
        limits: must be the same on every node of the agreement; tests shrink them.

    Returns:
        How every edge ended; an edge that failed does not raise.

    Raises:
        PeerError, AgreementError: no round may run under the agreement now.
        LocalError: nothing to run, or no collection is bound.
    """
    held = await asyncio.to_thread(_admit, node, agreement_id)
    # A party that signed while we could not be reached: its signature is fetched now. What is missing still is said below.
    held, _ = await collect_signatures(node, held, connector(node))
    agreement = held.agreement
    await asyncio.to_thread(purge_expired, node)
    if resume_round is None:
        round_id, wanted = os.urandom(ROUND_BYTES), _wanted(node, agreement, edges)
        begun = await asyncio.to_thread(_begin, node, held, round_id, wanted, full=full)
    else:
        round_id, begun = (
            resume_round,
            await asyncio.to_thread(_again, node, agreement_id, resume_round, edges),
        )
    turns = Slots(EDGES_AT_ONCE)
    with closing(open_engine(node.settings)) as engine, threads(node.settings, engine) as pool:

        async def one(start: EdgeRow | EdgeOutcome) -> EdgeOutcome:
            if isinstance(start, EdgeOutcome):
                return start
            turn = turns.turn()

            def report(edge: str, step: str, done: int, total: int) -> None:
                if step != "wait":  # what the sender says of its own preparation is no work of ours
                    turn.moved()
                (progress or _silent)(edge, step, done, total)

            await turn.take()
            try:
                edge = _work(
                    node,
                    start,
                    agreement,
                    progress=report,
                    # When the next edge begins shall not depend on how long a lookup takes.
                    silent=turn.give,
                    means=WorkerContext(pool=pool, engine=engine, limits=limits),
                )
                return await run_edge(node, edge, turn, wait_seconds, waiting)
            finally:
                turn.give()

        outcomes = await asyncio.gather(*(one(start) for start in begun))
    return RoundOutcome(round_id, agreement_id, tuple(outcomes))


def _work(
    node: Node,
    row: EdgeRow,
    agreement: Agreement,
    *,
    progress: Progress,
    silent: Callable[[], None],
    means: WorkerContext,
) -> ReceivingEdge[Any] | CollectorDriver:
    """What works on one row."""
    if row.role == Role.RECEIVER.value:
        kind = kind_of(node, agreement, row)
        return kind(node, row, agreement, progress=progress, silent=silent, **means)

    def own(of: EdgeRow, member: str) -> AbstractAsyncContextManager[MemberNode] | None:
        return LocalMember.opened(node, agreement, of, **means) if member == node.agency else None

    return CollectorDriver(node, row, agreement, progress=progress, own=own, **means)


def abandon(node: Node, round_id: bytes) -> int:
    """Give up what is unfinished of a round that this node runs; how many edges and thresholds they were.

    Seeds and snapshots are wiped and the working files erased. The other side is left: it gives up by itself.
    """
    rows = [row for row in unfinished(node) if row.round_id == round_id]
    collected = {(row.round_id, row.edge) for row in rows if row.role == Circle.COLLECTOR.value}
    # A collector's own membership has nobody else to end it.
    rows += [
        row
        for row in node.store.edges(round_id, running=True)
        if row.role == Circle.MEMBER.value and row.peer == node.agency and collected
    ]
    for row in rows:
        give_up(node, row, "given up by an officer")
    return len(rows)


def _silent(_edge: str, _step: str, _done: int, _total: int) -> None:
    """Nobody watches."""


def _admit(node: Node, agreement_id: bytes) -> StoredAgreement:
    """The agreement; each edge's own budget is looked at when it begins."""
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
            hint="This node takes part as long as it serves: `blindmatch node serve`. "
            "`blindmatch round status` shows what it is asked for.",
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


def _begin(
    node: Node, held: StoredAgreement, round_id: bytes, wanted: Sequence[str], *, full: bool
) -> list[EdgeRow | EdgeOutcome]:
    """Store every edge with its seed before anything is sent; one that may not begin is reported, not raised."""
    begun: list[EdgeRow | EdgeOutcome] = []
    first: BlindmatchError | None = None
    for name in wanted:
        peer = _other_side(held.agreement.comparison(name))
        try:
            registry.usable_agreement(node, held.id, node.clock(), edge=name)
            epoch = _epoch(node, held, name, full=full)
            row = _row(node, held, round_id, name)
            # The log first: what it does not know of cannot be resumed either.
            detail = {"agreement": held.id.hex()}
            if row.role == Role.RECEIVER.value:
                detail |= {"sender": row.peer, "collection": row.collection_id}
            else:
                detail |= {"members": row.peer}
            node.audit.round_event(
                AuditEvent.COMBINATION, "opened", (round_id, name), recipient=node.agency, **detail
            )
            budget = held.agreement.rounds_budget
            delta = None if epoch is None else DeltaRow(round_id, name, epoch.epoch, epoch.number + 1)
            node.store.start_edge(row, os.urandom(SEED_BYTES), rounds_budget=budget, delta=delta)
        except BlindmatchError as error:
            first = first or error
            begun.append(outcome_of(name, peer, FAILED, error))
            continue
        begun.append(node.store.edge(round_id, name))
    if first is not None and not any(isinstance(each, EdgeRow) for each in begun):
        raise first
    return begun


def _epoch(node: Node, held: StoredAgreement, name: str, *, full: bool) -> EpochRow | None:
    """The epoch that a new round goes on with, or None for one that compares everything."""
    edge = held.agreement.comparison(name)
    if not isinstance(edge, Edge) or not standing.stands(held.agreement, edge):
        return None
    epoch = standing.current(node, held.id, edge.id, Role.RECEIVER)
    if epoch is not None and full:
        standing.end(node, epoch, "an officer began anew")
        return None
    return epoch


def _other_side(comparison: Edge | Threshold) -> str:
    if isinstance(comparison, Edge):
        return comparison.sender.agency
    return f"{len(comparison.members)} members"


def _row(node: Node, held: StoredAgreement, round_id: bytes, name: str) -> EdgeRow:
    """A new row, as this node runs it."""
    comparison = held.agreement.comparison(name)
    collecting = isinstance(comparison, Threshold)
    return EdgeRow(
        round_id=round_id,
        edge=name,
        agreement_id=held.id,
        role=Circle.COLLECTOR.value if collecting else Role.RECEIVER.value,
        peer=_other_side(comparison),
        collection_id="" if collecting else standing.collection_for(node, held, name).id,
        state=State.PREPARING.value,
        started_at=int(node.clock()),
    )


def _again(
    node: Node, agreement_id: bytes, round_id: bytes, edges: Sequence[str] | None
) -> list[EdgeRow | EdgeOutcome]:
    rows = [row for row in node.store.edges(round_id) if row.role in _RUN]
    if not rows or any(row.agreement_id != agreement_id for row in rows):
        raise LocalError(
            f"there is no round {round_id.hex()} of ours under this agreement",
            hint="See `blindmatch round status`.",
        )
    begun: list[EdgeRow | EdgeOutcome] = []
    for row in rows:
        if edges is not None and row.edge not in edges:
            continue
        if row.running:
            try:
                if not answered(row):
                    registry.usable_agreement(
                        node, agreement_id, node.clock(), edge=row.edge, resuming=round_id
                    )
                begun.append(node.store.edge(round_id, row.edge))
            except (PeerError, AgreementError) as error:
                if (left := registry.termination(node, agreement_id)) is not None:
                    begun.append(_withdrawn(node, row, left))
                    continue
                begun.append(outcome_of(row.edge, row.peer, row.state, error))
        else:
            begun.append(_ended(node, row))
    return begun


def _withdrawn(node: Node, row: EdgeRow, left: PeerError) -> EdgeOutcome:
    """End an edge that can never go on: its secrets and files are of no use any more."""
    node.audit.round_event(
        AuditEvent.COMBINATION,
        "failed",
        (row.round_id, row.edge),
        recipient=node.agency,
        sender=row.peer,
        code=left.code.value,
    )
    node.store.fail(row.round_id, row.edge, code=left.code.value, reason=left.message)
    RoundFiles(node.rounds_dir, row.round_id, row.edge).erase()
    return outcome_of(row.edge, row.peer, FAILED, left)


def _ended(node: Node, row: EdgeRow) -> EdgeOutcome:
    """An edge that ended earlier, as its receipt and the store tell."""
    ours = theirs = 0
    if row.receipt and row.role == Circle.COLLECTOR.value:
        circle_context = threshold_inputs.context_of(registry.find(node, row.agreement_id).agreement, row)
        theirs = sum(CircleReceipt.parse(row.receipt, circle_context).elements)
    elif row.receipt:
        context = context_of(registry.find(node, row.agreement_id).agreement, row)
        said = read_receipt(row.receipt, context)
        ours, theirs = said.receiver_elements, said.sender_elements
    return EdgeOutcome(
        row.edge,
        row.peer,
        row.state,
        leads=len(node.store.leads(row.round_id, row.edge)),
        number=words_of(node, row),
        receiver_elements=ours,
        sender_elements=theirs,
        code=row.code,
        reason=row.reason,
    )
