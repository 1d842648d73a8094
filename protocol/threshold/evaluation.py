"""A member's evaluation of the other members' elements: it evaluates what they committed to, nothing else, and signs the result."""

import hmac

import numpy as np
import numpy.typing as npt

from blindmatch.protocol import oprf
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.group import wipe
from blindmatch.protocol.limits import DIGEST_BYTES, SEED_BYTES
from blindmatch.protocol.oprf import Mode
from blindmatch.protocol.session.base import workspace_damaged
from blindmatch.protocol.session.checkpoint import NONE
from blindmatch.protocol.session.chunks import chunk_digest
from blindmatch.protocol.session.messages import BlindedChunk, EvaluatedChunk
from blindmatch.protocol.threshold.messages import ThresholdContext
from blindmatch.protocol.threshold.session import ThresholdSession, ThresholdSessionTerms
from blindmatch.protocol.threshold.statements import Attestation, ThresholdCommitment
from blindmatch.protocol.threshold.transitions import ThresholdEvent, ThresholdRole
from blindmatch.protocol.transcript import Signed, digest, encode


class EvaluatingSession(ThresholdSession):
    """The part of a member's session that serves the other members. Use `Member`."""

    def __init__(self, context: ThresholdContext, terms: ThresholdSessionTerms) -> None:
        super().__init__(ThresholdRole.MEMBER, context, terms)
        self._agency = self._signer.agency
        self._place = context.place(self._agency)
        for place, member in enumerate(context.members):
            if place != self._place:
                self._shapes[f"answers-{place}"] = (self._elements_of(member).chunks, DIGEST_BYTES)
        self._secret = self._derive_key()

    @property
    def agency(self) -> str:
        """This member's agency id."""
        return self._agency

    @property
    def others(self) -> tuple[str, ...]:
        """The other members, in the agreement's order."""
        return tuple(member for member in self._context.members if member != self._agency)

    @property
    def answered(self) -> tuple[int, int]:
        """The number of chunks evaluated for other members, and the number of all their chunks."""
        places = [self._context.place(other) for other in self.others]
        total = sum(self._shapes[f"answers-{place}"][0] for place in places)
        if self._at.commitments == NONE:
            return 0, total
        return sum(int(self._array(f"answers-{place}").any(axis=1).sum()) for place in places), total

    def evaluate(self, member: str, chunk: BlindedChunk) -> EvaluatedChunk:
        """Evaluate a chunk that another member committed to; a retransmission gets the same answer. Heavy.

        Only bytes that this member signed are evaluated, whoever relays them.

        Raises:
            PeerError: UNKNOWN_ROUND, WRONG_AGENCY, BAD_SEQUENCE, BAD_COUNT, BAD_COMMITMENT, BAD_POINT.
        """
        with self._step(ThresholdEvent.EVALUATE):
            place = self._other(member)
            self._check_blinded(member, chunk)
            answer = EvaluatedChunk(chunk.header, oprf.evaluate(self._secret, chunk.points))
            index = chunk.header.sequence
            seen = chunk_digest("evaluated", index, answer.points)
            stored = self._array(f"answers-{place}")[index]
            if stored.any() and not hmac.compare_digest(stored.tobytes(), seen):
                raise workspace_damaged()
            self._put_digest(f"answers-{place}", index, seen)
            return answer

    def attest(self, member: str) -> Signed:
        """Sign all chunks that were evaluated for a member; the same bytes in every call.

        Raises:
            PeerError: WRONG_AGENCY; WRONG_STATE before every chunk of the member is evaluated.
        """
        with self._step(ThresholdEvent.ATTEST):
            place = self._other(member)
            answers = self._array(f"answers-{place}")
            if not answers.any(axis=1).all():
                raise PeerError(
                    PeerCode.WRONG_STATE,
                    f"not every chunk of {member} has been evaluated",
                    hint="Evaluate its other chunks first.",
                )
            return Attestation(
                self._agency, member, digest(self._commitment_of(place)), self._contents(f"answers-{place}")
            ).sign(self._signer, self._context)

    def _derive_key(self) -> npt.NDArray[np.uint8]:
        seed = self._expander.stream("oprf-key", 0, SEED_BYTES)
        info = encode("blindmatch/threshold-key/v1", self._context.digest)
        return oprf.derive_key_pair(seed, info, Mode.OPRF).secret

    def _commitment_of(self, place: int) -> bytes:
        """A member's commitment, rebuilt from the digests of its chunks."""
        contents = digest(b"blinded", self._array(f"committed-{place}").tobytes())
        commitment = ThresholdCommitment(
            self._context.members[place], self._context.elements[place], contents
        )
        return commitment.payload(self._context)

    def _other(self, member: str) -> int:
        place = self._context.place(member)
        if place == self._place:
            raise PeerError(PeerCode.WRONG_AGENCY, f"{member} does not evaluate its own elements for itself")
        return place

    def _wipe(self) -> None:
        super()._wipe()
        if hasattr(self, "_secret"):
            wipe(self._secret)
