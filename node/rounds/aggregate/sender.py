"""`count` and `sum` on the sender's side: points in, points out, masked tags in, and out the one number that the agreement allows.

No log, metric or table of this node holds the number: the session holds it while it computes the outcome.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Literal

from blindmatch.node.rounds.aggregate.inputs import prepare_inputs
from blindmatch.node.rounds.inbound_session import within_step
from blindmatch.node.rounds.sender import SendingEdge
from blindmatch.node.storage.store import EdgeRow
from blindmatch.protocol.aggregate.count import CountSender
from blindmatch.protocol.aggregate.disclosure_control import AggregateTerms
from blindmatch.protocol.aggregate.messages import AggregateChunk
from blindmatch.protocol.aggregate.sender import AggregateSender
from blindmatch.protocol.aggregate.statements import AggregateCommitment
from blindmatch.protocol.aggregate.sum import SumSender
from blindmatch.protocol.agreement import Disclosure
from blindmatch.protocol.transcript import Signed

Transfer = Literal["points", "masked"]


class AggregateSendingEdge(SendingEdge[AggregateSender]):
    """An edge that discloses one number to the receiver."""

    commitment_kind = AggregateCommitment

    async def width(self, transfer: Transfer) -> int:
        """Bytes of a row of a transfer.

        Raises:
            PeerError: WRONG_STATE before the receiver's commitment came.
        """
        return await self._answer(lambda session: session.width(transfer), save=False)

    async def receive(self, transfer: Transfer, chunks: Sequence[AggregateChunk]) -> int:
        """Receive the first of some chunks, as many as a step has time for; their checkpoint is stored on return.

        Returns:
            How many chunks were received.

        Raises:
            PeerError: a chunk is not what was due.
        """

        def work(session: AggregateSender) -> int:
            receive = session.receive_points if transfer == "points" else session.receive_masked
            return len(within_step(chunks, receive))

        done = await self._answer(work)
        if transfer == "points":
            self._metrics.elements.labels("evaluated").inc(sum(len(chunk.rows) for chunk in chunks[:done]))
        return done

    def points(self, first: int) -> AsyncIterator[AggregateChunk]:
        """Our points, from chunk `first` on.

        Raises:
            PeerError: WRONG_STATE, before every point of the receiver has come.
        """
        return self._chunks_from(
            first, lambda session, at: (session.points_chunk(at), session.returned_chunks)
        )

    async def outcome(self) -> Signed:
        """What the agreement allows us to disclose, stored before it is sent.

        Raises:
            PeerError: WRONG_STATE, before every masked tag has come.
        """
        return await self._answer(lambda session: session.outcome())

    def _start_with(self, row: EdgeRow) -> AggregateSender:
        terms = self._terms(row)
        grouped, report = prepare_inputs(
            self.inputs, self.agreed, self._edge, row, limits=self._limits, allocate=self._files.scratch
        )
        if report and not row.snapshot:
            self._log.info("entries of a sum", value=self._edge.terms.subject, **report)
            self._note("valued", recipient=row.peer, value=self._edge.terms.subject, **report)
        terms["elements"] = grouped.elements
        kind = CountSender if self._edge.disclosure is Disclosure.COUNT else SumSender
        number = AggregateTerms.of(self._edge, self.agreed.receiver_tokens)
        return kind(self.agreed.context, number, grouped, **terms)

    def _exchange_chunks(self, session: AggregateSender) -> int:
        return session.points_chunks
