"""`count` and `sum` on the sender's side: points in, points out, masked tags in, and the one number that the agreement allows out.

What this node counts is in no log, no metric and no table of it: the session holds it for the moment of the outcome.
"""

import time
from collections.abc import AsyncIterator, Sequence
from typing import Literal

from blindmatch.node.rounds.aggregate.inputs import prepare_inputs
from blindmatch.node.rounds.hits.sender import STEP_SECONDS
from blindmatch.node.rounds.inputs import CompiledEdge
from blindmatch.node.rounds.sender import SendingEdge
from blindmatch.node.storage.store import EdgeRow
from blindmatch.protocol.aggregate import AggregateCommitment, AggregateSender, AggregateTerms, RowsChunk
from blindmatch.protocol.aggregate.count import CountSender
from blindmatch.protocol.aggregate.sum import SumSender
from blindmatch.protocol.agreement import Disclosure
from blindmatch.protocol.transcript import Signed

Transfer = Literal["points", "masked"]


class AggregateSendingEdge(SendingEdge[AggregateSender]):
    """An edge that tells the receiver one number."""

    commitment_kind = AggregateCommitment

    async def width(self, transfer: Transfer) -> int:
        """Bytes of a row of a transfer.

        Raises:
            PeerError: WRONG_STATE before the receiver's commitment came.
        """
        return await self._asked(lambda session: session.width(transfer), save=False)

    async def take(self, transfer: Transfer, chunks: Sequence[RowsChunk]) -> int:
        """Take the first of some chunks, as many as a step has time for; how many, their checkpoint stored on return.

        Raises:
            PeerError: a chunk is not what was due.
        """

        def work(session: AggregateSender) -> int:
            ends = time.monotonic() + STEP_SECONDS
            receive = session.receive_points if transfer == "points" else session.receive_masked
            for done, chunk in enumerate(chunks, start=1):
                receive(chunk)
                if time.monotonic() > ends:
                    return done
            return len(chunks)

        done = await self._asked(work)
        if transfer == "points":
            self._metrics.elements.labels("evaluated").inc(sum(len(chunk.rows) for chunk in chunks[:done]))
        return done

    async def points(self, first: int) -> AsyncIterator[RowsChunk]:
        """Our points, from chunk `first` on.

        Raises:
            PeerError: WRONG_STATE, before every point of the receiver has come.
        """
        following, total = first, first + 1
        while following < total:

            def work(session: AggregateSender, at: int = following) -> tuple[RowsChunk, int]:
                return session.points_chunk(at), session.returned_chunks

            chunk, total = await self._asked(work, save=False)
            yield chunk
            following += 1

    async def outcome(self) -> Signed:
        """What may be told, kept before it is.

        Raises:
            PeerError: WRONG_STATE, before every masked tag has come.
        """
        return await self._asked(lambda session: session.outcome())

    def _start(self, row: EdgeRow, agreed: CompiledEdge) -> AggregateSender:
        made, terms = self._terms(row, agreed)
        edge = self._agreement.edge(row.edge)
        brought, report = prepare_inputs(
            made, agreed, edge, row, limits=self._limits, allocate=self._files.scratch
        )
        if report and not row.snapshot:
            self._log.info("entries of a sum", value=edge.terms.subject, **report)
            self._note("valued", recipient=self.row.peer, value=edge.terms.subject, **report)
        terms["elements"] = brought.elements
        made_of = CountSender if edge.disclosure is Disclosure.COUNT else SumSender
        return made_of(agreed.context, AggregateTerms.of(edge, agreed.receiver_tokens), brought, **terms)

    def _total(self, session: AggregateSender) -> int:
        return session.points_chunks
