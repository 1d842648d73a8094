"""The signed statements: both commitments and the receipt. Exact bytes; verify, then parse, then compare."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import DIGEST_BYTES, LIMITS, POINT_BYTES, PROTOCOL_VERSION
from blindmatch.protocol.session.messages import ROUND_BYTES, EdgeContext
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.transcript import Fields, Signed, decode, encode, verify

COMMITMENT_TYPE = "application/vnd.blindmatch.commitment.v1"
RECEIPT_TYPE = "application/vnd.blindmatch.receipt.v1"


def edge_fields(context: EdgeContext) -> tuple[int | bytes | str, ...]:
    """What every statement of an edge begins with."""
    return (
        PROTOCOL_VERSION,
        context.agreement,
        context.round_id,
        context.edge,
        context.receiver,
        context.sender,
        context.disclosure.value,
        int(context.verified),
        context.fact_bytes,
    )


def same(said: object, expected: object, code: PeerCode, what: str) -> None:
    """Refuse a statement that is about another `what`. PeerError: `code`."""
    if said != expected:
        raise PeerError(code, f"the statement is about another {what}")


def check_edge(fields: Fields, context: EdgeContext) -> None:
    """Read what `edge_fields` wrote, and compare. PeerError: names what differs."""
    version = fields.integer()
    if version != PROTOCOL_VERSION:
        raise PeerError(
            PeerCode.WRONG_VERSION, f"protocol version {version}; this node speaks {PROTOCOL_VERSION}"
        )
    same(fields.data(DIGEST_BYTES), context.agreement, PeerCode.UNKNOWN_AGREEMENT, "agreement")
    same(fields.data(ROUND_BYTES), context.round_id, PeerCode.UNKNOWN_ROUND, "round")
    same(fields.text(), context.edge, PeerCode.UNKNOWN_ROUND, "edge")
    same(fields.text(), context.receiver, PeerCode.WRONG_AGENCY, "receiver")
    same(fields.text(), context.sender, PeerCode.WRONG_AGENCY, "sender")
    same(fields.text(), context.disclosure.value, PeerCode.BAD_COMMITMENT, "disclosure")
    same(fields.integer(), int(context.verified), PeerCode.BAD_COMMITMENT, "verification")
    same(fields.integer(), context.fact_bytes, PeerCode.BAD_COMMITMENT, "size of facts")


@dataclass(frozen=True)
class Commitment:
    """What one side fixes before anything else is sent.

    Args:
        role: whose commitment it is.
        elements: how many elements it brings.
        contents: 32 bytes over the blinded chunks (receiver) or the tag table's chunks (sender).
        public_key: the sender's OPRF public key when evaluation is verified, otherwise 32 zeros.
    """

    TYPE: ClassVar[str] = COMMITMENT_TYPE

    role: Role
    elements: int
    contents: bytes
    public_key: bytes = bytes(POINT_BYTES)

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
        )

    @classmethod
    def check(cls, signed: Signed, peer_key: bytes, role: Role, context: EdgeContext) -> "Commitment":
        """Verify the peer's signature, parse, and compare every field with what this side knows.

        Raises:
            PeerError: BAD_SIGNATURE, BAD_MESSAGE, WRONG_VERSION, UNKNOWN_AGREEMENT, UNKNOWN_ROUND, WRONG_AGENCY,
                BAD_COMMITMENT, SCHEMA_MISMATCH, BAD_COUNT, OVER_LIMIT.
        """
        verify(peer_key, COMMITMENT_TYPE, signed.payload, signed.signature)
        fields = decode(COMMITMENT_TYPE, signed.payload)
        check_edge(fields, context)
        same(fields.text(), role.value, PeerCode.BAD_COMMITMENT, "role")
        if fields.data(DIGEST_BYTES) != context.keys_digest:
            raise PeerError(
                PeerCode.SCHEMA_MISMATCH,
                "the other side compiled different match keys",
                hint="Both nodes need the same linkage schema; compare the schema's digest on both.",
            )
        elements = fields.integer()
        contents, public_key = fields.data(DIGEST_BYTES), fields.data(POINT_BYTES)
        fields.end()
        check_count(elements, role, context)
        if context.verified and role is Role.SENDER:
            if not any(public_key):
                raise PeerError(PeerCode.BAD_COMMITMENT, "the commitment holds no public key")
        elif any(public_key):
            raise PeerError(
                PeerCode.BAD_COMMITMENT, "the commitment holds a public key that nobody asked for"
            )
        return cls(role, elements, contents, public_key)


def check_count(elements: int, role: Role, context: EdgeContext) -> None:
    """Compare one side's number of elements with the agreement's limit. PeerError: BAD_COUNT, OVER_LIMIT."""
    agreed = context.receiver_elements if role is Role.RECEIVER else context.sender_elements
    most = min(agreed or LIMITS.elements, LIMITS.elements)
    if elements < 1:
        raise PeerError(PeerCode.BAD_COUNT, f"the {role} brings no elements")
    if elements > most:
        raise PeerError(
            PeerCode.OVER_LIMIT, f"the {role} brings {elements} elements; the agreement allows {most}"
        )


@dataclass(frozen=True)
class ReceiptTerms:
    """What a receipt says: nothing in it depends on which elements matched, or how many.

    Args:
        receiver_elements: elements that the receiver brought.
        sender_elements: elements that the sender brought.
        transcript: 32 bytes over both commitments and every chunk, as this side saw them.
        opened_at: seconds since 1970, UTC, by the receiver's clock.
        closed_at: the same.
    """

    TYPE: ClassVar[str] = RECEIPT_TYPE

    receiver_elements: int
    sender_elements: int
    transcript: bytes
    opened_at: int
    closed_at: int

    def payload(self, context: EdgeContext) -> bytes:
        """The bytes that both sides sign, with type `RECEIPT_TYPE`."""
        return encode(
            RECEIPT_TYPE,
            *edge_fields(context),
            self.receiver_elements,
            self.sender_elements,
            self.transcript,
            self.opened_at,
            self.closed_at,
        )

    @classmethod
    def check(
        cls, signed: Signed, peer_key: bytes, expected: Self, context: EdgeContext, *, now: int
    ) -> None:
        """Verify and compare a receipt with what this side saw; its times need only be possible.

        Raises:
            PeerError: BAD_SIGNATURE, BAD_MESSAGE, BAD_RECEIPT, and those of another edge.
        """
        verify(peer_key, cls.TYPE, signed.payload, signed.signature)
        said = cls.parse(signed.payload, context)
        same(
            (said.receiver_elements, said.sender_elements),
            (expected.receiver_elements, expected.sender_elements),
            PeerCode.BAD_RECEIPT,
            "number of elements",
        )
        same(said.transcript, expected.transcript, PeerCode.BAD_RECEIPT, "exchange of bytes")
        timed = replace(expected, opened_at=said.opened_at, closed_at=said.closed_at)
        same(said, timed, PeerCode.BAD_RECEIPT, "state of the list")
        if not said.opened_at <= said.closed_at <= now + LIMITS.clock_skew_seconds:
            raise PeerError(
                PeerCode.BAD_RECEIPT,
                "the receipt's times are not possible",
                hint="Compare the clocks of both nodes; they may differ by five minutes.",
            )

    @classmethod
    def parse(cls, payload: bytes, context: EdgeContext) -> Self:
        """Read a receipt of this edge. PeerError: BAD_MESSAGE, and those of another edge."""
        fields = decode(RECEIPT_TYPE, payload)
        check_edge(fields, context)
        said = cls(
            receiver_elements=fields.integer(),
            sender_elements=fields.integer(),
            transcript=fields.data(DIGEST_BYTES),
            opened_at=fields.integer(),
            closed_at=fields.integer(),
        )
        fields.end()
        return said
