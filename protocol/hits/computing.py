"""The heavy steps of one edge: each is a function of the edge's seed, a chunk's number and a chunk's rows only.

A session calls a `Computing`. `LocalComputing` calls the kernels in the calling thread. A node may run the same steps on other
machines, where a `LocalComputing` of the same seed and context gives the same bytes.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from blindmatch.protocol import oprf
from blindmatch.protocol.errors import SequenceError
from blindmatch.protocol.expand import Expander
from blindmatch.protocol.hits import tags
from blindmatch.protocol.limits import SEED_BYTES, TAG_BYTES
from blindmatch.protocol.oprf import KeyPair, Mode
from blindmatch.protocol.session.chunks import Bytes2D, Indices, chunk_digest
from blindmatch.protocol.session.messages import EdgeContext
from blindmatch.protocol.transcript import encode


class Computing(Protocol):
    """The heavy steps of one edge. Any number of threads may call it concurrently; it cannot be used after `wipe`."""

    def blind(self, index: int, inputs: Bytes2D) -> Bytes2D:
        """Receiver: chunk `index` of the elements (n, L), hashed to the group and blinded, (n, 32)."""

    def verify(self, public: bytes, blinded: Bytes2D, evaluated: Bytes2D, proof: bytes) -> None:
        """Receiver: check the sender's proof (64 bytes) of one chunk. PeerError: BAD_POINT, BAD_PROOF."""

    def tags(self, index: int, inputs: Bytes2D, evaluated: Bytes2D) -> Bytes2D:
        """Receiver: the tags (n, 16) of chunk `index`, from its elements and their evaluations (n, 32). PeerError: BAD_POINT."""

    def rows(self, inputs: Bytes2D, *facts: Bytes2D) -> Bytes2D:
        """Sender: rows of the tag table (n, row_bytes) of its own elements, with facts (n, fact_bytes) where they travel."""

    def evaluate(self, index: int, points: Bytes2D) -> tuple[Bytes2D, bytes]:
        """Sender: the receiver's chunk `index` (n, 32) evaluated, and its proof, or b"". PeerError: BAD_POINT."""

    def evaluate_ahead(self, index: int, points: Bytes2D) -> None:
        """Sender: a hint that `evaluate` will be called with the same arguments. Raises nothing."""

    def wipe(self) -> None:
        """Overwrite the seed and the key."""


Computer = Callable[[bytes, EdgeContext], Computing]
"""Creates the `Computing` of an edge: from its secret seed, bound to the edge and round, 32 bytes, and its context."""


def sender_key(expander: Expander, context: EdgeContext) -> KeyPair:
    """The sender's OPRF key of one edge and round."""
    return key_of(key_seed(expander), context)


def key_seed(expander: Expander) -> bytes:
    """32 secret bytes from which, with the edge's context, the sender's key is derived, and nothing else is."""
    return expander.stream("oprf-key", 0, SEED_BYTES)


def key_of(seed: bytes, context: EdgeContext) -> KeyPair:
    """The OPRF key of an edge and round from `key_seed`."""
    return oprf.derive_key_pair(seed, encode("blindmatch/oprf-key/v1", context.digest), mode_of(context))


def mode_of(context: EdgeContext) -> Mode:
    """The mode of the OPRF (RFC 9497 3.1): VOPRF where evaluation is verified."""
    return Mode.VOPRF if context.verified else Mode.OPRF


def outputs(
    expander: Expander, index: int, inputs: Bytes2D, evaluated: Bytes2D, rows: Indices | slice
) -> Bytes2D:
    """The OPRF outputs (h, 64) of the rows `rows` of the receiver's chunk `index`; `inputs` and `evaluated` are the whole chunk."""
    blinds = expander.scalars("blind", index, len(inputs))
    unblinded = oprf.unblind(np.ascontiguousarray(evaluated[rows]), np.ascontiguousarray(blinds[rows]))
    blinds.fill(0)
    return oprf.finalize(np.ascontiguousarray(inputs[rows]), unblinded)


class LocalComputing:
    """The heavy steps in the calling thread and the kernels' threads. See `Computing`."""

    def __init__(self, seed: bytes, context: EdgeContext) -> None:
        self._context = context
        self._mode = mode_of(context)
        self._expander = Expander(seed)
        self._pair: KeyPair | None = None

    def __repr__(self) -> str:
        return f"LocalComputing(edge={self._context.edge!r})"

    def blind(self, index: int, inputs: Bytes2D) -> Bytes2D:
        """See `Computing.blind`."""
        blinds = self._expander.scalars("blind", index, len(inputs))
        blinded = oprf.blind_inputs(inputs, blinds, self._mode)
        blinds.fill(0)
        return blinded

    def verify(self, public: bytes, blinded: Bytes2D, evaluated: Bytes2D, proof: bytes) -> None:
        """See `Computing.verify`."""
        oprf.verify(np.frombuffer(public, dtype=np.uint8), blinded, evaluated, proof)

    def tags(self, index: int, inputs: Bytes2D, evaluated: Bytes2D) -> Bytes2D:
        """See `Computing.tags`."""
        return tags.derive_tags(outputs(self._expander, index, inputs, evaluated, slice(None)), self._context)

    def rows(self, inputs: Bytes2D, *facts: Bytes2D) -> Bytes2D:
        """See `Computing.rows`."""
        evaluated = oprf.evaluate_inputs(self._key().secret, inputs, self._mode)
        rows = np.empty((len(inputs), self._context.row_bytes), dtype=np.uint8)
        rows[:, :TAG_BYTES] = tags.derive_tags(evaluated, self._context)
        for payload in facts:
            rows[:, TAG_BYTES:] = tags.seal_facts(evaluated, payload, self._context)
        evaluated.fill(0)
        return rows

    def evaluate(self, index: int, points: Bytes2D) -> tuple[Bytes2D, bytes]:
        """See `Computing.evaluate`."""
        key = self._key()
        evaluated = oprf.evaluate(key.secret, points)
        if not self._context.verified:
            return evaluated, b""
        # The nonce depends on the chunk's bytes as well as on the seed (as in RFC 6979): proofs of two different chunks of one
        # number under one nonce would disclose the key.
        label = "proof/" + chunk_digest("blinded", index, points).hex()
        nonce = self._expander.scalars(label, index, 1)[0]
        proof = oprf.prove(key, points, evaluated, nonce)
        nonce.fill(0)
        return evaluated, proof

    def evaluate_ahead(self, index: int, points: Bytes2D) -> None:
        """Nothing to do: the kernels use every core for each chunk already."""

    def wipe(self) -> None:
        """See `Computing.wipe`."""
        self._expander.wipe()
        if self._pair is not None:
            self._pair.wipe()

    def _key(self) -> KeyPair:
        pair = self._pair
        if pair is None:
            pair = self._pair = sender_key(self._expander, self._context)
            try:
                self._expander.stream("oprf-key", 0, 0)
            except SequenceError:  # wiped meanwhile, by a thread that did not see this key
                pair.wipe()
                raise
        return pair
