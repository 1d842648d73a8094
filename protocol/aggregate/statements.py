"""The signed statements of an edge that discloses a number: both commitments, and the sender's outcome."""

from dataclasses import dataclass
from typing import ClassVar, Self

from blindmatch.protocol.aggregate import disclosure_control
from blindmatch.protocol.aggregate.disclosure_control import AggregateTerms, Band
from blindmatch.protocol.aggregate.messages import COPIES
from blindmatch.protocol.agreement import Disclosure
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import DIGEST_BYTES, LIMITS, POINT_BYTES, PROOF_BYTES
from blindmatch.protocol.session.messages import EdgeContext
from blindmatch.protocol.session.statements import Commitment, check_count, check_edge, edge_fields
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.transcript import Signed, decode, digest, encode, verify

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
        copies: blinds per token; see `Brought`.
        proof: that this side knows the secret half of its share (Schnorr, 64 bytes), otherwise zeros.
    """

    group: int = 1
    copies: int = 1
    proof: bytes = NO_PROOF

    TYPE: ClassVar[str] = COMMITMENT_TYPE

    def payload(self, context: EdgeContext) -> bytes:
        """The bytes to sign, with type `COMMITMENT_TYPE`."""
        return encode(
            COMMITMENT_TYPE,
            *edge_fields(context),
            self.role.value,
            context.keys_digest,
            self.elements,
            self.contents,
            self.public_key,
            self.group,
            self.copies,
            self.proof,
        )

    @classmethod
    def check(cls, signed: Signed, peer_key: bytes, role: Role, context: EdgeContext) -> Self:
        """See `Commitment.check`. Whether the share is known to who states it is not looked at here."""
        verify(peer_key, COMMITMENT_TYPE, signed.payload, signed.signature)
        fields = decode(COMMITMENT_TYPE, signed.payload)
        check_edge(fields, context)
        if fields.text() != role.value:
            raise PeerError(PeerCode.BAD_COMMITMENT, "the statement is about another role")
        if fields.data(DIGEST_BYTES) != context.keys_digest:
            raise PeerError(
                PeerCode.SCHEMA_MISMATCH,
                "the other side compiled different match keys",
                hint="Both nodes need the same linkage schema; compare the schema's digest on both.",
            )
        said = cls(
            role=role,
            elements=fields.integer(),
            contents=fields.data(DIGEST_BYTES),
            public_key=fields.data(POINT_BYTES),
            group=fields.integer(),
            copies=fields.integer(),
            proof=fields.data(PROOF_BYTES),
        )
        fields.end()
        check_count(said.elements, role, context)
        said._check_groups(context)
        return said

    def _check_groups(self, context: EdgeContext) -> None:
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
                PeerCode.BAD_COMMITMENT, "a share of the sum's key is missing, or nobody asked for one"
            )


@dataclass(frozen=True)
class AggregateOutcome:
    """What the sender releases: the same number of bytes whatever it says.

    Args:
        told: whether the minimum was reached.
        low: count: the band's lower end; 0 when nothing is told, and for a sum.
        high: count: the upper end.
        left: sum: the first half of the sum's ciphertext, 32 bytes; zeros for a count.
        right: sum: the second half, the sender's share taken off.
        share: sum: the receiver's share of the key, so that whoever holds this can check how the receiver opened it.
        transcript: 32 bytes over both commitments and every chunk.
    """

    told: bool
    band: Band = disclosure_control.WITHHELD
    left: bytes = NO_POINT
    right: bytes = NO_POINT
    share: bytes = NO_POINT
    transcript: bytes = bytes(DIGEST_BYTES)

    def payload(self, context: EdgeContext, terms: AggregateTerms) -> bytes:
        """The bytes to sign, with type `OUTCOME_TYPE`."""
        return encode(
            OUTCOME_TYPE,
            *edge_fields(context),
            terms.minimum_count,
            terms.band,
            int(self.told),
            self.band.low,
            self.band.high,
            self.left,
            self.right,
            self.share,
            self.transcript,
        )

    @classmethod
    def check(
        cls, signed: Signed, peer_key: bytes, context: EdgeContext, terms: AggregateTerms, *, most: int
    ) -> "AggregateOutcome":
        """Verify the sender's signature, parse, and compare with the agreement.

        Args:
            signed: the outcome.
            peer_key: the sender's identity key.
            context: the edge.
            terms: the agreement's.
            most: more matches than this cannot be.

        Raises:
            PeerError: BAD_SIGNATURE, BAD_MESSAGE, those of another edge, BAD_OUTCOME for what no honest sender says.
        """
        verify(peer_key, OUTCOME_TYPE, signed.payload, signed.signature)
        fields = decode(OUTCOME_TYPE, signed.payload)
        check_edge(fields, context)
        agreed = (fields.integer(), fields.integer()) == (terms.minimum_count, terms.band)
        told = fields.integer()
        said = cls(
            told=bool(told),
            band=Band(fields.integer(), fields.integer()),
            left=fields.data(POINT_BYTES),
            right=fields.data(POINT_BYTES),
            share=fields.data(POINT_BYTES),
            transcript=fields.data(DIGEST_BYTES),
        )
        fields.end()
        good = agreed and told in (0, 1)
        if context.disclosure is Disclosure.SUM:
            good = (
                good
                and said.band == disclosure_control.WITHHELD
                and all(map(any, (said.left, said.right, said.share)))
            )
        else:
            good = good and not any(said.left + said.right + said.share)
            good = good and (
                disclosure_control.possible(said.band, terms, most)
                if said.told
                else said.band == disclosure_control.WITHHELD
            )
        if not good:
            raise PeerError(
                PeerCode.BAD_OUTCOME, "the outcome is not one that the agreement's terms can give"
            )
        return said


@dataclass(frozen=True)
class AggregateReport:
    """What a receiver passes on: the sender's outcome by its digest, and how it opened a sum.

    Args:
        outcome: digest of the sender's signed outcome, 32 bytes.
        total: sum: in units of the band; 0 otherwise.
        proof: sum that was told: see `protocol.sum.Opening`; zeros otherwise.
        closed_at: when the receiver closed the edge, seconds since 1970, UTC.
    """

    outcome: bytes
    total: int
    proof: bytes
    closed_at: int

    @staticmethod
    def digest_of(outcome: Signed) -> bytes:
        """What a report names an outcome by."""
        return digest(outcome.signature, outcome.payload)

    def payload(self, context: EdgeContext) -> bytes:
        """The bytes to sign, with type `REPORT_TYPE`."""
        fields = (self.outcome, self.total, self.proof, self.closed_at)
        return encode(REPORT_TYPE, *edge_fields(context), *fields)

    @classmethod
    def check(cls, signed: Signed, key: bytes, context: EdgeContext, outcome: Signed) -> "AggregateReport":
        """Verify the receiver's signature, parse, and hold it against the outcome beside it.

        Raises:
            PeerError: BAD_SIGNATURE, BAD_MESSAGE, those of another edge, BAD_OUTCOME for a report of another outcome.
        """
        verify(key, REPORT_TYPE, signed.payload, signed.signature)
        fields = decode(REPORT_TYPE, signed.payload)
        check_edge(fields, context)
        said = cls(fields.data(DIGEST_BYTES), fields.integer(), fields.data(PROOF_BYTES), fields.integer())
        fields.end()
        if said.outcome != cls.digest_of(outcome):
            raise PeerError(PeerCode.BAD_OUTCOME, "the report is about another outcome")
        return said
