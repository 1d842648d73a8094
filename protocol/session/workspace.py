"""The bulk of a session: arrays that outlive a crash, mapped from files by a node, in memory in tests.

A checkpoint stays small because everything large lies here: points, tags, tables, and a digest per chunk. Nothing here is
a secret scalar or seed; a receiver's own tags and a sender's unsorted rows say no more than its collection does
under the edge's key, and are erased with the round.
"""

from collections.abc import Callable
from typing import Self

import numpy as np

from blindmatch.protocol.limits import DIGEST_BYTES, POINT_BYTES, PROOF_BYTES, TAG_BYTES, Limits
from blindmatch.protocol.session.messages import Bytes2D, EdgeContext, chunks_of

Allocate = Callable[[str, tuple[int, int]], Bytes2D]
"""Gives the writable uint8 array of a name and shape: zeros the first time, the same content ever after."""

MAC_BYTES = 16

Shapes = dict[str, tuple[int, int]]


class Workspace:
    """Arrays made on first use by an `Allocate`."""

    def __init__(self, allocate: Allocate) -> None:
        self._allocate = allocate
        self._arrays: dict[str, Bytes2D] = {}

    def array(self, name: str, shape: tuple[int, int]) -> Bytes2D:
        """The array of this name; its content survives a restart."""
        if name not in self._arrays:
            self._arrays[name] = self._allocate(name, shape)
        return self._arrays[name]

    @classmethod
    def in_memory(cls) -> Self:
        """A workspace that lasts as long as the process."""
        kept: dict[str, Bytes2D] = {}

        def allocate(name: str, shape: tuple[int, int]) -> Bytes2D:
            return kept.setdefault(name, np.zeros(shape, dtype=np.uint8))

        return cls(allocate)


def receiver_shapes(context: EdgeContext, own: int, limits: Limits) -> Shapes:
    """Arrays of a receiver of `own` elements, before the sender's commitment is there."""
    chunks = chunks_of(own, limits.chunk_elements)
    shapes: Shapes = {
        "inputs": (chunks, MAC_BYTES),  # authenticator per chunk of elements: did the collection change?
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
        "inputs": (chunks_of(own, limits.chunk_elements), MAC_BYTES),
        "rows": (own, context.row_bytes),  # unsorted
        **table_shapes(context, own, limits),
    }


def exchange_shapes(peer: int, limits: Limits) -> Shapes:
    """Arrays of a sender over the receiver's `peer` elements: digests only, the points are not kept."""
    chunks = chunks_of(peer, limits.chunk_elements)
    return {"blinded_digests": (chunks, DIGEST_BYTES), "evaluated_digests": (chunks, DIGEST_BYTES)}
