"""`hits` and `hits+facts` on the sender's side: blinded elements evaluated, the tag table released."""

from collections.abc import AsyncIterator, Sequence

from blindmatch.node.rounds.hits.inputs import facts_source
from blindmatch.node.rounds.inbound_session import within_step
from blindmatch.node.rounds.sender import SendingEdge
from blindmatch.node.storage.store import EdgeRow
from blindmatch.protocol.hits.messages import TagChunk
from blindmatch.protocol.hits.sender import Sender
from blindmatch.protocol.session.messages import BlindedChunk, EvaluatedChunk


class HitsSendingEdge(SendingEdge[Sender]):
    """An edge that discloses to the receiver which of its records match."""

    async def evaluate(self, chunks: Sequence[BlindedChunk]) -> list[EvaluatedChunk]:
        """Evaluate the first of some chunks, as many as a step has time for; their checkpoint is stored on return.

        Raises:
            PeerError: a chunk is not what the receiver committed to, or out of order.
        """

        def work(session: Sender) -> list[EvaluatedChunk]:
            session.announce(chunks)
            return within_step(chunks, session.evaluate)

        answers = await self._answer(work)
        self._metrics.elements.labels("evaluated").inc(sum(len(answer.points) for answer in answers))
        return answers

    def tags(self, first: int) -> AsyncIterator[TagChunk]:
        """The tag table's chunks from `first` on.

        Raises:
            PeerError: WRONG_STATE, before every blinded chunk has come.
        """
        return self._chunks_from(first, lambda session, at: (session.tag_chunk(at), session.tag_chunks))

    def _start_with(self, row: EdgeRow) -> Sender:
        terms = self._terms(row)
        facts = facts_source(self.inputs, self._edge)
        return Sender(self.agreed.context, facts=facts, computer=self._engine.computing, **terms)

    def _exchange_chunks(self, session: Sender) -> int:
        return session.blinded_chunks
