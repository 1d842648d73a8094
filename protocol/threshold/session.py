"""What members and the collector share: terms, secrets, and the commitments of all members.

Threads: see `protocol.session`. `prepare_chunk`, `unblind_chunk` and `search_chunk` may run in worker threads.
"""

import hmac
from collections.abc import Mapping, Sequence

import numpy as np

from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.limits import DIGEST_BYTES
from blindmatch.protocol.session.base import BaseSession, BaseTerms
from blindmatch.protocol.session.chunks import Layout, check_order, check_size, chunk_digest
from blindmatch.protocol.session.messages import BlindedChunk, EvaluatedChunk
from blindmatch.protocol.threshold.checkpoint import ThresholdCheckpoint
from blindmatch.protocol.threshold.messages import CommittedChunks, ThresholdContext
from blindmatch.protocol.threshold.statements import TablesStatement, ThresholdCommitment, joint_digest
from blindmatch.protocol.threshold.transitions import RULES, ThresholdRole, ThresholdState
from blindmatch.protocol.transcript import Signed, digest


class ThresholdSessionTerms(BaseTerms):
    """The arguments of a session of either role, besides the threshold. See `BaseTerms`.

    keys: the identity keys of all members and the collector by agency, from the agreement, 32 bytes each.
    """

    keys: Mapping[str, bytes]


class ThresholdSession(BaseSession[ThresholdState]):
    """One side of one threshold. Use `Member` or `Collector`."""

    rules = RULES
    checkpoint = ThresholdCheckpoint
    _at: ThresholdCheckpoint
    _context: ThresholdContext

    def __init__(self, role: ThresholdRole, context: ThresholdContext, terms: ThresholdSessionTerms) -> None:
        if not context.elements:
            raise SequenceError("a session starts after the exchange of rates")
        # Bound to the threshold, the round, the keys and all statements: a seed that is used twice still gives other secrets.
        secret = hmac.digest(terms["seed"], role.value.encode() + context.digest, "sha256")
        super().__init__(role, context, secret, terms)
        self._keys = terms["keys"]
        self._shapes |= {
            f"committed-{place}": (self._elements_of(member).chunks, DIGEST_BYTES)
            for place, member in enumerate(context.members)
        }

    def __repr__(self) -> str:
        return f"{type(self).__name__}(threshold={self._context.threshold!r}, state={self.state.value!r})"

    @property
    def context(self) -> ThresholdContext:
        """The threshold."""
        return self._context

    @property
    def _tables(self) -> Layout:
        """The cells of one member's tables."""
        return self._context.tables(self._limits)

    @property
    def _outcomes(self) -> Layout:
        """The tables of one member's outcome."""
        return self._context.outcome(self._limits)

    def _elements_of(self, member: str) -> Layout:
        """The blinded elements of a member. PeerError: WRONG_AGENCY."""
        return self._context.blinded(member, self._limits)

    def _key(self, agency: str) -> bytes:
        return self._keys[agency]

    def _check_committed(self, member: str, committed: CommittedChunks) -> ThresholdCommitment:
        """Check one member's commitment, and store the digests of its chunks. PeerError: see `ThresholdCommitment.check`; BAD_COUNT, BAD_COMMITMENT."""
        context = self._context
        commitment = ThresholdCommitment.check(committed.statement, self._key(member), member, context)
        name = f"committed-{context.place(member)}"
        if len(committed.digests) != self._shapes[name][0] * DIGEST_BYTES:
            raise PeerError(PeerCode.BAD_COUNT, f"{member} committed to another number of chunks")
        if digest(b"blinded", committed.digests) != commitment.contents:
            raise PeerError(
                PeerCode.BAD_COMMITMENT, f"the digests of {member}'s chunks are not those that it signed"
            )
        self._array(name)[:] = np.frombuffer(committed.digests, dtype=np.uint8).reshape(self._shapes[name])
        return commitment

    def _check_relayed(self, member: str, chunk: BlindedChunk | EvaluatedChunk) -> None:
        """Check the header, number and size of a chunk of a member's elements, which may come in any order."""
        layout, index = self._elements_of(member), chunk.header.sequence
        self._check_header(chunk.header)
        check_order(index, layout.chunks - 1, layout.chunks)
        check_size(chunk.points, layout.size(index))

    def _check_blinded(self, member: str, chunk: BlindedChunk) -> None:
        """Compare a relayed chunk of a member's elements with what that member signed."""
        index = chunk.header.sequence
        self._check_relayed(member, chunk)
        committed = self._array(f"committed-{self._context.place(member)}")[index].tobytes()
        if chunk_digest("blinded", index, chunk.points) != committed:
            raise PeerError(
                PeerCode.BAD_COMMITMENT, f"the blinded elements are not those that {member} signed"
            )

    def _check_tables(self, statements: Sequence[Signed]) -> list[bytes]:
        """Check all members' commitments to their tables; returns their bytes in the members' order. PeerError: see `TablesStatement.check`."""
        context = self._context
        if len(statements) != len(context.members):
            raise PeerError(
                PeerCode.BAD_COUNT,
                f"{len(statements)} commitments to tables of {len(context.members)} members",
            )
        for member, signed in zip(context.members, statements, strict=True):
            TablesStatement.check(signed, self._key(member), member, self._at.commitments, context)
        return [signed.payload for signed in statements]

    def _transcript(self, tables: Sequence[Signed]) -> bytes:
        payloads = [signed.payload for signed in tables]
        return joint_digest("transcript", [self._context.keys_digest, self._at.commitments, *payloads])
