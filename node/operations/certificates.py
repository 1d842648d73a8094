"""Operations on certificates: a pilot's authority, requests, issue, installation, revocation."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from blindmatch.node.operations.keys import NodeKeys
from blindmatch.node.pki import certificates, pilot_ca
from blindmatch.node.pki.certificates import CertificateInfo
from blindmatch.node.pki.pilot_ca import Authority, Issued
from blindmatch.node.storage import keyring
from blindmatch.node.storage.config import FILE_NAME, load_settings
from blindmatch.node.storage.files import write_output
from blindmatch.protocol.errors import ConfigError

__all__ = ["CertificateInfo", "Issued"]


def create_authority(folder: Path, name: str, passphrase: Callable[[], str]) -> datetime:
    """Create a certificate authority for a pilot, in a folder away from every node; returns the end of its validity.

    Raises:
        KeysError: the folder holds an authority already, or the new passphrase is too short.
        ConfigError: the folder cannot be written.
    """
    pilot_ca.check_new(folder)
    authority = Authority.create(folder, passphrase(), name, now=time.time())
    return authority.certificate.not_valid_after_utc


def request(home: Path, out: Path, passphrase: Callable[[], str], *, hosts: Sequence[str] = ()) -> NodeKeys:
    """Write a certificate request (PKCS #10, PEM) for the TLS key of the node in a folder; returns its public keys.

    Raises:
        ConfigError: a host is neither an IP address nor a host name.
    """
    load_settings(home / FILE_NAME)
    keys = keyring.KeyRing.open(home / keyring.FILE_NAME, passphrase())
    write_output(out, certificates.make_request(keys, hosts).decode(), mode=0o644)
    return NodeKeys(keys.agency, keys.identity_public, keys.certificate_key)


def issue(
    folder: Path,
    request: Path,
    out: Path,
    passphrase: Callable[[], str],
    *,
    agency: str = "",
    hosts: Sequence[str] = (),
    days: int = 365,
) -> CertificateInfo:
    """Issue a node certificate with the key of the authority in `folder`, and write it to a file (PEM).

    The request must be that of `agency`, unless this is empty. `hosts` are host names and IP addresses of the node.

    Raises:
        ConfigError: the request cannot be read, is not usable, or is another agency's.
        KeysError: there is no authority in the folder.
    """
    content = certificates.load_request(request)
    named = certificates.agency_of(content)
    if agency and agency != named:
        raise ConfigError(f"the request is for {named}, not for {agency}")
    authority = Authority.open(folder, passphrase())
    certificate = authority.issue(content, hosts=hosts, days=days, now=time.time())
    write_output(out, certificate.public_bytes(Encoding.PEM).decode(), mode=0o644)
    return certificates.describe(certificate)


def install(
    home: Path,
    *,
    certificate: Path | None = None,
    authority: Path | None = None,
    revoked: Path | None = None,
) -> CertificateInfo:
    """Check PEM files against the node in a folder and against each other, and copy them to it. Needs no passphrase.

    They are the node's certificate, those of its authority, and the revocation list. None retains the installed file.

    Raises:
        ConfigError: a file is missing or wrong, or the folder cannot be written.
    """
    return certificates.install(
        home,
        load_settings(home / FILE_NAME),
        keyring.PublicKeys.read(home / keyring.FILE_NAME),
        certificate=certificate,
        authority=authority,
        revoked=revoked,
        now=time.time(),
    )


def revoke(folder: Path, serial_or_agency: str, passphrase: Callable[[], str]) -> list[Issued]:
    """Revoke one certificate, or all of an agency, and renew the list in the authority's folder; returns what was revoked.

    Raises:
        ConfigError: no valid certificate has this serial number or agency.
        KeysError: there is no authority in the folder.
    """
    return Authority.open(folder, passphrase()).revoke(serial_or_agency, now=time.time())


def issued(folder: Path, passphrase: Callable[[], str]) -> list[Issued]:
    """Every certificate that an authority issued, oldest first. The errors are those of `Authority.open`."""
    return Authority.open(folder, passphrase()).issued()


def read(path: Path) -> CertificateInfo:
    """The contents of a node's certificate (PEM).

    Raises:
        ConfigError: the file cannot be read, or does not hold a node's certificate.
    """
    return certificates.describe(certificates.load_certificates(path)[0])
