"""The signed statements of an edge that every disclosure shares: both commitments and the receipt."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import LIMITS, POINT_BYTES
from blindmatch.protocol.session.messages import EdgeContext
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.session.wire_fields import Digest, Expect, FromContext, Point, Statement, about
from blindmatch.protocol.transcript import Signed

COMMITMENT_TYPE = "application/vnd.blindmatch.commitment.v1"
RECEIPT_TYPE = "application/vnd.blindmatch.receipt.v1"


@dataclass(frozen=True)
class Commitment(Statement[EdgeContext]):
    """What one side fixes before anything else is sent.

    Args:
        role: the side that commits.
        elements: its number of elements.
        contents: 32 bytes over the blinded chunks (receiver) or the tag table's chunks (sender).
        public_key: the sender's OPRF public key when evaluation is verified, otherwise 32 zeros.
    """

    TYPE: ClassVar[str] = COMMITMENT_TYPE

    role: Annotated[Role, about(PeerCode.BAD_COMMITMENT, "role")]
    keys: ClassVar[FromContext] = FromContext(
        lambda context: context.keys_digest,
        Expect(
            PeerCode.SCHEMA_MISMATCH,
            "the other side compiled different match keys",
            "Both nodes need the same linkage schema; compare the schema's digest on both.",
        ),
    )
    elements: int
    contents: Digest
    public_key: Point = bytes(POINT_BYTES)

    @classmethod
    def check(cls, signed: Signed, peer_key: bytes, role: Role, context: EdgeContext) -> Self:
        """Verify the peer's signature, parse, and compare every field with what this side knows.

        Raises:
            PeerError: BAD_SIGNATURE, BAD_MESSAGE, WRONG_VERSION, UNKNOWN_AGREEMENT, UNKNOWN_ROUND, WRONG_AGENCY,
                BAD_COMMITMENT, SCHEMA_MISMATCH, BAD_COUNT, OVER_LIMIT.
        """
        commitment = cls.read(signed, peer_key, context, role=role)
        check_count(commitment.elements, role, context)
        commitment.check_values(context)
        return commitment

    def check_values(self, context: EdgeContext) -> None:
        """Refuse a public key where none is expected, or none where one is. PeerError: BAD_COMMITMENT."""
        if context.verified and self.role is Role.SENDER:
            if not any(self.public_key):
                raise PeerError(PeerCode.BAD_COMMITMENT, "the commitment holds no public key")
        elif any(self.public_key):
            raise PeerError(PeerCode.BAD_COMMITMENT, "the commitment holds an unrequested public key")


def check_count(elements: int, role: Role, context: EdgeContext) -> None:
    """Compare one side's number of elements with the agreement's limit. PeerError: BAD_COUNT, OVER_LIMIT."""
    agreed = context.receiver_elements if role is Role.RECEIVER else context.sender_elements
    most = min(agreed or LIMITS.elements, LIMITS.elements)
    if elements < 1:
        raise PeerError(PeerCode.BAD_COUNT, f"the {role} has no elements")
    if elements > most:
        raise PeerError(
            PeerCode.OVER_LIMIT, f"the {role} has {elements} elements; the agreement allows {most}"
        )


def check_times(opened_at: int, closed_at: int, now: int) -> None:
    """Refuse a receipt whose times are not possible: closed before it opened, or in the future. PeerError: BAD_RECEIPT."""
    if not opened_at <= closed_at <= now + LIMITS.clock_skew_seconds:
        raise PeerError(
            PeerCode.BAD_RECEIPT,
            "the receipt's times are not possible",
            hint="Compare the clocks of the nodes; they may differ by five minutes.",
        )


ELEMENTS = about(PeerCode.BAD_RECEIPT, "number of elements")
EXCHANGE = about(PeerCode.BAD_RECEIPT, "exchange of bytes")


@dataclass(frozen=True)
class ReceiptTerms(Statement[EdgeContext]):
    """The content of a receipt: nothing in it depends on which elements matched, or how many.

    Args:
        receiver_elements: the receiver's number of elements.
        sender_elements: the sender's number of elements.
        transcript: 32 bytes over both commitments and every chunk, as this side saw them.
        opened_at: seconds since 1970, UTC, by the receiver's clock.
        closed_at: the same.
    """

    TYPE: ClassVar[str] = RECEIPT_TYPE

    receiver_elements: Annotated[int, ELEMENTS]
    sender_elements: Annotated[int, ELEMENTS]
    transcript: Annotated[Digest, EXCHANGE]
    opened_at: int
    closed_at: int

    @classmethod
    def check(
        cls, signed: Signed, peer_key: bytes, expected: Self, context: EdgeContext, *, now: int
    ) -> None:
        """Verify a receipt and compare it with what this side saw; its times need only be possible.

        Raises:
            PeerError: BAD_SIGNATURE, BAD_MESSAGE, BAD_RECEIPT, and those of another edge.
        """
        seen = {
            name: value for name, value in vars(expected).items() if name not in {"opened_at", "closed_at"}
        }
        receipt = cls.read(signed, peer_key, context, **seen)
        check_times(receipt.opened_at, receipt.closed_at, now)
