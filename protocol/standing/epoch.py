"""An epoch's secrets: one OPRF key of the sender, and what both sides derive under it until the epoch ends.

The epoch has the id of the full round that opened it. Tags are derived as in that round. Facts are sealed for the delta round or
the check that carries them, so that no key seals two payloads.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from blindmatch.protocol import hashing, oprf
from blindmatch.protocol.errors import SequenceError
from blindmatch.protocol.expand import Expander
from blindmatch.protocol.hits import tags
from blindmatch.protocol.hits.computing import LocalComputing, key_of, key_seed, mode_of, outputs
from blindmatch.protocol.limits import SEED_BYTES
from blindmatch.protocol.oprf import KeyPair
from blindmatch.protocol.session.base import bound_seed
from blindmatch.protocol.session.chunks import Bytes2D
from blindmatch.protocol.session.messages import EdgeContext
from blindmatch.protocol.transcript import digest, encode

DELTA, CHECK = b"delta", b"check"
RECORD_DIGEST_BYTES = 16


@dataclass(frozen=True)
class Epoch:
    """One side's secrets for an epoch, besides its lists.

    Args:
        context: of the full round that opened it.
        local: 32 secret bytes that only this side has: the key of its records' digests.
        key_seed: sender: 32 secret bytes, see `Sender.key_seed`; receiver: empty.

    Raises:
        SequenceError: a secret of another size.
    """

    context: EdgeContext
    local: bytes = field(repr=False)
    key_seed: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if len(self.local) != SEED_BYTES or len(self.key_seed) not in {0, SEED_BYTES}:
            raise SequenceError(f"each secret of an epoch has {SEED_BYTES} bytes")

    @property
    def id(self) -> bytes:
        """The id of the round that opened it, 16 bytes."""
        return self.context.round_id

    def key_pair(self) -> KeyPair:
        """The sender's key; the caller wipes it. SequenceError: this is the receiver's side."""
        if not self.key_seed:
            raise SequenceError("a receiver does not have the epoch's key")
        return key_of(self.key_seed, self.context)

    def evaluate(self, inputs: Bytes2D) -> Bytes2D:
        """The OPRF outputs (n, 64) of the sender's own inputs (n, L)."""
        key = self.key_pair()
        try:
            return oprf.evaluate_inputs(key.secret, inputs, mode_of(self.context))
        finally:
            key.wipe()

    def tags(self, outputs: Bytes2D) -> Bytes2D:
        """The tags (n, 16) of outputs (n, 64)."""
        return tags.derive_tags(outputs, self.context)

    def round_context(self, round_id: bytes) -> EdgeContext:
        """The edge in a later round of this epoch. The agreement does not limit the elements of such a round."""
        return replace(self.context, round_id=round_id, receiver_elements=None, sender_elements=None)

    def computer(self, seed: bytes, _context: EdgeContext) -> "EpochComputing":
        """The `Computer` of a later round: blinds from its own seed, the key and tags of this epoch."""
        return EpochComputing(seed, self)

    def digests(self, *columns: Bytes2D) -> Bytes2D:
        """Keyed digests (n, 16) of rows, which only this side can compute: BLAKE2b (RFC 7693) over `local` and the columns."""
        return hashing.blake2b(self.local, *columns, size=RECORD_DIGEST_BYTES, person=b"bm/record/v1")


class EpochComputing(LocalComputing):
    """The heavy steps of a later round: blinds and nonces from that round's seed, the key and tags of the epoch."""

    def __init__(self, seed: bytes, epoch: Epoch) -> None:
        super().__init__(seed, epoch.context)
        self._epoch = epoch

    def outputs(self, index: int, inputs: Bytes2D, evaluated: Bytes2D) -> Bytes2D:
        """Receiver: the OPRF outputs (n, 64) of chunk `index`, from its evaluated elements (n, 32). PeerError: BAD_POINT."""
        return outputs(self._expander, index, inputs, evaluated, slice(None))

    def _key(self) -> KeyPair:
        if self._pair is None:
            self._pair = self._epoch.key_pair()
        return self._pair


def facts_binding(purpose: bytes, name: bytes) -> tuple[bytes, ...]:
    """The further arguments of `tags.seal_facts` and `tags.open_facts`: a delta round or a check, by its id. The opening round has none."""
    return (purpose, name)


def first_state(context: EdgeContext, receipt: bytes) -> bytes:
    """The epoch's state after the opening round: 32 bytes over its receipt, and so over the whole exchange."""
    return digest(encode("blindmatch/epoch/v1", context.digest, receipt))


def next_state(state: bytes, number: int, transcript: bytes) -> bytes:
    """The epoch's state after a delta round: 32 bytes over all its rounds."""
    return digest(encode("blindmatch/delta-state/v1", state, number, transcript))


def opening_key_seed(seed: bytes, context: EdgeContext) -> bytes:
    """The `key_seed` of an epoch, 32 bytes, from the seed of the sender's opening round, whose session need not exist any more."""
    expander = Expander(bound_seed(seed, context))
    try:
        return key_seed(expander)
    finally:
        expander.wipe()


def no_rows(width: int) -> Bytes2D:
    """An array of no rows (0, width)."""
    return np.zeros((0, width), dtype=np.uint8)
