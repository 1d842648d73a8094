"""A small certificate authority for pilots, in its own folder, separate from every node.

```
authority.json   its name and its private key, encrypted under a passphrase
authority.pem    its certificate: every node gets a copy
issued.json      certificates issued and revoked
revoked.pem      the revocation list: every node gets a copy after each revocation
```
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID

from blindmatch.node.pki.certificates import agency_of, common_name, load_certificates, subject_names
from blindmatch.node.storage.files import write_atomically
from blindmatch.node.storage.passphrase_encryption import SCRYPT_N, decrypt, encrypt
from blindmatch.protocol.errors import ConfigError, KeysError
from blindmatch.protocol.limits import LIMITS

FORMAT = 1
AUTHORITY_DAYS = 3_650
REVOCATION_LIST_DAYS = 90

_CONTEXT = "authority.json/key"
_PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Issued:
    """One certificate that was issued. Times are seconds since 1970; `revoked_at` 0 means not revoked."""

    serial: str
    """Hexadecimal."""
    agency: str
    not_after: int
    revoked_at: int = 0

    def data(self) -> dict[str, Any]:
        """Plain values, as JSON and `issued.json` have them."""
        return asdict(self)


class Authority:
    """An open authority. Its repr shows the folder only."""

    def __init__(self, folder: Path, key: EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self.folder = folder
        self.certificate = certificate
        self._key = key

    def __repr__(self) -> str:
        return f"Authority({self.folder})"

    @classmethod
    def create(
        cls, folder: Path, passphrase: str, name: str, *, now: float, scrypt_n: int = SCRYPT_N
    ) -> "Authority":
        """Create a new certificate authority in `folder`.

        Raises:
            KeysError: the folder contains one already, or the passphrase is empty.
            ConfigError: the folder cannot be written.
        """
        check_new(folder)
        key = generate_private_key(SECP256R1())
        certificate = _sign(name, key.public_key(), issuer=None, signer=key, now=now, days=AUTHORITY_DAYS)
        der = key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        content = {
            "format": FORMAT,
            "name": name,
            "key": encrypt(der, passphrase, _CONTEXT, scrypt_n=scrypt_n),
        }
        authority = cls(folder, key, certificate)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(folder / "authority.pem", certificate.public_bytes(_PEM), 0o644)
            write_atomically(folder / "authority.json", (json.dumps(content, indent=2) + "\n").encode())
        except OSError as error:
            raise ConfigError(f"{folder}: {error.strerror}") from None
        authority._save([], now)
        return authority

    @classmethod
    def open(cls, folder: Path, passphrase: str) -> "Authority":
        """Open the authority in `folder`.

        Raises:
            KeysError: wrong passphrase, or there is no authority, or it is damaged.
        """
        content = _load(folder / "authority.json")
        wrapped = content.get("key") if isinstance(content, dict) else None
        if not isinstance(wrapped, dict) or content.get("format") != FORMAT:
            raise KeysError(f"{folder}/authority.json is not an authority of format {FORMAT}")
        key = serialization.load_der_private_key(decrypt(wrapped, passphrase, _CONTEXT), None)
        certificate = load_certificates(folder / "authority.pem")[0]
        if not isinstance(key, EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise KeysError(f"{folder}: authority.pem is not the certificate of authority.json's key")
        return cls(folder, key, certificate)

    def issue(
        self,
        request: x509.CertificateSigningRequest,
        *,
        hosts: Sequence[str] = (),
        days: int = 365,
        now: float,
    ) -> x509.Certificate:
        """Issue a node certificate for the agency and the key in `request`, and record it.

        Args:
            request: as `blindmatch pki request` creates it; its other names are ignored.
            hosts: further host names and IP addresses for the certificate.
            days: the validity period.
            now: seconds since 1970.

        Raises:
            ConfigError: the request's signature, key or agency is not usable, or a host is not valid.
        """
        key = request.public_key()
        if not request.is_signature_valid:
            raise ConfigError("the request is not signed by the key that it is for")
        if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
            raise ConfigError(
                "the request is not for an ECDSA P-256 key", hint="Create it with `blindmatch pki request`."
            )
        agency = agency_of(request)
        both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        names = subject_names(agency, hosts)
        issuer = self.certificate.subject
        certificate = _sign(agency, key, both, names, issuer=issuer, signer=self._key, now=now, days=days)
        not_after = int(certificate.not_valid_after_utc.timestamp())
        self._save([*self.issued(), Issued(f"{certificate.serial_number:x}", agency, not_after)], now)
        return certificate

    def issued(self) -> list[Issued]:
        """Every certificate issued so far, oldest first."""
        try:
            return [Issued(**entry) for entry in _load(self.folder / "issued.json")]
        except TypeError:
            raise KeysError(
                f"{self.folder}/issued.json is damaged", hint="Restore it from a backup."
            ) from None

    def revoke(self, serial_or_agency: str, *, now: float) -> list[Issued]:
        """Revoke one certificate by its hexadecimal serial number, or all certificates of an agency, and renew the revocation list.

        Returns:
            The certificates revoked by this call.

        Raises:
            ConfigError: no valid certificate has this serial number or agency.
        """
        issued = self.issued()
        fits = [e for e in issued if serial_or_agency.lower() in {e.serial, e.agency} and not e.revoked_at]
        if not fits:
            raise ConfigError(
                f"no valid certificate with the serial number or agency {serial_or_agency}",
                hint="See `blindmatch pki show --authority DIR`.",
            )
        self._save([replace(e, revoked_at=int(now)) if e in fits else e for e in issued], now)
        return fits

    def _save(self, issued: Sequence[Issued], now: float) -> None:
        moment = datetime.fromtimestamp(int(now), UTC)
        builder = x509.CertificateRevocationListBuilder(
            issuer_name=self.certificate.subject,
            last_update=moment,
            next_update=moment + timedelta(days=REVOCATION_LIST_DAYS),
        )
        builder = builder.add_extension(_authority_key(self._key.public_key()), critical=False)
        builder = builder.add_extension(x509.CRLNumber(int(now)), critical=False)
        for entry in issued:
            if entry.revoked_at:
                revoked_at = datetime.fromtimestamp(entry.revoked_at, UTC)
                builder = builder.add_revoked_certificate(
                    x509.RevokedCertificateBuilder(int(entry.serial, 16), revoked_at).build()
                )
        try:
            content = json.dumps([entry.data() for entry in issued], indent=2) + "\n"
            write_atomically(self.folder / "issued.json", content.encode())
            revoked = builder.sign(self._key, SHA256()).public_bytes(_PEM)
            write_atomically(self.folder / "revoked.pem", revoked, 0o644)
        except OSError as error:
            raise ConfigError(f"{self.folder}: {error.strerror}") from None


def check_new(folder: Path) -> None:
    """Check that an authority can be created in a folder.

    Raises:
        KeysError: it contains one already.
    """
    if (folder / "authority.json").exists():
        raise KeysError(f"{folder} contains a certificate authority already", hint="Choose another folder.")


def _sign(
    name: str,
    key: EllipticCurvePublicKey,
    *further: x509.ExtensionType,
    issuer: x509.Name | None,
    signer: EllipticCurvePrivateKey,
    now: float,
    days: int,
) -> x509.Certificate:
    """A certificate for a name and a key; without an issuer, the authority's own."""
    # Dated back by the allowed clock skew, so that a new certificate is valid at once on every node.
    moment = datetime.fromtimestamp(int(now), UTC)
    subject = common_name(name)
    authority = issuer is None
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.SubjectKeyIdentifier.from_public_key(key), False),
        (_authority_key(signer.public_key()), False),
        (x509.BasicConstraints(ca=authority, path_length=0 if authority else None), True),
        (_usage(authority=authority), True),
        *((extension, False) for extension in further),
    ]
    builder = x509.CertificateBuilder(
        issuer_name=issuer or subject,
        subject_name=subject,
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=moment - timedelta(seconds=LIMITS.clock_skew_seconds),
        not_valid_after=moment + timedelta(days=days),
        extensions=[x509.Extension(each.oid, critical=critical, value=each) for each, critical in extensions],
    )
    return builder.sign(signer, SHA256())


def _authority_key(key: EllipticCurvePublicKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise KeysError(
            f"{path} is missing", hint="Create a certificate authority with `blindmatch pki init`."
        ) from None
    except (OSError, ValueError):
        raise KeysError(f"{path} cannot be read, or is damaged", hint="Restore it from a backup.") from None
