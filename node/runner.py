"""Runs a round: every edge that this node receives and every threshold that it collects, one failing without the others.

A round that was cut off goes on from its checkpoints: `run_round(..., resume_round=...)`.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, closing, suppress
from typing import Any

from blindmatch.node import circle
from blindmatch.node.agreements import bindings, book
from blindmatch.node.agreements.book import Held
from blindmatch.node.agreements.exchange import gather, push
from blindmatch.node.audit import AuditEvent
from blindmatch.node.client import connector, patiently
from blindmatch.node.collecting import CollectingWork
from blindmatch.node.convert.status import RefusalError
from blindmatch.node.doors import Door
from blindmatch.node.edgework import Means, threads
from blindmatch.node.engine import open_engine
from blindmatch.node.home import Node
from blindmatch.node.logs import logger
from blindmatch.node.outcomes import EdgeOutcome, RoundOutcome, ended, outcome_of, words_of
from blindmatch.node.receiving import Progress, ReceivingEdge, kind_of
from blindmatch.node.services.member import NearDoor
from blindmatch.node.store import FAILED, EdgeRow
from blindmatch.node.turns import Turn, Turns
from blindmatch.node.upkeep import sweep
from blindmatch.node.workspace import RoundFiles
from blindmatch.protocol.agreement import Agreement, Edge, Threshold
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
from blindmatch.protocol.threshold import Role as Circle

_RUN = (Role.RECEIVER.value, Circle.COLLECTOR.value)
"""Roles in which a node runs a round; in the others it waits to be called."""

EDGES_AT_ONCE = 8
"""Edges that one process works on: while one waits for its sender, the others use the processor. Each takes a fixed
amount of memory and five bytes per element. See `turns` for who does not count."""

Waiting = Callable[[str, str, str], None]
"""Told the edge, the peer that cannot be reached, and the reason; again with every attempt."""

_UNTOLD = frozenset({PeerCode.UNSIGNED_AGREEMENT, PeerCode.UNKNOWN_AGREEMENT})
"""Refusals by a sender that has not heard who signed: we tell it, and try once more."""

_LATER = frozenset({PeerCode.UNAVAILABLE, PeerCode.WRONG_CERTIFICATE})
"""Failures after which the same round can still be finished, once somebody has put right what was wrong."""

_ANSWERED = frozenset({State.MATCHED.value, State.SIGNED.value})
"""Of an edge: states in which everything has been disclosed and only the receipt is left."""


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
    held, _ = await gather(node, held, connector(node))
    agreement = held.agreement
    await asyncio.to_thread(sweep, node)
    if resume_round is None:
        round_id, wanted = os.urandom(ROUND_BYTES), _wanted(node, agreement, edges)
        begun = await asyncio.to_thread(_begin, node, held, round_id, wanted)
    else:
        round_id, begun = (
            resume_round,
            await asyncio.to_thread(_again, node, agreement_id, resume_round, edges),
        )
    turns = Turns(EDGES_AT_ONCE)
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
                    means=Means(pool=pool, engine=engine, limits=limits),
                )
                return await _run_edge(node, edge, turn, wait_seconds, waiting)
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
    means: Means,
) -> ReceivingEdge[Any] | CollectingWork:
    """What works on one row."""
    if row.role == Role.RECEIVER.value:
        kind = kind_of(agreement.edge(row.edge).disclosure)
        return kind(node, row, agreement, progress=progress, silent=silent, **means)

    def own(of: EdgeRow, member: str) -> AbstractAsyncContextManager[Door] | None:
        return NearDoor.opened(node, agreement, of, **means) if member == node.agency else None

    return CollectingWork(node, row, agreement, progress=progress, own=own, **means)


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
            f"{node.agency} only sends under this agreement: {', '.join(dict.fromkeys(receivers))} runs the rounds",
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


def _begin(node: Node, held: Held, round_id: bytes, wanted: Sequence[str]) -> list[EdgeRow | EdgeOutcome]:
    """Store every edge with its seed before anything is sent; one that may not begin is reported, not raised."""
    begun: list[EdgeRow | EdgeOutcome] = []
    first: BlindmatchError | None = None
    for name in wanted:
        peer = _other_side(held.agreement.comparison(name))
        try:
            book.ready(node, held.id, node.clock(), edge=name)
            row = _row(node, held, round_id, name)
            # The log first: what it does not know of cannot be resumed either.
            detail = {"action": "opened", "agreement": held.id.hex()}
            if row.role == Role.RECEIVER.value:
                detail |= {"sender": row.peer, "collection": row.collection_id}
            else:
                detail |= {"members": row.peer}
            node.audit.append(
                AuditEvent.COMBINATION,
                subject=f"round {round_id.hex()} edge {name}",
                recipient=node.agency,
                detail=detail,
            )
            budget = held.agreement.rounds_budget
            node.store.start_edge(row, os.urandom(SEED_BYTES), rounds_budget=budget)
        except BlindmatchError as error:
            first = first or error
            begun.append(outcome_of(name, peer, FAILED, error))
            continue
        begun.append(node.store.edge(round_id, name))
    if first is not None and not any(isinstance(each, EdgeRow) for each in begun):
        raise first
    return begun


def _other_side(comparison: Edge | Threshold) -> str:
    if isinstance(comparison, Edge):
        return comparison.sender.agency
    return f"{len(comparison.members)} members"


def _others(agreement: Agreement, row: EdgeRow) -> list[str]:
    """The agencies on the other side of a row."""
    if row.role == Role.RECEIVER.value:
        return [row.peer]
    return [member for member in circle.terms_of(agreement, row).agencies if member != agreement.collector]


def _answered(row: EdgeRow) -> bool:
    """Whether everything has been disclosed and only the receipt is left: no agreement need allow it any more."""
    return row.state in (_ANSWERED if row.role == Role.RECEIVER.value else {State.SIGNED.value})


def _row(node: Node, held: Held, round_id: bytes, name: str) -> EdgeRow:
    """A new row, as this node runs it."""
    comparison = held.agreement.comparison(name)
    collecting = isinstance(comparison, Threshold)
    return EdgeRow(
        round_id=round_id,
        edge=name,
        agreement_id=held.id,
        role=Circle.COLLECTOR.value if collecting else Role.RECEIVER.value,
        peer=_other_side(comparison),
        collection_id="" if collecting else bindings.collection_for(node, held, name).id,
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
                if not _answered(row):
                    book.ready(node, agreement_id, node.clock(), edge=row.edge, resuming=round_id)
                begun.append(node.store.edge(round_id, row.edge))
            except (PeerError, AgreementError) as error:
                if (left := book.ended(node, agreement_id)) is not None:
                    begun.append(_withdrawn(node, row, left))
                    continue
                begun.append(outcome_of(row.edge, row.peer, row.state, error))
        else:
            begun.append(ended(node, row))
    return begun


def _withdrawn(node: Node, row: EdgeRow, left: PeerError) -> EdgeOutcome:
    """End an edge that can never go on: its secrets and files are of no use any more."""
    node.audit.append(
        AuditEvent.COMBINATION,
        subject=f"round {row.round_id.hex()} edge {row.edge}",
        recipient=node.agency,
        detail={"action": "failed", "sender": row.peer, "code": left.code.value},
    )
    node.store.fail(row.round_id, row.edge, code=left.code.value, reason=left.message[:400])
    RoundFiles(node.rounds_dir, row.round_id, row.edge).erase()
    return outcome_of(row.edge, row.peer, FAILED, left)


async def _run_edge(
    node: Node,
    edge: ReceivingEdge[Any] | CollectingWork,
    turn: Turn,
    wait_seconds: float,
    told: Waiting | None,
) -> EdgeOutcome:
    row, log = edge.row, logger(agency=node.agency, round=edge.row.round_id.hex(), edge=edge.row.edge)
    loop = asyncio.get_running_loop()
    started = loop.time()
    failure: BlindmatchError | None = None

    noted: list[object] = []

    def waits(error: PeerError) -> None:
        turn.give()
        log.info("waiting for the peer", peer=row.peer, reason=error.message)
        if noted != (
            now := [error.message, edge.progress]
        ):  # every attempt tells the same, and is written once
            noted[:] = now
            node.store.note_waiting(*edge.key, code=error.code.value, reason=error.message[:400])
        if told is not None:
            told(row.edge, row.peer, error.message)

    async def patient(step: Callable[[], Awaitable[None]]) -> None:
        async def attempt() -> None:
            await turn.take()
            await _informed(node, row, step)

        await patiently(attempt, wait_seconds=wait_seconds, progress=lambda: edge.progress, waiting=waits)

    try:
        await patient(edge.introduce)
        await turn.take()
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
        else:
            await asyncio.to_thread(_stopped, node, edge, error)
    finally:
        await edge.release()
    ours, theirs = edge.elements
    state = (await asyncio.to_thread(node.store.edge, *edge.key)).state
    return outcome_of(
        row.edge,
        row.peer,
        state,
        failure,
        leads=edge.leads,
        number=words_of(node, row),
        **edge.expected,
        receiver_elements=ours,
        sender_elements=theirs,
        sent_bytes=edge.sent,
        received_bytes=edge.received,
        seconds=loop.time() - started,
    )


def _stopped(node: Node, edge: ReceivingEdge[Any] | CollectingWork, error: BlindmatchError) -> None:
    """Why an edge that can go on later does not now: for who looks at its status."""
    code = error.code.value if isinstance(error, PeerError) else "local"
    with suppress(LocalError):  # another process has ended it
        node.store.note_waiting(*edge.key, code=code, reason=error.message[:400])


async def _informed(node: Node, row: EdgeRow, step: Callable[[], Awaitable[None]]) -> None:
    """One step under an agreement that still stands; a sender that knows less of it, or more, is talked to.

    Raises:
        PeerError: EXPIRED_AGREEMENT, with who left and why, also when the sender's refusal was the first we heard of it.
    """
    if not _answered(row) and (left := await asyncio.to_thread(book.ended, node, row.agreement_id)):
        raise left
    try:
        await step()
    except RefusalError as refusal:
        if refusal.reason is not PeerCode.EXPIRED_AGREEMENT and refusal.reason not in _UNTOLD:
            raise
        held = await asyncio.to_thread(book.find, node, row.agreement_id)
        # Each gives the other all that was signed: a word of withdrawal is believed with its signature only.
        await push(node, held, connector(node), _others(held.agreement, row))
        if left := await asyncio.to_thread(book.ended, node, row.agreement_id):
            raise left from None
        if refusal.reason not in _UNTOLD:
            raise
        await step()


def _final(edge: ReceivingEdge[Any] | CollectingWork, error: PeerError) -> bool:
    """Whether the round can never be finished on this edge. Our own faults are put right, the checkpoint waits."""
    if edge.built and edge.session.state.value == FAILED:
        return True
    reason = error.reason if isinstance(error, RefusalError) else error.code
    return reason not in _LATER
