"""The receiver's side of a sum."""

from typing import Unpack

import numpy as np

from blindmatch.protocol import group, oprf
from blindmatch.protocol.errors import PeerCode, PeerError, SequenceError
from blindmatch.protocol.group import Bytes1D
from blindmatch.protocol.limits import POINT_BYTES, PROOF_BYTES, TAG_BYTES
from blindmatch.protocol.match.computing import chunk_digest
from blindmatch.protocol.match.messages import Bytes2D, EdgeContext, Indices
from blindmatch.protocol.match.session import Terms
from blindmatch.protocol.match.table import Role
from blindmatch.protocol.number.gate import NumberTerms
from blindmatch.protocol.number.masks import multiply, shuffles, tags_of
from blindmatch.protocol.number.messages import COPIES, Brought, Layout, Shape
from blindmatch.protocol.number.receiver import NumberReceiver
from blindmatch.protocol.number.session import MASKED, POINTS, RETURNED
from blindmatch.protocol.number.statements import NumberCommitment
from blindmatch.protocol.oprf import KeyPair, Mode
from blindmatch.protocol.sum import elgamal
from blindmatch.protocol.sum.elgamal import Opening
from blindmatch.protocol.sum.layout import layouts
from blindmatch.protocol.sum.logarithm import logarithm


class SumReceiver(NumberReceiver):
    """See `NumberReceiver`; each element stands there once."""

    def __init__(
        self, context: EdgeContext, number: NumberTerms, brought: Brought, **terms: Unpack[Terms]
    ) -> None:
        if (brought.group, brought.copies) != (1, 1) or brought.values is not None:
            raise SequenceError("the receiver of a sum brings single elements")
        super().__init__(context, number, brought, **terms)
        self._shapes[POINTS] = (self._at.elements, POINT_BYTES)
        self._blinds = self._expander.scalars("copy", 0, COPIES)
        secret = self._expander.scalars("share", 0, 1)[0]
        self._half = KeyPair(secret, elgamal.share_of(secret))
        nonce = self._expander.scalars("share-proof", 0, 1)[0]
        self._proof = elgamal.prove_share(secret, self._half.public, nonce, Role.RECEIVER, context)
        nonce.fill(0)
        self._secrets = (self._blinds, secret)
        self._orders: dict[int, Indices] = {}
        self._joint: Bytes1D | None = None
        self._places: Indices | None = None
        self._check_restored()

    def reveal(self) -> Opening | None:
        """The sum that the sender's outcome holds, with its proof; None when too few entries match to tell it. Heavy.

        Raises:
            PeerError: BAD_OUTCOME: there is no such sum below the limit.
            SequenceError: no outcome has come.
        """
        said = self._read_outcome(self.outcome())
        if not said.told:
            return None
        point = elgamal.open_rest(said.left, said.right, self._half.secret)
        total = 0 if point is None else logarithm(point, self._number.most_total)
        if total is None:
            raise PeerError(PeerCode.BAD_OUTCOME, "the sum is beyond what the agreement's terms can give")
        nonce = self._expander.scalars("opening/" + chunk_digest("left", 0, said.left).hex(), 0, 1)[0]
        return Opening(total, elgamal.prove_opening(self._half, said.left, nonce))

    def _lay(self, shape: Shape) -> tuple[Layout, Layout, Layout]:
        return layouts(shape, self._limits)

    def _share(self) -> tuple[bytes, bytes]:
        return self._half.public.tobytes(), self._proof

    def _check_share(self, said: NumberCommitment) -> None:
        if len(said.proof) != PROOF_BYTES or said.public_key == self._half.public.tobytes():
            raise PeerError(PeerCode.BAD_PROOF, "the sender's share of the sum's key is ours")
        elgamal.check_share(said.public_key, said.proof, Role.SENDER, self._context)

    def _order_of(self, copy: int) -> Indices:
        """The secret order of one copy; that of the first stays, of the others only the last asked for."""
        if copy not in self._orders:
            self._orders = {place: kept for place, kept in self._orders.items() if place == 0}
            self._orders[copy] = self._expander.permutation(f"order/{copy}", self._at.elements).astype(
                np.int64
            )
        return self._orders[copy]

    def _indices(self, index: int) -> Indices:
        return self._order_of(0)[self._span(index)]

    def _prepare(self, index: int, *parts: Bytes2D) -> None:
        blinds = np.tile(self._blinds[0], (len(parts[0]), 1))
        made = oprf.blind_inputs(parts[0], blinds, Mode.OPRF)
        blinds.fill(0)
        self._array(POINTS)[self._span(index)] = made
        self._keep_digest(POINTS, index, chunk_digest(POINTS, index, made))

    def _points_rows(self, index: int) -> Bytes2D:
        copy, span = self._layout(POINTS).place(index)
        if copy == 0:
            return self._array(POINTS)[span].copy()
        # The first copy's points by the quotient of both blinds: no element is hashed again.
        if self._places is None:
            self._places = np.empty(self._at.elements, dtype=np.int64)
            self._places[self._order_of(0)] = np.arange(self._at.elements)
        rows = self._array(POINTS)[self._places[self._order_of(copy)[span]]]
        inverse = group.scalar_invert(self._blinds[:1])
        quotient = group.scalar_multiply(self._blinds[copy : copy + 1], inverse)[0]
        return group.multiply(np.ascontiguousarray(rows), quotient)

    def _open_peer(self) -> None:
        super()._open_peer()
        masked = self._layout(MASKED)
        self._shapes[MASKED] = (masked.rows, masked.width)
        key = elgamal.joint_key(self._half.public.tobytes(), self._at.peer_key)
        self._joint = key
        self._moved = self._expander.permutation("entries", masked.rows).astype(np.int64)

    def _mask(self, index: int, rows: Bytes2D) -> None:
        size, copies, count = self._at.peer_group, self._at.peer_copies, len(rows)
        points = rows[:, : size * POINT_BYTES].reshape(count, copies, -1, POINT_BYTES)
        tags = np.empty((count, copies, size // copies, TAG_BYTES), dtype=np.uint8)
        for copy in range(copies):
            some = np.ascontiguousarray(points[:, copy]).reshape(-1, POINT_BYTES)
            made = tags_of(multiply(some, np.ascontiguousarray(self._blinds[copy])), self._context)
            tags[:, copy] = made.reshape(count, -1, TAG_BYTES)
        inside = shuffles(self._expander, "inside", index, count, size)
        shuffled = np.take_along_axis(tags.reshape(count, size, TAG_BYTES), inside[:, :, None], axis=1)
        fresh = self._expander.scalars("again", index, count)
        if self._joint is None:
            raise SequenceError("the sum's key is not known")
        again = elgamal.rerandomise(rows[:, size * POINT_BYTES :], self._joint, fresh)
        fresh.fill(0)
        span = self._layout(RETURNED).place(index)[1]
        self._array(MASKED)[self._moved[span]] = np.concatenate([shuffled.reshape(count, -1), again], axis=1)

    def _arrange(self) -> None:
        """Every entry was put into its place when it was masked."""

    def _masked_rows(self, index: int) -> Bytes2D:
        return self._array(MASKED)[self._layout(MASKED).place(index)[1]].copy()

    def _wipe(self) -> None:
        super()._wipe()
        for order in getattr(self, "_orders", {}).values():
            order.fill(0)
