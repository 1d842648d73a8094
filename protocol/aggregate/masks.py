"""Tags of points that both sides have blinded, and the secret orders in which they travel."""

import numpy as np

from blindmatch.protocol import group, hashing
from blindmatch.protocol.errors import PeerCode, PeerError
from blindmatch.protocol.expand import Expander
from blindmatch.protocol.group import Bytes1D, ElementError
from blindmatch.protocol.limits import TAG_BYTES
from blindmatch.protocol.session.chunks import Bytes2D, Indices
from blindmatch.protocol.session.messages import EdgeContext

_LABEL = b"blindmatch/mask/v1"


def derive_tags(points: Bytes2D, context: EdgeContext) -> Bytes2D:
    """The tag of each doubly blinded point: (n, 32) to (n, 16).

    The first 16 bytes of SHA-512 over LP(label) LP(agreement) LP(edge) LP(round) and the encoded point, LP being a 2-byte
    big-endian length before the bytes: a random oracle of its own for every edge of every round.
    """
    parts = (_LABEL, context.agreement, context.edge.encode(), context.round_id)
    prefix = b"".join(len(part).to_bytes(2, "big") + part for part in parts)
    return np.ascontiguousarray(hashing.sha512(prefix, points)[:, :TAG_BYTES])


def multiply(points: Bytes2D, scalar: Bytes1D) -> Bytes2D:
    """A peer's points (n, 32) by one secret scalar. PeerError: BAD_POINT."""
    try:
        return group.multiply(np.ascontiguousarray(points), scalar)
    except ElementError as error:
        raise bad_point(error.index) from None


def bad_point(index: int) -> PeerError:
    """A peer sent an invalid point."""
    return PeerError(
        PeerCode.BAD_POINT,
        f"point {index} of a chunk is not a valid group element",
        hint="the peer's node is faulty or hostile: end the round and speak with the agency",
    )


def shuffles(expander: Expander, label: str, index: int, rows: int, width: int) -> Indices:
    """A uniform order of `width` items for each of `rows` rows (rows, width), of the stream's name and index."""
    stream = expander.stream(label, index, rows * width * 8)
    return np.argsort(np.frombuffer(stream, dtype="<u8").reshape(rows, width), axis=1, kind="stable")
