"""One edge on the receiver's side, whatever it discloses: rates, the session, commitments, the receipt, giving up.

Checkpoint, then send: every step that a later message depends on is in the files and in the store first. `drive` can be
called again after any failure of the network, and by a new process after a crash.
"""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Generic, Protocol, TypeVar, Unpack

from blindmatch.node.node import Node
from blindmatch.node.rounds import edge_codec
from blindmatch.node.rounds.driver import EdgeDriver, Session, WorkerContext
from blindmatch.node.rounds.inputs import (
    CompiledEdge,
    EdgeInputs,
    check_rates,
    compile_edge,
    context_of,
    state_rates,
)
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.node.storage.store import EdgeRow, ExtraWrites
from blindmatch.node.transport.client import Peer, connect
from blindmatch.protocol.agreement import Agreement
from blindmatch.protocol.errors import (
    AgreementError,
    BlindmatchError,
    LocalError,
    PeerCode,
    PeerError,
    SequenceError,
)
from blindmatch.protocol.session.messages import Header, Receipt
from blindmatch.protocol.session.session import SessionTerms
from blindmatch.protocol.session.states import Role, State
from blindmatch.protocol.transcript import Signed

Progress = Callable[[str, str, int, int], None]
"""Told the edge, the step (`prepare`, `wait`, `exchange`, `tags`, `close`), and how many of how many chunks."""

IN_FLIGHT = 16
"""Chunks sent ahead of their answers: the sender stores one checkpoint for all that it finds waiting."""

_SECONDS_PER_ELEMENT = 0.005
"""Of a stream's deadline: far slower than any backend, so that only a stuck peer meets it."""


class ReceivingSession(Session, Protocol):
    """What every receiver's session can do, besides what both roles can."""

    @property
    def peer_elements(self) -> int:
        """Elements that the sender committed to; 0 before."""

    def receipt(self, opened_at: int, closed_at: int) -> Signed:
        """The receipt with our signature."""

    def receive_receipt_signature(self, signature: bytes) -> Receipt:
        """Check the sender's signature over it, and close."""


Live = TypeVar("Live", bound=ReceivingSession)


class ReceivingEdge(EdgeDriver[Live], Generic[Live]):
    """One edge on which this node is the receiver. What a disclosure adds: `_start`, `drive`, `progress`, `salvage`.

    Args:
        node: this node, the receiver.
        row: the edge as stored, with seed and snapshot.
        agreement: checked.
        progress: told about every chunk.
        silent: called when nothing more will be sent, before what takes as long as it finds; perhaps more than once.
        means: see `Means`.
    """

    event = AuditEvent.COMBINATION

    def __init__(
        self,
        node: Node,
        row: EdgeRow,
        agreement: Agreement,
        *,
        progress: Progress,
        silent: Callable[[], None],
        **means: Unpack[WorkerContext],
    ) -> None:
        super().__init__(node, row, agreement, **means)
        self.sent = 0
        self.received = 0
        self.leads = 0
        self._edge = agreement.edge(row.edge)
        self._progress = progress
        self._silent = silent
        self._agreed: CompiledEdge | None = None
        self._made: EdgeInputs | None = None

    @property
    def built(self) -> bool:
        """Whether there is a session."""
        return self._session is not None

    @property
    def elements(self) -> tuple[int, int]:
        """Elements that the receiver and the sender bring; zeros before they are known."""
        if self._session is None or self._made is None:
            return 0, 0
        return len(self._made.elements), self._session.peer_elements

    @property
    @abstractmethod
    def progress(self) -> object:
        """Another value whenever the edge gets further."""

    @abstractmethod
    def _start(self, terms: SessionTerms) -> Live:
        """The session, new or restored."""

    @abstractmethod
    async def drive(self) -> None:
        """Everything that is left to do with the sender, from the state that the session is in.

        Raises:
            PeerError: UNAVAILABLE, after which this may be called again; or the edge has failed.
        """

    async def salvage(self) -> None:
        """Keep what is ours when the sender does not sign."""

    async def introduce(self) -> None:
        """Exchange rates with the sender, unless that was done before, and compile the round's keys.

        Raises:
            PeerError: UNAVAILABLE, after which this may be called again; or the edge has failed.
            AgreementError: no key is specific enough for these lists.
            LocalError: the collection is not there.
        """
        ours = self.row.receiver_rates
        if ours is None:
            ours = await self._in_pool(self._state)
        if self.row.sender_rates is None:
            async with self._connected() as peer:
                request = edge_codec.PrepareRequest(self._header(0), self.row.agreement_id, ours)
                reply = await peer.call(
                    peer.match.Prepare,
                    edge_codec.prepare_request(request),
                    seconds=self._stream_seconds(peer, self._edge.sender.max_elements),
                )
                header, theirs = edge_codec.read_prepare_reply(reply)
                self._check(header)
            await self._in_pool(self._keep, Role.SENDER, theirs)
        self._agreed = await self._in_pool(compile_edge, self._agreement, self.row)

    def _state(self) -> Signed:
        node = self._node
        signed = state_rates(node, node.keys.identity, self._agreement, self.row)
        self._keep(Role.RECEIVER, signed)
        return signed

    def _keep(self, role: Role, signed: Signed) -> None:
        """A statement into the store, before anything follows from it."""
        answers = None if role is Role.RECEIVER else self.row.receiver_rates
        check_rates(self._agreement, context_of(self._agreement, self.row), role, signed, answers)
        self._node.store.put_rates(*self.key, role, signed)
        self.row = self._node.store.edge(*self.key)

    @property
    def agreed(self) -> CompiledEdge:
        """What both sides compiled, once `introduce` has."""
        if self._agreed is None:
            raise SequenceError("the edge's rates were not exchanged")
        return self._agreed

    @property
    def expected(self) -> dict[str, float]:
        """Keys, records, and true and false leads to expect; empty before the keys are compiled."""
        if self._agreed is None:
            return {}
        compiled = self._agreed.compiled
        return {
            "keys": len(compiled.keys),
            "receiver_records": self._agreed.receiver_records,
            "sender_records": self._agreed.sender_records,
            "expected_true": round(compiled.expected_true, 2),
            "expected_false": round(compiled.expected_false, 2),
        }

    @property
    def delta(self) -> Mapping[str, int]:
        """Of a delta round, its number and how many of our records changed; else nothing."""
        return {}

    async def build(self) -> None:
        """The session from seed, snapshot and collection; then every chunk blinded and our commitment kept.

        Raises:
            LocalError: the collection or the files are not what they were; or another process is at work on the edge,
                or has ended it.
        """

        def make() -> None:
            self._files.hold()
            # Read again now that nobody else can write: another process may have got further since.
            row = self.row = self._node.store.edge(*self.key)
            if not row.running:
                raise LocalError(
                    f"this edge of the round is {row.state}", hint="See `blindmatch round status`."
                )
            self._made, terms = self._terms(row, self.agreed)
            self._session = self._start(terms)

        await self._in_pool(make)
        session = self.session
        if session.state == State.PREPARING:
            await self._prepare_chunks(lambda: self._report("prepare", session.prepared, session.chunks))
            await self._alone(lambda live: live.commit(), save=True)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Peer]:
        async with connect(
            self._node, self.row.peer, certificate_key=self._party.certificate_key, limits=self._limits
        ) as peer:
            try:
                with peer.errors():
                    yield peer
            finally:
                self.sent += peer.traffic.sent
                self.received += peer.traffic.received

    async def _open(self, peer: Peer) -> None:
        """Give our commitment, wait for the sender's: both are compared with what came before a crash."""
        commitment = await self._alone(lambda live: live.commit())
        call = self._opening(peer, commitment)
        try:
            while True:
                header, body = edge_codec.read_open_reply(await peer.next(call))
                self._check(header)
                if isinstance(body, edge_codec.Progress):
                    self._report("wait", body.done, body.total)
                    continue
                await self._alone(partial(_take_commitment, signed=body), save=True)
                return await peer.end(call)
        finally:
            call.cancel()

    def _opening(self, peer: Peer, commitment: Signed) -> Any:
        """The call that gives our commitment."""
        request = edge_codec.OpenRequest(self._header(0), self.row.agreement_id, commitment)
        return peer.match.Open(
            edge_codec.open_request(request),
            timeout=self._stream_seconds(peer, self._edge.sender.max_elements),
        )

    def _service(self, peer: Peer) -> Any:
        """Whose steps these are, at the sender."""
        return peer.match

    def _sign(self, session: Live) -> None:
        session.receipt(self.row.started_at, int(self._node.clock()))
        self._save(session)

    async def _close(self, peer: Peer) -> bytes:
        """The sender's signature over the receipt, not verified yet."""
        times = self.row.started_at, int(self._node.clock())
        receipt = await self._alone(lambda session: session.receipt(*times))
        reply = await peer.call(self._service(peer).Close, edge_codec.close_request(self._header(0), receipt))
        header, signature = edge_codec.read_close_reply(reply)
        self._check(header)
        return signature

    def _finish(self, session: Live, signature: bytes) -> None:
        node = self._node
        signed = session.receive_receipt_signature(signature)
        signatures = {node.agency: signed.receiver_signature, self.row.peer: signed.sender_signature}
        # The log first: a crash in between makes it say something twice, never leave something out.
        self._note("closed", recipient=node.agency, sender=self.row.peer, **self._found)
        extra_writes = self._closing(session, signed)
        node.store.finish(*self.key, receipt=signed.payload, signatures=signatures, extra_writes=extra_writes)
        self._files.erase()
        self._closed()

    def _closing(self, _session: Live, _receipt: Receipt) -> ExtraWrites | None:
        """What is stored together with the receipt."""
        return None

    def _closed(self) -> None:
        """The round has closed."""

    @property
    def _found(self) -> Mapping[str, str | int]:
        """What the audit log says of the result when the edge closes."""
        return {}

    def give_up(self, error: PeerError | AgreementError) -> None:
        """The edge has failed: remember why, wipe its secrets, erase its files."""
        self._fail(error, sender=self.row.peer)

    def _check(self, header: Header) -> None:
        if (header.round_id, header.edge) != self.key:
            raise PeerError(PeerCode.UNKNOWN_ROUND, "the answer belongs to another round or edge")

    def _header(self, sequence: int) -> Header:
        return Header(self.row.round_id, self.row.edge, sequence)

    def _stream_seconds(self, peer: Peer, elements: int) -> float:
        return peer.call_seconds + elements * _SECONDS_PER_ELEMENT

    def _report(self, step: str, done: int, total: int) -> None:
        self._progress(self.row.edge, step, done, total)


def _take_commitment(session: ReceivingSession, signed: Signed) -> None:
    session.receive_commitment(signed)


def worst(group: ExceptionGroup) -> Exception:
    """What to report of several failures at once: a broken stream is often only the consequence of another."""
    flat = [worst(error) if isinstance(error, ExceptionGroup) else error for error in group.exceptions]
    return min(flat, key=_rank)


def _rank(error: Exception) -> int:
    if isinstance(error, BlindmatchError):
        return 1 if isinstance(error, PeerError) and error.code is PeerCode.UNAVAILABLE else 0
    return 3 if isinstance(error, asyncio.InvalidStateError) else 2
