"""The native backends: one path of the extension `_native` each."""

from collections.abc import Sequence

from blindmatch.protocol.hashing import _native
from blindmatch.protocol.hashing.frames import BLOCK_BYTES, DIGEST_BYTES, Algorithm, Bytes2D, Frame

_PERSON_BYTES = 16


class NativeBackend:
    """One path of the extension: "avx512", eight rows at a time, or "portable", one row at a time in plain C.

    Raises:
        ImportError: the extension was not built (when this module is imported), or the processor lacks the instructions of the path.
    """

    def __init__(self, name: str) -> None:
        if name not in _native.paths():
            raise ImportError(f"hashing path {name} does not run on this processor")
        self.name = name

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
        """See `Backend.run`. The interpreter lock is released while it hashes."""
        rows, size = out.shape
        # RFC 7693 2.5: digest length, key length, fanout 1, depth 1; personalisation at the end.
        parameters = bytes([size, len(key), 1, 1]).ljust(DIGEST_BYTES - _PERSON_BYTES, b"\0")
        parameters += person.ljust(_PERSON_BYTES, b"\0")
        # RFC 7693 3.3: a key is a block in front of the message.
        front = key.ljust(BLOCK_BYTES, b"\0") if key else b""
        native = tuple(
            (
                front + frame.text,
                tuple(
                    (len(front) + part.offset, part.rows.shape[1], part.mask, part.rows)
                    for part in frame.parts
                ),
                frame.digest_at,
            )
            for frame in frames
        )
        _native.hash_rows(algorithm, self.name, parameters, native, rows, size, threads, out)

    def seal(self, keys: Bytes2D, rows: Bytes2D, out: Bytes2D) -> None:
        """See `Backend.seal`. The interpreter lock is released while it seals."""
        count, width = rows.shape
        _native.seal_rows(self.name, keys, rows, count, width, out)
