"""`agreement draft`: templates, drafts, and the message for each wrong field."""

import json
import re
import tomllib

import pytest
from tests.support.offices import office, terms
from tests.support.paths import ROOT


def test_the_template_is_what_an_officer_needs(west, tmp_path):
    out = tmp_path / "draft.toml"
    words = ("draft", "--receiver", "west-force", "--sender", "east-council", "--sender", "south-council")
    west.run(*words, "--out", out)
    values = tomllib.loads(out.read_text())
    assert [edge["sender"]["agency"] for edge in values["edges"]] == [["east-council", "south-council"]]
    assert [party["agency"] for party in values["parties"]] == ["west-force", "east-council", "south-council"]
    west.run(*words, "--out", out, status=1)  # never over a draft that somebody edited
    assert tomllib.loads(west.run(*words).stdout) == values


def test_the_template_with_facts_is_complete_but_for_the_words(west, east, tmp_path):
    words = ("draft", "--receiver", "west-force", "--sender", "east-council", "--disclosure", "hits+facts")
    text = west.run(*words).stdout
    start, end = text.index("\n[[parties]]"), text.index("\n# The edges.")
    text = text[:start] + "\n" + west.entry() + east.entry() + text[end:]
    path = tmp_path / "draft.toml"
    path.write_text(text)
    assert "title: is missing" in west.run("draft", path, "--offline", status=1).output
    path.write_text(text.replace('title = ""', 'title = "T"').replace('purpose = """\n"""', 'purpose = "P"'))
    made = west.json("draft", path, "--offline")
    assert made["edges"][0]["facts"] == ["contract_reference"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (('title = "Pilot"', 'title = ""'), "title: is missing"),
        (('title = "Pilot"', "title = 5"), "title: must be a text"),
        (('title = "Pilot"', ""), "title: is missing"),
        (('purpose = "Find links."', 'reason = "x"'), "reason: is not a field that we know"),
        (("expires = 2120-01-01", "expires = 2019-01-01"), "expires: is not after not_before"),
        (("expires = 2120-01-01", 'expires = "2120-01-01"'), "expires: must be a date without quotes"),
        (("rounds_budget = 3", "rounds_budget = 0"), "rounds_budget: is 0"),
        (("rounds_budget = 3", "rounds_budget = true"), "rounds_budget: must be a whole number"),
        (('"uk-person-company-2"', '"uk-unknown"'), "schema: no linkage schema"),
        (('handling_codes = ["P"]', 'handling_codes = "P"'), "handling_codes: must be a list"),
        (('handling_codes = ["P"]', 'handling_codes = ["X"]'), "handling_codes[0]: must be one of: P, C"),
        (('disclosure = "hits"', 'disclosure = "all"'), "edges[0].disclosure: must be one of"),
        (('disclosure = "hits"', 'disclosure = "hits+facts"'), "edges[0].facts: has 0 entries"),
        (('kind = "suppliers"', 'kind = "people"'), "edges[0].sender.kind: must be one of"),
        (('kind = "suppliers",', ""), "edges[0].sender.kind: is missing"),
        (("sender = {", "seller = {"), "edges[0].seller: is not a field that we know"),
        (('agency = "east-council", kind', 'agency = "nowhere", kind'), "parties[2]."),
        (("identity_key", "public_key"), "parties[0].public_key: is not a field that we know"),
        (
            ('legal_basis = "Crime', 'legal_basis = "\\u202eCrime'),
            "parties[0].legal_basis: holds an invisible",
        ),
        (
            ('disclosure = "hits"', 'disclosure = "hits"\nlinkage = { overlap = 5 }'),
            "edges[0].linkage.overlap: is 5",
        ),
        (
            ('disclosure = "hits"', 'disclosure = "hits"\nlinkage = { budget = "many" }'),
            "edges[0].linkage.budget: must be a whole number",
        ),
        (
            ('disclosure = "hits"', 'disclosure = "hits"\nlinkage = { threshold = 0.9 }'),
            "edges[0].linkage.threshold: is not a field that we know",
        ),
        (
            ('disclosure = "hits"', 'disclosure = "hits"\nlinkage = "usual"'),
            "edges[0].linkage: must be a table",
        ),
        (("[[edges]]", "[edges]"), "edges: must be one or more tables"),
        (("title =", "title"), "not TOML"),
    ],
)
def test_a_wrong_draft_says_which_field(west, draft, change, reason):
    text = draft.read_text()
    assert change[0] in text
    draft.write_text(text.replace(*change, 1))
    result = west.run("draft", draft, "--offline", status=1)
    assert reason in result.output
    assert west.json("list") == []


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * (2 << 20)])
def test_a_draft_that_is_no_text(west, tmp_path, content):
    path = tmp_path / "draft.toml"
    path.write_bytes(content)
    west.run("draft", path, "--offline", status=1)
    west.run("draft", tmp_path / "missing.toml", status=1)


def test_a_party_whose_node_is_unknown_is_named(west, tmp_path):
    path = tmp_path / "draft.toml"
    path.write_text(terms())
    offline = west.run("draft", path, "--offline", status=1).output
    assert "parties[1].certificate_key: is not known" in offline
    # Online it would be asked, which needs a certificate that this node does not have yet.
    assert "tls/certificate.pem" in west.run("draft", path, status=1).output


def test_a_node_without_legal_basis_cannot_draft(tmp_path, east):
    bare = office(tmp_path / "bare", "west-force", legal_basis="")
    path = tmp_path / "draft.toml"
    path.write_text(terms(east.entry()))
    assert "node.toml: legal_basis: is missing" in bare.run("draft", path, "--offline", status=1).output


def test_keys_that_are_not_ours_are_refused(west, east, draft):
    keys = json.loads((west.home / "keys.json").read_text())
    draft.write_text(draft.read_text().replace(keys["identity_public"], "ab" * 32))
    assert "parties[0].identity_key" in west.run("draft", draft, "--offline", status=1).output


def test_the_documented_draft_is_accepted(west):
    manual = (ROOT / "docs" / "agreement.md").read_text()
    (example,) = re.findall(r"^```toml\n(.*?)^```", manual, re.MULTILINE | re.DOTALL)
    path = west.home / "draft.toml"
    path.write_text(example.replace("2026-", "2120-"))
    made = west.json("draft", path, "--offline")
    assert made["edges"][0]["facts"] == ["contract_value"]
    assert [party["agency"] for party in made["parties"]] == ["east-council", "west-force"]
