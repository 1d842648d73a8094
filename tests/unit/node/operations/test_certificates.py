"""Operations on certificates: from a pilot's authority to an installed and a revoked certificate."""

import json

import pytest
from tests.support.cheap_keys import use_cheap_keys
from tests.support.local_nodes import PASSPHRASE

from blindmatch.node.operations import certificates
from blindmatch.node.operations.keys import public_keys
from blindmatch.protocol.errors import ConfigError, KeysError

WEST = "west-force"
CA_PASSPHRASE = "the authority's own"


def refuse():
    raise AssertionError("a passphrase was asked for")


@pytest.fixture
def authority(tmp_path, monkeypatch):
    use_cheap_keys(monkeypatch)
    certificates.create_authority(tmp_path / "ca", "Pilot", lambda: CA_PASSPHRASE)
    return tmp_path / "ca"


@pytest.fixture
def request_file(town, tmp_path):
    home = town.nodes[WEST].home
    keys = certificates.request(home, tmp_path / "west.csr", lambda: PASSPHRASE, hosts=["192.0.2.1"])
    assert keys == public_keys(home)
    return tmp_path / "west.csr"


def test_a_certificate_is_issued_installed_and_revoked(town, authority, request_file, tmp_path):
    home, out = town.nodes[WEST].home, tmp_path / "west.pem"
    info = certificates.issue(authority, request_file, out, lambda: CA_PASSPHRASE, agency=WEST)
    assert certificates.read(out) == info
    assert list(info.data()) == [
        "agency", "certificate_key", "serial", "issuer", "hosts", "valid_from", "valid_until"
    ]  # fmt: skip
    installed = certificates.install(home, certificate=out, authority=authority / "authority.pem")
    assert installed == info
    (revoked,) = certificates.revoke(authority, WEST, lambda: CA_PASSPHRASE)
    assert revoked.serial == info.data()["serial"]
    (listed,) = certificates.issued(authority, lambda: CA_PASSPHRASE)
    assert listed.data() == {**revoked.data(), "revoked_at": listed.revoked_at}
    json.dumps(listed.data())
    certificates.install(home, revoked=authority / "revoked.pem")
    assert (home / "tls" / "revoked.pem").exists()


def test_what_needs_no_passphrase_is_checked_first(town, authority, request_file, tmp_path):
    with pytest.raises(KeysError, match="already"):
        certificates.create_authority(authority, "Again", refuse)
    with pytest.raises(ConfigError, match=f"the request is for {WEST}"):
        certificates.issue(authority, request_file, tmp_path / "x.pem", refuse, agency="north-council")
    assert not (tmp_path / "x.pem").exists()
    with pytest.raises(ConfigError, match="there is no node"):
        certificates.request(tmp_path, tmp_path / "x.csr", refuse)
