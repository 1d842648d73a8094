"""Runs a round: every edge on which this node is the receiver, a few at a time, one failing without the others.

A round that was cut off goes on from its checkpoints: `run_round(..., resume_round=...)`.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from blindmatch.node import standing
from blindmatch.node.agreements import book
from blindmatch.node.agreements.book import Held
from blindmatch.node.agreements.exchange import gather
from blindmatch.node.audit import AuditEvent
from blindmatch.node.client import connector, patiently
from blindmatch.node.convert.status import RefusalError
from blindmatch.node.edgework import threads
from blindmatch.node.engine import open_engine
from blindmatch.node.home import Node
from blindmatch.node.logs import logger
from blindmatch.node.preparation import context_of
from blindmatch.node.receiving import Progress, ReceivingEdge, kind_of
from blindmatch.node.store import CLOSED, FAILED, DeltaRow, EdgeRow, EpochRow
from blindmatch.node.upkeep import sweep
from blindmatch.node.workspace import RoundFiles
from blindmatch.protocol.agreement import Agreement, Edge
from blindmatch.protocol.errors import (
    AgreementError,
    BlindmatchError,
    ConfigError,
    LocalError,
    PeerCode,
    PeerError,
)
from blindmatch.protocol.limits import LIMITS, SEED_BYTES, Limits
from blindmatch.protocol.match import Role, State
from blindmatch.protocol.match.messages import ROUND_BYTES
from blindmatch.protocol.standing import read_receipt

EDGES_AT_ONCE = 8
"""Edges that one process works on: while one waits for its sender, the others use the processor. Each takes a fixed
amount of memory and five bytes per element."""

_LATER = frozenset({PeerCode.UNAVAILABLE, PeerCode.WRONG_CERTIFICATE})
"""Failures after which the same round can still be finished, once somebody has put right what was wrong."""

_DIVERGED = "The epoch has ended. Run the round again: it compares everything anew and begins another."

_ANSWERED = frozenset({State.MATCHED.value, State.SIGNED.value})
"""States in which everything has been disclosed and only the receipt is left: no agreement need allow it any more."""


@dataclass(frozen=True)
class EdgeOutcome:
    """How one edge ended this time."""

    edge: str
    peer: str
    state: str
    """`closed`, `failed`, or the state from which it can be resumed."""
    leads: int = 0
    keys: int = 0
    """Match keys that both sides compiled; 0 before."""
    expected_true: float = 0.0
    """Leads to expect by the model, under the agreed overlap; 0 for a schema that lists its keys."""
    expected_false: float = 0.0
    receiver_records: int = 0
    sender_records: int = 0
    receiver_elements: int = 0
    sender_elements: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    seconds: float = 0.0
    delta: int = 0
    """The delta round's number in its epoch; 0 for a full round."""
    added: int = 0
    """Of a delta round: our records that are new or changed."""
    removed: int = 0
    """Likewise: gone or changed."""
    code: str = ""
    reason: str = ""
    hint: str = ""


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


def unfinished(node: Node, agreement_id: bytes | None = None) -> list[EdgeRow]:
    """Edges that this node receives and that are neither closed nor failed."""
    rows = node.store.edges(agreement_id=agreement_id, running=True)
    return [row for row in rows if row.role == Role.RECEIVER.value]


async def run_round(
    node: Node,
    agreement_id: bytes,
    *,
    edges: Sequence[str] | None = None,
    resume_round: bytes | None = None,
    full: bool = False,
    wait_seconds: float = 0.0,
    progress: Progress | None = None,
    limits: Limits = LIMITS,
) -> RoundOutcome:
    """Run, or go on with, a round under an agreement.

    Args:
        node: open; the receiver.
        agreement_id: 32 bytes.
        edges: only these of the edges that we receive; None for all.
        resume_round: go on with this round, 16 bytes, instead of starting one.
        full: end the epochs that are open, and compare everything anew.
        wait_seconds: how long to wait for a peer that cannot be reached.
        progress: told the edge, the step, and how many of how many chunks; called in the event loop.
        limits: must be the same on every node of the agreement; tests shrink them.

    Returns:
        How every edge ended; an edge that failed does not raise.

    Raises:
        PeerError, AgreementError: no round may run under the agreement now.
        LocalError: nothing to run, or no collection is bound.
    """
    held = await asyncio.to_thread(_admit, node, agreement_id)
    # A party that signed while we could not be reached: its signature is fetched now. What is missing still is said below.
    held, _ = await gather(node, held, connector(node))
    agreement = held.agreement
    await asyncio.to_thread(sweep, node)
    if resume_round is None:
        round_id, wanted = os.urandom(ROUND_BYTES), _wanted(node, agreement, edges)
        begun = await asyncio.to_thread(_begin, node, held, round_id, wanted, full=full)
    else:
        round_id, begun = (
            resume_round,
            await asyncio.to_thread(_again, node, agreement_id, resume_round, edges),
        )
    at_once = asyncio.Semaphore(EDGES_AT_ONCE)
    with closing(open_engine(node.settings)) as engine, threads(node.settings, engine) as pool:

        async def one(start: EdgeRow | EdgeOutcome) -> EdgeOutcome:
            if isinstance(start, EdgeOutcome):
                return start
            await at_once.acquire()
            place = [at_once]

            def silent() -> None:
                """Give the place to the next edge: when that begins shall not depend on how long a lookup takes."""
                if place:
                    place.pop().release()

            try:
                edge = kind_of(node, agreement, start)(
                    node,
                    start,
                    agreement,
                    progress=progress or _silent,
                    silent=silent,
                    pool=pool,
                    engine=engine,
                    limits=limits,
                )
                return await _run_edge(node, edge, wait_seconds)
            finally:
                silent()

        outcomes = await asyncio.gather(*(one(start) for start in begun))
    return RoundOutcome(round_id, agreement_id, tuple(outcomes))


def abandon(node: Node, round_id: bytes) -> int:
    """Give up every unfinished edge of a round that this node receives; how many they were.

    Seeds and snapshots are wiped and the working files erased. The sender's side is left: it gives up by itself.
    """
    rows = [row for row in unfinished(node) if row.round_id == round_id]
    for row in rows:
        node.audit.append(
            AuditEvent.ERASURE,
            subject=f"round {round_id.hex()} edge {row.edge}",
            detail={"action": "abandoned", "sender": row.peer},
        )
        node.store.fail(round_id, row.edge, code="abandoned", reason="given up by an officer")
        RoundFiles(node.rounds_dir, round_id, row.edge).erase()
    return len(rows)


def _silent(_edge: str, _step: str, _done: int, _total: int) -> None:
    """Nobody watches."""


def _admit(node: Node, agreement_id: bytes) -> Held:
    """The agreement; each edge's own budget is looked at when it begins."""
    held = book.find(node, agreement_id)
    if not held.agreement.edges_received_by(node.agency):
        raise LocalError(
            f"{node.agency} receives nothing under this agreement", hint="The other parties run the round."
        )
    return held


def _wanted(node: Node, agreement: Agreement, edges: Sequence[str] | None) -> list[str]:
    received = [edge.id for edge in agreement.edges_received_by(node.agency)]
    unknown = set(edges or ()) - set(received)
    if unknown:
        raise ConfigError(
            f"{node.agency} does not receive {', '.join(sorted(unknown))}",
            hint="Edges: " + ", ".join(received),
        )
    return [edge for edge in received if edges is None or edge in edges]


def _begin(
    node: Node, held: Held, round_id: bytes, wanted: Sequence[str], *, full: bool
) -> list[EdgeRow | EdgeOutcome]:
    """Store every edge with its seed before anything is sent; one that may not begin is reported, not raised."""
    begun: list[EdgeRow | EdgeOutcome] = []
    first: BlindmatchError | None = None
    for name in wanted:
        edge = held.agreement.edge(name)
        try:
            book.ready(node, held.id, node.clock(), edge=name)
            epoch = _epoch(node, held, edge, full=full)
            row = EdgeRow(
                round_id=round_id,
                edge=name,
                agreement_id=held.id,
                role=Role.RECEIVER.value,
                peer=edge.sender.agency,
                collection_id=standing.collection_for(node, held, name).id,
                state=State.PREPARING.value,
                started_at=int(node.clock()),
            )
            # The log first: what it does not know of cannot be resumed either.
            node.audit.append(
                AuditEvent.COMBINATION,
                subject=f"round {round_id.hex()} edge {name}",
                recipient=node.agency,
                detail={
                    "action": "opened",
                    "sender": row.peer,
                    "agreement": held.id.hex(),
                    "collection": row.collection_id,
                },
            )
            budget = held.agreement.rounds_budget
            delta = None if epoch is None else DeltaRow(round_id, name, epoch.epoch, epoch.number + 1)
            node.store.start_edge(row, os.urandom(SEED_BYTES), rounds_budget=budget, delta=delta)
        except BlindmatchError as error:
            first = first or error
            begun.append(_outcome(name, edge.sender.agency, FAILED, error))
            continue
        begun.append(node.store.edge(round_id, name))
    if first is not None and not any(isinstance(each, EdgeRow) for each in begun):
        raise first
    return begun


def _epoch(node: Node, held: Held, edge: Edge, *, full: bool) -> EpochRow | None:
    """The epoch that a new round goes on with, or None for one that compares everything."""
    if not standing.stands(held.agreement, edge):
        return None
    epoch = standing.current(node, held.id, edge.id, Role.RECEIVER)
    if epoch is not None and full:
        standing.end(node, epoch, "an officer began anew")
        return None
    return epoch


def _again(
    node: Node, agreement_id: bytes, round_id: bytes, edges: Sequence[str] | None
) -> list[EdgeRow | EdgeOutcome]:
    rows = [row for row in node.store.edges(round_id) if row.role == Role.RECEIVER.value]
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
                if row.state not in _ANSWERED:
                    book.ready(node, agreement_id, node.clock(), edge=row.edge, resuming=round_id)
                begun.append(node.store.edge(round_id, row.edge))
            except (PeerError, AgreementError) as error:
                begun.append(_outcome(row.edge, row.peer, row.state, error))
        else:
            begun.append(_ended(node, row))
    return begun


def _ended(node: Node, row: EdgeRow) -> EdgeOutcome:
    """An edge that ended earlier, as its receipt and the store tell."""
    ours = theirs = 0
    if row.receipt:
        context = context_of(book.find(node, row.agreement_id).agreement, row)
        said = read_receipt(row.receipt, context)
        ours, theirs = said.receiver_elements, said.sender_elements
    return EdgeOutcome(
        row.edge,
        row.peer,
        row.state,
        leads=len(node.store.leads(row.round_id, row.edge)),
        receiver_elements=ours,
        sender_elements=theirs,
        code=row.code,
        reason=row.reason,
    )


async def _run_edge(node: Node, edge: ReceivingEdge[Any], wait_seconds: float) -> EdgeOutcome:
    row, log = edge.row, logger(agency=node.agency, round=edge.row.round_id.hex(), edge=edge.row.edge)
    loop = asyncio.get_running_loop()
    started = loop.time()
    failure: BlindmatchError | None = None

    async def patient(step: Callable[[], Awaitable[None]]) -> None:
        await patiently(
            step,
            wait_seconds=wait_seconds,
            progress=lambda: edge.progress,
            waiting=lambda error: log.info("waiting for the peer", peer=row.peer, reason=error.message),
        )

    try:
        await patient(edge.introduce)
        await edge.build()
        await patient(edge.drive)
    except BlindmatchError as error:
        failure = error
        log.warning("edge stopped", peer=row.peer, reason=error.message)
        try:
            await edge.salvage()
        except BlindmatchError as unsaved:
            log.warning("leads cannot be kept", reason=unsaved.message)
        if isinstance(error, AgreementError) or (isinstance(error, PeerError) and _final(edge, error)):
            try:
                await asyncio.to_thread(edge.give_up, error)
            except LocalError as unwritten:  # the other edges go on; this one can be given up later
                log.warning("the edge's failure cannot be written", reason=unwritten.message)
    finally:
        await edge.release()
    ours, theirs = edge.elements
    state = (await asyncio.to_thread(node.store.edge, *edge.key)).state
    return _outcome(
        row.edge,
        row.peer,
        state,
        failure,
        leads=edge.leads,
        **edge.expected,
        **edge.delta,
        receiver_elements=ours,
        sender_elements=theirs,
        sent_bytes=edge.sent,
        received_bytes=edge.received,
        seconds=loop.time() - started,
    )


def _final(edge: ReceivingEdge[Any], error: PeerError) -> bool:
    """Whether the round can never be finished on this edge. Our own faults are put right, the checkpoint waits."""
    if edge.built and edge.session.state is State.FAILED:
        return True
    reason = error.reason if isinstance(error, RefusalError) else error.code
    return reason not in _LATER


def _outcome(
    edge: str, peer: str, state: str, error: BlindmatchError | None, **figures: float
) -> EdgeOutcome:
    code, reason, hint = "", "", ""
    if error is not None:
        if isinstance(error, RefusalError):
            code = error.reason.value
            if error.reason is PeerCode.DIVERGED:
                hint = _DIVERGED
        elif isinstance(error, PeerError):
            code = error.code.value
        else:
            code = "agreement" if not isinstance(error, LocalError) else "local"
        reason, hint = error.message, error.hint or hint
    return EdgeOutcome(edge, peer, state, code=code, reason=reason, hint=hint, **figures)  # type: ignore[arg-type] # counts
