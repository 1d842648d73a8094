"""Hashes over the rows of batches: SHA-512, its uses in the protocol, and BLAKE2b; and sealing of rows. One call per batch.

All messages of one batch have the same length. A message consists of adjacent pieces: `bytes` that are the same in
every row, and batches (n, width) that give each row its own bytes. Python does not concatenate them.

The first call selects the backend: the fastest that loads, of `avx512` (eight rows at a time), `portable` (plain C)
and `hashlib` (where the extension was not built). All return the same bytes; time and addresses depend on lengths only.
"""

from collections.abc import Callable, Sequence

import numpy as np

from blindmatch.protocol.backends import BackendRegistry
from blindmatch.protocol.hashing.frames import (
    BLOCK_BYTES,
    DIGEST_BYTES,
    SEAL_KEY_BYTES,
    SEAL_TAG_BYTES,
    Algorithm,
    Backend,
    Bytes2D,
    Frame,
    Part,
)

__all__ = [
    "Bytes2D",
    "available",
    "backend_name",
    "blake2b",
    "blake2b_texts",
    "expand_xmd",
    "hkdf_expand",
    "hmac_sha512",
    "seal",
    "sha512",
    "use",
    "use_threads",
    "using",
]

_MAX_TAG_BYTES = 255
_MAX_PERSON_BYTES = 16


def _native_backend(path: str) -> Callable[[], Backend]:
    def load() -> Backend:
        from blindmatch.protocol.hashing._batch import NativeBackend  # noqa: PLC0415 - exists only where it was built

        return NativeBackend(path)

    return load


def _hashlib_backend() -> Backend:
    from blindmatch.protocol.hashing._hashlib import HashlibBackend  # noqa: PLC0415 - loaded on demand

    return HashlibBackend()


_threads: int | None = None
_choice: BackendRegistry[Backend] = BackendRegistry(
    "hashing",
    {
        "avx512": _native_backend("avx512"),
        "portable": _native_backend("portable"),
        "hashlib": _hashlib_backend,
    },
)
_backend = _choice.current
available = _choice.available
use = _choice.use
using = _choice.using


def backend_name() -> str:
    """The name of the backend in use."""
    return _backend().name


def use_threads(count: int | None) -> None:
    """Split large batches over at most `count` threads from now on. None, the initial setting, means every available core.

    Raises:
        ValueError: a count below 1.
    """
    global _threads  # noqa: PLW0603 - goes with the dispatch point
    if count is not None and count < 1:
        raise ValueError("the number of threads must be at least 1")
    _threads = count


def sha512(*pieces: bytes | Bytes2D) -> Bytes2D:
    """SHA-512 (FIPS 180-4) of every row's message: (n, 64).

    Raises:
        ValueError: the pieces are not rows of one message; also for the functions below.
    """
    return _run("sha512", DIGEST_BYTES, Frame.of(pieces))


def expand_xmd(*pieces: bytes | Bytes2D, tag: bytes, size: int = DIGEST_BYTES) -> Bytes2D:
    """RFC 9380 5.3.1 expand_message_xmd with SHA-512, to one block of output: (n, size), size from 1 to 64.

    Args:
        pieces: the message.
        tag: the domain separation tag, up to 255 bytes.
        size: bytes of output; the size is part of the hash input.
    """
    if len(tag) > _MAX_TAG_BYTES:
        raise ValueError(f"a domain separation tag has at most {_MAX_TAG_BYTES} bytes")
    tag_prime = tag + bytes([len(tag)])
    # b_0 = H(Z_pad || msg || I2OSP(size, 2) || 0 || DST'); the all-zero block in front is hashed once per batch.
    first = Frame.of((bytes(BLOCK_BYTES), *pieces, size.to_bytes(2, "big"), b"\x00", tag_prime))
    # b_1 = H(b_0 || 1 || DST')
    second = Frame(bytes(DIGEST_BYTES) + b"\x01" + tag_prime)
    return _run("sha512", size, first, second)


def hmac_sha512(keys: Bytes2D, *pieces: bytes | Bytes2D, size: int = DIGEST_BYTES) -> Bytes2D:
    """HMAC-SHA-512 (RFC 2104) of every row's message under the row's key: (n, size), the first 1 to 64 bytes.

    Args:
        keys: (n, up to 128) secret bytes.
        pieces: the message.
        size: bytes of the result.
    """
    if keys.ndim != 2 or keys.shape[1] > BLOCK_BYTES:
        raise ValueError(f"keys must have the shape (n, width), width up to {BLOCK_BYTES}, not {keys.shape}")
    inner = Frame.of((keys, bytes(BLOCK_BYTES - keys.shape[1]), *pieces))
    key, *others = inner.parts
    inner_pad, outer_pad = bytes([0x36]) * BLOCK_BYTES, bytes([0x5C]) * BLOCK_BYTES
    return _run(
        "sha512",
        size,
        Frame(inner_pad + inner.text[BLOCK_BYTES:], (Part(0, key.rows, inner_pad[0]), *others)),
        Frame(outer_pad + bytes(DIGEST_BYTES), (Part(0, key.rows, outer_pad[0]),), digest_at=BLOCK_BYTES),
    )


def hkdf_expand(keys: Bytes2D, info: bytes, size: int) -> Bytes2D:
    """HKDF-Expand (RFC 5869 2.3) over SHA-512 of every row's pseudorandom key, to one block: (n, size), size to 64."""
    return hmac_sha512(keys, info, b"\x01", size=size)


def blake2b(*pieces: bytes | Bytes2D, size: int, key: bytes = b"", person: bytes = b"") -> Bytes2D:
    """BLAKE2b (RFC 7693) of every row's message: (n, size), size from 1 to 64.

    Args:
        pieces: the message.
        size: bytes of the digest; different sizes give unrelated digests, not truncated ones.
        key: up to 64 bytes, the same for every row.
        person: the personalisation, up to 16 bytes.
    """
    if len(person) > _MAX_PERSON_BYTES:
        raise ValueError(f"a personalisation has at most {_MAX_PERSON_BYTES} bytes")
    if len(key) > DIGEST_BYTES:
        raise ValueError(f"a key has at most {DIGEST_BYTES} bytes")
    return _run("blake2b", size, Frame.of(pieces), key=key, person=person)


def blake2b_texts(texts: Sequence[str], *, size: int, key: bytes = b"", person: bytes = b"") -> Bytes2D:
    """`blake2b` of texts of any length, encoded as UTF-8: (n, size)."""
    encoded = [text.encode() for text in texts]
    lengths = np.fromiter(map(len, encoded), dtype=np.int64, count=len(encoded))
    out = np.empty((len(encoded), size), dtype=np.uint8)
    for length in np.unique(lengths):
        at = np.flatnonzero(lengths == length)
        joined = b"".join(encoded if len(at) == len(encoded) else [encoded[place] for place in at])
        rows = np.frombuffer(joined, dtype=np.uint8).reshape(len(at), length)
        out[at] = blake2b(rows, size=size, key=key, person=person)
    return out


def seal(keys: Bytes2D, rows: Bytes2D) -> Bytes2D:
    """ChaCha20-Poly1305 (RFC 8439 2.8) of rows (n, width), each under its own key (n, 32): (n, width + 16).

    The nonce is zero, without associated data: a key must seal only one row, once.

    Raises:
        ValueError: wrong shapes.
    """
    for name, batch in (("keys", keys), ("rows", rows)):
        if batch.dtype != np.uint8 or batch.ndim != 2:
            raise ValueError(f"{name} must be uint8 of the shape (n, width)")
    if keys.shape != (len(rows), SEAL_KEY_BYTES):
        raise ValueError(f"each row needs its own key of {SEAL_KEY_BYTES} bytes")
    out = np.empty((len(rows), rows.shape[1] + SEAL_TAG_BYTES), dtype=np.uint8)
    _backend().seal(np.ascontiguousarray(keys), np.ascontiguousarray(rows), out)
    return out


def _run(algorithm: Algorithm, size: int, *frames: Frame, key: bytes = b"", person: bytes = b"") -> Bytes2D:
    if not 1 <= size <= DIGEST_BYTES:
        raise ValueError(f"a digest has 1 to {DIGEST_BYTES} bytes, not {size}")
    if not frames[0].parts:
        raise ValueError("a message needs a batch among its pieces, which determines the number of rows")
    out = np.empty((len(frames[0].parts[0].rows), size), dtype=np.uint8)
    _backend().run(algorithm, frames, out, key=key, person=person, threads=_threads or 0)
    return out
