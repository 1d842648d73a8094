"""The derivation of tags and of the keys that seal facts, from OPRF outputs.

A tag is HKDF-Expand (RFC 5869 2.3, SHA-512) of the 64-byte OPRF output to 16 bytes. The key that seals the facts of the same element is
a second expansion with another label. info = LP(label) LP(agreement) LP(edge) LP(round), where LP is a 2-byte big-endian length
before the bytes. In an epoch, the delta round or check for which facts are sealed follows.
"""

import numpy as np
import numpy.typing as npt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from blindmatch.protocol import hashing
from blindmatch.protocol.group import wipe
from blindmatch.protocol.limits import TAG_BYTES
from blindmatch.protocol.session.chunks import Bytes2D
from blindmatch.protocol.session.messages import EdgeContext

_TAG_LABEL = b"blindmatch/tag/v1"
_FACTS_LABEL = b"blindmatch/facts/v1"
_AEAD_KEY_BYTES = 32
# Each key seals one payload once, so a constant nonce never repeats under a key (RFC 8439 2.8); `hashing.seal` uses the same.
_NONCE = bytes(12)


def _expand(outputs: Bytes2D, label: bytes, context: EdgeContext, size: int, *more: bytes) -> Bytes2D:
    """HKDF-Expand (RFC 5869 2.3) of each row (n, 64) to `size` <= 64 bytes: (n, size)."""
    parts = (label, context.agreement, context.edge.encode(), context.round_id, *more)
    info = b"".join(len(part).to_bytes(2, "big") + part for part in parts)
    return hashing.hkdf_expand(outputs, info, size)


def derive_tags(outputs: Bytes2D, context: EdgeContext) -> Bytes2D:
    """The tag of each OPRF output: (n, 64) to (n, 16)."""
    return _expand(outputs, _TAG_LABEL, context, TAG_BYTES)


def seal_facts(outputs: Bytes2D, facts: Bytes2D, context: EdgeContext, *more: bytes) -> Bytes2D:
    """Seal each row of facts (n, fact_bytes) under its element's own key: (n, fact_bytes + 16).

    Args:
        outputs: the OPRF outputs (n, 64).
        facts: (n, fact_bytes).
        context: the edge and round of the OPRF key.
        more: further parts of `info`; other facts of one element are sealed under another key.
    """
    keys = _expand(outputs, _FACTS_LABEL, context, _AEAD_KEY_BYTES, *more)
    sealed = hashing.seal(keys, facts)
    wipe(keys)
    return sealed


def open_facts(
    outputs: Bytes2D, sealed: Bytes2D, context: EdgeContext, *more: bytes
) -> tuple[Bytes2D, npt.NDArray[np.bool_]]:
    """Open the facts of hits, (h, fact_bytes + 16) to (h, fact_bytes); returns them and whether each opened (h,).

    Facts that do not open were not sealed for their element: they are returned as zeros.
    """
    keys = _expand(outputs, _FACTS_LABEL, context, _AEAD_KEY_BYTES, *more)
    facts = np.zeros((len(sealed), context.fact_bytes), dtype=np.uint8)
    opened = np.ones(len(sealed), dtype=np.bool_)
    for row in range(len(sealed)):
        try:
            plain = ChaCha20Poly1305(keys[row].tobytes()).decrypt(_NONCE, sealed[row].tobytes(), None)
        except InvalidTag:
            opened[row] = False
        else:
            facts[row] = np.frombuffer(plain, dtype=np.uint8)
    wipe(keys)
    return facts, opened
