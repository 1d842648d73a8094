"""One edge on the sender's side, whatever it discloses: commitments, and the receipt. See `served`."""

from abc import abstractmethod
from collections.abc import AsyncIterator
from typing import Generic, Protocol, TypeVar

from blindmatch.node.rounds.driver import EdgeDriver, Session
from blindmatch.node.rounds.inbound_session import InboundSession
from blindmatch.node.rounds.inputs import CompiledEdge, compile_edge
from blindmatch.node.storage.store import EdgeRow, ExtraWrites
from blindmatch.protocol.session.messages import Receipt
from blindmatch.protocol.session.statements import Commitment
from blindmatch.protocol.transcript import Signed


class SendingSession(Session, Protocol):
    """What every sender's session can do, besides what both roles can."""

    def countersign(self, receipt: Signed, now: int) -> Receipt:
        """Sign the receiver's receipt, and close."""


Live = TypeVar("Live", bound=SendingSession)


class SendingEdge(InboundSession[Live], EdgeDriver[Live], Generic[Live]):
    """One edge of one round, held by the server while a receiver works on it. What a disclosure adds: `_start`, and its steps."""

    commitment_kind: type[Commitment] = Commitment
    """What both sides commit to."""

    def prepare(self, commitment: Signed | None) -> None:
        """Begin the preparation in the background, once; `commitment` is the receiver's, when it just came."""
        self._begin(lambda: self._prepare(commitment))

    async def progress(self) -> AsyncIterator[tuple[int, int]]:
        """(chunks done, chunks in all) until the preparation ends, whichever way."""

        def count() -> tuple[int, int]:
            session = self._session
            return (session.prepared, session.chunks) if session else (0, 0)

        async for each in self._until(self._task(), count):
            yield each

    async def commitment(self, receivers: Signed) -> Signed:
        """Our commitment, once the preparation has ended; `receivers` must be what came first.

        Raises:
            PeerError: BAD_COMMITMENT.
            LocalError: the preparation failed.
        """

        def work(session: Live) -> Signed:
            session.receive_commitment(receivers)
            return session.commit()

        return await self._asked(work)

    async def countersign(self, receipt: Signed) -> bytes:
        """Sign the receiver's receipt, store it and wipe what is secret. 64 bytes.

        Raises:
            PeerError: BAD_RECEIPT, BAD_SIGNATURE or WRONG_STATE.
        """

        def work(session: Live) -> bytes:
            signed = session.countersign(receipt, int(self._node.clock()))
            node, row = self._node, self.row
            signatures = {row.peer: signed.receiver_signature, node.agency: signed.sender_signature}
            # The log first: a crash in between makes it say something twice, never leave something out.
            self._note("closed", recipient=row.peer)
            extra_writes = self._closing(session, signed)
            node.store.finish(
                *self.key, receipt=signed.payload, signatures=signatures, extra_writes=extra_writes
            )
            self._files.erase()
            self._closed()
            return signed.sender_signature

        return await self._asked(work, save=False)

    def _ready(self, _session: Live) -> None:
        """What is left to prepare once we can commit."""

    def _closing(self, _session: Live, _receipt: Receipt) -> ExtraWrites | None:
        """What is stored together with the receipt."""
        return None

    def _closed(self) -> None:
        """The round has closed."""

    async def _prepare(self, commitment: Signed | None) -> None:
        await self._built()
        if commitment is not None:
            await self._alone(lambda session: session.receive_commitment(commitment))
        session = self.session
        await self._prepare_chunks(self._move)
        self._metrics.elements.labels("prepared").inc(session.chunks)
        await self._alone(lambda session: session.commit())
        await self._alone(self._ready)
        await self._alone(self._save)

    def _made(self, row: EdgeRow) -> Live:
        return self._start(row, compile_edge(self._agreement, row))

    @abstractmethod
    def _start(self, row: EdgeRow, agreed: CompiledEdge) -> Live:
        """The session, new or restored."""
