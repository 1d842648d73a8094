"""One comparison of a round, from its first attempt to its outcome: waiting, informing a peer, failing.

The steps are in the drivers, see `outbound`; `runner` decides which comparisons run and when.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from blindmatch.node.agreements import registry
from blindmatch.node.agreements.exchange import push
from blindmatch.node.node import Node
from blindmatch.node.rounds.outbound import OutboundDriver
from blindmatch.node.rounds.rows import code_of, only_receipt_outstanding
from blindmatch.node.rounds.slots import Slot
from blindmatch.node.storage.logs import logger
from blindmatch.node.storage.store import CLOSED, FAILED, EdgeRow
from blindmatch.node.transport.client import connector, patiently
from blindmatch.node.transport.error_status import RefusalError
from blindmatch.protocol.errors import AgreementError, BlindmatchError, LocalError, PeerCode, PeerError
from blindmatch.protocol.session.states import Role

Driver = OutboundDriver[Any]

Waiting = Callable[[str, str, str], None]
"""Called with the edge, the peer that cannot be reached, and the reason; again at every attempt."""

_UNINFORMED = frozenset({PeerCode.UNSIGNED_AGREEMENT, PeerCode.UNKNOWN_AGREEMENT})
"""Refusals by a sender that lacks signatures: we send it ours and try once more."""

_RESUMABLE = frozenset({PeerCode.UNAVAILABLE, PeerCode.WRONG_CERTIFICATE})
"""Failures after which the same round can still be finished, once an administrator has removed the cause."""

_DIVERGED = "The epoch has ended. Run the round again: it compares all records again and opens a new epoch."


@dataclass(frozen=True)
class EdgeOutcome:
    """How one edge ended this time."""

    edge: str
    peer: str
    state: str
    """`closed`, `failed`, or the state from which it can be resumed."""
    leads: int = 0
    number: str = ""
    """The disclosed count, sum or number of shared keys, in words."""
    keys: int = 0
    """Match keys that both sides compiled; 0 before."""
    expected_true: float = 0.0
    """Leads that the model expects under the agreed overlap; 0 for a schema that lists its keys."""
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
    """Of a delta round: our records that are gone or changed."""
    code: str = ""
    reason: str = ""
    hint: str = ""

    @property
    def waiting(self) -> bool:
        """Whether the edge can be resumed once its peer is back."""
        return self.state not in {CLOSED, FAILED} and self.code not in {"", "local"}


async def run_edge(
    node: Node,
    driver: Driver,
    slot: Slot,
    wait_seconds: float,
    on_wait: Waiting | None,
) -> EdgeOutcome:
    """All remaining steps of a comparison; an error becomes its outcome.

    Args:
        node: this node.
        driver: of the comparison.
        slot: acquired; released while the comparison waits.
        wait_seconds: since its last progress.
        on_wait: called at every wait.
    """
    row = driver.row
    log = logger(agency=node.agency, round=row.round_id.hex(), edge=row.edge)
    loop = asyncio.get_running_loop()
    started = loop.time()
    failure: BlindmatchError | None = None
    stored: list[object] = []

    def waits(error: PeerError) -> None:
        slot.release()
        log.info("waiting for the peer", peer=row.peer, reason=error.message)
        now = [error.message, driver.progress]
        if stored != now:  # every attempt has the same reason, which is stored once
            stored[:] = now
            node.store.note_waiting(*driver.key, code=error.code.value, reason=error.message)
        if on_wait is not None:
            on_wait(row.edge, row.peer, error.message)

    async def patient(step: Callable[[], Awaitable[None]]) -> None:
        async def attempt() -> None:
            await slot.acquire()
            await _attempt(node, row, step)

        await patiently(attempt, wait_seconds=wait_seconds, progress=lambda: driver.progress, waiting=waits)

    try:
        await patient(driver.agree_keys)
        await slot.acquire()
        await driver.build()
        await patient(driver.drive)
    except BlindmatchError as error:
        failure = error
        log.warning("edge stopped", peer=row.peer, reason=error.message)
        try:
            await driver.store_result()
        except BlindmatchError as unsaved:
            log.warning("the result cannot be stored", reason=unsaved.message)
        if isinstance(error, AgreementError) or (isinstance(error, PeerError) and _is_final(driver, error)):
            try:
                await asyncio.to_thread(driver.fail, error)
            except LocalError as unwritten:  # the other edges continue; this one can be abandoned later
                log.warning("the edge's failure cannot be stored", reason=unwritten.message)
        else:
            # For its status: why it can be resumed, but does not continue now.
            note = partial(node.store.note_waiting, *driver.key, code=code_of(error), reason=error.message)
            with suppress(LocalError):  # another process has ended it
                await asyncio.to_thread(note)
    finally:
        await driver.release()
    ours, theirs = driver.elements
    state = (await asyncio.to_thread(node.store.edge, *driver.key)).state
    return outcome_of(
        row.edge,
        row.peer,
        state,
        failure,
        leads=driver.leads,
        number=driver.result_text(node, row),
        **driver.expected,
        **driver.delta,
        receiver_elements=ours,
        sender_elements=theirs,
        sent_bytes=driver.sent,
        received_bytes=driver.received,
        seconds=loop.time() - started,
    )


async def _attempt(node: Node, row: EdgeRow, step: Callable[[], Awaitable[None]]) -> None:
    """One step under an agreement that is in force; exchanges signatures with a sender that has fewer, or more.

    Raises:
        PeerError: EXPIRED_AGREEMENT, with who withdrew and why, also when we learn of it from the sender's refusal.
    """
    if not only_receipt_outstanding(row):
        ended = await asyncio.to_thread(registry.termination, node, row.agreement_id)
        if ended is not None:
            raise ended
    try:
        await step()
    except RefusalError as refusal:
        if refusal.reason is not PeerCode.EXPIRED_AGREEMENT and refusal.reason not in _UNINFORMED:
            raise
        held = await asyncio.to_thread(registry.find, node, row.agreement_id)
        # Each sends the other all signatures: a withdrawal is accepted only with a valid signature.
        peers = [row.peer] if row.role == Role.RECEIVER.value else None  # a collector works with every member
        await push(node, held, connector(node), peers)
        ended = await asyncio.to_thread(registry.termination, node, row.agreement_id)
        if ended is not None:
            raise ended from None
        if refusal.reason not in _UNINFORMED:
            raise
        await step()


def _is_final(driver: Driver, error: PeerError) -> bool:
    """Whether the round can never be finished on this edge. After a fault of our own, the checkpoint remains."""
    if driver.built and driver.session.state.value == FAILED:
        return True
    reason = error.reason if isinstance(error, RefusalError) else error.code
    return reason not in _RESUMABLE


def outcome_of(
    edge: str, peer: str, state: str, error: BlindmatchError | None, **figures: float | str
) -> EdgeOutcome:
    """How an edge ended, with the code and the message of the error that stopped it."""
    cause = {}
    if error is not None:
        cause = {"code": code_of(error), "reason": error.message, "hint": error.hint}
    if isinstance(error, RefusalError):
        cause["code"] = error.reason.value
        if error.reason is PeerCode.DIVERGED:
            cause["hint"] = error.hint or _DIVERGED
    return EdgeOutcome(edge, peer, state, **cause, **figures)  # type: ignore[arg-type] # counts
