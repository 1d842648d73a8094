"""Elements in memory, for callers of the protocol that have a list of texts instead of a node's collection."""

import hashlib
from collections.abc import Sequence

import numpy as np

from blindmatch.protocol.errors import LocalError
from blindmatch.protocol.limits import DIGEST_BYTES
from blindmatch.protocol.session.chunks import Bytes2D, Indices


class ElementRows:
    """An `ElementSource` of rows in memory, each the SHA-256 digest of one text.

    Args:
        texts: distinct; two parties' texts match when they are equal byte for byte in UTF-8. Normalise them first.

    Raises:
        LocalError: a text occurs twice, which the other side could see.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        if len(set(texts)) != len(texts):
            raise LocalError("an element occurs more than once", hint="Remove duplicates first.")
        digests = b"".join(hashlib.sha256(text.encode()).digest() for text in texts)
        self._rows = np.frombuffer(digests, dtype=np.uint8).reshape(-1, DIGEST_BYTES)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"ElementRows({len(self)})"

    def take(self, indices: Indices) -> Bytes2D:
        """The elements at these indices (m, 32)."""
        return self._rows[indices]
