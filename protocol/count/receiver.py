"""The receiver's side of a count."""

from typing import Unpack

import numpy as np

from blindmatch.protocol import oprf
from blindmatch.protocol.count.layout import block_rows, layouts
from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.limits import POINT_BYTES, TAG_BYTES
from blindmatch.protocol.match import lookup
from blindmatch.protocol.match.computing import chunk_digest
from blindmatch.protocol.match.messages import Bytes2D, EdgeContext, Indices
from blindmatch.protocol.match.session import Terms
from blindmatch.protocol.number.gate import Band, NumberTerms
from blindmatch.protocol.number.masks import multiply, shuffles, tags_of
from blindmatch.protocol.number.messages import Brought, Layout, Shape
from blindmatch.protocol.number.receiver import NumberReceiver
from blindmatch.protocol.number.session import MASKED, POINTS, RETURNED
from blindmatch.protocol.oprf import Mode


class CountReceiver(NumberReceiver):
    """See `NumberReceiver`; `brought.group` is the elements of a record."""

    def __init__(
        self, context: EdgeContext, number: NumberTerms, brought: Brought, **terms: Unpack[Terms]
    ) -> None:
        if brought.values is not None or (brought.copies > 1 and brought.copy_of is None):
            raise SequenceError("a count takes elements with their copies, and no values")
        super().__init__(context, number, brought, **terms)
        self._shapes[POINTS] = (self._at.elements, POINT_BYTES)
        self._blinds = self._expander.scalars("copy", 0, brought.copies)
        self._order = self._expander.permutation("order", self._at.elements // brought.group)
        self._secrets = (self._blinds, self._order)
        self._check_restored()

    def reveal(self) -> Band | None:
        """The band that the sender told; None when there are too few matches to tell.

        Raises:
            SequenceError: no outcome has come.
        """
        said = self._read_outcome(self.outcome())
        return said.band if said.told else None

    def _lay(self, shape: Shape) -> tuple[Layout, Layout, Layout]:
        return layouts(shape, self._limits)

    def _chunk_rows(self) -> int:
        return block_rows(self._brought.group, self._limits)

    def _indices(self, index: int) -> Indices:
        size, span = self._brought.group, self._span(index)
        blocks = self._order[span.start // size : span.stop // size].astype(np.int64)
        inside = shuffles(self._expander, "inside", index, len(blocks), size)
        return (blocks[:, None] * size + inside).ravel()

    def _prepare(self, index: int, *parts: Bytes2D) -> None:
        inputs, *copies = parts
        chosen = copies[0][:, 0] if copies else np.zeros(len(inputs), dtype=np.uint8)
        blinds = np.ascontiguousarray(self._blinds[chosen])
        made = oprf.blind_inputs(inputs, blinds, Mode.OPRF)
        blinds.fill(0)
        self._array(POINTS)[self._span(index)] = made
        self._keep_digest(POINTS, index, chunk_digest(POINTS, index, made))

    def _points_rows(self, index: int) -> Bytes2D:
        return self._array(POINTS)[self._span(index)].copy()

    def _open_peer(self) -> None:
        super()._open_peer()
        rows = self._layout(MASKED).rows
        self._shapes |= {"tags": (rows, TAG_BYTES), MASKED: (rows, TAG_BYTES)}

    def _mask(self, index: int, rows: Bytes2D) -> None:
        layout, tags = self._layout(RETURNED), self._array("tags")
        span = layout.place(index)[1]
        for copy, blind in enumerate(self._blinds):
            start = copy * layout.rows
            made = tags_of(multiply(rows, np.ascontiguousarray(blind)), self._context)
            tags[start + span.start : start + span.stop] = made

    def _arrange(self) -> None:
        tags, masked, placed = self._array("tags"), self._array(MASKED), 0
        for order in lookup.in_order(tags):
            masked[placed : placed + len(order)] = np.take(tags, order, axis=0)
            placed += len(order)
        for index in range(self.masked_chunks):
            span = self._layout(MASKED).place(index)[1]
            before = masked[span.start - 1 : span.start] if span.start else None
            if not lookup.strictly_increasing(masked[span], before):
                raise PeerError(PeerCode.BAD_TAGS, "two of the sender's points are equal")

    def _masked_rows(self, index: int) -> Bytes2D:
        return self._array(MASKED)[self._layout(MASKED).place(index)[1]].copy()
