"""Names and shapes of the arrays of a session that discloses hits."""

from blindmatch.protocol.limits import DIGEST_BYTES, POINT_BYTES, PROOF_BYTES, TAG_BYTES, Limits
from blindmatch.protocol.session.chunks import chunks_of
from blindmatch.protocol.session.messages import EdgeContext
from blindmatch.protocol.session.workspace import Shapes


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


def table_shapes(context: EdgeContext, rows: int, limits: Limits) -> Shapes:
    """Arrays of a sorted tag table: the sender's, and the receiver's copy."""
    return {
        "table": (rows, context.row_bytes),
        "table_digests": (chunks_of(rows, context.tag_rows(limits)), DIGEST_BYTES),
    }


def sender_shapes(context: EdgeContext, own: int, limits: Limits) -> Shapes:
    """Arrays of a sender of `own` elements, before the receiver's commitment is there."""
    return {
        "rows": (own, context.row_bytes),  # unsorted
        **table_shapes(context, own, limits),
    }


def exchange_shapes(peer: int, limits: Limits) -> Shapes:
    """Arrays of a sender over the receiver's `peer` elements: digests only, the points are not stored."""
    chunks = chunks_of(peer, limits.chunk_elements)
    return {"blinded_digests": (chunks, DIGEST_BYTES), "evaluated_digests": (chunks, DIGEST_BYTES)}
