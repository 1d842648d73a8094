"""Independent streams from one seed: every secret of an edge derives from 32 bytes.

A stream is identified by a label and an index, and can be derived again at any time, in any order: after a crash the
blinds, the permutations and the key are the same, without having been stored.

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
from blindmatch.protocol.sorting import sort_order

_DOMAIN = b"blindmatch/expand/v1"
_NONCE = bytes(16)
_BUCKET = 1 << 22
"""Keys of an order that are sorted at a time: about 120 MiB of memory."""
_SCAN = 1 << 19


class Expander:
    """Expands one secret seed. It is thread-safe, and refuses every call after `wipe`."""

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
        if (
            self._wiped
        ):  # checked last: a key derived while another thread wiped the seed must not be returned
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

    def permutation(self, label: str, count: int) -> npt.NDArray[np.uint32]:
        """A uniform permutation of `count` < 2^32 items, (count,): the order that sorts `count` 64-bit keys.

        Two keys are equal with probability below count^2 / 2^65: 2^-18 at ten million, and then only the
        order of one pair is not random. Memory holds the result and one bucket of the keys at a time: each bucket
        reads the whole stream again.
        """
        order = np.empty(count, dtype=np.uint32)
        bits, placed = 0, 0
        while count >> bits > _BUCKET:
            bits += 1
        for bucket in range(1 << bits):
            indices, keys = self._bucket(label, count, bucket, bits)
            rank, _ = sort_order(keys)
            order[placed : placed + len(rank)] = indices[rank]
            placed += len(rank)
        return order

    def _bucket(
        self, label: str, count: int, bucket: int, bits: int
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint64]]:
        """The keys whose first bits are the bucket's number, and their indices in the stream."""
        stream = Cipher(ChaCha20(self._key(label, 0), _NONCE), mode=None).encryptor()
        places, keys_inside = [np.empty(0, dtype=np.uint32)], [np.empty(0, dtype=np.uint64)]
        for start in range(0, count, _SCAN):
            size = min(_SCAN, count - start)
            keys = np.frombuffer(stream.update(bytes(size * 8)), dtype="<u8")
            inside = np.flatnonzero(keys >> np.uint64(64 - bits) == bucket) if bits else np.arange(size)
            keys_inside.append(keys[inside])
            places.append((inside + start).astype(np.uint32))
        return np.concatenate(places), np.concatenate(keys_inside)

    def wipe(self) -> None:
        """Overwrite the seed with zeros; every later call raises SequenceError."""
        self._wiped = True
        self._seed[:] = bytes(SEED_BYTES)
