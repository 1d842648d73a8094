"""The signed statements of a delta round: like those of any round, and what the round does to the epoch."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Self

from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.limits import POINT_BYTES
from blindmatch.protocol.session.messages import EdgeContext, RoundId
from blindmatch.protocol.session.rates_statement import check_records
from blindmatch.protocol.session.statements import RECEIPT_TYPE, Commitment, ReceiptTerms
from blindmatch.protocol.session.states import Role
from blindmatch.protocol.session.wire_fields import Digest, about
from blindmatch.protocol.transcript import Signed, encode

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
class EpochState:
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
class ChangeCounts:
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

    epoch: RoundId
    number: int
    before: Digest
    counts: ChangeCounts
    records: int
    removed_tags: int = 0

    @classmethod
    def verified(
        cls, signed: Signed, peer_key: bytes, role: Role, context: EdgeContext, base: EpochState
    ) -> Self:
        """Verify the peer's signature, parse, and compare every field with what this side knows.

        Raises:
            PeerError: DIVERGED when the peer's epoch stands elsewhere; BAD_SIGNATURE; BAD_COUNT, OVER_LIMIT for numbers
                that cannot be; and those of `parse`.
        """
        commitment = cls.read(signed, peer_key, context, role=role)
        commitment.check_against(base)
        return commitment

    def check_against(self, base: EpochState) -> None:
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
        check_records(f"the {self.role}", self.records, size.most)


def read_receipt(payload: bytes, context: EdgeContext) -> ReceiptTerms:
    """A receipt of this edge and round, of whichever kind. PeerError: BAD_MESSAGE, and those of another edge."""
    kind = DeltaReceipt if receipt_type(payload) == DELTA_RECEIPT_TYPE else ReceiptTerms
    return kind.parse(payload, context)


def receipt_type(payload: bytes) -> str:
    """The type that a receipt was signed with, as its bytes say."""
    return DELTA_RECEIPT_TYPE if payload.startswith(encode(DELTA_RECEIPT_TYPE)) else RECEIPT_TYPE


_STATE = about(PeerCode.BAD_RECEIPT, "state of the list")


@dataclass(frozen=True, kw_only=True)
class DeltaReceipt(ReceiptTerms):
    """What a delta round's receipt says besides: which records' numbers changed, and the epoch's state before and after."""

    TYPE: ClassVar[str] = DELTA_RECEIPT_TYPE

    epoch: Annotated[RoundId, _STATE]
    number: Annotated[int, _STATE]
    before: Annotated[Digest, _STATE]
    after: Annotated[Digest, _STATE]
    receiver_counts: Annotated[ChangeCounts, _STATE]
    sender_counts: Annotated[ChangeCounts, _STATE]
