"""The node's keys: `keys.json`, encrypted at rest under a passphrase.

```
passphrase --scrypt--> key-encryption key --opens--> master key (32 random bytes)
master key --HKDF "keys"--> opens the Ed25519 identity key and the ECDSA P-256 TLS key
master key --HKDF other purposes--> seals database columns and collection files (`KeyRing.sealer`)
```
Changing the passphrase re-encrypts the master key and nothing else. Public keys are in the file in plaintext,
so that `pki show` and `keys list` need no passphrase; opening checks them against the private ones.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256, Hash

from blindmatch.node.storage.config import check_agency
from blindmatch.node.storage.files import write_atomically
from blindmatch.node.storage.passphrase_encryption import SCRYPT_N, decrypt, encrypt
from blindmatch.node.storage.sealing import Sealer
from blindmatch.protocol.errors import KeysError
from blindmatch.protocol.transcript import Ed25519Signer

FILE_NAME = "keys.json"
FORMAT = 1
MASTER_BYTES = 32

_DER = serialization.Encoding.DER
_DAMAGED_HINT = "Restore keys.json from a backup; without it, sealed data of this node cannot be read."


@dataclass(frozen=True)
class PublicKeys:
    """The part of `keys.json` that needs no passphrase."""

    agency: str
    identity: bytes
    """Ed25519 public key, 32 bytes (RFC 8032)."""
    certificate_key: bytes
    """SHA-256 of the TLS key's SubjectPublicKeyInfo, 32 bytes, as an agreement states it."""

    @classmethod
    def read(cls, path: Path) -> "PublicKeys":
        """Read the public part of a key file.

        Raises:
            KeysError: missing or damaged.
        """
        return _public(_load(path), path)


class KeyRing:
    """All keys of one node, open in memory. Its repr shows the agency only."""

    def __init__(
        self, public: PublicKeys, master: bytes, identity: Ed25519PrivateKey, tls: EllipticCurvePrivateKey
    ) -> None:
        self.public = public
        self.agency = public.agency
        """The agency these keys belong to."""
        self.identity = Ed25519Signer(public.agency, identity)
        self.identity_public = public.identity
        """Ed25519 public key, 32 bytes."""
        self.certificate_key = public.certificate_key
        """SHA-256 of the TLS key's SubjectPublicKeyInfo, 32 bytes."""
        self.sealer = Sealer(master)
        self.tls_key = tls
        """The TLS key, to sign a certificate request with."""

    def __repr__(self) -> str:
        return f"KeyRing({self.agency})"

    def tls_key_pem(self) -> bytes:
        """The TLS key as unencrypted PKCS#8 PEM, for the TLS library's memory. Never write it anywhere."""
        return self.tls_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    @classmethod
    def create(cls, path: Path, passphrase: str, agency: str, *, scrypt_n: int = SCRYPT_N) -> "KeyRing":
        """Create new keys and write them to `path`, mode 0600.

        Args:
            path: the file; it must not exist.
            passphrase: not empty.
            agency: the agency id that the keys are for.
            scrypt_n: scrypt's cost (RFC 7914); lower it in tests only.

        Raises:
            KeysError: the file exists, the passphrase is empty, or the folder cannot be written.
        """
        if path.exists():
            raise KeysError(
                f"{path} exists already", hint="Keys are never overwritten. Choose another folder."
            )
        try:
            check_agency(agency)
        except ValueError as error:
            raise KeysError(str(error)) from None
        master = os.urandom(MASTER_BYTES)
        identity = Ed25519PrivateKey.generate()
        tls = generate_private_key(SECP256R1())
        public = _public_of(agency, identity, tls)
        sealer = Sealer(master).derive("keys")
        content = {
            "format": FORMAT,
            "agency": agency,
            "identity_public": public.identity.hex(),
            "certificate_key": public.certificate_key.hex(),
            "master": encrypt(master, passphrase, _context(agency, "master"), scrypt_n=scrypt_n),
            "identity": sealer.seal(identity.private_bytes_raw(), _context(agency, "identity")).hex(),
            "tls": sealer.seal(_tls_der(tls), _context(agency, "tls")).hex(),
        }
        _store(path, content)
        return cls(public, master, identity, tls)

    @classmethod
    def open(cls, path: Path, passphrase: str) -> "KeyRing":
        """Open a key file.

        Raises:
            KeysError: wrong passphrase; or the file is missing, damaged, or altered.
        """
        content = _load(path)
        public = _public(content, path)
        master = decrypt(_section(content, "master", path), passphrase, _context(public.agency, "master"))
        sealer = Sealer(master).derive("keys")
        identity_raw = sealer.open(_hex(content, "identity", path), _context(public.agency, "identity"))
        tls_der = sealer.open(_hex(content, "tls", path), _context(public.agency, "tls"))
        try:
            identity = Ed25519PrivateKey.from_private_bytes(identity_raw)
            tls = serialization.load_der_private_key(tls_der, None)
        except ValueError:
            raise KeysError(f"{path} is damaged", hint=_DAMAGED_HINT) from None
        if not isinstance(tls, EllipticCurvePrivateKey) or _public_of(public.agency, identity, tls) != public:
            raise KeysError(f"{path}: the public keys are not those of the private keys", hint=_DAMAGED_HINT)
        return cls(public, master, identity, tls)


def change_passphrase(path: Path, old: str, new: str, *, scrypt_n: int = SCRYPT_N) -> None:
    """Wrap the master key under another passphrase. Sealed data stays as it is.

    Raises:
        KeysError: `old` is wrong, `new` is empty, or the file is damaged.
    """
    KeyRing.open(path, old)  # the whole file must be sound before it is rewritten
    content = _load(path)
    context = _context(_public(content, path).agency, "master")
    master = decrypt(_section(content, "master", path), old, context)
    _store(path, {**content, "master": encrypt(master, new, context, scrypt_n=scrypt_n)})


def _context(agency: str, part: str) -> str:
    return f"keys.json/{agency}/{part}"


def _tls_der(key: EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(_DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _public_of(agency: str, identity: Ed25519PrivateKey, tls: EllipticCurvePrivateKey) -> PublicKeys:
    return PublicKeys(agency, identity.public_key().public_bytes_raw(), key_digest(tls.public_key()))


def key_digest(key: CertificatePublicKeyTypes) -> bytes:
    """SHA-256 of a public key's SubjectPublicKeyInfo, 32 bytes: what an agreement states of a TLS key."""
    digest = Hash(SHA256())
    digest.update(key.public_bytes(_DER, serialization.PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize()


def _store(path: Path, content: Mapping[str, Any]) -> None:
    try:
        write_atomically(path, (json.dumps(content, indent=2) + "\n").encode())
    except OSError as error:
        raise KeysError(f"{path}: cannot be written: {error.strerror}") from None


def _load(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise KeysError(f"{path} is missing", hint="Create a node with `blindmatch node init`.") from None
    except OSError as error:
        raise KeysError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError:
        raise KeysError(f"{path} is damaged: not JSON", hint=_DAMAGED_HINT) from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise KeysError(
            f"{path}: not a key file of format {FORMAT}", hint="A newer blindmatch may have written it."
        )
    return content


def _public(content: Mapping[str, Any], path: Path) -> PublicKeys:
    agency = content.get("agency")
    identity, certificate_key = _hex(content, "identity_public", path), _hex(content, "certificate_key", path)
    if not isinstance(agency, str) or len(identity) != 32 or len(certificate_key) != 32:
        raise KeysError(f"{path} is damaged: its public part", hint=_DAMAGED_HINT)
    return PublicKeys(agency, identity, certificate_key)


def _hex(content: Mapping[str, Any], name: str, path: Path) -> bytes:
    try:
        return bytes.fromhex(content[name])
    except (KeyError, TypeError, ValueError):
        raise KeysError(f"{path} is damaged: {name}", hint=_DAMAGED_HINT) from None


def _section(content: Mapping[str, Any], name: str, path: Path) -> Mapping[str, Any]:
    section = content.get(name)
    if not isinstance(section, dict):
        raise KeysError(f"{path} is damaged: {name}", hint=_DAMAGED_HINT)
    return section
