"""What a session must remember besides its workspace and its seed: a few hundred bytes, the same number always.

A checkpoint holds no scalar, seed, key or element. The binding ties it to its context and its seed, so that no other session
restores it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, ClassVar, Self

from blindmatch.protocol.errors import PeerError, StoreError
from blindmatch.protocol.limits import DIGEST_BYTES, POINT_BYTES
from blindmatch.protocol.session.states import State
from blindmatch.protocol.transcript import Fields, decode, encode

_STATE_BYTES = 16
NONE = bytes(DIGEST_BYTES)
"""Stands for a digest that does not exist yet."""


@dataclass
class Checkpoint:
    """One side's progress. Subclasses declare their fields with defaults: integers, bytes, lists of integers.

    Args:
        state: the session's state; a subclass gives it its disclosure's enum.
    """

    state: StrEnum = State.PREPARING

    label: ClassVar[str]
    """Begins the encoding."""
    subject: ClassVar[str] = "edge"
    """What a checkpoint belongs to, in messages."""

    def pack(self, role: StrEnum, binding: bytes) -> bytes:
        """Canonical bytes; `binding` is 32 bytes derived from the context and the seed."""
        values = [value for field in fields(self) for value in _flat(getattr(self, field.name))]
        return encode(self.label, _padded(role), binding, *values)

    @classmethod
    def unpack(cls, data: bytes, role: StrEnum, binding: bytes) -> Self:
        """Read a checkpoint that `pack` wrote for the same role, context and seed.

        Raises:
            StoreError: it belongs to another session, or is damaged.
        """
        blank = cls()
        try:
            stored = decode(cls.label, data)
            same = stored.text().rstrip() == role.value
            same &= stored.data(DIGEST_BYTES) == binding
            checkpoint = cls(**{each.name: _read(stored, getattr(blank, each.name)) for each in fields(cls)})
            stored.end()
        except (PeerError, ValueError):
            raise StoreError("a round's checkpoint is damaged", hint="Start a new round.") from None
        if not same:
            raise StoreError(
                f"a round's checkpoint belongs to another {cls.subject} or seed", hint="Start a new round."
            )
        return checkpoint


@dataclass
class EdgeCheckpoint(Checkpoint):
    """One side's progress over an edge. Digests are `NONE` until they exist.

    Args:
        elements: this side's number of elements.
        prepared: leading chunks of its own elements that are prepared.
        exchanged: blinded chunks answered, or evaluated chunks received.
        unblinded: receiver: leading chunks unblinded.
        tag_chunks: receiver: tag chunks received.
        own: digest of this side's commitment.
        peer: digest of the peer's commitment.
        peer_elements, peer_contents, peer_key: out of that commitment.
        exchange: running transcript of both commitments and every exchanged chunk.
        opened_at, closed_at: the receipt's times, once it is signed.
        receipt: digest of the receipt, once it is signed.
    """

    elements: int = 0
    prepared: int = 0
    exchanged: int = 0
    unblinded: int = 0
    tag_chunks: int = 0
    own: bytes = NONE
    peer: bytes = NONE
    peer_elements: int = 0
    peer_contents: bytes = NONE
    peer_key: bytes = bytes(POINT_BYTES)
    exchange: bytes = NONE
    opened_at: int = 0
    closed_at: int = 0
    receipt: bytes = NONE


def _padded(text: StrEnum) -> str:
    return text.value.ljust(_STATE_BYTES)


def _flat(value: Any) -> Iterator[bytes | str | int]:
    if isinstance(value, list):
        yield from value
    else:
        yield _padded(value) if isinstance(value, StrEnum) else value


def _read(stored: Fields, like: Any) -> Any:
    """The next field, of the same kind and size as at the beginning of a session."""
    if isinstance(like, StrEnum):
        return type(like)(stored.text().rstrip())
    if isinstance(like, list):
        return [stored.integer() for _ in like]
    return stored.data(len(like)) if isinstance(like, bytes) else stored.integer()
