"""What a session of a threshold must remember besides its workspace and its seed: always the same few hundred bytes.

No scalar, seed, key, element or count of what is shared stands here.
"""

from dataclasses import dataclass, field, fields

from blindmatch.protocol.agreement import MEMBERS
from blindmatch.protocol.errors import PeerError, StoreError
from blindmatch.protocol.limits import DIGEST_BYTES
from blindmatch.protocol.threshold.transitions import ThresholdRole, ThresholdState
from blindmatch.protocol.transcript import decode, encode

_LABEL = "blindmatch/threshold-checkpoint/v1"
_STATE_BYTES = 16
NONE = bytes(DIGEST_BYTES)


def _per_member() -> list[int]:
    return [0] * MEMBERS


@dataclass
class ThresholdCheckpoint:
    """One side's progress. Digests are 32 zeros until what they stand for exists; lists have one number per member.

    Args:
        state: where the session stands.
        prepared: member: leading chunks of its own elements that are blinded; collector: 1 once elements are carried.
        finished: member: leading chunks that are unblinded.
        built: member: leading pairs of tables that are built.
        received: member: leading evaluated chunks of each other member; collector: leading chunks of each one's tables.
        attested: member: who has signed for these chunks.
        outcome_chunks: member: leading chunks of the outcome.
        own: digest of this member's commitment.
        commitments: over everybody's commitments.
        tables: digest of this member's tables, or over everybody's.
        outcome: what the outcome's statement says of its contents.
        receipt: digest of the receipt.
        opened_at, closed_at: the receipt's times, once the collector has signed it.
    """

    state: ThresholdState = ThresholdState.PREPARING
    prepared: int = 0
    finished: int = 0
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

    def pack(self, role: ThresholdRole, binding: bytes) -> bytes:
        """Canonical bytes; `binding` is 32 bytes made from the threshold and the seed."""
        values: list[bytes | str | int] = []
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, ThresholdState):
                values.append(value.value.ljust(_STATE_BYTES))
            else:
                values += value if isinstance(value, list) else [value]
        return encode(_LABEL, role.value.ljust(_STATE_BYTES), binding, *values)

    @classmethod
    def unpack(cls, data: bytes, role: ThresholdRole, binding: bytes) -> "ThresholdCheckpoint":
        """Read what `pack` made for the same role, threshold and seed.

        Raises:
            StoreError: it belongs to another session, or is damaged.
        """
        made = cls()
        try:
            read = decode(_LABEL, data)
            same = read.text().rstrip() == role.value
            same &= read.data(DIGEST_BYTES) == binding
            for each in fields(cls):
                value = getattr(made, each.name)
                if isinstance(value, ThresholdState):
                    setattr(made, each.name, ThresholdState(read.text().rstrip()))
                elif isinstance(value, list):
                    setattr(made, each.name, [read.integer() for _ in value])
                elif isinstance(value, bytes):
                    setattr(made, each.name, read.data(DIGEST_BYTES))
                else:
                    setattr(made, each.name, read.integer())
            read.end()
        except (PeerError, ValueError):
            raise StoreError("a round's checkpoint is damaged", hint="Start a new round.") from None
        if not same:
            raise StoreError(
                "a round's checkpoint belongs to another threshold or seed", hint="Start a new round."
            )
        return made
