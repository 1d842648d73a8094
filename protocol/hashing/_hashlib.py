"""The hashlib backend, for installations without the extension: one row at a time."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from blindmatch.protocol.hashing.frames import DIGEST_BYTES, Algorithm, Bytes2D, Frame

_SLICE = 4_096
"""Rows whose messages are built at a time: limits memory to a few times 4,096 x the message's width."""


class _Hash(Protocol):
    def update(self, data: memoryview | bytes, /) -> None: ...
    def digest(self) -> bytes: ...
    def copy(self) -> "_Hash": ...


class HashlibBackend:
    """Hashes through `hashlib`, which uses OpenSSL and the reference BLAKE2."""

    name = "hashlib"

    def run(
        self,
        algorithm: Algorithm,
        frames: Sequence[Frame],
        out: Bytes2D,
        *,
        person: bytes,
        threads: int,
        key: bytes = b"",
    ) -> None:
        """See `Backend.run`; `threads` is ignored, because the interpreter is the bottleneck."""
        del threads
        size = out.shape[1]
        start = hashlib.sha512 if algorithm == "sha512" else _blake2b(size, key, person)
        for first in range(0, len(out), _SLICE):
            part = slice(first, min(first + _SLICE, len(out)))
            digests = np.empty((part.stop - part.start, DIGEST_BYTES), dtype=np.uint8)
            for number, frame in enumerate(frames):
                messages = _lay_out(frame, part, digests if number else None)
                _hash_rows(messages, _shared(frame, second=bool(number)), start, digests)
                messages.fill(0)
            out[part] = digests[:, :size]
            digests.fill(0)

    def seal(self, keys: Bytes2D, rows: Bytes2D, out: Bytes2D) -> None:
        """See `Backend.seal`; through `cryptography`."""
        for row in range(len(rows)):
            box = ChaCha20Poly1305(keys[row].tobytes()).encrypt(bytes(12), rows[row].tobytes(), None)
            out[row] = np.frombuffer(box, dtype=np.uint8)


def _blake2b(size: int, key: bytes, person: bytes) -> Callable[[], _Hash]:
    return lambda: hashlib.blake2b(digest_size=size, key=key, person=person)


def _shared(frame: Frame, *, second: bool) -> int:
    """The number of leading bytes that are the same in every row."""
    offsets = [part.offset for part in frame.parts] + ([frame.digest_at] if second else [])
    return min(offsets, default=len(frame.text))


def _lay_out(frame: Frame, part: slice, digests: Bytes2D | None) -> Bytes2D:
    messages = np.empty((part.stop - part.start, len(frame.text)), dtype=np.uint8)
    messages[:] = np.frombuffer(frame.text, dtype=np.uint8)
    for piece in frame.parts:
        end = piece.offset + piece.rows.shape[1]
        messages[:, piece.offset : end] = piece.rows[part] ^ np.uint8(piece.mask)
    if digests is not None:
        messages[:, frame.digest_at : frame.digest_at + DIGEST_BYTES] = digests
    return messages


def _hash_rows(messages: Bytes2D, shared: int, start: Callable[[], _Hash], digests: Bytes2D) -> None:
    """Hash every row. The hash state after the shared leading bytes is computed once and copied."""
    view, width = messages.reshape(-1).data, messages.shape[1]
    state = start()
    state.update(view[:shared] if len(messages) else b"")
    copy, results = state.copy, []
    for row in range(0, len(messages) * width, width) if width else [0] * len(messages):
        hasher = copy()
        hasher.update(view[row + shared : row + width])
        results.append(hasher.digest())
    size = len(state.digest())
    digests[:, :size] = np.frombuffer(b"".join(results), dtype=np.uint8).reshape(len(messages), size)
