"""Operations on the audit log, the keys and the passphrase."""

import json

import pytest
from tests.support.local_nodes import PASSPHRASE

from blindmatch.node.node import Node
from blindmatch.node.operations import audit, keys
from blindmatch.node.storage.audit_events import AuditEvent
from blindmatch.protocol.errors import KeysError, StoreError

WEST = "west-force"


@pytest.fixture
def west(town):
    """The police node; its log has entries of several events."""
    return town.nodes[WEST]


def test_entries_are_the_latest_and_can_be_of_one_event(west):
    everything = audit.entries(west)
    assert [entry.seq for entry in everything] == list(range(1, len(everything) + 1))
    assert audit.entries(west, last=1) == everything[-1:]
    (imported,) = audit.entries(west, event=AuditEvent.COLLECTION)
    assert imported.subject == "collection groups"
    assert imported.data()["detail"]["records"] == 12


def test_an_export_is_its_own_last_entry(west, entries, tmp_path):
    exported = audit.export(west, out=tmp_path / "log.jsonl", head=tmp_path / "head", justification="review")
    assert entries(WEST) == [("disclosure", "audit log", "log.jsonl", "review", {"action": "export"})]
    lines = (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [entry.data() for entry in exported]
    assert exported[-1].subject == "audit log"
    assert audit.lines(audit.export(west)).count("\n") == len(exported) + 1
    assert entries(WEST)[-1][2] == "stdout"
    assert audit.verify(west, heads=[tmp_path / "head"]).data() == {
        "agency": WEST,
        "entries": len(exported) + 1,
        "intact": True,
        "problems": [],
    }


def test_verifying_reports_problems_and_raises_for_a_missing_head(west, tmp_path):
    with pytest.raises(StoreError, match="no such head"):
        audit.verify(west, heads=[tmp_path / "none"])
    (west.home / "audit.head").unlink()
    result = audit.verify(west)
    assert not result.intact
    (problem,) = result.problems
    assert "audit.head is missing" in problem.reason


def test_public_keys_need_no_passphrase(west):
    public = keys.public_keys(west.home)
    assert (public.agency, public.identity_key) == (WEST, west.keys.identity_public)
    assert public.data()["certificate_key"] == west.keys.certificate_key.hex()
    with pytest.raises(KeysError):
        keys.public_keys(west.home / "tls")


def test_a_new_passphrase_opens_the_node_and_is_an_alteration(west, entries):
    keys.change_passphrase(west, PASSPHRASE, "another one")
    assert entries(WEST) == [("alteration", "keys", "", "", {"action": "passphrase"})]
    with Node.open(west.home, "another one") as node:
        assert node.agency == WEST
    with pytest.raises(KeysError):
        keys.change_passphrase(west, PASSPHRASE, "a third one")
    assert len(entries(WEST)) == 1
