"""Operations on the node: create, open, status, public entry, peers."""

import json
from dataclasses import replace

import pytest
from tests.support.cheap_keys import use_cheap_keys

from blindmatch.node.operations import audit, nodes
from blindmatch.node.storage.config import load_settings, make_settings
from blindmatch.protocol.errors import ConfigError, KeysError

WEST = "west-force"
PASSPHRASE = "correct horse battery"


def refuse():
    raise AssertionError("a passphrase was asked for")


@pytest.fixture
def home(tmp_path, monkeypatch):
    use_cheap_keys(monkeypatch)
    settings = make_settings({"agency": WEST, "name": "West", "role": "police", "contact": "x@west"})
    keys = nodes.create(tmp_path / "west", settings, lambda: PASSPHRASE)
    assert keys.agency == WEST
    return tmp_path / "west"


def test_a_new_node_is_opened_with_its_passphrase(home, tmp_path):
    with nodes.open_node(home, lambda: PASSPHRASE, record_wire=tmp_path / "wire") as node:
        assert node.wire.folder == tmp_path / "wire"
        (entry,) = audit.entries(node)
        assert (entry.event, entry.data()["detail"]) == ("alteration", {"action": "init"})
    with nodes.open_node(home, lambda: PASSPHRASE) as node:
        assert node.wire is None
    with pytest.raises(KeysError):
        nodes.open_node(home, lambda: "another one")


def test_a_wrong_folder_is_reported_before_the_passphrase_is_asked_for(home, tmp_path):
    with pytest.raises(ConfigError, match="there is no node"):
        nodes.open_node(tmp_path / "none", refuse)
    with pytest.raises(KeysError, match="node already"):
        nodes.create(home, load_settings(home / "node.toml"), refuse)


def test_the_public_entry_needs_no_passphrase(home):
    card = nodes.card(home)
    assert (card.agency, card.name, card.role, card.contact) == (WEST, "West", "police", "x@west")
    assert list(card.data()) == [
        "agency", "name", "role", "identity_key", "certificate_key", "legal_basis", "contact"
    ]  # fmt: skip


def test_a_peer_is_added_once(home):
    nodes.add_peer(home, "north-council", "192.0.2.1:7443")
    with nodes.open_node(home, lambda: PASSPHRASE) as node:
        assert nodes.status(node).peers == {"north-council": "192.0.2.1:7443"}
    with pytest.raises(ConfigError, match="has an entry already"):
        nodes.add_peer(home, "north-council", "192.0.2.2:7443")


def test_the_status_of_a_node_that_works_and_of_one_that_does_not(town, home):
    status = nodes.status(town.nodes[WEST])
    assert (status.healthy, status.problem, status.collections, status.days_left) == (True, "", 1, 29)
    data = status.data()
    assert data["certificate"] == {
        "serial": f"{status.certificate.serial:x}",
        "not_after": status.certificate.not_after.isoformat(),
        "days_left": 29,
    }
    assert replace(status, certificate=None).data()["certificate"] is None
    json.dumps(data)
    with nodes.open_node(home, lambda: PASSPHRASE) as node:
        broken = nodes.status(node)
    assert (broken.healthy, broken.certificate) == (False, None)
    assert "certificate.pem" in broken.problem
