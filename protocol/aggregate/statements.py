"""The signed statements of an edge that discloses a count or a sum: commitments, the sender's outcome, the receiver's report."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

from blindmatch.protocol.aggregate import disclosure_control
from blindmatch.protocol.aggregate.disclosure_control import AggregateTerms, Band
from blindmatch.protocol.aggregate.messages import COPIES
from blindmatch.protocol.agreement import Disclosure
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import DIGEST_BYTES, LIMITS, POINT_BYTES, PROOF_BYTES
from blindmatch.protocol.session.messages import EdgeContext
from blindmatch.protocol.session.statements import Commitment
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.session.wire_fields import Digest, Expect, Known, Point, Preamble, Proof, Statement
from blindmatch.protocol.transcript import Signed, digest

COMMITMENT_TYPE = "application/vnd.blindmatch.number-commitment.v1"
OUTCOME_TYPE = "application/vnd.blindmatch.outcome.v1"
REPORT_TYPE = "application/vnd.blindmatch.report.v1"

NO_POINT = bytes(POINT_BYTES)
NO_PROOF = bytes(PROOF_BYTES)


@dataclass(frozen=True)
class AggregateCommitment(Commitment):
    """What one side fixes before anything else is sent; see `Commitment`.

    `contents` is over the receiver's first copy of its points, or over the sender's points and ciphertexts. `public_key` is this
    side's share of the key that sums are encrypted under, otherwise 32 zeros.

    Args:
        group: elements that belong together.
        copies: blinds per token; see `AggregateInputs`.
        proof: that this side knows the secret half of its share (Schnorr, 64 bytes), otherwise zeros. `check` does not verify it.
    """

    TYPE: ClassVar[str] = COMMITMENT_TYPE

    group: int = 1
    copies: int = 1
    proof: Proof = NO_PROOF

    def check_values(self, context: EdgeContext) -> None:
        """Refuse elements that are not in whole groups, and a share of a key where none is expected. PeerError: BAD_COMMITMENT."""
        grouped = (context.disclosure is Disclosure.SUM) == (self.role is Role.SENDER)
        most = (LIMITS.chunk_elements, COPIES) if grouped else (1, 1)
        good = 1 <= self.group <= most[0] and 1 <= self.copies <= most[1]
        good = good and self.elements % self.group == 0 and self.copies & (self.copies - 1) == 0
        if context.disclosure is Disclosure.SUM:
            good = good and self.group % self.copies == 0
        if not good:
            raise PeerError(PeerCode.BAD_COMMITMENT, f"the {self.role}'s elements are not in whole groups")
        if (context.disclosure is Disclosure.SUM) != any(self.public_key + self.proof):
            raise PeerError(
                PeerCode.BAD_COMMITMENT, "a share of the sum's key is missing, or none was requested"
            )


_POSSIBLE = Expect(PeerCode.BAD_OUTCOME, "the outcome is not one that the agreement's terms can give")


@dataclass(frozen=True)
class OutcomeContext:
    """What an outcome is about: the edge, and the agreement's terms for its count or sum."""

    edge: EdgeContext
    terms: AggregateTerms

    @property
    def preamble(self) -> Preamble:
        """What an outcome begins with."""
        terms = (self.terms.minimum_count, self.terms.band)
        return (*self.edge.preamble, *(Known(value, _POSSIBLE) for value in terms))


@dataclass(frozen=True)
class AggregateOutcome(Statement[OutcomeContext]):
    """What the sender releases: the same number of bytes for every result.

    Args:
        disclosed: whether the minimum was reached.
        band: count: the band; `WITHHELD` when nothing is disclosed, and for a sum.
        left: sum: the first half of the sum's ciphertext, 32 bytes; zeros for a count.
        right: sum: the second half, without the sender's share of the encryption.
        share: sum: the receiver's share of the key, with which every holder can check how the receiver opened the sum.
        transcript: 32 bytes over both commitments and every chunk.
    """

    TYPE: ClassVar[str] = OUTCOME_TYPE

    disclosed: Annotated[bool, _POSSIBLE]
    band: Band = disclosure_control.WITHHELD
    left: Point = NO_POINT
    right: Point = NO_POINT
    share: Point = NO_POINT
    transcript: Digest = bytes(DIGEST_BYTES)

    @classmethod
    def check(
        cls, signed: Signed, peer_key: bytes, context: EdgeContext, terms: AggregateTerms, *, most: int
    ) -> Self:
        """Verify the sender's signature, parse, and compare with the agreement.

        Args:
            signed: the outcome.
            peer_key: the sender's identity key.
            context: the edge.
            terms: the agreement's.
            most: the largest possible number of matches.

        Raises:
            PeerError: BAD_SIGNATURE, BAD_MESSAGE, those of another edge, BAD_OUTCOME for what no honest sender states.
        """
        outcome = cls.read(signed, peer_key, OutcomeContext(context, terms))
        halves = (outcome.left, outcome.right, outcome.share)
        withheld = outcome.band == disclosure_control.WITHHELD
        if context.disclosure is Disclosure.SUM:
            good = withheld and all(map(any, halves))
        elif outcome.disclosed:
            good = disclosure_control.possible(outcome.band, terms, most) and not any(b"".join(halves))
        else:
            good = withheld and not any(b"".join(halves))
        if not good:
            raise PeerError(_POSSIBLE.code, _POSSIBLE.message)
        return outcome


@dataclass(frozen=True)
class AggregateReport(Statement[EdgeContext]):
    """What a receiver passes on: the sender's outcome by its digest, and how it opened a sum.

    Args:
        outcome: digest of the sender's signed outcome, 32 bytes.
        total: sum: in units of the band; 0 otherwise.
        proof: disclosed sum: see `elgamal.Opening`; zeros otherwise.
        closed_at: when the receiver closed the edge, seconds since 1970, UTC.
    """

    TYPE: ClassVar[str] = REPORT_TYPE

    outcome: Annotated[Digest, Expect(PeerCode.BAD_OUTCOME, "the report is about another outcome")]
    total: int
    proof: Proof
    closed_at: int

    @staticmethod
    def digest_of(outcome: Signed) -> bytes:
        """The digest by which a report names an outcome."""
        return digest(outcome.signature, outcome.payload)

    @classmethod
    def check(cls, signed: Signed, key: bytes, context: EdgeContext, outcome: Signed) -> Self:
        """Verify the receiver's signature, parse, and compare with the outcome that came with it.

        Raises:
            PeerError: BAD_SIGNATURE, BAD_MESSAGE, those of another edge, BAD_OUTCOME for a report of another outcome.
        """
        return cls.read(signed, key, context, outcome=cls.digest_of(outcome))
