"""Mutual TLS 1.3: credentials for gRPC, and a plain handshake that reports why a connection fails.

gRPC's Python API cannot set a lowest TLS version. Its TLS library reads the cipher suites of TLS 1.2 and below from the
environment; those of TLS 1.3 cannot be changed. A list with only a pre-shared-key suite, which a server
with certificates cannot use, leaves TLS 1.3 as the only version (docs/adr/0006-tls13-only.md). gRPC reads the variable
when it is imported, so this module sets it first; a server verifies the effect with `accepts_tls12`.
"""

import os

CIPHERS_BELOW_TLS13 = "ECDHE-PSK-CHACHA20-POLY1305"
os.environ["GRPC_SSL_CIPHER_SUITES"] = CIPHERS_BELOW_TLS13
os.environ.setdefault(
    "GRPC_VERBOSITY", "ERROR"
)  # an operator need not read about every failed handshake of a stranger

import socket  # noqa: E402 - after the environment, like all that may import gRPC
import ssl  # noqa: E402
from collections.abc import Iterator, Sequence  # noqa: E402
from contextlib import contextmanager, suppress  # noqa: E402
from dataclasses import dataclass, field  # noqa: E402
from pathlib import Path  # noqa: E402

import grpc  # noqa: E402
from cryptography import x509  # noqa: E402

from blindmatch.node.pki import certificates  # noqa: E402
from blindmatch.node.pki.certificates import CertificateInfo  # noqa: E402
from blindmatch.node.storage.config import Settings, split_address  # noqa: E402
from blindmatch.node.storage.keyring import KeyRing  # noqa: E402
from blindmatch.protocol.errors import ConfigError, PeerCode, PeerError  # noqa: E402

_HANDSHAKE_RECORD = 22
_REASONS = {
    9: "is not valid yet",
    10: "has expired",
    18: "is self-signed",
    19: "was issued by a certificate authority that this node does not trust",
    20: "was issued by a certificate authority that this node does not trust",
    21: "was issued by a certificate authority that this node does not trust",
    62: "is for another agency",
}
"""Reasons for OpenSSL's X509_V_ERR_* codes."""


@dataclass(frozen=True)
class Credentials:
    """A node's certificate and key, and the authorities it trusts. The key is never written unencrypted."""

    certificate: bytes
    """PEM, the node's own certificate and any intermediate ones."""
    authority: bytes
    """PEM, the certificate authorities that this node trusts."""
    key: bytes = field(repr=False)
    """PEM, the private key of `certificate`."""
    revoked: frozenset[int] = frozenset()
    """Serial numbers on the revocation list."""


def read_certificate(certificate: x509.Certificate) -> CertificateInfo:
    """The contents of a peer's certificate, once TLS has verified its chain.

    Raises:
        PeerError: WRONG_CERTIFICATE, when it does not name exactly one agency.
    """
    try:
        return certificates.describe(certificate)
    except ConfigError as error:
        raise PeerError(PeerCode.WRONG_CERTIFICATE, error.message, hint=error.hint) from None


def check_certificate(certificate: CertificateInfo, *, revoked: frozenset[int], now: float) -> None:
    """Check validity period and revocation. A connection can outlast both, so this runs for every call.

    Raises:
        PeerError: WRONG_CERTIFICATE.
    """
    if certificate.serial in revoked:
        raise PeerError(
            PeerCode.WRONG_CERTIFICATE,
            f"the certificate of {certificate.agency} has been revoked",
            hint="That agency must install a new certificate.",
        )
    if not certificate.not_before.timestamp() <= now <= certificate.not_after.timestamp():
        raise PeerError(
            PeerCode.WRONG_CERTIFICATE,
            f"the certificate of {certificate.agency} is not within its validity period",
            hint="That agency must install a new certificate; also check the clocks of both machines.",
        )


def load(home: Path, settings: Settings, keys: KeyRing, *, now: float) -> Credentials:
    """The node's own credentials, from the files that `node.toml` names and the key in memory.

    Raises:
        ConfigError: a file is missing or invalid, or the certificate is not this node's or not within its validity period.
    """
    chain, authority = home / settings.tls.certificate, home / settings.tls.authority
    own, authorities = certificates.load_certificates(chain), certificates.load_certificates(authority)
    certificates.check_own(own, keys.public, now=now)
    certificates.check_chain(own, authorities)
    revoked = revoked_serials(home / settings.tls.revocation_list, authorities)
    return Credentials(chain.read_bytes(), authority.read_bytes(), keys.tls_key_pem(), revoked)


def revoked_serials(path: Path, authorities: Sequence[x509.Certificate]) -> frozenset[int]:
    """Serial numbers on a revocation list; none when there is no such file.

    Raises:
        ConfigError: it cannot be read, or no trusted certificate authority signed it.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    return certificates.check_revocation_list(content, authorities)


def server_credentials(credentials: Credentials) -> grpc.ServerCredentials:
    """For a server that refuses every client without a certificate from a trusted authority."""
    return grpc.ssl_server_credentials(
        [(credentials.key, credentials.certificate)], credentials.authority, require_client_auth=True
    )


def channel_credentials(credentials: Credentials) -> grpc.ChannelCredentials:
    """For a client that presents its own certificate."""
    return grpc.ssl_channel_credentials(credentials.authority, credentials.key, credentials.certificate)


def accepts_tls12(host: str, port: int, *, timeout: float = 5.0) -> bool:
    """Whether a server accepts a TLS 1.2 hello.

    Only the first message is exchanged, so no certificate is needed.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # only the version matters here
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    conversation = context.wrap_bio(incoming, outgoing)
    with suppress(ssl.SSLWantReadError):
        conversation.do_handshake()
    with socket.create_connection((host, port), timeout=timeout) as connection:
        connection.sendall(outgoing.read())
        try:
            answer = connection.recv(1)
        except ConnectionError:
            return False
    return answer[:1] == bytes([_HANDSHAKE_RECORD])


def handshake(address: str, name: str, credentials: Credentials, *, timeout: float = 5.0) -> CertificateInfo:
    """Perform a TLS handshake as a client, and return the server's certificate.

    gRPC reports every TLS failure as "unavailable"; this function reports the actual reason.

    Raises:
        PeerError: UNAVAILABLE when no server answers; WRONG_CERTIFICATE for the server's certificate or ours.
    """
    host, port = split_address(address)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=credentials.authority.decode("ascii"))
    context.set_alpn_protocols(["h2"])
    with _chain_file(credentials) as path:
        if path is not None:
            context.load_cert_chain(path)
    try:
        with (
            socket.create_connection((host, port), timeout=timeout) as plain,
            context.wrap_socket(plain, server_hostname=name) as connection,
        ):
            der = connection.getpeercert(binary_form=True)
            # In TLS 1.3 a server checks our certificate after the client has finished. gRPC's server sends
            # first (its settings), so a first byte means that our certificate was accepted.
            admitted = path is None or bool(connection.recv(1))
    except ssl.SSLCertVerificationError as error:
        reason = _REASONS.get(error.verify_code, f"does not verify (code {error.verify_code})")
        raise PeerError(
            PeerCode.WRONG_CERTIFICATE,
            f"the certificate of the node at {address} {reason}",
            hint=f"It must be issued by a certificate authority that this node trusts, be within its validity period, and name {name}.",
        ) from None
    except (ssl.SSLError, ConnectionResetError, BrokenPipeError):
        admitted, der = False, None
    except OSError as error:
        raise PeerError(
            PeerCode.UNAVAILABLE,
            f"no node answers at {address}: {error.strerror or type(error).__name__}",
            hint="Is the other node serving? Check the address under `peers` in node.toml.",
        ) from None
    if not admitted or der is None:
        raise PeerError(
            PeerCode.WRONG_CERTIFICATE,
            f"the node at {address} closed the connection after receiving our certificate",
            hint="Our certificate may have expired, or the other node may not trust the authority that issued it, "
            "or it may not support TLS 1.3.",
        )
    return read_certificate(x509.load_der_x509_certificate(der))


@contextmanager
def _chain_file(credentials: Credentials) -> Iterator[str | None]:
    """A path to an in-memory file with certificate and key, since `ssl` accepts only paths.

    None where the system has no such files; then a refusal of our own certificate cannot be explained.
    """
    if not hasattr(os, "memfd_create"):
        yield None
        return
    descriptor = os.memfd_create("blindmatch", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, credentials.certificate + b"\n" + credentials.key)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
