"""What travels on an edge that discloses a sum, and in which pieces."""

from blindmatch.protocol.limits import POINT_BYTES, TAG_BYTES, Limits
from blindmatch.protocol.number.messages import Layout, Shape
from blindmatch.protocol.sum.elgamal import CIPHERTEXT_BYTES


def entries(group: int, limits: Limits) -> int:
    """Entries in a chunk of the sender's points."""
    return max(1, limits.chunk_elements // group)


def layouts(shape: Shape, limits: Limits) -> tuple[Layout, Layout, Layout]:
    """The receiver's points, the sender's entries, and these masked."""
    size = shape.sender_group
    rows = shape.sender_elements // size
    return (
        Layout(shape.receiver_elements, POINT_BYTES, limits.chunk_elements, shape.sender_copies),
        Layout(rows, size * POINT_BYTES + CIPHERTEXT_BYTES, entries(size, limits)),
        Layout(rows, size * TAG_BYTES + CIPHERTEXT_BYTES, entries(size, limits)),
    )
