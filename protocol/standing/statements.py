"""The signed statements of a delta round: those of a round of `hits`, with the epoch's state before and after."""

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
    """The size of one side's list in an epoch, which both sides know.

    Args:
        records: the number of records before the round.
        slots: the number of tokens to which every record is padded.
        most: the largest number of records that the agreement allows.
    """

    records: int
    slots: int
    most: int


@dataclass(frozen=True)
class EpochState:
    """An epoch's state before a delta round; it must be the same on both sides.

    Args:
        epoch: the id of the round that opened it, 16 bytes.
        number: the number of delta rounds that have closed.
        state: 32 bytes over all its rounds.
        receiver, sender: the sizes of both lists.
        public_key: the sender's OPRF public key where evaluation is verified, else 32 zeros.
    """

    epoch: bytes
    number: int
    state: bytes
    receiver: ListSize
    sender: ListSize
    public_key: bytes = bytes(POINT_BYTES)

    def size(self, role: Role) -> ListSize:
        """The size of one side's list."""
        return self.receiver if role is Role.RECEIVER else self.sender


@dataclass(frozen=True)
class ChangeCounts:
    """The numbers of one side's added and removed records; a changed record counts as both."""

    added: int = 0
    removed: int = 0


@dataclass(frozen=True, kw_only=True)
class DeltaCommitment(Commitment):
    """What one side fixes before anything else of a delta round is sent; a sender's `elements` are the rows that it adds.

    Args:
        epoch, number, before: the epoch, the number of this delta round, and the epoch's state before it.
        counts: its own numbers of added and removed records.
        records: its number of records after the round.
        removed_tags: sender: the number of tags that it removes.
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
            PeerError: BAD_SIGNATURE, those of `parse` and of `check_against`.
        """
        commitment = cls.read(signed, peer_key, context, role=role)
        commitment.check_against(base)
        return commitment

    def check_against(self, base: EpochState) -> None:
        """Compare with the epoch's state on this side.

        Raises:
            PeerError: DIVERGED when the states differ, BAD_COMMITMENT for another key, BAD_COUNT for numbers that are not
                consistent, OVER_LIMIT.
        """
        if (self.epoch, self.number, self.before) != (base.epoch, base.number + 1, base.state):
            raise PeerError(
                PeerCode.DIVERGED,
                "the epoch's state differs between the two sides",
                hint="The epoch has ended. The next round compares all records and opens a new epoch.",
            )
        sender = self.role is Role.SENDER
        if self.public_key != (base.public_key if sender else bytes(POINT_BYTES)):
            raise PeerError(PeerCode.BAD_COMMITMENT, "the commitment holds another key than the epoch's")
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
            raise PeerError(PeerCode.BAD_COUNT, f"the {self.role}'s numbers of changes are not consistent")
        check_records(f"the {self.role}", self.records, size.most)


def read_receipt(payload: bytes, context: EdgeContext) -> ReceiptTerms:
    """Read a receipt of a full round or a delta round of this edge. PeerError: BAD_MESSAGE, and those of another edge."""
    kind = DeltaReceipt if receipt_type(payload) == DELTA_RECEIPT_TYPE else ReceiptTerms
    return kind.parse(payload, context)


def receipt_type(payload: bytes) -> str:
    """The type of a receipt, which its bytes begin with."""
    return DELTA_RECEIPT_TYPE if payload.startswith(encode(DELTA_RECEIPT_TYPE)) else RECEIPT_TYPE


_STATE = about(PeerCode.BAD_RECEIPT, "state of the epoch")


@dataclass(frozen=True, kw_only=True)
class DeltaReceipt(ReceiptTerms):
    """The receipt of a delta round: also both sides' numbers of changes, and the epoch's state before and after."""

    TYPE: ClassVar[str] = DELTA_RECEIPT_TYPE

    epoch: Annotated[RoundId, _STATE]
    number: Annotated[int, _STATE]
    before: Annotated[Digest, _STATE]
    after: Annotated[Digest, _STATE]
    receiver_counts: Annotated[ChangeCounts, _STATE]
    sender_counts: Annotated[ChangeCounts, _STATE]
