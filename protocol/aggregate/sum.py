"""`sum`: the receiver learns the sum of a value over the sender's entries that match, or that too few match.

    receiver -> sender   r_c H(x): its elements, each once for every copy c, each copy in a secret order
    sender -> receiver   for each entry: k_c H(y) of its elements, and its value encrypted under both sides' joint key
    receiver -> sender   for each entry, entries and elements shuffled: the tags of r_c k_c H(y), the value re-randomised
    sender               tags of k_c r_c H(x); an entry with a tag among those matches; adds the values of matching entries
    sender -> receiver   their sum, re-randomised, the sender's half of the decryption done; or that it is withheld

Where a token occurs in several entries, each occurrence takes another copy c: neither side sees that equal tokens are equal. Values are
encrypted by ElGamal in the exponent (`elgamal`), so the receiver computes a sum as a small logarithm (`discrete_log`). Ion et al., Private
Intersection-Sum Protocols (2017) and On Deploying Secure Computing (2019), with the roles of key holder and matcher exchanged,
and the key split between both sides.
"""

import numpy as np

from blindmatch.protocol import group, oprf
from blindmatch.protocol.aggregate import elgamal
from blindmatch.protocol.aggregate.disclosure_control import AggregateTerms, permitted_band
from blindmatch.protocol.aggregate.discrete_log import logarithm
from blindmatch.protocol.aggregate.elgamal import CIPHERTEXT_BYTES, Opening
from blindmatch.protocol.aggregate.masks import derive_tags, multiply, shuffles
from blindmatch.protocol.aggregate.messages import COPIES, AggregateShape
from blindmatch.protocol.aggregate.receiver import AggregateReceiver
from blindmatch.protocol.aggregate.sender import AggregateSender
from blindmatch.protocol.aggregate.session import MASKED, POINTS, RETURNED
from blindmatch.protocol.aggregate.statements import AggregateCommitment, AggregateOutcome
from blindmatch.protocol.agreement import Disclosure
from blindmatch.protocol.errors import LocalError, PeerCode, PeerError, SequenceError
from blindmatch.protocol.group import Bytes1D
from blindmatch.protocol.hits import lookup
from blindmatch.protocol.limits import POINT_BYTES, PROOF_BYTES, TAG_BYTES, UNIFORM_BYTES, Limits
from blindmatch.protocol.oprf import KeyPair, Mode
from blindmatch.protocol.session.chunks import Bytes2D, Flags, Indices, Layout, chunk_digest
from blindmatch.protocol.session.states import Role


def entries(group: int, limits: Limits) -> int:
    """Entries in a chunk of the sender's points."""
    return max(1, limits.chunk_elements // group)


def layouts(shape: AggregateShape, limits: Limits) -> tuple[Layout, Layout, Layout]:
    """The receiver's points, the sender's entries, and these masked."""
    size = shape.sender_group
    rows = shape.sender_elements // size
    return (
        Layout(shape.receiver_elements, POINT_BYTES, limits.chunk_elements, shape.sender_copies),
        Layout(rows, size * POINT_BYTES + CIPHERTEXT_BYTES, entries(size, limits)),
        Layout(rows, size * TAG_BYTES + CIPHERTEXT_BYTES, entries(size, limits)),
    )


class SumReceiver(AggregateReceiver):
    """See `AggregateReceiver`; the elements are distinct."""

    def _check_inputs(self) -> None:
        inputs = self._inputs
        if (inputs.group, inputs.copies) != (1, 1) or inputs.values is not None:
            raise SequenceError("the receiver of a sum has single elements")

    def _derive(self) -> None:
        self._shapes[POINTS] = (self._at.elements, POINT_BYTES)
        self._blinds = self._expander.scalars("copy", 0, COPIES)
        secret = self._expander.scalars("share", 0, 1)[0]
        self._half = KeyPair(secret, elgamal.public_share(secret))
        nonce = self._expander.scalars("share-proof", 0, 1)[0]
        self._proof = elgamal.prove_share(secret, self._half.public, nonce, Role.RECEIVER, self._context)
        nonce.fill(0)
        self._secrets = (self._blinds, secret)
        self._orders: dict[int, Indices] = {}
        self._joint: Bytes1D | None = None
        self._places: Indices | None = None

    def reveal(self) -> Opening | None:
        """The sum that the sender's outcome holds, with its proof; None when too few entries match. Heavy.

        Raises:
            PeerError: BAD_OUTCOME: there is no such sum below the limit.
            SequenceError: no outcome has come.
        """
        outcome = self._read_outcome(self.outcome())
        if not outcome.disclosed:
            return None
        point = elgamal.finish_opening(outcome.left, outcome.right, self._half.secret)
        total = 0 if point is None else logarithm(point, self._agreed.most_total)
        if total is None:
            raise PeerError(PeerCode.BAD_OUTCOME, "the sum is beyond what the agreement's terms can give")
        nonce = self._expander.scalars("opening/" + chunk_digest("left", 0, outcome.left).hex(), 0, 1)[0]
        return Opening(total, elgamal.prove_opening(self._half, outcome.left, nonce))

    def _lay(self, shape: AggregateShape) -> tuple[Layout, Layout, Layout]:
        return layouts(shape, self._limits)

    def _share(self) -> tuple[bytes, bytes]:
        return self._half.public.tobytes(), self._proof

    def _check_share(self, commitment: AggregateCommitment) -> None:
        if len(commitment.proof) != PROOF_BYTES or commitment.public_key == self._half.public.tobytes():
            raise PeerError(PeerCode.BAD_PROOF, "the sender's share of the sum's key is ours")
        elgamal.check_share(commitment.public_key, commitment.proof, Role.SENDER, self._context)

    def _order_of(self, copy: int) -> Indices:
        """The secret order of one copy; that of the first copy is cached, and of the others the last one used."""
        if copy not in self._orders:
            self._orders = {place: order for place, order in self._orders.items() if place == 0}
            self._orders[copy] = self._expander.permutation(f"order/{copy}", self._at.elements).astype(
                np.int64
            )
        return self._orders[copy]

    def _indices(self, index: int) -> Indices:
        return self._order_of(0)[self._span(index)]

    def _prepare(self, index: int, *parts: Bytes2D) -> None:
        blinds = np.tile(self._blinds[0], (len(parts[0]), 1))
        blinded = oprf.blind_inputs(parts[0], blinds, Mode.OPRF)
        blinds.fill(0)
        self._array(POINTS)[self._span(index)] = blinded
        self._digest_rows(POINTS, index, blinded)

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
            masked = derive_tags(multiply(some, np.ascontiguousarray(self._blinds[copy])), self._context)
            tags[:, copy] = masked.reshape(count, -1, TAG_BYTES)
        inside = shuffles(self._expander, "inside", index, count, size)
        shuffled = np.take_along_axis(tags.reshape(count, size, TAG_BYTES), inside[:, :, None], axis=1)
        fresh = self._expander.scalars("again", index, count)
        if self._joint is None:
            raise SequenceError("the sum's key is not known")
        again = elgamal.rerandomise(rows[:, size * POINT_BYTES :], self._joint, fresh)
        fresh.fill(0)
        span = self._layout(RETURNED).span(index)
        self._array(MASKED)[self._moved[span]] = np.concatenate([shuffled.reshape(count, -1), again], axis=1)

    def _arrange(self) -> None:
        """Nothing to do: `_mask` put every entry into its place."""

    def _masked_rows(self, index: int) -> Bytes2D:
        return self._array(MASKED)[self._layout(MASKED).span(index)].copy()

    def _wipe(self) -> None:
        super()._wipe()
        for order in getattr(self, "_orders", {}).values():
            order.fill(0)


class SumSender(AggregateSender):
    """See `AggregateSender`; `inputs.group` is the elements of an entry, in as many equal stretches as there are copies.

    Raises:
        LocalError: as `AggregateSender`; or the values together reach the limit, so that no sum of them could be read.
    """

    def _check_inputs(self) -> None:
        inputs = self._inputs
        if inputs.values is None or inputs.group % inputs.copies or inputs.copy_of is not None:
            raise SequenceError("the sender of a sum has entries with values")
        check_total(inputs.values.tolist(), self._agreed)
        self._values = inputs.values

    def _derive(self) -> None:
        self._shapes[RETURNED] = (self._entries, self._inputs.group * POINT_BYTES + CIPHERTEXT_BYTES)
        self._keys = self._expander.scalars("key", 0, COPIES)
        self._secret = self._expander.scalars("share", 0, 1)[0]
        self._public = elgamal.public_share(self._secret).tobytes()
        nonce = self._expander.scalars("share-proof", 0, 1)[0]
        share = np.frombuffer(self._public, dtype=np.uint8)
        self._proof = elgamal.prove_share(self._secret, share, nonce, Role.SENDER, self._context)
        nonce.fill(0)
        self._secrets = (self._keys, self._secret)

    @property
    def _entries(self) -> int:
        return self._at.elements // self._inputs.group

    def _lay(self, shape: AggregateShape) -> tuple[Layout, Layout, Layout]:
        return layouts(shape, self._limits)

    def _chunk_rows(self) -> int:
        return entries(self._inputs.group, self._limits) * self._inputs.group

    def _share(self) -> tuple[bytes, bytes]:
        return self._public, self._proof

    def _check_share(self, commitment: AggregateCommitment) -> None:
        if commitment.public_key == self._public:
            raise PeerError(PeerCode.BAD_PROOF, "the receiver's share of the sum's key is ours")
        elgamal.check_share(commitment.public_key, commitment.proof, Role.RECEIVER, self._context)

    def _rows(self, index: int) -> slice:
        """The entries of one chunk of our own elements."""
        span, size = self._span(index), self._inputs.group
        return slice(span.start // size, span.stop // size)

    def _gather(self, indices: Indices) -> tuple[Bytes2D, ...]:
        some = self._values[indices[:: self._inputs.group] // self._inputs.group]
        values = np.ascontiguousarray(some, dtype="<i8").view(np.uint8).reshape(-1, 8)
        return *super()._gather(indices), values

    def _prepare(self, index: int, *parts: Bytes2D) -> None:
        size, copies = self._inputs.group, self._inputs.copies
        elements = parts[0]
        keys = np.tile(np.repeat(self._keys[:copies], size // copies, axis=0), (len(elements) // size, 1))
        points = oprf.blind_inputs(elements, keys, Mode.OPRF)
        keys.fill(0)
        self._array(RETURNED)[self._rows(index), : size * POINT_BYTES] = points.reshape(
            -1, size * POINT_BYTES
        )

    def _build(self) -> None:
        """Encrypt the values, now that the receiver's share is known; then digest."""
        key = elgamal.joint_key(self._public, self._at.peer_key)
        for index in range(self._chunks):
            rows = self._rows(index)
            fresh = self._expander.scalars("value", index, rows.stop - rows.start)
            start = self._inputs.group * POINT_BYTES
            self._array(RETURNED)[rows, start:] = elgamal.encrypt(self._values[rows], key, fresh)
            fresh.fill(0)
        super()._build()

    def _open_peer(self) -> None:
        super()._open_peer()
        points, masked = self._layout(POINTS), self._layout(MASKED)
        size = self._inputs.group
        self._shapes |= {
            "tags": (points.rows * points.copies, TAG_BYTES),
            "table": (points.rows * points.copies, TAG_BYTES),
            "masked_tags": (masked.rows * size, TAG_BYTES),
            "masked_values": (masked.rows, CIPHERTEXT_BYTES),
        }

    def _take_points(self, index: int, rows: Bytes2D) -> None:
        layout = self._layout(POINTS)
        copy, span = layout.place(index)
        tags = derive_tags(multiply(rows, np.ascontiguousarray(self._keys[copy])), self._context)
        self._array("tags")[copy * layout.rows + span.start : copy * layout.rows + span.stop] = tags

    def _take_masked(self, index: int, rows: Bytes2D) -> None:
        size, span = self._inputs.group, self._layout(MASKED).span(index)
        values = np.ascontiguousarray(rows[:, size * TAG_BYTES :])
        elgamal.check_ciphertexts(values)  # all of them: which of them are added shall not show
        self._array("masked_tags")[span.start * size : span.stop * size] = rows[
            :, : size * TAG_BYTES
        ].reshape(-1, TAG_BYTES)
        self._array("masked_values")[span] = values

    def _tally(self) -> AggregateOutcome:
        table = self._array("table")
        lookup.sort_into(table, self._array("tags"))
        if len(table) > 1 and not lookup.strictly_increasing(table):
            raise PeerError(PeerCode.BAD_TAGS, "two of the receiver's points are equal")
        places, _ = lookup.find(self._array("masked_tags"), table)
        matches = np.zeros(self._entries, dtype=np.bool_)
        matches[places // self._inputs.group] = True
        first, second = self._opened(matches)
        disclosed = permitted_band(Disclosure.SUM, int(np.count_nonzero(matches)), self._agreed) is not None
        if not disclosed:
            # Uniform points: the outcome has the same size, and only its reader can distinguish it.
            uniform = np.frombuffer(self._expander.stream("withheld", 0, 2 * UNIFORM_BYTES), dtype=np.uint8)
            first, second = (each.tobytes() for each in group.from_uniform(uniform.reshape(2, UNIFORM_BYTES)))
        share, transcript = self._at.peer_key, self._transcript()
        return AggregateOutcome(
            disclosed=disclosed, left=first, right=second, share=share, transcript=transcript
        )

    def _opened(self, matches: Flags) -> tuple[bytes, bytes]:
        """The sum of the values of matching entries, re-randomised and half opened.

        The work is the same for every result, also for a withheld one, so that its duration reveals nothing. An encryption of
        zero is added in the place of each entry that does not match.
        """
        key = elgamal.joint_key(self._public, self._at.peer_key)
        fresh = self._expander.scalars("total", 0, 2)
        zero = elgamal.encrypt(np.zeros(1, dtype=np.int64), key, fresh[:1])
        chosen = np.where(matches[:, None], self._array("masked_values"), zero)
        summed = elgamal.rerandomise(elgamal.add_all(chosen), key, fresh[1:])
        fresh.fill(0)
        return elgamal.half_open(summed, self._secret)


def check_total(values: list[int], agreed: AggregateTerms) -> None:
    """Refuse values whose sum the receiver could not compute. LocalError."""
    if sum(values) >= agreed.most_total:
        raise LocalError(
            "the values of this collection together are too large for a sum",
            hint="Agree on fewer decimals, on a wider band, or on fewer records.",
        )
