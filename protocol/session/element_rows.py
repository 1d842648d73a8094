"""Elements in memory: rows, or the digests of texts for callers that have no collection of a node."""

import hashlib
from collections.abc import Sequence

import numpy as np

from blindmatch.protocol.errors import LocalError
from blindmatch.protocol.limits import DIGEST_BYTES
from blindmatch.protocol.session.chunks import Bytes2D, Indices


class RowSource:
    """An `ElementSource` of rows in memory (n, L)."""

    def __init__(self, rows: Bytes2D) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)})"

    def take(self, indices: Indices) -> Bytes2D:
        """The elements at these indices (m, L)."""
        return self._rows[indices]


class ElementRows(RowSource):
    """An `ElementSource` of texts in memory: each element is the SHA-256 digest of one text.

    Args:
        texts: distinct; two parties' texts match when they are equal byte for byte in UTF-8. Normalise them first.

    Raises:
        LocalError: a text occurs twice, which the other side could see.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        if len(set(texts)) != len(texts):
            raise LocalError("an element occurs more than once", hint="Remove duplicates first.")
        digests = b"".join(hashlib.sha256(text.encode()).digest() for text in texts)
        super().__init__(np.frombuffer(digests, dtype=np.uint8).reshape(-1, DIGEST_BYTES))
