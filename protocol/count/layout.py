"""What travels on an edge that discloses a count, and in which pieces."""

from blindmatch.protocol.limits import POINT_BYTES, TAG_BYTES, Limits
from blindmatch.protocol.number.messages import Layout, Shape


def block_rows(group: int, limits: Limits) -> int:
    """The receiver's points in a chunk: whole records."""
    return max(1, limits.chunk_elements // group) * group


def layouts(shape: Shape, limits: Limits) -> tuple[Layout, Layout, Layout]:
    """The receiver's points, the sender's points, and the masked tags."""
    rows = limits.chunk_elements
    return (
        Layout(shape.receiver_elements, POINT_BYTES, block_rows(shape.receiver_group, limits)),
        Layout(shape.sender_elements, POINT_BYTES, rows),
        Layout(shape.sender_elements * shape.receiver_copies, TAG_BYTES, rows),
    )
