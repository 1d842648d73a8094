"""The signed statements of a delta round: like those of any round, and what the round does to the epoch."""

from dataclasses import dataclass
from typing import ClassVar, Self

from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import DIGEST_BYTES, POINT_BYTES
from blindmatch.protocol.session.messages import ROUND_BYTES, EdgeContext
from blindmatch.protocol.session.statements import (
    RECEIPT_TYPE,
    Commitment,
    ReceiptTerms,
    check_edge,
    edge_fields,
    same,
)
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.transcript import Fields, Signed, decode, encode, verify

DELTA_COMMITMENT_TYPE = "application/vnd.blindmatch.delta-commitment.v1"
DELTA_RECEIPT_TYPE = "application/vnd.blindmatch.delta-receipt.v1"


@dataclass(frozen=True)
class ListSize:
    """One side's list in an epoch, as both sides know it.

    Args:
        records: in the epoch so far.
        slots: tokens to which every record is padded.
        most: records that the agreement allows.
    """

    records: int
    slots: int
    most: int


@dataclass(frozen=True)
class Base:
    """Where an epoch stands before a delta round; both sides hold the same.

    Args:
        epoch: the id of the round that opened it, 16 bytes.
        number: delta rounds so far.
        state: 32 bytes over all of them.
        receiver, sender: both lists.
        public_key: the sender's OPRF public key where evaluation is verified, else 32 zeros.
    """

    epoch: bytes
    number: int
    state: bytes
    receiver: ListSize
    sender: ListSize
    public_key: bytes = bytes(POINT_BYTES)

    def size(self, role: Role) -> ListSize:
        """One side's list."""
        return self.receiver if role is Role.RECEIVER else self.sender


@dataclass(frozen=True)
class Counts:
    """How many of one side's records are new, and how many gone; a changed one is both."""

    added: int = 0
    removed: int = 0


@dataclass(frozen=True, kw_only=True)
class DeltaCommitment(Commitment):
    """What one side fixes before anything else of a delta round is sent.

    Args:
        base: where it believes that the epoch stands.
        counts: of its own records.
        records: how many it has afterwards.
        removed_tags: the sender's: tags that go. `elements` are the rows that come.
    """

    TYPE: ClassVar[str] = DELTA_COMMITMENT_TYPE

    epoch: bytes
    number: int
    before: bytes
    counts: Counts
    records: int
    removed_tags: int = 0

    def payload(self, context: EdgeContext) -> bytes:
        """The bytes to sign, with type `DELTA_COMMITMENT_TYPE`."""
        return encode(
            self.TYPE,
            *edge_fields(context),
            self.role.value,
            context.keys_digest,
            self.elements,
            self.contents,
            self.public_key,
            self.epoch,
            self.number,
            self.before,
            self.counts.added,
            self.counts.removed,
            self.records,
            self.removed_tags,
        )

    @classmethod
    def parse(cls, payload: bytes, role: Role, context: EdgeContext) -> Self:
        """Read a commitment of this edge and round. PeerError: BAD_MESSAGE, BAD_COMMITMENT, SCHEMA_MISMATCH, and those of another edge."""
        fields = decode(cls.TYPE, payload)
        check_edge(fields, context)
        same(fields.text(), role.value, PeerCode.BAD_COMMITMENT, "role")
        same(fields.data(DIGEST_BYTES), context.keys_digest, PeerCode.SCHEMA_MISMATCH, "set of match keys")
        said = cls(
            role=role,
            elements=fields.integer(),
            contents=fields.data(DIGEST_BYTES),
            public_key=fields.data(POINT_BYTES),
            epoch=fields.data(ROUND_BYTES),
            number=fields.integer(),
            before=fields.data(DIGEST_BYTES),
            counts=_counts(fields),
            records=fields.integer(),
            removed_tags=fields.integer(),
        )
        fields.end()
        return said

    @classmethod
    def verified(cls, signed: Signed, peer_key: bytes, role: Role, context: EdgeContext, base: Base) -> Self:
        """Verify the peer's signature, parse, and compare every field with what this side knows.

        Raises:
            PeerError: DIVERGED when the peer's epoch stands elsewhere; BAD_SIGNATURE; BAD_COUNT, OVER_LIMIT for numbers
                that cannot be; and those of `parse`.
        """
        verify(peer_key, cls.TYPE, signed.payload, signed.signature)
        said = cls.parse(signed.payload, role, context)
        said.check_against(base)
        return said

    def check_against(self, base: Base) -> None:
        """Compare with where the epoch stands on this side. PeerError: DIVERGED, BAD_COMMITMENT, BAD_COUNT, OVER_LIMIT."""
        if (self.epoch, self.number, self.before) != (base.epoch, base.number + 1, base.state):
            raise PeerError(
                PeerCode.DIVERGED,
                "the two sides do not hold the same state of the epoch",
                hint="The epoch has ended. The next round compares everything anew.",
            )
        sender = self.role is Role.SENDER
        if self.public_key != (base.public_key if sender else bytes(POINT_BYTES)):
            raise PeerError(
                PeerCode.BAD_COMMITMENT, "the commitment shows another key than that of the epoch"
            )
        size = base.size(self.role)
        good = self.counts.removed <= size.records
        good &= self.records == size.records + self.counts.added - self.counts.removed
        if sender:
            good &= self.counts.removed * size.slots <= self.removed_tags <= size.records * size.slots
            good &= self.elements - self.removed_tags == (self.records - size.records) * size.slots
            good &= self.elements >= self.counts.added * size.slots
        else:
            good &= self.removed_tags == 0
            good &= self.elements == max(self.counts.added, 1) * size.slots
        if not good or not self.records:
            raise PeerError(PeerCode.BAD_COUNT, f"the numbers of the {self.role}'s changes do not add up")
        if self.records > size.most:
            raise PeerError(
                PeerCode.OVER_LIMIT,
                f"the {self.role} brings {self.records} records; the agreement allows {size.most}",
            )


def read_receipt(payload: bytes, context: EdgeContext) -> ReceiptTerms:
    """A receipt of this edge and round, of whichever kind. PeerError: BAD_MESSAGE, and those of another edge."""
    kind = DeltaReceipt if receipt_type(payload) == DELTA_RECEIPT_TYPE else ReceiptTerms
    return kind.parse(payload, context)


def receipt_type(payload: bytes) -> str:
    """The type that a receipt was signed with, as its bytes say."""
    return DELTA_RECEIPT_TYPE if payload.startswith(encode(DELTA_RECEIPT_TYPE)) else RECEIPT_TYPE


def _counts(fields: Fields) -> Counts:
    return Counts(added=fields.integer(), removed=fields.integer())


@dataclass(frozen=True, kw_only=True)
class DeltaReceipt(ReceiptTerms):
    """What a delta round's receipt says besides: which records' numbers changed, and the epoch's state before and after."""

    TYPE: ClassVar[str] = DELTA_RECEIPT_TYPE

    epoch: bytes
    number: int
    before: bytes
    after: bytes
    receiver_counts: Counts
    sender_counts: Counts

    def payload(self, context: EdgeContext) -> bytes:
        """The bytes that both sides sign, with type `DELTA_RECEIPT_TYPE`."""
        return encode(
            self.TYPE,
            *edge_fields(context),
            self.receiver_elements,
            self.sender_elements,
            self.transcript,
            self.opened_at,
            self.closed_at,
            self.epoch,
            self.number,
            self.before,
            self.after,
            self.receiver_counts.added,
            self.receiver_counts.removed,
            self.sender_counts.added,
            self.sender_counts.removed,
        )

    @classmethod
    def parse(cls, payload: bytes, context: EdgeContext) -> Self:
        """Read a delta round's receipt. PeerError: BAD_MESSAGE, and those of another edge."""
        fields = decode(cls.TYPE, payload)
        check_edge(fields, context)
        said = cls(
            receiver_elements=fields.integer(),
            sender_elements=fields.integer(),
            transcript=fields.data(DIGEST_BYTES),
            opened_at=fields.integer(),
            closed_at=fields.integer(),
            epoch=fields.data(ROUND_BYTES),
            number=fields.integer(),
            before=fields.data(DIGEST_BYTES),
            after=fields.data(DIGEST_BYTES),
            receiver_counts=_counts(fields),
            sender_counts=_counts(fields),
        )
        fields.end()
        return said
