"""What a session must remember besides its workspace and its seed: a few hundred bytes, the same number always.

No scalar, seed, key or element stands here. The binding ties a checkpoint to its edge and its seed, so that one
is never restored into the other's session.
"""

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

from blindmatch.protocol.errors import PeerError, StoreError
from blindmatch.protocol.limits import DIGEST_BYTES, POINT_BYTES
from blindmatch.protocol.session.states import Role, State
from blindmatch.protocol.transcript import Fields, decode, encode

_STATE_BYTES = 16
_NONE = bytes(DIGEST_BYTES)


@dataclass
class Checkpoint:
    """One side's progress. Digests are 32 zeros until what they stand for exists.

    Args:
        state: where the session stands.
        elements: how many elements this side brings.
        prepared: leading chunks of its own elements that are prepared.
        exchanged: blinded chunks answered, or evaluated chunks received.
        unblinded: receiver: leading chunks unblinded.
        tag_chunks: receiver: tag chunks received.
        own: digest of this side's commitment.
        peer: digest of the peer's commitment.
        peer_elements, peer_contents, peer_key: what that commitment says.
        exchange: running transcript of both commitments and every exchanged chunk.
        opened_at, closed_at: the receipt's times, once it is signed.
        receipt: digest of the receipt, once it is signed.
    """

    state: State = State.PREPARING
    elements: int = 0
    prepared: int = 0
    exchanged: int = 0
    unblinded: int = 0
    tag_chunks: int = 0
    own: bytes = _NONE
    peer: bytes = _NONE
    peer_elements: int = 0
    peer_contents: bytes = _NONE
    peer_key: bytes = bytes(POINT_BYTES)
    exchange: bytes = _NONE
    opened_at: int = 0
    closed_at: int = 0
    receipt: bytes = _NONE

    label: ClassVar[str] = "blindmatch/checkpoint/v1"

    def pack(self, role: Role, binding: bytes) -> bytes:
        """Canonical bytes; `binding` is 32 bytes made from the edge and the seed."""
        values = (getattr(self, field.name) for field in fields(self))
        said = (value.value.ljust(_STATE_BYTES) if isinstance(value, State) else value for value in values)
        return encode(self.label, role.value.ljust(_STATE_BYTES), binding, *said)

    @classmethod
    def unpack(cls, data: bytes, role: Role, binding: bytes) -> Self:
        """Read what `pack` made for the same role, edge and seed.

        Raises:
            StoreError: it belongs to another session, or is damaged.
        """
        try:
            kept = decode(cls.label, data)
            same = kept.text().rstrip() == role.value
            same &= kept.data(DIGEST_BYTES) == binding
            made = cls(**{field.name: _read(kept, field.default) for field in fields(cls)})
            kept.end()
        except (PeerError, ValueError):
            raise StoreError("a round's checkpoint is damaged", hint="Start a new round.") from None
        if not same:
            raise StoreError(
                "a round's checkpoint belongs to another edge or seed", hint="Start a new round."
            )
        return made


def _read(kept: Fields, like: object) -> Any:
    """The next field, of the same kind and size as the one at the beginning of a session."""
    if isinstance(like, State):
        return State(kept.text().rstrip())
    return kept.data(len(like)) if isinstance(like, bytes) else kept.integer()
