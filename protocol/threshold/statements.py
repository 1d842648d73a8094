"""The signed statements of a threshold.

Each names the agreement, round, threshold, collector and all members, so none is valid for another threshold.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.session.rates_statement import RATES_BYTES, check_records
from blindmatch.protocol.session.statements import ELEMENTS, EXCHANGE, check_times
from blindmatch.protocol.session.wire_fields import (
    Digest,
    Expect,
    FromContext,
    Statement,
    about,
    integers,
    longest,
)
from blindmatch.protocol.threshold.messages import ThresholdContext
from blindmatch.protocol.transcript import Signed, digest

RATES_TYPE = "application/vnd.blindmatch.threshold-rates.v1"
COMMITMENT_TYPE = "application/vnd.blindmatch.threshold-commitment.v1"
ATTESTATION_TYPE = "application/vnd.blindmatch.threshold-attestation.v1"
TABLES_TYPE = "application/vnd.blindmatch.threshold-tables.v1"
OUTCOME_TYPE = "application/vnd.blindmatch.threshold-outcome.v1"
RECEIPT_TYPE = "application/vnd.blindmatch.threshold-receipt.v1"


MemberId = Annotated[str, about(PeerCode.WRONG_AGENCY, "member")]


@dataclass(frozen=True)
class ThresholdRatesStatement(Statement[ThresholdContext]):
    """One member's statement of rates; see `session.rates_statement.RatesStatement`."""

    TYPE: ClassVar[str] = RATES_TYPE

    member: MemberId
    schema: Annotated[
        Digest,
        Expect(PeerCode.SCHEMA_MISMATCH, "{member}'s rates were measured under another linkage schema"),
    ]
    records: int
    rates: Annotated[bytes, longest(RATES_BYTES)]

    @classmethod
    def check(
        cls, signed: Signed, key: bytes, member: str, context: ThresholdContext, *, schema: bytes, most: int
    ) -> Self:
        """Verify, parse, and compare with the agreement. The rates are not read yet.

        Raises:
            PeerError: BAD_SIGNATURE, BAD_MESSAGE, OVERSIZE, those of another threshold, SCHEMA_MISMATCH, OVER_LIMIT.
        """
        statement = cls.read(signed, key, context, member=member, schema=schema)
        check_records(member, statement.records, most)
        return statement


@dataclass(frozen=True)
class ThresholdCommitment(Statement[ThresholdContext]):
    """What a member fixes before any of its elements is evaluated: `contents` is one digest over its chunks' digests."""

    TYPE: ClassVar[str] = COMMITMENT_TYPE

    member: MemberId
    keys: ClassVar[FromContext] = FromContext(
        lambda context: context.keys_digest,
        Expect(
            PeerCode.SCHEMA_MISMATCH,
            "{member} compiled different match keys, or received other rates",
            "All nodes need the same linkage schema and the same statements.",
        ),
    )
    elements: int
    contents: Digest

    @classmethod
    def check(cls, signed: Signed, key: bytes, member: str, context: ThresholdContext) -> Self:
        """Verify, parse, and compare every field with what this side knows.

        Raises:
            PeerError: BAD_SIGNATURE, BAD_MESSAGE, those of another threshold, SCHEMA_MISMATCH, BAD_COUNT.
        """
        commitment = cls.read(signed, key, context, member=member)
        stated = context.elements[context.place(member)]
        if commitment.elements != stated:
            raise PeerError(
                PeerCode.BAD_COUNT, f"{member} has {commitment.elements} elements; its records give {stated}"
            )
        return commitment


@dataclass(frozen=True)
class Attestation(Statement[ThresholdContext]):
    """An evaluating member's statement of how it evaluated another member's committed elements.

    Args:
        evaluator: the member that evaluated.
        member: the member that owns the elements.
        commitment: digest of that member's commitment, 32 bytes.
        contents: one digest over the digests of the evaluated chunks, 32 bytes.
    """

    TYPE: ClassVar[str] = ATTESTATION_TYPE

    evaluator: Annotated[str, about(PeerCode.WRONG_AGENCY, "evaluator")]
    member: MemberId
    commitment: Annotated[Digest, about(PeerCode.BAD_COMMITMENT, "commitment")]
    contents: Annotated[
        Digest,
        Expect(
            PeerCode.BAD_COMMITMENT,
            "the evaluated elements are not those that {evaluator} signed",
            "The collector's node, or the connection to it, altered them.",
        ),
    ]

    @classmethod
    def check(cls, signed: Signed, key: bytes, expected: "Attestation", context: ThresholdContext) -> None:
        """Verify, and compare with the chunks that this side received.

        Raises:
            PeerError: BAD_SIGNATURE, BAD_MESSAGE, those of another threshold, BAD_COMMITMENT.
        """
        cls.read(signed, key, context, **vars(expected))


@dataclass(frozen=True)
class TablesStatement(Statement[ThresholdContext]):
    """A member's commitment to its tables: `commitments` ties it to the elements of all members."""

    TYPE: ClassVar[str] = TABLES_TYPE

    member: MemberId
    commitments: Annotated[Digest, about(PeerCode.BAD_COMMITMENT, "set of commitments")]
    bins: ClassVar[FromContext] = FromContext(
        lambda context: context.shape.bins, about(PeerCode.BAD_COUNT, "number of bins")
    )
    contents: Digest

    @classmethod
    def check(
        cls, signed: Signed, key: bytes, member: str, commitments: bytes, context: ThresholdContext
    ) -> Self:
        """Verify, parse and compare.

        Raises:
            PeerError: BAD_SIGNATURE, BAD_MESSAGE, those of another threshold, BAD_COMMITMENT, BAD_COUNT.
        """
        return cls.read(signed, key, context, member=member, commitments=commitments)


@dataclass(frozen=True)
class ThresholdOutcome(Statement[ThresholdContext]):
    """The collector's statement to one member.

    Args:
        member: the member.
        tables: digest of the signed tables of all members, 32 bytes.
        contents: one digest over the digests of the outcome's chunks, 32 bytes: they give the shared cells.
    """

    TYPE: ClassVar[str] = OUTCOME_TYPE

    member: MemberId
    tables: Digest
    contents: Digest

    @classmethod
    def check(cls, signed: Signed, key: bytes, member: str, context: ThresholdContext) -> Self:
        """Verify, parse and compare. PeerError: BAD_SIGNATURE, BAD_MESSAGE, those of another threshold."""
        return cls.read(signed, key, context, member=member)


@dataclass(frozen=True)
class ThresholdReceiptTerms(Statement[ThresholdContext]):
    """The content of the receipt: nothing in it depends on which elements are shared.

    Args:
        elements: each member's number of elements.
        transcript: 32 bytes over the keys, and the commitments and tables of all members.
        opened_at: seconds since 1970, UTC, by the collector's clock.
        closed_at: the same.
    """

    TYPE: ClassVar[str] = RECEIPT_TYPE

    elements: Annotated[tuple[int, ...], integers(lambda context: len(context.members)), ELEMENTS]
    transcript: Annotated[Digest, EXCHANGE]
    opened_at: int
    closed_at: int

    @classmethod
    def check(
        cls, signed: Signed, key: bytes, transcript: bytes, context: ThresholdContext, *, now: int
    ) -> None:
        """Verify a receipt and compare it with what this side saw; its times need only be possible.

        Raises:
            PeerError: BAD_SIGNATURE, BAD_MESSAGE, BAD_RECEIPT, and those of another threshold.
        """
        receipt = cls.read(signed, key, context, elements=context.elements, transcript=transcript)
        check_times(receipt.opened_at, receipt.closed_at, now)


def joint_digest(label: str, payloads: list[bytes]) -> bytes:
    """32 bytes over several statements, in the members' order."""
    return digest(label.encode(), *payloads)
