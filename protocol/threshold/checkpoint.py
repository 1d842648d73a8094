"""The checkpoint of a threshold's session. It holds no count of shared elements."""

from dataclasses import dataclass, field
from typing import ClassVar

from blindmatch.protocol.agreement import MEMBERS
from blindmatch.protocol.session.checkpoint import NONE, Checkpoint
from blindmatch.protocol.threshold.transitions import ThresholdState


def _per_member() -> list[int]:
    return [0] * MEMBERS


@dataclass
class ThresholdCheckpoint(Checkpoint):
    """One side's progress. Digests are `NONE` until they exist; lists have one integer per member.

    Args:
        state: the session's state.
        prepared: member: leading chunks of its own elements that are blinded; collector: 1 once elements are relayed.
        unblinded: member: leading chunks that are unblinded.
        built: member: pairs of tables that are built.
        received: member: evaluated chunks from each other member; collector: chunks of each member's tables.
        attested: member: 1 for each member whose signature over these chunks was verified.
        outcome_chunks: member: chunks of the outcome.
        own: digest of this member's commitment.
        commitments: over the commitments of all members.
        tables: digest of this member's tables, or over the tables of all members.
        outcome: digest of the outcome's statement.
        receipt: digest of the receipt.
        opened_at, closed_at: collector: the receipt's times, once it is signed.
    """

    state: ThresholdState = ThresholdState.PREPARING
    prepared: int = 0
    unblinded: int = 0
    built: int = 0
    received: list[int] = field(default_factory=_per_member)
    attested: list[int] = field(default_factory=_per_member)
    outcome_chunks: int = 0
    own: bytes = NONE
    commitments: bytes = NONE
    tables: bytes = NONE
    outcome: bytes = NONE
    receipt: bytes = NONE
    opened_at: int = 0
    closed_at: int = 0

    label: ClassVar[str] = "blindmatch/threshold-checkpoint/v1"
    subject: ClassVar[str] = "threshold"
