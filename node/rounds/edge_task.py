"""One edge of a round, from its first attempt to what becomes of it: waiting, telling a peer what it missed, giving up.

The steps themselves are in `receiving` and `collecting`; which edges there are, and when each has its turn, is the runner's.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from blindmatch.node.agreements import registry
from blindmatch.node.agreements.exchange import push
from blindmatch.node.node import Node
from blindmatch.node.rounds.aggregate import results as aggregate_results
from blindmatch.node.rounds.leads import tally
from blindmatch.node.rounds.receiver import ReceivingEdge
from blindmatch.node.rounds.slots import Slot
from blindmatch.node.rounds.threshold.collector import CollectorDriver
from blindmatch.node.storage.logs import logger
from blindmatch.node.storage.store import CLOSED, FAILED, EdgeRow
from blindmatch.node.transport.client import connector, patiently
from blindmatch.node.transport.error_status import RefusalError
from blindmatch.protocol.aggregate.transitions import AggregateState
from blindmatch.protocol.errors import AgreementError, BlindmatchError, LocalError, PeerCode, PeerError
from blindmatch.protocol.hits.transitions import HitsState
from blindmatch.protocol.session.states import Role, State

Work = ReceivingEdge[Any] | CollectorDriver

Waiting = Callable[[str, str, str], None]
"""Told the edge, the peer that cannot be reached, and the reason; again with every attempt."""

_UNTOLD = frozenset({PeerCode.UNSIGNED_AGREEMENT, PeerCode.UNKNOWN_AGREEMENT})
"""Refusals by a sender that has not heard who signed: we tell it, and try once more."""

_LATER = frozenset({PeerCode.UNAVAILABLE, PeerCode.WRONG_CERTIFICATE})
"""Failures after which the same round can still be finished, once somebody has put right what was wrong."""

_DIVERGED = "The epoch has ended. Run the round again: it compares everything anew and begins another."

_ANSWERED = frozenset({HitsState.MATCHED.value, AggregateState.INFORMED.value, State.SIGNED.value})
"""Of an edge: states in which everything has been disclosed and only the receipt is left."""


@dataclass(frozen=True)
class EdgeOutcome:
    """How one edge ended this time."""

    edge: str
    peer: str
    state: str
    """`closed`, `failed`, or the state from which it can be resumed."""
    leads: int = 0
    number: str = ""
    """What a count, a sum or a threshold says, in words."""
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

    @property
    def waiting(self) -> bool:
        """Whether the edge can be resumed once its peer is back."""
        return self.state not in {CLOSED, FAILED} and self.code not in {"", "local"}


def answered(row: EdgeRow) -> bool:
    """Whether everything has been disclosed and only the receipt is left: no agreement need allow it any more.

    A threshold's members are told their outcomes when it is matched already, and sign when all were.
    """
    return row.state in (_ANSWERED if row.role == Role.RECEIVER.value else {State.SIGNED.value})


def words_of(node: Node, row: EdgeRow) -> str:
    """What a count, a sum or a threshold says in numbers; empty where there is none."""
    if row.role == Role.RECEIVER.value:
        return aggregate_results.words(node, row.round_id, row.edge)
    told = tally(node, row.round_id, row.edge)
    return told.words if told else ""


async def run_edge(
    node: Node,
    edge: Work,
    turn: Slot,
    wait_seconds: float,
    told: Waiting | None,
) -> EdgeOutcome:
    """Everything that is left to do on an edge; an error is its outcome.

    Args:
        node: this node.
        edge: what works on it.
        turn: taken; given away while the edge waits.
        wait_seconds: since it last got further.
        told: about every wait.
    """
    row, log = edge.row, logger(agency=node.agency, round=edge.row.round_id.hex(), edge=edge.row.edge)
    loop = asyncio.get_running_loop()
    started = loop.time()
    failure: BlindmatchError | None = None
    noted: list[object] = []

    def waits(error: PeerError) -> None:
        turn.give()
        log.info("waiting for the peer", peer=row.peer, reason=error.message)
        now = [error.message, edge.progress]
        if noted != now:  # every attempt tells the same, and is written once
            noted[:] = now
            node.store.note_waiting(*edge.key, code=error.code.value, reason=error.message)
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
        **(edge.delta if isinstance(edge, ReceivingEdge) else {}),
        receiver_elements=ours,
        sender_elements=theirs,
        sent_bytes=edge.sent,
        received_bytes=edge.received,
        seconds=loop.time() - started,
    )


def _stopped(node: Node, edge: Work, error: BlindmatchError) -> None:
    """Why an edge that can go on later does not now: for who looks at its status."""
    code = error.code.value if isinstance(error, PeerError) else "local"
    with suppress(LocalError):  # another process has ended it
        node.store.note_waiting(*edge.key, code=code, reason=error.message)


async def _informed(node: Node, row: EdgeRow, step: Callable[[], Awaitable[None]]) -> None:
    """One step under an agreement that still stands; a sender that knows less of it, or more, is talked to.

    Raises:
        PeerError: EXPIRED_AGREEMENT, with who left and why, also when the sender's refusal was the first we heard of it.
    """
    if not answered(row) and (left := await asyncio.to_thread(registry.termination, node, row.agreement_id)):
        raise left
    try:
        await step()
    except RefusalError as refusal:
        if refusal.reason is not PeerCode.EXPIRED_AGREEMENT and refusal.reason not in _UNTOLD:
            raise
        held = await asyncio.to_thread(registry.find, node, row.agreement_id)
        # Each gives the other all that was signed: a word of withdrawal is believed with its signature only.
        peers = [row.peer] if row.role == Role.RECEIVER.value else None  # a collector works with every member
        await push(node, held, connector(node), peers)
        if left := await asyncio.to_thread(registry.termination, node, row.agreement_id):
            raise left from None
        if refusal.reason not in _UNTOLD:
            raise
        await step()


def _final(edge: Work, error: PeerError) -> bool:
    """Whether the round can never be finished on this edge. Our own faults are put right, the checkpoint waits."""
    if edge.built and edge.session.state.value == FAILED:
        return True
    reason = error.reason if isinstance(error, RefusalError) else error.code
    return reason not in _LATER


def outcome_of(
    edge: str, peer: str, state: str, error: BlindmatchError | None, **figures: float | str
) -> EdgeOutcome:
    """How an edge ended, with the code and the words of what stopped it."""
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
