"""The sender's side of a count."""

from typing import Unpack

import numpy as np

from blindmatch.protocol import oprf
from blindmatch.protocol.agreement import Disclosure
from blindmatch.protocol.count.layout import layouts
from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.limits import POINT_BYTES, TAG_BYTES
from blindmatch.protocol.match import lookup
from blindmatch.protocol.match.messages import Bytes2D, EdgeContext
from blindmatch.protocol.match.session import Terms
from blindmatch.protocol.number.gate import NumberTerms, let_through
from blindmatch.protocol.number.masks import multiply, tags_of
from blindmatch.protocol.number.messages import Brought, Layout, Shape
from blindmatch.protocol.number.sender import NumberSender
from blindmatch.protocol.number.session import MASKED, POINTS, RETURNED
from blindmatch.protocol.number.statements import Outcome
from blindmatch.protocol.oprf import Mode


class CountSender(NumberSender):
    """See `NumberSender`; each element stands there once."""

    def __init__(
        self, context: EdgeContext, number: NumberTerms, brought: Brought, **terms: Unpack[Terms]
    ) -> None:
        if (brought.group, brought.copies) != (1, 1) or brought.values is not None:
            raise SequenceError("the sender of a count brings single elements")
        super().__init__(context, number, brought, **terms)
        self._shapes[RETURNED] = (self._at.elements, POINT_BYTES)
        self._key = self._expander.scalars("key", 0, 1)[0]
        self._secrets = (self._key,)
        self._check_restored()

    def _lay(self, shape: Shape) -> tuple[Layout, Layout, Layout]:
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
        made = tags_of(multiply(rows, self._key), self._context)
        self._array("tags")[self._layout(POINTS).place(index)[1]] = made

    def _take_masked(self, index: int, rows: Bytes2D) -> None:
        span, masked = self._layout(MASKED).place(index)[1], self._array(MASKED)
        if not lookup.strictly_increasing(rows, masked[span.start - 1 : span.start] if span.start else None):
            raise PeerError(PeerCode.BAD_TAGS, "the masked tags do not strictly increase")
        masked[span] = rows

    def _tally(self) -> Outcome:
        places, _ = lookup.find(self._array("tags"), self._array(MASKED))
        matches = np.zeros(self._at.peer_elements // self._at.peer_group, dtype=np.bool_)
        matches[places // self._at.peer_group] = True
        band = let_through(Disclosure.COUNT, int(np.count_nonzero(matches)), self._number)
        transcript = self._transcript()
        if band is None:
            return Outcome(told=False, transcript=transcript)
        return Outcome(told=True, band=band, transcript=transcript)
