"""Requests, the pilots' authority, installation: certificates that TLS takes, and clear refusals of the others."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from blindmatch.node.pki import certificates
from blindmatch.node.pki.pilot_ca import Authority
from blindmatch.node.storage.config import Settings, make_settings
from blindmatch.node.storage.keyring import KeyRing
from blindmatch.protocol.errors import ConfigError, KeysError

NOW = datetime.now(UTC).timestamp()
DAY = 86_400


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "authority", "a passphrase", "Pilot authority", now=NOW, scrypt_n=2)


@pytest.fixture
def ring(tmp_path: Path) -> Callable[[str], KeyRing]:
    return lambda agency: KeyRing.create(tmp_path / f"{agency}.json", "a passphrase", agency, scrypt_n=2)


@pytest.fixture
def keys(ring: Callable[[str], KeyRing]) -> KeyRing:
    return ring("west-force")


def issue(authority: Authority, keys: KeyRing, **options: int) -> x509.Certificate:
    request = x509.load_pem_x509_csr(certificates.make_request(keys))
    return authority.issue(request, now=NOW, **options)


class TestIssued:
    def test_names_and_key(self, authority: Authority, keys: KeyRing) -> None:
        request = x509.load_pem_x509_csr(certificates.make_request(keys, ["asked.example"]))
        certificate = authority.issue(request, hosts=["node.example", "192.0.2.1", "2001:db8::1"], now=NOW)
        info = certificates.describe(certificate)
        assert info.agency == "west-force"
        assert info.certificate_key == keys.certificate_key
        # The request's own hosts are not taken over: the authority's operator says which ones are true.
        assert info.hosts == ("west-force.agency.blindmatch", "node.example", "192.0.2.1", "2001:db8::1")
        assert info.issuer == "CN=Pilot authority"

    def test_extensions(self, authority: Authority, keys: KeyRing) -> None:
        extensions = issue(authority, keys).extensions
        basic = extensions.get_extension_for_class(x509.BasicConstraints)
        usage = extensions.get_extension_for_class(x509.KeyUsage)
        assert (basic.critical, basic.value.ca) == (True, False)
        assert (usage.critical, usage.value.digital_signature, usage.value.key_cert_sign) == (
            True,
            True,
            False,
        )
        assert set(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == {
            ExtendedKeyUsageOID.SERVER_AUTH,
            ExtendedKeyUsageOID.CLIENT_AUTH,
        }
        issuer = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        named = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
        assert named.key_identifier == issuer.digest

    def test_the_authority_can_issue_and_nothing_else(self, authority: Authority) -> None:
        extensions = authority.certificate.extensions
        basic = extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        assert (basic.ca, basic.path_length) == (True, 0)
        assert (usage.key_cert_sign, usage.crl_sign, usage.digital_signature) == (True, True, False)

    def test_two_nodes_shake_hands_with_tls13(
        self, authority: Authority, ring: Callable[[str], KeyRing], tmp_path: Path
    ) -> None:
        def context(side: int, agency: str) -> ssl.SSLContext:
            keys = ring(agency)
            chain = tmp_path / f"{agency}.pem"
            chain.write_bytes(issue(authority, keys).public_bytes(Encoding.PEM) + keys.tls_key_pem())
            made = ssl.SSLContext(side)
            made.minimum_version = ssl.TLSVersion.TLSv1_3
            made.verify_mode = ssl.CERT_REQUIRED
            made.verify_flags |= ssl.VERIFY_X509_STRICT
            made.load_verify_locations(tmp_path / "authority" / "authority.pem")
            made.load_cert_chain(chain)
            return made

        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context(ssl.PROTOCOL_TLS_CLIENT, "west-force").wrap_bio(
            to_client, to_server, server_hostname="north-council.agency.blindmatch"
        )
        server = context(ssl.PROTOCOL_TLS_SERVER, "north-council").wrap_bio(
            to_server, to_client, server_side=True
        )
        for _ in range(4):
            for side in (client, server):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue
        seen = server.getpeercert(binary_form=True)
        assert seen is not None
        assert certificates.agency_of(x509.load_der_x509_certificate(seen)) == "west-force"
        assert client.version() == "TLSv1.3"

    def test_requests_that_are_refused(self, authority: Authority, keys: KeyRing) -> None:
        def request(uris: list[str], key: object) -> x509.CertificateSigningRequest:
            names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri) for uri in uris])
            subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
            builder = x509.CertificateSigningRequestBuilder(subject).add_extension(names, critical=False)
            return builder.sign(key, SHA256())

        ours = "urn:blindmatch:agency:"
        good = generate_private_key(SECP256R1())
        for uris in ([], ["https://west"], [ours + "west", ours + "north"], [ours + "West"], [ours]):
            with pytest.raises(ConfigError, match="certificate"):
                authority.issue(request(uris, good), now=NOW)
        with pytest.raises(ConfigError, match="P-256"):
            authority.issue(request([ours + "west"], rsa.generate_private_key(65_537, 2_048)), now=NOW)
        changed = bytearray(request([ours + "west"], good).public_bytes(Encoding.DER))
        changed[-1] ^= 1
        with pytest.raises((ConfigError, ValueError)):
            authority.issue(x509.load_der_x509_csr(bytes(changed)), now=NOW)
        assert authority.issued() == []

    @pytest.mark.parametrize("host", ["node:7443", "", "no de", "é.example", "x" * 64, "a..b"])
    def test_hosts_that_are_none(self, keys: KeyRing, host: str) -> None:
        with pytest.raises(ConfigError, match="host name"):
            certificates.make_request(keys, [host])


class TestAuthority:
    def test_opens_with_its_passphrase_only(
        self, authority: Authority, keys: KeyRing, tmp_path: Path
    ) -> None:
        opened = Authority.open(tmp_path / "authority", "a passphrase")
        certificates.check_chain([issue(opened, keys)], [authority.certificate])
        with pytest.raises(KeysError, match="passphrase"):
            Authority.open(tmp_path / "authority", "another")
        with pytest.raises(KeysError, match="missing"):
            Authority.open(tmp_path, "a passphrase")

    def test_is_never_overwritten(self, authority: Authority, tmp_path: Path) -> None:
        with pytest.raises(KeysError, match="already"):
            Authority.create(tmp_path / "authority", "another", "Other", now=NOW, scrypt_n=2)

    def test_a_certificate_of_another_key_is_noticed(self, authority: Authority, tmp_path: Path) -> None:
        Authority.create(tmp_path / "other", "a passphrase", "Other", now=NOW, scrypt_n=2)
        (tmp_path / "other" / "authority.pem").replace(tmp_path / "authority" / "authority.pem")
        with pytest.raises(KeysError, match="not the certificate"):
            Authority.open(tmp_path / "authority", "a passphrase")

    def test_the_key_is_in_no_file(self, authority: Authority, tmp_path: Path) -> None:
        number = f"{authority._key.private_numbers().private_value:064x}"
        files = [path.read_bytes() for path in (tmp_path / "authority").iterdir()]
        assert len(files) == 4
        assert not any(b"PRIVATE KEY" in content or number.encode() in content for content in files)

    def test_revocation(self, authority: Authority, ring: Callable[[str], KeyRing], tmp_path: Path) -> None:
        west, north, south = (issue(authority, ring(agency)) for agency in ("west", "north", "south"))
        path = tmp_path / "authority" / "revoked.pem"
        assert certificates.check_revocation_list(path.read_bytes(), [authority.certificate]) == frozenset()
        (revoked,) = authority.revoke("north", now=NOW)
        assert revoked.agency == "north"
        authority.revoke(f"{west.serial_number:X}", now=NOW + 1)
        listed = certificates.check_revocation_list(path.read_bytes(), [authority.certificate])
        assert listed == {north.serial_number, west.serial_number}
        assert [bool(entry.revoked_at) for entry in authority.issued()] == [True, True, False]
        for nothing in ("north", "nobody", ""):
            with pytest.raises(ConfigError, match="no valid certificate"):
                authority.revoke(nothing, now=NOW)
        assert south.serial_number not in listed

    def test_a_list_that_somebody_else_signed(self, authority: Authority, tmp_path: Path) -> None:
        # The same name, another key: the name proves nothing.
        other = Authority.create(tmp_path / "other", "a passphrase", "Pilot authority", now=NOW, scrypt_n=2)
        content = (tmp_path / "other" / "revoked.pem").read_bytes()
        assert certificates.check_revocation_list(content, [other.certificate]) == frozenset()
        with pytest.raises(ConfigError, match="not signed"):
            certificates.check_revocation_list(content, [authority.certificate])
        with pytest.raises(ConfigError, match="not a revocation list in PEM"):
            certificates.check_revocation_list(b"", [authority.certificate])


class TestInstall:
    @pytest.fixture
    def home(self, tmp_path: Path) -> Path:
        (tmp_path / "home").mkdir()
        return tmp_path / "home"

    @pytest.fixture
    def settings(self) -> Settings:
        return make_settings({"agency": "west-force", "name": "West Force", "role": "police"})

    @pytest.fixture
    def install(
        self, home: Path, settings: Settings, keys: KeyRing, authority: Authority, tmp_path: Path
    ) -> Callable[..., certificates.CertificateInfo]:
        def run(
            certificate: x509.Certificate, *, now: float = NOW, revoked: Path | None = None
        ) -> certificates.CertificateInfo:
            own = tmp_path / "own.pem"
            own.write_bytes(certificate.public_bytes(Encoding.PEM))
            return certificates.install(
                home,
                settings,
                keys.public,
                certificate=own,
                authority=authority.folder / "authority.pem",
                revoked=revoked,
                now=now,
            )

        return run

    def test_copies_all_three(
        self,
        install: Callable[..., certificates.CertificateInfo],
        authority: Authority,
        keys: KeyRing,
        home: Path,
    ) -> None:
        certificate = issue(authority, keys)
        info = install(certificate, revoked=authority.folder / "revoked.pem")
        assert info.serial == certificate.serial_number
        assert certificates.load_certificates(home / "tls" / "certificate.pem") == [certificate]
        assert certificates.load_certificates(home / "tls" / "authority.pem") == [authority.certificate]
        assert (home / "tls" / "revoked.pem").read_bytes() == (authority.folder / "revoked.pem").read_bytes()

    def test_a_renewed_certificate_alone(
        self,
        install: Callable[..., certificates.CertificateInfo],
        authority: Authority,
        keys: KeyRing,
        home: Path,
        settings: Settings,
        tmp_path: Path,
    ) -> None:
        install(issue(authority, keys))
        renewed = issue(authority, keys)
        (tmp_path / "renewed.pem").write_bytes(renewed.public_bytes(Encoding.PEM))
        certificates.install(
            home,
            settings,
            keys.public,
            certificate=tmp_path / "renewed.pem",
            authority=None,
            revoked=None,
            now=NOW,
        )
        assert certificates.load_certificates(home / "tls" / "certificate.pem") == [renewed]

    def test_refusals_write_nothing(
        self,
        install: Callable[..., certificates.CertificateInfo],
        authority: Authority,
        keys: KeyRing,
        ring: Callable[[str], KeyRing],
        home: Path,
        tmp_path: Path,
    ) -> None:
        other = Authority.create(tmp_path / "other", "a passphrase", "Pilot authority", now=NOW, scrypt_n=2)
        good = issue(authority, keys)
        for reason, certificate, options in (
            ("another key", issue(authority, ring("north-council")), {}),
            ("not issued by", issue(other, keys), {}),
            ("has expired", good, {"now": NOW + 366 * DAY}),
            ("not valid yet", good, {"now": NOW - DAY}),
            ("not signed", good, {"revoked": other.folder / "revoked.pem"}),
            ("No such file", good, {"revoked": tmp_path / "none"}),
            ("agencies", authority.certificate, {}),
        ):
            with pytest.raises(ConfigError, match=reason):
                install(certificate, **options)
        assert list(home.iterdir()) == []


def test_a_chain_over_an_intermediate_authority(authority: Authority, keys: KeyRing) -> None:
    root_key = generate_private_key(SECP256R1())
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Root")])
    moment = datetime.now(UTC)

    def by_root(subject: x509.Name, key: object) -> x509.Certificate:
        builder = x509.CertificateBuilder(
            root_name, subject, key, x509.random_serial_number(), moment, moment.replace(year=moment.year + 1)
        )
        return builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(
            root_key, SHA256()
        )

    root = by_root(root_name, root_key.public_key())
    intermediate = by_root(authority.certificate.subject, authority.certificate.public_key())
    own = issue(authority, keys)
    certificates.check_chain([own, intermediate], [root])
    for chain in ([own], [intermediate, own]):
        if chain[0] is own:
            with pytest.raises(ConfigError, match="not issued"):
                certificates.check_chain(chain, [root])


def test_files_that_hold_no_certificate(tmp_path: Path) -> None:
    (tmp_path / "text.pem").write_text("not a certificate")
    for load in (certificates.load_certificates, certificates.load_request):
        for name in ("text.pem", "none.pem"):
            with pytest.raises(ConfigError):
                load(tmp_path / name)
