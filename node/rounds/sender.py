"""The sender's side of an edge, for every disclosure: commitments and the receipt. See `inbound_session`."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, TypeVar

from blindmatch.node.rounds.driver import EdgeDriver
from blindmatch.node.rounds.inbound_session import InboundSession
from blindmatch.node.rounds.inputs import compile_edge
from blindmatch.node.storage.store import EdgeRow
from blindmatch.protocol.session.session import SenderSession
from blindmatch.protocol.session.statements import Commitment
from blindmatch.protocol.transcript import Signed

Live = TypeVar("Live", bound=SenderSession[Any])
Chunk = TypeVar("Chunk")


class SendingEdge(InboundSession[Live], EdgeDriver[Live], Generic[Live]):
    """One edge of one round, held by the server while a receiver runs it. A disclosure adds `_start_with` and its steps."""

    commitment_kind: type[Commitment] = Commitment
    """The statement with which both sides commit."""

    def prepare(self, commitment: Signed | None) -> None:
        """Start the preparation in the background, once; `commitment` is the receiver's, if it came with this call."""
        self._prepare_once(lambda: self._prepare(commitment))

    async def commitment(self, receivers: Signed) -> Signed:
        """Our commitment, after the preparation has ended; `receivers` must be the one that came first.

        Raises:
            PeerError: BAD_COMMITMENT.
            LocalError: the preparation failed.
        """

        def work(session: Live) -> Signed:
            session.receive_commitment(receivers)
            return session.commit()

        return await self._answer(work)

    async def countersign(self, receipt: Signed) -> bytes:
        """Sign the receiver's receipt, store it, and wipe all secrets. 64 bytes.

        Raises:
            PeerError: BAD_RECEIPT, BAD_SIGNATURE or WRONG_STATE.
        """

        def work(session: Live) -> bytes:
            signed = session.countersign(receipt, int(self._node.clock()))
            self._record_close(
                signed.payload,
                {self.row.peer: signed.receiver_signature, self._node.agency: signed.sender_signature},
                recipient=self.row.peer,
                extra_writes=self._extra_writes(session, signed),
            )
            self._after_close()
            return signed.sender_signature

        return await self._answer(work, save=False)

    async def _chunks_from(
        self, first: int, chunk: Callable[[Live, int], tuple[Chunk, int]]
    ) -> AsyncIterator[Chunk]:
        """Chunks from `first` on; `chunk` gives one of them, and the number of chunks."""
        index, total = first, first + 1
        while index < total:

            def work(session: Live, at: int = index) -> tuple[Chunk, int]:
                return chunk(session, at)

            content, total = await self._answer(work, save=False)
            yield content
            index += 1

    def _before_release(self, _session: Live) -> None:
        """Further preparation, after our commitment."""

    async def _prepare(self, commitment: Signed | None) -> None:
        await self._build_session()
        if commitment is not None:
            await self._step(lambda session: session.receive_commitment(commitment))
        await self._prepare_elements(self.session)
        await self._step(lambda session: session.commit())
        await self._step(self._before_release)
        await self._step(self._save)

    def _start(self, row: EdgeRow) -> Live:
        self.agreed = compile_edge(self._agreement, row)
        return self._start_with(row)

    @abstractmethod
    def _start_with(self, row: EdgeRow) -> Live:
        """The session, new or restored, once the keys are compiled."""
