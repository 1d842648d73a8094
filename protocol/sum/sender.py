"""The sender's side of a sum."""

from typing import Unpack

import numpy as np
import numpy.typing as npt

from blindmatch.protocol import group, oprf
from blindmatch.protocol.agreement import Disclosure
from blindmatch.protocol.errors import LocalError, PeerCode, PeerError, SequenceError
from blindmatch.protocol.limits import POINT_BYTES, TAG_BYTES, UNIFORM_BYTES
from blindmatch.protocol.match import lookup
from blindmatch.protocol.match.messages import Bytes2D, EdgeContext, Indices
from blindmatch.protocol.match.session import Terms
from blindmatch.protocol.match.table import Role
from blindmatch.protocol.number.gate import NumberTerms, let_through
from blindmatch.protocol.number.masks import multiply, tags_of
from blindmatch.protocol.number.messages import COPIES, Brought, Layout, Shape
from blindmatch.protocol.number.sender import NumberSender
from blindmatch.protocol.number.session import MASKED, POINTS, RETURNED
from blindmatch.protocol.number.statements import NumberCommitment, Outcome
from blindmatch.protocol.oprf import Mode
from blindmatch.protocol.sum import elgamal
from blindmatch.protocol.sum.elgamal import CIPHERTEXT_BYTES
from blindmatch.protocol.sum.layout import entries, layouts

Flags = npt.NDArray[np.bool_]


class SumSender(NumberSender):
    """See `NumberSender`; `brought.group` is the elements of an entry, in as many equal stretches as there are copies.

    Raises:
        LocalError: as `NumberSender`; or the values together reach the limit, and no sum of them could be told.
    """

    def __init__(
        self, context: EdgeContext, number: NumberTerms, brought: Brought, **terms: Unpack[Terms]
    ) -> None:
        if brought.values is None or brought.group % brought.copies or brought.copy_of is not None:
            raise SequenceError("the sender of a sum brings entries with values")
        check_total(brought.values.tolist(), number)
        self._values = brought.values
        super().__init__(context, number, brought, **terms)
        self._shapes[RETURNED] = (self._entries, brought.group * POINT_BYTES + CIPHERTEXT_BYTES)
        self._keys = self._expander.scalars("key", 0, COPIES)
        self._secret = self._expander.scalars("share", 0, 1)[0]
        self._public = elgamal.share_of(self._secret).tobytes()
        nonce = self._expander.scalars("share-proof", 0, 1)[0]
        share = np.frombuffer(self._public, dtype=np.uint8)
        self._proof = elgamal.prove_share(self._secret, share, nonce, Role.SENDER, context)
        nonce.fill(0)
        self._secrets = (self._keys, self._secret)
        self._check_restored()

    @property
    def _entries(self) -> int:
        return self._at.elements // self._brought.group

    def _lay(self, shape: Shape) -> tuple[Layout, Layout, Layout]:
        return layouts(shape, self._limits)

    def _chunk_rows(self) -> int:
        return entries(self._brought.group, self._limits) * self._brought.group

    def _share(self) -> tuple[bytes, bytes]:
        return self._public, self._proof

    def _check_share(self, said: NumberCommitment) -> None:
        if said.public_key == self._public:
            raise PeerError(PeerCode.BAD_PROOF, "the receiver's share of the sum's key is ours")
        elgamal.check_share(said.public_key, said.proof, Role.RECEIVER, self._context)

    def _rows(self, index: int) -> slice:
        """The entries of one chunk of our own elements."""
        span, size = self._span(index), self._brought.group
        return slice(span.start // size, span.stop // size)

    def _gather(self, indices: Indices) -> tuple[Bytes2D, ...]:
        some = self._values[indices[:: self._brought.group] // self._brought.group]
        values = np.ascontiguousarray(some, dtype="<i8").view(np.uint8).reshape(-1, 8)
        return *super()._gather(indices), values

    def _prepare(self, index: int, *parts: Bytes2D) -> None:
        size, copies = self._brought.group, self._brought.copies
        inputs = parts[0]
        keys = np.tile(np.repeat(self._keys[:copies], size // copies, axis=0), (len(inputs) // size, 1))
        made = oprf.blind_inputs(inputs, keys, Mode.OPRF)
        keys.fill(0)
        self._array(RETURNED)[self._rows(index), : size * POINT_BYTES] = made.reshape(-1, size * POINT_BYTES)

    def _build(self) -> None:
        """Encrypt the values, now that the receiver's share is known; then digest."""
        key = elgamal.joint_key(self._public, self._at.peer_key)
        for index in range(self._chunks):
            rows = self._rows(index)
            fresh = self._expander.scalars("value", index, rows.stop - rows.start)
            start = self._brought.group * POINT_BYTES
            self._array(RETURNED)[rows, start:] = elgamal.encrypt(self._values[rows], key, fresh)
            fresh.fill(0)
        super()._build()

    def _open_peer(self) -> None:
        super()._open_peer()
        points, masked = self._layout(POINTS), self._layout(MASKED)
        size = self._brought.group
        self._shapes |= {
            "tags": (points.rows * points.copies, TAG_BYTES),
            "table": (points.rows * points.copies, TAG_BYTES),
            "masked_tags": (masked.rows * size, TAG_BYTES),
            "masked_values": (masked.rows, CIPHERTEXT_BYTES),
        }

    def _take_points(self, index: int, rows: Bytes2D) -> None:
        layout = self._layout(POINTS)
        copy, span = layout.place(index)
        made = tags_of(multiply(rows, np.ascontiguousarray(self._keys[copy])), self._context)
        self._array("tags")[copy * layout.rows + span.start : copy * layout.rows + span.stop] = made

    def _take_masked(self, index: int, rows: Bytes2D) -> None:
        size, span = self._brought.group, self._layout(MASKED).place(index)[1]
        values = np.ascontiguousarray(rows[:, size * TAG_BYTES :])
        elgamal.check_ciphertexts(values)  # all of them: which of them are added shall not show
        self._array("masked_tags")[span.start * size : span.stop * size] = rows[
            :, : size * TAG_BYTES
        ].reshape(-1, TAG_BYTES)
        self._array("masked_values")[span] = values

    def _tally(self) -> Outcome:
        tags, table, placed = self._array("tags"), self._array("table"), 0
        for order in lookup.in_order(tags):
            table[placed : placed + len(order)] = np.take(tags, order, axis=0)
            placed += len(order)
        if len(table) > 1 and not lookup.strictly_increasing(table):
            raise PeerError(PeerCode.BAD_TAGS, "two of the receiver's points are equal")
        places, _ = lookup.find(self._array("masked_tags"), table)
        matches = np.zeros(self._entries, dtype=np.bool_)
        matches[places // self._brought.group] = True
        first, second = self._opened(matches)
        told = let_through(Disclosure.SUM, int(np.count_nonzero(matches)), self._number) is not None
        if not told:
            # Points that say nothing: the outcome has the same size, and looks the same to all but its reader.
            uniform = np.frombuffer(self._expander.stream("withheld", 0, 2 * UNIFORM_BYTES), dtype=np.uint8)
            first, second = (each.tobytes() for each in group.from_uniform(uniform.reshape(2, UNIFORM_BYTES)))
        share, transcript = self._at.peer_key, self._transcript()
        return Outcome(told=told, left=first, right=second, share=share, transcript=transcript)

    def _opened(self, matches: Flags) -> tuple[bytes, bytes]:
        """The sum of the values of matching entries, re-randomised and half opened.

        The same work whatever matches, and when nothing is told: how long it takes shall not tell. So an encryption of
        zero is added in the place of each entry that does not match.
        """
        key = elgamal.joint_key(self._public, self._at.peer_key)
        fresh = self._expander.scalars("total", 0, 2)
        zero = elgamal.encrypt(np.zeros(1, dtype=np.int64), key, fresh[:1])
        chosen = np.where(matches[:, None], self._array("masked_values"), zero)
        summed = elgamal.rerandomise(elgamal.total(chosen), key, fresh[1:])
        fresh.fill(0)
        return elgamal.half_open(summed, self._secret)


def check_total(values: list[int], number: NumberTerms) -> None:
    """Refuse values whose sum could not be found again. LocalError."""
    if sum(values) >= number.most_total:
        raise LocalError(
            "the values of this collection together are too large for a sum",
            hint="Agree on fewer decimals, on a wider band, or on fewer records.",
        )
