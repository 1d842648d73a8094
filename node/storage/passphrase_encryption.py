"""Encryption under a passphrase: scrypt (RFC 7914) derives a key, and that key seals the bytes.

The parameters are stored with the sealed bytes, so that a later version can raise them and still read old files.
"""

import os
import unicodedata
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from blindmatch.node.storage.sealing import Sealer
from blindmatch.protocol.errors import KeysError

SCRYPT_N = 2**15
"""Cost: with r = 8 this takes 32 MiB and about a tenth of a second per guess."""

_R, _P, _SALT_BYTES = 8, 1, 16
_MAX_N = 2**20


def encrypt(secret: bytes, passphrase: str, context: str, *, scrypt_n: int = SCRYPT_N) -> dict[str, Any]:
    """Seal `secret` under `passphrase`; the result is JSON-ready and opens with `unwrap`.

    Raises:
        KeysError: the passphrase is empty.
    """
    if not passphrase:
        raise KeysError("the passphrase is empty", hint="Choose several words that you use nowhere else.")
    salt = os.urandom(_SALT_BYTES)
    sealed = Sealer(_derive(passphrase, salt, scrypt_n)).seal(secret, context)
    return {"kdf": "scrypt", "n": scrypt_n, "r": _R, "p": _P, "salt": salt.hex(), "sealed": sealed.hex()}


def decrypt(wrapped: Mapping[str, Any], passphrase: str, context: str) -> bytes:
    """Decrypt the output of `encrypt` for the same context.

    Raises:
        KeysError: wrong passphrase, altered bytes, or parameters that this version does not use.
    """
    n = wrapped.get("n")
    # Bounds first: an altered file must not make this process take gigabytes or minutes.
    known = wrapped.get("kdf") == "scrypt" and wrapped.get("r") == _R and wrapped.get("p") == _P
    if not known or not isinstance(n, int) or not 2 <= n <= _MAX_N or n & (n - 1):
        raise KeysError(
            "the key file's passphrase parameters are not usable", hint="Restore it from a backup."
        )
    try:
        salt, sealed = bytes.fromhex(wrapped["salt"]), bytes.fromhex(wrapped["sealed"])
    except (KeyError, TypeError, ValueError):
        raise KeysError("the key file is damaged", hint="Restore it from a backup.") from None
    try:
        return Sealer(_derive(passphrase, salt, n)).open(sealed, context)
    except KeysError:
        raise KeysError(
            "the passphrase is wrong, or the key file was altered",
            hint="Check for a trailing space, and that --home names the right folder.",
        ) from None


def _derive(passphrase: str, salt: bytes, n: int) -> bytes:
    # Unicode normalisation: the same passphrase must open the file whatever keyboard composed its accents.
    text = unicodedata.normalize("NFC", passphrase).encode()
    return Scrypt(salt=salt, length=32, n=n, r=_R, p=_P).derive(text)
