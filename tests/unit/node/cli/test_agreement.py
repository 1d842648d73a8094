"""`blindmatch agreement` on two real data folders, without a network: files go back and forth."""

import json

import pytest
from tests.support.offices import Office, office, terms

from blindmatch.node.agreements import registry
from blindmatch.node.imports import import_collection
from blindmatch.node.storage.audit_log import read_head, verify_log


@pytest.mark.parametrize(
    "words",
    [
        ("draft",),
        ("draft", "x.toml", "--receiver", "a"),
        ("draft", "--receiver", "west-force"),
        ("draft", "x.toml", "--import", "y"),
        ("draft", "--receiver", "a", "--sender", "b", "--disclosure", "everything"),
        ("sign",),
        ("sign", "abcd", "--collection", "edge"),
        ("sign", "abcd", "--collection", "=name"),
    ],
)
def test_wrong_words(west, words):
    west.run(*words, status=2)


def test_from_a_draft_to_signatures_of_both(west, east, agreed, tmp_path):
    assert west.json("verify", agreed, status=1)["signatures"] == {
        "west-force": "missing",
        "east-council": "missing",
    }
    signed = east.json("sign", agreed[:8], "--yes", "--offline")
    assert signed["state"] == "waits for west-force"
    file = tmp_path / "signed.json"
    east.run("show", agreed, "--export", file)
    assert west.json("draft", "--import", file)["missing"] == ["west-force"]
    assert west.json("sign", agreed, "--yes", "--offline")["state"] == "in force"
    west.run("show", agreed, "--export", file)
    assert west.json("verify", agreed)["complete"] is True
    assert west.json("verify", file)["complete"] is True
    assert west.json("list")[0]["state"] == "in force"
    assert west.json("show", agreed)["why_no_round"] is None
    # The other side has not seen west's signature yet, and says so.
    assert east.json("show", agreed)["why_no_round"].startswith("not every party has signed")


def test_a_file_is_verified_without_a_node(west, agreed, tmp_path):
    file = tmp_path / "file.json"
    west.run("sign", agreed, "--yes", "--offline")
    west.run("show", agreed, "--export", file)
    nobody = Office(tmp_path / "nobody", "nobody")
    verdict = nobody.json("verify", file, status=1)
    assert verdict["signatures"] == {"west-force": "valid", "east-council": "missing"}


def test_an_altered_file_is_found(west, east, agreed, tmp_path):
    file = tmp_path / "file.json"
    west.run("sign", agreed, "--yes", "--offline")
    west.run("show", agreed, "--export", file)
    content = json.loads(file.read_text())
    good = content["signatures"][0]["sig"]
    content["signatures"][0]["sig"] = ("A" if good[0] != "A" else "B") + good[1:]
    file.write_text(json.dumps(content))
    assert "INVALID" in west.json("verify", file, status=1)["signatures"]["west-force"]
    assert "does not verify" in east.run("draft", "--import", file, status=1).output
    assert east.json("show", agreed)["missing"] == ["west-force", "east-council"]


@pytest.mark.parametrize(
    "content", ["", "{}", "[1]", '{"payloadType": 1, "payload": 2, "signatures": 3}', "\x00"]
)
def test_a_file_that_is_no_agreement(west, tmp_path, content):
    file = tmp_path / "file.json"
    file.write_text(content)
    assert "not an agreement" in west.run("draft", "--import", file, status=1).output
    assert "not an agreement" in west.run("verify", file, status=1).output


def test_declining_signs_nothing(west, agreed):
    result = west.run("sign", agreed, "--offline", answer="n\n", status=1)
    assert "west-force learns which" in result.stdout  # what would have been signed was shown
    assert west.json("show", agreed)["parties"][0]["signed"] is False
    west.run("sign", agreed, "--offline", answer="y\n")
    assert west.json("show", agreed)["parties"][0]["signed"] is True


def test_signing_takes_the_only_collection(west, agreed):
    west.collection("people")
    west.run("sign", agreed, "--yes", "--offline")
    edge = west.json("show", agreed)["edges"][0]
    assert edge["collection"] == {"name": "people", "records": 2, "bound": True, "facts_missing": []}


def test_a_fact_that_the_senders_collection_lacks_is_said(west, east, tmp_path):
    edges = """
        [[edges]]
        disclosure = "hits+facts"
        facts = ["contract_value_gbp", "contract_volume"]
        fact_bytes = 64
        receiver = { agency = "west-force", kind = "subjects", max_records = 100, tokens_per_record = 8 }
        sender = { agency = "east-council", kind = "bidders", max_records = 100, tokens_per_record = 8 }
    """
    path, file = tmp_path / "draft.toml", tmp_path / "proposal.json"
    path.write_text(terms(west.entry(), east.entry(), edges=edges))
    made = west.json("draft", path, "--offline")
    west.run("show", made["id"], "--export", file)
    east.run("draft", "--import", file)
    bidders = tmp_path / "bidders.csv"
    bidders.write_text("reference,surname,forenames,dob,Contract Value (GBP)\nB1,Lee,Ann,1970-01-02,9\n")
    with east.open() as node:
        report = import_collection(node, "bidders", "bidders", bidders, facts=["Contract Value (GBP)"])
    assert report.facts["contract_value_gbp"] == "Contract Value (GBP)"
    assert east.json("show", made["id"])["edges"][0]["collection"]["facts_missing"] == ["contract_volume"]
    assert "WARNING  bidders has no fact contract_volume;" in east.run("show", made["id"]).stdout


def test_with_two_collections_one_is_named(west, agreed):
    west.collection("people")
    west.collection("more-people")
    result = west.run("sign", agreed, "--yes", "--offline")
    assert "west-force-from-east-council has no collection yet" in result.stderr
    assert "--collection west-force-from-east-council=NAME" in result.stderr
    west.run("sign", agreed, "--yes", "--offline", "--collection", "west-force-from-east-council=more-people")
    assert west.json("show", agreed)["edges"][0]["collection"]["name"] == "more-people"


@pytest.mark.parametrize(
    ("collection", "reason"),
    [
        ({"name": "people", "kind": "bidders"}, "edges[0].receiver.collection_kind"),
        ({"name": "people", "marking": "SECRET"}, "above the agreement's OFFICIAL-SENSITIVE"),
    ],
)
def test_a_collection_that_does_not_fit(west, agreed, collection, reason):
    west.collection(**collection)
    words = ("sign", agreed, "--yes", "--offline", "--collection", "west-force-from-east-council=people")
    assert reason in west.run(*words, status=1).output
    assert west.json("show", agreed)["parties"][0]["signed"] is False


@pytest.mark.parametrize(
    ("binding", "reason"),
    [
        ("west-force-from-east-council=none", "none"),
        ("another=people", "there is no edge another"),
    ],
)
def test_a_binding_that_means_nothing(west, agreed, binding, reason):
    west.collection("people")
    assert reason in west.run("sign", agreed, "--yes", "--offline", "--collection", binding, status=1).output


def test_too_many_records_for_the_edge(west, east, draft):
    draft.write_text(
        terms(west.entry(), east.entry())
        .replace("max_records = 100", "max_records = 1")
        .replace('["P"]', '["P", "C"]')
    )
    made = west.json("draft", draft, "--offline")
    west.collection("people")
    result = west.run("sign", made["id"], "--yes", "--offline")
    assert (
        "edges[0].receiver.max_records: is 1, but 2 records of collection people would enter" in result.stderr
    )


def test_withdrawal(west, east, agreed):
    for each in (west, east):
        each.run("sign", agreed, "--yes", "--offline")
    west.run("withdraw", agreed, "--offline", answer="n\n", status=1)
    data = west.json("withdraw", agreed, "--reason", "The pilot has ended.", "--yes", "--offline")
    assert data["state"] == "withdrawn by west-force"
    assert "The pilot has ended." in west.run("show", agreed).stdout
    assert "withdrawn by west-force" in west.run("sign", agreed, "--yes", "--offline", status=1).output
    west.run("withdraw", agreed, "--yes", "--offline")  # again: nothing changes
    assert west.json("show", agreed)["parties"][0]["withdrawn"]["reason"] == "The pilot has ended."


def test_declining_is_for_good_and_says_why(west, east, agreed):
    west.run("sign", agreed, "--yes", "--offline")
    east.run("decline", agreed, "--offline", status=2)  # never without a reason
    east.run("decline", agreed, "--reason", "Too wide.", "--offline", answer="n\n", status=1)
    assert east.json("list")[0]["declined"] == []
    data = east.json("decline", agreed, "--reason", "Too wide.", "--yes", "--offline")
    assert (data["state"], data["declined"], data["withdrawn"]) == (
        "declined by east-council",
        ["east-council"],
        [],
    )
    shown = east.run("show", agreed).stdout
    assert "DECLINED on" in shown
    assert "Too wide." in shown
    assert "No round can start now: declined by east-council" in shown
    assert "declined by east-council" in east.run("sign", agreed, "--yes", "--offline", status=1).output
    with east.open() as node:
        (entry,) = [row for row in node.store.audit_rows() if '"declined"' in row.detail]
        assert entry.event == "alteration"


def test_who_was_not_reached_is_said_until_it_is(west, agreed):
    assert "not reached" not in west.run("show", agreed).stdout  # nobody has tried
    west.run("sign", agreed, "--yes")
    assert "NOT SIGNED; not reached yet: " in west.run("show", agreed).stdout
    assert west.json("list")[0]["not_reached"] == ["east-council"]
    with west.open() as node:
        node.store.note_contact(registry.find(node, agreed).id, "east-council")
    assert west.json("list")[0]["not_reached"] == []
    west.run("show", agreed, "--fetch")
    assert "not reached since 20" in west.run("show", agreed).stdout


def test_declining_after_signing_is_withdrawing(west, agreed):
    west.run("sign", agreed, "--yes", "--offline")
    data = west.json("decline", agreed, "--reason", "Enough.", "--yes", "--offline")
    assert (data["state"], data["declined"]) == ("withdrawn by west-force", [])


def test_an_agreement_of_others_is_not_kept(tmp_path, west, agreed):
    file = tmp_path / "file.json"
    west.run("show", agreed, "--export", file)
    south = office(tmp_path / "south", "south-council")
    assert "not a party" in south.run("draft", "--import", file, status=1).output
    assert south.json("list") == []


@pytest.mark.parametrize("wrong", ["0" * 64, "abc", "not-hex", ""])
def test_an_id_that_is_none(west, agreed, wrong):
    assert "agreement" in west.run("show", wrong, status=1).stderr


def test_the_audit_log_has_it_all(west, east, agreed):
    west.run("sign", agreed, "--yes", "--offline")
    west.run("withdraw", agreed, "--yes", "--offline", "--justification", "board decision 7")
    with west.open() as node:
        rows = list(node.store.audit_rows())
        head = read_head(west.home / "audit.head")
        public = node.keys.identity_public
    about = [row for row in rows if row.subject == f"agreement {agreed}"]
    assert {row.event for row in about} == {"alteration"}
    assert [json.loads(row.detail)["action"] for row in about] == ["drafted", "signed", "withdrawn"]
    assert about[-1].justification == "board decision 7"
    assert verify_log(rows, agency="west-force", public_key=public, heads=[head]) == []
