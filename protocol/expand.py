"""One seed, many independent streams: everything secret about an edge comes from 32 bytes.

A stream is named by a label and an index and can be made again at any time, in any order: after a crash the
same blinds, the same order and the same key come back without having been stored.

    key    = HKDF-Expand(SHA-512, seed, LP("blindmatch/expand/v1") | LP(label) | index) -> 32 bytes   (RFC 5869)
    stream = ChaCha20(key, nonce 0, counter 0) over zeros                                           (RFC 8439)

LP is a 2-byte big-endian length before the bytes; the index takes 8 bytes, big-endian.
"""

import hmac

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

from blindmatch.protocol import group
from blindmatch.protocol.errors import SequenceError
from blindmatch.protocol.limits import SEED_BYTES, UNIFORM_BYTES

_DOMAIN = b"blindmatch/expand/v1"
_NONCE = bytes(16)


class Expander:
    """Expands one secret seed. Safe to call from several threads; useless after `wipe`."""

    def __init__(self, seed: bytes) -> None:
        if len(seed) != SEED_BYTES:
            raise SequenceError(f"a seed has {SEED_BYTES} bytes, not {len(seed)}")
        self._seed = bytearray(seed)
        self._wiped = False

    def __repr__(self) -> str:
        return "Expander(<seed>)"

    def _key(self, label: str, index: int) -> bytes:
        name = label.encode()
        info = b"".join(len(part).to_bytes(2, "big") + part for part in (_DOMAIN, name))
        # RFC 5869 2.3: the first block of HKDF-Expand, cut to 32 of its 64 bytes.
        key = hmac.digest(self._seed, info + index.to_bytes(8, "big") + b"\x01", "sha512")[:32]
        if self._wiped:  # asked last: a key made while another thread wiped must not get out
            raise SequenceError("the edge's seed was wiped")
        return key

    def stream(self, label: str, index: int, count: int) -> bytes:
        """`count` secret bytes of the stream named by label and index.

        Raises:
            SequenceError: after `wipe`.
        """
        return Cipher(ChaCha20(self._key(label, index), _NONCE), mode=None).encryptor().update(bytes(count))

    def scalars(self, label: str, index: int, count: int) -> npt.NDArray[np.uint8]:
        """`count` scalars, (count, 32) uint8: 64 uniform bytes each, reduced (bias below 2^-250).

        A zero, which RFC 9497 2.1 excludes, has the same probability as guessing the seed.
        """
        uniform = np.frombuffer(self.stream(label, index, count * UNIFORM_BYTES), dtype=np.uint8)
        return group.scalars_from_uniform(uniform.reshape(count, UNIFORM_BYTES))

    def permutation(self, label: str, count: int) -> npt.NDArray[np.int64]:
        """A uniform order of `count` things: the argsort of 64-bit keys (count,).

        Two keys are equal with probability below count^2 / 2^65: 2^-18 at ten million, and then only the
        order of one pair is fixed.
        """
        keys = np.frombuffer(self.stream(label, 0, count * 8), dtype="<u8")
        return np.argsort(keys, kind="stable").astype(np.int64, copy=False)

    def wipe(self) -> None:
        """Overwrite the seed; every later call is refused."""
        self._wiped = True
        self._seed[:] = bytes(SEED_BYTES)
