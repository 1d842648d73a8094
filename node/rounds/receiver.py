"""The receiver's side of an edge, for every disclosure: rates, commitments, streams of chunks, the receipt."""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from functools import partial
from typing import Any, Generic, TypeVar

from blindmatch.node.rounds import edge_codec
from blindmatch.node.rounds.driver import EdgeDriver
from blindmatch.node.rounds.inputs import check_rates, compile_edge, context_of, state_rates
from blindmatch.node.rounds.outbound import OutboundDriver, stream_seconds
from blindmatch.node.rounds.tasks import task_group
from blindmatch.node.storage.store import EdgeRow
from blindmatch.node.transport.client import Peer
from blindmatch.protocol.agreement import Agreement
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.session.messages import Header
from blindmatch.protocol.session.session import ReceiverSession
from blindmatch.protocol.session.states import Role, State
from blindmatch.protocol.standing.statements import read_receipt
from blindmatch.protocol.transcript import Signed

IN_FLIGHT = 16
"""Chunks sent ahead of their answers: the sender stores one checkpoint for all that wait."""


Live = TypeVar("Live", bound=ReceiverSession[Any])


class ReceivingEdge(OutboundDriver[Live], EdgeDriver[Live], Generic[Live]):
    """One edge on which this node is the receiver.

    A disclosure adds `_start`, `_exchange`, `progress` and `_store_result`.
    """

    _result_stored = False

    @property
    def elements(self) -> tuple[int, int]:
        """See `OutboundDriver.elements`."""
        if self._session is None:
            return 0, 0
        return len(self.inputs.elements), self._session.peer_elements

    @property
    def expected(self) -> Mapping[str, float]:
        """See `OutboundDriver.expected`."""
        return self.agreed.expected if "agreed" in vars(self) else {}

    @property
    def _other_side(self) -> Mapping[str, str]:
        return {"sender": self.row.peer}

    @classmethod
    def receipt_elements(cls, agreement: Agreement, row: EdgeRow) -> tuple[int, int]:
        """See `OutboundDriver.receipt_elements`."""
        receipt = read_receipt(row.receipt, context_of(agreement, row))
        return receipt.receiver_elements, receipt.sender_elements

    async def agree_keys(self) -> None:
        """See `OutboundDriver.agree_keys`."""
        ours = self.row.receiver_rates
        if ours is None:
            ours = await self._in_thread(self._state_rates)
        if self.row.sender_rates is None:
            async with self._channel() as peer:
                request = edge_codec.prepare_request(self._header(0), self.row.agreement_id, ours)
                seconds = stream_seconds(peer, self._edge.sender.max_elements)
                reply = await peer.call(peer.match.Prepare, request, seconds=seconds)
                header, theirs = edge_codec.prepare_reply.read(reply)
                self._check(header)
            await self._in_thread(self._store_rates, Role.SENDER, theirs)
        self.agreed = await self._in_thread(compile_edge, self._agreement, self.row)

    def _state_rates(self) -> Signed:
        signed = state_rates(self._node, self._agreement, self.row)
        self._store_rates(Role.RECEIVER, signed)
        return signed

    def _store_rates(self, role: Role, signed: Signed) -> None:
        """Store a statement, before anything follows from it."""
        answers = None if role is Role.RECEIVER else self.row.receiver_rates
        check_rates(self._agreement, context_of(self._agreement, self.row), role, signed, answers)
        self._node.store.put_rates(*self.key, role, signed)
        self.row = self._node.store.edge(*self.key)

    async def build(self) -> None:
        """Create the session, blind every chunk, and store our commitment; see `OutboundDriver.build`."""
        await super().build()
        session = self.session
        if session.state == State.PREPARING:
            await self._prepare_chunks(
                session, lambda: self._report("prepare", session.prepared, session.chunks)
            )
            await self._step(lambda live: live.commit(), save=True)

    async def _drive(self) -> None:
        async with self._channel() as peer:
            await self._exchange(peer)
            signature = await self._close(peer)
        # Only now, when the channel is closed too: the duration of this work depends on the result.
        self._release_slot()
        await self._step(self._store_result)
        await self._step(lambda session: self._finish(session, signature))
        self._report("close", 1, 1)

    @abstractmethod
    async def _exchange(self, peer: Peer) -> None:
        """All remaining steps up to the signed receipt."""

    @abstractmethod
    def _store_result(self, session: Live) -> None:
        """Compute and store the result, then the checkpoint; a repetition replaces the result."""

    async def store_result(self) -> None:
        """Store the result although the sender does not sign: the sender has received all that it will receive."""
        session = self._session
        if session is not None and session.state in self._result_states and not self._result_stored:
            await self._step(self._store_result)

    @property
    def _result_states(self) -> frozenset[StrEnum]:
        """States in which the result is complete."""
        return frozenset({State.SIGNED})

    @asynccontextmanager
    async def _channel(self) -> AsyncIterator[Peer]:
        async with self._connect(self.row.peer) as peer:
            with peer.errors():
                yield peer

    async def _open(self, peer: Peer) -> None:
        """Send our commitment and receive the sender's: both are compared with those of before a crash."""
        commitment = await self._step(lambda session: session.commit())
        call = self._open_call(peer, commitment)
        try:
            while True:
                header, body = edge_codec.open_reply.read(await peer.next(call))
                self._check(header)
                if isinstance(body, edge_codec.Progress):
                    self._report("wait", body.done, body.total)
                    continue
                await self._step(partial(ReceiverSession.receive_commitment, signed=body), save=True)
                return await peer.end(call)
        finally:
            call.cancel()

    def _open_call(self, peer: Peer, commitment: Signed) -> Any:
        request = edge_codec.open_request(self._header(0), self.row.agreement_id, commitment)
        return peer.match.Open(request, timeout=stream_seconds(peer, self._edge.sender.max_elements))

    async def _send_chunks(
        self,
        peer: Peer,
        call: Any,
        chunks: range,
        send: Callable[[int], Awaitable[Any]],
        receive: Callable[[int, Any], Awaitable[None]],
    ) -> None:
        """Send chunks ahead of their answers, `IN_FLIGHT` at most.

        Args:
            peer: the sender.
            call: a stream in both directions.
            chunks: the chunks to send.
            send: gives the message of a chunk.
            receive: processes the answer to a chunk.
        """
        ahead = asyncio.Semaphore(IN_FLIGHT)

        async def send_all() -> None:
            for index in chunks:
                await ahead.acquire()
                await call.write(await send(index))
            await call.done_writing()

        async def receive_all() -> None:
            for index in chunks:
                await receive(index, await peer.next(call))
                ahead.release()
            await peer.end(call)

        try:
            async with task_group() as tasks:
                tasks.create_task(send_all())
                tasks.create_task(receive_all())
        finally:
            call.cancel()

    @asynccontextmanager
    async def _background(
        self, work: Callable[[int], None], pending: range
    ) -> AsyncIterator[Callable[[int], Awaitable[None]]]:
        """Heavy work on chunks in the background, a bounded number at the same time; all of it is done at the end.

        Args:
            work: on one chunk.
            pending: chunks that arrived before a crash or an interruption, whose work is not done.

        Yields:
            A function that starts the work on a chunk, and waits while too much work is outstanding.
        """
        backlog = asyncio.Semaphore(self._engine.backlog)

        async def run(index: int) -> None:
            try:
                await self._in_thread(work, index)
            finally:
                backlog.release()

        async with task_group() as tasks:

            async def start(index: int) -> None:
                await backlog.acquire()
                tasks.create_task(run(index))

            for index in pending:
                await start(index)
            yield start

    def _service(self, peer: Peer) -> Any:
        """The sender's service of this edge's steps."""
        return peer.match

    def _sign(self, session: Live) -> None:
        session.receipt(self.row.started_at, int(self._node.clock()))
        self._save(session)

    async def _close(self, peer: Peer) -> bytes:
        """The sender's signature over the receipt, not verified yet."""
        times = self.row.started_at, int(self._node.clock())
        receipt = await self._step(lambda session: session.receipt(*times))
        reply = await peer.call(self._service(peer).Close, edge_codec.close_request(self._header(0), receipt))
        header, signature = edge_codec.close_reply.read(reply)
        self._check(header)
        return signature

    def _finish(self, session: Live, signature: bytes) -> None:
        signed = session.receive_receipt_signature(signature)
        self._record_close(
            signed.payload,
            {self._node.agency: signed.receiver_signature, self.row.peer: signed.sender_signature},
            recipient=self._node.agency,
            extra_writes=self._extra_writes(session, signed),
            sender=self.row.peer,
            **self._audit_detail,
        )
        self._after_close()

    @property
    def _audit_detail(self) -> Mapping[str, str | int]:
        """What the audit log states of the result when the edge closes."""
        return {}

    def _check(self, header: Header) -> None:
        if (header.round_id, header.edge) != self.key:
            raise PeerError(PeerCode.UNKNOWN_ROUND, "the answer belongs to another round or edge")

    def _header(self, sequence: int) -> Header:
        return Header(self.row.round_id, self.row.edge, sequence)
