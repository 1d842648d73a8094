"""What members and collector share: terms, secrets, the checkpoint, and everybody's commitments.

Threads: as in `match.session`. `prepare_chunk`, `finish_chunk` and `search` may run in worker threads, for different
chunks, beside one other call; all other methods belong to one thread at a time.
"""

import hmac
from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict, Unpack

import numpy as np

from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.expand import Expander
from blindmatch.protocol.limits import DIGEST_BYTES, LIMITS, Limits
from blindmatch.protocol.session.computing import chunk_digest
from blindmatch.protocol.session.machine import Steps
from blindmatch.protocol.session.messages import BlindedChunk, Bytes2D, Header
from blindmatch.protocol.session.session import check_order, check_size
from blindmatch.protocol.session.workspace import Shapes, Workspace
from blindmatch.protocol.threshold.checkpoint import ThresholdCheckpoint
from blindmatch.protocol.threshold.messages import Committed, ThresholdContext
from blindmatch.protocol.threshold.statements import TablesStatement, ThresholdCommitment, together
from blindmatch.protocol.threshold.transitions import (
    ThresholdEvent,
    ThresholdMachine,
    ThresholdRole,
    ThresholdState,
)
from blindmatch.protocol.transcript import Signed, Signer, digest


class ThresholdSessionTerms(TypedDict):
    """What a session of either role is made of, beside the threshold.

    seed: 32 secret random bytes, made once for this threshold and round, kept sealed until it closes.
    signer: this agency's identity key.
    keys: the identity keys of all members and the collector, by agency, out of the agreement.
    workspace: arrays that outlive a crash.
    limits: chunk sizes; all must use the same.
    snapshot: what `snapshot` gave before a crash, or None for a new round.
    """

    seed: bytes
    signer: Signer
    keys: Mapping[str, bytes]
    workspace: Workspace
    limits: NotRequired[Limits]
    snapshot: NotRequired[bytes | None]


class ThresholdSession(Steps[ThresholdState, ThresholdEvent]):
    """One side of one threshold. Use `Member` or `Collector`."""

    def __init__(
        self, role: ThresholdRole, context: ThresholdContext, **terms: Unpack[ThresholdSessionTerms]
    ) -> None:
        if not context.elements:
            raise SequenceError("a session begins once the rates were exchanged")
        self._role = role
        self._context = context
        self._limits = terms.get("limits", LIMITS)
        self._signer = terms["signer"]
        self._keys = terms["keys"]
        self._workspace = terms["workspace"]
        self._shapes: Shapes = {
            f"committed-{place}": (context.chunks(member, self._limits), DIGEST_BYTES)
            for place, member in enumerate(context.members)
        }
        # Bound to threshold, round, keys and everybody's statements: a seed that is used twice still gives other secrets.
        self._expander = Expander(hmac.digest(terms["seed"], role.value.encode() + context.digest, "sha256"))
        self._binding = hmac.digest(self._expander.stream("checkpoint", 0, 32), context.digest, "sha256")
        snapshot = terms.get("snapshot")
        self._at = (
            ThresholdCheckpoint()
            if snapshot is None
            else ThresholdCheckpoint.unpack(snapshot, role, self._binding)
        )
        self._machine = ThresholdMachine(role, self._at.state)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(threshold={self._context.threshold!r}, state={self.state.value!r})"

    @property
    def context(self) -> ThresholdContext:
        """The threshold."""
        return self._context

    def snapshot(self) -> bytes:
        """A checkpoint: constant size, nothing secret. Take it, flush the workspace, store it, then send: in this order."""
        self._at.state = self.state
        return self._at.pack(self._role, self._binding)

    def _wipe(self) -> None:
        self._expander.wipe()

    def _key(self, agency: str) -> bytes:
        return self._keys[agency]

    def _check_header(self, header: Header) -> None:
        if (header.round_id, header.edge) != (self._context.round_id, self._context.threshold):
            raise PeerError(PeerCode.UNKNOWN_ROUND, "the message belongs to another round or threshold")

    def _header(self, sequence: int) -> Header:
        return Header(self._context.round_id, self._context.threshold, sequence)

    def _check_committed(self, member: str, committed: Committed) -> ThresholdCommitment:
        """One member's commitment and the digests that it is over; they are kept."""
        context = self._context
        said = ThresholdCommitment.check(committed.statement, self._key(member), member, context)
        name = f"committed-{context.place(member)}"
        if len(committed.digests) != self._shapes[name][0] * DIGEST_BYTES:
            raise PeerError(PeerCode.BAD_COUNT, f"{member}'s commitment is over another number of chunks")
        if digest(b"blinded", committed.digests) != said.contents:
            raise PeerError(PeerCode.BAD_COMMITMENT, f"{member}'s chunks are not those that it signed for")
        self._array(name)[:] = np.frombuffer(committed.digests, dtype=np.uint8).reshape(self._shapes[name])
        return said

    def _check_blinded(self, member: str, chunk: BlindedChunk) -> None:
        """A carried chunk of a member's elements against what that member signed for, before anything is done with it."""
        context, index = self._context, chunk.header.sequence
        self._check_header(chunk.header)
        place = context.place(member)
        total = context.chunks(member, self._limits)
        check_order(index, total - 1, total)
        check_size(chunk.points, context.chunk_size(member, index, self._limits))
        kept = self._array(f"committed-{place}")[index].tobytes()
        if chunk_digest("blinded", index, chunk.points) != kept:
            raise PeerError(
                PeerCode.BAD_COMMITMENT, f"the blinded elements are not those that {member} signed for"
            )

    def _check_tables(self, statements: Sequence[Signed]) -> list[bytes]:
        """Everybody's commitments to tables, in the members' order."""
        context = self._context
        if len(statements) != len(context.members):
            raise PeerError(PeerCode.BAD_COUNT, f"{len(statements)} tables of {len(context.members)} members")
        for member, signed in zip(context.members, statements, strict=True):
            TablesStatement.check(signed, self._key(member), member, self._at.commitments, context)
        return [signed.payload for signed in statements]

    def _transcript(self, tables: Sequence[Signed]) -> bytes:
        payloads = [signed.payload for signed in tables]
        return together("transcript", [self._context.keys_digest, self._at.commitments, *payloads])


def keep(row: Bytes2D, value: bytes) -> None:
    """A digest into its row (32,)."""
    row[:] = np.frombuffer(value, dtype=np.uint8)
