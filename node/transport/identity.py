"""The caller of a method: the agency in the client certificate, never a name in a message."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cryptography import x509

from blindmatch.node.pki.certificates import CertificateInfo
from blindmatch.node.pki.tls import check_certificate, read_certificate
from blindmatch.protocol.errors import PeerCode, PeerError


@dataclass(frozen=True)
class Caller:
    """An agency whose certificate TLS has verified."""

    agency: str
    certificate_key: bytes
    """SHA-256 of the certificate's SubjectPublicKeyInfo, 32 bytes, as an agreement states it."""


def caller(context: Any, *, revoked: frozenset[int], now: float) -> Caller:
    """The agency that made a call.

    Args:
        context: gRPC's servicer context.
        revoked: serial numbers on the revocation list.
        now: seconds since 1970.

    Raises:
        PeerError: WRONG_CERTIFICATE, when there is no certificate, or it names no agency, is revoked or is not within its validity period.
    """
    certificates = list(context.auth_context().get("x509_pem_cert", ()))
    if len(certificates) != 1:
        raise PeerError(PeerCode.WRONG_CERTIFICATE, "the caller showed no certificate")
    certificate = _read(bytes(certificates[0]))
    check_certificate(certificate, revoked=revoked, now=now)
    return Caller(certificate.agency, certificate.certificate_key)


@lru_cache(maxsize=1_024)
def _read(pem: bytes) -> CertificateInfo:
    return read_certificate(x509.load_pem_x509_certificate(pem))
