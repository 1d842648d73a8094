"""`hits` and `hits+facts` on the sender's side: blinded elements evaluated, the tag table released."""

import time
from collections.abc import AsyncIterator, Sequence

from blindmatch.node.rounds.inputs import CompiledEdge
from blindmatch.node.rounds.sender import SendingEdge
from blindmatch.node.storage.store import EdgeRow
from blindmatch.protocol.hits.sender import Sender
from blindmatch.protocol.session.messages import BlindedChunk, EvaluatedChunk, TagChunk

STEP_SECONDS = 0.25
"""Chunks that wait are evaluated together for so long, and stored with one checkpoint, before any of them is answered."""


class HitsSendingEdge(SendingEdge[Sender]):
    """An edge that tells the receiver which of its records match."""

    async def evaluate(self, chunks: Sequence[BlindedChunk]) -> list[EvaluatedChunk]:
        """Evaluate the first of some chunks, as many as a step has time for; their checkpoint is stored on return.

        Raises:
            PeerError: a chunk is not what the receiver committed to, or out of order.
        """

        def work(session: Sender) -> list[EvaluatedChunk]:
            ends, answers = time.monotonic() + STEP_SECONDS, []
            session.foresee(chunks)
            for chunk in chunks:
                answers.append(session.evaluate(chunk))
                if time.monotonic() > ends:
                    break
            return answers

        answers = await self._asked(work)
        self._metrics.elements.labels("evaluated").inc(sum(len(answer.points) for answer in answers))
        return answers

    async def tags(self, first: int) -> AsyncIterator[TagChunk]:
        """The tag table's chunks from `first` on.

        Raises:
            PeerError: WRONG_STATE, before every blinded chunk has come.
        """
        following, total = first, first + 1
        while following < total:

            def work(session: Sender, at: int = following) -> tuple[TagChunk, int]:
                return session.tag_chunk(at), session.tag_chunks

            chunk, total = await self._asked(work, save=False)
            yield chunk
            following += 1

    def _start(self, row: EdgeRow, agreed: CompiledEdge) -> Sender:
        made, terms = self._terms(row, agreed)
        return Sender(agreed.context, facts=made.facts, computer=self._engine.computing, **terms)

    def _total(self, session: Sender) -> int:
        return session.blinded_chunks
