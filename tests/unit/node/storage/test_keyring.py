"""`keys.json`: opens with its passphrase and no other, shows nothing, and notices every change."""

import io
import json
import os
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from blindmatch.node.storage import passphrase as passphrases
from blindmatch.node.storage import passphrase_encryption
from blindmatch.node.storage.keyring import KeyRing, PublicKeys, change_passphrase
from blindmatch.node.storage.passphrase import read_passphrase
from blindmatch.protocol.errors import KeysError
from blindmatch.protocol.transcript import sign, verify

PASSPHRASE = "correct horse battery"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def ring(path: Path) -> KeyRing:
    return KeyRing.create(path, PASSPHRASE, "west-force", scrypt_n=2)


def test_what_was_made_opens_as_it_was(ring: KeyRing, path: Path) -> None:
    opened = KeyRing.open(path, PASSPHRASE)
    assert opened.public == ring.public == PublicKeys.read(path)
    assert opened.tls_key_pem() == ring.tls_key_pem()
    assert opened.sealer.open(ring.sealer.seal(b"leads", "here"), "here") == b"leads"
    signed = sign(opened.identity, "type", b"payload")
    verify(ring.identity_public, "type", b"payload", signed.signature)


def test_the_tls_key_is_p256(ring: KeyRing) -> None:
    key = serialization.load_pem_private_key(ring.tls_key_pem(), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    assert key.curve.name == "secp256r1"
    assert len(ring.certificate_key) == len(ring.identity_public) == 32


def test_wrong_passphrase(ring: KeyRing, path: Path) -> None:
    with pytest.raises(KeysError, match="passphrase is wrong") as caught:
        KeyRing.open(path, PASSPHRASE + " ")
    assert caught.value.hint
    assert PASSPHRASE not in str(caught.value)


def test_nothing_secret_is_in_the_file_or_in_a_repr(ring: KeyRing, path: Path) -> None:
    content = path.read_text()
    identity = ring.identity._key.private_bytes_raw()
    number = ring.tls_key.private_numbers().private_value.to_bytes(32, "big")
    for secret in (identity, number, ring.sealer._key):
        assert secret.hex() not in content
        assert secret.hex() not in repr(ring) + repr(ring.identity) + repr(ring.sealer) + repr(vars(ring))
    assert PASSPHRASE not in content


def test_the_file_is_its_owners_only(ring: KeyRing, path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["keys.json"]


def test_the_default_cost_is_the_full_one(path: Path) -> None:
    KeyRing.create(path, PASSPHRASE, "west-force")
    master = json.loads(path.read_text())["master"]
    assert (master["kdf"], master["n"], master["r"], master["p"]) == ("scrypt", 2**15, 8, 1)


def test_keys_are_never_overwritten(ring: KeyRing, path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(KeysError, match="exists already"):
        KeyRing.create(path, PASSPHRASE, "west-force", scrypt_n=2)
    assert path.read_bytes() == before


def test_two_nodes_share_nothing(ring: KeyRing, tmp_path: Path) -> None:
    other = KeyRing.create(tmp_path / "other.json", PASSPHRASE, "west-force", scrypt_n=2)
    assert other.identity_public != ring.identity_public
    assert other.certificate_key != ring.certificate_key
    with pytest.raises(KeysError):
        other.sealer.open(ring.sealer.seal(b"", ""), "")


@pytest.mark.parametrize("field", ["identity_public", "certificate_key", "identity", "tls"])
def test_every_changed_field_is_noticed(ring: KeyRing, path: Path, field: str) -> None:
    content = json.loads(path.read_text())
    last = content[field][-1]
    content[field] = content[field][:-1] + ("0" if last != "0" else "1")
    path.write_text(json.dumps(content))
    with pytest.raises(KeysError):
        KeyRing.open(path, PASSPHRASE)


def test_another_agencys_file_does_not_open_under_a_new_name(ring: KeyRing, path: Path) -> None:
    path.write_text(path.read_text().replace("west-force", "east-force"))
    with pytest.raises(KeysError):
        KeyRing.open(path, PASSPHRASE)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"format": 2}', '{"format": 1}', '{"format": 1, "agency": 3}']
)
def test_damaged_files(path: Path, content: str) -> None:
    path.write_text(content)
    for opening in (lambda: PublicKeys.read(path), lambda: KeyRing.open(path, PASSPHRASE)):
        with pytest.raises(KeysError):
            opening()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n", 2**30),
        ("n", 3),
        ("n", 0),
        ("n", "2"),
        ("r", 9),
        ("p", 2),
        ("kdf", "none"),
        ("salt", "zz"),
        ("sealed", None),
    ],
)
def test_parameters_are_bounded_before_they_are_used(
    ring: KeyRing, path: Path, name: str, value: object
) -> None:
    content = json.loads(path.read_text())
    content["master"][name] = value
    path.write_text(json.dumps(content))
    with pytest.raises(KeysError):
        KeyRing.open(path, PASSPHRASE)


def test_a_missing_file(path: Path) -> None:
    with pytest.raises(KeysError, match="missing") as caught:
        KeyRing.open(path, PASSPHRASE)
    assert "node init" in caught.value.hint


@pytest.mark.parametrize(("passphrase", "agency"), [("", "west-force"), (PASSPHRASE, "West Force")])
def test_refused_to_make(path: Path, passphrase: str, agency: str) -> None:
    with pytest.raises(KeysError):
        KeyRing.create(path, passphrase, agency, scrypt_n=2)
    assert not path.exists()


def test_changing_the_passphrase_changes_nothing_else(ring: KeyRing, path: Path) -> None:
    sealed = ring.sealer.seal(b"leads", "here")
    with pytest.raises(KeysError):
        change_passphrase(path, "wrong", "another one", scrypt_n=2)
    change_passphrase(path, PASSPHRASE, "another one", scrypt_n=2)
    with pytest.raises(KeysError):
        KeyRing.open(path, PASSPHRASE)
    opened = KeyRing.open(path, "another one")
    assert opened.public == ring.public
    assert opened.sealer.open(sealed, "here") == b"leads"


def test_accents_open_however_they_were_typed() -> None:
    wrapped = passphrase_encryption.encrypt(b"secret", "caf\u00e9", "here", scrypt_n=2)
    assert passphrase_encryption.decrypt(wrapped, "cafe\u0301", "here") == b"secret"
    with pytest.raises(KeysError):
        passphrase_encryption.decrypt(wrapped, "caf\u00e9", "there")


class TestPassphrase:
    def test_the_file_comes_first(self, tmp_path: Path) -> None:
        file = tmp_path / "passphrase"
        file.write_text("from the file\nsecond line\n")
        environment = {"BLINDMATCH_PASSPHRASE": "from the environment"}
        assert read_passphrase(file, environment=environment) == "from the file"
        assert read_passphrase(None, environment=environment) == "from the environment"
        environment["BLINDMATCH_PASSPHRASE_FILE"] = str(file)
        assert read_passphrase(None, environment=environment) == "from the file"

    def test_a_file_that_cannot_be_read(self, tmp_path: Path) -> None:
        (tmp_path / "binary").write_bytes(b"\xff\xfe")
        (tmp_path / "empty").write_bytes(b"")
        for name in ("none", "binary", "empty"):
            with pytest.raises(KeysError):
                read_passphrase(tmp_path / name, environment={})

    def test_a_new_one_is_not_short(self) -> None:
        environment = {"BLINDMATCH_PASSPHRASE": "short"}
        assert read_passphrase(environment=environment) == "short"
        with pytest.raises(KeysError, match="at least 8"):
            read_passphrase(new=True, environment=environment)

    def test_no_terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        with pytest.raises(KeysError, match="no terminal") as caught:
            read_passphrase(environment={})
        assert "--passphrase-file" in caught.value.hint

    def test_the_prompt_asks_twice_for_a_new_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        master, terminal = os.openpty()
        typed = iter(["long enough", "long enough", "long enough", "something else"])
        with os.fdopen(master), os.fdopen(terminal) as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            monkeypatch.setattr(passphrases, "getpass", lambda _prompt: next(typed))
            assert read_passphrase(new=True, environment={}) == "long enough"
            with pytest.raises(KeysError, match="differ"):
                read_passphrase(new=True, environment={})
