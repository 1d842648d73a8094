"""Node certificates: requests, checks and installation. `pilot_ca` is the small certificate authority for pilots.

A node's certificate names its agency in a URI, `urn:blindmatch:agency:<id>`, and carries the DNS name
`<id>.agency.blindmatch`, which peers verify whatever address the node has. It serves as server and as client
certificate. An agency with its own certificate authority issues a certificate of this form and installs it.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from blindmatch.node.storage.config import Settings, check_agency, dns_name
from blindmatch.node.storage.files import write_atomically
from blindmatch.node.storage.keyring import KeyRing, PublicKeys, key_digest
from blindmatch.protocol.errors import ConfigError

URI_PREFIX = "urn:blindmatch:agency:"
_LONGEST_CHAIN = 8


@dataclass(frozen=True)
class CertificateInfo:
    """The contents of a node certificate."""

    agency: str
    certificate_key: bytes
    """SHA-256 of the SubjectPublicKeyInfo, 32 bytes, as an agreement states it."""
    serial: int
    issuer: str
    hosts: tuple[str, ...]
    not_before: datetime
    not_after: datetime

    def data(self) -> dict[str, str]:
        """Plain values, as JSON has them; times in UTC, to the second."""
        return {
            "agency": self.agency,
            "certificate_key": self.certificate_key.hex(),
            "serial": f"{self.serial:x}",
            "issuer": self.issuer,
            "hosts": ", ".join(self.hosts),
            "valid_from": f"{self.not_before:%Y-%m-%d %H:%M:%S} UTC",
            "valid_until": f"{self.not_after:%Y-%m-%d %H:%M:%S} UTC",
        }


def common_name(name: str) -> x509.Name:
    """A subject or an issuer with only this name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def agency_of(certificate: x509.Certificate | x509.CertificateSigningRequest) -> str:
    """The agency that a certificate or a request names.

    Raises:
        ConfigError: it names no agency, several, or an invalid agency id.
    """
    uris = [u for u in _alternative_names(certificate)[0] if u.startswith(URI_PREFIX)]
    if len(uris) != 1:
        raise ConfigError(
            f"the certificate names {len(uris)} agencies instead of one",
            hint=f"Its subject alternative names must hold one URI {URI_PREFIX}<agency id>.",
        )
    try:
        return check_agency(uris[0].removeprefix(URI_PREFIX))
    except ValueError as error:
        raise ConfigError(f"the certificate's agency: {error}") from None


def describe(certificate: x509.Certificate) -> CertificateInfo:
    """The contents of a certificate.

    Raises:
        ConfigError: it does not name an agency.
    """
    return CertificateInfo(
        agency=agency_of(certificate),
        certificate_key=key_digest(certificate.public_key()),
        serial=certificate.serial_number,
        issuer=certificate.issuer.rfc4514_string(),
        hosts=_alternative_names(certificate)[1],
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )


def load_certificates(path: Path) -> list[x509.Certificate]:
    """The certificates in a PEM file, at least one.

    Raises:
        ConfigError: missing, unreadable, or not PEM certificates.
    """
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"certificate {path}: {error.strerror}", hint="See `blindmatch pki --help`."
        ) from None
    except ValueError:
        raise ConfigError(f"{path}: not a certificate in PEM") from None


def load_request(path: Path) -> x509.CertificateSigningRequest:
    """A certificate request in PEM.

    Raises:
        ConfigError: missing, unreadable, or not a request.
    """
    try:
        return x509.load_pem_x509_csr(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"request {path}: {error.strerror}") from None
    except ValueError:
        raise ConfigError(f"{path}: not a certificate request in PEM") from None


def subject_names(agency: str, hosts: Sequence[str]) -> x509.SubjectAlternativeName:
    """The names of a node's certificate: its URI, its DNS name, and the hosts it answers to.

    Raises:
        ConfigError: a host is neither an IP address nor a DNS name.
    """
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(URI_PREFIX + agency)]
    names += [_host_name(host) for host in dict.fromkeys([dns_name(agency), *hosts])]
    return x509.SubjectAlternativeName(names)


def make_request(keys: KeyRing, hosts: Sequence[str] = ()) -> bytes:
    """A certificate request (PKCS #10, PEM) for a node, signed with its TLS key.

    Raises:
        ConfigError: a host is neither an IP address nor a DNS name.
    """
    builder = x509.CertificateSigningRequestBuilder(subject_name=common_name(keys.agency)).add_extension(
        subject_names(keys.agency, hosts), critical=False
    )
    return builder.sign(keys.tls_key, SHA256()).public_bytes(serialization.Encoding.PEM)


def check_own(certificates: Sequence[x509.Certificate], keys: PublicKeys, *, now: float) -> CertificateInfo:
    """Check that a chain starts with this node's own certificate, within its validity period.

    Raises:
        ConfigError: it is for another key or agency, or outside its validity period.
    """
    info = describe(certificates[0])
    if info.certificate_key != keys.certificate_key:
        raise ConfigError(
            "the certificate is for another key than this node's",
            hint="Create a request with `blindmatch pki request` for this node, and have a certificate issued for that request.",
        )
    if info.agency != keys.agency:
        raise ConfigError(f"the certificate is for {info.agency}, this node is {keys.agency}")
    moment = datetime.fromtimestamp(now, UTC)
    if not info.not_before <= moment <= info.not_after:
        state = "has expired" if moment > info.not_after else "is not valid yet"
        raise ConfigError(
            f"the certificate {state} ({info.not_before:%Y-%m-%d} to {info.not_after:%Y-%m-%d})",
            hint="Issue a new certificate, install it with `blindmatch pki install`, and check the system clock.",
        )
    return info


def check_chain(certificates: Sequence[x509.Certificate], authorities: Sequence[x509.Certificate]) -> None:
    """Check the signatures from the first certificate, through any intermediate ones, up to a certificate authority.

    Raises:
        ConfigError: the chain does not end at one of `authorities`.
    """
    current = certificates[0]
    for _ in range(_LONGEST_CHAIN):
        if any(_issued_by(current, authority) for authority in authorities):
            return
        step = next((c for c in certificates[1:] if c != current and _issued_by(current, c)), None)
        if step is None:
            break
        current = step
    raise ConfigError(
        "the certificate was not issued by this certificate authority",
        hint="Use the certificate of the authority that issued it; append intermediate certificates to the node's file.",
    )


def check_revocation_list(content: bytes, authorities: Sequence[x509.Certificate]) -> frozenset[int]:
    """The serial numbers on a revocation list (PEM) that one of `authorities` signed.

    Raises:
        ConfigError: it is not a revocation list, or none of `authorities` signed it.
    """
    try:
        revoked = x509.load_pem_x509_crl(content)
    except ValueError:
        raise ConfigError("the file is not a revocation list in PEM") from None
    keys = [a.public_key() for a in authorities if a.subject == revoked.issuer]
    if not any(revoked.is_signature_valid(key) for key in keys):  # type: ignore[arg-type]  # any key an authority has
        raise ConfigError("the revocation list is not signed by this authority")
    return frozenset(entry.serial_number for entry in revoked)


def install(
    home: Path,
    settings: Settings,
    keys: PublicKeys,
    *,
    certificate: Path | None,
    authority: Path | None,
    revoked: Path | None,
    now: float,
) -> CertificateInfo:
    """Check these files against this node and each other, and copy them to the paths that `node.toml` names.

    A file that is not given stays as it is. The result is checked as a whole before anything is written.

    Raises:
        ConfigError: a file is missing or wrong, or the folder cannot be written.
    """
    targets = {
        settings.tls.certificate: certificate,
        settings.tls.authority: authority,
        settings.tls.revocation_list: revoked,
    }
    own = load_certificates(certificate or home / settings.tls.certificate)
    authorities = load_certificates(authority or home / settings.tls.authority)
    info = check_own(own, keys, now=now)
    check_chain(own, authorities)
    try:
        content = {
            home / target: source.read_bytes() for target, source in targets.items() if source is not None
        }
        if revoked is not None:
            check_revocation_list(content[home / settings.tls.revocation_list], authorities)
        for path, pem in content.items():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(path, pem, 0o644)
    except OSError as error:
        raise ConfigError(f"{error.filename}: {error.strerror}") from None
    return info


def _issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _alternative_names(
    certificate: x509.Certificate | x509.CertificateSigningRequest,
) -> tuple[list[str], tuple[str, ...]]:
    """The URIs, and the DNS names and IP addresses."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return [], ()
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    return (
        names.get_values_for_type(x509.UniformResourceIdentifier),
        (*names.get_values_for_type(x509.DNSName), *addresses),
    )


def _host_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    labels = host.split(".")
    if not all(
        0 < len(label) <= 63 and label.isascii() and label.replace("-", "").isalnum() for label in labels
    ):
        raise ConfigError(
            f"{host!r} is neither an IP address nor a host name", hint="Give it without a port."
        )
    return x509.DNSName(host)
