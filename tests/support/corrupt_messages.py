"""What a dishonest party puts on the line in place of an honest message: of a valid form, with something wrong in it.

A message of no valid form is refused while it is parsed, before any session sees it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from tests.support.lossy_channel import Message

from blindmatch.protocol.threshold.messages import CommittedChunks
from blindmatch.protocol.transcript import Signed, Signer, sign

WAYS = 5
"""Ways of bending a message."""

_LABEL_PREFIX = 2


def corrupt_message(
    message: Message, way: int, bit: int, signer: Signer, elsewhere: Sequence[str]
) -> Message:
    """Another message in place of an honest one.

    Args:
        message: the honest one.
        way: 0 to `WAYS`.
        bit: where to bend it.
        signer: the dishonest party's own key; under some ways it signs for what it bent.
        elsewhere: names of other comparisons.
    """
    return replace(message, body=_corrupt_body(message.body, way, bit, signer, elsewhere))


def _corrupt_body(body: Any, way: int, bit: int, signer: Signer, elsewhere: Sequence[str]) -> Any:
    match body:
        case Signed() if way == 0:
            return Signed(body.payload, b"\x05" * 64)
        case Signed():
            payload = flip_bit(body.payload, bit)
            return Signed(payload, body.signature) if way == 1 else sign(signer, _label(body), payload)
        case CommittedChunks() if bit % 2:
            return CommittedChunks(body.statement, flip_bit(body.digests, bit))
        case CommittedChunks():
            return replace(body, statement=_corrupt_body(body.statement, way, bit, signer, elsewhere))
        case list() | tuple() if body:
            # One of several: a commitment among everybody's, the receipt or the tables that it is over.
            some: list[Any] = list(body)
            some[bit % len(some)] = _corrupt_body(
                some[bit % len(some)], way, bit // len(some), signer, elsewhere
            )
            return type(body)(some)
        case int():
            return bit
        case bytes():
            return flip_bit(body, bit)
        case None:
            return None
        case _:
            return _corrupt_chunk(body, way, bit, elsewhere)


def _corrupt_chunk(chunk: Any, way: int, bit: int, elsewhere: Sequence[str]) -> Any:
    if way == 0:  # its own message, moved to another place of the sequence
        return replace(chunk, header=replace(chunk.header, sequence=bit % 5))
    if way == 1:
        return replace(chunk, header=replace(chunk.header, edge=elsewhere[bit % len(elsewhere)]))
    name = "rows" if hasattr(chunk, "rows") else "points"
    rows: npt.NDArray[np.uint8] = getattr(chunk, name).copy()
    if way == 2 and len(rows) > 1:
        return replace(chunk, **{name: rows[:-1].copy()})
    if way == 3 and len(rows) > 1:  # each of them good, in another order
        return replace(chunk, **{name: rows[::-1].copy()})
    rows.reshape(-1)[bit % rows.size] ^= 1 << bit % 8
    return replace(chunk, **{name: rows})


def flip_bit(data: bytes, bit: int) -> bytes:
    """Bytes with one bit turned."""
    made = bytearray(data)
    made[bit % len(made)] ^= 1 << bit % 8
    return bytes(made)


def _label(signed: Signed) -> str:
    """What kind of statement it is: the label that every encoding begins with."""
    size = int.from_bytes(signed.payload[:_LABEL_PREFIX], "big")
    return signed.payload[_LABEL_PREFIX : _LABEL_PREFIX + size].decode()
