"""`count`: the receiver learns how many of its records match, banded, or that they are too few; no party learns which.

    receiver -> sender   r_c H(x): its records in secret order, each a block of elements in secret order
    sender -> receiver   k H(y): its elements, each once
    receiver -> sender   the tag of r_c k H(y), for every y and every copy c, sorted
    sender               tags of k r_c H(x); a block with a tag among those matches; counts them
    sender -> receiver   the band, or that it is withheld

H hashes to ristretto255; r_c and k are secret scalars of this edge and round. Where a token occurs in several records of the receiver,
each occurrence takes another r_c, so that equal tokens never look equal. Meadows (1986); Huberman, Franklin, Hogg (1999); with the
shuffle of De Cristofaro, Gasti, Tsudik (CANS 2012), with the roles exchanged so that the sender counts.
"""

import numpy as np

from blindmatch.protocol import oprf
from blindmatch.protocol.aggregate.disclosure_control import Band, permitted_band
from blindmatch.protocol.aggregate.masks import derive_tags, multiply, shuffles
from blindmatch.protocol.aggregate.messages import AggregateShape
from blindmatch.protocol.aggregate.receiver import AggregateReceiver
from blindmatch.protocol.aggregate.sender import AggregateSender
from blindmatch.protocol.aggregate.session import MASKED, POINTS, RETURNED
from blindmatch.protocol.aggregate.statements import AggregateOutcome
from blindmatch.protocol.agreement import Disclosure
from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.hits import lookup
from blindmatch.protocol.limits import POINT_BYTES, TAG_BYTES, Limits
from blindmatch.protocol.oprf import Mode
from blindmatch.protocol.session.chunks import Bytes2D, Indices, Layout


def block_rows(group: int, limits: Limits) -> int:
    """The receiver's points in a chunk: whole records."""
    return max(1, limits.chunk_elements // group) * group


def layouts(shape: AggregateShape, limits: Limits) -> tuple[Layout, Layout, Layout]:
    """The receiver's points, the sender's points, and the masked tags."""
    rows = limits.chunk_elements
    return (
        Layout(shape.receiver_elements, POINT_BYTES, block_rows(shape.receiver_group, limits)),
        Layout(shape.sender_elements, POINT_BYTES, rows),
        Layout(shape.sender_elements * shape.receiver_copies, TAG_BYTES, rows),
    )


class CountReceiver(AggregateReceiver):
    """See `AggregateReceiver`; `inputs.group` is the elements of a record."""

    def _check_inputs(self) -> None:
        inputs = self._inputs
        if inputs.values is not None or (inputs.copies > 1 and inputs.copy_of is None):
            raise SequenceError("a count takes elements with their copies, and no values")

    def _derive(self) -> None:
        self._shapes[POINTS] = (self._at.elements, POINT_BYTES)
        self._blinds = self._expander.scalars("copy", 0, self._inputs.copies)
        self._order = self._expander.permutation("order", self._at.elements // self._inputs.group)
        self._secrets = (self._blinds, self._order)

    def reveal(self) -> Band | None:
        """The band that the sender disclosed; None when there are too few matches.

        Raises:
            SequenceError: no outcome has come.
        """
        outcome = self._read_outcome(self.outcome())
        return outcome.band if outcome.disclosed else None

    def _lay(self, shape: AggregateShape) -> tuple[Layout, Layout, Layout]:
        return layouts(shape, self._limits)

    def _chunk_rows(self) -> int:
        return block_rows(self._inputs.group, self._limits)

    def _indices(self, index: int) -> Indices:
        size, span = self._inputs.group, self._span(index)
        blocks = self._order[span.start // size : span.stop // size].astype(np.int64)
        inside = shuffles(self._expander, "inside", index, len(blocks), size)
        return (blocks[:, None] * size + inside).ravel()

    def _prepare(self, index: int, *parts: Bytes2D) -> None:
        elements, *copies = parts
        chosen = copies[0][:, 0] if copies else np.zeros(len(elements), dtype=np.uint8)
        blinds = np.ascontiguousarray(self._blinds[chosen])
        blinded = oprf.blind_inputs(elements, blinds, Mode.OPRF)
        blinds.fill(0)
        self._array(POINTS)[self._span(index)] = blinded
        self._digest_rows(POINTS, index, blinded)

    def _points_rows(self, index: int) -> Bytes2D:
        return self._array(POINTS)[self._span(index)].copy()

    def _open_peer(self) -> None:
        super()._open_peer()
        rows = self._layout(MASKED).rows
        self._shapes |= {"tags": (rows, TAG_BYTES), MASKED: (rows, TAG_BYTES)}

    def _mask(self, index: int, rows: Bytes2D) -> None:
        layout, tags = self._layout(RETURNED), self._array("tags")
        span = layout.span(index)
        for copy, blind in enumerate(self._blinds):
            start = copy * layout.rows
            masked = derive_tags(multiply(rows, np.ascontiguousarray(blind)), self._context)
            tags[start + span.start : start + span.stop] = masked

    def _arrange(self) -> None:
        masked = self._array(MASKED)
        lookup.sort_into(masked, self._array("tags"))
        for index in range(self.masked_chunks):
            span = self._layout(MASKED).span(index)
            if not lookup.continues(masked, span.start, masked[span]):
                raise PeerError(PeerCode.BAD_TAGS, "two of the sender's points are equal")

    def _masked_rows(self, index: int) -> Bytes2D:
        return self._array(MASKED)[self._layout(MASKED).span(index)].copy()


class CountSender(AggregateSender):
    """See `AggregateSender`; the elements are distinct."""

    def _check_inputs(self) -> None:
        inputs = self._inputs
        if (inputs.group, inputs.copies) != (1, 1) or inputs.values is not None:
            raise SequenceError("the sender of a count has single elements")

    def _derive(self) -> None:
        self._shapes[RETURNED] = (self._at.elements, POINT_BYTES)
        self._key = self._expander.scalars("key", 0, 1)[0]
        self._secrets = (self._key,)

    def _lay(self, shape: AggregateShape) -> tuple[Layout, Layout, Layout]:
        return layouts(shape, self._limits)

    def _prepare(self, index: int, *parts: Bytes2D) -> None:
        self._array(RETURNED)[self._span(index)] = oprf.evaluate_elements(self._key, parts[0], Mode.OPRF)

    def _open_peer(self) -> None:
        super()._open_peer()
        self._shapes |= {
            "tags": (self._layout(POINTS).rows, TAG_BYTES),
            MASKED: (self._layout(MASKED).rows, TAG_BYTES),
        }

    def _take_points(self, index: int, rows: Bytes2D) -> None:
        tags = derive_tags(multiply(rows, self._key), self._context)
        self._array("tags")[self._layout(POINTS).span(index)] = tags

    def _take_masked(self, index: int, rows: Bytes2D) -> None:
        span, masked = self._layout(MASKED).span(index), self._array(MASKED)
        if not lookup.continues(masked, span.start, rows):
            raise PeerError(PeerCode.BAD_TAGS, "the masked tags do not strictly increase")
        masked[span] = rows

    def _tally(self) -> AggregateOutcome:
        places, _ = lookup.find(self._array("tags"), self._array(MASKED))
        matches = np.zeros(self._at.peer_elements // self._at.peer_group, dtype=np.bool_)
        matches[places // self._at.peer_group] = True
        band = permitted_band(Disclosure.COUNT, int(np.count_nonzero(matches)), self._agreed)
        transcript = self._transcript()
        if band is None:
            return AggregateOutcome(disclosed=False, transcript=transcript)
        return AggregateOutcome(disclosed=True, band=band, transcript=transcript)
