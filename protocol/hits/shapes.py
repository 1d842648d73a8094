"""The sections that a sender releases, and the names and shapes of the arrays of a session that discloses hits."""

from typing import NamedTuple

from blindmatch.protocol.errors import SequenceError
from blindmatch.protocol.limits import DIGEST_BYTES, POINT_BYTES, PROOF_BYTES, TAG_BYTES, Limits
from blindmatch.protocol.session.chunks import Layout, chunks_of
from blindmatch.protocol.session.messages import EdgeContext
from blindmatch.protocol.session.workspace import Shapes


class Section(NamedTuple):
    """Rows of one kind among those that a sender releases: sorted, and cut into chunks of their own."""

    name: str
    """Of the array that holds them."""
    layout: Layout

    @classmethod
    def of(cls, name: str, rows: int, width: int, limits: Limits) -> "Section":
        """A section whose chunks are bounded in elements and in bytes."""
        return cls(
            name, Layout(rows, width, max(1, min(limits.chunk_elements, limits.chunk_tag_bytes // width)))
        )


Sections = tuple[Section, ...]


def locate(sections: Sections, index: int) -> tuple[Section, slice]:
    """The section that holds chunk `index` of all sections, and the chunk's rows there. SequenceError: there is no such chunk."""
    for section in sections:
        if index < section.layout.chunks:
            return section, section.layout.span(index)
        index -= section.layout.chunks
    raise SequenceError("no section has such a chunk")


def section_shapes(sections: Sections) -> Shapes:
    """Arrays of a sender's sections, and of the receiver's copies."""
    shapes: Shapes = {section.name: (section.layout.rows, section.layout.width) for section in sections}
    shapes["table_digests"] = (sum(section.layout.chunks for section in sections), DIGEST_BYTES)
    return shapes


def receiver_shapes(context: EdgeContext, own: int, limits: Limits) -> Shapes:
    """Arrays of a receiver of `own` elements, before the sender's commitment is there."""
    chunks = chunks_of(own, limits.chunk_elements)
    shapes: Shapes = {
        "blinded": (own, POINT_BYTES),
        "blinded_digests": (chunks, DIGEST_BYTES),
        "evaluated": (own, POINT_BYTES),
        "evaluated_digests": (chunks, DIGEST_BYTES),
        "tags": (own, TAG_BYTES),  # own tags, in wire order
    }
    if context.verified:
        shapes["proofs"] = (chunks, PROOF_BYTES)
    return shapes


def exchange_shapes(peer: int, limits: Limits) -> Shapes:
    """Arrays of a sender over the receiver's `peer` elements: digests only, the points are not stored."""
    chunks = chunks_of(peer, limits.chunk_elements)
    return {"blinded_digests": (chunks, DIGEST_BYTES), "evaluated_digests": (chunks, DIGEST_BYTES)}
