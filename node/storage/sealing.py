"""Sealing bytes at rest: one AEAD, one layout, used for files and for database columns alike.

Layout: 1 byte version, 12 bytes nonce, ciphertext with its 16-byte tag (AES-256-GCM, NIST SP 800-38D).
The context is authenticated and not stored: a blob moved to another row, file or block does not open.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from blindmatch.protocol.errors import KeysError

VERSION = b"\x01"
NONCE_BYTES = 12
OVERHEAD_BYTES = 1 + NONCE_BYTES + 16


class Sealer:
    """Seals and opens bytes under one 32-byte key.

    A random 96-bit nonce per call keeps one key safe for 2^32 blobs; `derive` gives each use its own key.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._aead = AESGCM(key)

    def __repr__(self) -> str:
        return "Sealer(<key>)"

    def derive(self, purpose: str) -> "Sealer":
        """A sealer for one purpose, under a key of its own (HKDF-Expand, RFC 5869)."""
        info = b"blindmatch/sealed/v1/" + purpose.encode()
        return Sealer(HKDFExpand(SHA512(), 32, info).derive(self._key))

    def seal(self, plaintext: bytes, context: str) -> bytes:
        """Seal `plaintext`, bound to `context`. The result is `OVERHEAD_BYTES` longer."""
        nonce = os.urandom(NONCE_BYTES)
        return VERSION + nonce + self._aead.encrypt(nonce, plaintext, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """Open the output of `seal` for the same context.

        Raises:
            KeysError: another key, another context, or altered bytes.
        """
        if len(sealed) < OVERHEAD_BYTES or sealed[:1] != VERSION:
            raise KeysError(f"sealed data is damaged: {context}")
        try:
            return self._aead.decrypt(
                sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :], context.encode()
            )
        except InvalidTag:
            raise KeysError(
                f"sealed data does not open: {context}",
                hint="It was altered, moved from elsewhere, or sealed under another node's key.",
            ) from None
