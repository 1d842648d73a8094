"""What members and collector share: terms, secrets, and the commitments of all members.

Threads: see `protocol.session`. `prepare_chunk`, `unblind_chunk` and `search_chunk` are for worker threads.
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

    keys: the identity keys of all members and the collector, by agency, out of the agreement.
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
            raise SequenceError("a session starts once the rates were exchanged")
        # Bound to threshold, round, keys and the statements of all members: a seed that is used twice still gives other secrets.
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
        """Check and store one member's commitment and the digests that it is over."""
        context = self._context
        commitment = ThresholdCommitment.check(committed.statement, self._key(member), member, context)
        name = f"committed-{context.place(member)}"
        if len(committed.digests) != self._shapes[name][0] * DIGEST_BYTES:
            raise PeerError(PeerCode.BAD_COUNT, f"{member}'s commitment is over another number of chunks")
        if digest(b"blinded", committed.digests) != commitment.contents:
            raise PeerError(PeerCode.BAD_COMMITMENT, f"{member}'s chunks are not those that it signed")
        self._array(name)[:] = np.frombuffer(committed.digests, dtype=np.uint8).reshape(self._shapes[name])
        return commitment

    def _check_relayed(self, member: str, chunk: BlindedChunk | EvaluatedChunk) -> None:
        """Check the header, number and size of a chunk of a member's elements, which may come in any order."""
        layout, index = self._elements_of(member), chunk.header.sequence
        self._check_header(chunk.header)
        check_order(index, layout.chunks - 1, layout.chunks)
        check_size(chunk.points, layout.size(index))

    def _check_blinded(self, member: str, chunk: BlindedChunk) -> None:
        """Compare a carried chunk of a member's elements with what that member signed, before it is used."""
        index = chunk.header.sequence
        self._check_relayed(member, chunk)
        committed = self._array(f"committed-{self._context.place(member)}")[index].tobytes()
        if chunk_digest("blinded", index, chunk.points) != committed:
            raise PeerError(
                PeerCode.BAD_COMMITMENT, f"the blinded elements are not those that {member} signed"
            )

    def _check_tables(self, statements: Sequence[Signed]) -> list[bytes]:
        """The commitments of all members to their tables, in the members' order."""
        context = self._context
        if len(statements) != len(context.members):
            raise PeerError(PeerCode.BAD_COUNT, f"{len(statements)} tables of {len(context.members)} members")
        for member, signed in zip(context.members, statements, strict=True):
            TablesStatement.check(signed, self._key(member), member, self._at.commitments, context)
        return [signed.payload for signed in statements]

    def _transcript(self, tables: Sequence[Signed]) -> bytes:
        payloads = [signed.payload for signed in tables]
        return joint_digest("transcript", [self._context.keys_digest, self._at.commitments, *payloads])
